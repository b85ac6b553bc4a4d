/**
 * How the facts of the ledger spread in a group (sec:B1): said to all when they are new, compared with
 * somebody now and then, fetched where a commit rests on one that is missing. What they say is the ledger's.
 */
import { unit } from '../dice.ts'
import { hex, sameBytes } from '../ids.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'
import {
  answerExchange,
  decodeLedgerPayload,
  encodeExchange,
  encodeFacts,
  type LedgerPayload,
  openExchange,
} from '../ledger/exchange.ts'
import { FACT, type Fact } from '../ledger/facts.ts'
import {
  ANSWERS_PER_SECOND,
  COMPARE_PERIOD,
  COMPARE_QUIET,
  COMPARE_SOON,
  COMPARE_TURN,
  NEWS_MAX,
  REPEAT_FACTS,
  REPEATS_MAX,
  SPREAD_AFTER,
  STORE_LEDGER_AFTER,
  UNSPREAD_MAX,
} from './limits.ts'
import { isAnswerer, someMember } from './presence.ts'
import { reviewFact } from './refused.ts'
import { lookAgain } from './rivals.ts'
import { sayFacts } from './say.ts'
import type { GroupState } from './state.ts'

/** Takes in facts as they came; those that were new, and others that they released. */
export function takeFacts(group: GroupState, now: Micros, facts: readonly Uint8Array[]): readonly Fact[] {
  const wall = group.wall()
  for (const bytes of facts) {
    const outcome = group.ledger.add(bytes, wall)
    if (outcome !== 'added' && outcome !== 'known' && outcome !== 'waiting')
      group.ports.counts.add('factRefused')
  }
  const added = group.ledger.takeAdded()
  if (added.length === 0) return added
  group.ports.counts.add('factsAdded', added.length)
  group.learntAt = now
  for (const fact of added) reviewFact(group, now, fact)
  for (const { purpose, isInitiator, news } of group.sessions.values()) {
    const isJoiner = !isInitiator && (purpose === 'join' || purpose === 'rejoin')
    if (isJoiner && news.length + added.length <= NEWS_MAX) news.push(...added)
  }
  lookAgain(group)
  if (group.ledgerStoreAt === NEVER) group.ledgerStoreAt = now + STORE_LEDGER_AFTER
  group.wakeBy(group.ledgerStoreAt)
  return added
}

/**
 * Says facts to all and, in case that was lost, says them again. What puts somebody out leaves at once;
 * what certifies a newcomer waits a moment for that of others, and is not said again when the newcomer is
 * in by then: whoever still lacks it fetches it for the commit. A crowd costs few broadcasts so.
 */
export function spread(group: GroupState, now: Micros, facts: readonly Fact[]): void {
  if (facts.length === 0 || group.head === undefined) return
  const isUrgent = facts.some(({ kind }) => kind !== FACT.grant && kind !== FACT.redemption)
  if (isUrgent) say(group, now, facts, 0)
  else {
    if (group.unspread.length === 0) group.spreadAt = now + SPREAD_AFTER
    group.unspread.push(...facts)
    if (group.unspread.length >= UNSPREAD_MAX) group.spreadAt = now
    group.wakeBy(group.spreadAt)
  }
}

/**
 * Facts that came through a door, which nobody else here has heard: said to all but those that certify
 * newcomers. Those go with the offer of whoever wants in, and with the commit that lets it in.
 */
export function passOn(group: GroupState, now: Micros, facts: readonly Fact[]): void {
  spread(
    group,
    now,
    facts.filter(({ kind }) => kind !== FACT.grant && kind !== FACT.redemption),
  )
}

function say(group: GroupState, now: Micros, facts: readonly Fact[], turn: number): void {
  const { head } = group
  if (head === undefined || facts.length === 0) return
  for (const payload of encodeFacts(facts)) sayFacts(group, head.mlsId, payload)
  const wait = REPEAT_FACTS[turn]
  if (wait === undefined) return
  if (group.repeats.length >= REPEATS_MAX) {
    group.ports.counts.add('boundRepeats')
    return
  }
  group.repeats.push({ facts, at: now + wait, turn: turn + 1 })
  group.wakeBy(now + wait)
}

/** Whether a fact is still of use to members that missed it: not if it let somebody in who is in. */
function isOpen(group: GroupState, fact: Fact): boolean {
  if (fact.kind === FACT.redemption) return !group.head?.leafOf.has(hex(fact.member))
  if (fact.kind !== FACT.grant) return true
  return !group.ledger.holders(fact.id).some((member) => group.head?.leafOf.has(hex(member)))
}

