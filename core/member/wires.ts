/** Where a door's packets and registrations go: by way of the membership's port. */
import type { DoorWires } from '../door/context.ts'
import type { Micros } from '../io.ts'

interface Wired {
  transmit(now: Micros, packet: Uint8Array): void
  hold(now: Micros, token: Uint8Array, proof: Uint8Array): void
  release(now: Micros, token: Uint8Array): void
}

export class Wires implements DoorWires {
  readonly #member: Wired

  constructor(member: Wired) {
    this.#member = member
  }

  send(now: Micros, packet: Uint8Array): void {
    this.#member.transmit(now, packet)
  }

  hold(now: Micros, token: Uint8Array, proof: Uint8Array): void {
    this.#member.hold(now, token, proof)
  }

  release(now: Micros, token: Uint8Array): void {
    this.#member.release(now, token)
  }
}
