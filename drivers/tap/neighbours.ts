/**
 * What stations of an Ethernet ask and answer to find each other: ARP (RFC 826) for IPv4, neighbour discovery
 * (RFC 4861) for IPv6, as whole frames. Bytes alone; who answers what is emulated.ts's.
 */
import { BROADCAST_MAC, ipv6GroupMac, type Mac, readMac, writeMac } from '../../core/ids.ts'
import { ETHERTYPE } from '../../core/vlan/ethernet.ts'

/** One station: an IP address of 4 or 16 bytes, and where it is. */
export interface Station {
  readonly mac: Mac
  readonly address: Uint8Array
}

/** What a frame says of neighbours. `from` is known if its sender gave both of its addresses. */
export interface Heard {
  readonly kind: 'question' | 'answer'
  readonly from: Station | undefined
  /** Who is asked for; in an answer the one that answers. */
  readonly target: Uint8Array
}

export const HEADER_BYTES = 14
const SOURCE_AT = 6
const TYPE_AT = 12
export const IPV4_BYTES = 4
export const IPV6_BYTES = 16

// RFC 826: hardware 1 is Ethernet.
const ARP_BYTES = HEADER_BYTES + 28
const ARP_START = Uint8Array.of(0, 1, 0x08, 0, 6, 4)
const ARP = { request: 1, reply: 2 } as const
const ARP_SENDER_AT = HEADER_BYTES + 8
const ARP_TARGET_AT = HEADER_BYTES + 18

// RFC 8200, section 3, and RFC 4861, section 4.
const IPV6_HEADER_BYTES = 40
const ICMPV6 = 58
/** Section 7.1: whatever has passed a router is not from this cable. */
const HOPS = 255
const ND = { solicitation: 135, advertisement: 136 } as const
const ND_AT = HEADER_BYTES + IPV6_HEADER_BYTES
const ND_BYTES = 24
const OPTION_BYTES = 8
const OPTION = { source: 1, target: 2 } as const
/** RFC 2710, sections 3 and 3.1; the hop-by-hop header with a router alert before it is of RFC 2711. */
const MLD_REPORT = 131
const ROUTER_ALERT = Uint8Array.of(ICMPV6, 0, 5, 2, 0, 0, 1, 0)
/** Solicited and override; override alone where nobody has asked. */
const ANSWERED = 0x60
const ANNOUNCED = 0x20
/** RFC 4291, section 2.7.1: ff02::1:ff00:0/104 with the last 24 bits of who is asked for. */
const SOLICITED = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0)
const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)

export function question(from: Station, target: Uint8Array): Uint8Array {
  if (target.length === IPV4_BYTES) return arp(ARP.request, BROADCAST_MAC, from, { mac: 0, address: target })
  const group = solicitedBy(target)
  return nd(ND.solicitation, 0, { mac: ipv6GroupMac(group), address: group }, from, target)
}

export function answer(from: Station, to: Station): Uint8Array {
  if (from.address.length === IPV4_BYTES) return arp(ARP.reply, to.mac, from, to)
  return nd(ND.advertisement, ANSWERED, to, from, from.address)
}

/** For all who know the station by another MAC. */
export function announcement(from: Station): Uint8Array {
  if (from.address.length === IPV4_BYTES)
    return arp(ARP.request, BROADCAST_MAC, from, { mac: 0, address: from.address })
  const all = { mac: ipv6GroupMac(ALL_NODES), address: ALL_NODES }
  return nd(ND.advertisement, ANNOUNCED, all, from, from.address)
}

/** An MLD report (RFC 2710): questions for the IPv6 address are to come here. */
export function listening({ mac, address }: Station): Uint8Array {
  const group = solicitedBy(address)
  const frame = framed(ND_AT + ROUTER_ALERT.length + ND_BYTES, ipv6GroupMac(group), mac, ETHERTYPE.ipv6)
  frame[HEADER_BYTES] = 0x60
  frame[HEADER_BYTES + 5] = ROUTER_ALERT.length + ND_BYTES
  frame[HEADER_BYTES + 7] = 1
  frame.set(address, HEADER_BYTES + 8)
  frame.set(group, HEADER_BYTES + 24)
  frame.set(ROUTER_ALERT, ND_AT)
  const at = ND_AT + ROUTER_ALERT.length
  frame[at] = MLD_REPORT
  frame.set(group, at + 8)
  new DataView(frame.buffer).setUint16(at + 2, checksumOf(frame, at))
  return frame
}

/** Undefined for what says nothing of neighbours, or nothing that can be believed. */
export function heardIn(frame: Uint8Array): Heard | undefined {
  const type = ((frame[TYPE_AT] as number) << 8) | (frame[TYPE_AT + 1] as number)
  if (type === ETHERTYPE.arp) return arpIn(frame)
  return type === ETHERTYPE.ipv6 ? ndIn(frame) : undefined
}

