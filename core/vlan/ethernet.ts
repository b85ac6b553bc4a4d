/**
 * Ethernet frames at fixed offsets, and what the edge must understand of them: where they go, and which
 * multicast groups the host behind the port joins and leaves (IGMP and MLD, RFC 4541 snooping). Nothing
 * else of the core looks into a frame; relays see none at all.
 *
 *     destination 6 | source 6 | [802.1Q tag 4] | ethertype 2 | payload
 *
 * The accessors cannot fail once `frameLength` has said `fits`.
 */
import { BROADCAST_MAC, ipv4GroupMac, ipv6GroupMac, isGroupMac, type Mac, readMac } from '../ids.ts'

/** An Ethernet header without payload: what a TAP may hand over at least. */
export const FRAME_BYTES_MIN = 14
/** A jumbo payload of 9,216 bytes with header and one 802.1Q tag. */
export const FRAME_BYTES_MAX = 9_216 + 18

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, tagged: 0x8100, ipv6: 0x86dd } as const

const DESTINATION_AT = 0
const SOURCE_AT = 6
const TYPE_AT = 12
const TAG_BYTES = 4

// HOT PATH
export function frameLength(frame: Uint8Array): 'fits' | 'short' | 'long' {
  if (frame.length < FRAME_BYTES_MIN) return 'short'
  return frame.length > FRAME_BYTES_MAX ? 'long' : 'fits'
}

// HOT PATH
export function destinationOf(frame: Uint8Array): Mac {
  return readMac(frame, DESTINATION_AT)
}

// HOT PATH
export function sourceOf(frame: Uint8Array): Mac {
  return readMac(frame, SOURCE_AT)
}

/** The first type field, which may be that of an 802.1Q tag. */
export function ethertypeOf(frame: Uint8Array): number {
  return u16(frame, TYPE_AT)
}

// HOT PATH
/** Multicast or broadcast, from the frame's first byte alone. */
export function isGroupFrame(frame: Uint8Array): boolean {
  return ((frame[DESTINATION_AT] as number) & 1) === 1
}

// HOT PATH
/**
 * True for destinations whose frames go to the broadcast token. Besides broadcast these are, by mesh:S3
 * and RFC 4541 (link-local multicast is never pruned): 224.0.0.0/24, 239.255.255.250, ff02::1, ff02::2
 * and ff02::fb. The MAC decides, because it is what a switch has: it stands for 32 IPv4 groups (and for
 * 2^80 of IPv6), so a few others, such as 225.0.0.x, go to everybody too. That costs copies and loses
 * nothing. Multicast of neither IPv4 nor IPv6 (spanning tree, LLDP, PTP) goes to everybody as well:
 * nobody can join it.
 */
export function goesToAll(mac: Mac): boolean {
  if (mac === BROADCAST_MAC) return true
  if (!isGroupMac(mac)) return false
  if (mac >= IPV4_FIRST && mac <= IPV4_LAST) return mac <= IPV4_LINK_LOCAL_LAST || mac === SSDP
  if (mac >= IPV6_FIRST && mac <= IPV6_LAST)
    return mac === ALL_NODES || mac === ALL_ROUTERS || mac === MDNS_V6
  return true
}

const IPV4_FIRST: Mac = 0x0100_5e00_0000
const IPV4_LINK_LOCAL_LAST: Mac = 0x0100_5e00_00ff
const IPV4_LAST: Mac = 0x0100_5e7f_ffff
const SSDP: Mac = 0x0100_5e7f_fffa
const IPV6_FIRST: Mac = 0x3333_0000_0000
const IPV6_LAST: Mac = 0x3333_ffff_ffff
const ALL_NODES: Mac = 0x3333_0000_0001
const ALL_ROUTERS: Mac = 0x3333_0000_0002
const MDNS_V6: Mac = 0x3333_0000_00fb

/** What a frame says about multicast membership of the host that sent it. */
export interface Membership {
  /** MAC addresses of groups; one may occur twice, if the host said so twice. */
  readonly joins: readonly Mac[]
  readonly leaves: readonly Mac[]
  /** A General or specific Query: there is a querier behind this port. */
  readonly query: boolean
}

// HOT PATH
/**
 * Reads IGMPv1, v2 and v3 and MLDv1 and v2 messages; undefined for every other frame and for a message
 * that is not exactly what its RFC says (a record beyond the end refuses the whole). Checksums are not
 * asked: the frame comes from the own host, and a false join costs copies within the port's bounds.
 */
export function snoop(frame: Uint8Array): Membership | undefined {
  // All of these are sent to a group, so unicast leaves at once.
  if (!isGroupFrame(frame)) return undefined
  let at = TYPE_AT
  if (u16(frame, at) === ETHERTYPE.tagged) at += TAG_BYTES
  if (at + 2 > frame.length) return undefined
  const type = u16(frame, at)
  if (type === ETHERTYPE.ipv4) return snoopIpv4(frame, at + 2)
  return type === ETHERTYPE.ipv6 ? snoopIpv6(frame, at + 2) : undefined
}

const QUERY: Membership = { joins: [], leaves: [], query: true }
const PROTOCOL_IGMP = 2
const IPV4_HEADER_MIN = 20
const IGMP_BYTES_MIN = 8
/** Message types of RFC 1112, 2236 and 3376. */
const IGMP = { query: 0x11, reportV1: 0x12, reportV2: 0x16, leave: 0x17, reportV3: 0x22 } as const

