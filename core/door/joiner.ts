/**
 * The way from an invitation to membership, and back in for a member that lost its group (sec:C4 to C7, B8,
 * B12): it asks one sponsor after the other until a Welcome passes every check, or founds a lineage when
 * nobody answers. It knows the ledger, the engine's jobs and what a group must look like; doors and packets
 * are the caller's (caller.ts), sealing and trees are its owner's.
 *
 * To drive it: `start`, then `packet`, `jobDone` and `wake` as they come, and after each of these `take`
 * until it is empty. The owner runs each `job`, one at a time. At `candidate` it listens to cards of that
 * epoch, or of those that follow it under the same salt, hands them in by `card`, and keeps the commits
 * that follow: the group goes on while the joiner compares. It ends with `joined` or `founded`.
 *
 *     calling -> talking -> entering -> comparing -> done        calling -> founding -> done
 *        ^----------'----------'-----------'
 *
 * Talking: ledgers, then a fresh KeyPackage, then the Welcome, then ledgers again, because somebody else may
 * have been added in the same commit. A KeyPackage is made for one sponsor and used once (sec:S1).
 */

import { type Micros, NEVER } from '../io.ts'
import { LEAF_REFUSAL, makeCredential } from '../ledger/certificate.ts'
import { fixedHash } from '../ledger/facts.ts'
import {
  type Expectation,
  judgeWelcome,
  type OfferedGroup,
  WELCOME_REFUSAL,
  type WelcomeVerdict,
} from '../ledger/joining.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { isInForce } from '../ledger/standing.ts'
import {
  type MlsGroup,
  type MlsJob,
  type MlsOutcome,
  type StateName,
  SUITE,
  type Suite,
} from '../mls/engine.ts'
import { Caller, type CallerEvent, type Moment } from './caller.ts'
import { Comparing, type Entered } from './comparing.ts'
import type { DoorContext } from './context.ts'
import { FOUND_AFTER, WELCOME_WITHIN } from './limits.ts'
import { decodeMessage, encodeMessage, type Message } from './messages.ts'
import { type Learner, Reconciler } from './reconcile.ts'
import { DOOR_REFUSAL, type DoorRefusal, refusalOf } from './refusals.ts'
import { decodeSalts } from './salts.ts'

export interface JoinerOptions {
  readonly purpose: 'join' | 'rejoin'
  readonly memberSeed: Uint8Array
  /** Seed of the invitation, which is erased when the group is joined; none for a rejoin. */
  readonly invitationSeed: Uint8Array | undefined
  /** Has what certifies this member. What comes from sponsors is added by `learner`. */
  readonly ledger: Ledger
  readonly learner: Learner
  /** What the sponsor's ledger must reach. For a rejoin: what this one has reached itself. */
  readonly expected: Expectation
  /** Join numbers rise: that of the member's last leaf, or 0. */
  readonly lastJoinNumber: number
  readonly group: MlsGroup
  /** Names for states, unused ones of the group. */
  readonly states: StateNames
  /** How long nobody must answer before it founds; 0 for a creator, whom nobody can answer. */
  readonly foundAfter?: Micros
}

export interface StateNames {
  fresh(): StateName
}

/** Why an attempt failed: the name, and for a group what about it. */
export interface Failure {
  readonly why: DoorRefusal
  readonly group?: Exclude<WelcomeVerdict, { kind: 'accepted' }>
  readonly sponsor: Uint8Array
}

export type JoinerEvent =
  /** To be run; its outcome comes back by `jobDone` before the next is given. */
  | { readonly kind: 'job'; readonly job: MlsJob }
  /** Listen for cards of this epoch. */
  | { readonly kind: 'candidate'; readonly entered: Entered; readonly leafSeed: Uint8Array }
  /** This candidate is not it: forget its keys. Its state is dropped by a job. */
  | { readonly kind: 'failed'; readonly failure: Failure }
  | {
      readonly kind: 'joined'
      readonly entered: Entered
      readonly leafSeed: Uint8Array
      readonly joinNumber: number
    }
  | {
      readonly kind: 'founded'
      readonly epoch: Extract<MlsOutcome, { kind: 'epoch' }>['epoch']
      readonly state: StateName
      readonly leafSeed: Uint8Array
      readonly joinNumber: number
    }

