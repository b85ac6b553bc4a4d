/**
 * The member that looks for another branch of its VLAN and speaks for its own there (sec:B11). It knows the
 * door and the order of the talk (merge.ts); what the branches then do is the group's, behind the port.
 *
 * To drive it: `seek` when the group has reason to (a card or packet of another lineage, or from time to
 * time), `packet`, `wake`, `take`; `offer` to send a member's KeyPackage after `port.met`; `stop` at the end.
 */
import type { Micros } from '../io.ts'
import { Caller, type CallerEvent, type Moment } from './caller.ts'
import type { DoorContext } from './context.ts'
import { KEY_PACKAGES_MAX } from './limits.ts'
import { MergeTalk } from './merge.ts'
import { decodeMessage, encodeMessage, type Message } from './messages.ts'
import { Reconciler } from './reconcile.ts'
import { DOOR_REFUSAL, type DoorRefusal, refusalNumber } from './refusals.ts'
import type { Session } from './session.ts'
import type { SponsorPort } from './sponsor-port.ts'

export type AmbassadorEvent = {
  readonly kind: 'failed'
  readonly why: DoorRefusal
  readonly sponsor: Uint8Array
}

export class Ambassador {
  readonly #context: DoorContext
  readonly #port: SponsorPort
  readonly #caller: Caller
  #ledgers: Reconciler | undefined
  #talk: MergeTalk | undefined
  #session: Session | undefined
  /** KeyPackages of the other end, by the group's request: numbers of the session. */
  readonly #requests = new Map<number, number>()
  #keyPackages = 0
  #requestIds: number
  readonly #events: AmbassadorEvent[] = []

  /** `firstRequest`: ids of requests count on from here, apart from those of the sponsor's door. */
  constructor(
    now: Micros,
    context: DoorContext,
    port: SponsorPort,
    memberSeed: Uint8Array,
    firstRequest: number,
  ) {
    this.#context = context
    this.#port = port
    this.#requestIds = firstRequest
    this.#caller = new Caller(now, context, { memberSeed, ledger: port.ledger, learner: port })
  }

  // Inputs.

  /** Calls for another branch. `head`: an MLS-ID of it, as it stands in the header of its packets. */
  seek(moment: Moment, head: Uint8Array): void {
    this.#caller.call(moment, 'merge', head)
  }

  packet(moment: Moment, packet: Uint8Array): void {
    this.#caller.packet(moment, packet)
    this.#attend(moment)
  }

  wake(moment: Moment): void {
    this.#caller.wake(moment)
    this.#attend(moment)
    this.#talk?.wake(moment.now)
    this.#session?.flush(moment.now)
  }

  /** Offers a KeyPackage of a member of this branch, which lost; false if there is no room or no talk. */
  offer(now: Micros, number: number, keyPackage: Uint8Array): boolean {
    const isOffered = this.#talk?.offer(number, keyPackage) ?? false
    this.#session?.flush(now)
    return isOffered
  }

