/** Who is there, and where this member stands among them (sec:B5). Knows names and times. */
import { hex, unhex } from '../ids.ts'
import type { Micros } from '../io.ts'
import { byRank } from '../ledger/rank.ts'
import { DAY, HEARD_WITHIN } from './limits.ts'
import type { GroupState } from './state.ts'

/** A card or any other signed packet of a member was taken. */
export function hear(group: GroupState, now: Micros, member: Uint8Array): void {
  const name = hex(member)
  if (group.head?.leafOf.has(name)) group.heard.set(name, now)
}

/** Forgets who is no member any more, or was not heard for a day. */
export function forgetAbsent(group: GroupState, now: Micros): void {
  const leafOf = group.head?.leafOf
  for (const [name, at] of group.heard) if (!leafOf?.has(name) || at + DAY < now) group.heard.delete(name)
}

/**
 * Whether it was heard in the last 60 s. Who came just now has not heard those who are there: for its first
 * 60 s everybody counts. Otherwise a newcomer takes itself for the only one, commits at once and calls its
 * own child settled by its own word (a crowd that joined fell into a dozen branches so).
 */
export function isThere(group: GroupState, now: Micros, member: string): boolean {
  if (member === group.keyName) return true
  if (group.isRefused(member)) return false
  const at = group.heard.get(member) ?? group.newSince
  return at + HEARD_WITHIN >= now
}

/** How many before this member are there: 0 for the committer (sec:B5). */
export function placeAmong(group: GroupState, now: Micros): number {
  let place = 0
  for (const member of rankedMembers(group)) {
    if (member === group.keyName) break
    if (isThere(group, now, member)) place += 1
  }
  return place
}

/** All members of the head by rank, in hex; reckoned once for each head. */
function rankedMembers(group: GroupState): readonly string[] {
  const { head } = group
  if (head === undefined) return []
  if (group.ranks.of !== head.name) {
    const keys = [...head.roster.values()].map(({ identity }) => identity.memberKey)
    const order = byRank(group.ports.crypto.hash, head.mlsId, keys).map(hex)
    group.ranks = { of: head.name, order }
  }
  return group.ranks.order
}

/** Members that were heard in the last 60 s, this one among them. */
export function countThere(group: GroupState, now: Micros): number {
  let count = 1
  for (const member of group.heard.keys()) if (isThere(group, now, member)) count += 1
  return count
}

/** Whether so many are there that a key update makes sense: half of those of the last 24 h (sec:B2). */
export function isMajorityThere(group: GroupState, now: Micros): boolean {
  return 2 * countThere(group, now) >= 1 + group.heard.size
}

/** Any other member that is there, by the draw; undefined for none. */
export function someMember(group: GroupState, now: Micros, draw: number): Uint8Array | undefined {
  const there = [...group.heard.keys()].filter((member) => isThere(group, now, member))
  const chosen = there[draw % Math.max(1, there.length)]
  return chosen === undefined ? undefined : unhex(chosen)
}
