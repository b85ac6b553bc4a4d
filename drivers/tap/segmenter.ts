/**
 * What a host leaves to its network card, done here: a frame that stands for many segments of TCP or UDP is
 * cut into them, and a checksum that is still to be made is made. Frames leave as any other, complete. Knows
 * headers and memory, and nothing of where frames come from.
 *
 * The rules are those of Linux: net/ipv4/tcp_offload.c (tcp_gso_segment), udp_offload.c (__udp_gso_segment),
 * af_inet.c (inet_gso_segment), net/core/dev.c (skb_checksum_help).
 */
import { fold, Summable } from './checksum.ts'
import { IPV6_BYTES, PacketHeaders, PROTOCOL } from './packet-headers.ts'
import { FRAME_BYTES_MIN } from './settings.ts'
import { GSO, GSO_ECN, NEEDS_CHECKSUM, TCP_SEGMENT_BYTES_MIN, VIRTIO_AT, VIRTIO_BYTES } from './virtio.ts'

/** UDP_MAX_SEGMENTS of linux/udp.h. */
const UDP_SEGMENTS_MAX = 128

const TCP_AT = { sequence: 4, flags: 12, checksum: 16 } as const
const UDP_AT = { length: 4, checksum: 6 } as const
/** FIN and PSH: of the last segment alone. CWR: of the first alone (RFC 3168, section 6.1.2). */
const LAST_ONLY = 0x0009
const FIRST_ONLY = 0x0080

/** Views of segments are kept from this length on; a shorter one is copied as fast without. */
const VIEW_BYTES_MIN = 256
/** Lengths of headers with lengths of segments: a flow of TCP has one. */
const LAYOUTS_MAX = 16

/** Views of the memory, made once. */
interface Layout {
  readonly headers: Uint8Array
  readonly segments: Uint8Array[]
}

export class Segmenter {
  /** Frames that were lost: longer than they may be, or with headers that contradict each other. */
  lost = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #summable: Summable
  readonly #frameMax: number
  readonly #headers = new PacketHeaders()
  /** By length of the frame. */
  readonly #frames: (Uint8Array | undefined)[] = []
  readonly #layouts = new Map<number, Layout>()
  /** The array that was last read into. */
  #into: Uint8Array = new Uint8Array(0)
  #intoView = new DataView(this.#into.buffer)

  /** Of a frame that is one already; 0 if there is none. */
  #whole = 0
  /** Segments that there are, and those that were handed out. */
  #count = 0
  #given = 0
  /** Bytes of payload in each segment but the last. */
  #size = 0
  #layout: Layout = { headers: this.#into, segments: [] }
  #identity = 0
  #sequence = 0
  #flags = 0
  /** Sums of what is the same in all segments, those of TCP and UDP with the pseudo header. */
  #networkSum = 0
  #transportSum = 0

  /** From the first byte of the memory on there is a virtio header, and a frame after it. */
  constructor(memory: Uint8Array<ArrayBuffer>, frameMax: number) {
    this.#bytes = memory
    this.#summable = new Summable(memory.buffer)
    this.#view = this.#summable.view
    this.#frameMax = frameMax
  }

  /** There is more to hand out. */
  get holds(): boolean {
    return this.#whole > 0 || this.#given < this.#count
  }

