/**
 * Which addresses of a trunk's other end datagrams get to, both ways, and which one is in use (sec:S11).
 * Plain computation over times: it asks to have challenges sent, is told of answers, and says where data may
 * go now.
 *
 * What proves a path is an answer to a challenge of this end: it went there and came back. What merely
 * arrives from somewhere proves nothing about the way there, so a path on which one direction died is noticed
 * by the end that needs it. A challenge is as long as the longest datagram that was sent since the last, so
 * that a path which swallows long ones only is noticed too.
 *
 *     asked ──answer──▶ open ──wanted──▶ sized ──answer──▶ steady ──held──▶ in use ──no data──▶ open
 *       │ no probe left     ▲                │ too narrow       │ missed        │ unanswered
 *       ▼                   │                ▼                  ▼               ▼
 *     spent                 └──answer───────────────────────── bad ◀────────────┘
 *
 * One path is in use, and the others that are open wait: where it is lost, or was left for want of data and
 * there is some again, they are sized one after the other until one of them holds, the one that was proven
 * last first. One that is bad is asked again, ever more seldom.
 */
import { assert } from '../../core/errors.ts'
import { sameBytes } from '../../core/ids.ts'
import { MILLISECOND, MINUTE, type Micros, NEVER, SECOND } from '../../core/io.ts'
import { Bucket } from '../../core/vlan/storm.ts'
import type { Endpoint } from '../linux/udp.ts'
import { OVERHEAD_BYTES, PAYLOAD_MAX, TOKEN_BYTES } from './packet.ts'
import { FIRST_SIZES, SIZE_TRIES, SizeSearch } from './sizes.ts'

/** A challenge without padding, and an answer. */
export const CHALLENGE_BYTES = OVERHEAD_BYTES + TOKEN_BYTES
/** sec:S11: of an address that never answered, or a peer could aim this node at others. */
const PROBES = 3
const PROBE_EVERY: Micros = SECOND
/** How often a path in use is proven while data goes out. */
const PROVE_EVERY: Micros = 200 * MILLISECOND
/** How soon after a challenge without an answer the next goes. */
const RETRY_EVERY: Micros = 120 * MILLISECOND
/** So long without an answer, and one round trip: data goes another way from then on. Five challenges. */
const LOST_AFTER: Micros = 600 * MILLISECOND
/** Of it: a path that is slower takes part with fewer challenges. */
const RTT_MAX: Micros = 300 * MILLISECOND
/** An answer that comes later tells nothing of now. */
const ANSWER_MAX: Micros = 3 * SECOND
/** Of a path that was lost. */
const AGAIN_FIRST: Micros = 400 * MILLISECOND
const AGAIN_MAX: Micros = 15 * SECOND
/** How long a path that was lost must hold before it is used again; doubled where it is lost soon again. */
const HOLD_FIRST: Micros = SECOND
const HOLD_MAX: Micros = MINUTE
const SOON: Micros = MINUTE
/**
 * Translators forget an address after 30 s at the earliest. With this, 16 neighbours cost 42 B/s in each
 * direction while data passes now and then (mesh:M17), and nothing when none does.
 */
const KEEP_EVERY: Micros = 25 * SECOND
/** Without data for so long a path rests: the next packets go by the stream until it is proven anew. */
const REST_AFTER: Micros = 2 * MINUTE
const BUSY_WITHIN: Micros = SECOND
/** The other end's choice of a path is followed no more often. */
const FOLLOW_EVERY: Micros = SECOND
/** Addresses that were not told but heard from. */
const LEARNED_MAX = 4
/** All addresses: those of one offer, learned ones, the one in use, and some that answered before. */
export const PATHS_MAX = 16
/**
 * New ones of them that anything is sent to. A peer can write any sender on what it sends, and would have
 * this node knock at others' doors. Who moves has a new address now and then.
 */
const LEARNED_PER_SECOND = 1
const LEARNED_BURST = 8
const LEARNED_EVERY: Micros = 200 * MILLISECOND
/** sec:S11: what may go to an address that has not answered, in what came from there. */
const AMPLIFICATION_MAX = 3
const OWED_MAX = 32

/** Why a path is not used any more. */
export const UNANSWERED = 'challenges went unanswered'
const NARROW = 'long datagrams do not get through any more'

export type PathState = 'asked' | 'spent' | 'open' | 'sized' | 'steady' | 'used' | 'bad'

