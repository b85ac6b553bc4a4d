/**
 * What is said through door sessions (sec:C4): with joiners, with members that are behind, with members of
 * another branch. It relies on the door for who the other side is, that what is said arrives in order or
 * the session ends, and that nobody else reads it.
 */
import { below, jittered } from '../dice.ts'
import { hex, sameBytes, unhex } from '../ids.ts'
import { MILLISECOND, type Micros, NEVER, SECOND } from '../io.ts'
import { decodeLedgerPayload, encodeFacts } from '../ledger/exchange.ts'
import type { Purpose } from './effects.ts'
import { introduce, offer } from './entry.ts'
import type { Epoch } from './epoch.ts'
import { answerTo, openingOf, passOn, takeFacts } from './facts.ts'
import {
  FORWARDED_MAX,
  HEARD_JUST_NOW,
  HEARD_WITHIN,
  LOG_MAX,
  LOOK_AROUND,
  MEET_AGAIN,
  MEET_LATEST,
  MEET_SPREAD,
  MEET_SPREAD_EACH,
  MEET_STEP,
  OFFER_AGAIN,
  OFFERS_MAX,
  OFFERS_SAID_MAX,
  SESSION_LIFE,
  SESSIONS_MAX,
} from './limits.ts'
import { isClean, onEvidence, onLog, onTooOld, relate, serveLog } from './meeting.ts'
import { type Branch, type DoorMessage, decodeDoor, encodeDoor, type Offer } from './messages.ts'
import { certifying, forgetOffers, inBatches, takeOffer } from './offers.ts'
import { countHeard, hearsNobody, isOneOfFew, placeAmong } from './presence.ts'
import { say, timeOfCommit } from './say.ts'
import type { GroupState, PooledOffer, Session } from './state.ts'

/** How often offers of folding members are passed on. */
const FORWARD_EVERY: Micros = 200 * MILLISECOND

function send(group: GroupState, session: Session, message: DoorMessage): void {
  group.out.doorSend(session.id, encodeDoor(message))
}

export function doorOpened(
  group: GroupState,
  now: Micros,
  id: number,
  peer: Uint8Array,
  purpose: Purpose,
  isInitiator: boolean,
): void {
  const isAnswering = group.phase === 'member' && group.endAt === NEVER
  const isRefused = group.ledger.refused(peer, group.spent) !== undefined
  if (group.sessions.size >= SESSIONS_MAX || isRefused || (!isInitiator && !isAnswering)) {
    if (group.sessions.size >= SESSIONS_MAX) group.ports.counts.add('boundSessions')
    group.out.doorClose(id)
    return
  }
  const session: Session = {
    id,
    peer: peer.slice(),
    purpose,
    isInitiator,
    openedAt: now,
    lastAt: now,
    isCompared: false,
    sentBranch: false,
    sentEvidence: undefined,
    sentOffer: '',
    theirs: undefined,
    theirEvidence: undefined,
    forward: [],
    forwarded: new Set(),
    news: [],
  }
  group.sessions.set(id, session)
  group.wakeBy(now + FORWARD_EVERY)
  if (!isInitiator) {
    tellTerms(group, session)
    return
  }
  group.foundAt = NEVER
  if (purpose === 'join' || purpose === 'rejoin') {
    introduce(group, id)
    offer(group)
  } else send(group, session, { kind: 'ledger', payload: openingOf(group) })
}

/** A newcomer makes its KeyPackage by the Charter, and need not ask for it first. */
function tellTerms(group: GroupState, session: Session): void {
  const charter = group.ledger.charter()
  if (session.purpose !== 'join' || charter === undefined) return
  for (const payload of encodeFacts([charter])) send(group, session, { kind: 'ledger', payload })
}

export function doorMessage(group: GroupState, now: Micros, id: number, bytes: Uint8Array): void {
  const session = group.sessions.get(id)
  if (session === undefined) return
  const said = decodeDoor(bytes)
  if (said === undefined) {
    group.ports.counts.add('malformed')
    return
  }
  session.lastAt = now
  switch (said.kind) {
    case 'ledger':
      onLedgerPart(group, now, session, said.payload)
      return
    case 'offers':
      sponsor(group, now, session, said.offers)
      return
    case 'branch':
      onBranch(group, now, session, said)
      return
    case 'log':
      if (group.pendingLog.length < LOG_MAX) {
        const { parent, child, message } = said
        group.pendingLog.push({
          parent: parent.slice(),
          child: child.slice(),
          message: message.slice(),
          at: now,
        })
      }
      onLog(group, now, session, said)
      return
    case 'tooOld':
      onTooOld(group, now, session)
      return
    case 'evidence':
      onEvidence(group, now, session, said)
      return
    case 'refused':
      close(group, session)
      return
  }
}

