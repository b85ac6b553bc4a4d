/**
 * A member's door as its group's machine uses it: somebody knocks, sessions open, carry what the group says,
 * and close; a Welcome is brought to the route of its joiner. What is said is the group's own (compare
 * serve.ts, where it is this folder's); who is at the other side, order and secrecy are the door's.
 *
 * To drive it: `start` once, `open` when the group has an epoch, `packet` for what `listens`, `wake` at
 * `nextDeadline`, and after each call `take` until it is empty. Nothing calls back, so whatever an event
 * makes the group ask for may be done at once.
 *
 * The route is registered for as long as the door is there: a Welcome may come to whoever folds without
 * having knocked (sec:B11).
 */
import { type Micros, NEVER } from '../io.ts'
import { Caller, type Moment } from './caller.ts'
import type { DoorContext } from './context.ts'
import { Deliveries } from './deliveries.ts'
import { NO_HEAD, type Purpose } from './handshake.ts'
import { CLOSE_WITHIN, KNOCK_WITHIN, SESSIONS_MAX, SHUN_FAILED } from './limits.ts'
import { DOOR_REFUSAL, type DoorRefusal } from './refusals.ts'
import type { Service, Services } from './serve.ts'
import type { Session } from './session.ts'
import { Shunned } from './shunned.ts'
import { Sponsor } from './sponsor.ts'
import type { DoorMember } from './sponsor-port.ts'

/** What a session may be for, seen from the group. */
export type SessionPurpose = Exclude<Purpose, 'deliver'>

export type DoorwayEvent =
  | {
      readonly kind: 'opened'
      readonly session: number
      readonly peer: Uint8Array
      readonly purpose: SessionPurpose
      readonly isInitiator: boolean
    }
  | { readonly kind: 'message'; readonly session: number; readonly bytes: Uint8Array }
  /** By the other end, or because it is gone. Not told of what this end closed. */
  | { readonly kind: 'closed'; readonly session: number }
  | { readonly kind: 'welcome'; readonly bytes: Uint8Array }
  /** A sponsor said why it opens no session. Another one is asked. */
  | { readonly kind: 'turnedAway'; readonly peer: Uint8Array; readonly why: DoorRefusal }

/** A session that this end asked for, or asks for. */
interface Outgoing {
  readonly id: number
  readonly purpose: SessionPurpose
  readonly caller: Caller
  readonly until: Micros
  sponsor: Uint8Array | undefined
  /** This end closes it. */
  isClosing: boolean
}

const NOT_OPEN = { sponsor: undefined, isClosing: false }

/** A session that the other end asked for: hands everything on. */
class Incoming implements Service {
  readonly id: number
  readonly session: Session
  readonly caller: Uint8Array
  /** This end closes it. */
  isClosing = false
  readonly #owner: IncomingSessions

  constructor(owner: IncomingSessions, id: number, session: Session, caller: Uint8Array) {
    this.#owner = owner
    this.id = id
    this.session = session
    this.caller = caller.slice()
  }

  start(): undefined {
    const { purpose, member: peer } = this.session
    if (purpose !== 'deliver')
      this.#owner.events.push({ kind: 'opened', session: this.id, peer, purpose, isInitiator: false })
    return undefined
  }

  take(): DoorRefusal | undefined {
    for (const bytes of this.session.takeMessages()) {
      if (this.isClosing) continue
      if (this.session.purpose === 'deliver') this.#owner.events.push({ kind: 'welcome', bytes })
      else this.#owner.events.push({ kind: 'message', session: this.id, bytes })
    }
    return undefined
  }

  wake(): void {}

  end(): void {
    this.#owner.open.delete(this.id)
    if (this.isClosing || this.session.purpose === 'deliver') return
    this.#owner.events.push({ kind: 'closed', session: this.id })
  }

  nextDeadline(): Micros {
    return NEVER
  }
}

/** Sessions of one door by their numbers, and what is to be told of them. */
class IncomingSessions implements Services {
  readonly events: DoorwayEvent[] = []
  readonly open = new Map<number, Incoming>()
  #lastId = 0

  nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  serve(_now: Micros, session: Session, caller: Uint8Array): Service {
    const incoming = new Incoming(this, this.nextId(), session, caller)
    this.open.set(incoming.id, incoming)
    return incoming
  }
}

export class Doorway {
  readonly #context: DoorContext
  readonly #member: DoorMember
  readonly #memberSeed: Uint8Array
  readonly #sponsor: Sponsor
  readonly #incoming = new IncomingSessions()
  readonly #outgoing = new Map<number, Outgoing>()
  readonly #deliveries: Deliveries
  readonly #shunned = new Shunned()
  /** Until when the sessions that this end closes may still deliver what was said. */
  readonly #closing = new Map<number, Micros>()

  constructor(now: Micros, context: DoorContext, member: DoorMember, memberSeed: Uint8Array) {
    this.#context = context
    this.#member = member
    this.#memberSeed = memberSeed
    this.#sponsor = new Sponsor(now, context, member, this.#incoming, memberSeed)
    this.#deliveries = new Deliveries(context, (at, token) => this.#caller(at, token))
  }

  // Inputs of the world.

  /** Registers the route. */
  start(now: Micros): void {
    this.#sponsor.await(now, true)
  }

  /** Answers calls from now on: there is a group to be let into. */
  open(now: Micros): void {
    this.#sponsor.open(now)
  }

  /** The members are others than before. */
  review(now: Micros): void {
    this.#sponsor.review(now)
  }

