/**
 * What a sponsor does in one session after the handshake (sec:C4, C5, B11, B12): it takes messages of the
 * caller, asks the group, and answers. Knows the purposes; packets and keys are the session's.
 */

import { sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import type { DoorContext } from './context.ts'
import { KEY_PACKAGES_MAX } from './limits.ts'
import { MergeTalk } from './merge.ts'
import { decodeMessage, encodeMessage, type Message } from './messages.ts'
import { Reconciler } from './reconcile.ts'
import { DOOR_REFUSAL, type DoorRefusal, refusalNumber } from './refusals.ts'
import type { Session } from './session.ts'
import type { SponsorPort } from './sponsor-port.ts'

/** Names of requests, unique within the life of a door. */
class Numbering {
  #last = 0

  next(): number {
    this.#last += 1
    return this.#last
  }
}

/** What a sponsor's end of a session does: that of this file, or the group's own (doorway.ts). */
export interface Service {
  readonly session: Session
  /** Ephemeral key of the call, 32 bytes. */
  readonly caller: Uint8Array
  /** A refusal ends the session. */
  start(now: Micros, head: Uint8Array): DoorRefusal | undefined
  /** Takes all messages that came. A refusal ends the session. */
  take(now: Micros): DoorRefusal | undefined
  wake(now: Micros): void
  end(now: Micros): void
  nextDeadline(): Micros
}

/** Who makes a service for each session. */
export interface Services {
  serve(now: Micros, session: Session, caller: Uint8Array): Service
}

class Serving implements Service {
  readonly session: Session
  /** Ephemeral key of the call, 32 bytes. */
  readonly caller: Uint8Array
  /** In a merge. */
  readonly merge: MergeTalk | undefined
  readonly #context: DoorContext
  readonly #port: SponsorPort
  readonly #ledgers: Reconciler
  /** Numbers of the caller's KeyPackages by request. */
  readonly #requests = new Map<number, number>()
  #keyPackages = 0
  isEnded = false

  readonly #numbers: Numbering

  constructor(
    context: DoorContext,
    port: SponsorPort,
    numbers: Numbering,
    session: Session,
    caller: Uint8Array,
  ) {
    this.#numbers = numbers
    this.#context = context
    this.#port = port
    this.session = session
    this.caller = caller.slice()
    this.#ledgers = new Reconciler(context.crypto.hash, port.ledger, port)
    this.merge = session.purpose === 'merge' ? new MergeTalk(session, port) : undefined
  }

  /** Says what needs no request: the log from `head`, as the call named it. A refusal ends the session. */
  start(now: Micros, head: Uint8Array): DoorRefusal | undefined {
    if (this.session.purpose !== 'catchUp') return undefined
    const entries = this.#port.log(now, head)
    const end = this.#port.head()
    if (entries === undefined || end === undefined) return DOOR_REFUSAL.notInLog
    for (const entry of entries) {
      if (!this.session.say(encodeMessage({ kind: 'logEntry', entry }))) return undefined
    }
    // Without its end the caller knows that there is more, and asks again from where it then is.
    this.session.say(encodeMessage({ kind: 'logEnd', head: end }))
    return undefined
  }

  take(now: Micros): DoorRefusal | undefined {
    for (const bytes of this.session.takeMessages()) {
      const message = decodeMessage(bytes)
      const why = message === undefined ? DOOR_REFUSAL.badMessage : this.#take(now, message)
      if (why !== undefined) return why
    }
    return undefined
  }

  /** The Welcome for requests of this session; true if it was for it. */
  welcome(ids: readonly number[], welcome: Uint8Array): boolean {
    const numbers = ids.map((id) => this.#requests.get(id)).filter((number) => number !== undefined)
    if (numbers.length === 0) return false
    for (const id of ids) this.#requests.delete(id)
    return this.session.say(encodeMessage({ kind: 'welcome', numbers, welcome }))
  }

  notAdded(id: number): boolean {
    const number = this.#requests.get(id)
    if (number === undefined) return false
    this.#requests.delete(id)
    const why = refusalNumber(DOOR_REFUSAL.notAdded)
    return this.session.say(encodeMessage({ kind: 'notAdded', number, why }))
  }

  wake(now: Micros): void {
    this.merge?.wake(now)
  }

  nextDeadline(): Micros {
    return this.merge?.nextDeadline() ?? NEVER
  }

  end(): void {
    this.isEnded = true
    for (const id of this.#requests.keys()) this.#port.withdrawAdd(id)
    this.#requests.clear()
  }

  #take(now: Micros, message: Message): DoorRefusal | undefined {
    switch (message.kind) {
      case 'ledger': {
        const answers = this.#ledgers.take(now, message.payload, 'sponsor')
        if (answers === undefined || !this.session.say(...answers)) return DOOR_REFUSAL.badMessage
        return undefined
      }
      case 'keyPackage':
        return this.#requestAdd(now, message.number, message.keyPackage, this.#numbers.next())
      case 'lineage':
      case 'evidence':
        return this.merge === undefined ? DOOR_REFUSAL.badMessage : this.merge.take(now, message)
      case 'welcome':
      case 'notAdded':
        return this.#mergeAnswer(now, message)
      case 'logEntry':
      case 'logEnd':
        return DOOR_REFUSAL.badMessage
    }
  }

  /** Answers to KeyPackages that this end offered in a merge. */
  #mergeAnswer(
    now: Micros,
    message: Extract<Message, { kind: 'welcome' | 'notAdded' }>,
  ): DoorRefusal | undefined {
    if (this.merge?.hasMet !== true) return DOOR_REFUSAL.badMessage
    if (message.kind === 'welcome') this.#port.welcomed(now, message.numbers, message.welcome)
    else this.#port.notAdded(now, message.number)
    return undefined
  }

  #requestAdd(now: Micros, number: number, keyPackage: Uint8Array, id: number): DoorRefusal | undefined {
    const { purpose, member } = this.session
    const isFold = this.merge !== undefined
    if (purpose === 'catchUp' || (isFold && !this.merge.hasMet)) return DOOR_REFUSAL.badMessage
    this.#keyPackages += 1
    if (this.#keyPackages > (isFold ? KEY_PACKAGES_MAX : 1)) return DOOR_REFUSAL.badMessage
    this.#requests.set(id, number)
    const request = { id, member: isFold ? undefined : member, purpose, keyPackage }
    const why = this.#port.requestAdd(now, request)
    if (why === undefined) return undefined
    this.#requests.delete(id)
    this.#context.tally.add(why)
    return isFold ? undefined : why
  }
}

/** Serves all sessions of a door for one group, which answers here what it was asked. */
export class Servings implements Services {
  readonly #context: DoorContext
  readonly #port: SponsorPort
  readonly #numbers = new Numbering()
  readonly #open = new Set<Serving>()

  constructor(context: DoorContext, port: SponsorPort) {
    this.#context = context
    this.#port = port
  }

  serve(_now: Micros, session: Session, caller: Uint8Array): Service {
    // Sessions that ended are dropped here and not told of: their number is that of the door's.
    for (const each of this.#open) if (each.isEnded) this.#open.delete(each)
    const serving = new Serving(this.#context, this.#port, this.#numbers, session, caller)
    this.#open.add(serving)
    return serving
  }

  /** The Welcome for these requests is ready to leave (sec:B8). */
  welcome(now: Micros, ids: readonly number[], welcome: Uint8Array): void {
    for (const serving of this.#live()) if (serving.welcome(ids, welcome)) serving.session.flush(now)
  }

  /** The request cannot be granted. */
  notAdded(now: Micros, id: number): void {
    for (const serving of this.#live()) if (serving.notAdded(id)) serving.session.flush(now)
  }

  /** Offers a KeyPackage to the ambassador of that member key; false if there is no such talk. */
  offer(now: Micros, member: Uint8Array, number: number, keyPackage: Uint8Array): boolean {
    for (const { session, merge } of this.#live()) {
      if (merge === undefined || !sameBytes(session.member, member)) continue
      const isOffered = merge.offer(number, keyPackage)
      session.flush(now)
      return isOffered
    }
    return false
  }

  #live(): Serving[] {
    return [...this.#open].filter((serving) => !serving.isEnded)
  }
}