/** A payload of kind 5 from a member of a kept epoch; the answer goes back under the same epoch. */
export function onLedger(
  group: GroupState,
  now: Micros,
  under: Uint8Array,
  sender: Uint8Array,
  payload: Uint8Array,
  isToAll: boolean,
): void {
  const said = decodeLedgerPayload(payload)
  if (said === undefined) {
    group.ports.counts.add('malformed')
    return
  }
  if (said.kind === 'exchange' && isToAll && !isAnswerer(group)) return
  // A whole comparison is too much to say to all; a fact that a commit rests on is not.
  const isWide = isToAll && !group.ports.reaches(sender)
  if (said.kind === 'exchange' && isWide && said.wanted.length === 0) return
  for (const answer of answerTo(group, now, said)) sayFacts(group, under, answer, sender)
}

/** What to answer to a part of an exchange: nothing if there is nothing to say. */
export function answerTo(group: GroupState, now: Micros, said: LedgerPayload): Uint8Array[] {
  if (said.kind === 'facts') {
    takeFacts(group, now, said.facts)
    return []
  }
  const { answers, ports } = group
  if (now >= answers.since + SECOND) group.answers = { since: now, count: 0 }
  if (group.answers.count >= ANSWERS_PER_SECOND) {
    ports.counts.add('boundAnswers')
    return []
  }
  group.answers.count += 1
  const { reply, facts } = answerExchange(ports.crypto.hash, group.ledger, said)
  const payloads = encodeFacts(facts)
  if (reply !== undefined) payloads.push(encodeExchange(reply))
  return payloads
}

/** The message that begins an exchange of everything. */
export function openingOf(group: GroupState): Uint8Array {
  return encodeExchange(openExchange(group.ports.crypto.hash, group.ledger, group.ports.dice.u32() & 0xff))
}

/** Asks a member for facts that a commit rests on, or another if that one cannot be asked alone. */
export function fetch(
  group: GroupState,
  under: Uint8Array,
  sender: Uint8Array,
  wanted: readonly Uint8Array[],
  now: Micros,
): void {
  const { ports } = group
  const from = ports.reaches(sender) ? sender : someMember(group, now, ports.dice.u32())
  sayFacts(group, under, encodeExchange({ turn: 0, ranges: [], wanted: [...wanted] }), from)
}

/**
 * A commit shows what its maker knew: if that is something else, ledgers are compared soon, unless facts are
 * under way all the time, as while a crowd comes in. Then it is waited for the last of them.
 */
export function noticeDigest(group: GroupState, now: Micros, digest: Uint8Array): void {
  if (sameBytes(digest, group.ledger.digest())) return
  const turns = (group.head?.roster.size ?? 0) * COMPARE_TURN
  const at = now + Math.round(Math.max(COMPARE_SOON, turns) * unit(group.ports.dice))
  if (at >= group.compareAt) return
  group.compareAt = at
  group.isComparingSoon = true
  group.wakeBy(at)
}

/** Repeats, comparisons and stores that are due; answers when the next is. */
export function factsDue(group: GroupState, now: Micros): Micros {
  const { head, ports } = group
  if (head === undefined) return NEVER
  if (group.spreadAt <= now) {
    group.spreadAt = NEVER
    const facts = group.unspread
    group.unspread = []
    say(group, now, facts, 1)
  }
  const due = group.repeats.filter(({ at }) => at <= now)
  group.repeats = group.repeats.filter(({ at }) => at > now)
  for (const { facts, turn } of due) {
    const open = facts.filter((fact) => isOpen(group, fact))
    say(group, now, open, turn)
  }
  if (group.compareAt === NEVER) group.compareAt = now + comparePeriod(group)
  if (group.compareAt <= now && group.isComparingSoon && now < group.learntAt + COMPARE_QUIET) {
    group.compareAt = now + COMPARE_QUIET
  } else if (group.compareAt <= now) {
    group.isComparingSoon = false
    group.compareAt = now + comparePeriod(group)
    const other = someMember(group, now, ports.dice.u32())
    if (other !== undefined) sayFacts(group, head.mlsId, openingOf(group), other)
    else group.compareAt = now + COMPARE_SOON
  }
  let next = Math.min(group.compareAt, group.spreadAt)
  for (const { at } of group.repeats) next = Math.min(next, at)
  return next
}

function comparePeriod(group: GroupState): Micros {
  return Math.round(COMPARE_PERIOD * (0.5 + unit(group.ports.dice)))
}