  /** Ends everything. */
  shut(now: Micros): void {
    for (const { caller } of this.#outgoing.values()) caller.stop(now)
    this.#outgoing.clear()
    this.#deliveries.stop(now)
    this.#sponsor.await(now, false)
    this.#sponsor.shut(now)
  }

  /** A packet of `listens`. Never throws. */
  packet(moment: Moment, packet: Uint8Array): void {
    if (this.#sponsor.listens(packet)) this.#sponsor.packet(moment.now, packet)
    for (const { caller } of [...this.#outgoing.values()])
      if (caller.listens(packet)) caller.packet(moment, packet)
    this.#deliveries.packet(moment, packet)
    this.#attend(moment)
  }

  wake(moment: Moment): void {
    this.#sponsor.wake(moment.now)
    for (const { caller } of [...this.#outgoing.values()]) caller.wake(moment)
    this.#deliveries.wake(moment)
    this.#attend(moment)
  }

  // Commands of the group.

  /**
   * Looks for a session. `head`: the branch that is sought, or where this end is that catches up. The group
   * knocks again when nothing came of it: whoever was found for that purpose is then left alone for a time.
   */
  knock(moment: Moment, purpose: SessionPurpose, head: Uint8Array = NO_HEAD): void {
    const { now } = moment
    for (const each of [...this.#outgoing.values()]) {
      if (each.purpose !== purpose) continue
      if (each.sponsor === undefined) this.#drop(now, each)
      else this.#shunned.add(now, each.sponsor, SHUN_FAILED)
    }
    if (this.#outgoing.size >= SESSIONS_MAX) {
      this.#context.tally.add(DOOR_REFUSAL.sessionsFull)
      return
    }
    const caller = this.#caller(now)
    const id = this.#incoming.nextId()
    this.#outgoing.set(id, { id, purpose, caller, until: now + KNOCK_WITHIN, ...NOT_OPEN })
    caller.call(moment, purpose, head)
  }

  /** Says something in a session; false if it is not there any more, or too much waits in it. */
  send(now: Micros, id: number, message: Uint8Array): boolean {
    const outgoing = this.#outgoing.get(id)
    if (outgoing !== undefined) return outgoing.caller.say(now, message)
    const session = this.#incoming.open.get(id)?.session
    if (session === undefined) return false
    const isSaid = session.say(message)
    session.flush(now)
    return isSaid
  }

  /** Ends a session when the other end has all that was said, or does not take it. */
  close(now: Micros, id: number): void {
    const closing = this.#outgoing.get(id) ?? this.#incoming.open.get(id)
    if (closing === undefined || closing.isClosing) return
    closing.isClosing = true
    this.#closing.set(id, now + CLOSE_WITHIN)
    this.#finish(now)
  }

  /** Calls at a route to which a Welcome is likely to be brought soon. */
  expect(moment: Moment, route: Uint8Array): void {
    this.#deliveries.expect(moment, route)
  }

  /** Brings a Welcome to a route; false if too many are under way. The bytes are not copied. */
  deliver(moment: Moment, route: Uint8Array, message: Uint8Array): boolean {
    return this.#deliveries.deliver(moment, route, message)
  }

  /** Some member is refused by now: its sessions end (sec:B9). */
  recheck(now: Micros): void {
    this.#sponsor.recheck(now)
    const { ledger } = this.#member
    for (const each of [...this.#outgoing.values()])
      if (each.sponsor !== undefined && ledger.refused(each.sponsor) !== undefined) this.#lose(now, each)
  }

  // Questions.

  take(): DoorwayEvent | undefined {
    return this.#incoming.events.shift()
  }

  /** 32 bytes: what a joiner puts into its request, for its Welcome to be brought to. */
  get route(): Uint8Array {
    return this.#sponsor.routeKey
  }

  listens(packet: Uint8Array): boolean {
    if (this.#sponsor.listens(packet)) return true
    for (const { caller } of this.#outgoing.values()) if (caller.listens(packet)) return true
    return this.#deliveries.listens(packet)
  }

  nextDeadline(): Micros {
    let at = this.#sponsor.nextDeadline()
    for (const { caller, until, sponsor } of this.#outgoing.values())
      at = Math.min(at, caller.nextDeadline(), sponsor === undefined ? until : NEVER)
    for (const until of this.#closing.values()) at = Math.min(at, until)
    return Math.min(at, this.#deliveries.nextDeadline())
  }

  // Within.

  #caller(now: Micros, token?: Uint8Array): Caller {
    const { ledger } = this.#member
    const options = { memberSeed: this.#memberSeed, ledger, learner: this.#member }
    // A joiner that failed to take a Welcome may be given the next one.
    const more = token === undefined ? { shunned: this.#shunned } : { token }
    return new Caller(now, this.#context, { ...options, ...more })
  }

  #attend(moment: Moment): void {
    const { now } = moment
    for (const each of [...this.#outgoing.values()]) this.#attendOutgoing(now, each)
    this.#deliveries.attend(moment)
    this.#finish(now)
  }

  /** Closes what is to be closed and has nothing left to say. */
  #finish(now: Micros): void {
    for (const [id, until] of this.#closing) {
      const outgoing = this.#outgoing.get(id)
      const incoming = this.#incoming.open.get(id)
      const session = outgoing?.caller.session ?? incoming?.session
      if (session !== undefined && !session.isQuiet && now < until) continue
      this.#closing.delete(id)
      if (outgoing !== undefined) this.#drop(now, outgoing)
      if (incoming !== undefined) this.#sponsor.close(now, incoming.session.name)
    }
  }

  #attendOutgoing(now: Micros, outgoing: Outgoing): void {
    const { id: session, purpose, caller } = outgoing
    const { events } = this.#incoming
    for (let event = caller.take(); event !== undefined; event = caller.take()) {
      if (outgoing.isClosing && event.kind !== 'ended') continue
      if (event.kind === 'message') events.push({ kind: 'message', session, bytes: event.bytes })
      else if (event.kind === 'opened') {
        outgoing.sponsor = event.sponsor
        events.push({ kind: 'opened', session, peer: event.sponsor, purpose, isInitiator: true })
      } else if (outgoing.sponsor !== undefined) this.#lose(now, outgoing)
      else {
        const { sponsor: peer, why } = event
        if (why !== undefined && purpose !== 'merge') events.push({ kind: 'turnedAway', peer, why })
        caller.again(now)
      }
    }
    if (outgoing.sponsor === undefined && now >= outgoing.until) this.#drop(now, outgoing)
  }

  #lose(now: Micros, outgoing: Outgoing): void {
    this.#drop(now, outgoing)
    if (!outgoing.isClosing) this.#incoming.events.push({ kind: 'closed', session: outgoing.id })
  }

  #drop(now: Micros, outgoing: Outgoing): void {
    outgoing.caller.stop(now)
    this.#outgoing.delete(outgoing.id)
  }
}
