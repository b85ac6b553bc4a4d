/**
 * Where a frame to a member goes from this node, and why: what the switch, the group and the interface know
 * of it, in one answer. It looks and changes nothing.
 */
import { isIP } from 'node:net'
import { BROADCAST_MAC, isGroupMac, type Mac } from '../../core/ids.ts'
import type { LinkId, Machine, Micros, PeerId } from '../../core/io.ts'
import { goesToAll } from '../../core/vlan/ethernet.ts'
import { macWritten, resolveHex } from '../control/names.ts'
import { done, type Outcome, REFUSAL, refused } from '../control/outcome.ts'
import type { MemberRow } from '../control/views.ts'
import type { VlanRow, VlanVerbs } from '../control/vlans.ts'
import type { InterfaceView } from './interfaces.ts'
import { oneVlan } from './one-vlan.ts'
import { macOf, macOfIp, nobodyHas } from './whose-address.ts'

export interface Explanation {
  readonly vlan: string
  readonly label: string
  readonly interface: string | undefined
  readonly mtu: number | undefined
  readonly epoch: number
  /** It is a group's: whoever listens gets a copy. */
  readonly group: boolean
  /** Of whoever it is behind; undefined for a group, and for a machine that no card names. */
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
  const group = isGroupMac(mac)
  // Some groups are never pruned: their frames go by the token of broadcast.
  const way = world.machine.wayTo(world.now, row.port, goesToAll(mac) ? BROADCAST_MAC : mac)
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
    group,
    member: member?.member,
    mac: macWritten(mac) as string,
    token: way.token,
    next: [...down, ...up],
    here: way.here,
    why: group ? whyGroup(down.length, up.length) : whyOf(down.length, up.length, way.here),
    drop:
      dropAtAll(row, device, way.token) ??
      (group
        ? dropOfGroup(down.length + up.length)
        : dropOfOne(member, way.here || down.length + up.length > 0)),
  }
}

function whyGroup(down: number, up: number): string {
  const below = down === 0 ? 'nobody below' : `${down === 1 ? 'a lower link' : `${down} lower links`}`
  const above = up === 0 ? 'and this is the top of the tree for it' : 'and it climbs to the others'
  return `a copy goes to each link behind which somebody listens to the group: ${below}, ${above}`
}

function whyOf(down: number, up: number, here: boolean): string {
  if (here) return 'a port of this node listens on the token'
  if (down > 0) return `the token is registered behind ${down === 1 ? 'a lower link' : `${down} lower links`}`
  if (up > 0) return 'nobody at or below this node has registered the token, so it climbs to whoever has'
  return 'nobody has registered the token, here or above'
}

/** Whatever it is for. */
function dropAtAll(
  row: VlanRow,
  device: InterfaceView | undefined,
  token: string | undefined,
): string | undefined {
  if (row.phase === 'over') return `this member is out of ${row.label} (${row.over})`
  if (token === undefined) return 'dropNoEpoch: this member is in no epoch yet'
  if (device?.name === undefined) return `no interface: ${device?.trouble ?? 'it is not up'}`
  return undefined
}

function dropOfGroup(ways: number): string | undefined {
  return ways === 0 ? 'dropNoToken: nobody but this node listens to the group' : undefined
}

function dropOfOne(member: MemberRow | undefined, isSomewhere: boolean): string | undefined {
  if (member?.self === true) return 'it is this node itself'
  if (member?.refused !== undefined) return `dropRefused: that member is on its way out (${member.refused})`
  if (!isSomewhere) return 'dropNoToken: nobody listens on it'
  if (member === undefined) return 'dropNoCard: no card names that MAC, so nothing can be sealed for it yet'
  return undefined
}

function whoIs({ verbs, interfaces }: ExplainWorld, row: VlanRow, name: string): Outcome<Found> {
  const listed = verbs.members(row.vlan).outcome
  const members = listed?.ok ? listed.value.members : []
  const device = interfaces.find(({ port }) => port === row.port)
  const mac = macOf(name) ?? macOfIp(members, row.vlan, device, name)
  if (mac !== undefined) return done({ mac, member: members.find((each) => each.mac === macWritten(mac)) })
  if (isIP(name) !== 0) return nobodyHas(name, row.label)
  const keys = members.map(({ member }) => member)
  const key = resolveHex(keys, name, 'member, MAC or address', REFUSAL.noSuchMember)
  if (!key.ok) return key
  const member = members.find((each) => each.member === key.value) as MemberRow
  if (member.mac !== undefined) return done({ mac: macOf(member.mac) as Mac, member })
  return refused(REFUSAL.macUnknown, `no card of ${name} came to this node yet; let some seconds pass`)
}
