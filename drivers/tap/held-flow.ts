/**
 * Segments of one flow of TCP, or datagrams of one of UDP, that are to be given to the host as one frame: the
 * first with its headers, and the payloads of those that follow it without a gap. Knows what may follow what
 * and how the headers of all together read; when they are given away is for coalescer.ts.
 *
 * The rules are those of Linux: net/ipv4/tcp_offload.c (tcp_gro_receive), udp_offload.c (udp_gro_receive),
 * af_inet.c and net/ipv6/ip6_offload.c (inet_gro_receive, ipv6_gro_receive).
 */
import type { Pinned } from '../linux/libc.ts'
import { fold, Summable } from './checksum.ts'
import { IPV4_BYTES_MIN, IPV6_BYTES, type PacketHeaders, PROTOCOL, u16 } from './packet-headers.ts'
import { GSO, NEEDS_CHECKSUM, TCP_SEGMENT_BYTES_MIN, VIRTIO_AT, VIRTIO_BYTES } from './virtio.ts'

/** What the length of an IPv4 packet can say. */
const PACKET_BYTES_MAX = 0xffff
/** UDP_MAX_SEGMENTS of Linux before 6.9; later kernels take twice as many. */
const UDP_SEGMENTS_MAX = 64
/** Ethernet with a tag, IPv6, and the longest TCP: no header that is held is longer. */
const HEADERS_BYTES_MAX = 18 + 40 + 60
const SCRATCH_AT = VIRTIO_BYTES + 18 + PACKET_BYTES_MAX + 1
export const FLOW_BYTES = SCRATCH_AT + HEADERS_BYTES_MAX

const ACK = 0x10
const PSH = 0x08
const ECE = 0x40
const DONT_FRAGMENT = 0x4000
const FLAGS_AT = 13

// HOT PATH
/** Whether a frame, whose headers were read, may be first in a flow or follow in it. */
export function mayBeHeld(frame: Uint8Array, headers: PacketHeaders): boolean {
  const { version, network, transport, payload, protocol } = headers
  const isBare = transport - network === (version === 4 ? IPV4_BYTES_MIN : IPV6_BYTES)
  // Padding is not kept; a group's frame may be for programs that tell datagrams by their packets.
  if (!isBare || headers.end !== frame.length || payload === headers.end || isForGroup(frame)) return false
  if (protocol === PROTOCOL.udp) {
    // Zero is no checksum (RFC 768). What may still be cut on its way must keep its identity.
    const mayBeCut = version === 4 && (u16(frame, network + 6) & DONT_FRAGMENT) === 0
    return u16(frame, transport + 6) !== 0 && !mayBeCut
  }
  // No SYN, FIN, RST, URG or CWR, and none of the bits before them.
  const flags = u16(frame, transport + 12) & 0x0fff
  return (flags & ~(PSH | ECE)) === ACK
}

/** Hosts take no frame that stands for segments of TCP of that length; the last of many may be shorter. */
export function isTooShort({ protocol, payload, end }: PacketHeaders): boolean {
  return protocol === PROTOCOL.tcp && end - payload < TCP_SEGMENT_BYTES_MIN
}

/** PSH: what was said is complete, and nothing is waited for. */
export function isPushed(frame: Uint8Array, { protocol, transport }: PacketHeaders): boolean {
  return protocol === PROTOCOL.tcp && ((frame[transport + FLAGS_AT] as number) & PSH) !== 0
}

function isForGroup(frame: Uint8Array): boolean {
  return ((frame[0] as number) & 1) !== 0
}

export class HeldFlow {
  /** Frames that are held. */
  count = 0
  /** Grows with each flow that is begun: the least is the oldest. */
  age = 0
  /** Nothing may follow any more. */
  isComplete = false
  readonly address: bigint
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #summable: Summable
  /** Offsets as in a frame; in the memory, a virtio header is before it. */
  #version = 0
  #protocol = 0
  #network = 0
  #transport = 0
  #payload = 0
  /** In the memory, after the last byte. */
  #end = 0
  /** Bytes of payload of the first frame, which no other may exceed. */
  #size = 0
  #sequence = 0
  /** Of addresses and protocol, as they are in the pseudo header. */
  #pseudoSum = 0
  /** The first frame's checksums were found right. */
  #isVerified = false