function onLedgerPart(group: GroupState, now: Micros, session: Session, payload: Uint8Array): void {
  const said = decodeLedgerPayload(payload)
  if (said === undefined) {
    group.ports.counts.add('malformed')
    return
  }
  if (said.kind === 'facts') {
    passOn(group, now, takeFacts(group, now, said.facts))
    return
  }
  const answers = answerTo(group, now, said)
  for (const answer of answers) send(group, session, { kind: 'ledger', payload: answer })
  const last = answers.at(-1)
  if (last === undefined || decodeLedgerPayload(last)?.kind === 'facts') session.isCompared = true
  sayBranch(group, now, session)
}

/** Offers of joiners, or of another branch's members that fold: said to those of whom one commits next. */
function sponsor(group: GroupState, now: Micros, session: Session, offers: readonly Offer[]): void {
  if (group.phase !== 'member') return
  const fresh = offers.filter((each) => takeOffer(group, now, each))
  for (const each of fresh) group.sponsored.set(hex(each.credential.subarray(0, 32)), now)
  if (fresh.length < offers.length && !session.isInitiator && fresh.length === 0)
    send(group, session, { kind: 'refused', why: 'known or not certified' })
  sayOffers(group, now)
}

/**
 * Says offers that are due, with what certifies who they are of, and again while nobody takes them in. While
 * the epoch is frozen they wait, and those behind so many that commits cannot get to them for a while.
 */
export function sayOffers(group: GroupState, now: Micros): void {
  const { head } = group
  if (head === undefined || group.isDirty(head)) return
  forgetOffers(group, now, head)
  const due: PooledOffer[] = []
  const again = now + OFFER_AGAIN + timeOfCommit(group)
  let waiting = 0
  for (const [name, at] of group.sponsored) {
    const pooled = group.offers.get(name)
    if (pooled === undefined) {
      group.sponsored.delete(name)
      continue
    }
    if (waiting >= OFFERS_SAID_MAX) break
    waiting += 1
    if (at <= now) {
      due.push(pooled)
      group.sponsored.set(name, again)
    }
    group.wakeBy(at <= now ? again : at)
  }
  for (const batch of inBatches(
    due.map((pooled) => ({ ...pooled, facts: unknownOf(group, head, pooled) })),
  )) {
    const offers = batch.map(({ offer }) => offer)
    say(group, head, { kind: 'offers', offers, facts: batch.flatMap(({ facts }) => facts) }, 'keepers')
  }
}

/** What certifies who an offer is of; nothing for one that is in: all who are have seen it. */
function unknownOf(group: GroupState, head: Epoch, pooled: PooledOffer): Uint8Array[] {
  const present = head.roster.get(head.leafOf.get(hex(pooled.member)) ?? -1)
  const isKnown = present !== undefined && sameBytes(present.identity.serial, pooled.serial)
  return isKnown ? [] : certifying(group, pooled)
}

/** Tells where the own branch stands, once ledgers were compared and nobody refused is in it any more. */
function sayBranch(group: GroupState, now: Micros, session: Session): void {
  const { head } = group
  if (session.purpose !== 'catchUp' && session.purpose !== 'merge') return
  if (head === undefined || session.sentBranch || !session.isCompared) return
  // Who asks to catch up is dirty because it is behind: the commit that cleans it is what it asks for.
  const isAsking = session.purpose === 'catchUp' && session.isInitiator && session.isParted !== true
  if (!isAsking && !isClean(group, now, session)) return
  session.sentBranch = true
  const lineage = group.lineage.toReversed().map(unhex)
  send(group, session, { kind: 'branch', head: head.mlsId, digest: group.ledger.digest(), lineage })
  if (session.theirs !== undefined && relate(group, now, session)) finish(group, session)
}

function onBranch(group: GroupState, now: Micros, session: Session, { head, lineage }: Branch): void {
  if (session.purpose === 'join' || session.purpose === 'rejoin') {
    // A joiner is in: it is led on to where others are by now, and leaves its place before the door.
    const name = hex(head)
    if (name !== group.head?.name && group.lineage.includes(name)) serveLog(group, session, name)
    close(group, session)
    return
  }
  session.theirs = { head: head.slice(), lineage: lineage.map((each) => each.slice()) }
  session.isCompared = true
  if (!session.sentBranch) sayBranch(group, now, session)
  else if (relate(group, now, session)) finish(group, session)
}

function finish(group: GroupState, session: Session): void {
  if (session.isInitiator) close(group, session)
}