type Stage = 'idle' | 'calling' | 'talking' | 'entering' | 'comparing' | 'founding' | 'done'

/** What may be wrong with a group because its sponsor has not heard all facts, and is no lie. */
const IGNORANCE: ReadonlySet<string> = new Set([
  WELCOME_REFUSAL.belowFloor,
  WELCOME_REFUSAL.noCharter,
  LEAF_REFUSAL.unknown,
])

/** With one sponsor. */
interface Attempt {
  readonly sponsor: Uint8Array
  readonly keyPackage: StateName
  ledgers: Reconciler
  leafSeed: Uint8Array | undefined
  /** The KeyPackage was sent: the request is open. */
  asked: boolean
  welcome: Uint8Array | undefined
}

/** A job and what it is for. */
interface Order {
  readonly job: MlsJob
  readonly attempt: Attempt | undefined
}

const ENTROPY_BYTES = 32
const SEED_BYTES = 32
/** The number of the one KeyPackage in a session. */
const NUMBER = 0

export class Joiner {
  readonly #context: DoorContext
  readonly #options: JoinerOptions
  readonly #caller: Caller
  #stage: Stage = 'idle'
  #attempt: Attempt | undefined
  #comparing: Comparing | undefined
  #until: Micros = NEVER
  /** When founding is to be tried, if nobody answers until then. */
  #foundAt: Micros = NEVER
  #joinNumber: number
  /** This end has ended a session, and the caller will say so. */
  #hungUp = false
  readonly #jobs: Order[] = []
  #running: Order | undefined
  readonly #events: JoinerEvent[] = []

  constructor(now: Micros, context: DoorContext, options: JoinerOptions) {
    this.#context = context
    this.#options = options
    this.#joinNumber = options.lastJoinNumber
    this.#caller = new Caller(now, context, options)
  }

  // Inputs.