  // HOT PATH
  /** So many bytes were put into the memory. False if they are nothing that could be handed out. */
  take(length: number): boolean {
    this.#whole = 0
    this.#count = 0
    this.#given = 0
    // A memory that is full was too small.
    const isSound = length >= VIRTIO_BYTES + FRAME_BYTES_MIN && length < this.#bytes.length
    const type = this.#bytes[VIRTIO_AT.type] as number
    if (isSound && (type === GSO.none ? this.#takeWhole(length) : this.#takeMany(length, type))) return true
    this.lost += 1
    return false
  }

  // HOT PATH
  /** The next frame: its bytes, or 0. Call it only with an array that the longest frame fits in. */
  next(into: Uint8Array): number {
    const whole = this.#whole
    if (whole > 0) {
      into.set(this.#frameOf(whole))
      this.#whole = 0
      return whole
    }
    if (this.#given === this.#count) return 0
    if (this.#into !== into) {
      this.#into = into
      this.#intoView = new DataView(into.buffer, into.byteOffset, into.length)
    }
    const length = this.#cut(into, this.#given)
    this.#given += 1
    return length
  }

  #takeWhole(length: number): boolean {
    const frame = length - VIRTIO_BYTES
    if (frame > this.#frameMax) return false
    const needsChecksum = ((this.#bytes[VIRTIO_AT.flags] as number) & NEEDS_CHECKSUM) !== 0
    if (needsChecksum && !this.#complete(length)) return false
    this.#whole = frame
    return true
  }

  /** As skb_checksum_help: from the place that the header names to the end, whatever that is. */
  #complete(length: number): boolean {
    const view = this.#view
    const start = VIRTIO_BYTES + view.getUint16(VIRTIO_AT.start, true)
    const at = start + view.getUint16(VIRTIO_AT.offset, true)
    if (start < VIRTIO_BYTES + FRAME_BYTES_MIN || at + 2 > length) return false
    view.setUint16(at, ~this.#summable.sum(start, length - start) & 0xffff || 0xffff)
    return true
  }

  #takeMany(length: number, type: number): boolean {
    const view = this.#view
    const headers = this.#headers
    const isRead = headers.read(this.#bytes, VIRTIO_BYTES, length) && headers.end === length
    if (!isRead || !this.#isAsSaid(type)) return false
    const { payload, transport, protocol, network, version } = headers
    const size = view.getUint16(VIRTIO_AT.size, true)
    const carried = length - payload
    if (size === 0 || carried === 0) return false
    const count = Math.ceil(carried / size)
    if (protocol === PROTOCOL.tcp ? size < TCP_SEGMENT_BYTES_MIN : count > UDP_SEGMENTS_MAX) return false
    if (payload - VIRTIO_BYTES + Math.min(size, carried) > this.#frameMax) return false
    this.#size = size
    this.#count = count
    this.#layout = this.#layoutOf(payload, size)
    // What has the length of all in it has that of one instead.
    const checksumAt = protocol === PROTOCOL.tcp ? TCP_AT.checksum : UDP_AT.checksum
    const partial = view.getUint16(transport + checksumAt) + (~(length - transport) & 0xffff)
    if (protocol === PROTOCOL.tcp) {
      this.#sequence = view.getUint32(transport + TCP_AT.sequence)
      this.#flags = view.getUint16(transport + TCP_AT.flags)
      view.setUint32(transport + TCP_AT.sequence, 0)
      view.setUint16(transport + TCP_AT.flags, 0)
    } else view.setUint16(transport + UDP_AT.length, 0)
    view.setUint16(transport + checksumAt, 0)
    this.#transportSum = partial + this.#summable.sum(transport, payload - transport)
    if (version === 6) return true
    this.#identity = view.getUint16(network + 4)
    view.setUint32(network + 2, 0)
    view.setUint16(network + 10, 0)
    // Length and identity are at a distance of two: both are zero now.
    this.#networkSum = this.#summable.sum(network, transport - network)
    return true
  }

  /** Whether the virtio header says what the frame says. */
  #isAsSaid(type: number): boolean {
    const { version, protocol, transport } = this.#headers
    const view = this.#view
    const isTcp = protocol === PROTOCOL.tcp
    const said = isTcp ? type & ~GSO_ECN : type
    const wanted = isTcp ? (version === 4 ? GSO.tcp4 : GSO.tcp6) : GSO.udp
    return (
      said === wanted &&
      ((this.#bytes[VIRTIO_AT.flags] as number) & NEEDS_CHECKSUM) !== 0 &&
      view.getUint16(VIRTIO_AT.start, true) + VIRTIO_BYTES === transport &&
      view.getUint16(VIRTIO_AT.offset, true) === (isTcp ? TCP_AT.checksum : UDP_AT.checksum)
    )
  }

  /** Segment `index` into the array: its length. */
  #cut(into: Uint8Array, index: number): number {
    const { network, transport, payload, protocol, version, end } = this.#headers
    const isLast = index === this.#count - 1
    const from = payload + index * this.#size
    const length = isLast ? end - from : this.#size
    const { headers, segments } = this.#layout
    into.set(headers)
    const to = payload - VIRTIO_BYTES
    if (isLast || length < VIEW_BYTES_MIN) this.#copy(to, from, length)
    else {
      let segment = segments[index]
      if (segment === undefined) {
        segment = this.#bytes.subarray(from, from + length)
        segments[index] = segment
      }
      into.set(segment, to)
    }
    const sum = this.#summable.sum(from, length)
    if (version === 4) this.#writeIpv4(network - VIRTIO_BYTES, to + length, index)
    else
      this.#intoView.setUint16(network - VIRTIO_BYTES + 4, to + length + VIRTIO_BYTES - network - IPV6_BYTES)
    const at = transport - VIRTIO_BYTES
    if (protocol === PROTOCOL.tcp) this.#writeTcp(at, to + length - at, index, isLast, sum)
    else this.#writeUdp(at, to + length - at, sum)
    return to + length
  }

  #writeIpv4(at: number, end: number, index: number): void {
    const view = this.#intoView
    const total = end - at
    const identity = (this.#identity + index) & 0xffff
    view.setUint16(at + 2, total)
    view.setUint16(at + 4, identity)
    view.setUint16(at + 10, ~fold(this.#networkSum + total + identity))
  }

  #writeTcp(at: number, length: number, index: number, isLast: boolean, sum: number): void {
    const view = this.#intoView
    const sequence = (this.#sequence + index * this.#size) >>> 0
    let flags = this.#flags
    if (!isLast) flags &= ~LAST_ONLY
    if (index > 0) flags &= ~FIRST_ONLY
    view.setUint32(at + TCP_AT.sequence, sequence)
    view.setUint16(at + TCP_AT.flags, flags)
    const all = this.#transportSum + length + (sequence >>> 16) + (sequence & 0xffff) + flags + sum
    view.setUint16(at + TCP_AT.checksum, ~fold(all))
  }

  #writeUdp(at: number, length: number, sum: number): void {
    const view = this.#intoView
    view.setUint16(at + UDP_AT.length, length)
    // Once in the header, once in the pseudo header. Zero would say that there is none.
    view.setUint16(at + UDP_AT.checksum, ~fold(this.#transportSum + 2 * length + sum) & 0xffff || 0xffff)
  }

  #copy(to: number, from: number, length: number): void {
    const view = this.#view
    const into = this.#intoView
    const whole = length & ~3
    for (let at = 0; at < whole; at += 4) into.setInt32(to + at, view.getInt32(from + at, true), true)
    for (let at = whole; at < length; at++) into.setUint8(to + at, view.getUint8(from + at))
  }

  #frameOf(length: number): Uint8Array {
    const known = this.#frames[length]
    if (known !== undefined) return known
    const frame = this.#bytes.subarray(VIRTIO_BYTES, VIRTIO_BYTES + length)
    this.#frames[length] = frame
    return frame
  }

  #layoutOf(payload: number, size: number): Layout {
    const key = payload * 0x1_0000 + size
    const known = this.#layouts.get(key)
    if (known !== undefined) return known
    if (this.#layouts.size === LAYOUTS_MAX) this.#layouts.clear()
    const layout = { headers: this.#bytes.subarray(VIRTIO_BYTES, payload), segments: [] }
    this.#layouts.set(key, layout)
    return layout
  }
}
