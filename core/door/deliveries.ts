/**
 * Welcomes on their way to joiners: each is called at its route, so many at a time, as soon as a Welcome is
 * likely to follow, and given it when it is sure. It knows routes and bytes; what a Welcome is worth is the
 * joiner's to judge.
 */
import { hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { routeToken } from '../vlan/tokens.ts'
import type { Caller, Moment } from './caller.ts'
import type { DoorContext } from './context.ts'
import {
  DELIVER_TURN,
  DELIVER_WITHIN,
  DELIVERIES_AT_ONCE,
  DELIVERIES_MAX,
  MESSAGE_BYTES_MAX,
} from './limits.ts'
import { DOOR_REFUSAL } from './refusals.ts'

interface Delivery {
  readonly route: Uint8Array
  /** None while the Welcome is not sure yet. */
  message: Uint8Array | undefined
  /** From when its turn comes. */
  until: Micros
  /** None while it waits for its turn. */
  caller: Caller | undefined
  isSaid: boolean
}

export class Deliveries {
  readonly #context: DoorContext
  readonly #callerAt: (now: Micros, token: Uint8Array) => Caller
  readonly #all = new Map<string, Delivery>()

  /** `callerAt`: who calls at a token, and leaves nobody alone because of an earlier failure. */
  constructor(context: DoorContext, callerAt: (now: Micros, token: Uint8Array) => Caller) {
    this.#context = context
    this.#callerAt = callerAt
  }

  /** Calls at a route to which a Welcome is likely to be brought soon; the joiner's answer takes its time. */
  expect(moment: Moment, route: Uint8Array): void {
    if (!this.#all.has(hex(route))) this.#add(moment, route, undefined)
  }

  /**
   * Brings a Welcome to a route; false if it is longer than a session takes, or too many are under way. The
   * bytes are not copied.
   */
  deliver(moment: Moment, route: Uint8Array, message: Uint8Array): boolean {
    const { now } = moment
    const name = hex(route)
    const known = this.#all.get(name)
    if (message.length > MESSAGE_BYTES_MAX) {
      this.#context.tally.add(DOOR_REFUSAL.badMessage)
      known?.caller?.stop(now)
      this.#all.delete(name)
      return false
    }
    if (known?.caller !== undefined && known.message === undefined) {
      known.message = message
      known.until = now + DELIVER_WITHIN
      known.caller.sayFirst(now, message)
      known.isSaid = known.caller.session !== undefined
      return true
    }
    known?.caller?.stop(now)
    this.#all.delete(name)
    return this.#add(moment, route, message)
  }

  packet(moment: Moment, packet: Uint8Array): void {
    for (const { caller } of this.#all.values()) if (caller?.listens(packet)) caller.packet(moment, packet)
  }

  wake(moment: Moment): void {
    for (const { caller } of this.#all.values()) caller?.wake(moment)
  }

  /** What came of them; to be asked after each input. */
  attend(moment: Moment): void {
    for (const [name, each] of [...this.#all]) this.#attend(moment.now, name, each)
    this.#next(moment)
  }

  stop(now: Micros): void {
    for (const { caller } of this.#all.values()) caller?.stop(now)
    this.#all.clear()
  }

  listens(packet: Uint8Array): boolean {
    for (const { caller } of this.#all.values()) if (caller?.listens(packet)) return true
    return false
  }

  nextDeadline(): Micros {
    let at = NEVER
    for (const { caller, until } of this.#all.values())
      at = Math.min(at, caller?.nextDeadline() ?? NEVER, until)
    return at
  }

  #add(moment: Moment, route: Uint8Array, message: Uint8Array | undefined): boolean {
    if (this.#all.size >= DELIVERIES_MAX && (message === undefined || !this.#makeRoom(moment.now))) {
      this.#context.tally.add(DOOR_REFUSAL.deliveriesFull)
      return false
    }
    const waiting = { caller: undefined, until: NEVER, isSaid: false }
    this.#all.set(hex(route), { route: route.slice(), message, ...waiting })
    this.#next(moment)
    return true
  }

  /** A Welcome that is there goes before one that may never come. */
  #makeRoom(now: Micros): boolean {
    for (const [name, { message, caller }] of this.#all) {
      if (message !== undefined) continue
      caller?.stop(now)
      return this.#all.delete(name)
    }
    return false
  }

  /** Calls at the routes whose turn it is. Who does not answer for a while keeps nobody else waiting. */
  #next(moment: Moment): void {
    const { crypto, vlan } = this.#context
    let free = DELIVERIES_AT_ONCE
    for (const { caller, until, isSaid } of this.#all.values())
      if (caller !== undefined && (isSaid || moment.now < until - DELIVER_WITHIN + DELIVER_TURN)) free -= 1
    for (const delivery of this.#all.values()) {
      if (free <= 0) return
      if (delivery.caller !== undefined) continue
      free -= 1
      delivery.until = moment.now + DELIVER_WITHIN
      delivery.caller = this.#callerAt(moment.now, routeToken(crypto, vlan, delivery.route))
      if (delivery.message !== undefined) delivery.caller.sayFirst(moment.now, delivery.message)
      delivery.caller.call(moment, 'deliver')
    }
  }

  #attend(now: Micros, name: string, delivery: Delivery): void {
    const { caller } = delivery
    for (let event = caller?.take(); caller !== undefined && event !== undefined; event = caller.take()) {
      if (event.kind === 'opened') delivery.isSaid = delivery.message !== undefined
      else if (event.kind === 'ended') {
        delivery.isSaid = false
        caller.again(now)
      }
    }
    const isDone = delivery.isSaid && caller?.session?.isQuiet === true
    if (!isDone && now < delivery.until) return
    if (!isDone && delivery.message !== undefined) this.#context.tally.add(DOOR_REFUSAL.silent)
    caller?.stop(now)
    this.#all.delete(name)
  }
}
