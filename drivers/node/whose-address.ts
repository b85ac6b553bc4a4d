/** Which MAC of a VLAN a written MAC or an address of IP means, by all that this machine knows unasked. */
import { readFileSync } from 'node:fs'
import { isIP, isIPv4, SocketAddress } from 'node:net'
import { type Mac, parseMac, unhex } from '../../core/ids.ts'
import { REFUSAL, type Refused, refused } from '../control/outcome.ts'
import type { MemberRow } from '../control/views.ts'
import { ulaOf } from '../tap/addresses.ts'
import type { InterfaceView } from './interfaces.ts'

/** The kernel's table of IPv4 neighbours (proc(5)). */
const ARP_TABLE = '/proc/net/arp'
const NO_MAC = '00:00:00:00:00:00'
/** Groups of IPv4 by their last 23 bits (RFC 1112, section 6.4), and of IPv6 (RFC 2464, section 7). */
const IPV4_GROUPS: Mac = 0x0100_5e00_0000
const IPV4_GROUP_BITS = 0x7f_ffff
const IPV6_GROUPS: Mac = 0x3333_0000_0000
const BROADCAST_IPV4 = '255.255.255.255'

export function macOf(text: string): Mac | undefined {
  const digits = text.replaceAll(/[:-]/g, '')
  return /^[0-9a-fA-F]{12}$/.test(digits) && /[:-]/.test(text) ? parseMac(digits.toUpperCase()) : undefined
}

/** By what follows from the address itself, from a member's key, or from what the kernel learnt. */
export function macOfIp(
  members: readonly MemberRow[],
  vlan: string,
  device: InterfaceView | undefined,
  ip: string,
): Mac | undefined {
  if (isIP(ip) === 0) return undefined
  const bare = ip.replace(/%.*/, '')
  const written = isIPv4(ip) ? ip : new SocketAddress({ address: bare, family: 'ipv6' }).address
  const isMembers = ({ member }: MemberRow): boolean => addressOf(vlan, member) === written
  const member = members.find(device?.addresses.some((each) => hostOf(each) === written) ? isSelf : isMembers)
  if (member?.mac !== undefined) return macOf(member.mac)
  return isIPv4(ip) ? (ipv4Group(ip) ?? neighbour(ip, device?.name)) : ipv6Group(written)
}

export function nobodyHas(ip: string, label: string): Refused {
  const mend = "send it something, as by the system's ping, so that this machine finds out who has it"
  return refused(
    REFUSAL.macUnknown,
    `no machine is known to have ${ip} in ${label}; ${mend}, or name the member`,
  )
}

function isSelf({ self }: MemberRow): boolean {
  return self
}

function addressOf(vlan: string, member: string): string {
  return hostOf(ulaOf(unhex(vlan), unhex(member)))
}

function hostOf(cidr: string): string {
  return cidr.replace(/[/].*/, '')
}

function ipv4Group(ip: string): Mac | undefined {
  if (ip === BROADCAST_IPV4) return 0xffff_ffff_ffff
  const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number)
  return a >= 224 && a < 240 ? IPV4_GROUPS + (((b << 16) | (c << 8) | d) & IPV4_GROUP_BITS) : undefined
}

/** Of an address as the system writes it. */
function ipv6Group(ip: string): Mac | undefined {
  if (!ip.startsWith('ff')) return undefined
  const [high = 0, low = 0] = ip
    .split(':')
    .slice(-2)
    .map((group) => Number.parseInt(group || '0', 16))
  return IPV6_GROUPS + high * 0x1_0000 + low
}

/** On the interface of the VLAN, where that is known: another network may have the same addresses. */
function neighbour(ip: string, device: string | undefined): Mac | undefined {
  try {
    const rows = readFileSync(ARP_TABLE, 'utf8').split('\n').slice(1)
    const row = rows
      .map((line) => line.trim().split(/\s+/))
      .find(([address, , , , , name]) => address === ip && (device === undefined || name === device))
    const mac = row?.[3]
    return mac === undefined || mac === NO_MAC ? undefined : macOf(mac)
  } catch {
    return undefined
  }
}
