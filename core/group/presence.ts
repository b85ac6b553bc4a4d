/** Who is there, and where this member stands among them (sec:B5). Knows names and times. */
import { below } from '../dice.ts'
import { hex, unhex } from '../ids.ts'
import type { Micros } from '../io.ts'
import { byRank } from '../ledger/rank.ts'
import type { Epoch } from './epoch.ts'
import {
  ANSWERERS,
  DAY,
  HEARD_WITHIN,
  KEEPERS_MAX,
  LOOK_AROUND,
  NEWCOMER_EPOCHS,
  SETTLED_LEAST,
} from './limits.ts'
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

/**
 * Members that keep the VLAN's door, in hex: they are called at, they pool the offers of joiners, and of them
 * one commits. All members while those are few. Beyond sec:C4 and B5, where everybody does: in a large VLAN
 * what each joiner says at the door would go to all members, and what a sponsor says for it once more. The
 * order does not change with the epoch, so that tokens need not move; which of them commits next does.
 */
export function keepers(group: GroupState, now: Micros): readonly string[] {
  const kept: string[] = []
  for (const member of ranksOf(group).door) {
    if (kept.length >= KEEPERS_MAX) break
    if (isThere(group, now, member)) kept.push(member)
  }
  return kept
}

/**
 * How many before this member are there: 0 for the committer (sec:B5). Those that keep the door come first.
 * Of these, and beyond sec:B5, who came in with one of the last epochs is last: its Welcome is still on its
 * way, or the commits after it. A crowd's third commit took ten seconds, until one who was there stepped in.
 */
export function placeAmong(group: GroupState, now: Micros): number {
  const kept = new Set(keepers(group, now))
  const lately = new Set(group.arrivals.flatMap(({ added }) => [...added]))
  // Where few were in before, all would wait for these.
  const settled = [...kept].filter((member) => !lately.has(member)).length
  const newcomers = settled >= SETTLED_LEAST ? lately : new Set(group.arrivals.at(-1)?.added)
  const tierOf = (member: string): number => (!kept.has(member) ? 2 : newcomers.has(member) ? 1 : 0)
  const own = isNewcomer(group, settled) ? Math.max(1, tierOf(group.keyName)) : tierOf(group.keyName)
  let place = 0
  let isBefore = true
  for (const member of ranksOf(group).order) {
    if (member === group.keyName) {
      isBefore = false
      continue
    }
    const tier = tierOf(member)
    if ((tier < own || (tier === own && isBefore)) && isThere(group, now, member)) place += 1
  }
  return place
}

/** Remembers who came in with an epoch that is adopted, and forgets who is no newcomer any more. */
export function arrived(group: GroupState, { number, step }: Epoch): void {
  const isLately = (each: { readonly number: number }): boolean =>
    each.number < number && each.number > number - NEWCOMER_EPOCHS
  group.arrivals = [...group.arrivals.filter(isLately), { number, added: step?.added ?? new Set() }]
}

/** Whether this member came in with the head or just before it. Of the settled it counts itself as one. */
function isNewcomer({ head, newSince, enteredWith }: GroupState, settled: number): boolean {
  if (head === undefined || head.number === 0) return false
  // Who was restored does not know what it missed.
  const isRestored = head.step === undefined && head.adoptedAt === newSince
  return isRestored || (settled > SETTLED_LEAST && head.number < enteredWith + NEWCOMER_EPOCHS)
}

/** All members of the head in hex, by rank in its epoch and in the VLAN; reckoned once for each head. */
function ranksOf(group: GroupState): GroupState['ranks'] {
  const { head } = group
  if (head !== undefined && group.ranks.of !== head.name) {
    const keys = [...head.roster.values()].map(({ identity }) => identity.memberKey)
    const { hash } = group.ports.crypto
    const order = byRank(hash, head.mlsId, keys).map(hex)
    group.ranks = { of: head.name, order, door: byRank(hash, group.ledger.vlan, keys).map(hex) }
  }
  return group.ranks
}

/** Members that were heard in the last 60 s, this one among them. */
export function countThere(group: GroupState, now: Micros): number {
  let count = 1
  for (const member of group.heard.keys()) if (isThere(group, now, member)) count += 1
  return count
}

/** Members that were heard within that time, this one among them. */
export function countHeard(group: GroupState, now: Micros, within: Micros): number {
  let count = 1
  for (const at of group.heard.values()) if (at + within >= now) count += 1
  return count
}

/** Whether no other member was heard since others were last looked for. */
export function hearsNobody(group: GroupState, now: Micros): boolean {
  return countHeard(group, now, LOOK_AROUND) === 1 && (group.head?.roster.size ?? 0) > 1
}

/** Whether so many are there that a key update makes sense: half of those of the last 24 h (sec:B2). */
export function isMajorityThere(group: GroupState, now: Micros): boolean {
  return 2 * countThere(group, now) >= 1 + group.heard.size
}

/** Whether this member does what so many could do, by a draw: so few do that it is no storm. */
export function isOneOfFew(group: GroupState, among: number): boolean {
  return below(group.ports.dice, Math.max(1, among)) < ANSWERERS
}

/** Whether this member answers what all were asked. */
export function isAnswerer(group: GroupState): boolean {
  return isOneOfFew(group, group.head?.roster.size ?? 1)
}

/** Any other member that is there and can be spoken to alone, by the draw; undefined for none. */
export function someMember(group: GroupState, now: Micros, draw: number): Uint8Array | undefined {
  const there = [...group.heard.keys()].filter((member) => isThere(group, now, member)).map(unhex)
  const within = there.filter((member) => group.ports.reaches(member))
  return within[draw % Math.max(1, within.length)]
}
