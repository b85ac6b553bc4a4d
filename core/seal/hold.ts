/**
 * Packets and frames that wait: packets whose epoch or index is not known yet (sec:A4, S15), group frames
 * that no clean epoch carries (sec:B9). Knows bounds and times, and nothing of what the bytes mean. What
 * does not find its release in time is counted by the owner.
 */
import { type LinkId, type Micros, NEVER } from '../io.ts'
import type { PayloadKind } from '../vlan/plaintext.ts'

interface HeldPacket {
  readonly link: LinkId
  readonly packet: Uint8Array
  /** What it waits for. */
  readonly tag: number
  readonly until: Micros
}

/** The bounds of one hold. */
export interface HoldLimits {
  readonly life: Micros
  readonly packets: number
  readonly linkBytes: number
  readonly bytes: number
}

/** Packets in order of arrival, each with a number that names what it waits for. */
export class PacketHold {
  readonly #limits: HoldLimits
  #waiting: HeldPacket[] = []
  #bytes = 0
  readonly #linkBytes = new Map<LinkId, number>()

  constructor(limits: HoldLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#waiting.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Copies and keeps the packet; false if there is no room. */
  keep(now: Micros, link: LinkId, packet: Uint8Array, tag: number): boolean {
    const { life, packets, linkBytes, bytes } = this.#limits
    const ofLink = this.#linkBytes.get(link) ?? 0
    const full =
      this.#waiting.length >= packets ||
      ofLink + packet.length > linkBytes ||
      this.#bytes + packet.length > bytes
    if (full) return false
    this.#waiting.push({ link, packet: packet.slice(), tag, until: now + life })
    this.#bytes += packet.length
    this.#linkBytes.set(link, ofLink + packet.length)
    return true
  }

  /** Moves those that wait for `tag` to `ready`, in order. */
  release(tag: number, ready: ReadyPacket[]): void {
    this.#sift((held) => {
      if (held.tag !== tag) return false
      ready.push(held)
      return true
    })
  }

  /** The first whose time is over. */
  late(now: Micros): ReadyPacket | undefined {
    const first = this.#waiting[0]
    return first !== undefined && first.until <= now ? first : undefined
  }

  /** Forgets those whose time is over; answers how many. */
  expire(now: Micros): number {
    const before = this.#waiting.length
    if (before === 0 || (this.#waiting[0] as HeldPacket).until > now) return 0
    this.#sift((held) => held.until <= now)
    return before - this.#waiting.length
  }

  /** When the first one's time is over. */
  get dueAt(): Micros {
    return this.#waiting[0]?.until ?? NEVER
  }

  #sift(goes: (held: HeldPacket) => boolean): void {
    const kept: HeldPacket[] = []
    for (const held of this.#waiting) {
      if (!goes(held)) {
        kept.push(held)
        continue
      }
      this.#bytes -= held.packet.length
      const left = (this.#linkBytes.get(held.link) as number) - held.packet.length
      if (left === 0) this.#linkBytes.delete(held.link)
      else this.#linkBytes.set(held.link, left)
    }
    this.#waiting = kept
  }
}

/** A held packet whose time has come: to be opened as if it arrived now. */
export type ReadyPacket = Pick<HeldPacket, 'link' | 'packet'>

/** A frame that waits to be sealed. */
export interface WaitingFrame {
  readonly kind: PayloadKind
  readonly leaf: number
  readonly token: Uint8Array
  readonly payload: Uint8Array
  readonly packetBytes: number
  readonly until: Micros
}

export class FrameQueue {
  readonly #limit: number
  readonly #life: Micros
  #waiting: WaitingFrame[] = []

  constructor(limit: number, life: Micros) {
    this.#limit = limit
    this.#life = life
  }

  get size(): number {
    return this.#waiting.length
  }

  /** Copies and keeps the frame; false if there is no room. */
  keep(
    now: Micros,
    kind: PayloadKind,
    leaf: number,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number,
  ): boolean {
    if (this.#waiting.length >= this.#limit) return false
    const until = now + this.#life
    this.#waiting.push({ kind, leaf, token: token.slice(), payload: payload.slice(), packetBytes, until })
    return true
  }

  /** The oldest, taken out. */
  take(): WaitingFrame | undefined {
    return this.#waiting.shift()
  }

  /** Forgets those whose time is over; answers how many. */
  expire(now: Micros): number {
    const before = this.#waiting.length
    this.#waiting = this.#waiting.filter((frame) => frame.until > now)
    return before - this.#waiting.length
  }

  get dueAt(): Micros {
    return this.#waiting[0]?.until ?? NEVER
  }
}
