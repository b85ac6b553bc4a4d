/**
 * Who acts for an epoch: the committer and those who step in, and the witnesses (sec:B5). Ranks follow from
 * the parent's MLS-ID and the member key alone, so nobody can grind the content of a commit to win.
 */
import type { Hash } from '../crypto/ports.ts'
import { type Dice, unit } from '../dice.ts'
import { compareBytes, concat, utf8 } from '../ids.ts'
import { MILLISECOND, type Micros } from '../io.ts'

/** Members of lowest rank whose word about a child counts (sec:B5). */
export const WITNESSES = 16
/**
 * How long each waits for the one before (sec:B5); removals are not batched and do not wait so long. They
 * wait 300 ms where sec:B5 has 150: news crosses a wide mesh in that time, and members who hear of a
 * revocation together would make rival commits, under which none could read the others' frames for a while.
 */
const STEP_IN: Micros = 400 * MILLISECOND
const STEP_IN_REMOVING: Micros = 300 * MILLISECOND
/** Jitter as a share of one step, so that two who count differently seldom commit at once. Guess. */
const STEP_IN_JITTER = 0.25

const RANK_LABEL = utf8('peertap rank v1\0')

/** rank(P, M) = H16("peertap rank v1" | 0x00 | MLS-ID of P | member key). */
export function rankOf(hash: Hash, parent: Uint8Array, member: Uint8Array): Uint8Array {
  return hash.hash16(concat(RANK_LABEL, parent, member))
}

/** The member keys by rank for the parent, lowest first; one hash each. */
export function byRank(hash: Hash, parent: Uint8Array, members: readonly Uint8Array[]): Uint8Array[] {
  return members
    .map((member) => ({ member, rank: rankOf(hash, parent, member) }))
    .sort((a, b) => compareBytes(a.rank, b.rank) || compareBytes(a.member, b.member))
    .map(({ member }) => member)
}

/** Of the parent's whole roster, refused members and all: what they say is weighed when it is counted. */
export function witnessesOf(hash: Hash, parent: Uint8Array, roster: readonly Uint8Array[]): Uint8Array[] {
  return byRank(hash, parent, roster).slice(0, WITNESSES)
}

/**
 * How long the member at this place (0: the committer) waits before it commits. The order is that of
 * `byRank` over the unrefused members heard in the last 60 s.
 */
export function stepInDelay(place: number, removing: boolean, dice: Dice): Micros {
  if (place === 0) return 0
  const step = removing ? STEP_IN_REMOVING : STEP_IN
  return Math.round(step * (place + STEP_IN_JITTER * unit(dice)))
}
