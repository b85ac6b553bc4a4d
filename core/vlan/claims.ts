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
import { hex, sameBytes } from '../ids.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'
import { REFUSAL, type Refusal } from './messages.ts'
import { FLAG, type Lower, type Peer, ROW, tokenHashHigh, tokenHashLow, type Vlan } from './state.ts'
import type { Tables } from './tables.ts'
import { checkProof, proofLifetime, proofNamesToken } from './tokens.ts'

/** Claims of one node that wait to be checked: enough for a subtree of thousands that moved here. Guess. */
const PENDING_MAX = 16_384
/** No link holds more of these places, so that a liar's bad proofs do not shut out everybody's good ones. */
const PENDING_OF_LINK = PENDING_MAX / 4
/** Refused tokens that one registration may be told of late. The set hash tells it of the others. */
const REFUSED_MAX = 4_096
/** Waiting claims are looked at when so many can be checked. */
const CHECKED_TOGETHER = 50
/**
 * A proof this old makes room for a newer one, in seconds. Owners renew theirs every 300 s, and of a
 * token with many owners one renewal in this time is passed on.
 *
 * Sequences are not compared: without a common clock they say nothing between the owners of a group's
 * token, and a member that moves is right at two places for a while. So a proof says that its owner
 * registered, not where. The limit of that: a relay that saw a proof can show it at another place of the
 * tree until its lifetime ends there (600 s at most), counted from its arrival and begun anew wherever the
 * row had ended meanwhile. By this it draws copies of sealed packets to itself as a bare claim would where
 * no proof is known; it keeps them from nobody.
 */
const RENEW_AFTER_SECONDS = 120

/** What a claim is worth. */
export type Verdict = 'unproven' | 'crowded' | 'bare' | 'proven' | 'pending'

interface Pending {
  readonly vlan: Vlan
  readonly peer: Peer
  readonly token: Uint8Array
  readonly proof: Uint8Array
}

export class Claims {
  readonly #tables: Tables
  readonly #pending = new Map<string, Pending>()

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
      return vlan.certified || (flags & FLAG.verified) !== 0 ? 'unproven' : 'bare'
    }
    if ((flags & FLAG.verified) !== 0 && sameBytes(vlan.proof(index), proof)) return 'proven'
    // A renewal that would not be passed on yet need not be paid for.
    if (index >= 0 && this.#renewed(now, vlan, index, peer)) return 'proven'
    if (!peer.verifications.take(now, 1)) {
      counters.add(COUNT.boundVerify)
      if (this.#waits(vlan, peer, token)) return 'pending'
      if (!proofNamesToken(crypto, vlan.id, token, proof)) return 'unproven'
      return this.#pending.size < PENDING_MAX && peer.pending < PENDING_OF_LINK ? 'pending' : 'crowded'
    }
    return this.#check(vlan, token, proof) ? 'proven' : 'unproven'
  }

  /** Records a claim that was not refused. */
  take(now: Micros, lower: Lower, index: number, verdict: Verdict, proof: Uint8Array | undefined): void {
    const { vlan, peer } = lower
    if (!vlan.hasBit(index, ROW.setLow, peer)) {
      vlan.setBit(index, ROW.setLow, peer)
      count(lower, index, 1)
    }
    if (verdict === 'pending') {
      const token = vlan.tokens.key(index)
      // The same again: what waits already is checked in its turn.
      if (this.#waits(vlan, peer, token)) return
      const copy = (proof as Uint8Array).slice()
      if ((vlan.flags(index) & FLAG.proof) === 0) vlan.keepProof(index, copy, Math.floor(now / SECOND))
      this.#wait({ vlan, peer, token, proof: copy })
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
        this.refuse(now, lower, token, REFUSAL.proof)
      }
    }
  }

  /** Checks what waited; answers when more may be checked. */
  wake(now: Micros): Micros {
    if (this.#pending.size === 0) return NEVER
    let next = NEVER
    for (const [key, claim] of this.#pending) {
      const { vlan, peer, token, proof } = claim
      const lower = peer.gone ? undefined : vlan.lowerOf(peer)
      const index = vlan.tokens.find(token, 0)
      const stands = lower !== undefined && index >= 0 && vlan.hasBit(index, ROW.setLow, peer)
      if (stands && !this.#renewed(now, vlan, index, peer) && !peer.verifications.take(now, 1)) {
        next = Math.min(next, peer.verifications.readyAt(now, CHECKED_TOGETHER))
        continue
      }
      this.#pending.delete(key)
      peer.pending -= 1
      if (!stands || this.#renewed(now, vlan, index, peer)) continue
      if (this.#check(vlan, token, proof)) {
        this.take(now, lower, index, 'proven', proof)
      } else {
        this.end(lower, index)
        this.refuse(now, lower, token, REFUSAL.proof)
      }
    }
    return next
  }

  /** A token of a lower was not taken: it is told in its turn, since thousands may end at one time. */
  refuse(now: Micros, lower: Lower, token: Uint8Array, reason: Refusal): void {
    this.#tables.context.counters.add(COUNT.registrationsRefused)
    // Until the lower has taken it out of its set the hashes differ.
    lower.quietUntil = Math.max(lower.quietUntil, now + REFUSAL_QUIET)
    if (lower.refused.length < REFUSED_MAX) lower.refused.push({ token, reason })
    this.#tables.schedule(lower)
  }

  #waits(vlan: Vlan, peer: Peer, token: Uint8Array): boolean {
    const claim = this.#pending.get(pendingKey(vlan, peer, token))
    return claim !== undefined && claim.vlan === vlan && claim.peer === peer
  }

  #wait(claim: Pending): void {
    const key = pendingKey(claim.vlan, claim.peer, claim.token)
    const former = this.#pending.get(key)
    // One of a VLAN or link that is gone, whose number was given anew.
    if (former !== undefined) former.peer.pending -= 1
    this.#pending.set(key, claim)
    claim.peer.pending += 1
  }

  #check(vlan: Vlan, token: Uint8Array, proof: Uint8Array): boolean {
    const { counters, crypto } = this.#tables.context
    counters.add(COUNT.verified)
    const good = checkProof(crypto, vlan.id, token, proof)
    if (!good) counters.add(COUNT.dropBadSignature)
    return good
  }

  /** The link showed a proof, and the one kept is so new that no other is wanted. */
  #renewed(now: Micros, vlan: Vlan, index: number, peer: Peer): boolean {
    return vlan.hasBit(index, ROW.provenLow, peer) && this.#age(now, vlan, index) < RENEW_AFTER_SECONDS
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
      if (this.#waits(vlan, peer, token)) continue
      this.end(lower, index)
      this.refuse(now, lower, token, REFUSAL.proof)
    }
  }
}

/** A round trip and some: a REG under way when a token was refused still counts it. */
const REFUSAL_QUIET: Micros = 2 * SECOND

function pendingKey(vlan: Vlan, peer: Peer, token: Uint8Array): string {
  return `${vlan.index} ${peer.slot} ${hex(token)}`
}

function count(lower: Lower, index: number, sign: 1 | -1): void {
  const { tokens } = lower.vlan
  lower.hashLow = (lower.hashLow + sign * tokenHashLow(tokens, index)) >>> 0
  lower.hashHigh = (lower.hashHigh + sign * tokenHashHigh(tokens, index)) >>> 0
  lower.tokens += sign
  lower.peer.tokens += sign
}
