/**
 * Frames of TCP and UDP from the words of their standards, byte by byte and without haste: what is cut and
 * joined is compared with these.
 */
import { parseMac, writeMac } from '../../core/ids.ts'

export interface CarriedFrame {
  readonly version: 4 | 6
  readonly protocol: 'tcp' | 'udp'
  readonly payload: Uint8Array
  /** 802.1Q. */
  readonly tagged?: boolean
  /** The tag's EtherType: a customer's (0x8100) if not given. */
  readonly tagType?: number
  /** Told apart by it alone. */
  readonly port?: number
  readonly sequence?: number
  readonly acknowledged?: number
  /** The nine lowest bits of TCP's word of flags. */
  readonly flags?: number
  readonly window?: number
  /** Of TCP, in a multiple of four bytes. */
  readonly options?: Uint8Array
  readonly identity?: number
  readonly dontFragment?: boolean
  /** Type of service or traffic class. */
  readonly service?: number
  readonly hops?: number
  readonly flowLabel?: number
  /** IPv6: a header for the destination before TCP. */
  readonly extension?: boolean
  /** The field has the sum of the pseudo header, as when a network card is to do the rest. */
  readonly partial?: boolean
}

/** Flags of TCP (RFC 9293, section 3.1). */
export const FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 0x10, urg: 0x20, ece: 0x40, cwr: 0x80, ae: 0x100 }

const TO = parseMac('020000000B02')
const FROM = parseMac('020000000A01')
const ADDRESSES = {
  4: Uint8Array.of(10, 7, 0, 1, 10, 7, 0, 255),
  6: Uint8Array.from({ length: 32 }, (_, at) => (at === 0 || at === 16 ? 0xfd : at)),
}

export function carriedFrame(wish: CarriedFrame): Uint8Array {
  const carried = wish.protocol === 'tcp' ? tcpHeader(wish) : udpHeader(wish)
  const addresses = ADDRESSES[wish.version]
  const number = wish.protocol === 'tcp' ? 6 : 17
  const length = carried.length + wish.payload.length
  const pseudo = [...addresses, length >> 8, length & 0xff, 0, number]
  const words = wish.partial ? pseudo : [...pseudo, ...carried, ...wish.payload]
  const checksum = wish.partial ? sumOf(words) : ~sumOf(words) & 0xffff
  const isMissing = checksum === 0 && wish.protocol === 'udp'
  put16(carried, wish.protocol === 'tcp' ? 16 : 6, isMissing ? 0xffff : checksum)
  const network = wish.version === 4 ? ipv4Header(wish, length) : ipv6Header(wish, length)
  return Uint8Array.of(...ethernetHeader(wish), ...network, ...carried, ...wish.payload)
}

/** RFC 1071, of words with the higher byte first. */
export function sumOf(bytes: readonly number[] | Uint8Array): number {
  let sum = 0n
  for (const [at, byte] of bytes.entries()) sum += BigInt(byte) << (at % 2 === 0 ? 8n : 0n)
  while (sum > 0xffffn) sum = (sum & 0xffffn) + (sum >> 16n)
  return Number(sum)
}

/** How long all is before the payload. */
function headersLength(wish: CarriedFrame): number {
  return carriedFrame({ ...wish, payload: new Uint8Array(0) }).length
}

function ethernetHeader({ version, tagged = false, tagType = 0x8100 }: CarriedFrame): Uint8Array {
  const header = new Uint8Array(tagged ? 18 : 14)
  writeMac(header, 0, TO)
  writeMac(header, 6, FROM)
  if (tagged) header.set([tagType >> 8, tagType & 0xff, 0xa4, 0xd2], 12)
  header.set(version === 4 ? [0x08, 0] : [0x86, 0xdd], header.length - 2)
  return header
}

