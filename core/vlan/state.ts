/**
 * What a node knows of one VLAN in one tree: who registered which token (B3), what was registered
 * above, what was told below. Plain data with the few operations that keep it consistent; rules stand
 * in the files that use it.
 *
 * A token's row is eight words behind its key. Links are named by slots 0 … 63, so a set of links is
 * two words and "all but the ingress" one operation; with key and hash a token takes 52 bytes.
 */
import { ByteTable, FIRST_WORD } from '../bytetable.ts'
import { hex } from '../ids.ts'
import { type LinkId, type Micros, NEVER } from '../io.ts'
import type { Link } from '../links/link.ts'
import type { Allowance } from './allowance.ts'
import { OTHERS, type Others, type Refusal } from './messages.ts'
import type { Bucket, Meter } from './storm.ts'
import { PROOF_BYTES } from './tokens.ts'

/** Links that can have a role at a time (mesh text (c)). */
export const SLOTS = 64

/** The owner's words of a token's row. */
export const ROW = {
  /** Lower links that registered the token. */
  setLow: FIRST_WORD,
  setHigh: FIRST_WORD + 1,
  /** Those of them that were told that others have it too. */
  toldLow: FIRST_WORD + 2,
  toldHigh: FIRST_WORD + 3,
  /** Those of them that showed a valid proof. */
  provenLow: FIRST_WORD + 4,
  provenHigh: FIRST_WORD + 5,
  flags: FIRST_WORD + 6,
  /** When the kept proof was taken, in seconds. */
  proofAt: FIRST_WORD + 7,
} as const
const TOKEN_WORDS = 8

export const FLAG = {
  // Of a registration above, at its shift (0 or 4).
  /** The upper was told of the token and not yet told that it is gone. */
  sent: 0x1,
  /** The upper says that others have it too. */
  others: 0x2,
  /** The upper did not take it. What is not known above may be anywhere, so this counts as `others`. */
  refused: 0x4,
  proofSent: 0x8,
  // Of the token.
  /** A port of this node is member of it. */
  self: 0x100,
  /** New, so nothing could be heard of others yet: its packets go up as if it were absent here. */
  fresh: 0x200,
  /** Others had it according to an earlier upper; believed until the present one had time to say. */
  held: 0x400,
  /** A proof is kept. */
  proof: 0x800,
  /** The kept proof was found valid. */
  verified: 0x1000,
} as const
const GROUP_MASK = 0xf
/** All that a former registration leaves in a row's flags. */
export const SHIFTS = [0, 4] as const
export type Shift = (typeof SHIFTS)[number]

/** A local port as the switch sees it. */
export interface Member {
  // HOT PATH
  /** A packet of the VLAN; the member looks whether its token is one of its own. */
  packet(now: Micros, link: LinkId, bytes: Uint8Array): boolean
  holds(token: Uint8Array): boolean
}

/** A link with a role, as registrations see it. */
export interface Peer {
  readonly link: Link
  readonly slot: number
  /** The slot's bit; one of the two words is zero. */
  readonly low: number
  readonly high: number
  gone: boolean
  // As a lower: what it has registered, against its quota.
  vlans: number
  tokens: number
  readonly changes: Allowance
  readonly verifications: Allowance
  /** Claims that wait to be checked. */
  pending: number
  // Registrations with a message to send, in order; see Pacing.
  queue: Registration[]
  waiting: boolean
  /** As an upper: VLANs were registered with it since it was last lost. */
  served: boolean
  /** As an upper: changes that it would take from this node. */
  readonly sends: Bucket
}

/** This node's registration of a VLAN with an upper. */
export interface Upper {
  readonly end: 'upper'
  readonly vlan: Vlan
  readonly peer: Peer
  readonly shift: Shift
  readonly startedAt: Micros
  /** Of the last full set; answers to earlier ones are nothing. */
  serial: number
  /** Answered at least once. */
  heard: boolean
  others: Others
  /** Rows to look at; whether there is something to say is decided when it is said. */
  queue: number[]
  /** The next message starts a full set; a full set is under way. */
  begin: boolean
  full: boolean
  /** The set hash is to be said even if nothing changed. */
  poke: boolean
  leaving: boolean
  hashLow: number
  hashHigh: number
  tokens: number
  /** Not heard yet: the set hash is said again then. */
  retryAt: Micros
  retryWait: Micros
  /** The upper takes no more changes before. */
  resumeAt: Micros
  queued: boolean
}

