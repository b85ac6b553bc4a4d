/**
 * Getting in: the own request to be added, as a newcomer, as one who is stuck or who folds, from the
 * KeyPackage to the Welcome that is accepted (sec:B8, B11, B12, C6, S1, S16). A member goes on working in
 * its old epoch until then; what cannot go on was dropped before.
 */
import { unit } from '../dice.ts'
import { hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { makeCredential } from '../ledger/certificate.ts'
import { ADDS_MAX } from '../ledger/commit-data.ts'
import { encodeFacts } from '../ledger/exchange.ts'
import { judgeWelcome, WELCOME_REFUSAL } from '../ledger/joining.ts'
import { factsOf } from '../ledger/standing.ts'
import type { MlsJob, MlsOutcome, MlsSuccess, StateName } from '../mls/engine.ts'
import { beginLine } from './branches.ts'
import type { Purpose } from './effects.ts'
import { decodeSalts, type Epoch, epochOfRoster, firstSalts, WISHES } from './epoch.ts'
import type { StuckReason } from './events.ts'
import { openingOf, takeFacts } from './facts.ts'
import {
  ASK_AGAIN,
  ASK_AGAIN_MAX,
  FOLD_EACH,
  FOLD_OFFER_AGAIN,
  FOLD_SPREAD,
  FOUND_AFTER,
  LIVE_WITHIN,
} from './limits.ts'
import { decodeWelcome, encodeDoor, type Way } from './messages.ts'
import { say } from './say.ts'
import type { Entry, Folding, GroupState } from './state.ts'
import type { Task } from './tasks.ts'
import { NO_WAY } from './way.ts'

type KeyPackageTask = Extract<Task, { kind: 'keyPackage' }>
type JoinTask = Extract<Task, { kind: 'join' }>
type Joined = Extract<MlsSuccess, { kind: 'joined' }>

/** How often a member that folds asks through its ambassador before it looks for a door itself. */
const FOLD_ATTEMPTS = 1

/** Begins to ask; what was asked before is forgotten. */
export function startEntry(group: GroupState, now: Micros, purpose: Purpose, fold?: Entry['fold']): void {
  cancelEntry(group)
  // Whoever gave the word for it waits for those who know better.
  const share = fold?.via === group.keyName ? 1 : unit(group.ports.dice)
  const askAt =
    fold === undefined ? now : now + Math.round(FOLD_SPREAD * share * Math.max(1, batchesOf(group, fold)))
  group.entry = {
    purpose,
    keyPackage: undefined,
    offer: undefined,
    leafSeed: undefined,
    attempts: 0,
    askAt,
    offerAgainAt: NEVER,
    welcome: undefined,
    joined: undefined,
    fold,
  }
  group.wakeBy(askAt)
}

/** Not to be added after all. */
export function cancelEntry(group: GroupState): void {
  const { entry } = group
  if (entry?.keyPackage !== undefined) group.drops.push(entry.keyPackage)
  if (entry?.joined !== undefined) group.drops.push(entry.joined.state)
  group.entry = undefined
}

/** This member cannot follow: it asks to be added again (sec:B12). */
export function stuck(group: GroupState, now: Micros, why: StuckReason): void {
  if (group.entry !== undefined || group.phase !== 'member' || group.endAt !== NEVER) return
  group.note({ kind: 'stuck', why })
  group.pendingLog = []
  startEntry(group, now, 'rejoin')
}

/** The KeyPackage to make now, if one is asked for and the group's terms are known. */
export function planKeyPackage(
  group: GroupState,
  now: Micros,
): { readonly job: MlsJob; readonly task: KeyPackageTask } | undefined {
  const { entry, ports } = group
  const terms = entry && group.terms()
  if (
    entry === undefined ||
    terms === undefined ||
    entry.keyPackage !== undefined ||
    entry.joined !== undefined
  )
    return undefined
  if (entry.fold !== undefined && now < entry.askAt) return undefined
  if (entry.fold !== undefined && entry.attempts === 0)
    group.note({ kind: 'folding', into: hex(entry.fold.sides.winner.head) })
  const leafSeed = ports.keys.bytes(32)
  const joinNumber = Math.max(group.joinNumber + 1, group.wall() ?? 0)
  group.joinNumber = joinNumber
  const { vlan } = group.ledger
  const leafKey = ports.crypto.signatures.publicKey(leafSeed)
  const credential = makeCredential(ports.crypto.signatures, vlan, group.seed, {
    serial: group.serial,
    joinNumber,
    leafKey,
  })
  const into = group.freshState()
  const base = { kind: 'keyPackage', group: group.mlsGroup, suite: terms.suite, groupId: vlan } as const
  const job = { ...base, credential, leafSeed, entropy: ports.keys.bytes(32), into }
  return { job, task: { kind: 'keyPackage', into, leafSeed, joinNumber, credential } }
}

export function madeKeyPackage(
  group: GroupState,
  now: Micros,
  task: KeyPackageTask,
  outcome: MlsOutcome,
): void {
  const { entry } = group
  if (!outcome.ok || outcome.kind !== 'keyPackage') {
    group.ports.counts.add('jobFailed')
    return
  }
  if (entry === undefined || entry.keyPackage !== undefined) {
    group.drops.push(task.into)
    return
  }
  entry.keyPackage = task.into
  entry.leafSeed = task.leafSeed
  const { credential } = task
  const leafKey = group.ports.crypto.signatures.publicKey(task.leafSeed)
  entry.offer = { route: group.route, credential, leafKey, keyPackage: outcome.keyPackage }
  entry.askAt = now + askAgain(group, entry)
  if (entry.fold !== undefined) entry.offerAgainAt = now + FOLD_OFFER_AGAIN
  group.wakeBy(Math.min(entry.askAt, entry.offerAgainAt))
  offer(group)
}

/** How many commits full of members fold together: as it is said, but no more than there are. */
function batchesOf({ head }: GroupState, { sides }: Folding): number {
  return Math.min(sides.loser.heard, head?.roster.size ?? 0) / ADDS_MAX
}

function askAgain(group: GroupState, { attempts, fold }: Entry): Micros {
  const before = fold === undefined ? 0 : Math.floor(batchesOf(group, fold))
  return Math.min(ASK_AGAIN_MAX, (ASK_AGAIN << Math.min(attempts, 4)) + FOLD_EACH * before)
}

/** Hands the KeyPackage to all who may bring it in: to each once. */
export function offer(group: GroupState): void {
  const { entry, head } = group
  if (entry?.offer === undefined) return
  const name = hex(entry.offer.leafKey)
  const ambassador = entry.fold?.via
  if (ambassador !== undefined && ambassador !== group.keyName) {
    const via = head?.roster.get(head.leafOf.get(ambassador) ?? -1)
    if (head !== undefined && via !== undefined && !entry.isOffered) {
      entry.isOffered = say(
        group,
        head,
        { kind: 'foldOffers', offers: [entry.offer] },
        via.identity.memberKey,
      )
    }
    return
  }
  for (const session of group.sessions.values()) {
    const leads = session.isInitiator && (session.purpose === 'join' || session.purpose === 'rejoin')
    const isFold = entry.fold !== undefined && session.sentEvidence !== undefined
    if ((!leads && !isFold) || session.sentOffer === name) continue
    session.sentOffer = name
    group.out.doorSend(session.id, encodeDoor({ kind: 'offers', offers: [entry.offer] }))
  }
}

/** What the initiator of a session that is to lead in says first: its certificate, and what facts it has. */
export function introduce(group: GroupState, session: number): void {
  const own = factsOf(group.ledger.chain(group.key, group.serial))
  for (const payload of [...encodeFacts(own), openingOf(group)])
    group.out.doorSend(session, encodeDoor({ kind: 'ledger', payload }))
}

/** Requests that went unanswered; answers when to look again. */
export function entryDue(group: GroupState, now: Micros): Micros {
  const { entry } = group
  if (group.liveBy <= now) {
    group.liveBy = NEVER
    if (group.heard.size === 0 && group.line.length > 0) stuck(group, now, 'noLiveMember')
  }
  if (group.foundAt <= now) group.wakeBy(now)
  if (entry === undefined) return Math.min(group.liveBy, group.foundAt)
  if (entry.joined !== undefined && entry.joined.at + ASK_AGAIN <= now)
    refuseWelcome(group, entry, 'unknownCertificate')
  if (entry.askAt <= now && (entry.fold?.via === undefined || entry.keyPackage !== undefined))
    askOnceMore(group, now, entry)
  if (entry.offerAgainAt <= now) offerAgain(group, now, entry)
  // Whoever folds waits for its KeyPackage, which comes as the outcome of a job.
  const askAt = entry.askAt <= now ? NEVER : entry.askAt
  return Math.min(group.liveBy, group.foundAt, askAt, entry.offerAgainAt)
}

/** What a member that folds said to its ambassador may have been lost; who has it passes it on once. */
function offerAgain(group: GroupState, now: Micros, entry: Entry): void {
  const isWaiting = entry.fold !== undefined && entry.keyPackage !== undefined && entry.welcome === undefined
  entry.offerAgainAt = isWaiting ? now + FOLD_OFFER_AGAIN : NEVER
  if (!isWaiting) return
  entry.isOffered = false
  offer(group)
}

function askOnceMore(group: GroupState, now: Micros, entry: Entry): void {
  if (entry.keyPackage !== undefined) {
    // A KeyPackage is used once: who got no Welcome asks with another (sec:S1).
    group.drops.push(entry.keyPackage)
    entry.keyPackage = undefined
    entry.offer = undefined
    entry.isOffered = false
    entry.attempts += 1
  }
  entry.askAt = now + askAgain(group, entry)
  // Whoever shares its invitation may have lost it to the other, which no ambassador says.
  const isDoubtful = group.ledger.holders(group.serial).length > 1
  if (entry.fold?.via !== undefined && entry.attempts < FOLD_ATTEMPTS && !isDoubtful) return
  const head = entry.fold?.sides.winner.head
  entry.fold = undefined
  group.out.knock(entry.purpose === 'join' ? 'join' : 'rejoin', head)
}

/** A Welcome came. It is looked at only as the answer to the open request (sec:S16). */
export function takeWelcome(group: GroupState, now: Micros, message: Uint8Array): void {
  const { entry } = group
  if (entry?.keyPackage === undefined || entry.welcome !== undefined) {
    group.ports.counts.add('welcomeUnexpected')
    return
  }
  const said = decodeWelcome(message.slice())
  if (said === undefined) {
    group.ports.counts.add('malformed')
    return
  }
  takeFacts(group, now, said.facts)
  entry.welcome = { bytes: said.welcome, way: said.way, at: now }
}

export function planJoin(group: GroupState): { readonly job: MlsJob; readonly task: JoinTask } | undefined {
  const { entry } = group
  const terms = entry?.welcome && group.terms()
  if (entry?.welcome === undefined || entry.keyPackage === undefined || terms === undefined) return undefined
  const into = group.freshState()
  const { keyPackage } = entry
  const welcome = entry.welcome.bytes
  const job = {
    kind: 'join',
    group: group.mlsGroup,
    keyPackage,
    into,
    welcome,
    charter: terms.charter,
    wishes: WISHES,
  } as const
  return { job, task: { kind: 'join', into } }
}

export function joined(group: GroupState, now: Micros, task: JoinTask, outcome: MlsOutcome): void {
  const { entry } = group
  const way = entry?.welcome?.way ?? NO_WAY
  if (entry !== undefined) entry.welcome = undefined
  if (!outcome.ok || outcome.kind !== 'joined') {
    group.ports.counts.add('welcomeRefused')
    return
  }
  if (entry === undefined || entry.leafSeed === undefined) {
    group.drops.push(task.into)
    return
  }
  // The engine has spent it.
  entry.keyPackage = undefined
  entry.joined = { state: task.into, outcome, way, at: now }
  judgeJoined(group, now)
}

/** Judges the group that was joined, again when facts came: those of its members may be on their way. */
export function judgeJoined(group: GroupState, now: Micros): void {
  const { entry } = group
  if (entry?.joined === undefined || entry.leafSeed === undefined) return
  const { outcome, state, way } = entry.joined
  const { epoch, signer } = outcome
  const leaves = new Map(
    epoch.roster.map(({ leaf, credential, signatureKey }) => [leaf, { credential, leafKey: signatureKey }]),
  )
  const offered = { groupId: epoch.groupId, fixedHash: epoch.charter, suite: epoch.suite, leaves, signer }
  const verdict = judgeWelcome(group.ports.crypto, group.ledger, group.expected, offered)
  if (verdict.kind === 'accepted') {
    enter(group, now, outcome, way, { state, leafSeed: entry.leafSeed })
    return
  }
  const mayCome = verdict.reason === 'unknownCertificate' || verdict.reason === WELCOME_REFUSAL.belowFloor
  if (!mayCome) {
    refuseWelcome(group, entry, verdict.reason)
    return
  }
  if (entry.joined.isFetching) {
    group.wakeBy(entry.joined.at + ASK_AGAIN)
    return
  }
  entry.joined.isFetching = true
  let asked = false
  for (const session of group.sessions.values()) {
    if (!session.isInitiator) continue
    asked = true
    group.out.doorSend(session.id, encodeDoor({ kind: 'ledger', payload: openingOf(group) }))
  }
  if (!asked) group.out.knock(entry.purpose === 'join' ? 'join' : 'rejoin', undefined)
}

function refuseWelcome(group: GroupState, entry: Entry, why: string): void {
  if (entry.joined === undefined) return
  group.drops.push(entry.joined.state)
  entry.joined.outcome.epoch.exporterSecret.fill(0)
  entry.joined = undefined
  group.ports.counts.add('welcomeRefused')
  group.note({ kind: 'welcomeRefused', why })
  group.wakeBy(entry.askAt)
}

function enter(
  group: GroupState,
  now: Micros,
  { epoch: facts, welcomeData }: Joined,
  way: Way,
  own: { readonly state: StateName; readonly leafSeed: Uint8Array },
): void {
  const salts = decodeSalts(welcomeData, facts) ?? firstSalts(facts, group.wall() ?? 0)
  const made = epochOfRoster(group.ports.crypto.hash, facts, { ...own, salts })
  const { entry } = group
  if (made === undefined || entry === undefined) return
  group.entry = undefined
  group.foundAt = NEVER
  group.cautiousUntil = 0
  group.turnedAway = 0
  group.pendingLog = []
  group.heard.clear()
  const before = group.head
  beginLine(group, now, made, 'entered', way)
  for (const member of before?.leafOf.keys() ?? [])
    if (!made.epoch.leafOf.has(member)) group.note({ kind: 'memberRemoved', member })
  tellSponsors(group, made.epoch)
  group.liveBy = made.epoch.roster.size > 1 ? now + LIVE_WITHIN : NEVER
  group.note({ kind: 'joined', mlsId: made.epoch.name, members: made.epoch.roster.size })
}

/** Tells those who brought it in where it is: they say what came after its Welcome, and close. */
function tellSponsors(group: GroupState, { mlsId }: Epoch): void {
  for (const session of group.sessions.values()) {
    const { id, isInitiator, purpose } = session
    if (!isInitiator || (purpose !== 'join' && purpose !== 'rejoin')) continue
    const branch = { kind: 'branch', head: mlsId, digest: group.ledger.digest(), lineage: [mlsId] } as const
    group.out.doorSend(id, encodeDoor(branch))
  }
}

/** A lineage of one's own may be founded when nobody answers (sec:C7). */
export function foundLater(group: GroupState, now: Micros): void {
  group.foundAt = now + FOUND_AFTER
  group.wakeBy(group.foundAt)
}