export class Path {
  readonly endpoint: Endpoint
  readonly isLearned: boolean
  state: PathState = 'asked'
  readonly sizes = new SizeSearch()
  rtt: Micros = 0
  /** Bytes from and to there, while it has not answered. */
  came = 0
  went = 0
  probesLeft = PROBES
  /** When the next challenge is due. */
  due: Micros
  askedAt: Micros = 0
  tries = 0
  again: Micros = AGAIN_FIRST
  hold: Micros = 0
  steadySince: Micros = 0
  usedSince: Micros = 0
  /** When the challenge left that was answered last. */
  provenAt: Micros = -1
  isFollowed = false

  constructor(endpoint: Endpoint, isLearned: boolean, due: Micros) {
    this.endpoint = endpoint
    this.isLearned = isLearned
    this.due = due
  }

  /** UDP payload that is known to get there. */
  get size(): number {
    return this.sizes.size
  }

  get hasAnswered(): boolean {
    return this.provenAt >= 0
  }
}

interface Owed {
  readonly path: Path
  readonly token: Uint8Array
  readonly at: Micros
  readonly size: number
  /** Asks about the size alone: no answer does not say that the path is lost. */
  readonly isProbe: boolean
}

export interface PathWorld {
  /** Sends a challenge of so many bytes with this token. */
  challenge(path: Path, token: Uint8Array, bytes: number): void
  token(): Uint8Array
  /** Another path is in use, or none. */
  used(path: Path | undefined, why: string): void
}

export class Paths {
  /** Where data goes; undefined: by the stream. */
  used: Path | undefined
  /** When `tend` is to be called next. */
  due: Micros = NEVER
  /** How often a path in use was lost. */
  losses = 0
  readonly all: Path[] = []
  readonly #world: PathWorld
  readonly #follows: boolean
  readonly #keeps: boolean
  readonly #owed: Owed[] = []
  readonly #learns: Bucket
  /** Data went out since the last challenge; the longest datagram of it. */
  #isDirty = false
  #longest = 0
  #dataAt: Micros
  #followedAt: Micros = 0

  /** `dialled`: this end chooses the path and keeps it open; the other follows. */
  constructor(world: PathWorld, dialled: boolean, now: Micros) {
    this.#world = world
    this.#follows = !dialled
    this.#keeps = dialled
    this.#dataAt = now
    this.#learns = new Bucket(now, LEARNED_PER_SECOND, LEARNED_BURST)
  }

