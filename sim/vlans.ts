/**
 * The VLANs of a scenario: who is a member where, with which keys, and the frames that members send.
 */
import type { Crypto } from '../core/crypto/ports.ts'
import type { PortId, VlanMembership } from '../core/io.ts'
import { readU32, writeU32 } from '../core/wire/cursor.ts'
import type { FrameKind } from './checks/delivery.ts'
import { MlsVlan } from './mls-vlans.ts'
import { keysFrom, type Streams } from './random.ts'
import type { Scenario, VlansSpec } from './scenario.ts'

export interface SimVlan {
  readonly index: number
  /** Node numbers, ascending. */
  readonly members: readonly number[]
  /** Those that also join the VLAN's one multicast group. */
  readonly listeners: readonly number[]
  readonly groupMac: number
  membership(node: number): VlanMembership
  /** Where MLS keeps the group. */
  readonly mls: MlsVlan | undefined
  /** Members ask to be let in from then on, over so long; both in seconds. */
  readonly enterFromSeconds: number
  readonly enterSeconds: number
  /** Who comes later and, if `spec` says so, goes; in the order of coming. */
  readonly guests: readonly number[]
  /** Pairs that hold one invitation between them. */
  readonly twins: readonly (readonly [number, number])[]
  readonly spec: Pick<VlansSpec, 'guests' | 'twins'>
}

export function portOf(vlan: number): PortId {
  return (vlan + 1) as PortId
}

export function vlanOf(port: PortId): number {
  return port - 1
}

/** Draws the members of every VLAN among all nodes but the contacts, where there are enough others. */
export function layOutVlans(scenario: Scenario, streams: Streams, crypto: Crypto): SimVlan[] {
  const result: SimVlan[] = []
  const { count, contacts } = scenario.nodes
  for (const spec of scenario.vlans) {
    for (let each = 0; each < spec.count; each++) {
      const index = result.length
      const random = streams.stream(`vlan/${index}`)
      const first = count - contacts >= spec.members ? contacts : 0
      const chosen = new Set<number>()
      while (chosen.size < Math.min(spec.members, count)) chosen.add(first + random.below(count - first))
      const members = [...chosen].sort((a, b) => a - b)
      const listening = Math.round(members.length * spec.multicastShare)
      const [founder] = members
      const mls =
        spec.group === 'mls' && founder !== undefined
          ? new MlsVlan(crypto, streams, index, founder, spec.privacy)
          : undefined
      const vlan = simVlan(index, members, members.slice(0, listening), spec, streams, mls)
      for (const [first, second] of vlan.twins) mls?.share(first, second)
      result.push(vlan)
    }
  }
  return result
}

function simVlan(
  index: number,
  members: readonly number[],
  listeners: readonly number[],
  spec: VlansSpec,
  streams: Streams,
  mls: MlsVlan | undefined,
): SimVlan {
  const { privacy, enterFromSeconds, enterSeconds } = spec
  const residents = members.length - (spec.guests?.count ?? 0)
  const twins = Array.from({ length: spec.twins?.pairs ?? 0 }, (_, pair) => {
    const at = residents - 2 * (pair + 1)
    return [members[at] as number, members[at + 1] as number] as const
  })
  const keys = keysFrom(streams.stream(`vlan/${index}/keys`))
  const authorityKey = keys.bytes(32)
  const groupKey = keys.bytes(32)
  const salt = keys.bytes(32)
  return {
    index,
    members,
    listeners,
    mls,
    enterFromSeconds,
    enterSeconds,
    guests: members.slice(residents),
    twins,
    spec,
    // 239.1.x.y by the standard mapping, one group for each VLAN.
    groupMac: 0x01_00_5e_01_00_00 + (index & 0xffff),
    membership: (node) => ({
      authorityKey,
      label: `vlan ${index}`,
      privacy,
      groupKey,
      salt,
      memberKey: keysFrom(streams.stream(`member/${index}/${node}`)).bytes(32),
    }),
  }
}

export const BROADCAST_MAC = 0xff_ff_ff_ff_ff_ff
/** Local experimental EtherType 1 (IEEE 802, section 9.2.4). */
const ETHERTYPE = 0x88b5
const AT = { number: 14, kind: 18 } as const

/** A frame that carries its number, so that its fate can be followed; `bytes` includes the header. */
export function makeFrame(
  destination: number,
  source: number,
  bytes: number,
  number: number,
  kind: FrameKind,
): Uint8Array {
  const frame = new Uint8Array(Math.max(60, bytes))
  writeMac(frame, 0, destination)
  writeMac(frame, 6, source)
  frame[12] = ETHERTYPE >> 8
  frame[13] = ETHERTYPE & 0xff
  writeU32(frame, AT.number, number)
  frame[AT.kind] = kind
  return frame
}

/** The number of a frame of ours; undefined for what others put on the wire (queries, say). */
export function frameNumber(frame: Uint8Array): number | undefined {
  if (frame.length < 60 || ((frame[12] as number) << 8) + (frame[13] as number) !== ETHERTYPE)
    return undefined
  return readU32(frame, AT.number)
}

function writeMac(bytes: Uint8Array, offset: number, mac: number): void {
  writeU32(bytes, offset + 2, mac % 4_294_967_296)
  const high = Math.floor(mac / 4_294_967_296)
  bytes[offset] = high >> 8
  bytes[offset + 1] = high
}