function snoopIpv4(frame: Uint8Array, at: number): Membership | undefined {
  if (at + IPV4_HEADER_MIN > frame.length || frame[at + 9] !== PROTOCOL_IGMP) return undefined
  const first = frame[at] as number
  const header = (first & 0x0f) * 4
  // The total length and not the frame's: short frames carry padding.
  const total = u16(frame, at + 2)
  const fragment = u16(frame, at + 6) & 0x3fff
  if (first >> 4 !== 4 || header < IPV4_HEADER_MIN || fragment !== 0) return undefined
  if (at + total > frame.length || total < header + IGMP_BYTES_MIN) return undefined
  const body = at + header
  switch (frame[body]) {
    case IGMP.query:
      return QUERY
    case IGMP.reportV1:
    case IGMP.reportV2:
      return oneGroup(frame, body + 4, IPV4_ADDRESS_BYTES, true)
    case IGMP.leave:
      return oneGroup(frame, body + 4, IPV4_ADDRESS_BYTES, false)
    case IGMP.reportV3:
      return records(frame, body, at + total, IPV4_ADDRESS_BYTES)
    default:
      return undefined
  }
}

const NEXT_HOP_BY_HOP = 0
const NEXT_ICMPV6 = 58
const IPV6_HEADER_BYTES = 40
const MLD_V1_BYTES = 24
const MLD_V2_BYTES_MIN = 8
/** Message types of RFC 2710 and 3810. */
const MLD = { query: 130, reportV1: 131, done: 132, reportV2: 143 } as const

function snoopIpv6(frame: Uint8Array, at: number): Membership | undefined {
  if (at + IPV6_HEADER_BYTES > frame.length || (frame[at] as number) >> 4 !== 6) return undefined
  let next = frame[at + 6] as number
  let body = at + IPV6_HEADER_BYTES
  const end = body + u16(frame, at + 4)
  // MLD is sent with hop limit 1; anything else came from beyond the link and is ignored by all.
  if (frame[at + 7] !== 1 || end > frame.length) return undefined
  if (next === NEXT_HOP_BY_HOP) {
    // The router alert stands in one such header; no MLD message has two.
    if (body + 8 > end) return undefined
    next = frame[body] as number
    body += ((frame[body + 1] as number) + 1) * 8
  }
  if (next !== NEXT_ICMPV6 || body + MLD_V2_BYTES_MIN > end) return undefined
  const type = frame[body]
  if (type === MLD.reportV2) return records(frame, body, end, IPV6_ADDRESS_BYTES)
  if (body + MLD_V1_BYTES > end) return undefined
  if (type === MLD.query) return QUERY
  if (type === MLD.reportV1) return oneGroup(frame, body + 8, IPV6_ADDRESS_BYTES, true)
  return type === MLD.done ? oneGroup(frame, body + 8, IPV6_ADDRESS_BYTES, false) : undefined
}

const IPV4_ADDRESS_BYTES = 4
const IPV6_ADDRESS_BYTES = 16
const RECORD_HEADER_BYTES = 4
/** Record types of IGMPv3 (RFC 3376, 4.2.12) and MLDv2 (RFC 3810, 5.2.12), which are the same. */
const RECORD = { isInclude: 1, isExclude: 2, toInclude: 3, toExclude: 4, allowNew: 5, blockOld: 6 } as const

/** Group records of IGMPv3 and MLDv2 from `body` to `end`: type, count at 6, then records from 8. */
function records(frame: Uint8Array, body: number, end: number, addressBytes: 4 | 16): Membership | undefined {
  const joins: Mac[] = []
  const leaves: Mac[] = []
  const count = u16(frame, body + 6)
  let at = body + 8
  for (let index = 0; index < count; index++) {
    const address = at + RECORD_HEADER_BYTES
    if (address + addressBytes > end) return undefined
    const auxiliary = (frame[at + 1] as number) * 4
    const sources = u16(frame, at + 2)
    const mac = groupMacAt(frame, address, addressBytes)
    const wish = wishOf(frame[at] as number, sources)
    if (mac !== undefined && wish === 'join') joins.push(mac)
    if (mac !== undefined && wish === 'leave') leaves.push(mac)
    at = address + addressBytes + sources * addressBytes + auxiliary
    if (at > end) return undefined
  }
  return { joins, leaves, query: false }
}

/** Sources are not filtered on the way: wanting any source of a group is wanting the group. */
function wishOf(type: number, sources: number): 'join' | 'leave' | undefined {
  switch (type) {
    case RECORD.isExclude:
    case RECORD.toExclude:
      return 'join'
    case RECORD.isInclude:
    case RECORD.toInclude:
      return sources > 0 ? 'join' : 'leave'
    case RECORD.allowNew:
      return sources > 0 ? 'join' : undefined
    default:
      // To block some sources says nothing of the others, and unknown types must be ignored.
      return undefined
  }
}

/** Undefined for what is no multicast address, and for groups that go to everybody without a join. */
function groupMacAt(frame: Uint8Array, address: number, addressBytes: 4 | 16): Mac | undefined {
  const first = frame[address] as number
  const wide = addressBytes === IPV6_ADDRESS_BYTES
  if (wide ? first !== 0xff : first >> 4 !== 0xe) return undefined
  const mac = wide ? ipv6GroupMac(frame, address) : ipv4GroupMac(frame, address)
  return goesToAll(mac) ? undefined : mac
}

function oneGroup(
  frame: Uint8Array,
  address: number,
  addressBytes: 4 | 16,
  join: boolean,
): Membership | undefined {
  const mac = groupMacAt(frame, address, addressBytes)
  if (mac === undefined) return undefined
  return join ? { joins: [mac], leaves: [], query: false } : { joins: [], leaves: [mac], query: false }
}

function u16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)
}
