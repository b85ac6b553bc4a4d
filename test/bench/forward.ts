/**
 * What one packet costs a relay: `node test/bench/forward.ts` prints JSON, microseconds for each packet.
 * The relay has N VLANs with a few tokens each and a stream of packets to tokens drawn among them, so the
 * tables are as cold as they would be. Sending is counted and drops the bytes.
 */
import type { Context } from '../../core/context.ts'
import { type Hop, type LinkId, TREE_ROLE } from '../../core/io.ts'
import { Link, type LinkPort } from '../../core/links/link.ts'
import type { Tree } from '../../core/tree/tree.ts'
import { encodeRegister, REGISTER_FLAG } from '../../core/vlan/messages.ts'
import { Vlans } from '../../core/vlan/vlans.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { trunkHop } from '../../core/wire/trunk.ts'
import { testContext } from '../support/context.ts'
import { Stream } from '../support/vlan-node.ts'

const ROUNDS = 9
const PACKETS = 100_000
const TOKENS_PER_VLAN = 6
const PACKET_BYTES = 300
/** Microseconds between VLANs when they register: below the rate that a link may change at. */
const PACE = 10_000
const HOP: Hop = trunkHop(1, 0, 64)

interface Relay {
  readonly vlans: Vlans
  readonly lower: Link
  readonly sent: { count: number }
}

/** A relay below one upper with four lowers; the tokens of each VLAN are spread over three of them. */
function relayWith(
  vlanCount: number,
  random: Stream,
): { relay: Relay; ids: Uint8Array[]; tokens: Uint8Array[][] } {
  const context: Context = testContext(1, { stormPackets: 1_000_000_000, stormBits: 1_000_000_000_000 })
  const key = new Uint8Array(32)
  const links = [0, 1, 2, 3, 4].map((id) => new Link(id as LinkId, context.self, key, true, 0))
  for (const link of links) link.capabilities = 1
  const sent = { count: 0 }
  const port: LinkPort = {
    get: (id) => links[id],
    byPeer: () => undefined,
    all: () => links,
    control: () => {},
    data: () => {
      sent.count += 1
      return true
    },
    expect: () => undefined,
    ask: () => undefined,
    setTreeUse: () => undefined,
    hangUp: () => {},
  }
  const roles = [TREE_ROLE.upper, TREE_ROLE.lower, TREE_ROLE.lower, TREE_ROLE.lower, TREE_ROLE.lower]
  const tree = {
    id: 0,
    role: (id: LinkId) => roles[id] ?? TREE_ROLE.none,
    uppers: () => [links[0]],
  } as unknown as Tree
  const vlans = new Vlans(context, port, [tree])
  for (const [id, role] of roles.entries()) vlans.roleChanged(0, 0, links[id] as Link, role)
  const ids = Array.from({ length: vlanCount }, () => random.bytes(16))
  const tokens = ids.map(() => Array.from({ length: TOKENS_PER_VLAN }, () => random.bytes(16)))
  for (const [at, vlan] of ids.entries()) {
    for (let lower = 1; lower <= 4; lower++) {
      const held = (tokens[at] as Uint8Array[]).filter((_, index) => index % 3 === lower - 2)
      const added = held.map((token) => ({ token, proof: undefined }))
      const message = {
        vlan,
        tree: 0,
        serial: 1,
        flags: REGISTER_FLAG.begin | REGISTER_FLAG.end,
        removed: [],
        added,
      }
      const packet = encodeRegister({ ...message, setHash: new Uint8Array(8) })
      vlans.onMessage(at * PACE, links[lower] as Link, KIND.register, packet)
    }
  }
  // Three turns, so that nothing is fresh any more.
  for (let turn = 1; turn <= 3; turn++) vlans.wake(vlanCount * PACE + turn * 3_000_000)
  return { relay: { vlans, lower: links[1] as Link, sent }, ids, tokens }
}

function measure(vlanCount: number): {
  vlans: number
  microsPerPacket: number
  nanosBest: number
  copies: number
} {
  const random = new Stream(vlanCount)
  const { relay, ids, tokens } = relayWith(vlanCount, random)
  const start = vlanCount * PACE + 10_000_000
  const packets = Array.from({ length: Math.min(PACKETS, 4 * 4_096) }, () => {
    const vlan = random.below(vlanCount)
    const packet = new Uint8Array(PACKET_BYTES)
    packet[0] = 0x11
    packet.set(ids[vlan] as Uint8Array, 1)
    packet.set((tokens[vlan] as Uint8Array[])[random.below(TOKENS_PER_VLAN)] as Uint8Array, 33)
    return packet
  })
  const times: number[] = []
  relay.sent.count = 0
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now()
    for (let at = 0; at < PACKETS; at++) {
      relay.vlans.packet(start + at, relay.lower, HOP, packets[at & (packets.length - 1)] as Uint8Array)
    }
    times.push((performance.now() - before) / PACKETS)
  }
  times.sort((a, b) => a - b)
  return {
    vlans: vlanCount,
    microsPerPacket: Number(((times[ROUNDS >> 1] as number) * 1_000).toFixed(3)),
    nanosBest: Math.round((times[0] as number) * 1_000_000),
    copies: Number((relay.sent.count / (ROUNDS * PACKETS)).toFixed(2)),
  }
}

const results = [1, 100, 1_000, 4_000, 16_000].map(measure)
console.log(
  JSON.stringify(
    { bench: 'relay-forward', packetBytes: PACKET_BYTES, tokensPerVlan: TOKENS_PER_VLAN, results },
    null,
    2,
  ),
)