function ipv4Header(wish: CarriedFrame, length: number): Uint8Array {
  const { service = 0, identity = 0, dontFragment = true, hops = 64, protocol } = wish
  const header = Uint8Array.of(0x45, service, 0, 0, 0, 0, dontFragment ? 0x40 : 0, 0, hops, 0, 0, 0)
  const whole = Uint8Array.of(...header, ...ADDRESSES[4])
  put16(whole, 2, 20 + length)
  put16(whole, 4, identity)
  whole[9] = protocol === 'tcp' ? 6 : 17
  put16(whole, 10, ~sumOf(whole))
  return whole
}

function ipv6Header(wish: CarriedFrame, length: number): Uint8Array {
  const { service = 0, flowLabel = 0x12345, hops = 64, protocol, extension = false } = wish
  const number = protocol === 'tcp' ? 6 : 17
  // Options for the destination: padding of six bytes (RFC 8200, section 4.2).
  const between = extension ? [number, 0, 1, 4, 0, 0, 0, 0] : []
  const first = ((6 << 28) | (service << 20) | flowLabel) >>> 0
  const whole = Uint8Array.of(0, 0, 0, 0, 0, 0, extension ? 60 : number, hops, ...ADDRESSES[6], ...between)
  put16(whole, 0, first >>> 16)
  put16(whole, 2, first)
  put16(whole, 4, between.length + length)
  return whole
}

function tcpHeader(wish: CarriedFrame): Uint8Array {
  const { port = 5_000, sequence = 0, acknowledged = 77, flags = FLAG.ack, window = 500 } = wish
  const { options = new Uint8Array(0) } = wish
  const header = Uint8Array.of(...new Uint8Array(20), ...options)
  put16(header, 0, port)
  put16(header, 2, 80)
  put16(header, 4, sequence >>> 16)
  put16(header, 6, sequence)
  put16(header, 8, acknowledged >>> 16)
  put16(header, 10, acknowledged)
  put16(header, 12, ((header.length / 4) << 12) | flags)
  put16(header, 14, window)
  return header
}

function udpHeader({ port = 5_000, payload }: CarriedFrame): Uint8Array {
  const header = new Uint8Array(8)
  put16(header, 0, port)
  put16(header, 2, 53)
  put16(header, 4, 8 + payload.length)
  return header
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 8) & 0xff
  bytes[at + 1] = value & 0xff
}

/** The virtio header of a frame that is to be cut, and the frame. */
export function superFrame(wish: CarriedFrame, size: number): Uint8Array {
  const frame = carriedFrame({ ...wish, partial: true })
  const headers = headersLength(wish)
  const isTcp = wish.protocol === 'tcp'
  const transport = headers - (isTcp ? 20 + (wish.options?.length ?? 0) : 8)
  const hasCwr = ((wish.flags ?? 0) & FLAG.cwr) !== 0
  const type = isTcp ? (wish.version === 4 ? 1 : 4) | (hasCwr ? 0x80 : 0) : 5
  return Uint8Array.of(
    1,
    type,
    ...le(headers),
    ...le(size),
    ...le(transport),
    ...le(isTcp ? 16 : 6),
    ...frame,
  )
}

function le(value: number): [number, number] {
  return [value & 0xff, value >> 8]
}

/** What the frame stands for: the segments that its sender would have sent without a network card's help. */
export function segmentsOf(wish: CarriedFrame, size: number): Uint8Array[] {
  const { payload, sequence = 0, identity = 0, flags = FLAG.ack } = wish
  const count = Math.ceil(payload.length / size)
  return Array.from({ length: count }, (_, index) => {
    const isLast = index === count - 1
    const kept = flags & (isLast ? ~0 : ~(FLAG.fin | FLAG.psh)) & (index === 0 ? ~0 : ~FLAG.cwr)
    return carriedFrame({
      ...wish,
      payload: payload.subarray(index * size, (index + 1) * size),
      sequence: (sequence + index * size) >>> 0,
      identity: (identity + index) & 0xffff,
      flags: kept,
    })
  })
}
