/**
 * Captures in the pcapng format (draft-ietf-opsawg-pcapng): each interface of the node is an Ethernet
 * interface there, and all trunks are one more, whose packets have a header of our own before them (link type
 * USER0, for the dissector in peertap.lua).
 */
import type { Captured } from './messages.ts'

const BLOCK = { section: 0x0a0d0d0a, interface: 1, packet: 6 } as const
const BYTE_ORDER = 0x1a2b3c4d
/** draft-ietf-opsawg-pcaplinktype. */
const LINK_TYPE = { ethernet: 1, user0: 147 } as const
const OPTION = { end: 0, userApplication: 4, interfaceName: 2, timeResolution: 9, flags: 2, lost: 4 } as const
/** Times in microseconds: 10^-6. */
const MICROSECONDS = 6
const DIRECTION = { incoming: 1, outgoing: 2 } as const
/** Before a packet of a trunk: version, outgoing or not, channel, 0; link in 4 bytes; hop in 3, and 0. */
const TRUNK_HEADER_BYTES = 12
const TRUNK_HEADER_VERSION = 1
const TRUNKS = 'trunks'
/** Interfaces of one capture, however often they come and go: packets of more are counted as lost. */
const INTERFACES_MAX = 1_024

/** Turns what was captured into blocks, with those of interfaces when they first show. */
export class PcapngWriter {
  readonly #interfaces = new Map<string, number>()
  #lost = 0

  /** So many packets were captured and are not written: the next one says so. */
  lost(count: number): void {
    this.#lost += count
  }

  /** The section's header: what a file begins with. */
  header(application: string): Uint8Array {
    const body = new Uint8Array(16)
    const view = new DataView(body.buffer)
    view.setUint32(0, BYTE_ORDER, true)
    view.setUint16(4, 1, true)
    view.setBigInt64(8, -1n, true)
    return block(BLOCK.section, [body, option(OPTION.userApplication, text(application)), END])
  }

  packet(captured: Captured): Uint8Array {
    const { port, outgoing, at, bytes } = captured
    const isTrunk = port === undefined
    const known = this.#interfaceOf(port, isTrunk ? LINK_TYPE.user0 : LINK_TYPE.ethernet)
    if (known === undefined) {
      this.lost(1)
      return NOTHING
    }
    const [id, first] = known
    const header = isTrunk ? trunkHeader(captured) : NOTHING
    const length = header.length + bytes.length
    const head = new Uint8Array(20)
    const view = new DataView(head.buffer)
    view.setUint32(0, id, true)
    view.setUint32(4, Math.floor(at / 2 ** 32), true)
    view.setUint32(8, at >>> 0, true)
    view.setUint32(12, length, true)
    view.setUint32(16, length, true)
    const flags = new Uint8Array(4)
    flags[0] = outgoing ? DIRECTION.outgoing : DIRECTION.incoming
    const fill = new Uint8Array(-length & 3)
    const options = [option(OPTION.flags, flags), ...this.#lostOption(), END]
    const packet = block(BLOCK.packet, [head, header, bytes, fill, ...options])
    return first === undefined ? packet : joined([first, packet])
  }

  /** What was lost before this packet, once. */
  #lostOption(): Uint8Array[] {
    if (this.#lost === 0) return []
    const count = new Uint8Array(8)
    new DataView(count.buffer).setBigUint64(0, BigInt(this.#lost), true)
    this.#lost = 0
    return [option(OPTION.lost, count)]
  }

  /** Its number, and its block if it shows for the first time; undefined for one too many. */
  #interfaceOf(port: string | undefined, linkType: number): [id: number, first?: Uint8Array] | undefined {
    // A port may be named like the trunks.
    const [key, name] = port === undefined ? ['', TRUNKS] : [`port ${port}`, port]
    const known = this.#interfaces.get(key)
    if (known !== undefined) return [known]
    if (this.#interfaces.size >= INTERFACES_MAX) return undefined
    const id = this.#interfaces.size
    this.#interfaces.set(key, id)
    const head = new Uint8Array(8)
    new DataView(head.buffer).setUint16(0, linkType, true)
    const options = [
      option(OPTION.interfaceName, text(name)),
      option(OPTION.timeResolution, Uint8Array.of(MICROSECONDS)),
      END,
    ]
    return [id, block(BLOCK.interface, [head, ...options])]
  }
}

function trunkHeader({ outgoing, channel, link, hop }: Captured): Uint8Array {
  const header = new Uint8Array(TRUNK_HEADER_BYTES)
  const view = new DataView(header.buffer)
  header[0] = TRUNK_HEADER_VERSION
  header[1] = outgoing ? 1 : 0
  header[2] = channel
  view.setUint32(4, link)
  view.setUint32(8, hop << 8)
  return header
}

const NOTHING = new Uint8Array(0)
const END = new Uint8Array(4)

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + value.length + (-value.length & 3))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, code, true)
  view.setUint16(2, value.length, true)
  bytes.set(value, 4)
  return bytes
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = 12 + parts.reduce((sum, part) => sum + part.length, 0)
  const words = (...numbers: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(4 * numbers.length)
    numbers.forEach((number, index) => {
      new DataView(bytes.buffer).setUint32(4 * index, number, true)
    })
    return bytes
  }
  return joined([words(type, length), ...parts, words(length)])
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