  /** Addresses that the peer says it has. Those that are known stay as they are. */
  offer(now: Micros, endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      const known = this.find(endpoint)
      if (known === undefined) this.all.push(new Path(endpoint, false, now))
      else if (known.state === 'spent') {
        known.state = 'asked'
        known.probesLeft = PROBES
        known.due = now
      }
    }
    for (const old of this.all.filter((path) => !path.hasAnswered && !path.isLearned)) {
      if (!includes(endpoints, old)) this.#forget(old)
    }
    while (this.all.length > PATHS_MAX) this.#forget(this.#oldest(endpoints))
    this.tend(now)
  }

  find(endpoint: Endpoint): Path | undefined {
    return this.all.find((path) => sameBytes(path.endpoint.bytes, endpoint.bytes))
  }

  // HOT PATH
  /** A datagram of data went to the path in use. */
  sent(now: Micros, bytes: number): void {
    this.#dataAt = now
    if (bytes > this.#longest) this.#longest = bytes
    if (this.#isDirty) return
    this.#isDirty = true
    const path = this.used
    if (path !== undefined) this.#soon(path, Math.min(path.due, path.askedAt + PROVE_EVERY))
  }

  // HOT PATH
  /** Data came. */
  came(now: Micros): void {
    this.#dataAt = now
  }

  // HOT PATH
  /** Data goes by the stream: a path that was left for want of data is to be proven anew, by `tend`. */
  missed(now: Micros): void {
    this.#dataAt = now
    this.#tryNext(now)
  }

  /**
   * What came last was sealed, newer than all before, and from elsewhere than the path in use. False if there
   * were too many such addresses: nothing is asked of this one.
   */
  heard(now: Micros, endpoint: Endpoint, bytes: number, isData: boolean): boolean {
    const path = this.find(endpoint) ?? this.#learn(now, endpoint)
    if (path === undefined) return false
    if (!path.hasAnswered) path.came += bytes
    if (path.state === 'bad') this.#soon(path, Math.max(now, path.askedAt + RETRY_EVERY))
    else if (path.state === 'asked' || path.state === 'spent') {
      path.state = 'asked'
      this.#soon(path, path.askedAt === 0 ? now : Math.max(now, path.askedAt + LEARNED_EVERY))
    } else if (this.#follows && isData && path !== this.used && now >= this.#followedAt + FOLLOW_EVERY) {
      this.#followedAt = now
      path.isFollowed = true
      if (path.state === 'open') this.#size(now, path)
    }
    this.tend(now)
    return true
  }

  /** May so much go to an address from which a challenge came? */
  mayAnswer(now: Micros, endpoint: Endpoint, bytes: number): boolean {
    const path = this.find(endpoint)
    if (path === undefined) return this.#learns.take(now, 1)
    if (path.hasAnswered) return true
    if (path.isLearned && path.went + bytes > AMPLIFICATION_MAX * path.came) return false
    path.went += bytes
    return true
  }

  /** False if nobody asked that. */
  answered(now: Micros, token: Uint8Array): boolean {
    const owed = this.#owed.find((each) => sameBytes(each.token, token))
    if (owed === undefined || now - owed.at > ANSWER_MAX) return false
    const { path } = owed
    const rtt = now - owed.at
    path.rtt = path.hasAnswered ? smoothed(path.rtt, rtt) : rtt
    path.provenAt = Math.max(path.provenAt, owed.at)
    this.#settle(path, owed)
    this.#onAnswer(now, path, owed.size)
    this.tend(now)
    return true
  }

  /** Sends what is due and gives up what went unanswered. */
  tend(now: Micros): void {
    for (const path of this.all) if (path.due <= now) this.#tendPath(now, path)
    let due = NEVER
    for (const path of this.all) if (path.due < due) due = path.due
    this.due = due
  }

  /** A path is in use, and data went or came by it just now. */
  isBusy(now: Micros): boolean {
    return this.used !== undefined && now - this.#dataAt < BUSY_WITHIN
  }

  /** The other end has lost it. */
  doubt(now: Micros, why: string): void {
    if (this.used !== undefined) this.#lose(now, this.used, why)
    this.tend(now)
  }

  /** There are no keys any more: nothing that is owed will come, and nobody is to blame. */
  leave(why: string): void {
    for (const path of this.all) {
      this.#forgive(path)
      if (!path.hasAnswered) continue
      path.state = 'open'
      path.due = NEVER
    }
    if (this.used === undefined) return
    this.used = undefined
    this.#world.used(undefined, why)
  }

  /** The path in use is to be proven at once, as by keys that the other end has to see. */
  prove(now: Micros): void {
    if (this.used === undefined) return
    this.#ask(now, this.used, CHALLENGE_BYTES)
    this.#soon(this.used, now + RETRY_EVERY)
  }

  /** Whether there is a path that may yet be used. */
  get hasHope(): boolean {
    return this.all.some(({ state }) => state !== 'spent')
  }

  #tendPath(now: Micros, path: Path): void {
    switch (path.state) {
      case 'asked':
        this.#probe(now, path)
        break
      case 'sized':
        if (path.tries >= SIZE_TRIES) this.#narrow(now, path)
        else {
          path.tries += 1
          for (const size of FIRST_SIZES) this.#ask(now, path, size)
          path.due = now + retryOf(path) + (path.tries === SIZE_TRIES ? LOST_AFTER : 0)
        }
        break
      case 'steady':
        if (this.#isLost(now, path)) this.#spoil(now, path)
        else this.#again(now, path, path.size)
        break
      case 'bad':
        this.#ask(now, path, CHALLENGE_BYTES)
        path.again = Math.min(2 * path.again, AGAIN_MAX)
        path.due = now + path.again
        break
      case 'used':
        this.#tendUsed(now, path)
        break
      default:
        path.due = NEVER
    }
  }

  #probe(now: Micros, path: Path): void {
    // What came from there is worth more than a claim: as long as it comes, it may be asked.
    if (path.isLearned || path.came > 0) {
      path.due = NEVER
      if (path.went + CHALLENGE_BYTES > AMPLIFICATION_MAX * path.came) return
      path.went += CHALLENGE_BYTES
      this.#ask(now, path, CHALLENGE_BYTES)
      return
    }
    if (path.probesLeft === 0) {
      path.due = NEVER
      path.state = 'spent'
      return
    }
    path.probesLeft -= 1
    this.#ask(now, path, CHALLENGE_BYTES)
    path.due = now + PROBE_EVERY
  }

  #tendUsed(now: Micros, path: Path): void {
    const lost = this.#owes(path)
    if (lost !== undefined && this.#isLost(now, path)) {
      // A shorter one that left later was answered: it is there, and has become narrow (a black hole).
      this.#lose(now, path, path.provenAt > lost.at ? NARROW : UNANSWERED)
      return
    }
    if (now - this.#dataAt >= REST_AFTER) {
      // It has held for long.
      path.hold = 0
      this.#leave(path)
      this.#world.used(undefined, 'no data for a while')
      return
    }
    const owed = this.#owes(path)
    const next =
      owed !== undefined
        ? path.askedAt + retryOf(path)
        : this.#isDirty
          ? path.askedAt + PROVE_EVERY
          : this.#keeps
            ? path.askedAt + KEEP_EVERY
            : NEVER
    if (now >= next) {
      const size = Math.max(CHALLENGE_BYTES, Math.min(path.size, Math.max(this.#longest, owed?.size ?? 0)))
      this.#isDirty = false
      this.#longest = 0
      this.#ask(now, path, size)
      if (owed !== undefined && size > CHALLENGE_BYTES) this.#ask(now, path, CHALLENGE_BYTES)
    }
    const first = this.#owes(path)?.at
    path.due =
      first === undefined
        ? Math.min(next === NEVER || now >= next ? NEVER : next, this.#dataAt + REST_AFTER)
        : Math.min(path.askedAt + retryOf(path), first + lostAfter(path))
    this.#search(now, path)
  }

  #search(now: Micros, path: Path): void {
    const { sizes } = path
    const size = sizes.due <= now ? sizes.next(now, retryOf(path)) : undefined
    if (size !== undefined) {
      // A path that is lost meanwhile shows by the short one.
      this.#ask(now, path, CHALLENGE_BYTES)
      this.#ask(now, path, size, true)
    }
    path.due = Math.min(path.due, sizes.due)
  }

  #onAnswer(now: Micros, path: Path, size: number): void {
    path.came = 0
    path.went = 0
    if (path.state === 'asked' || path.state === 'spent' || path.state === 'bad') {
      path.state = 'open'
      path.due = NEVER
      this.#tryNext(now)
      return
    }
    path.sizes.answered(now, size)
    if (path.state === 'sized') {
      if (size === PAYLOAD_MAX) this.#sizedUp(now, path)
      return
    }
    if (path.state === 'steady' && now - path.steadySince >= path.hold) this.#use(now, path)
    else if (path === this.used) path.due = now
  }

  /** No data goes by any path: the next of those that are open is to show whether it may. */
  #tryNext(now: Micros): void {
    for (const { state } of this.all) if (state === 'used' || state === 'sized') return
    const best = this.#best()
    if (best !== undefined) this.#size(now, best)
  }

  /** Of the open ones the one that was proven last. */
  #best(): Path | undefined {
    let best: Path | undefined
    for (const path of this.all)
      if (path.state === 'open' && (best === undefined || path.provenAt > best.provenAt)) best = path
    return best
  }

  /** It is there: how long may datagrams be? */
  #size(now: Micros, path: Path): void {
    path.state = 'sized'
    path.tries = 0
    path.sizes.reset()
    path.due = now
    this.due = Math.min(this.due, now)
  }

  /** The longest did not get there. */
  #narrow(now: Micros, path: Path): void {
    if (path.size > CHALLENGE_BYTES) this.#sizedUp(now, path)
    else this.#spoil(now, path)
  }

  #sizedUp(now: Micros, path: Path): void {
    this.#forgive(path)
    path.steadySince = now
    if (path.hold === 0) {
      this.#use(now, path)
      return
    }
    path.state = 'steady'
    path.due = now + PROVE_EVERY
  }

  #use(now: Micros, path: Path): void {
    path.again = AGAIN_FIRST
    const isFollowed = path.isFollowed && this.#follows
    path.isFollowed = false
    if (this.used !== undefined && !isFollowed) {
      path.state = 'open'
      path.due = NEVER
      return
    }
    if (this.used !== undefined) this.#leave(this.used)
    path.state = 'used'
    path.usedSince = now
    path.sizes.begin(now)
    this.used = path
    path.due = Math.min(now + PROVE_EVERY, this.#dataAt + REST_AFTER)
    this.#dataAt = Math.max(this.#dataAt, now - REST_AFTER / 2)
    this.#world.used(path, 'both directions are proven')
  }

  /** It goes on to be a way, but not the one in use. */
  #leave(path: Path): void {
    path.state = 'open'
    path.due = NEVER
    this.used = undefined
  }

  #lose(now: Micros, path: Path, why: string): void {
    this.losses += 1
    this.used = undefined
    if (why === NARROW) {
      // It is there, and may be used again as soon as it is known for how much.
      this.#forgive(path)
      path.state = 'open'
      path.hold = 0
      this.#tryNext(now)
      this.#world.used(undefined, why)
      return
    }
    path.hold =
      now - path.usedSince < SOON ? Math.min(HOLD_MAX, Math.max(HOLD_FIRST, 2 * path.hold)) : HOLD_FIRST
    this.#spoil(now, path)
    this.#world.used(undefined, why)
  }

  #spoil(now: Micros, path: Path): void {
    this.#forgive(path)
    path.state = 'bad'
    path.due = now + path.again
    this.#tryNext(now)
  }

  /** Where a path that holds is asked on. */
  #again(now: Micros, path: Path, size: number): void {
    const owed = this.#owes(path)
    const next = path.askedAt + (owed === undefined ? PROVE_EVERY : retryOf(path))
    if (now >= next) this.#ask(now, path, size)
    const first = this.#owes(path)?.at ?? now
    path.due = Math.min(path.askedAt + retryOf(path), first + lostAfter(path))
    if (path.due <= now) path.due = now + retryOf(path)
  }

  #isLost(now: Micros, path: Path): boolean {
    const owed = this.#owes(path)
    return owed !== undefined && now - owed.at >= lostAfter(path)
  }

  #owes(path: Path): Owed | undefined {
    return this.#owed.find((each) => each.path === path && !each.isProbe)
  }

  #ask(now: Micros, path: Path, bytes: number, isProbe = false): void {
    if (this.#owed.length >= OWED_MAX) this.#owed.shift()
    const token = this.#world.token()
    path.askedAt = now
    this.#owed.push({ path, token, at: now, size: bytes, isProbe })
    this.#world.challenge(path, token, bytes)
  }

  /** What left no later and was no longer is answered with it. */
  #settle(path: Path, answered: Owed): void {
    const left = this.#owed.filter(
      (each) => each.path !== path || each.at > answered.at || each.size > answered.size,
    )
    this.#owed.splice(0, this.#owed.length, ...left)
  }

  #forgive(path: Path): void {
    const left = this.#owed.filter((each) => each.path !== path)
    this.#owed.splice(0, this.#owed.length, ...left)
  }

  #learn(now: Micros, endpoint: Endpoint): Path | undefined {
    if (!this.#learns.take(now, 1)) return undefined
    const learned = this.all.filter((path) => path.isLearned)
    if (learned.length >= LEARNED_MAX) {
      const old = learned.find((path) => path !== this.used && !path.hasAnswered)
      const any = old ?? learned.find((path) => path !== this.used)
      if (any !== undefined) this.#forget(any)
    }
    const path = new Path(endpoint, true, now)
    this.all.push(path)
    return path
  }

  /** Of those that may be forgotten for others, the one that was proven longest ago. */
  #oldest(told: readonly Endpoint[]): Path {
    const others = this.all.filter((path) => path !== this.used && !path.isLearned && !includes(told, path))
    const oldest = others.reduce<Path | undefined>(
      (least, path) => (least === undefined || path.provenAt < least.provenAt ? path : least),
      undefined,
    )
    assert(oldest !== undefined, 'an offer names more addresses than are kept')
    return oldest
  }

  #forget(path: Path): void {
    this.#forgive(path)
    this.all.splice(this.all.indexOf(path), 1)
  }

  #soon(path: Path, at: Micros): void {
    path.due = Math.min(path.due, at)
    if (path.due < this.due) this.due = path.due
  }
}

/** One slow answer on a busy machine is soon forgotten. */
function smoothed(rtt: Micros, sample: Micros): Micros {
  return Math.round(sample < rtt ? (rtt + sample) / 2 : (7 * rtt + sample) / 8)
}

function lostAfter({ rtt }: Path): Micros {
  return LOST_AFTER + Math.min(rtt, RTT_MAX)
}

/** A round trip and some time for an answer. */
function retryOf(path: Path): Micros {
  return RETRY_EVERY + path.rtt
}

function includes(endpoints: readonly Endpoint[], { endpoint }: Path): boolean {
  return endpoints.some((each) => sameBytes(each.bytes, endpoint.bytes))
}
