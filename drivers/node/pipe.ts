/**
 * What the main thread and the thread of the core say to each other, and in which order: packets and the
 * life of links through a ring in each direction, everything else as mail. To the core all of it is in one
 * order, so that no packet comes before its link; to the main thread mail and packets may pass each other.
 *
 * The core's thread sleeps in `ppoll` and is woken through a descriptor; the main thread sleeps in its event
 * loop and is woken by a message. Both say before they sleep, so that nobody is woken who is awake.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { assert } from '../../core/errors.ts'
import { CHANNEL, type Channel, CLOSE, type CloseReason, type Hop, type LinkId } from '../../core/io.ts'
import { type OnRecord, Ring } from './ring.ts'

/** Records to the core; the first number is the link. */
export const TO_CORE = { mail: 0, packet: 1, linkUp: 2, linkDown: 3, linkReady: 4 } as const
/** Records to the main thread. */
export const TO_MAIN = { packet: 1, hangUp: 2 } as const

/** Some 10 ms at 800 Mbit/s, more than streams carry; all of it is resident once much was sent. A guess. */
const RING_BYTES = 1_024 * 1_024
/** Kept for what is no packet of data: thousands of such records. */
const RESERVE_BYTES = 128 * 1_024
/** Mail and links that the core's thread did not take: it has hung. */
const OWED_MAX = 10_000
/** Records that are taken between two looks at what else there is to do. */
const BATCH = 256
const NO_BYTES = new Uint8Array(0)

const CLOSE_REASONS = Object.values(CLOSE)
const SLEEPS = { core: 0, main: 1 } as const
/** The message that only wakes. */
const BELL = 0

type Owed = readonly [kind: number, first: number, second: number, bytes: Uint8Array]

/** What the core's thread is started with. */
export interface PipeEnds {
  readonly toCore: SharedArrayBuffer
  readonly toMain: SharedArrayBuffer
  /** Whether each of the two sleeps. */
  readonly sleeps: Int32Array
  readonly port: MessagePort
}

/** A channel and what belongs to it in one number. */
export function packed(channel: Channel, value: number): number {
  return channel * 0x1000000 + value
}
export function channelOf(number: number): Channel {
  return (number >>> 24) as Channel
}
export function hopOf(number: number): Hop {
  return number & 0xffffff
}

export function reasonOf(number: number): CloseReason {
  return CLOSE_REASONS[number] ?? CLOSE.lost
}
export function reasonNumber(reason: CloseReason): number {
  return CLOSE_REASONS.indexOf(reason)
}

/** The main thread's end; `Mail` goes to the core, `Answer` comes from there. */
export class MainEnd<Mail, Answer> {
  readonly ends: PipeEnds
  /** Data packets for which the core had no room. */
  dropped = 0
  readonly #out = Ring.create(RING_BYTES)
  readonly #in = Ring.create(RING_BYTES)
  readonly #sleeps = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  readonly #port: MessagePort
  readonly #owed: Owed[] = []
  #ring: () => void = () => undefined
  #takes: { onRecord: OnRecord; onMail: (answer: Answer) => void } | undefined

