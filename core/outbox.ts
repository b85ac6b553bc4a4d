/**
 * Effects of one step, in order, as rows of one array: no object for a packet or a frame, and one place in
 * memory to go to. Bounded: more than a step can ask for is our own fault, since bulk work is paced
 * through the core's queues (mesh:M15).
 */
import { assert } from './errors.ts'
import type {
  Address,
  Channel,
  CloseReason,
  Effects,
  Hop,
  Job,
  JobId,
  LinkId,
  NodeEvent,
  PeerId,
  PortId,
  StoreId,
} from './io.ts'

const OUTBOX_LIMIT = 4_096
const TOO_MANY = `more than ${OUTBOX_LIMIT} effects in one step`

const EFFECT = { send: 0, deliver: 1, dial: 2, hangUp: 3, start: 4, store: 5, note: 6 } as const

/** Of each effect: its kind and details in one number, its target, its body, and what else it has. */
const ROW = 4
/** The kind is the low bits of the first number of a row. */
const KINDS = 8

export class Outbox {
  #length = 0
  readonly #rows: unknown[] = []

  get length(): number {
    return this.#length
  }

  // HOT PATH
  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    this.#push(EFFECT.send, link, hop * 2 + channel, packet, undefined)
  }

  // HOT PATH
  deliver(port: PortId, frame: Uint8Array): void {
    this.#push(EFFECT.deliver, port, 0, frame, undefined)
  }

  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.#push(EFFECT.dial, 0, 0, peer, addresses)
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    this.#push(EFFECT.hangUp, link, 0, reason, undefined)
  }

  start(job: JobId, work: Job): void {
    this.#push(EFFECT.start, job, 0, work, undefined)
  }

  store(id: StoreId, record: Uint8Array): void {
    this.#push(EFFECT.store, id, 0, record, undefined)
  }

  note(event: NodeEvent): void {
    this.#push(EFFECT.note, 0, 0, event, undefined)
  }

  /** Carries out everything and leaves the outbox empty. */
  drain(effects: Effects): void {
    const rows = this.#rows
    for (let index = 0; index < this.#length; index++) {
      const at = index * ROW
      const what = rows[at] as number
      const target = rows[at + 1] as number
      const body = rows[at + 2]
      switch (what % KINDS) {
        case EFFECT.send:
          effects.send(target as LinkId, ((what >> 3) & 1) as Channel, what >> 4, body as Uint8Array)
          break
        case EFFECT.deliver:
          effects.deliver(target as PortId, body as Uint8Array)
          break
        case EFFECT.dial:
          effects.dial(body as PeerId, rows[at + 3] as readonly Address[])
          break
        case EFFECT.hangUp:
          effects.hangUp(target as LinkId, body as CloseReason)
          break
        case EFFECT.start:
          effects.start(target as JobId, body as Job)
          break
        case EFFECT.store:
          effects.store(target as StoreId, body as Uint8Array)
          break
        default:
          effects.note(body as NodeEvent)
      }
      rows[at + 2] = undefined
      rows[at + 3] = undefined
    }
    this.#length = 0
  }

  #push(kind: number, target: number, detail: number, body: unknown, extra: unknown): void {
    assert(this.#length < OUTBOX_LIMIT, TOO_MANY)
    const at = this.#length++ * ROW
    const rows = this.#rows
    rows[at] = detail * KINDS + kind
    rows[at + 1] = target
    rows[at + 2] = body
    rows[at + 3] = extra
  }
}
