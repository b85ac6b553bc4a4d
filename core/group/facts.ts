/**
 * How the facts of the ledger spread in a group (sec:B1): said to all when they are new, compared with
 * somebody now and then, fetched where a commit rests on one that is missing. What they say is the ledger's.
 */
import { unit } from '../dice.ts'
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'
import {
  answerExchange,
  decodeLedgerPayload,
  encodeExchange,
  encodeFacts,
  type LedgerPayload,
  openExchange,
} from '../ledger/exchange.ts'
import type { Fact } from '../ledger/facts.ts'
import {
  ANSWERS_PER_SECOND,
  COMPARE_PERIOD,
  COMPARE_SOON,
  REPEAT_FACTS,
  REPEATS_MAX,
  STORE_LEDGER_AFTER,
} from './limits.ts'
import { someMember } from './presence.ts'
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
  for (const fact of added) reviewFact(group, now, fact)
  lookAgain(group)
  if (group.ledgerStoreAt === NEVER) group.ledgerStoreAt = now + STORE_LEDGER_AFTER
  group.wakeBy(group.ledgerStoreAt)
  return added
}

/** Says facts to all, now and twice more. */
export function spread(group: GroupState, now: Micros, facts: readonly Fact[]): void {
  const { head } = group
  if (head === undefined || facts.length === 0) return
  for (const payload of encodeFacts(facts)) {
    sayFacts(group, head.mlsId, payload)
    if (group.repeats.length >= REPEATS_MAX) {
      group.ports.counts.add('boundRepeats')
      continue
    }
    const at = now + (REPEAT_FACTS[0] as Micros)
    group.repeats.push({ payload, at, turn: 0 })
    group.wakeBy(at)
  }
}

/** A payload of kind 5 from a member of a kept epoch; the answer goes back under the same epoch. */
export function onLedger(
  group: GroupState,
  now: Micros,
  under: Uint8Array,
  sender: Uint8Array,
  payload: Uint8Array,
): void {
  const said = decodeLedgerPayload(payload)
  if (said === undefined) {
    group.ports.counts.add('malformed')
    return
  }
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

/** Asks a member for facts that a commit rests on. */
export function fetch(
  group: GroupState,
  under: Uint8Array,
  from: Uint8Array,
  wanted: readonly Uint8Array[],
): void {
  sayFacts(group, under, encodeExchange({ turn: 0, ranges: [], wanted: [...wanted] }), from)
}

/** A commit shows what its maker knew: if that is something else, ledgers are compared soon. */
export function noticeDigest(group: GroupState, now: Micros, digest: Uint8Array): void {
  if (sameBytes(digest, group.ledger.digest())) return
  const at = now + Math.round(COMPARE_SOON * unit(group.ports.dice))
  if (at < group.compareAt) group.compareAt = at
  group.wakeBy(group.compareAt)
}

/** Repeats, comparisons and stores that are due; answers when the next is. */
export function factsDue(group: GroupState, now: Micros): Micros {
  const { head, ports } = group
  if (head === undefined) return NEVER
  for (const repeat of group.repeats) {
    if (repeat.at > now) continue
    sayFacts(group, head.mlsId, repeat.payload)
    repeat.turn += 1
    repeat.at = now + (REPEAT_FACTS[repeat.turn] ?? NEVER - now)
  }
  group.repeats = group.repeats.filter(({ turn }) => turn < REPEAT_FACTS.length)
  if (group.compareAt === NEVER) group.compareAt = now + comparePeriod(group)
  if (group.compareAt <= now) {
    group.compareAt = now + comparePeriod(group)
    const other = someMember(group, now, ports.dice.u32())
    if (other !== undefined) sayFacts(group, head.mlsId, openingOf(group), other)
  }
  let next = group.compareAt
  for (const { at } of group.repeats) next = Math.min(next, at)
  return next
}

function comparePeriod(group: GroupState): Micros {
  return Math.round(COMPARE_PERIOD * (0.5 + unit(group.ports.dice)))
}
