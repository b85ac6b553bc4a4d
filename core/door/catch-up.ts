/**
 * A member that was away for some epochs gets the commits it missed from another's log (sec:B12). It knows
 * doors and the log's messages; processing commits is its owner's, which drives it like a joiner.
 *
 * It ends with `caughtUp`, or with `mustRejoin` when several members say that their logs do not reach back so
 * far (those who came later have short ones), or one does and nobody knows better: then the owner drops its
 * state and starts a Joiner to rejoin.
 */
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { Caller, type CallerEvent, type CallerOptions, type Moment } from './caller.ts'
import type { DoorContext } from './context.ts'
import { LOG_MAX, LOG_WITHIN, LOGS_ASKED } from './limits.ts'
import { decodeMessage, type LogEntry, type Message } from './messages.ts'
import { Reconciler } from './reconcile.ts'
import { DOOR_REFUSAL, type DoorRefusal } from './refusals.ts'

export type CatchUpEvent =
  /** The commit after the last one; the facts that it rests on were learnt before. */
  | { readonly kind: 'entry'; readonly entry: LogEntry }
  | { readonly kind: 'caughtUp'; readonly head: Uint8Array }
  | { readonly kind: 'mustRejoin' }
  | { readonly kind: 'failed'; readonly why: DoorRefusal; readonly sponsor: Uint8Array }

export class CatchUp {
  readonly #context: DoorContext
  readonly #options: CallerOptions
  readonly #caller: Caller
  #ledgers: Reconciler | undefined
  /** MLS-ID of the epoch up to which entries came. */
  #head: Uint8Array
  #sponsor: Uint8Array | undefined
  /** Of this session, until the ledgers agree. */
  #entries: LogEntry[] = []
  #end: Uint8Array | undefined
  /** Sponsors whose log does not have the head; since the first of them others are given some time. */
  #withoutLog = 0
  #rejoinAt: Micros = NEVER
  #isDone = false
  readonly #events: CatchUpEvent[] = []

  /** `head`: MLS-ID of the epoch that this member is in. */
  constructor(now: Micros, context: DoorContext, options: CallerOptions, head: Uint8Array) {
    this.#context = context
    this.#options = options
    this.#head = head.slice()
    this.#caller = new Caller(now, context, options)
  }

  // Inputs.

  start(moment: Moment): void {
    this.#caller.call(moment, 'catchUp', this.#head)
  }

  packet(moment: Moment, packet: Uint8Array): void {
    this.#caller.packet(moment, packet)
    this.#attend(moment)
  }

  wake(moment: Moment): void {
    this.#caller.wake(moment)
    this.#attend(moment)
    if (!this.#isDone && moment.now >= this.#rejoinAt && this.#caller.session === undefined)
      this.#giveUp(moment.now)
  }

  stop(now: Micros): void {
    this.#isDone = true
    this.#caller.stop(now)
  }

  // Questions.

  take(): CatchUpEvent | undefined {
    return this.#events.shift()
  }

  listens(packet: Uint8Array): boolean {
    return this.#caller.listens(packet)
  }

  nextDeadline(): Micros {
    const at = this.#isDone || this.#caller.session !== undefined ? NEVER : this.#rejoinAt
    return Math.min(at, this.#caller.nextDeadline())
  }

  // Within.

  #attend(moment: Moment): void {
    for (let event = this.#caller.take(); event !== undefined; event = this.#caller.take())
      this.#onEvent(moment, event)
  }

  #onEvent(moment: Moment, event: CallerEvent): void {
    const { now } = moment
    switch (event.kind) {
      case 'opened':
        this.#sponsor = event.sponsor
        this.#entries = []
        this.#end = undefined
        this.#ledgers = new Reconciler(this.#context.crypto.hash, this.#options.ledger, this.#options.learner)
        this.#caller.say(now, this.#ledgers.open())
        return
      case 'message': {
        const message = decodeMessage(event.bytes)
        const why = message === undefined ? DOOR_REFUSAL.badMessage : this.#take(now, message)
        if (why !== undefined) this.#lied(now, why)
        return
      }
      case 'ended':
        this.#ended(moment, event)
        return
    }
  }

  #take(now: Micros, message: Message): DoorRefusal | undefined {
    if (this.#isDone) return undefined
    switch (message.kind) {
      case 'ledger': {
        const answers = this.#ledgers?.take(now, message.payload, 'caller')
        if (answers === undefined) return DOOR_REFUSAL.badMessage
        this.#caller.say(now, ...answers)
        break
      }
      case 'logEntry': {
        const last = this.#entries.at(-1)?.child ?? this.#head
        if (this.#entries.length >= LOG_MAX || !sameBytes(message.entry.parent, last))
          return DOOR_REFUSAL.badMessage
        this.#entries.push(message.entry)
        break
      }
      case 'logEnd':
        if (!sameBytes(message.head, this.#entries.at(-1)?.child ?? this.#head))
          return DOOR_REFUSAL.badMessage
        this.#end = message.head
        break
      default:
        return DOOR_REFUSAL.badMessage
    }
    return this.#ledgers?.settled ? this.#settled(now) : undefined
  }

  /** Facts come before the commits that rest on them. */
  #settled(now: Micros): DoorRefusal | undefined {
    const refused = this.#sponsor === undefined ? undefined : this.#options.ledger.refused(this.#sponsor)
    if (refused !== undefined) return refused.why
    for (const entry of this.#entries) {
      this.#events.push({ kind: 'entry', entry })
      this.#head = entry.child
    }
    this.#entries = []
    if (this.#end === undefined) return undefined
    this.#events.push({ kind: 'caughtUp', head: this.#end })
    this.stop(now)
    return undefined
  }

  #lied(now: Micros, why: DoorRefusal): void {
    this.#context.tally.add(why)
    const sponsor = this.#sponsor
    this.#caller.hangUp(now, why)
    if (sponsor !== undefined) this.#caller.distrust(now, sponsor)
  }

  #ended({ now }: Moment, { sponsor, why }: Extract<CallerEvent, { kind: 'ended' }>): void {
    if (this.#isDone) return
    this.#entries = []
    if (why !== DOOR_REFUSAL.notInLog) {
      this.#events.push({ kind: 'failed', why: why ?? DOOR_REFUSAL.closed, sponsor })
      this.#caller.again(now)
      return
    }
    this.#withoutLog += 1
    if (this.#rejoinAt === NEVER) this.#rejoinAt = now + LOG_WITHIN
    if (this.#withoutLog >= LOGS_ASKED) this.#giveUp(now)
    else this.#caller.again(now, 0)
  }

  #giveUp(now: Micros): void {
    this.#events.push({ kind: 'mustRejoin' })
    this.stop(now)
  }
}
