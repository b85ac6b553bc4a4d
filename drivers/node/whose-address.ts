/** Which MAC of a VLAN a written MAC or an address of IP means, by all that this machine knows unasked. */
import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { BROADCAST_MAC, ipv4GroupMac, ipv6GroupMac, type Mac, parseMac, unhex } from '../../core/ids.ts'
import { REFUSAL, type Refused, refused } from '../control/outcome.ts'
import type { MemberRow } from '../control/views.ts'
import { bridgeOf } from '../linux/bridges.ts'
import { formatIpv6, isGroupAddress, parseAddress, ulaOf } from '../tap/addresses.ts'
import type { InterfaceView } from './interfaces.ts'

/** The kernel's table of IPv4 neighbours (proc(5)). */
const ARP_TABLE = '/proc/net/arp'
const NO_MAC = '00:00:00:00:00:00'
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
  const bytes = parseAddress(ip.replace(/%.*/, ''))
  if (bytes === undefined) return undefined
  const written = isIPv4(ip) ? ip : formatIpv6(bytes)
  const isMembers = ({ member }: MemberRow): boolean => addressOf(vlan, member) === written
  const member = members.find(hasAddress(device, written) ? isSelf : isMembers)
  if (member?.mac !== undefined) return macOf(member.mac)
  if (ip === BROADCAST_IPV4) return BROADCAST_MAC
  if (isGroupAddress(bytes)) return isIPv4(ip) ? ipv4GroupMac(bytes) : ipv6GroupMac(bytes)
  return isIPv4(ip) ? neighbour(ip, device?.name) : undefined
}

export function nobodyHas(ip: string, label: string): Refused {
  const mend = "send it something, as by the system's ping, so that this machine finds out who has it"
  return refused(
    REFUSAL.macUnknown,
    `no machine is known to have ${ip} in ${label}; ${mend}, or name the member`,
  )
}

/** By the node's order, or because somebody gave it to the interface since. */
function hasAddress(device: InterfaceView | undefined, ip: string): boolean {
  if (device?.addresses.some((each) => hostOf(each) === ip)) return true
  const all = networkInterfaces()
  return namesOf(device?.name).some((name) => all[name]?.some(({ address }) => address === ip))
}

/** Of the interface, and of the bridge that it is in: there the host then has addresses and neighbours. */
function namesOf(device: string | undefined): readonly string[] {
  return device === undefined ? [] : [device, bridgeOf(device) ?? device]
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

/** On the interface of the VLAN, where that is known: another network may have the same addresses. */
function neighbour(ip: string, device: string | undefined): Mac | undefined {
  try {
    const names = namesOf(device)
    const rows = readFileSync(ARP_TABLE, 'utf8').split('\n').slice(1)
    const row = rows
      .map((line) => line.trim().split(/\s+/))
      .find(
        ([address, , , , , name]) =>
          address === ip && (device === undefined || names.includes(name as string)),
      )
    const mac = row?.[3]
    return mac === undefined || mac === NO_MAC ? undefined : macOf(mac)
  } catch {
    return undefined
  }
}