function arp(operation: number, to: Mac, from: Station, target: Station): Uint8Array {
  const frame = framed(ARP_BYTES, to, from.mac, ETHERTYPE.arp)
  frame.set(ARP_START, HEADER_BYTES)
  frame[HEADER_BYTES + 7] = operation
  writeMac(frame, ARP_SENDER_AT, from.mac)
  frame.set(from.address, ARP_SENDER_AT + 6)
  writeMac(frame, ARP_TARGET_AT, target.mac)
  frame.set(target.address, ARP_TARGET_AT + 6)
  return frame
}

function arpIn(frame: Uint8Array): Heard | undefined {
  if (frame.length < ARP_BYTES || !ARP_START.every((byte, at) => frame[HEADER_BYTES + at] === byte))
    return undefined
  const operation = frame[HEADER_BYTES + 7]
  if (operation !== ARP.request && operation !== ARP.reply) return undefined
  const address = frame.slice(ARP_SENDER_AT + 6, ARP_SENDER_AT + 10)
  // RFC 5227: a probe comes from nobody.
  const isProbe = address.every((byte) => byte === 0)
  const from = isProbe ? undefined : { mac: readMac(frame, ARP_SENDER_AT), address }
  const isAnswer = operation === ARP.reply
  const target = isAnswer ? address : frame.slice(ARP_TARGET_AT + 6, ARP_TARGET_AT + 10)
  return { kind: isAnswer ? 'answer' : 'question', from, target }
}

function nd(type: number, flags: number, to: Station, from: Station, target: Uint8Array): Uint8Array {
  const frame = framed(ND_AT + ND_BYTES + OPTION_BYTES, to.mac, from.mac, ETHERTYPE.ipv6)
  frame[HEADER_BYTES] = 0x60
  frame[HEADER_BYTES + 5] = ND_BYTES + OPTION_BYTES
  frame[HEADER_BYTES + 6] = ICMPV6
  frame[HEADER_BYTES + 7] = HOPS
  frame.set(from.address, HEADER_BYTES + 8)
  frame.set(to.address, HEADER_BYTES + 24)
  frame[ND_AT] = type
  frame[ND_AT + 4] = flags
  frame.set(target, ND_AT + 8)
  frame[ND_AT + ND_BYTES] = type === ND.solicitation ? OPTION.source : OPTION.target
  frame[ND_AT + ND_BYTES + 1] = 1
  writeMac(frame, ND_AT + ND_BYTES + 2, from.mac)
  new DataView(frame.buffer).setUint16(ND_AT + 2, checksumOf(frame))
  return frame
}

function ndIn(frame: Uint8Array): Heard | undefined {
  if (frame.length < ND_AT + ND_BYTES || frame[HEADER_BYTES + 6] !== ICMPV6) return undefined
  const type = frame[ND_AT]
  if (type !== ND.solicitation && type !== ND.advertisement) return undefined
  const length = ((frame[HEADER_BYTES + 4] as number) << 8) | (frame[HEADER_BYTES + 5] as number)
  const whole = frame.subarray(0, ND_AT + length)
  if (whole.length < ND_AT + length || frame[HEADER_BYTES + 7] !== HOPS || checksumOf(whole) !== 0)
    return undefined
  const isAnswer = type === ND.advertisement
  const target = whole.slice(ND_AT + 8, ND_AT + 24)
  const source = whole.slice(HEADER_BYTES + 8, HEADER_BYTES + 24)
  const mac = optionIn(whole, isAnswer ? OPTION.target : OPTION.source)
  // Who looks whether an address is free has none yet.
  const isProbe = source.every((byte) => byte === 0)
  const from = mac === undefined || isProbe ? undefined : { mac, address: isAnswer ? target : source }
  return { kind: isAnswer ? 'answer' : 'question', from, target }
}

/** A link-layer address among the options, which are of eight bytes each or several of them. */
function optionIn(frame: Uint8Array, wanted: number): Mac | undefined {
  for (let at = ND_AT + ND_BYTES; at + OPTION_BYTES <= frame.length; ) {
    const length = frame[at + 1] as number
    if (length === 0) return undefined
    if (frame[at] === wanted) return readMac(frame, at + 2)
    at += OPTION_BYTES * length
  }
  return undefined
}

function solicitedBy(address: Uint8Array): Uint8Array {
  const group = SOLICITED.slice()
  group.set(address.subarray(13), 13)
  return group
}

function framed(bytes: number, to: Mac, from: Mac, type: number): Uint8Array {
  const frame = new Uint8Array(bytes)
  writeMac(frame, 0, to)
  writeMac(frame, SOURCE_AT, from)
  frame[TYPE_AT] = type >> 8
  frame[TYPE_AT + 1] = type & 0xff
  return frame
}

/** RFC 4443, section 2.3, over the ICMPv6 from there on; zero where it stands in the message and is right. */
function checksumOf(frame: Uint8Array, from = ND_AT): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  let sum = frame.length - from + ICMPV6
  for (let at = HEADER_BYTES + 8; at < ND_AT; at += 2) sum += view.getUint16(at)
  for (let at = from; at + 1 < frame.length; at += 2) sum += view.getUint16(at)
  if ((frame.length & 1) === 1) sum += (frame[frame.length - 1] as number) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
