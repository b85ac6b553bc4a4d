/**
 * One local interface, a member of one VLAN: decides which of its frames are sealed to which token and which
 * opened ones it takes, and keeps registered what it listens to: its own MAC, broadcast, the MACs of
 * machines bridged behind it (mesh:S4), the multicast groups that were joined (mesh:S3), and routes of its
 * membership. It knows frames and tokens; keys are behind `Sealing`, and of links it knows nothing.
 *
 * Not here yet: the General Query that finds groups joined before the port opened (mesh:S3b), and taking
 * all groups for a multicast router behind the port (mesh:S3c).
 */
import { ByteTable, FIRST_WORD } from '../bytetable.ts'
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { jittered } from '../dice.ts'
import { UsageError } from '../errors.ts'
import { BROADCAST_MAC, hex, isGroupMac, type Mac, macText, sameBytes } from '../ids.ts'
import { type Hop, type LinkId, MILLISECOND, type Micros, NEVER, type PortId, SECOND } from '../io.ts'
import { TOKEN_OFFSET } from '../wire/packet.ts'
import { TRUNK_KIND, trunkHop } from '../wire/trunk.ts'
import { destinationOf, frameLength, goesToAll, isGroupFrame, snoop, sourceOf } from './ethernet.ts'
import { ANY, type Edge, ROUTE, type Sealing } from './sealing.ts'
import type { Member, Vlan } from './state.ts'
import { STATION_AGE, Stations } from './stations.ts'
import { Bucket } from './storm.ts'
import { PROOF_LIFETIME_MAX, type TokenBook } from './tokens.ts'
import { Turning } from './turning.ts'

/** mesh:S4: how long a port in a loop of bridges is shut. */
const SHUT_FOR: Micros = 30 * SECOND
/** Groups of one port: more than any host joins; a bound for what is snooped. Guess. */
const GROUPS_MAX = 256
/** RFC 3376, 8.4: two query intervals of 125 s and a response of 10 s. */
const GROUP_AGE: Micros = 260 * SECOND
/** mesh:S3d: another host behind the port has this long to say that it stays. */
const GROUP_LEAVE: Micros = 2 * SECOND
/** Half the lifetime of a proof, so that one lost renewal ends nothing. */
const RENEW_PERIOD: Micros = (PROOF_LIFETIME_MAX / 2) * SECOND
/** Proofs cost a signature each, so many of them are renewed a few at a time. */
const RENEW_STEP = 16
const RENEW_PAUSE: Micros = 20 * MILLISECOND
const TWO_TO_32 = 4_294_967_296

/** Where a port's tokens are registered and its packets go: the trees of the node. */
export interface PortTrees {
  hold(now: Micros, port: Port, token: Uint8Array, proof: Uint8Array | undefined): void
  release(port: Port, token: Uint8Array): void
  /** The port's VLAN turned out to be one whose tokens have proofs. */
  certify(port: Port): void
  /** Everything that was asked for in this step is to be said now. */
  settle(now: Micros): void
  // HOT PATH
  send(now: Micros, port: Port, hop: Hop, packet: Uint8Array): void
}

export class Port implements Member, Edge {
  readonly id: PortId
  /** VLAN-ID, 16 bytes. */
  readonly vlan: Uint8Array
  /** Whether its tokens are registered with proofs; may become so when it is told. */
  certified: boolean
  /** What the registries know of the VLAN, by tree; set when it is registered. */
  homes: readonly Vlan[] = []
  readonly #context: Context
  readonly #trees: PortTrees
  readonly #sealing: Sealing
  /** None before the salt is known. */
  #book: TokenBook | undefined
  readonly #turning = new Turning()
  #mac: Mac
  readonly #hop: Hop
  /** The tokens listened to, each with its MAC in two words. */
  readonly #held: ByteTable
  readonly #broadcasts: Bucket
  readonly #stations = new Stations()
  /** Joined groups and until when; NEVER for those joined by command. Made when the first is joined. */
  #groups: Map<Mac, Micros> | undefined
  #shutUntil: Micros = 0
  #ageAt: Micros = NEVER
  #renewAt: Micros = NEVER
  #renewRow = 0