  /** `port` leads to `other`, which the core's thread is given. */
  constructor(port: MessagePort, other: MessagePort) {
    this.#port = port
    const [toCore, toMain] = [this.#out.shared, this.#in.shared]
    this.ends = { toCore, toMain, sleeps: this.#sleeps, port: other }
  }

  /** `ring` wakes the core's thread. A batch of records is taken between two turns of the loop. */
  listen(
    ring: () => void,
    onRecord: (kind: number, first: number, second: number, bytes: Uint8Array) => void,
    onMail: (answer: Answer) => void,
  ): void {
    this.#ring = ring
    this.#takes = { onRecord, onMail }
    // While there is something it looks again in the next turn, and need not be woken for that.
    const drain = (): void => {
      Atomics.store(this.#sleeps, SLEEPS.main, 0)
      if (this.#in.drain(BATCH, onRecord) > 0) {
        setImmediate(drain)
        return
      }
      Atomics.store(this.#sleeps, SLEEPS.main, 1)
      if (!this.#in.isEmpty && Atomics.exchange(this.#sleeps, SLEEPS.main, 0) === 1) setImmediate(drain)
    }
    this.#port.on('message', (message: Answer | typeof BELL) => {
      if (message === BELL) drain()
      else onMail(message)
    })
    drain()
  }

  /** False and counted if the core has no room for it: a link whose control that is can not go on. */
  // HOT PATH
  packet(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): boolean {
    const reserve = channel === CHANNEL.control ? 0 : RESERVE_BYTES
    if (
      this.#owed.length > 0 ||
      !this.#out.push(TO_CORE.packet, link, packed(channel, hop), bytes, reserve)
    ) {
      this.dropped += 1
      return false
    }
    this.#wake()
    return true
  }

  /** A link's beginning, end, or readiness: never lost. */
  tell(kind: number, link: LinkId, value: number, bytes: Uint8Array = NO_BYTES): void {
    this.#must(kind, link, value, bytes)
  }

  mail(message: Mail): void {
    this.#port.postMessage(message)
    this.#must(TO_CORE.mail, 0, 0, NO_BYTES)
  }

  /** The core has ended: takes what it said last, such as its farewells. */
  finish(): void {
    const takes = this.#takes
    if (takes === undefined) return
    while (this.#in.drain(BATCH, takes.onRecord) > 0);
    for (let left = receiveMessageOnPort(this.#port); left !== undefined; ) {
      if (left.message !== BELL) takes.onMail(left.message as Answer)
      left = receiveMessageOnPort(this.#port)
    }
  }

  close(): void {
    this.#port.close()
  }

  #must(kind: number, first: number, second: number, bytes: Uint8Array): true {
    if (this.#owed.length > 0 || !this.#out.push(kind, first, second, bytes)) {
      assert(this.#owed.length < OWED_MAX, 'the thread of the core does not listen any more')
      this.#owed.push([kind, first, second, bytes.slice()])
      if (this.#owed.length === 1) setImmediate(() => this.#pay())
    }
    this.#wake()
    return true
  }

  #pay(): void {
    while (this.#owed.length > 0) {
      const [kind, first, second, bytes] = this.#owed[0] as Owed
      if (!this.#out.push(kind, first, second, bytes)) break
      this.#owed.shift()
    }
    this.#wake()
    if (this.#owed.length > 0) setTimeout(() => this.#pay(), 1)
  }

  #wake(): void {
    if (Atomics.exchange(this.#sleeps, SLEEPS.core, 0) === 1) this.#ring()
  }
}

/** The core's end: it receives by looking, and never waits. */
export class CoreEnd<Mail, Answer> {
  readonly #in: Ring
  readonly #out: Ring
  readonly #sleeps: Int32Array
  readonly #port: MessagePort

  constructor({ toCore, toMain, sleeps, port }: PipeEnds) {
    this.#in = new Ring(toCore)
    this.#out = new Ring(toMain)
    this.#sleeps = sleeps
    this.#port = port
  }

  /** Takes what came, at most so many records; true if there may be more. */
  take(
    onRecord: (kind: number, first: number, second: number, bytes: Uint8Array) => void,
    onMail: (mail: Mail) => void,
  ): boolean {
    const count = this.#in.drain(BATCH, (kind, first, second, bytes) => {
      if (kind !== TO_CORE.mail) {
        onRecord(kind, first, second, bytes)
        return
      }
      const received = receiveMessageOnPort(this.#port)
      assert(received !== undefined, 'a record of mail came without its mail')
      onMail(received.message as Mail)
    })
    return count === BATCH
  }

  /** False: what is read from interfaces now would soon be lost, as the main thread is behind. */
  get hasRoom(): boolean {
    return this.#out.isBelowHalf
  }

  /** True if it may sleep now: nothing came meanwhile. `awake` has to follow. */
  sleeps(): boolean {
    Atomics.store(this.#sleeps, SLEEPS.core, 1)
    return this.#in.isEmpty
  }

  awake(): void {
    Atomics.store(this.#sleeps, SLEEPS.core, 0)
  }

  // HOT PATH
  /** False if the main thread has no room for it. What is told so is seen after `flush`. */
  packet(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): boolean {
    return this.#out.push(
      TO_MAIN.packet,
      link,
      packed(channel, hop),
      bytes,
      channel === CHANNEL.control ? 0 : RESERVE_BYTES,
    )
  }

  /** False if there is no room. */
  hangUp(link: LinkId, reason: CloseReason): boolean {
    return this.#out.push(TO_MAIN.hangUp, link, reasonNumber(reason), NO_BYTES)
  }

  /** Wakes the main thread if there is something for it. */
  flush(): void {
    if (!this.#out.isEmpty && Atomics.exchange(this.#sleeps, SLEEPS.main, 0) === 1)
      this.#port.postMessage(BELL)
  }

  mail(answer: Answer): void {
    this.#port.postMessage(answer)
  }
}