export interface RefusedToken {
  readonly token: Uint8Array
  readonly reason: Refusal
}

/** A lower's registration of a VLAN with this node. */
export interface Lower {
  readonly end: 'lower'
  readonly vlan: Vlan
  readonly peer: Peer
  heardAt: Micros
  /** Of its last message, to be repeated in answers. */
  serial: number
  told: Others
  answer: boolean
  resend: boolean
  /** No resend is asked for before this time: what was refused makes the hashes differ for a while. */
  quietUntil: Micros
  /** While a full set comes in: a bit for each row that was in it. */
  seen: Uint8Array | undefined
  /** How far into the VLAN's queue of changed flags this lower was told. */
  cursor: number
  /** Tokens that were not taken and of which it was not told yet. */
  refused: RefusedToken[]
  /** Set when it was thrown out: what is left to say. */
  refusal: Refusal | undefined
  hashLow: number
  hashHigh: number
  tokens: number
  queued: boolean
}
export type Registration = Upper | Lower

export class Vlan {
  readonly index: number
  /** 16 bytes. */
  readonly id: Uint8Array
  readonly tokens: ByteTable
  readonly members: Member[] = []
  readonly lowers: Lower[] = []
  lowersLow = 0
  lowersHigh = 0
  /** Policy lets this relay carry it for others. */
  carried = true
  /** A local member knows that its tokens certify themselves: registrations without proof are lies. */
  certified = false
  /** B1, B4: the upper in use, the one to be moved to, the one to be taken leave of. */
  upper: Upper | undefined
  next: Upper | undefined
  former: Upper | undefined
  formerUntil: Micros = NEVER
  refusedLow = 0
  refusedHigh = 0
  /** The choice of the upper is to be made again. */
  rechoose = false
  /** No upper carries it: said once. */
  cut = false
  /** Rows whose `fresh` or `held` ends at `freshUntil`, and those of the next turn. */
  aging: number[] = []
  fresh: number[] = []
  freshUntil: Micros = NEVER
  /** Rows whose flag for some lower may have changed. */
  downQueue: number[] = []
  tickAt: Micros = NEVER
  ticks = 0
  due: Micros = NEVER
  #proofs: Uint8Array | undefined
  /** Storm meters by slot of the ingress. */
  #meters: (Meter | undefined)[] | undefined

  constructor(index: number, id: Uint8Array, secret: Uint32Array) {
    this.index = index
    this.id = id
    this.tokens = new ByteTable(secret, TOKEN_WORDS)
  }

  /** The id in hex, for notes and views. */
  get text(): string {
    return hex(this.id)
  }

  word(index: number, word: number): number {
    return this.tokens.rows[index * this.tokens.stride + word] as number
  }

  setWord(index: number, word: number, value: number): void {
    this.tokens.rows[index * this.tokens.stride + word] = value
  }

  flags(index: number): number {
    return this.word(index, ROW.flags)
  }

  mark(index: number, flags: number): void {
    this.setWord(index, ROW.flags, this.flags(index) | flags)
  }

  unmark(index: number, flags: number): void {
    this.setWord(index, ROW.flags, this.flags(index) & ~flags)
  }

  /** Whether the bit of the peer's slot is set in the pair of words that starts at `word`. */
  hasBit(index: number, word: number, peer: Peer): boolean {
    return ((this.word(index, word) & peer.low) | (this.word(index, word + 1) & peer.high)) !== 0
  }

  setBit(index: number, word: number, peer: Peer): void {
    this.setWord(index, word, this.word(index, word) | peer.low)
    this.setWord(index, word + 1, this.word(index, word + 1) | peer.high)
  }

  clearBit(index: number, word: number, peer: Peer): void {
    this.setWord(index, word, this.word(index, word) & ~peer.low)
    this.setWord(index, word + 1, this.word(index, word + 1) & ~peer.high)
  }

  /** Whether somebody at or below this node is member of the token. */
  present(index: number): boolean {
    return (
      (this.word(index, ROW.setLow) | this.word(index, ROW.setHigh) | (this.flags(index) & FLAG.self)) !== 0
    )
  }

  /** Whether the row says nothing any more, above or below. */
  spent(index: number): boolean {
    return !this.present(index) && (this.flags(index) & (FLAG.sent | (FLAG.sent << 4))) === 0
  }

