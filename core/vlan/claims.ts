/**
 * Claims of lowers to tokens, and their proofs in `private` VLANs (sec:M12): a token there is derived
 * from a key that signs its registration, so a relay that has seen a valid proof takes no other claim.
 *
 * A relay cannot tell a private VLAN from a `spec` one, in which tokens have no proofs: bare claims
 * stand until a proof for the token comes. What a liar wins by one is copies of sealed packets on paths
 * where no member is registered; he never keeps them from anybody, since claims only add (mesh:M7).
 * For the same reason claims are not limited to four links for a token: a group's token is claimed by
 * every lower with a member, relays cannot tell it from a unicast one, and a limit would let four liars
 * shut the fifth link's members out. Links (64) and storm limits bound the copies.
 *
 * A proof is checked once and passed on unchanged. Checks are limited to 200 a second and link; a claim
 * beyond that stands like a bare one and is checked in its turn, so a crowd that moves is not cut off.
 */
import { COUNT } from '../counters.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'
import { idIs } from '../wire/packet.ts'
import { encodeRefused, REFUSAL, type Refusal } from './messages.ts'
import { FLAG, type Lower, type Peer, ROW, tokenHashHigh, tokenHashLow, type Vlan } from './state.ts'
import type { Tables } from './tables.ts'
import { checkProof, proofLifetime, proofNamesToken } from './tokens.ts'

/** Claims of one node that wait to be checked: enough for a subtree of thousands that moved here. Guess. */
const PENDING_MAX = 16_384
/** Waiting claims are looked at when so many can be checked. */
const CHECKED_TOGETHER = 50
/**
 * A proof this old makes room for a newer one, in seconds. Owners renew theirs every 300 s, and of a
 * token with many owners one renewal in this time is passed on. Sequences are not compared: without a
 * common clock they say nothing between the owners of a group's token.
 */
const RENEW_AFTER_SECONDS = 120

/** What a claim is worth. */
export type Verdict = 'refused' | 'bare' | 'proven' | 'pending'

interface Pending {
  readonly vlan: Vlan
  readonly peer: Peer
  readonly token: Uint8Array
  readonly proof: Uint8Array
}

export class Claims {
  readonly #tables: Tables
  #pending: Pending[] = []

  constructor(tables: Tables) {
    this.#tables = tables
  }