/** KeyPackages of members that fold, for the session that leads to the winner. */
export function onFoldOffers(group: GroupState, now: Micros, offers: readonly Offer[]): void {
  const into = group.entry?.fold?.sides.winner.head
  for (const session of group.sessions.values()) {
    if (session.leadsToWinner !== true || session.theirEvidence === undefined) continue
    // One of an earlier fold may still be open.
    if (into !== undefined && !sameBytes(into, session.theirEvidence.head)) continue
    for (const each of offers) {
      const name = hex(each.leafKey)
      if (session.forwarded.has(name)) continue
      if (session.forward.length >= OFFERS_MAX || session.forwarded.size >= FORWARDED_MAX) {
        group.ports.counts.add('boundOffers')
        return
      }
      session.forwarded.add(name)
      session.forward.push({
        route: each.route.slice(),
        credential: each.credential.slice(),
        leafKey: each.leafKey.slice(),
        keyPackage: each.keyPackage.slice(),
      })
    }
    group.wakeBy(now + FORWARD_EVERY)
    return
  }
}

export function doorClosed(group: GroupState, id: number): void {
  group.sessions.delete(id)
}

function close(group: GroupState, session: Session): void {
  group.sessions.delete(session.id)
  group.out.doorClose(session.id)
}

/**
 * Packets of this VLAN under an MLS-ID that nobody here could open for a while: another branch, or this
 * member is behind. The lowest in rank goes and asks; the others wait for it.
 */
export function foreign(group: GroupState, now: Micros, mlsId: Uint8Array): void {
  if (group.phase !== 'member' || group.lineage.includes(hex(mlsId))) return
  if (group.meetAt !== NEVER || now < group.meetNotBefore || group.entry !== undefined) return
  const jitter = below(group.ports.dice, MEET_STEP)
  group.meetTarget = mlsId.slice()
  // Who came just now is most likely behind alone; for the others there is an end to waiting.
  const isNew = now < group.newSince + HEARD_WITHIN
  const spread = Math.max(MEET_SPREAD, MEET_SPREAD_EACH * (group.head?.roster.size ?? 0))
  const latest = MEET_LATEST + below(group.ports.dice, spread)
  group.meetAt = now + jitter + (isNew ? 0 : Math.min(placeAmong(group, now) * MEET_STEP, latest))
  group.wakeBy(group.meetAt)
}

/** Somebody else is at it. */
export function postponeMeeting(group: GroupState, now: Micros): void {
  group.meetAt = NEVER
  group.meetNotBefore = Math.max(group.meetNotBefore, now + MEET_AGAIN)
}

/** Sessions, offers to pass on, meetings; answers when to look again. */
export function doorsDue(group: GroupState, now: Micros): Micros {
  let next = NEVER
  for (const session of group.sessions.values()) {
    sayBranch(group, now, session)
    for (const batch of inBatches(session.forward.map((offer) => ({ offer, facts: [] }))))
      send(group, session, { kind: 'offers', offers: batch.map(({ offer }) => offer) })
    if (session.forward.length > 0) session.lastAt = now
    session.forward.length = 0
    for (const payload of encodeFacts(session.news)) send(group, session, { kind: 'ledger', payload })
    session.news.length = 0
    if (session.lastAt + SESSION_LIFE <= now) close(group, session)
    else next = Math.min(next, session.lastAt + SESSION_LIFE)
  }
  if (group.sessions.size > 0) next = Math.min(next, now + FORWARD_EVERY)
  if (group.meetAt <= now) {
    const target = group.meetTarget
    group.meetAt = NEVER
    if (target !== undefined && !group.lineage.includes(hex(target)) && group.entry === undefined) {
      group.meetNotBefore = now + MEET_AGAIN
      group.out.knock('merge', target)
    }
  }
  if (group.lookAt <= now) lookAround(group, now)
  return Math.min(next, group.meetAt, group.lookAt)
}

/**
 * Whoever is first in rank calls for members that are in another epoch than this one, and whoever hears
 * nobody: it may be the only one that was left behind, and for a minute counts the others as there.
 */
function lookAround(group: GroupState, now: Micros): void {
  const { head, entry, phase, isLooking } = group
  const isBusy = entry !== undefined || group.sessions.size > 0
  group.lookAt = now + (isLooking && isBusy ? SECOND : jittered(group.ports.dice, LOOK_AROUND))
  if (phase !== 'member' || head === undefined || isBusy) return
  group.isLooking = false
  if (isLooking || placeAmong(group, now) === 0 || hearsNobody(group, now))
    group.out.knock('catchUp', head.mlsId)
}

/**
 * Another branch may have come within reach. Who is first in rank among those that were heard of late may be
 * in that one, and it may be the larger: of those heard just now a few look that are drawn.
 */
export function lookSoon(group: GroupState, now: Micros): void {
  if (group.phase !== 'member' || now < group.lookNotBefore) return
  const isDrawn = isOneOfFew(group, countHeard(group, now, HEARD_JUST_NOW))
  if (!isDrawn && placeAmong(group, now) !== 0) return
  group.lookNotBefore = now + LOOK_AROUND / 2
  group.isLooking = true
  group.lookAt = Math.min(group.lookAt, now + below(group.ports.dice, SECOND))
  group.wakeBy(group.lookAt)
}
