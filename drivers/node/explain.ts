/**
 * Where a frame to a member goes from this node, and why: what the switch, the group and the interface know
 * of it, in one answer. It looks and changes nothing.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type Mac, parseMac, unhex } from '../../core/ids.ts'
import type { LinkId, Machine, Micros, PeerId } from '../../core/io.ts'
import { macWritten, resolveHex } from '../control/names.ts'
import { done, type Outcome, REFUSAL, refused } from '../control/outcome.ts'
import type { MemberRow } from '../control/views.ts'
import type { VlanRow, VlanVerbs } from '../control/vlans.ts'
import { ulaOf } from '../tap/addresses.ts'
import type { InterfaceView } from './interfaces.ts'
import { oneVlan } from './one-vlan.ts'

/** The kernel's table of IPv4 neighbours (proc(5)). */
const ARP_TABLE = '/proc/net/arp'

export interface Explanation {
  readonly vlan: string
  readonly label: string
  readonly interface: string | undefined
  readonly mtu: number | undefined
  readonly epoch: number
  /** Of whoever it is behind; undefined for a machine that no card names. */
  readonly member: string | undefined
  readonly mac: string
  readonly token: string | undefined
  /** Peers that get a copy from here; `up` where others may have the token. */
  readonly next: readonly {
    readonly link: LinkId
    readonly peer: PeerId | undefined
    readonly way: 'up' | 'down'
  }[]
  readonly here: boolean
  /** In words. */
  readonly why: string
  /** The rule by which it would be dropped here; undefined if none would. */
  readonly drop: string | undefined
}

export interface ExplainWorld {
  readonly machine: Machine
  readonly verbs: VlanVerbs
  readonly interfaces: readonly InterfaceView[]
  readonly now: Micros
}

/** `name`: a MAC, the first digits of a member key, or an IP address of the VLAN. */
export function explain(world: ExplainWorld, name: string, vlan: string | undefined): Outcome<Explanation> {
  const row = oneVlan(world.verbs, vlan)
  if (!row.ok) return row
  const found = whoIs(world, row.value, name)
  return found.ok ? done(explained(world, row.value, found.value)) : found
}

interface Found {
  readonly mac: Mac
  readonly member: MemberRow | undefined
}

function explained(world: ExplainWorld, row: VlanRow, { mac, member }: Found): Explanation {
  const view = world.machine.view()
  const way = world.machine.wayTo(world.now, row.port, mac)
  const peerAt = (link: LinkId): PeerId | undefined => view.links.find((each) => each.link === link)?.peer
  const down = way.lowers.map((link) => ({ link, peer: peerAt(link), way: 'down' as const }))
  const up = way.upper === undefined ? [] : [{ link: way.upper, peer: peerAt(way.upper), way: 'up' as const }]
  const device = world.interfaces.find(({ port }) => port === row.port)
  return {
    vlan: row.vlan,
    label: row.label,
    interface: device?.name,
    mtu: device?.mtu,
    epoch: row.epoch,
    member: member?.member,
    mac: macWritten(mac) as string,
    token: way.token,
    next: [...down, ...up],
    here: way.here,
    why: whyOf(down.length, up.length, way.here),
    drop: dropOf(row, device, member, way.token, down.length + up.length, way.here),
  }
}

function whyOf(down: number, up: number, here: boolean): string {
  if (here) return 'a port of this node listens on the token'
  if (down > 0) return `the token is registered behind ${down === 1 ? 'a lower link' : `${down} lower links`}`
  if (up > 0) return 'nobody at or below this node has registered the token, so it climbs to whoever has'
  return 'nobody has registered the token, here or above'
}

function dropOf(
  row: VlanRow,
  device: InterfaceView | undefined,
  member: MemberRow | undefined,
  token: string | undefined,
  ways: number,
  here: boolean,
): string | undefined {
  if (row.phase === 'over') return `this member is out of ${row.label} (${row.over})`
  if (token === undefined) return 'dropNoEpoch: this member is in no epoch yet'
  if (device?.name === undefined) return `no interface: ${device?.trouble ?? 'it is not up'}`
  if (member?.self === true) return 'it is this node itself'
  if (member?.refused !== undefined) return `dropRefused: that member is on its way out (${member.refused})`
  if (ways === 0 && !here) return 'dropNoToken: nobody listens on it'
  if (member === undefined) return 'dropNoCard: no card names that MAC, so nothing can be sealed for it yet'
  return undefined
}

function whoIs({ verbs }: ExplainWorld, row: VlanRow, name: string): Outcome<Found> {
  const listed = verbs.members(row.vlan).outcome
  const members = listed?.ok ? listed.value.members : []
  const mac = macOf(name) ?? macOfIp(members, row, name)
  if (mac !== undefined) return done({ mac, member: members.find((each) => each.mac === macWritten(mac)) })
  if (isIP(name) !== 0) {
    const mend = 'ping it first, so that this machine finds out who has it'
    return refused(REFUSAL.macUnknown, `no machine is known to have ${name} in ${row.label}; ${mend}`)
  }
  const keys = members.map(({ member }) => member)
  const key = resolveHex(keys, name, 'member, MAC or address', REFUSAL.noSuchMember)
  if (!key.ok) return key
  const member = members.find((each) => each.member === key.value) as MemberRow
  if (member.mac !== undefined) return done({ mac: macOf(member.mac) as Mac, member })
  return refused(REFUSAL.macUnknown, `no card of ${name} came to this node yet; let some seconds pass`)
}

function macOf(text: string): Mac | undefined {
  const digits = text.replaceAll(/[:-]/g, '')
  return /^[0-9a-fA-F]{12}$/.test(digits) && /[:-]/.test(text) ? parseMac(digits.toUpperCase()) : undefined
}

/** By the address that follows from a member's key, or by what the kernel learnt. */
function macOfIp(members: readonly MemberRow[], { vlan }: VlanRow, ip: string): Mac | undefined {
  const own = members.find(
    ({ member, mac }) => mac !== undefined && addressOf(vlan, member) === ip.toLowerCase(),
  )
  return own?.mac === undefined ? macOfIpv4(ip) : macOf(own.mac)
}

function addressOf(vlan: string, member: string): string {
  return ulaOf(unhex(vlan), unhex(member)).replace(/\/.*/, '')
}

function macOfIpv4(ip: string): Mac | undefined {
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(ip)) return undefined
  try {
    const rows = readFileSync(ARP_TABLE, 'utf8').split('\n').slice(1)
    const row = rows.map((line) => line.trim().split(/\s+/)).find(([address]) => address === ip)
    const mac = row?.[3]
    return mac === undefined || mac === '00:00:00:00:00:00' ? undefined : macOf(mac)
  } catch {
    return undefined
  }
}
