/**
 * The switch (mesh text (b), B5 and B6): where a packet goes next. One path for unicast, broadcast and
 * multicast: a token with a set of lower links and members. What came from above only goes down, so on
 * open links, which form a directed acyclic graph, no packet ever comes back by itself.
 *
 * It knows the fixed offsets of packet.ts and the tables of registry.ts, and nothing of frames, groups
 * or addresses. Bytes are passed on by reference; nothing is allocated for a packet.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { type Hop, type LinkId, type Micros, TREE_ROLE, type TreeRole, type WayView } from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import { isDataPacket, TOKEN_OFFSET, VLAN_OFFSET } from '../wire/packet.ts'
import { hopLimit, hopNext } from '../wire/trunk.ts'
import { OTHERS } from './messages.ts'
import { HERE } from './sealing.ts'
import { FLAG, type Member, ones, type Peer, ROW, type Upper, type Vlan } from './state.ts'
import { Meter } from './storm.ts'
import { Suppression } from './suppress.ts'
import type { Tables } from './tables.ts'

export class Forwarder {
  readonly #context: Context
  readonly #tables: Tables
  readonly #links: LinkPort
  readonly #suppression: Suppression

  constructor(context: Context, tables: Tables, links: LinkPort) {
    this.#context = context
    this.#tables = tables
    this.#links = links
    this.#suppression = new Suppression(tables.secret)
  }

  // HOT PATH
  /** A packet from a neighbour whose link has that role (B5, in its order). */
  packet(now: Micros, link: Link, role: TreeRole, hop: Hop, bytes: Uint8Array): void {
    const { counters } = this.#context
    // B5. Version and length.
    if (!isDataPacket(bytes)) {
      counters.add(COUNT.dropMalformed)
      return
    }
    // B5. Link open (R5).
    const peer = role === TREE_ROLE.none ? undefined : this.#tables.peer(link.id)
    if (peer === undefined) {
      counters.add(COUNT.dropLinkNotOpen)
      return
    }
    // B5. VLAN allowed: one that nobody here registered is carried for nobody.
    const vlan = this.#tables.find(bytes, VLAN_OFFSET)
    const below = role === TREE_ROLE.lower
    if (vlan === undefined || (below && !vlan.carried)) {
      counters.add(COUNT.dropVlanPolicy)
      return
    }
    // B5. Hop limit.
    if (hopLimit(hop) < 1) {
      counters.add(COUNT.dropHopLimit)
      return
    }
    // B5. Quota of the ingress: a lower that has not registered the VLAN has little to say in it.
    if (
      below &&
      ((vlan.lowersLow & peer.low) | (vlan.lowersHigh & peer.high)) === 0 &&
      !this.#stray(now, vlan, peer)
    ) {
      counters.add(COUNT.dropIngressQuota)
      return
    }
    this.#spread(now, vlan, peer, below, hop, bytes)
  }

  // HOT PATH
  /** A sealed packet of a local member, which gets no copy of it. */
  send(now: Micros, vlan: Vlan, member: Member, hop: Hop, bytes: Uint8Array): void {
    const index = vlan.tokens.find(bytes, TOKEN_OFFSET)
    let reached = 0
    if (index >= 0) {
      const { rows, stride } = vlan.tokens
      const row = index * stride
      const low = rows[row + ROW.setLow] as number
      const high = rows[row + ROW.setHigh] as number
      // B6. Should it come back from above while uppers overlap, it has fanned out already.
      if (ones(low) + ones(high) > 1) this.#suppression.check(now, bytes)
      reached = this.#down(now, low, high, hop, bytes)
      if (((rows[row + ROW.flags] as number) & FLAG.self) !== 0)
        reached += this.#members(now, vlan, member, HERE, bytes)
    }
    const upper = vlan.upper
    if (upper !== undefined && this.#climbs(vlan, upper, index)) {
      this.#links.data(now, upper.peer.link, hop, bytes)
      reached += 1
    }
    if (reached === 0) this.#context.counters.add(COUNT.dropNoToken)
  }

  /** Where a packet of a local member goes, for people. */
  way(vlan: Vlan, token: Uint8Array): Omit<WayView, 'token'> {
    const index = vlan.tokens.find(token, 0)
    const isRow = index >= 0
    const { upper } = vlan
    return {
      here: isRow && (vlan.flags(index) & FLAG.self) !== 0,
      lowers: vlan.lowers
        .filter(({ peer }) => isRow && vlan.hasBit(index, ROW.setLow, peer))
        .map(({ peer }) => peer.link.id),
      upper: upper !== undefined && this.#climbs(vlan, upper, index) ? upper.peer.link.id : undefined,
    }
  }

  // HOT PATH
  #spread(now: Micros, vlan: Vlan, ingress: Peer, below: boolean, hop: Hop, bytes: Uint8Array): void {
    const { counters } = this.#context
    const index = vlan.tokens.find(bytes, TOKEN_OFFSET)
    let low = 0
    let high = 0
    let flags = 0
    if (index >= 0) {
      const { rows, stride } = vlan.tokens
      const row = index * stride
      low = rows[row + ROW.setLow] as number
      high = rows[row + ROW.setHigh] as number
      flags = rows[row + ROW.flags] as number
    }
    const fanOut = ones(low) + ones(high) > 1
    low &= ~ingress.low
    high &= ~ingress.high
    if (fanOut) {
      // B5. Storm (mesh:S6).
      if (!this.#meter(now, vlan, ingress).fanOut(now, ones(low) + ones(high), bytes.length)) {
        counters.add(COUNT.dropStorm)
        return
      }
      // B6. Only where packets fan out.
      const seen = this.#suppression.check(now, bytes)
      if (seen === 'repeat') {
        counters.add(COUNT.dropDuplicate)
        return
      }
      if (seen === 'crowded') counters.add(COUNT.boundSuppression)
    }
    const next = hopNext(hop)
    // B5. To every link of the token's set except the ingress …
    let relayed = this.#down(now, low, high, next, bytes)
    // … and, from a lower only, to the upper of the VLAN: never up again, never to another upper.
    const upper = vlan.upper
    if (below && upper !== undefined && upper.peer !== ingress && this.#climbs(vlan, upper, index)) {
      this.#links.data(now, upper.peer.link, next, bytes)
      relayed += 1
    }
    if (relayed > 0) counters.add(COUNT.packetsForwarded)
    const delivered =
      (flags & FLAG.self) === 0 ? 0 : this.#members(now, vlan, undefined, ingress.link.id, bytes)
    if (relayed + delivered === 0) counters.add(COUNT.dropNoToken)
  }

  // HOT PATH
  /**
   * B5. Up if others are there at all and the token is absent here or present elsewhere too. Not knowing
   * counts as yes: see uphill.ts.
   */
  #climbs(vlan: Vlan, upper: Upper, index: number): boolean {
    if (upper.others === OTHERS.no) return false
    if (index < 0) return true
    const flags = vlan.tokens.rows[index * vlan.tokens.stride + ROW.flags] as number
    const told = (FLAG.others | FLAG.refused) << upper.shift
    if ((flags & (FLAG.fresh | FLAG.held | told)) !== 0) return true
    // A row that only waits for its withdrawal to be sent is as good as absent.
    return !vlan.present(index)
  }

  // HOT PATH
  /** One copy for each link of the set; answers how many. */
  #down(now: Micros, low: number, high: number, hop: Hop, bytes: Uint8Array): number {
    const { slots } = this.#tables
    let copies = 0
    for (let bits = low; bits !== 0; bits &= bits - 1) {
      this.#links.data(now, (slots[31 - Math.clz32(bits & -bits)] as Peer).link, hop, bytes)
      copies += 1
    }
    for (let bits = high; bits !== 0; bits &= bits - 1) {
      this.#links.data(now, (slots[63 - Math.clz32(bits & -bits)] as Peer).link, hop, bytes)
      copies += 1
    }
    return copies
  }

  // HOT PATH
  /** A copy for each local member of the token but the sender; answers how many wanted it. */
  #members(now: Micros, vlan: Vlan, sender: Member | undefined, link: LinkId, bytes: Uint8Array): number {
    let copies = 0
    for (let at = 0; at < vlan.members.length; at++) {
      const member = vlan.members[at] as Member
      if (member !== sender && member.packet(now, link, bytes)) copies += 1
    }
    return copies
  }

  // HOT PATH
  #stray(now: Micros, vlan: Vlan, peer: Peer): boolean {
    return this.#meter(now, vlan, peer).stray(now)
  }

  // HOT PATH
  #meter(now: Micros, vlan: Vlan, peer: Peer): Meter {
    const known = vlan.meter(peer.slot)
    if (known !== undefined) return known
    const meter = new Meter(now, this.#context.config)
    vlan.setMeter(peer.slot, meter)
    return meter
  }
}
