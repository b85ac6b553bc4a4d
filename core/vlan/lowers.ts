/**
 * What lowers register with this node (B3), against policy and quotas. Registering adds, only the same
 * link withdraws, and what exceeds a quota is refused and evicts nothing. Whether a claim to a token
 * stands is judged in claims.ts; what lowers are told in return is downhill.ts.
 */
import { COUNT } from '../counters.ts'
import { type Micros, SECOND } from '../io.ts'
import { isRelay } from '../links/link.ts'
import { readU32 } from '../wire/cursor.ts'
import type { Claims } from './claims.ts'
import type { Downhill } from './downhill.ts'
import { encodeRefused, OTHERS, REFUSAL, REGISTER_FLAG, type Refusal, type Register } from './messages.ts'
import { type Lower, type Peer, ROW, type Vlan } from './state.ts'
import type { Tables } from './tables.ts'
import type { Uphill } from './uphill.ts'

// Quotas of mesh text (b).
const LEAF_VLANS = 64
const LEAF_TOKENS = 1_024
const RELAY_VLANS = 16_384
const RELAY_TOKENS = 131_072
const NODE_VLANS = 65_536
const NODE_TOKENS = 1_048_576
/** Rows that may be looked at for the price of one change. Guess: a change costs about as much. */
const ROWS_PER_CHANGE = 64
/** A full set is asked for at most this often: two ends that differ for good must not talk without end. */
const RESEND_PAUSE: Micros = 10 * SECOND

export class Lowers {
  readonly #tables: Tables
  readonly #claims: Claims
  readonly #downhill: Downhill
  readonly #uphill: Uphill

  constructor(tables: Tables, claims: Claims, downhill: Downhill, uphill: Uphill) {
    this.#tables = tables
    this.#claims = claims
    this.#downhill = downhill
    this.#uphill = uphill
  }

  /** REG from a link that is a lower. */
  register(now: Micros, peer: Peer, message: Register): void {
    const vlan = this.#tables.find(message.vlan)
    const known = vlan?.lowerOf(peer)
    if ((message.flags & REGISTER_FLAG.leave) !== 0) {
      // Priced like the look at every row that begins a set. It is done in any case: the price is missing
      // when the link registers again.
      if (vlan !== undefined && known !== undefined)
        peer.changes.charge(now, this.drop(vlan, known) / ROWS_PER_CHANGE)
      return
    }
    const lower = known ?? this.#admit(now, peer, vlan, message)
    if (lower === undefined) return
    lower.heardAt = now
    lower.serial = message.serial
    lower.answer = true
    this.#takeSet(now, lower, message)
    this.#tables.schedule(lower)
  }

  /** B3. A link that closed or withdrew takes its entries with it at once. Answers the rows looked at. */
  drop(vlan: Vlan, lower: Lower): number {
    const { peer } = lower
    const at = vlan.lowers.indexOf(lower)
    let rows = 0
    if (vlan.members.length === 0 && vlan.lowers.length === 1) {
      // Nobody is left: the rows need no farewell of their own.
      peer.tokens -= lower.tokens
    } else {
      for (; rows < vlan.tokens.end && lower.tokens > 0; rows++) {
        if (vlan.tokens.has(rows)) this.#claims.end(lower, rows)
      }
    }
    vlan.lowers.splice(at, 1)
    vlan.lowersLow &= ~peer.low
    vlan.lowersHigh &= ~peer.high
    peer.vlans -= 1
    this.#downhill.review(vlan)
    this.#uphill.retire(vlan)
    return rows
  }

  /** The link is no lower any more. */
  dropAllOf(peer: Peer): void {
    if (peer.vlans === 0) return
    for (const vlan of this.#tables.states) {
      const lower = vlan?.lowerOf(peer)
      if (vlan !== undefined && lower !== undefined) this.drop(vlan, lower)
    }
  }

  /** The lower is shut out, and told so. */
  refuse(vlan: Vlan, lower: Lower, reason: Refusal): void {
    this.#tables.context.counters.add(COUNT.registrationsRefused)
    lower.refusal = reason
    this.#tables.schedule(lower)
    this.drop(vlan, lower)
  }

  /** A new registration of a VLAN by a lower, or the refusal of it. */
  #admit(now: Micros, peer: Peer, vlan: Vlan | undefined, message: Register): Lower | undefined {
    const carried = vlan?.carried ?? this.#tables.policy.carries(message.vlan, false)
    const refusal = carried ? this.#quota(now, peer, vlan) : REFUSAL.policy
    if (refusal !== undefined) {
      this.#tables.context.counters.add(COUNT.registrationsRefused)
      const about = { vlan: message.vlan, tree: this.#tables.tree.id, serial: message.serial }
      this.#tables.links.control(now, peer.link, encodeRefused({ ...about, reason: refusal, tokens: [] }))
      return undefined
    }
    const home = vlan ?? this.#tables.create(now, message.vlan)
    const lower: Lower = {
      end: 'lower',
      vlan: home,
      peer,
      heardAt: now,
      serial: 0,
      told: OTHERS.unknown,
      answer: false,
      resend: false,
      quietUntil: 0,
      seen: undefined,
      cursor: home.downQueue.length,
      refused: [],
      refusal: undefined,
      hashLow: 0,
      hashHigh: 0,
      tokens: 0,
      queued: false,
    }
    home.lowers.push(lower)
    home.lowersLow |= peer.low
    home.lowersHigh |= peer.high
    peer.vlans += 1
    this.#downhill.review(home)
    return lower
  }

