/**
 * Who of the kept rosters is refused by what the ledger says now (sec:B9), and what follows at once: those
 * who seal are told, and this member itself ends when it is one of them.
 */
import { hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import type { Identity } from '../ledger/certificate.ts'
import { FACT, type Fact } from '../ledger/facts.ts'
import { FAREWELL, TURNED_AWAY_MAX } from './limits.ts'
import type { GroupState } from './state.ts'

/** Judges all kept members anew. */
export function review(group: GroupState, now: Micros): void {
  // Older rosters differ by few; those were judged when they were the head's.
  for (const { identity } of group.head?.roster.values() ?? [])
    judge(group, now, hex(identity.memberKey), identity)
  for (const name of group.refused.keys())
    if (!group.line.some(({ leafOf }) => leafOf.has(name))) group.refused.delete(name)
}

/** Judges those whom a new fact may concern. */
export function reviewFact(group: GroupState, now: Micros, fact: Fact): void {
  switch (fact.kind) {
    case FACT.charter:
      return
    case FACT.revocation:
      review(group, now)
      break
    case FACT.leave:
      judgeKey(group, now, fact.member)
      break
    case FACT.grant:
      judgeKey(group, now, fact.holder)
      break
    case FACT.redemption:
      for (const member of group.ledger.holders(fact.serial)) judgeKey(group, now, member)
      judgeTwice(group, fact.serial)
      break
  }
  const own = group.ledger.refused(group.key, group.spent)
  if (own !== undefined) end(group, now, own.why)
}

function judgeKey(group: GroupState, now: Micros, member: Uint8Array): void {
  const name = hex(member)
  const { head } = group
  const leaf = head?.leafOf.get(name)
  const identity = leaf === undefined ? undefined : head?.roster.get(leaf)?.identity
  if (identity !== undefined) judge(group, now, name, identity)
}

function judge(group: GroupState, now: Micros, name: string, identity: Identity): void {
  const refused = group.ledger.refused(identity.memberKey, group.spent)
  if (refused === undefined) {
    group.refused.delete(name)
    return
  }
  if (group.refused.has(name)) return
  group.refused.set(name, identity.memberKey)
  group.out.refuse(identity.memberKey)
  group.note({ kind: 'memberRefused', member: name })
  group.wakeBy(now)
}

/** Two keys under one serial: the operator must hear of it, once for each serial (sec:N10). */
export function judgeTwice(group: GroupState, serial: Uint8Array): void {
  const name = hex(serial)
  const winner = group.ledger.winner(serial, group.spent)
  if (winner === undefined || group.twice.has(name)) return
  const other = group.ledger.holders(serial).find((member) => hex(member) !== hex(winner))
  if (other === undefined) return
  group.twice.add(name)
  group.note({ kind: 'invitationUsedTwice', serial: name, refused: hex(other) })
}

/**
 * Whoever is turned away by members that know more than its own ledger does, for what no time mends, is out
 * as if it knew so itself: it asks to be let in, or what went on while it was away. One of them may lie; that
 * several do is a group not worth asking again.
 */
export function turnedAway(group: GroupState, now: Micros, by: Uint8Array, why: string): void {
  const { entry, head } = group
  if ((entry === undefined && now >= group.cautiousUntil) || group.endAt !== NEVER) return
  group.note({ kind: 'turnedAway', by: hex(by), why })
  const fate = FATES.get(why)
  if (fate === undefined) return
  if (entry !== undefined) {
    group.turnedAway += 1
    if (group.turnedAway >= TURNED_AWAY_MAX) end(group, now, fate)
    return
  }
  // Whoever was in is not talked out of it by one, however often, or by strangers.
  const others = head?.leafOf.has(hex(by)) ? head.roster.size - 1 : 0
  if (others === 0) return
  group.turnedAwayBy.add(hex(by))
  if (group.turnedAwayBy.size >= Math.max(2, Math.min(TURNED_AWAY_MAX, others))) end(group, now, fate)
}

const FATES: ReadonlyMap<string, 'revoked' | 'left' | 'void' | 'lost'> = new Map([
  ['revoked', 'revoked'],
  ['left', 'left'],
  ['void', 'void'],
  ['lost', 'lost'],
  ['serialSpent', 'lost'],
])

/** This member is out: it says no more than what it was about to say. */
function end(group: GroupState, now: Micros, why: 'revoked' | 'left' | 'void' | 'lost'): void {
  if (group.phase === 'over' || group.endAt <= now + FAREWELL) return
  // One who lost a double redemption in this line may be in it only until it is removed; others are the same.
  group.note({ kind: 'ended', why })
  group.endAt = now + FAREWELL
  group.wakeBy(group.endAt)
}
