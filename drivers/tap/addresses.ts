/**
 * Addresses of interfaces: what people write in CIDR notation, and the one that follows from a member's
 * key. Knows texts and bytes, nothing of interfaces. Strict: an address that the kernel would take but that
 * cannot work, as that of the subnet itself, is refused here, where it can still be said why.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { noble } from '../../core/crypto/noble.ts'
import { PUBLIC_KEY_BYTES } from '../../core/crypto/ports.ts'
import { UsageError } from '../../core/errors.ts'
import { concat, utf8, VLAN_ID_BYTES } from '../../core/ids.ts'
import type { InterfaceAddress } from '../linux/netlink.ts'

const IPV4_BYTES = 4
export const IPV6_BYTES = 16
const GROUPS = 8

/** RFC 4193, section 3: fc00::/7 with the bit that says it was assigned locally. */
const ULA_FIRST_BYTE = 0xfd
const GLOBAL_ID_BYTES = 5
/** The global ID and the subnet's 16 bits, which are zero: a VLAN is one subnet. */
const ULA_PREFIX_BITS = 64
const ULA_LABEL = utf8('peertap ula v1\0')

const EXAMPLE = 'write it as in 10.7.0.1/24 or fd00::1/64'

/**
 * The address of a member in a VLAN, in CIDR notation, by RFC 4193. All members of a VLAN share the /64:
 *
 *   global ID     first 5 bytes of BLAKE3-256("peertap ula v1" ‖ 0x00 ‖ VLAN-ID)
 *   subnet ID     zero
 *   interface ID  first 8 bytes of BLAKE3-256("peertap ula v1" ‖ 0x00 ‖ VLAN-ID ‖ member key)
 *
 * A hash of the VLAN-ID and not its own bytes, so that an address that leaks from a VLAN does not name it to
 * relays, which see VLAN-IDs; with the VLAN-ID in both, two VLANs share no part of a member's addresses. An
 * interface ID that does not come from a MAC has no bits of special meaning (RFC 7136). Of a million members
 * two get the same with a chance of 3 in 10^8. Anyone can check whose address it is, by the key.
 */
export function ulaOf(vlan: Uint8Array, memberKey: Uint8Array): string {
  checkLength('a VLAN-ID', vlan, VLAN_ID_BYTES)
  checkLength('a member key', memberKey, PUBLIC_KEY_BYTES)
  const address = new Uint8Array(IPV6_BYTES)
  address[0] = ULA_FIRST_BYTE
  address.set(noble.hash.hash32(concat(ULA_LABEL, vlan)).subarray(0, GLOBAL_ID_BYTES), 1)
  address.set(noble.hash.hash32(concat(ULA_LABEL, vlan, memberKey)).subarray(0, 8), 8)
  return `${formatIpv6(address)}/${ULA_PREFIX_BITS}`
}

/** An address with its prefix; a UsageError unless a host can have it. */
export function parseCidr(text: string): InterfaceAddress {
  const [address, prefixText, ...rest] = text.split('/')
  if (address === undefined || prefixText === undefined || rest.length > 0) {
    throw new UsageError(`'${text}' is not an address with its prefix; ${EXAMPLE}`)
  }
  const bytes = parseAddress(address)
  if (bytes === undefined) throw new UsageError(`'${text}' has no IPv4 or IPv6 address; ${EXAMPLE}`)
  const prefix = /^(0|[1-9]\d{0,2})$/.test(prefixText) ? Number(prefixText) : Number.NaN
  const bits = 8 * bytes.length
  if (!(prefix >= 1 && prefix <= bits)) {
    throw new UsageError(
      `'${text}' has the prefix '${prefixText}'; it must be a whole number of bits from 1 to ${bits}`,
    )
  }
  const why = unfit(bytes, prefix)
  if (why !== undefined) throw new UsageError(`'${text}' is ${why}; give the interface one of its own`)
  return { bytes, prefix }
}

/** What keeps a host from having an address that is right in form; undefined for nothing. */
export function whyUnfit(address: string, prefix: number): string | undefined {
  const bytes = parseAddress(address)
  return bytes && unfit(bytes, prefix)
}

function unfit(bytes: Uint8Array, prefix: number): string | undefined {
  return bytes.length === IPV4_BYTES ? unfitIpv4(bytes, prefix) : unfitIpv6(bytes, prefix)
}

/** As RFC 5952 asks for: the longest run of two or more zero groups is `::`, the first of equals. */
export function formatIpv6(bytes: Uint8Array): string {
  checkLength('an IPv6 address', bytes, IPV6_BYTES)
  const groups = Array.from({ length: GROUPS }, (_, at) => (bytes[2 * at]! << 8) | bytes[2 * at + 1]!)
  let from = -1
  let length = 1
  for (let at = 0; at < GROUPS; at++) {
    let end = at
    while (end < GROUPS && groups[end] === 0) end += 1
    if (end - at > length) {
      from = at
      length = end - at
    }
  }
  const texts = groups.map((group) => group.toString(16))
  if (from < 0) return texts.join(':')
  return `${texts.slice(0, from).join(':')}::${texts.slice(from + length).join(':')}`
}

/** Multicast, of either family. */
export function isGroupAddress(address: Uint8Array): boolean {
  const first = address[0] as number
  return address.length === IPV6_BYTES ? first === 0xff : first >> 4 === 0xe
}

/** 4 or 16 bytes, or undefined. A zone as in `fe80::1%eth0` is no part of an address. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (!isIPv6(text) || text.includes('%')) return undefined
  // The last 32 bits may be written as IPv4.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const [head = '', tail] = dotted === null ? text.split('::') : hexTail(dotted).split('::')
  const left = head.split(':').filter(Boolean)
  const right = (tail ?? '').split(':').filter(Boolean)
  const zeros = Array.from({ length: GROUPS - left.length - right.length }, () => '0')
  const groups = [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16))
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

function hexTail([, head = '', dotted = '']: RegExpExecArray): string {
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number)
  return `${head}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

/** What keeps an interface from having the address; undefined for nothing. */
function unfitIpv4(bytes: Uint8Array, prefix: number): string | undefined {
  const [first = 0] = bytes
  if (first === 0) return 'of the block that stands for no host (RFC 1122)'
  if (first === 127) return 'a loopback address'
  if (first >= 224 && first < 240) return 'a multicast address'
  if (first >= 240) return 'a reserved address'
  // Point-to-point links use both addresses of a /31 (RFC 3021).
  if (prefix >= 31) return undefined
  if (hostBits(bytes, prefix, 0x00)) return 'the address of the subnet itself'
  if (hostBits(bytes, prefix, 0xff)) return 'the broadcast address of its subnet'
  return undefined
}

function unfitIpv6(bytes: Uint8Array, prefix: number): string | undefined {
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15]! < 2) {
    return bytes[15] === 1 ? 'the loopback address' : 'the address that stands for no host (RFC 4291)'
  }
  if (bytes[0] === 0xff) return 'a multicast address'
  if (isMapped(bytes)) return 'an IPv4 address in IPv6 notation'
  if (prefix < 127 && hostBits(bytes, prefix, 0x00)) return 'the anycast address of routers (RFC 4291)'
  return undefined
}

/** ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
}

/** Whether all bits behind the prefix are those of `fill`. */
function hostBits(bytes: Uint8Array, prefix: number, fill: number): boolean {
  return bytes.every((byte, at) => {
    const mask = 0xff >> Math.min(8, Math.max(0, prefix - 8 * at))
    return (byte & mask) === (fill & mask)
  })
}

function checkLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length)
    throw new UsageError(`${what} of ${bytes.length} bytes; it must have ${length}`)
}