  /** The Welcome for requests that came through this talk. */
  welcome(now: Micros, ids: readonly number[], welcome: Uint8Array): void {
    const numbers = ids.map((id) => this.#requests.get(id)).filter((number) => number !== undefined)
    for (const id of ids) this.#requests.delete(id)
    if (numbers.length > 0) this.#caller.say(now, encodeMessage({ kind: 'welcome', numbers, welcome }))
  }

  notAdded(now: Micros, id: number): void {
    const number = this.#requests.get(id)
    this.#requests.delete(id)
    if (number === undefined) return
    const why = refusalNumber(DOOR_REFUSAL.notAdded)
    this.#caller.say(now, encodeMessage({ kind: 'notAdded', number, why }))
  }

  stop(now: Micros): void {
    this.#caller.stop(now)
    this.#forget()
  }

  // Questions.

  take(): AmbassadorEvent | undefined {
    return this.#events.shift()
  }

  listens(packet: Uint8Array): boolean {
    return this.#caller.listens(packet)
  }

  nextDeadline(): Micros {
    return Math.min(this.#caller.nextDeadline(), this.#talk?.nextDeadline() ?? this.#caller.nextDeadline())
  }

  // Within.

  #attend(moment: Moment): void {
    for (let event = this.#caller.take(); event !== undefined; event = this.#caller.take())
      this.#onEvent(moment.now, event)
  }

  #onEvent(now: Micros, event: CallerEvent): void {
    switch (event.kind) {
      case 'opened':
        this.#opened(now)
        return
      case 'message': {
        const message = decodeMessage(event.bytes)
        const why = message === undefined ? DOOR_REFUSAL.badMessage : this.#take(now, message)
        this.#session?.flush(now)
        if (why === undefined) return
        this.#refuse(now, why)
        return
      }
      case 'ended':
        this.#forget()
        this.#events.push({ kind: 'failed', why: event.why ?? DOOR_REFUSAL.closed, sponsor: event.sponsor })
        return
    }
  }

  #refuse(now: Micros, why: DoorRefusal): void {
    this.#context.tally.add(why)
    const member = this.#session?.member
    this.#caller.hangUp(now, why)
    if (member !== undefined) this.#caller.distrust(now, member)
  }

  #opened(now: Micros): void {
    const { session } = this.#caller
    if (session === undefined) return
    this.#session = session
    this.#ledgers = new Reconciler(this.#context.crypto.hash, this.#port.ledger, this.#port)
    this.#talk = new MergeTalk(session, this.#port)
    this.#keyPackages = 0
    this.#caller.say(now, this.#ledgers.open())
  }

  #take(now: Micros, message: Message): DoorRefusal | undefined {
    switch (message.kind) {
      case 'ledger':
        return this.#takeLedger(now, message.payload)
      case 'lineage':
      case 'evidence':
        return this.#ledgers?.settled ? this.#talk?.take(now, message) : DOOR_REFUSAL.badMessage
      case 'welcome':
        if (this.#talk?.hasMet !== true) return DOOR_REFUSAL.badMessage
        this.#port.welcomed(now, message.numbers, message.welcome)
        return undefined
      case 'notAdded':
        this.#port.notAdded(now, message.number)
        return undefined
      case 'keyPackage':
        return this.#requestAdd(now, message.number, message.keyPackage)
      case 'logEntry':
      case 'logEnd':
        return DOOR_REFUSAL.badMessage
    }
  }

  #takeLedger(now: Micros, payload: Uint8Array): DoorRefusal | undefined {
    const answers = this.#ledgers?.take(now, payload, 'caller')
    if (answers === undefined) return DOOR_REFUSAL.badMessage
    this.#caller.say(now, ...answers)
    if (!this.#ledgers?.settled || this.#session === undefined) return undefined
    // A branch whose ambassador is refused sends another, when it has removed this one.
    const refused = this.#port.ledger.refused(this.#session.member)
    if (refused !== undefined) return refused.why
    this.#talk?.begin()
    return undefined
  }

  #requestAdd(now: Micros, number: number, keyPackage: Uint8Array): DoorRefusal | undefined {
    this.#keyPackages += 1
    if (this.#talk?.hasMet !== true || this.#keyPackages > KEY_PACKAGES_MAX) return DOOR_REFUSAL.badMessage
    const id = this.#requestIds
    this.#requestIds += 1
    this.#requests.set(id, number)
    const why = this.#port.requestAdd(now, { id, member: undefined, purpose: 'merge', keyPackage })
    if (why === undefined) return undefined
    this.notAdded(now, id)
    this.#context.tally.add(why)
    return undefined
  }

  #forget(): void {
    for (const id of this.#requests.keys()) this.#port.withdrawAdd(id)
    this.#requests.clear()
    this.#ledgers = undefined
    this.#talk = undefined
    this.#session = undefined
  }
}