  /** Judges a claim of a lower to a token; `index` is its row or −1. Changes nothing but the budget. */
  judge(
    now: Micros,
    vlan: Vlan,
    index: number,
    peer: Peer,
    token: Uint8Array,
    proof: Uint8Array | undefined,
  ): Verdict {
    const { counters, crypto } = this.#tables.context
    const flags = index < 0 ? 0 : vlan.flags(index)
    const proven = index >= 0 && vlan.hasBit(index, ROW.provenLow, peer)
    if (proof === undefined) {
      if (proven) return 'proven'
      return vlan.certified || (flags & FLAG.verified) !== 0 ? 'refused' : 'bare'
    }
    if ((flags & FLAG.verified) !== 0 && sameProof(vlan.proof(index), proof)) return 'proven'
    // A renewal that would not be passed on yet need not be paid for.
    if (proven && this.#age(now, vlan, index) < RENEW_AFTER_SECONDS) return 'proven'
    if (!peer.verifications.take(now, 1)) {
      counters.add(COUNT.boundVerify)
      const waits = this.#pending.length < PENDING_MAX && proofNamesToken(crypto, vlan.id, token, proof)
      return waits ? 'pending' : 'refused'
    }
    return this.#check(vlan, token, proof) ? 'proven' : 'refused'
  }

  /** Records a claim that was not refused. */
  take(now: Micros, lower: Lower, index: number, verdict: Verdict, proof: Uint8Array | undefined): void {
    const { vlan, peer } = lower
    if (!vlan.hasBit(index, ROW.setLow, peer)) {
      vlan.setBit(index, ROW.setLow, peer)
      count(lower, index, 1)
    }
    if (verdict === 'pending') {
      const copy = (proof as Uint8Array).slice()
      if ((vlan.flags(index) & FLAG.proof) === 0) vlan.keepProof(index, copy, Math.floor(now / SECOND))
      this.#pending.push({ vlan, peer, token: vlan.tokens.key(index), proof: copy })
      this.#tables.context.deadline.lower(now + SECOND)
    } else if (verdict === 'proven') {
      vlan.setBit(index, ROW.provenLow, peer)
      if (proof !== undefined) this.keep(now, vlan, index, proof)
    }
    this.#tables.touched(vlan, index)
  }

  /** Keeps a valid proof if none is kept or that is due for renewal; from now on only proofs are trusted. */
  keep(now: Micros, vlan: Vlan, index: number, proof: Uint8Array): void {
    const verified = (vlan.flags(index) & FLAG.verified) !== 0
    if (verified && this.#age(now, vlan, index) < RENEW_AFTER_SECONDS) return
    vlan.keepProof(index, proof, Math.floor(now / SECOND))
    vlan.mark(index, FLAG.verified)
    // What an upper refused for want of a proof, or for quota, may be taken now.
    vlan.unmark(index, FLAG.refused | (FLAG.refused << 4))
    if (!verified) this.#refuseBare(now, vlan, index)
  }

  /** Ends a lower's claim. */
  end(lower: Lower, index: number): void {
    const { vlan, peer } = lower
    if (!vlan.hasBit(index, ROW.setLow, peer)) return
    vlan.clearBit(index, ROW.setLow, peer)
    vlan.clearBit(index, ROW.toldLow, peer)
    vlan.clearBit(index, ROW.provenLow, peer)
    count(lower, index, -1)
    this.#tables.touched(vlan, index)
  }

  /** Ends claims whose proof was not renewed in its lifetime: their owner is gone, whatever the link says. */
  expire(now: Micros, vlan: Vlan): void {
    if (!vlan.keepsProofs) return
    const seconds = Math.floor(now / SECOND)
    for (let index = 0; index < vlan.tokens.end; index++) {
      if (!vlan.tokens.has(index)) continue
      const flags = vlan.flags(index)
      if ((flags & FLAG.verified) === 0 || (flags & FLAG.self) !== 0) continue
      if (vlan.word(index, ROW.proofAt) + proofLifetime(vlan.proof(index)) >= seconds) continue
      const token = vlan.tokens.key(index)
      for (const lower of vlan.lowers) {
        if (!vlan.hasBit(index, ROW.setLow, lower.peer)) continue
        this.end(lower, index)
        this.refuse(now, vlan, lower.peer, [token], REFUSAL.quota)
      }
    }
  }

  /** Checks what waited; answers when more may be checked. */
  wake(now: Micros): Micros {
    if (this.#pending.length === 0) return NEVER
    const rest: Pending[] = []
    let next = NEVER
    for (const claim of this.#pending) {
      const { vlan, peer, token, proof } = claim
      const lower = peer.gone ? undefined : vlan.lowerOf(peer)
      const index = vlan.tokens.find(token, 0)
      if (lower === undefined || index < 0 || !vlan.hasBit(index, ROW.setLow, peer)) continue
      if (vlan.hasBit(index, ROW.provenLow, peer)) continue
      if (!peer.verifications.take(now, 1)) {
        rest.push(claim)
        next = Math.min(next, peer.verifications.readyAt(now, CHECKED_TOGETHER))
      } else if (this.#check(vlan, token, proof)) {
        this.take(now, lower, index, 'proven', proof)
      } else {
        this.end(lower, index)
        this.refuse(now, vlan, peer, [token], REFUSAL.quota)
      }
    }
    this.#pending = rest
    return next
  }

  /** Tells a lower which of its tokens were not taken. */
  refuse(now: Micros, vlan: Vlan, peer: Peer, tokens: readonly Uint8Array[], reason: Refusal): void {
    const { context, links, tree } = this.#tables
    context.counters.add(COUNT.registrationsRefused, tokens.length)
    const lower = vlan.lowerOf(peer)
    // Until the lower has taken them out of its set the hashes differ.
    if (lower !== undefined) lower.quietUntil = Math.max(lower.quietUntil, now + REFUSAL_QUIET)
    const serial = lower?.serial ?? 0
    links.control(now, peer.link, encodeRefused({ vlan: vlan.id, tree: tree.id, serial, reason, tokens }))
  }

  #check(vlan: Vlan, token: Uint8Array, proof: Uint8Array): boolean {
    const { counters, crypto } = this.#tables.context
    counters.add(COUNT.verified)
    const good = checkProof(crypto, vlan.id, token, proof)
    if (!good) counters.add(COUNT.dropBadSignature)
    return good
  }

  /** Seconds since the kept proof was taken. */
  #age(now: Micros, vlan: Vlan, index: number): number {
    return Math.floor(now / SECOND) - vlan.word(index, ROW.proofAt)
  }

  /** The first valid proof of a token ends the claims without one, except those that wait to be checked. */
  #refuseBare(now: Micros, vlan: Vlan, index: number): void {
    for (const lower of vlan.lowers) {
      const { peer } = lower
      if (!vlan.hasBit(index, ROW.setLow, peer) || vlan.hasBit(index, ROW.provenLow, peer)) continue
      const token = vlan.tokens.key(index)
      const waits = (claim: Pending): boolean =>
        claim.vlan === vlan && claim.peer === peer && idIs(token, 0, claim.token)
      if (this.#pending.some(waits)) continue
      this.end(lower, index)
      this.refuse(now, vlan, peer, [token], REFUSAL.policy)
    }
  }
}

/** A round trip and some: a REG under way when a token was refused still counts it. */
const REFUSAL_QUIET: Micros = 2 * SECOND

function count(lower: Lower, index: number, sign: 1 | -1): void {
  const { tokens } = lower.vlan
  lower.hashLow = (lower.hashLow + sign * tokenHashLow(tokens, index)) >>> 0
  lower.hashHigh = (lower.hashHigh + sign * tokenHashHigh(tokens, index)) >>> 0
  lower.tokens += sign
  lower.peer.tokens += sign
}

function sameProof(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false
  return left.length === right.length
}
