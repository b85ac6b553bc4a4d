/**
 * By which names the parts of a membership ask for things, and by which it knows them: two parts have effects
 * of one name, and mean different things. Knows no more than who is asked.
 */
import type { DoorWires } from '../door/context.ts'
import type { AdoptedEpoch, ChannelKind, GroupEffects, Purpose, Slot, Whom } from '../group/effects.ts'
import type { GroupEvent } from '../group/events.ts'
import type { Micros } from '../io.ts'
import type { MlsJob } from '../mls/engine.ts'

/** What a membership does for its door. */
interface DoorHands {
  transmit(now: Micros, packet: Uint8Array): void
  hold(now: Micros, token: Uint8Array, proof: Uint8Array): void
  release(now: Micros, token: Uint8Array): void
}

/** What it does for its group. */
interface GroupHands {
  announce(mlsId: Uint8Array, to: Whom, kind: ChannelKind, payload: Uint8Array): void
  start(job: number, work: MlsJob): void
  store(id: number, slot: Slot, record: Uint8Array): void
  adopt(epoch: AdoptedEpoch): void
  refuse(memberKey: Uint8Array): void
  end(): void
  callAt(route: Uint8Array): void
  bring(route: Uint8Array, message: Uint8Array): void
  ask(purpose: Purpose, head: Uint8Array | undefined): void
  say(session: number, message: Uint8Array): void
  hangUp(session: number): void
  tell(event: GroupEvent): void
}

/** Where the door's packets and registrations go. */
export class Wires implements DoorWires {
  readonly #member: DoorHands

  constructor(member: DoorHands) {
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

/** The group's effects, by their names there. */
export class Hands implements GroupEffects {
  readonly #member: GroupHands

  constructor(member: GroupHands) {
    this.#member = member
  }

  send(mlsId: Uint8Array, to: Whom, kind: ChannelKind, payload: Uint8Array): void {
    this.#member.announce(mlsId, to, kind, payload)
  }

  start(job: number, work: MlsJob): void {
    this.#member.start(job, work)
  }

  store(id: number, slot: Slot, record: Uint8Array): void {
    this.#member.store(id, slot, record)
  }

  adopt(epoch: AdoptedEpoch): void {
    this.#member.adopt(epoch)
  }

  refuse(memberKey: Uint8Array): void {
    this.#member.refuse(memberKey)
  }

  end(): void {
    this.#member.end()
  }

  expectWelcome(route: Uint8Array): void {
    this.#member.callAt(route)
  }

  welcome(route: Uint8Array, message: Uint8Array): void {
    this.#member.bring(route, message)
  }

  knock(purpose: Purpose, head: Uint8Array | undefined): void {
    this.#member.ask(purpose, head)
  }

  doorSend(session: number, message: Uint8Array): void {
    this.#member.say(session, message)
  }

  doorClose(session: number): void {
    this.#member.hangUp(session)
  }

  event(event: GroupEvent): void {
    this.#member.tell(event)
  }
}
