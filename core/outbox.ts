/**
 * Effects of one step, in order, as parallel arrays: no object for a packet or a frame. Bounded: more
 * than a step can ask for is our own fault, since bulk work is paced through the core's queues (mesh:M15).
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

const EFFECT = { send: 0, deliver: 1, dial: 2, hangUp: 3, start: 4, store: 5, note: 6 } as const

export class Outbox {
  #length = 0
  readonly #kind: number[] = []
  readonly #target: number[] = []
  readonly #detail: number[] = []
  readonly #body: unknown[] = []
  readonly #extra: unknown[] = []

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
    for (let index = 0; index < this.#length; index++) {
      const target = this.#target[index] as number
      const detail = this.#detail[index] as number
      const body = this.#body[index]
      switch (this.#kind[index]) {
        case EFFECT.send:
          effects.send(target as LinkId, (detail & 1) as Channel, detail >> 1, body as Uint8Array)
          break
        case EFFECT.deliver:
          effects.deliver(target as PortId, body as Uint8Array)
          break
        case EFFECT.dial:
          effects.dial(body as PeerId, this.#extra[index] as readonly Address[])
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
      this.#body[index] = undefined
      this.#extra[index] = undefined
    }
    this.#length = 0
  }

  #push(kind: number, target: number, detail: number, body: unknown, extra: unknown): void {
    assert(this.#length < OUTBOX_LIMIT, `more than ${OUTBOX_LIMIT} effects in one step`)
    const index = this.#length++
    this.#kind[index] = kind
    this.#target[index] = target
    this.#detail[index] = detail
    this.#body[index] = body
    this.#extra[index] = extra
  }
}
