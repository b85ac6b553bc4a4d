/**
 * Where the headers of a frame are that carries TCP or UDP: Ethernet with at most one tag of a customer or
 * a provider, IPv4 or IPv6, and what these carry. One object is read into again and again, so that nothing is
 * allocated. Sources: IEEE 802.1Q, RFC 791, 8200, 9293 and 768.
 */

export const PROTOCOL = { tcp: 6, udp: 17 } as const

const TYPE_AT = 12
const TYPE = { ipv4: 0x0800, tagged: 0x8100, serviceTagged: 0x88a8, ipv6: 0x86dd } as const
const TAG_BYTES = 4

export const IPV4_BYTES_MIN = 20
export const IPV6_BYTES = 40
const TCP_BYTES_MIN = 20
const UDP_BYTES = 8

/** Headers of IPv6 that may stand before TCP (RFC 8200, section 4): each says its length in the same way. */
const HOP_BY_HOP = 0
const ROUTING = 43
const DESTINATION = 60
/** Guess: each of them at most once, and one twice (RFC 8200, section 4.1), is four. */
const EXTENSIONS_MAX = 8

/** All places are offsets in the array that was read. */
export class PacketHeaders {
  /** 4 or 6. */
  version = 0
  /** One of `PROTOCOL`. */
  protocol = 0
  /** Of the IP header, of the TCP or UDP header, of what that carries, and after the last byte. */
  network = 0
  transport = 0
  payload = 0
  end = 0

  // HOT PATH
  /**
   * Reads the frame in these bytes. False, with no field to be used, if it is no whole packet of TCP or UDP,
   * or part of one: a fragment, cut short, or of lengths that contradict each other.
   */
  read(bytes: Uint8Array, from: number, end: number): boolean {
    let at = from + TYPE_AT
    if (at + 2 > end) return false
    let type = u16(bytes, at)
    if (type === TYPE.tagged || type === TYPE.serviceTagged) {
      at += TAG_BYTES
      if (at + 2 > end) return false
      type = u16(bytes, at)
    }
    this.network = at + 2
    if (type === TYPE.ipv4) return this.#ipv4(bytes, end) && this.#carried(bytes)
    return type === TYPE.ipv6 && this.#ipv6(bytes, end) && this.#carried(bytes)
  }

  #ipv4(bytes: Uint8Array, end: number): boolean {
    const at = this.network
    if (at + IPV4_BYTES_MIN > end) return false
    const first = bytes[at] as number
    const header = (first & 0x0f) * 4
    const isFragment = (u16(bytes, at + 6) & 0x3fff) !== 0
    if (first >> 4 !== 4 || header < IPV4_BYTES_MIN || isFragment) return false
    this.version = 4
    this.protocol = bytes[at + 9] as number
    this.transport = at + header
    this.end = at + u16(bytes, at + 2)
    return this.end <= end
  }

  #ipv6(bytes: Uint8Array, end: number): boolean {
    const start = this.network
    if (start + IPV6_BYTES > end || (bytes[start] as number) >> 4 !== 6) return false
    this.version = 6
    this.end = start + IPV6_BYTES + u16(bytes, start + 4)
    if (this.end > end) return false
    let next = bytes[start + 6] as number
    let at = start + IPV6_BYTES
    for (let count = 0; next === HOP_BY_HOP || next === ROUTING || next === DESTINATION; count++) {
      if (count === EXTENSIONS_MAX || at + 8 > this.end) return false
      next = bytes[at] as number
      at += 8 + (bytes[at + 1] as number) * 8
    }
    this.protocol = next
    this.transport = at
    return true
  }

  #carried(bytes: Uint8Array): boolean {
    const at = this.transport
    if (this.protocol === PROTOCOL.udp) {
      this.payload = at + UDP_BYTES
      return this.payload <= this.end && at + u16(bytes, at + 4) === this.end
    }
    if (this.protocol !== PROTOCOL.tcp || at + TCP_BYTES_MIN > this.end) return false
    const header = ((bytes[at + 12] as number) >> 4) * 4
    this.payload = at + header
    return header >= TCP_BYTES_MIN && this.payload <= this.end
  }
}

// HOT PATH
export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}