  constructor(
    now: Micros,
    context: Context,
    trees: PortTrees,
    id: PortId,
    sealing: Sealing,
    secret: Uint32Array,
  ) {
    this.#context = context
    this.#trees = trees
    this.id = id
    this.#sealing = sealing
    this.vlan = sealing.vlan
    this.certified = sealing.certified
    this.#mac = sealing.mac
    // B9's choice among trees has one to choose from; hop limits are drawn once for a member (mesh:M9).
    this.#hop = trunkHop(TRUNK_KIND.data, 0, sealing.firstHopLimit)
    this.#held = new ByteTable(secret, 2)
    this.#broadcasts = new Bucket(now, context.config.edgeBroadcasts)
    if (this.certified) this.#renewLater(now)
    context.deadline.lower(this.#renewAt)
  }

  get mac(): Mac {
    return this.#mac
  }

  /**
   * Registers what every member listens to, under the tokens of this salt. `former`: those of the salt
   * before, the same for all members; they are sent to for 10 s and listened to for 30 s more, while the
   * new ones are registered over a few seconds (mesh:S5), and so are those before it if it was in use here.
   * Other tokens end at once. `heard`: a former salt that some may still send to for a while, but not this
   * member: it comes when the others know the new tokens. Settle afterwards.
   */
  useTokens(now: Micros, book: TokenBook, former?: TokenBook, heard?: TokenBook): void {
    if (this.#sealing.certified && !this.certified) {
      this.certified = true
      this.#trees.certify(this)
      this.#renewLater(now)
      this.#context.deadline.lower(this.#renewAt)
    }
    const before = this.#macs()
    const turning = this.#turning
    // Others may be at the last salt still, so what was not registered under it has no time left.
    if (former !== undefined && former === this.#book)
      for (const mac of turning.takeDue(now, true)) this.#listen(now, mac)
    else if (former === undefined || !turning.has(former)) turning.clear()
    this.#book = book
    if (before.size === 0) this.#mac = this.#sealing.mac
    for (const mac of [this.#mac, BROADCAST_MAC, ...(this.#groups?.keys() ?? [])]) before.add(mac)
    if (former === undefined) {
      for (const mac of before) this.#listen(now, mac)
      if (heard !== undefined) {
        for (const mac of before) this.#listenBy(now, heard, mac)
        turning.hear(now, heard)
        this.#context.deadline.lower(Math.max(now + 1, turning.dueAt))
      }
    } else {
      for (const mac of before) this.#listenBy(now, former, mac)
      turning.begin(now, this.#context.dice, former, before)
      this.#context.deadline.lower(Math.max(now + 1, turning.dueAt))
    }
    this.#dropStrange()
  }

  // HOT PATH
  /** The token by which members are reached now; none before the salt is known. */
  token(now: Micros, mac: Mac): Uint8Array | undefined {
    return this.#sendBook(now)?.token(mac)
  }

  /** Whether a machine behind this port uses that MAC and did so lately: nobody else may. */
  keeps(now: Micros, mac: Mac): boolean {
    return this.#stations.keeps(now, mac)
  }

  /** Another member has the MAC of a machine behind this port, and more right to it. */
  yield(now: Micros, mac: Mac): void {
    if (!this.#stations.yield(now, mac)) return
    this.#unlisten(mac)
    this.#stationsChanged(now)
  }

  /** The membership's own MAC is another one now. */
  moved(now: Micros): void {
    const old = this.#mac
    this.#mac = this.#sealing.mac
    if (this.#book === undefined || old === this.#mac) return
    this.#unlisten(old)
    this.#listen(now, this.#mac)
  }

  /** Registers a token that is no MAC's, by the proof of whoever owns it. */
  holdRoute(now: Micros, token: Uint8Array, proof: Uint8Array): void {
    if (this.#held.find(token, 0) < 0) this.#put(this.#held.add(token, 0), ROUTE)
    this.#trees.hold(now, this, token, proof)
  }

  releaseRoute(token: Uint8Array): void {
    const index = this.#held.find(token, 0)
    if (index >= 0) this.#drop(index)
  }

  /** Ends all registrations. */
  close(): void {
    for (let index = 0; index < this.#held.end; index++) if (this.#held.has(index)) this.#drop(index)
  }

  // HOT PATH
  /** A frame of the local interface. */
  frame(now: Micros, frame: Uint8Array): void {
    const { counters } = this.#context
    const length = frameLength(frame)
    if (length !== 'fits') {
      counters.add(length === 'short' ? COUNT.dropFrameShort : COUNT.dropFrameLong)
      return
    }
    if (now < this.#shutUntil) {
      counters.add(COUNT.dropPortShut)
      return
    }
    const source = sourceOf(frame)
    if (source !== this.#mac && !this.#learn(now, source)) return
    let target = destinationOf(frame)
    if (isGroupFrame(frame)) {
      if (goesToAll(target)) {
        target = BROADCAST_MAC
        // mesh:S6. Members police their own broadcast.
        if (!this.#broadcasts.take(now, 1)) {
          counters.add(COUNT.dropBroadcastRate)
          return
        }
      }
      this.#snoop(now, frame)
    } else if (this.#isHere(target)) {
      // Both machines are behind this port and hear each other without us.
      counters.add(COUNT.dropNotOurToken)
      return
    }
    const book = this.#sendBook(now)
    if (book === undefined) counters.add(COUNT.dropNoEpoch)
    else this.#sealing.frame(now, this, target, book.token(target), frame)
  }

  // HOT PATH
  /** A sealed packet on its way. */
  transmit(now: Micros, packet: Uint8Array): void {
    this.#trees.send(now, this, this.#hop, packet)
  }

  // HOT PATH
  packet(now: Micros, link: LinkId, bytes: Uint8Array): boolean {
    const index = this.#held.find(bytes, TOKEN_OFFSET)
    if (index < 0) return false
    if (now < this.#shutUntil) {
      this.#context.counters.add(COUNT.dropPortShut)
      return true
    }
    this.#sealing.packet(now, this, link, this.#macOf(index), bytes)
    return true
  }

  // HOT PATH
  /** A frame that came out of a packet to the token of `mac`. */
  deliver(now: Micros, mac: Mac, frame: Uint8Array): void {
    const { counters } = this.#context
    if (frameLength(frame) !== 'fits') {
      counters.add(COUNT.dropPlaintext)
      return
    }
    const destination = destinationOf(frame)
    const target = goesToAll(destination) ? BROADCAST_MAC : destination
    // A member could seal any frame to any token: it must be the one the frame belongs to.
    if (mac === ANY ? !this.#listensTo(target) : target !== mac) {
      counters.add(COUNT.dropNotOurToken)
      return
    }
    const source = sourceOf(frame)
    if (source === this.#mac) {
      counters.add(COUNT.dropMacConflict)
      return
    }
    this.#seenElsewhere(now, source)
    counters.add(COUNT.framesDelivered)
    this.#context.out.deliver(this.id, frame)
  }

  holds(token: Uint8Array): boolean {
    return this.#held.find(token, 0) >= 0
  }

  /** Takes a multicast group by its MAC until `leaveGroup`. A UsageError for what is no group. */
  joinGroup(now: Micros, mac: Mac): void {
    this.#checkGroup(mac)
    this.#groups ??= new Map()
    if (!this.#groups.has(mac) && this.#groups.size >= GROUPS_MAX) {
      throw new UsageError(
        `port ${this.id} has joined ${GROUPS_MAX} groups, the most it may; leave one first`,
      )
    }
    this.#groups.set(mac, NEVER)
    this.#listen(now, mac)
  }

  leaveGroup(mac: Mac): void {
    this.#checkGroup(mac)
    if (this.#groups?.delete(mac) !== true) {
      throw new UsageError(`port ${this.id} has not joined group ${macText(mac)}; leave what was joined`)
    }
    this.#unlisten(mac)
  }

  /** Ages what was learnt and renews proofs; answers when something next is due. */
  wake(now: Micros): Micros {
    if (this.#ageAt <= now) this.#age(now)
    if (this.#renewAt <= now) this.#renew(now)
    return Math.min(this.#ageAt, this.#renewAt, this.#turn(now))
  }

  #checkGroup(mac: Mac): void {
    // macText refuses what is no MAC at all.
    const text = macText(mac)
    if (isGroupMac(mac) && mac !== BROADCAST_MAC) return
    throw new UsageError(
      `${text} is not a multicast MAC; give one whose first byte is odd, other than broadcast`,
    )
  }

  // HOT PATH
  /** The tokens that frames are sent to: the new ones when others had the time to register theirs. */
  #sendBook(now: Micros): TokenBook | undefined {
    return this.#turning.sendBook(now) ?? this.#book
  }

  #listen(now: Micros, mac: Mac): void {
    if (this.#book !== undefined) this.#listenBy(now, this.#book, mac)
  }

  #listenBy(now: Micros, book: TokenBook, mac: Mac): void {
    const token = book.token(mac)
    if (this.#held.find(token, 0) >= 0) return
    this.#put(this.#held.add(token, 0), mac)
    this.#trees.hold(now, this, token, this.#proof(now, book, mac))
  }

  #put(index: number, mac: Mac): void {
    const word = index * this.#held.stride + FIRST_WORD
    this.#held.rows[word] = Math.floor(mac / TWO_TO_32)
    this.#held.rows[word + 1] = mac % TWO_TO_32
  }

  #unlisten(mac: Mac): void {
    for (const book of [this.#book, ...this.#turning.books]) {
      const index = book === undefined ? -1 : this.#held.find(book.token(mac), 0)
      if (index >= 0) this.#drop(index)
    }
  }

  /** New tokens whose time has come, and the end of the old ones; answers when the next is due. */
  #turn(now: Micros): Micros {
    const turning = this.#turning
    if (turning.dueAt > now) return turning.dueAt
    for (const mac of turning.takeDue(now)) this.#listen(now, mac)
    if (turning.expire(now)) this.#dropStrange()
    this.#trees.settle(now)
    return turning.dueAt
  }

  #renewLater(now: Micros): void {
    this.#renewAt = now + jittered(this.#context.dice, RENEW_PERIOD)
  }

  /** All MACs listened to, whatever the tokens. */
  #macs(): Set<Mac> {
    const macs = new Set<Mac>()
    for (let index = 0; index < this.#held.end; index++)
      if (this.#held.has(index) && this.#macOf(index) !== ROUTE) macs.add(this.#macOf(index))
    return macs
  }

  /** Ends the registrations of tokens that are in no book. */
  #dropStrange(): void {
    const books = [this.#book, ...this.#turning.books]
    for (let index = 0; index < this.#held.end; index++) {
      if (!this.#held.has(index) || this.#macOf(index) === ROUTE) continue
      const isKnown = books.some((book) => book !== undefined && this.#isOf(book, index))
      if (!isKnown) this.#drop(index)
    }
  }

  /** Whether the token of a row is one of that book. */
  #isOf(book: TokenBook, index: number): boolean {
    const mac = this.#macOf(index)
    return mac !== ROUTE && sameBytes(book.token(mac), this.#held.key(index))
  }

  #drop(index: number): void {
    const token = this.#held.key(index)
    this.#held.remove(index)
    this.#trees.release(this, token)
  }

  /** The sequence rises within a start by the clock and over starts by their count (48 bits). */
  #proof(now: Micros, book: TokenBook, mac: Mac): Uint8Array | undefined {
    if (!this.certified) return undefined
    this.#context.counters.add(COUNT.signed)
    const millis = Math.floor(now / MILLISECOND) % TWO_TO_32
    const sequence = (this.#context.boot % 65_536) * TWO_TO_32 + millis
    return book.proof(mac, sequence, PROOF_LIFETIME_MAX)
  }

  #macOf(index: number): Mac {
    const word = index * this.#held.stride + FIRST_WORD
    return (this.#held.rows[word] as number) * TWO_TO_32 + (this.#held.rows[word + 1] as number)
  }

  #listensTo(mac: Mac): boolean {
    return this.#holds(this.#book, mac) || this.#turning.books.some((book) => this.#holds(book, mac))
  }

  #holds(book: TokenBook | undefined, mac: Mac): boolean {
    return book !== undefined && this.#held.find(book.token(mac), 0) >= 0
  }

  #isHere(mac: Mac): boolean {
    return mac === this.#mac || this.#stations.here(mac)
  }

  /** Looks at the source of a local frame; false if the frame is to be dropped. */
  #learn(now: Micros, mac: Mac): boolean {
    const { counters } = this.#context
    switch (this.#stations.learn(now, mac, this.#sealing)) {
      case 'known':
        return true
      case 'new':
        this.#ageBy(now + STATION_AGE)
        this.#listen(now, mac)
        this.#stationsChanged(now)
        return true
      case 'passing':
        return true
      case 'denied':
        counters.add(COUNT.dropMacConflict)
        return false
      case 'invalid':
        counters.add(COUNT.dropMalformed)
        return false
      case 'full':
        counters.add(COUNT.dropMacTable)
        return false
      case 'loop':
        this.#shut(now)
        return false
    }
  }

  // HOT PATH
  /** The source of a frame from the VLAN: if it was behind this port, it has moved. */
  #seenElsewhere(now: Micros, mac: Mac): void {
    const what = this.#stations.elsewhere(now, mac)
    if (what === 'stranger') return
    if (what === 'loop') this.#shut(now)
    this.#unlisten(mac)
    this.#stationsChanged(now)
  }

  #stationsChanged(now: Micros): void {
    this.#sealing.stations(now, this.#stations.macs)
    this.#trees.settle(now)
  }

  /** Two bridges form a loop: silence is what ends it. */
  #shut(now: Micros): void {
    this.#shutUntil = now + SHUT_FOR
    this.#context.counters.add(COUNT.dropPortShut)
    this.#context.out.note({ kind: 'dropped', reason: 'dropPortShut', vlan: hex(this.vlan) })
  }

  #snoop(now: Micros, frame: Uint8Array): void {
    const said = snoop(frame)
    if (said === undefined) return
    for (const mac of said.joins) this.#heardJoin(now, mac)
    for (const mac of said.leaves) {
      const until = this.#groups?.get(mac)
      if (until === undefined || until === NEVER) continue
      this.#groups?.set(mac, Math.min(until, now + GROUP_LEAVE))
      this.#ageBy(now + GROUP_LEAVE)
    }
    if (said.joins.length > 0) this.#trees.settle(now)
  }

  #heardJoin(now: Micros, mac: Mac): void {
    this.#groups ??= new Map()
    const until = this.#groups.get(mac)
    if (until === NEVER) return
    if (until === undefined && this.#groups.size >= GROUPS_MAX) {
      this.#context.counters.add(COUNT.boundGroups)
      return
    }
    this.#groups.set(mac, now + GROUP_AGE)
    this.#ageBy(now + GROUP_AGE)
    this.#listen(now, mac)
  }

  #ageBy(at: Micros): void {
    if (at >= this.#ageAt) return
    this.#ageAt = at
    this.#context.deadline.lower(at)
  }

  #age(now: Micros): void {
    this.#ageAt = NEVER
    const gone = this.#stations.age(now)
    for (const mac of gone) this.#unlisten(mac)
    if (gone.length > 0) this.#sealing.stations(now, this.#stations.macs)
    this.#ageBy(this.#stations.ageAt)
    for (const [mac, until] of this.#groups ?? []) {
      if (until > now) {
        this.#ageBy(until)
        continue
      }
      this.#groups?.delete(mac)
      this.#unlisten(mac)
    }
    this.#trees.settle(now)
  }

  /** The next few proofs anew; after the last a pause of half their lifetime. */
  #renew(now: Micros): void {
    const book = this.#book
    for (let done = 0; done < RENEW_STEP && this.#renewRow < this.#held.end; this.#renewRow++) {
      // Old tokens end before their proofs do; routes are renewed by who owns them.
      if (book === undefined || !this.#held.has(this.#renewRow) || !this.#isOf(book, this.#renewRow)) continue
      done += 1
      const mac = this.#macOf(this.#renewRow)
      this.#trees.hold(now, this, this.#held.key(this.#renewRow), this.#proof(now, book, mac))
    }
    const finished = this.#renewRow >= this.#held.end
    if (finished) this.#renewRow = 0
    this.#renewAt = now + (finished ? jittered(this.#context.dice, RENEW_PERIOD) : RENEW_PAUSE)
    this.#trees.settle(now)
  }
}
