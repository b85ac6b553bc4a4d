/** A route that is registered for as long as it is needed. Knows proofs and times; not who sends there. */
import { MILLISECOND, type Micros, NEVER } from '../io.ts'
import type { DoorContext } from './context.ts'
import { ROUTE_RENEW } from './limits.ts'
import { type Route, routeProof } from './token.ts'

export class Listener {
  readonly #context: DoorContext
  readonly #route: Route
  #renewAt: Micros = NEVER

  constructor(context: DoorContext, route: Route) {
    this.#context = context
    this.#route = route
  }

  get isHeld(): boolean {
    return this.#renewAt !== NEVER
  }

  hold(now: Micros): void {
    const { crypto, vlan, wires } = this.#context
    // A node's clock starts anywhere but rises, and that is all that a sequence must do.
    const sequence = Math.floor(now / MILLISECOND)
    wires.hold(now, this.#route.token, routeProof(crypto, vlan, this.#route, sequence))
    this.#renewAt = now + ROUTE_RENEW
  }

  release(now: Micros): void {
    if (!this.isHeld) return
    this.#renewAt = NEVER
    this.#context.wires.release(now, this.#route.token)
  }

  wake(now: Micros): void {
    if (now >= this.#renewAt) this.hold(now)
  }

  nextDeadline(): Micros {
    return this.#renewAt
  }
}