  /** Whether the token is to be registered with that upper (B2). */
  wanted(index: number, upper: Upper): boolean {
    return (
      upper.others !== OTHERS.no &&
      this.present(index) &&
      (this.flags(index) & (FLAG.refused << upper.shift)) === 0
    )
  }

  /** Whether there is something to say to that upper of the row: a change, or a proof it has not seen. */
  unsaid(index: number, upper: Upper): boolean {
    const flags = this.flags(index)
    const sent = (flags & (FLAG.sent << upper.shift)) !== 0
    const wanted = this.wanted(index, upper)
    if (wanted !== sent) return true
    return wanted && (flags & FLAG.proof) !== 0 && (flags & (FLAG.proofSent << upper.shift)) === 0
  }

  /** Flags by which others beyond the upper have the token (B5); `fresh` counts for packets alone. */
  othersMask(): number {
    const shift = this.upper === undefined ? 0 : this.upper.shift
    return this.upper === undefined ? FLAG.held : FLAG.held | ((FLAG.others | FLAG.refused) << shift)
  }

  /** Whether OTHERS(token) is yes for the lowers that have it: one word or the other may be asked (B2). */
  othersFor(index: number): boolean {
    if ((this.flags(index) & (FLAG.self | this.othersMask())) !== 0) return true
    return ones(this.word(index, ROW.setLow)) + ones(this.word(index, ROW.setHigh)) > 1
  }

  lowerOf(peer: Peer): Lower | undefined {
    if (((this.lowersLow & peer.low) | (this.lowersHigh & peer.high)) === 0) return undefined
    return this.lowers.find((lower) => lower.peer === peer)
  }

  /** A view of the kept proof; only where the flag `proof` is set. */
  proof(index: number): Uint8Array {
    const proofs = this.#proofs as Uint8Array
    return proofs.subarray(index * PROOF_BYTES, (index + 1) * PROOF_BYTES)
  }

  /** Copies the proof in; it has not been said to any upper yet. */
  keepProof(index: number, proof: Uint8Array, seconds: number): void {
    const room = (this.tokens.rows.length / this.tokens.stride) * PROOF_BYTES
    if (this.#proofs === undefined || this.#proofs.length < room) {
      const larger = new Uint8Array(room)
      if (this.#proofs !== undefined) larger.set(this.#proofs)
      this.#proofs = larger
    }
    this.#proofs.set(proof, index * PROOF_BYTES)
    this.mark(index, FLAG.proof)
    this.unmark(index, FLAG.verified | FLAG.proofSent | (FLAG.proofSent << 4))
    this.setWord(index, ROW.proofAt, seconds)
  }

  get keepsProofs(): boolean {
    return this.#proofs !== undefined
  }

  /** The meter of an ingress, if it has one yet. */
  meter(slot: number): Meter | undefined {
    return this.#meters === undefined ? undefined : this.#meters[slot]
  }

  setMeter(slot: number, meter: Meter | undefined): void {
    if (this.#meters === undefined) {
      if (meter === undefined) return
      this.#meters = []
    }
    while (this.#meters.length <= slot) this.#meters.push(undefined)
    this.#meters[slot] = meter
  }
}

/** All flags of a registration in one group. */
export function groupFlags(shift: Shift): number {
  return GROUP_MASK << shift
}

// HOT PATH
/** How many bits are set in a word. */
export function ones(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

/** Hash of a row's token that is summed into a set hash: the same at both ends, any order. Two words. */
export function tokenHashLow(tokens: ByteTable, index: number): number {
  const { rows, stride } = tokens
  const row = index * stride
  let hash = Math.imul(rows[row] as number, 0x9e3779b1) ^ (rows[row + 1] as number)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca77) ^ (rows[row + 2] as number)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae3d) ^ (rows[row + 3] as number)
  return Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f) >>> 0
}

export function tokenHashHigh(tokens: ByteTable, index: number): number {
  const { rows, stride } = tokens
  const row = index * stride
  let hash = Math.imul(rows[row + 3] as number, 0x85ebca77) ^ (rows[row + 2] as number)
  hash = Math.imul(hash ^ (hash >>> 16), 0x9e3779b1) ^ (rows[row + 1] as number)
  hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f) ^ (rows[row] as number)
  return Math.imul(hash ^ (hash >>> 15), 0xc2b2ae3d) >>> 0
}