  constructor(memory: Pinned) {
    this.address = memory.address
    this.#bytes = memory.bytes
    this.#summable = new Summable(memory.bytes.buffer)
    this.#view = this.#summable.view
  }

  /** Bytes of the memory that are to be written. */
  get length(): number {
    return this.#end
  }

  // HOT PATH
  /** Between the same ports of the same hosts. */
  isOf(frame: Uint8Array, { version, protocol, network, transport }: PacketHeaders): boolean {
    if (this.count === 0 || this.#version !== version || this.#protocol !== protocol) return false
    const shift = VIRTIO_BYTES + this.#transport - transport
    if (!this.#isSame(frame, transport, transport + 4, shift)) return false
    const addresses = network + (version === 4 ? 12 : 8)
    const length = version === 4 ? 8 : 32
    return this.#isSame(frame, addresses, addresses + length, VIRTIO_BYTES + this.#network - network)
  }

  // HOT PATH
  begin(frame: Uint8Array, headers: PacketHeaders, age: number): void {
    const { version, protocol, network, transport, payload } = headers
    this.#bytes.fill(0, 0, VIRTIO_BYTES)
    this.#bytes.set(frame, VIRTIO_BYTES)
    this.count = 1
    this.age = age
    this.isComplete = false
    this.#version = version
    this.#protocol = protocol
    this.#network = network
    this.#transport = transport
    this.#payload = payload
    this.#end = VIRTIO_BYTES + frame.length
    this.#size = frame.length - payload
    this.#isVerified = false
    if (protocol === PROTOCOL.tcp) this.#sequence = (this.#u32(transport + 4) + this.#size) >>> 0
  }

  // HOT PATH
  /** True if the frame is held now too; it is of this flow and may be held. */
  follow(frame: Uint8Array, headers: PacketHeaders): boolean {
    if (this.isComplete || !this.#mayFollow(frame, headers)) return false
    if (!this.#isVerified) {
      this.#pseudoSum = this.#sumAddresses()
      if (!this.#isSound(VIRTIO_BYTES, VIRTIO_BYTES + this.#payload + this.#size)) return false
      this.#isVerified = true
    }
    // The whole frame, so that no view of a part is made: its headers lie over what is held, for an instant.
    const bytes = this.#bytes
    const at = this.#end - this.#payload
    const end = at + frame.length
    bytes.copyWithin(SCRATCH_AT, at, this.#end)
    bytes.set(frame, at)
    const isSound = this.#isSound(at, end)
    bytes.copyWithin(at, SCRATCH_AT, SCRATCH_AT + this.#payload)
    if (!isSound) return false
    const length = frame.length - this.#payload
    this.#end = end
    this.#sequence = (this.#sequence + length) >>> 0
    this.count += 1
    if (isPushed(frame, headers)) {
      this.isComplete = true
      const flagsAt = VIRTIO_BYTES + this.#transport + FLAGS_AT
      bytes[flagsAt] = (bytes[flagsAt] as number) | PSH
    }
    const isFull = this.#protocol === PROTOCOL.udp && this.count === UDP_SEGMENTS_MAX
    if (length < this.#size || isFull) this.isComplete = true
    return true
  }

  // HOT PATH
  /** Makes one frame of what is held: lengths, and sums where there were checksums. */
  close(): void {
    if (this.count === 1) return
    const view = this.#view
    const network = VIRTIO_BYTES + this.#network
    const transport = VIRTIO_BYTES + this.#transport
    const isTcp = this.#protocol === PROTOCOL.tcp
    if (this.#version === 4) {
      view.setUint16(network + 2, this.#end - network)
      view.setUint16(network + 10, 0)
      view.setUint16(network + 10, ~this.#summable.sum(network, IPV4_BYTES_MIN))
    } else view.setUint16(network + 4, this.#end - network - IPV6_BYTES)
    const length = this.#end - transport
    if (!isTcp) view.setUint16(transport + 4, length)
    const checksumAt = isTcp ? 16 : 6
    view.setUint16(transport + checksumAt, fold(this.#pseudoSum + length))
    view.setUint8(VIRTIO_AT.flags, NEEDS_CHECKSUM)
    view.setUint8(VIRTIO_AT.type, isTcp ? (this.#version === 4 ? GSO.tcp4 : GSO.tcp6) : GSO.udp)
    view.setUint16(VIRTIO_AT.headers, this.#payload, true)
    view.setUint16(VIRTIO_AT.size, this.#size, true)
    view.setUint16(VIRTIO_AT.start, this.#transport, true)
    view.setUint16(VIRTIO_AT.offset, checksumAt, true)
  }

  /** All that is in the headers but the checksums, which are looked at when the frame is in the memory. */
  #mayFollow(frame: Uint8Array, { network, transport, payload }: PacketHeaders): boolean {
    if (network !== this.#network || payload !== this.#payload) return false
    const length = frame.length - payload
    if (length > this.#size || !this.#hasRoom(length)) return false
    const isSameNetwork = this.#version === 4 ? this.#isSameIpv4(frame) : this.#isSameIpv6(frame)
    if (!isSameNetwork || this.#protocol === PROTOCOL.udp) return isSameNetwork
    if (((u16(frame, transport + 4) << 16) | u16(frame, transport + 6)) >>> 0 !== this.#sequence) return false
    const flags = (frame[transport + FLAGS_AT] as number) & ~PSH
    return (
      flags === (this.#bytes[VIRTIO_BYTES + transport + FLAGS_AT] as number) &&
      // What is acknowledged; window; urgent pointer and options.
      this.#isSame(frame, transport + 8, transport + 12, VIRTIO_BYTES) &&
      this.#isSame(frame, transport + 14, transport + 16, VIRTIO_BYTES) &&
      this.#isSame(frame, transport + 18, payload, VIRTIO_BYTES)
    )
  }

  /** Ethernet's header, and all but length, identity, checksum and addresses, which are the same. */
  #isSameIpv4(frame: Uint8Array): boolean {
    const at = this.#network
    const isSame =
      this.#isSame(frame, 0, at + 2, VIRTIO_BYTES) && this.#isSame(frame, at + 6, at + 10, VIRTIO_BYTES)
    if (!isSame) return false
    // Where nobody may cut them, identities mean nothing (RFC 6864, section 4.1).
    if ((u16(frame, at + 6) & DONT_FRAGMENT) !== 0) return true
    return u16(frame, at + 4) === ((u16(this.#bytes, VIRTIO_BYTES + at + 4) + this.count) & 0xffff)
  }

  #isSameIpv6(frame: Uint8Array): boolean {
    const at = this.#network
    return this.#isSame(frame, 0, at + 4, VIRTIO_BYTES) && this.#isSame(frame, at + 6, at + 8, VIRTIO_BYTES)
  }

  #hasRoom(length: number): boolean {
    return this.#end - VIRTIO_BYTES - this.#network + length <= PACKET_BYTES_MAX
  }

  #isSame(frame: Uint8Array, from: number, to: number, shift: number): boolean {
    const bytes = this.#bytes
    for (let at = from; at < to; at++) if (frame[at] !== bytes[at + shift]) return false
    return true
  }

  /** Whether the checksums of a frame in the memory are right: words add up to −0 then (RFC 1071). */
  #isSound(from: number, end: number): boolean {
    const summable = this.#summable
    const transport = from + this.#transport
    const length = end - transport
    if (fold(this.#pseudoSum + length + summable.sum(transport, length)) !== 0xffff) return false
    return this.#version === 6 || summable.sum(from + this.#network, IPV4_BYTES_MIN) === 0xffff
  }

  #sumAddresses(): number {
    const at = VIRTIO_BYTES + this.#network
    const addresses = this.#version === 4 ? this.#summable.sum(at + 12, 8) : this.#summable.sum(at + 8, 32)
    return addresses + this.#protocol
  }

  #u32(at: number): number {
    return this.#view.getUint32(VIRTIO_BYTES + at)
  }
}