  start(moment: Moment): void {
    this.#stage = 'calling'
    const after = this.#options.foundAfter ?? FOUND_AFTER
    this.#foundAt = moment.now + after
    if (after === 0) this.#found(moment)
    if (this.#stage === 'calling') this.#caller.call(moment, this.#options.purpose)
  }

  packet(moment: Moment, packet: Uint8Array): void {
    this.#caller.packet(moment, packet)
    this.#attend(moment)
  }

  wake(moment: Moment): void {
    this.#caller.wake(moment)
    this.#attend(moment)
    const { now } = moment
    if (this.#stage === 'talking' && now >= this.#until) this.#fail(now, DOOR_REFUSAL.noWelcome)
    if (this.#comparing !== undefined && now >= this.#comparing.until) this.#compared(now)
    if (this.#stage === 'calling' && now >= this.#foundAt) this.#found(moment)
  }

  /** A verified card in the epoch of the candidate: its member key, and the salt id in it. */
  card(now: Micros, member: Uint8Array, salt: Uint8Array): void {
    const why = this.#comparing?.card(member, salt)
    if (why !== undefined) this.#fail(now, why, true)
    else if (this.#comparing?.isGood(now)) this.#compared(now)
  }

  jobDone(moment: Moment, outcome: MlsOutcome): void {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    if (running.job.kind !== 'drop') this.#onOutcome(moment, running.job, running.attempt, outcome)
    this.#nextJob()
  }

  /** Gives up: nothing remains but a job that drops the states. */
  stop(now: Micros): void {
    this.#abandon()
    this.#caller.stop(now)
    this.#stage = 'done'
  }

  // Questions.

  take(): JoinerEvent | undefined {
    return this.#events.shift()
  }

  get stage(): Stage {
    return this.#stage
  }

  listens(packet: Uint8Array): boolean {
    return this.#caller.listens(packet)
  }

  nextDeadline(): Micros {
    const found = this.#stage === 'calling' ? this.#foundAt : NEVER
    const until = this.#stage === 'talking' ? this.#until : NEVER
    return Math.min(this.#caller.nextDeadline(), found, until, this.#comparing?.until ?? NEVER)
  }

  // The session.

  #attend(moment: Moment): void {
    for (let event = this.#caller.take(); event !== undefined; event = this.#caller.take())
      this.#onEvent(moment, event)
  }

  #onEvent(moment: Moment, event: CallerEvent): void {
    switch (event.kind) {
      case 'opened':
        this.#talk(moment.now, event.sponsor)
        return
      case 'message': {
        const message = decodeMessage(event.bytes)
        if (this.#attempt === undefined) return
        if (message === undefined) this.#fail(moment.now, DOOR_REFUSAL.badMessage, true)
        else this.#onMessage(moment, this.#attempt, message)
        return
      }
      case 'ended':
        // The end of a failure that was told already; and once the Welcome is here no sponsor is needed.
        if (this.#hungUp) this.#hungUp = false
        else if (this.#stage === 'calling' || this.#stage === 'talking') this.#lost(moment.now, event)
        return
    }
  }

  #talk(now: Micros, sponsor: Uint8Array): void {
    const { ledger, learner, states } = this.#options
    const ledgers = new Reconciler(this.#context.crypto.hash, ledger, learner)
    const keyPackage = states.fresh()
    this.#attempt = { sponsor, keyPackage, ledgers, leafSeed: undefined, asked: false, welcome: undefined }
    this.#stage = 'talking'
    this.#until = now + WELCOME_WITHIN
    this.#caller.say(now, ledgers.open())
  }

  #onMessage(moment: Moment, attempt: Attempt, message: Message): void {
    const { now } = moment
    switch (message.kind) {
      case 'ledger': {
        // What the sponsor still says when the Welcome is in use changes nothing any more.
        if (this.#stage !== 'talking') return
        const answers = attempt.ledgers.take(now, message.payload, 'caller')
        if (answers === undefined) this.#fail(now, DOOR_REFUSAL.badMessage, true)
        else if (attempt.ledgers.settled) this.#settled(moment, attempt)
        else this.#caller.say(now, ...answers)
        return
      }
      case 'welcome':
        this.#onWelcome(now, attempt, message.numbers, message.welcome)
        return
      case 'notAdded':
        this.#fail(now, refusalOf(message.why) ?? DOOR_REFUSAL.notAdded)
        return
      default:
        this.#fail(now, DOOR_REFUSAL.badMessage, true)
    }
  }

  /** The ledgers agree: before the KeyPackage is asked for, and again before the Welcome is used. */
  #settled(moment: Moment, attempt: Attempt): void {
    const { ledger } = this.#options
    const refused = ledger.refused(attempt.sponsor)
    if (refused !== undefined) {
      this.#fail(moment.now, refused.why, true)
      return
    }
    if (attempt.welcome !== undefined) {
      this.#enter(moment.now, attempt, attempt.welcome)
      return
    }
    const suite = this.#suite()
    if (suite === undefined) {
      const reason = ledger.charter() === undefined ? 'noCharter' : 'otherSuite'
      this.#fail(moment.now, DOOR_REFUSAL.groupRefused, true, { kind: 'refused', reason })
    } else if (attempt.leafSeed === undefined) this.#makeKeyPackage(moment, attempt, suite)
  }

  #onWelcome(now: Micros, attempt: Attempt, numbers: readonly number[], welcome: Uint8Array): void {
    if (!attempt.asked || attempt.welcome !== undefined || !numbers.includes(NUMBER)) {
      this.#fail(now, DOOR_REFUSAL.welcomeUnasked, true)
      return
    }
    attempt.welcome = welcome
    attempt.ledgers = new Reconciler(this.#context.crypto.hash, this.#options.ledger, this.#options.learner)
    this.#caller.say(now, attempt.ledgers.open())
  }

  /** The sponsor is gone or turned this member away. */
  #lost(now: Micros, { sponsor, why }: Extract<CallerEvent, { kind: 'ended' }>): void {
    this.#events.push({ kind: 'failed', failure: { why: why ?? DOOR_REFUSAL.closed, sponsor } })
    this.#abandon()
    this.#stage = 'calling'
    this.#caller.again(now)
  }

  // Jobs.

  #makeKeyPackage(moment: Moment, attempt: Attempt, suite: Suite): void {
    const leaf = this.#newLeaf(moment)
    const { group, ledger } = this.#options
    if (leaf === undefined) {
      this.#fail(moment.now, DOOR_REFUSAL.uncertified)
      return
    }
    attempt.leafSeed = leaf.leafSeed
    const entropy = this.#context.keys.bytes(ENTROPY_BYTES)
    const into = attempt.keyPackage
    this.#start({ kind: 'keyPackage', group, suite, groupId: ledger.vlan, ...leaf, entropy, into })
  }

  #enter(now: Micros, attempt: Attempt, welcome: Uint8Array): void {
    const charter = this.#charterHash()
    if (charter === undefined) {
      this.#fail(now, DOOR_REFUSAL.groupRefused, true, { kind: 'refused', reason: 'noCharter' })
      return
    }
    this.#stage = 'entering'
    const { group, states } = this.#options
    const { keyPackage } = attempt
    this.#start({ kind: 'join', group, keyPackage, into: states.fresh(), welcome, charter, wishes: [] })
  }

  #onOutcome(moment: Moment, job: MlsJob, attempt: Attempt | undefined, outcome: MlsOutcome): void {
    const { now } = moment
    if (job.kind === 'create') this.#founded(now, job, outcome)
    if (attempt === undefined) return
    if (attempt !== this.#attempt) {
      if ('into' in job && outcome.ok) this.#drop([job.into])
      return
    }
    if (job.kind === 'keyPackage') {
      if (!outcome.ok || outcome.kind !== 'keyPackage') this.#fail(now, DOOR_REFUSAL.noKeyPackage)
      else {
        attempt.asked = true
        const { keyPackage } = outcome
        this.#caller.say(now, encodeMessage({ kind: 'keyPackage', number: NUMBER, keyPackage }))
      }
    } else if (job.kind === 'join') this.#entered(now, job.into, attempt, outcome)
  }

  /** The engine took the Welcome: now all that is left of sec:C6 is asked. */
  #entered(now: Micros, state: StateName, attempt: Attempt, outcome: MlsOutcome): void {
    if (!outcome.ok || outcome.kind !== 'joined') {
      this.#fail(now, DOOR_REFUSAL.welcomeRefused, true)
      return
    }
    const { epoch, signer, welcomeData } = outcome
    const { ledger, expected } = this.#options
    const verdict = judgeWelcome(this.#context.crypto, ledger, expected, offered(epoch, signer))
    const salts = decodeSalts(welcomeData)
    const { leafSeed } = attempt
    if (verdict.kind === 'refused' || salts === undefined || leafSeed === undefined) {
      this.#drop([state])
      if (verdict.kind === 'refused')
        this.#fail(now, DOOR_REFUSAL.groupRefused, !IGNORANCE.has(verdict.reason), verdict)
      else this.#fail(now, DOOR_REFUSAL.noSalts, true)
      return
    }
    const entered = { state, epoch, salts, sponsor: attempt.sponsor, signer }
    this.#stage = 'comparing'
    this.#comparing = new Comparing(now, this.#context.crypto.hash, entered)
    this.#events.push({ kind: 'candidate', entered, leafSeed })
  }

  // The end.

  #compared(now: Micros): void {
    const comparing = this.#comparing
    const leafSeed = this.#attempt?.leafSeed
    if (comparing === undefined || leafSeed === undefined) return
    if (!comparing.isGood(now)) {
      this.#fail(now, DOOR_REFUSAL.noLiveCard)
      return
    }
    this.#options.invitationSeed?.fill(0)
    this.#caller.stop(now)
    this.#stage = 'done'
    this.#attempt = undefined
    this.#comparing = undefined
    const { entered } = comparing
    this.#events.push({ kind: 'joined', entered, leafSeed, joinNumber: this.#joinNumber })
  }

  /** The Charter and a current certificate are needed (sec:S16); without them it goes on calling. */
  #found(moment: Moment): void {
    const heardAt = this.#caller.answeredAt ?? Number.NEGATIVE_INFINITY
    const quiet = this.#options.foundAfter ?? FOUND_AFTER
    this.#foundAt = moment.now + FOUND_AFTER
    if (heardAt + quiet > moment.now) {
      this.#foundAt = heardAt + quiet
      return
    }
    const suite = this.#suite()
    const charter = this.#charterHash()
    const leaf = this.#isCurrent(moment) ? this.#newLeaf(moment) : undefined
    if (suite === undefined || charter === undefined || leaf === undefined) return
    this.#caller.stop(moment.now)
    this.#stage = 'founding'
    const { group, ledger, states } = this.#options
    const entropy = this.#context.keys.bytes(ENTROPY_BYTES)
    const fixed = { group, suite, groupId: ledger.vlan, charter }
    this.#start({ kind: 'create', ...fixed, ...leaf, entropy, into: states.fresh(), wishes: [] })
  }

  #founded(now: Micros, job: Extract<MlsJob, { kind: 'create' }>, outcome: MlsOutcome): void {
    if (this.#stage !== 'founding') return
    if (!outcome.ok || outcome.kind !== 'epoch') {
      this.#stage = 'calling'
      this.#foundAt = now + FOUND_AFTER
      this.#caller.call({ now, wall: undefined }, this.#options.purpose)
      return
    }
    this.#stage = 'done'
    this.#options.invitationSeed?.fill(0)
    const { into: state, leafSeed } = job
    const { epoch } = outcome
    this.#events.push({ kind: 'founded', epoch, state, leafSeed, joinNumber: this.#joinNumber })
  }

  /** This sponsor did not lead anywhere: drops all that came of it and asks another. */
  #fail(now: Micros, why: DoorRefusal, lied = false, group?: Failure['group']): void {
    const sponsor = this.#attempt?.sponsor
    if (sponsor === undefined) return
    this.#context.tally.add(why)
    this.#events.push({
      kind: 'failed',
      failure: group === undefined ? { why, sponsor } : { why, sponsor, group },
    })
    this.#abandon()
    this.#stage = 'calling'
    this.#hungUp = this.#caller.hangUp(now, why)
    if (lied) this.#caller.distrust(now, sponsor)
    this.#caller.again(now)
  }

  #abandon(): void {
    const attempt = this.#attempt
    const states = attempt === undefined ? [] : [attempt.keyPackage]
    if (this.#comparing !== undefined) states.push(this.#comparing.entered.state)
    attempt?.leafSeed?.fill(0)
    this.#attempt = undefined
    this.#comparing = undefined
    if (states.length > 0) this.#drop(states)
  }

  // Within.

  /** A leaf key of its own and a join number above all before (sec:C1). */
  #newLeaf({ wall }: Moment): { credential: Uint8Array; leafSeed: Uint8Array } | undefined {
    const { ledger, memberSeed } = this.#options
    const { crypto, keys } = this.#context
    const certificate = ledger.certificate(crypto.signatures.publicKey(memberSeed))
    if (certificate === undefined) return undefined
    const leafSeed = keys.bytes(SEED_BYTES)
    this.#joinNumber = Math.max(wall ?? 0, this.#joinNumber + 1)
    const credential = makeCredential(crypto.signatures, ledger.vlan, memberSeed, {
      serial: certificate.grant.id,
      joinNumber: this.#joinNumber,
      leafKey: crypto.signatures.publicKey(leafSeed),
    })
    return { credential, leafSeed }
  }

  #isCurrent({ wall }: Moment): boolean {
    const { ledger, memberSeed } = this.#options
    const certificate = ledger.certificate(this.#context.crypto.signatures.publicKey(memberSeed))
    return certificate !== undefined && (wall === undefined || isInForce(certificate, wall))
  }

  #charterHash(): Uint8Array | undefined {
    const { ledger } = this.#options
    const charter = ledger.charter()
    return charter === undefined ? undefined : fixedHash(this.#context.crypto.hash, ledger.vlan, charter)
  }

  #suite(): Suite | undefined {
    const suite = this.#options.ledger.charter()?.suite
    return Object.values(SUITE).find((known) => known === suite)
  }

  #drop(states: readonly StateName[]): void {
    this.#start({ kind: 'drop', group: this.#options.group, states })
  }

  #start(job: MlsJob): void {
    this.#jobs.push({ job, attempt: this.#attempt })
    if (this.#running === undefined) this.#nextJob()
  }

  #nextJob(): void {
    const order = this.#jobs.shift()
    if (order === undefined) return
    this.#running = order
    this.#events.push({ kind: 'job', job: order.job })
  }
}

function offered(epoch: Entered['epoch'], signer: number): OfferedGroup {
  const leaves = new Map(
    epoch.roster.map(({ leaf, credential, signatureKey }) => [leaf, { credential, leafKey: signatureKey }]),
  )
  return { groupId: epoch.groupId, fixedHash: epoch.charter, suite: epoch.suite, leaves, signer }
}
