/**
 * Everything that one membership's group logic remembers, in one place: plain data, no callbacks. The parts
 * of this folder are functions over it; none of them keeps anything of its own, so a run can be copied,
 * compared and continued.
 */
import type { Crypto } from '../crypto/ports.ts'
import type { Dice, Keys } from '../dice.ts'
import { concat, hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import type { Ack, AckTally } from '../ledger/acks.ts'
import { ADDS_MAX } from '../ledger/commit-data.ts'
import { type Fact, fixedHash } from '../ledger/facts.ts'
import type { WallMillis } from '../ledger/fields.ts'
import type { Expectation } from '../ledger/joining.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { SpentSerials } from '../ledger/spent.ts'
import type { MlsGroup, MlsSuccess, StateName, Suite } from '../mls/engine.ts'
import type { GroupCounts } from './counts.ts'
import { GroupOutbox, type Purpose } from './effects.ts'
import type { Epoch, NewEpoch } from './epoch.ts'
import type { GroupEvent } from './events.ts'
import type { Evidence, Offer, Way } from './messages.ts'
import type { HeadRecord, NextRecord } from './record.ts'
import type { Task } from './tasks.ts'

/** The machine's wall clock: milliseconds since 1970, 0 while it is not set. */
export interface WallClock {
  millis(): WallMillis
}

export interface GroupPorts {
  readonly crypto: Crypto
  readonly dice: Dice
  readonly keys: Keys
  readonly wall: WallClock
  readonly counts: GroupCounts
  /** Whether what is sent to that member alone reaches it alone; otherwise all hear it. */
  reaches(memberKey: Uint8Array): boolean
}

/** Who this member is in the VLAN. */
export interface OwnMember {
  /** Ed25519 seed of the member key. */
  readonly seed: Uint8Array
  /** Of the Grant that admits it, 16 bytes. */
  readonly serial: Uint8Array
}

/**
 * `outside`: asks to be let in. `member`: in an epoch. `over`: refused or gone for good.
 */
export type Phase = 'outside' | 'member' | 'over'

/** A commit for one of the kept epochs, that is not (or not any more) the way that this member went. */
export interface Rival {
  readonly parent: string
  readonly child: Uint8Array
  readonly childName: string
  /** Member key of who committed, as claimed until it was processed. */
  readonly committer: Uint8Array
  readonly proposals: number
  /** Leaves that it removes. */
  readonly removes: readonly number[]
  readonly commit: Uint8Array
  readonly hash: Uint8Array
  /** The handshake in which it travels. */
  readonly message: Uint8Array
  /** Facts without which it cannot be judged, at the last look. */
  missing: readonly Uint8Array[]
  /** `failed`: it was processed and is none. */
  verdict: 'open' | 'failed'
  /** It removes this very member. */
  isRemoval?: boolean
  /** It came out of the log of a member that was there, which others follow too. */
  isLogged?: boolean
  /** By it a branch parted that this member goes over to: others went that way long ago. */
  isFold?: boolean
  /** Only for an own one: its state cannot be made a second time. */
  made: NewEpoch | undefined
}

/** A child of a kept epoch of which others speak and whose commit is not here. */
export interface Unseen {
  readonly parent: string
  readonly child: Uint8Array
  /** Member key of who spoke of it last. */
  by: Uint8Array
  readonly since: Micros
  /** When to ask for it next. */
  askAt: Micros
}

/** What is remembered of a parent after its state is gone (sec:B11). */
export interface Fork {
  readonly parent: Uint8Array
  /** Leaf keys of its witnesses, by member key in hex; none where this member came in later. */
  readonly witnesses: ReadonlyMap<string, Uint8Array>
  readonly tally: AckTally
  /** The last word of each witness with its signature, by member key in hex. */
  readonly acks: Map<string, { readonly bytes: Uint8Array; readonly ack: Ack }>
  /** The child by which the own line went on. */
  child:
    | {
        readonly mlsId: Uint8Array
        readonly committer: Uint8Array
        readonly proposals: number
        readonly commitHash: Uint8Array
      }
    | undefined
  /** How many witnesses went to that child, by the word of who let this member in; 0 where it was there. */
  readonly told: number
}

export interface LogEntry {
  readonly parent: Uint8Array
  readonly child: Uint8Array
  readonly message: Uint8Array
  readonly at: Micros
}

export interface PooledOffer {
  readonly offer: Offer
  readonly member: Uint8Array
  readonly joinNumber: number
  readonly serial: Uint8Array
  readonly since: Micros
}

/** A Welcome that waits until its child is sure (sec:B8). */
export interface HeldWelcome {
  readonly parent: string
  readonly child: string
  readonly routes: readonly Uint8Array[]
  readonly message: Uint8Array
  readonly since: Micros
  /** What was known of rivals of the child and of its witnesses, and since when nothing more is. */
  seen: { readonly rivals: number; readonly acks: number; readonly ours: number; readonly since: Micros }
}

/** Facts that are said again, in case the first time was lost. */
export interface Repeat {
  readonly facts: readonly Fact[]
  readonly at: Micros
  /** Which repetition it is. */
  readonly turn: number
}

type Joined = Extract<MlsSuccess, { kind: 'joined' }>

export interface Folding {
  /** Whose door leads to the winner, in hex, or none but one's own. */
  readonly via: string | undefined
  readonly sides: { readonly winner: Evidence; readonly loser: Evidence }
}

/** The own request to be added: one KeyPackage at a time. */
export interface Entry {
  readonly purpose: Purpose
  /** Where the private half of the KeyPackage is kept; undefined until it is made. */
  keyPackage: StateName | undefined
  offer: Offer | undefined
  leafSeed: Uint8Array | undefined
  /** Named in the offer; the last one given out. */
  attempts: number
  askAt: Micros
  /** Welcomes that came and are not judged yet, newest last. */
  welcome: { readonly bytes: Uint8Array; readonly way: Way; readonly at: Micros } | undefined
  /** A group that was joined and is not accepted yet: facts of its members are missing. */
  joined:
    | {
        readonly state: StateName
        readonly outcome: Joined
        readonly way: Way
        readonly at: Micros
        isFetching?: boolean
      }
    | undefined
  /** Whether a folding member's offer went out, and when it goes out again: it may have been lost. */
  isOffered?: boolean
  offerAgainAt: Micros
  /** While folding. */
  fold: Folding | undefined
}

export interface Session {
  readonly id: number
  /** Member key of the other side. */
  readonly peer: Uint8Array
  readonly purpose: Purpose
  readonly isInitiator: boolean
  readonly openedAt: Micros
  lastAt: Micros
  isCompared: boolean
  /** The other side's branch is the one that this member's is to fold into. */
  leadsToWinner?: boolean
  /** The other side's log does not lead on from here; said again it tells nothing new. */
  isTooOld?: boolean
  sentBranch: boolean
  /** Neither of the two is on the other's line. */
  isParted?: boolean
  sentEvidence: Evidence | undefined
  sentOffer: string
  theirs: { readonly head: Uint8Array; readonly lineage: readonly Uint8Array[] } | undefined
  theirEvidence: Evidence | undefined
  /** Offers of folding members that wait to be passed on. */
  readonly forward: Offer[]
  /** Leaf keys of those that were passed on, in hex. */
  readonly forwarded: Set<string>
  /** Facts that are new since a joiner was told all, without which it could not judge its Welcome. */
  readonly news: Fact[]
}

export class GroupState {
  readonly ports: GroupPorts
  readonly out = new GroupOutbox()
  readonly ledger: Ledger
  readonly mlsGroup: MlsGroup
  readonly seed: Uint8Array
  readonly serial: Uint8Array
  /** Own member key. */
  readonly key: Uint8Array
  readonly keyName: string
  /** What a joiner demands of its group (sec:C6). */
  expected: Expectation

  phase: Phase = 'outside'
  /** Kept epochs, oldest first: up to four to roll back to, and the head. Empty outside. */
  line: Epoch[] = []
  /** Epochs that were left or let go: who their members were is asked while they are received under. */
  recent: Epoch[] = []
  /** Names of the epochs of the own line, newest last. */
  lineage: string[] = []
  spent = new SpentSerials()
  /** By parent's name, oldest first. */
  readonly forks = new Map<string, Fork>()
  log: LogEntry[] = []
  /** By parent's name, in the order they came. */
  readonly rivals = new Map<string, Rival[]>()
  readonly unseen = new Map<string, Unseen>()
  /** Commits that all were asked for and this member will say again, by the child's name. */
  readonly repairs = new Map<
    string,
    {
      readonly under: Uint8Array
      readonly child: Uint8Array
      readonly at: Micros
      /** Else others do, and this member looks at the question again then. */
      readonly isMine: boolean
    }
  >()
  /** Member keys that are refused and stand in a kept roster, by their hex. */
  readonly refused = new Map<string, Uint8Array>()
  /** When each member was last heard, by member key in hex. */
  readonly heard = new Map<string, Micros>()
  /** When this member came into its group, or came back. */
  newSince: Micros = 0
  /** Number of the epoch into which a Welcome let it. */
  enteredWith = Number.NEGATIVE_INFINITY
  /** Who came in with each of the last epochs, NEWCOMER_EPOCHS at most. */
  arrivals: readonly { readonly number: number; readonly added: ReadonlySet<string> }[] = []
  /** Members in order of rank for the head and, for its door, in the VLAN; whose epoch that is. */
  ranks: { readonly of: string; readonly order: readonly string[]; readonly door: readonly string[] } = {
    of: '',
    order: [],
    door: [],
  }

  // Own commits.
  /** Parents for which this member has made a commit: never a second one (sec:B8). */
  readonly committedFor = new Set<string>()
  /** How many an own commit may add at most, by what was too large of late. */
  addsMax = ADDS_MAX
  /** When what is due on the head became due, and the wait drawn for it. */
  duty:
    | { readonly head: string; readonly isRemoval: boolean; readonly since: Micros; readonly at: Micros }
    | undefined
  /** What an own commit in the making is of: it is not announced before it is stored. */
  storing: { readonly rival: Rival; readonly id: number; readonly record: NextRecord } | undefined
  resend: { readonly rival: Rival; at: Micros; turn: number } | undefined
  welcomes: HeldWelcome[] = []
  ackCounter = 0
  refreshAt: Micros = NEVER
  updateAt: Micros = NEVER
  expiryAt: Micros = 0
  /** How long the last commit of another took to be processed: others are no faster. */
  slowness: Micros = 0
  /** No own commits before: a restored state may be old (sec:M13). */
  cautiousUntil: Micros = 0
  /** How often this member was turned away since it was let in last, for what does not pass. */
  /** Members, in hex, that turned this one away while it caught up. */
  readonly turnedAwayBy = new Set<string>()
  turnedAway = 0

  // Joiners.
  readonly offers = new Map<string, PooledOffer>()
  /** Those of them that this member sponsors, by member key in hex, and when each is said next. */
  readonly sponsored = new Map<string, Micros>()

  // Facts.
  repeats: Repeat[] = []
  /** New facts that are to be said together, and when. */
  unspread: Fact[] = []
  spreadAt: Micros = NEVER
  compareAt: Micros = NEVER
  /** Because somebody else knew something else: then not while facts still come. */
  isComparingSoon = false
  /** When the last new fact came. */
  learntAt: Micros = -NEVER
  answers = { since: 0, count: 0 }
  ledgerStoreAt: Micros = NEVER
  readonly twice = new Set<string>()

  // Jobs and stores.
  task: Task | undefined
  taskSince: Micros = 0
  jobs = 0
  states = 0
  stores = 0
  /** States that are not needed any more, to be dropped by the next job. */
  drops: StateName[] = []
  /** The head that the slot `head` holds, and the one that is on its way there. */
  storedHead = ''
  headStore: { readonly id: number; readonly name: string } | undefined
  /** What was stored, until it is in place. */
  restoring:
    | { readonly head: HeadRecord; readonly next: NextRecord | undefined; isHeadThere: boolean }
    | undefined
  isFounding = false

  // Ways in, and meetings.
  /** Where Welcomes reach this member; empty until its door said so. */
  route = new Uint8Array(0)
  entry: Entry | undefined
  joinNumber = 0
  /** When a certified member that finds nobody may found a lineage. */
  foundAt: Micros = NEVER
  readonly sessions = new Map<number, Session>()
  meetAt: Micros = NEVER
  /** When to look for members of other epochs, if this member is first in rank then. */
  lookAt: Micros = NEVER
  /** The next time also if it is not. */
  isLooking = false
  /** However often parts of the mesh come together. */
  lookNotBefore: Micros = 0
  meetTarget: Uint8Array | undefined
  meetNotBefore: Micros = 0
  objectNotBefore: Micros = 0
  foldNotBefore: Micros = 0
  pendingLog: LogEntry[] = []
  /** How many members had no log that leads on from that epoch. */
  logless: { readonly name: string; readonly count: number } = { name: '', count: 0 }
  /** When the others must have shown themselves in an epoch just joined. */
  liveBy: Micros = NEVER
  endAt: Micros = NEVER

  /** The earliest time at which something is due; only lowered between two wakes. */
  deadline: Micros = NEVER

  constructor(ports: GroupPorts, ledger: Ledger, own: OwnMember, mlsGroup: MlsGroup, expected: Expectation) {
    this.ports = ports
    this.ledger = ledger
    this.mlsGroup = mlsGroup
    this.seed = own.seed.slice()
    this.serial = own.serial.slice()
    this.key = ports.crypto.signatures.publicKey(own.seed)
    this.keyName = hex(this.key)
    this.expected = expected
  }

  get head(): Epoch | undefined {
    return this.line[this.line.length - 1]
  }

  /** A kept epoch by its MLS-ID. */
  kept(mlsId: Uint8Array): Epoch | undefined {
    const name = hex(mlsId)
    return this.line.find((epoch) => epoch.name === name)
  }

  /** A kept or recent epoch by its MLS-ID. */
  known(mlsId: Uint8Array): Epoch | undefined {
    const name = hex(mlsId)
    return this.kept(mlsId) ?? this.recent.find((epoch) => epoch.name === name)
  }

  /** Place of a kept epoch in the line; −1 for none. */
  placeOf(name: string): number {
    return this.line.findIndex((epoch) => epoch.name === name)
  }

  isRefused(member: string): boolean {
    return this.refused.has(member)
  }

  /** Whether a refused member stands in the epoch's roster: then it is frozen (sec:B9). */
  isDirty(epoch: Epoch): boolean {
    for (const member of this.refused.keys()) if (epoch.leafOf.has(member)) return true
    return false
  }

  /** Wall time, or undefined while the clock is not set. */
  wall(): WallMillis | undefined {
    const millis = this.ports.wall.millis()
    return millis > 0 ? millis : undefined
  }

  /** Extension 0xF001 and the suite, from the Charter; undefined until there is one. */
  terms(): { readonly charter: Uint8Array; readonly suite: Suite } | undefined {
    const charter = this.ledger.charter()
    if (charter === undefined) return undefined
    const { hash } = this.ports.crypto
    return { charter: fixedHash(hash, this.ledger.vlan, charter), suite: charter.suite as Suite }
  }

  freshState(): StateName {
    this.states += 1
    return this.states
  }

  wakeBy(at: Micros): void {
    if (at < this.deadline) this.deadline = at
  }

  note(event: GroupEvent): void {
    this.out.event(event)
  }

  hash32(...parts: readonly Uint8Array[]): Uint8Array {
    return this.ports.crypto.hash.hash32(concat(...parts))
  }
}