  /** Excess is refused, never evicts. */
  #quota(now: Micros, peer: Peer, vlan: Vlan | undefined): Refusal | undefined {
    const { counters } = this.#tables.context
    const quota = isRelay(peer.link) ? RELAY_VLANS : LEAF_VLANS
    const limit = vlan === undefined ? withRoom(quota, NODE_VLANS - this.#tables.vlanCount) : quota
    if (peer.vlans >= limit) {
      counters.add(COUNT.boundVlans)
      return REFUSAL.quota
    }
    if (peer.changes.take(now, 1)) return undefined
    counters.add(COUNT.boundRegRate)
    return REFUSAL.quota
  }

  /** B3. Registering adds; only the same link withdraws. */
  #takeSet(now: Micros, lower: Lower, message: Register): void {
    const { vlan } = lower
    if ((message.flags & REGISTER_FLAG.begin) !== 0) this.#beginSet(now, lower)
    for (const token of message.removed) {
      const index = vlan.tokens.find(token, 0)
      if (index >= 0) this.#claims.end(lower, index)
    }
    for (const { token, proof } of message.added) {
      const reason = this.#claim(now, lower, token, proof)
      if (reason !== undefined) this.#claims.refuse(now, lower, token.slice(), reason)
    }
    if ((message.flags & REGISTER_FLAG.end) !== 0 && lower.seen !== undefined) this.#sweep(lower)
    if (lower.seen === undefined) this.#compare(now, lower, message.setHash)
  }

  /** The lower starts anew, so it knows nothing of what it was told. */
  #beginSet(now: Micros, lower: Lower): void {
    const { vlan, peer } = lower
    // It costs a look at every row, so in a large VLAN it counts as many changes.
    if (!peer.changes.take(now, vlan.tokens.end / ROWS_PER_CHANGE)) {
      this.#tables.context.counters.add(COUNT.boundRegRate)
      return
    }
    lower.seen = new Uint8Array(0)
    for (let index = 0; index < vlan.tokens.end; index++) {
      if (!vlan.tokens.has(index) || !vlan.hasBit(index, ROW.toldLow, peer)) continue
      vlan.clearBit(index, ROW.toldLow, peer)
      this.#tables.touchedBelow(vlan, index)
    }
  }

  /** The reason if the claim is refused. */
  #claim(now: Micros, lower: Lower, token: Uint8Array, proof: Uint8Array | undefined): Refusal | undefined {
    const { vlan, peer } = lower
    let index = vlan.tokens.find(token, 0)
    const had = index >= 0 && vlan.hasBit(index, ROW.setLow, peer)
    if (!had && !this.#room(now, peer, index < 0)) return REFUSAL.quota
    // A proof for what the link has already is a change too; one beyond the rate was not shown.
    const shown = had && proof !== undefined && !this.#pay(now, peer) ? undefined : proof
    const verdict = this.#claims.judge(now, vlan, index, peer, token, shown)
    if (verdict === 'unproven') return REFUSAL.proof
    if (verdict === 'crowded') return REFUSAL.quota
    // What is as it was needs no look at who would have to hear of it.
    if (!had || shown !== undefined) {
      if (index < 0) index = this.#tables.addToken(now, vlan, token)
      this.#claims.take(now, lower, index, verdict, shown)
    }
    // Who says again what it said may not have taken the answer: it had no such token when that came. Where
    // there are no others any more, the news of that is on its way.
    const toTell = had && lower.seen === undefined && vlan.othersFor(index)
    if (toTell && vlan.hasBit(index, ROW.toldLow, peer)) {
      vlan.clearBit(index, ROW.toldLow, peer)
      this.#tables.touchedBelow(vlan, index)
    }
    if (lower.seen !== undefined) lower.seen = withBit(lower.seen, index)
    return undefined
  }

  /** Whether the link may register one more token. */
  #room(now: Micros, peer: Peer, newRow: boolean): boolean {
    const { counters } = this.#tables.context
    const quota = isRelay(peer.link) ? RELAY_TOKENS : LEAF_TOKENS
    const limit = newRow ? withRoom(quota, NODE_TOKENS - this.#tables.tokens) : quota
    if (peer.tokens < limit) return this.#pay(now, peer)
    counters.add(COUNT.boundTokens)
    return false
  }

  #pay(now: Micros, peer: Peer): boolean {
    if (peer.changes.take(now, 1)) return true
    this.#tables.context.counters.add(COUNT.boundRegRate)
    return false
  }

  /** The full set is in: what was not in it is withdrawn. */
  #sweep(lower: Lower): void {
    const { vlan, peer } = lower
    const seen = lower.seen as Uint8Array
    lower.seen = undefined
    for (let index = 0; index < vlan.tokens.end; index++) {
      const again = ((seen[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
      if (!again && vlan.tokens.has(index) && vlan.hasBit(index, ROW.setLow, peer))
        this.#claims.end(lower, index)
    }
  }

  /** B3. A set hash that does not fit asks for the full set. */
  #compare(now: Micros, lower: Lower, setHash: Uint8Array): void {
    if (readU32(setHash, 0) === lower.hashLow && readU32(setHash, 4) === lower.hashHigh) return
    if (now < lower.quietUntil) return
    lower.quietUntil = now + RESEND_PAUSE
    lower.resend = true
  }
}

/**
 * A link's quota where so much of the node is free: half of that at most. A peer says itself whether it is
 * a relay, so quotas alone would let eight liars fill the node and shut everybody else out.
 */
function withRoom(quota: number, free: number): number {
  return Math.min(quota, free / 2)
}

/** The bit set, in a larger array if it needs one. */
function withBit(bits: Uint8Array, index: number): Uint8Array {
  let result = bits
  if (index >> 3 >= bits.length) {
    result = new Uint8Array(Math.max(16, (index >> 3) * 2))
    result.set(bits)
  }
  result[index >> 3] = (result[index >> 3] as number) | (1 << (index & 7))
  return result
}
