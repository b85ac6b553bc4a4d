/**
 * One membership in a VLAN whose group MLS keeps: the ledger, the group's logic, the sealing layer and the
 * door, put together behind a port. It knows who must hear of what, and in which order; what any of them
 * does is theirs. Of the node it knows the port, and where jobs, records and events go (`MemberHost`).
 *
 *     packet -> sealer -> frame       -> port            group -> adopt          -> sealer, port's tokens
 *                      -> kinds 4, 5  -> group                 -> send           -> sealer -> port
 *                      -> card        -> group                 -> knock, say …   -> door   -> port
 *     packet -> door   -> session     -> group                 -> job, store     -> host
 *
 * To drive it: `attach` once, one input, and `wake` at `nextDeadline`. Every input settles all four parts.
 */

import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { Doorway } from '../door/doorway.ts'
import { Envelope } from '../door/envelope.ts'
import { DoorTally } from '../door/refusals.ts'
import type { DoorMember } from '../door/sponsor-port.ts'
import { doorRoute } from '../door/token.ts'
import { assert } from '../errors.ts'
import { GroupCounts } from '../group/counts.ts'
import type { AdoptedEpoch, ChannelKind, Purpose, Slot, Whom } from '../group/effects.ts'
import type { GroupEvent } from '../group/events.ts'
import { Group, type GroupCommand } from '../group/group.ts'
import type { WallClock } from '../group/state.ts'
import { BROADCAST_MAC, concat, hex, isGroupMac, type Mac, utf8 } from '../ids.ts'
import { type LinkId, type MembershipView, type Micros, NEVER, type NodeEvent, type PortId } from '../io.ts'
import { Ledger } from '../ledger/ledger.ts'
import type { Certificate, Lineage } from '../ledger/standing.ts'
import type { MlsGroup, MlsJob, MlsOutcome } from '../mls/engine.ts'
import type { Opened, SealEvent } from '../seal/context.ts'
import { GROUP } from '../seal/frames.ts'
import { MEMBERS_MAX } from '../seal/limits.ts'
import type { MemberTokens } from '../seal/own.ts'
import { type SealEffects, Sealer } from '../seal/sealer.ts'
import { sourceOf } from '../vlan/ethernet.ts'
import { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import type { Port } from '../vlan/port.ts'
import { ANY, type Edge, ROUTE, type Sealing } from '../vlan/sealing.ts'
import { Books } from './books.ts'
import { Hands, Wires } from './hands.ts'
import type { VlanIdentity } from './identity.ts'
import { Macs } from './macs.ts'

/** The range from which each member draws its first hop limit (mesh:M9). */
const FIRST_HOP_MIN = 64
const FIRST_HOP_RANGE = 64
const FIRST_HOP = utf8('peertap member first hop v1\0')
/** Rounds in which parts of one membership answer each other within a step: two are usual. Guess. */
const ROUNDS_MAX = 64
const NO_MAC: Mac = 0

/** What a membership asks of its node. */
export interface MemberHost {
  readonly wall: WallClock
  start(member: Membership, job: number, work: MlsJob): void
  store(member: Membership, id: number, slot: Slot, record: Uint8Array): void
  event(member: Membership, event: GroupEvent): void
  note(event: NodeEvent): void
  /** Whether another port of the node has that MAC in the member's VLAN. */
  isTaken(member: Membership, mac: Mac): boolean
  /** The first epoch is adopted: frames can be sent and taken. */
  ready(member: Membership): void
  /** Registrations that were asked for in this step are to be said. */
  registered(now: Micros): void
}

export class Membership implements Sealing, SealEffects, DoorMember, MemberTokens {
  readonly id: PortId
  readonly vlan: Uint8Array
  readonly firstHopLimit: number
  readonly ledger: Ledger
  readonly counts = new GroupCounts()
  readonly tally = new DoorTally()
  readonly #context: Context
  readonly #host: MemberHost
  readonly #memberKey: Uint8Array
  readonly #macNonce: Uint8Array | undefined
  readonly #group: Group
  readonly #door: Doorway
  readonly #hands: Hands
  readonly #doorToken: Uint8Array
  readonly #macs: Macs
  #books: Books | undefined
  /** None before the first epoch and after the last. */
  #sealer: Sealer | undefined
  /** Refused before there was a sealer to be told: a member that starts again reads its ledger first. */
  readonly #refusedBefore: Uint8Array[] = []
  #port: Port | undefined
  #isReady = false
  /** Some part was given something since it was drained. */
  #isUnsettled = false
  #isSettling = false
  /** MAC of the token by which the packet came that is being opened. */
  #openedBy: Mac = ANY
  #now: Micros = 0
  #wakeAt: Micros = NEVER

  /** `mlsGroup`: unlike any other's in the life of the node. */
  constructor(
    now: Micros,
    context: Context,
    host: MemberHost,
    id: PortId,
    mlsGroup: MlsGroup,
    identity: VlanIdentity,
  ) {
    const { crypto, keys } = context
    const { policy, label, doorKey, memberSeed: seed, serial, expected } = identity
    this.#context = context
    this.#host = host
    this.id = id
    const ledger = new Ledger(crypto, { policy, label })
    this.ledger = ledger
    this.vlan = ledger.vlan
    this.#memberKey = crypto.signatures.publicKey(seed)
    this.#macNonce = identity.macNonce
    const draw = crypto.hash.keyed32(seed, concat(FIRST_HOP, this.vlan))
    this.firstHopLimit = FIRST_HOP_MIN + ((draw[0] as number) % FIRST_HOP_RANGE)
    const dice = context.dice.fork(`port/${id}`)
    this.#group = new Group({
      ports: {
        crypto,
        dice,
        keys,
        wall: host.wall,
        counts: this.counts,
        reaches: (key) => this.reaches(key),
      },
      ledger,
      own: { seed, serial },
      mlsGroup,
      ...(expected === undefined ? {} : { expected }),
    })
    this.#hands = new Hands(this)
    const door = doorRoute(crypto, this.vlan, doorKey)
    this.#doorToken = door.token
    this.#macs = new Macs(id, (event) => host.note(event))
    const doorContext = {
      crypto,
      keys,
      dice: dice.fork('door'),
      vlan: this.vlan,
      door,
      envelope: new Envelope(crypto, keys, this.vlan, doorKey),
      tally: this.tally,
      wires: new Wires(this),
    }
    this.#group.command(now, { kind: 'facts', facts: identity.facts })
    this.#door = new Doorway(now, doorContext, this, seed)
  }

  /** The port behind which this is; called once, before all else. */
  attach(now: Micros, port: Port): void {
    this.#port = port
    this.#door.start(now)
    this.#group.route(now, this.#door.route)
    this.#settle(now)
  }

  // What is.

  get mac(): Mac {
    return this.#sealer?.mac ?? NO_MAC
  }

  /** Only the Charter says so, which who was invited has yet to be shown. */
  get certified(): boolean {
    return this.ledger.charter()?.privacy === 'private'
  }

  nextDeadline(): Micros {
    return this.#wakeAt
  }

  view(): MembershipView {
    const { phase, epoch, mlsId } = this.#group.view()
    const macs = this.#sealer?.macs()
    return {
      port: this.id,
      vlan: hex(this.vlan),
      self: hex(this.#memberKey),
      phase,
      epoch,
      mlsId,
      mac: this.mac,
      members: this.#group.members().map(({ leaf, memberKey, joinNumber: joinedMillis, heardAt }) => {
        const member = hex(memberKey)
        return { member, joinedMillis, heardAt, mac: macs?.get(leaf) }
      }),
      facts: this.ledger.facts().map(({ bytes }) => bytes),
      counters: this.counters(),
    }
  }

  /** What its group and its door counted, by names of their own. */
  counters(): Readonly<Record<string, number>> {
    return { ...prefixed('group', this.counts.view()), ...prefixed('door', this.tally.view()) }
  }

  // Inputs: the port.

  mayServe(now: Micros, mac: Mac): boolean {
    if (this.#sealer === undefined || this.#books === undefined) return true
    return this.#macs.mayServe(now, mac, this.#sealer, this.#books)
  }

  stations(now: Micros, macs: readonly Mac[]): void {
    if (this.#sealer === undefined) return
    this.#macs.stations(now, macs, this.#sealer)
    this.#settle(now)
  }

  // HOT PATH
  frame(now: Micros, _edge: Edge, target: Mac, token: Uint8Array, frame: Uint8Array): void {
    const sealer = this.#sealer
    if (sealer === undefined) {
      this.#context.counters.add(COUNT.dropNoEpoch)
      return
    }
    // Who is behind an unknown MAC is found out as on any switch: all that listen to its token get the frame.
    const leaf = isGroupMac(target) ? GROUP : sealer.directory.holder(now, target)
    sealer.seal(now, PAYLOAD_KIND.frame, leaf, token, frame)
    this.#settle(now)
  }

  // HOT PATH
  packet(now: Micros, _edge: Edge, link: LinkId, mac: Mac, bytes: Uint8Array): void {
    const sealer = this.#sealer
    // Members that keep the door hear by its token what is for them.
    const isDoors = mac === ROUTE && sealer?.isOfEpoch(bytes) !== true
    if (isDoors) {
      this.#context.counters.add(COUNT.doorBytesIn, bytes.length)
      this.#door.packet(this.#moment(now), bytes)
    } else if (sealer === undefined) this.#context.counters.add(COUNT.dropNoEpoch)
    else {
      this.#now = now
      this.#openedBy = mac
      if (sealer.open(now, link, bytes) === 'opened') this.opened(sealer.opened)
      this.#openedBy = ANY
    }
    this.#settle(now)
  }

  // Inputs: the node.

  command(now: Micros, command: GroupCommand): void {
    this.#group.command(now, command)
    this.#settle(now)
  }

  jobDone(now: Micros, job: number, outcome: MlsOutcome): void {
    this.#group.jobDone(now, job, outcome)
    this.#settle(now)
  }

  stored(now: Micros, id: number, ok: boolean): void {
    this.#group.stored(now, id, ok)
    this.#settle(now)
  }

  /** This node hangs in a tree, or again: what was said before reached nobody. */
  present(now: Micros): void {
    this.#sealer?.present(now)
    this.#group.present(now)
    this.#settle(now)
  }

  /** Parts of the mesh came together: branches of the group may be within each other's reach. */
  met(now: Micros): void {
    this.#group.met(now)
    this.#settle(now)
  }

  /** The machine slept: its monotonic clock has jumped against those of all others (sec:A2). */
  resumed(now: Micros): void {
    this.#sealer?.restart(now)
    this.#group.resumed(now)
    this.#settle(now)
  }

  wake(now: Micros): Micros {
    // What one part does in its turn may be due for another at once.
    for (let round = 0; this.#wakeAt <= now; round++) {
      assert(round < ROUNDS_MAX, 'a part of a membership is due again and again')
      if ((this.#sealer?.deadline ?? NEVER) <= now) this.#sealer?.wake(now)
      if (this.#group.nextDeadline() <= now) this.#group.wake(now)
      if (this.#door.nextDeadline() <= now) this.#door.wake(this.#moment(now))
      this.#settle(now)
    }
    return this.#wakeAt
  }

  /** The port closes: what can be said is said, and all keys go. */
  close(now: Micros): void {
    this.#door.shut(now)
    this.#group.close(now)
    this.#settle(now)
    this.end()
    this.#port = undefined
  }

  // Effects of the sealing layer.

  // HOT PATH
  send(packet: Uint8Array): void {
    this.#port?.transmit(this.#now, packet)
  }

  // HOT PATH
  opened({ kind, payload, leaf, mlsId, way }: Opened): void {
    if (kind === PAYLOAD_KIND.frame && way !== 'channel') this.#openedFrame(leaf, payload)
    else if ((kind === PAYLOAD_KIND.handshake || kind === PAYLOAD_KIND.ledger) && way === 'channel') {
      this.#isUnsettled = true
      // Which token it came by is not known of what was held.
      const isToAll = this.#openedBy === BROADCAST_MAC || this.#openedBy === ANY
      this.#group.channelPacket(this.#now, mlsId, leaf, kind, payload, isToAll)
    } else this.#context.counters.add(COUNT.dropPlaintext)
  }

  event(event: SealEvent): void {
    this.#isUnsettled = true
    switch (event.kind) {
      case 'card': {
        const member = this.#books?.memberAt(event.leaf)
        const { head } = event.card
        if (member !== undefined) this.#group.heard(this.#now, member, head, head)
        return
      }
      case 'foreignEpoch':
        this.#group.foreign(this.#now, event.mlsId)
        return
      case 'epochErased':
        this.#books?.erase(event.mlsId)
        return
      case 'ownMac':
        this.#port?.moved(this.#now)
        this.#host.registered(this.#now)
        this.#host.note({ kind: 'macChanged', port: this.id, mac: event.mac })
        return
      case 'macConflict':
        if (this.#books !== undefined && this.#port !== undefined)
          this.#macs.conflict(this.#now, event, this.mac, this.#books, this.#port)
        return
      default:
        return
    }
  }

  // What the sealing layer asks (MemberTokens): new tokens are used when all had the time to register them.

  token(mac: Mac): Uint8Array {
    const token = this.#port?.token(this.#now, mac) ?? this.#books?.tokens?.token(mac)
    assert(token !== undefined, 'a token was asked for before the first epoch')
    return token
  }

  get saltId(): Uint8Array {
    const { tokens } = this.#books ?? {}
    assert(tokens !== undefined, 'a salt was asked for before the first epoch')
    return tokens.saltId
  }

  // What the door asks (DoorMember; DoorWires by way of Wires).

  transmit(now: Micros, packet: Uint8Array): void {
    this.#context.counters.add(COUNT.doorBytesOut, packet.length)
    this.#port?.transmit(now, packet)
  }

  hold(now: Micros, token: Uint8Array, proof: Uint8Array): void {
    this.#port?.holdRoute(now, token, proof)
    this.#host.registered(now)
  }

  release(now: Micros, token: Uint8Array): void {
    this.#port?.releaseRoute(token)
    this.#host.registered(now)
  }

  learn(now: Micros, fact: Uint8Array): 'added' | 'known' {
    return this.#group.learn(now, fact)
  }

  head(): Uint8Array | undefined {
    return this.#group.head()
  }

  mayLetIn(now: Micros): boolean {
    return this.#group.mayLetIn(now)
  }

  certificate(): Certificate | undefined {
    return this.ledger.certificate(this.#memberKey, this.lineage())
  }

  lineage(): Lineage {
    return this.#group.lineage()
  }

  lineageIds(): readonly Uint8Array[] {
    return this.#group.lineageIds()
  }

  leadsOn(mlsId: Uint8Array): boolean {
    return this.#group.leadsOn(mlsId)
  }

  keepers(now: Micros): readonly Uint8Array[] {
    return this.#group.keepers(now)
  }

  wall(): number | undefined {
    const millis = this.#host.wall.millis()
    return millis > 0 ? millis : undefined
  }

  // What the group asks: by way of Hands, because both layers have effects of one name.

  /** Whether a member's card is here, so that its token is known. */
  reaches(memberKey: Uint8Array): boolean {
    const leaf = this.#books?.leafOf(memberKey)
    return leaf !== undefined && this.#sealer?.macOf(leaf) !== undefined
  }

  /** What is for a member whose card is not here goes to all. */
  announce(mlsId: Uint8Array, to: Whom, kind: ChannelKind, payload: Uint8Array): void {
    const tokens = this.#books?.tokensOf(mlsId)
    if (tokens === undefined || this.#sealer === undefined) return
    this.#isUnsettled = true
    if (to === 'keepers') {
      this.#sealer.announce(this.#now, kind, this.#doorToken, payload, mlsId, 'few')
      return
    }
    const leaf = to === 'all' ? undefined : this.#books?.leafOf(to)
    const mac = (leaf === undefined ? undefined : this.#sealer.macOf(leaf)) ?? BROADCAST_MAC
    if (leaf !== undefined) this.#sealer.introduce(this.#now, leaf)
    // Members of an epoch with an earlier salt listen by that one; those of this epoch may still.
    const isOfNow = tokens === this.#books?.tokens
    const token = isOfNow ? this.token(mac) : tokens.token(mac)
    this.#sealer.announce(this.#now, kind, token, payload, mlsId, mac === BROADCAST_MAC ? 'all' : 'one')
  }

  adopt(epoch: AdoptedEpoch): void {
    const now = this.#now
    const charter = this.ledger.charter()
    assert(charter !== undefined, 'an epoch was adopted without a Charter')
    this.#books ??= new Books(this.#context.crypto, this.vlan, charter.privacy)
    const before = this.#books.tokens
    const source = this.#books.adopt(epoch)
    const { tokens } = this.#books
    assert(tokens !== undefined, 'an adopted epoch has tokens')
    const { crypto, keys, dice, counters } = this.#context
    this.#sealer ??= new Sealer({
      now,
      crypto,
      keys,
      dice: dice.fork(`seal/${this.id}`),
      counters,
      wall: this.#host.wall,
      vlan: this.vlan,
      memberKey: this.#memberKey,
      tokens: this,
      isTaken: (mac) => this.#host.isTaken(this, mac),
      macNonce: this.#macNonce,
      firstHopLimit: this.firstHopLimit,
      sign: charter.sign === 'all' ? 'all' : 'session',
      padding: charter.padding,
    })
    if (before !== tokens) {
      const { former, heard } = this.#books.formers(before, epoch, this.#host.wall.millis())
      this.#port?.useTokens(now, tokens.book, former, heard)
      this.#host.registered(now)
    }
    for (const memberKey of this.#refusedBefore.splice(0)) this.#sealer.refuse(memberKey)
    this.#sealer.adopt(now, source, epoch.grace)
    if (epoch.isLate) this.#sealer.present(now)
    this.#isUnsettled = true
    if (this.#isReady) {
      this.#door.review(now)
      return
    }
    this.#isReady = true
    this.#door.open(now)
    this.#host.ready(this)
  }

  refuse(memberKey: Uint8Array): void {
    this.#isUnsettled = true
    if (this.#sealer !== undefined) this.#sealer.refuse(memberKey)
    else if (this.#refusedBefore.length < MEMBERS_MAX) this.#refusedBefore.push(memberKey)
    this.#door.recheck(this.#now)
  }

  end(): void {
    this.#sealer = undefined
    this.#books?.eraseAll()
    this.#books = undefined
  }

  ask(purpose: Purpose, head: Uint8Array | undefined): void {
    this.#isUnsettled = true
    this.#door.knock(this.#moment(this.#now), purpose, head)
  }

  say(session: number, message: Uint8Array): void {
    this.#isUnsettled = true
    if (!this.#door.send(this.#now, session, message)) this.#door.close(this.#now, session)
  }

  hangUp(session: number): void {
    this.#door.close(this.#now, session)
  }

  callAt(route: Uint8Array): void {
    this.#door.expect(this.#moment(this.#now), route)
  }

  bring(route: Uint8Array, message: Uint8Array): void {
    this.#door.deliver(this.#moment(this.#now), route, message)
  }

  start(job: number, work: MlsJob): void {
    this.#host.start(this, job, work)
  }

  store(id: number, slot: Slot, record: Uint8Array): void {
    this.#host.store(this, id, slot, record)
  }

  tell(event: GroupEvent): void {
    this.#host.event(this, event)
  }

  // Within.

  // HOT PATH
  #openedFrame(leaf: number, frame: Uint8Array): void {
    const directory = this.#sealer?.directory
    const source = frame.length < 14 ? NO_MAC : sourceOf(frame)
    const isOurs = this.#port?.keeps(this.#now, source) === true
    if (directory === undefined || isOurs || !directory.maySend(this.#now, leaf, source)) {
      this.#context.counters.add(COUNT.dropMacConflict)
      return
    }
    directory.learn(this.#now, leaf, source)
    this.#port?.deliver(this.#now, this.#openedBy, frame)
  }

  // HOT PATH
  /** Carries out what the parts ask of each other until nothing is left, and notes when to come again. */
  #settle(now: Micros): void {
    // What one part asks while another is drained is done in the next round.
    this.#isUnsettled = true
    if (this.#isSettling) return
    this.#isSettling = true
    this.#now = now
    for (let round = 0; ; round++) {
      assert(round < ROUNDS_MAX, 'the parts of a membership never come to rest')
      this.#isUnsettled = false
      this.#sealer?.drain(now, this)
      this.#group.drain(this.#hands)
      this.#takeDoor(now)
      if (!this.#isUnsettled) break
    }
    this.#isSettling = false
    const sealed = this.#sealer?.deadline ?? NEVER
    this.#wakeAt = Math.min(sealed, this.#group.nextDeadline(), this.#door.nextDeadline())
    // Later than now, for a wake in which several rounds were needed.
    this.#context.deadline.lower(Math.max(this.#wakeAt, now + 1))
  }

  #takeDoor(now: Micros): void {
    for (let event = this.#door.take(); event !== undefined; event = this.#door.take()) {
      this.#isUnsettled = true
      if (event.kind === 'opened')
        this.#group.doorOpened(now, event.session, event.peer, event.purpose, event.isInitiator)
      else if (event.kind === 'message') this.#group.doorMessage(now, event.session, event.bytes)
      else if (event.kind === 'turnedAway') this.#group.turnedAway(now, event.peer, event.why)
      else if (event.kind === 'closed') this.#group.doorClosed(now, event.session)
      else this.#group.welcome(now, event.bytes)
    }
  }

  #moment(now: Micros): { readonly now: Micros; readonly wall: number | undefined } {
    return { now, wall: this.wall() }
  }
}

/** `commitsMade` of a group becomes `groupCommitsMade`. */
function prefixed(prefix: string, counts: Readonly<Record<string, number>>): Record<string, number> {
  const named = Object.entries(counts).map(([name, count]) => {
    return [prefix + name.charAt(0).toUpperCase() + name.slice(1), count] as const
  })
  return Object.fromEntries(named)
}
