/**
 * Captures in the pcapng format (draft-ietf-opsawg-pcapng): each interface of the node is an Ethernet
 * interface there, and all trunks are one more, whose packets have a header of our own before them (link type
 * USER0, for the dissector that comes with PeerTap).
 */
import type { Captured } from './messages.ts'

const BLOCK = { section: 0x0a0d0d0a, interface: 1, packet: 6 } as const
const BYTE_ORDER = 0x1a2b3c4d
/** draft-ietf-opsawg-pcaplinktype. */
const LINK_TYPE = { ethernet: 1, user0: 147 } as const
const OPTION = { end: 0, userApplication: 4, interfaceName: 2, timeResolution: 9, flags: 2 } as const
/** Times in microseconds: 10^-6. */
const MICROSECONDS = 6
const DIRECTION = { incoming: 1, outgoing: 2 } as const
/** Before a packet of a trunk: version, outgoing or not, channel, link in 4 bytes, hop in 3, and one of 0. */
const TRUNK_HEADER_BYTES = 11
const TRUNK_HEADER_VERSION = 1
const TRUNKS = 'trunks'
/** Interfaces of one capture, however often they come and go. */
const INTERFACES_MAX = 1_024

/** Turns what was captured into blocks, with those of interfaces when they first show. */
export class PcapngWriter {
  readonly #interfaces = new Map<string, number>()

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
    const [id, first] = this.#interfaceOf(port ?? TRUNKS, isTrunk ? LINK_TYPE.user0 : LINK_TYPE.ethernet)
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
    const packet = block(BLOCK.packet, [head, header, bytes, fill, option(OPTION.flags, flags), END])
    return first === undefined ? packet : joined([first, packet])
  }

  /** Its number, and its block if it shows for the first time. */
  #interfaceOf(name: string, linkType: number): [id: number, first: Uint8Array | undefined] {
    const known = this.#interfaces.get(name)
    if (known !== undefined) return [known, undefined]
    if (this.#interfaces.size >= INTERFACES_MAX) return [0, undefined]
    const id = this.#interfaces.size
    this.#interfaces.set(name, id)
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
  view.setUint32(3, link)
  view.setUint32(7, hop << 8)
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
