/**
 * Sealed packets of one membership in an MLS group (sec:A, B9, B10). This folder knows keys, members and
 * time; it knows nothing of MLS, of the ledger, of trees and of ports. `Sealer` puts its parts together:
 *
 *     epoch, epochs                  keys from an exporter; which epoch is sealed and received under
 *     contacts, peers                which starts of other members are believed
 *     group-keys                     one key for each sender of group frames
 *     session, receiving, init       unicast, one direction each
 *     cards, announcer, directory    who is there, and which MAC is behind whom
 *     frames, outbound, fragments    payload to packets
 *     intake, inbound, hold          packet to payload
 *
 * To drive it: `adopt` each epoch that the group's logic adopts; `seal` frames, `announce` handshakes and
 * facts, `open` what comes; after each call `drain`, and `wake` when `deadline` has come. What a peer sends
 * is never thrown: it is counted by name. All limits stand in limits.ts.
 *
 * Where this departs from the text of sec:A, the file that does it says why: first contact by wall clock
 * (clock.ts), challenges for one member and one start (own.ts), INITs and epochs as proof of life
 * (contacts.ts), when cards are sent and asked for (announcer.ts), the boot after a used-up key (derive.ts),
 * drift of clocks (clock.ts), how an INIT is acknowledged (cards.ts), epochs that come back (epochs.ts,
 * `adopt`), members that come back (peers.ts).
 *
 * Memory of what was received lives as long as this object: a process that starts again makes a new one,
 * whose boot, frame key and challenge are drawn afresh, so that nothing sealed before reaches it as new.
 */
import { Deadline } from '../context.ts'
import { COUNT, type Counters } from '../counters.ts'
import type { Crypto } from '../crypto/ports.ts'
import type { Dice, Keys } from '../dice.ts'
import { UsageError } from '../errors.ts'
import { type Mac, sameBytes, VLAN_ID_BYTES } from '../ids.ts'
import { type LinkId, type Micros, NEVER } from '../io.ts'
import { PAYLOAD_KIND, type Padding, type PayloadKind } from '../vlan/plaintext.ts'
import { isDataPacket, TRUNK_PACKET_BYTES } from '../wire/packet.ts'
import { Announcer } from './announcer.ts'
import { Budgets } from './budgets.ts'
import { type WallClock, WallWatch } from './clock.ts'
import { Contacts } from './contacts.ts'
import {
  type Opened,
  type Reach,
  type SealContext,
  type SealEvent,
  SealOutbox,
  type SignPolicy,
} from './context.ts'
import { Directory } from './directory.ts'
import { Epoch, type EpochSource } from './epoch.ts'
import { Epochs } from './epochs.ts'
import { Frames, GROUP, type SealOutcome } from './frames.ts'
import { GroupKeys } from './group-keys.ts'
import type { ReadyPacket } from './hold.ts'
import { Inbound } from './inbound.ts'
import { Intake, type OpenOutcome } from './intake.ts'
import {
  ENTERING_MAX,
  KEY_LIMITS,
  type KeyLimits,
  PACE_ALONE_FROM,
  PACE_PAUSE,
  PACE_STEP,
  PACE_TO_ONE_STEP,
  REASSEMBLY_BYTES_ALL,
  REOPEN_STEP,
  STEP_PAUSE,
} from './limits.ts'
import { Outbound } from './outbound.ts'
import { type MemberTokens, OwnMember, type Profile } from './own.ts'
import { type Peer, Peers } from './peers.ts'
import { Receiving } from './receiving.ts'
import { Sessions } from './session.ts'

/** Smallest packets that frames may be cut for: every trunk carries far more (mesh:M10). Guess. */
const PACKET_BYTES_MIN = 512

/** Where the effects of a step go. Bytes are the receiver's to keep. */
export interface SealEffects {
  /** A whole packet; its token says where to (core/wire/packet.ts). */
  send(packet: Uint8Array): void
  /** A packet that was held has opened: as after `open`. */
  opened(opened: Opened): void
  event(event: SealEvent): void
}

export interface SealerOptions {
  readonly now: Micros
  readonly crypto: Crypto
  readonly keys: Keys
  readonly dice: Dice
  readonly counters: Counters
  readonly wall: WallClock
  /** VLAN-ID, 16 bytes. */
  readonly vlan: Uint8Array
  /** This member's public key in the VLAN, 32 bytes. */
  readonly memberKey: Uint8Array
  readonly tokens: MemberTokens
  /** Whether another port of this machine has that MAC in the VLAN. */
  readonly isTaken?: (mac: Mac) => boolean
  /** What its first MAC begins with, 16 bytes; drawn if not given. */
  readonly macNonce?: Uint8Array | undefined
  /** What own packets set out with (mesh:M9). */
  readonly firstHopLimit: number
  readonly sign: SignPolicy
  readonly padding: Padding
  /** By default KEY_LIMITS; there to be lowered where the end of a key is what is looked at. */
  readonly keyLimits?: KeyLimits
}

export class Sealer {
  readonly directory: Directory
  readonly #context: SealContext
  readonly #watch: WallWatch
  readonly #contacts: Contacts
  readonly #groupKeys: GroupKeys
  readonly #outbound: Outbound
  readonly #receiving: Receiving
  readonly #sessions: Sessions
  readonly #announcer: Announcer
  readonly #frames: Frames
  readonly #intake: Intake
  #epochSerial = 0
  /** When more of what is paced may leave. */
  #pacedAt: Micros = 0
  /** Whether the line of epochs began in this life, so that all of its epochs are of it (contacts.ts). */
  #isLineNew = false

  constructor(options: SealerOptions) {
    const { crypto, keys, dice, counters, vlan, sign, padding, firstHopLimit } = options
    if (vlan.length !== VLAN_ID_BYTES) throw new UsageError(`a VLAN-ID of ${vlan.length} bytes; it has 16`)
    const out = new SealOutbox()
    this.#context = {
      crypto,
      keys,
      dice,
      counters,
      vlan,
      sign,
      padding,
      firstHopLimit,
      keyLimits: options.keyLimits ?? KEY_LIMITS,
      own: new OwnMember(options),
      epochs: new Epochs((epoch) => out.note({ kind: 'epochErased', mlsId: epoch.mlsId })),
      peers: new Peers(),
      pool: { bytes: 0, limit: REASSEMBLY_BYTES_ALL },
      out,
      deadline: new Deadline(),
      opened: {
        kind: PAYLOAD_KIND.frame,
        payload: new Uint8Array(0),
        way: 'group',
        leaf: GROUP,
        sequence: 0,
        firstHopLimit: 0,
        sentMillis: 0,
        mlsId: new Uint8Array(0),
      },
    }
    const installed = (index: number): void => this.#intake.onKey(index)
    const budgets = new Budgets()
    this.#watch = new WallWatch(options.wall)
    this.#watch.jumped(options.now)
    this.directory = new Directory(this.#context)
    this.#groupKeys = new GroupKeys(this.#context, installed)
    this.#contacts = new Contacts(this.#context, this.#groupKeys)
    this.#outbound = new Outbound(this.#context)
    this.#receiving = new Receiving(this.#context, this.#contacts, budgets, installed)
    this.#sessions = new Sessions(this.#context, this.#outbound, this.#receiving)
    this.#announcer = new Announcer(this.#context, this.#outbound, this.#groupKeys)
    this.#frames = new Frames(this.#context, this.#outbound, this.#groupKeys, this.#sessions)
    this.#intake = new Intake(this.#context, {
      inbound: new Inbound(this.#context, budgets, this.#contacts, this.#groupKeys),
      sessions: this.#sessions,
      contacts: this.#contacts,
      announcer: this.#announcer,
      directory: this.directory,
    })
  }

  // What is.

  /** What the last packet that `open` called `opened` held. */
  get opened(): Opened {
    return this.#context.opened
  }

  get mac(): Mac {
    return this.#context.own.mac
  }

  /** MACs of the other members by leaf, of those whose card is here. */
  macs(): ReadonlyMap<number, Mac> {
    const macs = new Map<number, Mac>()
    for (const { leaf, card } of this.#context.peers.values())
      if (card !== undefined) macs.set(leaf, card.mac)
    return macs
  }

  /** The MAC of a member by its card; undefined while there is none. */
  macOf(leaf: number): Mac | undefined {
    return this.#context.peers.find(leaf)?.card?.mac
  }

  // HOT PATH
  /** Whether a packet is of an epoch that is received under. */
  isOfEpoch(packet: Uint8Array): boolean {
    return isDataPacket(packet) && this.#context.epochs.ofPacket(packet) !== undefined
  }

  /** The adopted epoch's MLS-ID, or undefined before the first. */
  get mlsId(): Uint8Array | undefined {
    return this.#context.epochs.current?.mlsId
  }

  /** When `wake` is wanted next. */
  get deadline(): Micros {
    return this.#context.deadline.at
  }

  // Inputs.

  /**
   * Goes over to an epoch (sec:B10). Its parent is sealed under for 300 ms more if nobody was removed,
   * unless `grace` is false, as for a sibling. An epoch that was left and is still received under may be
   * adopted again; one whose keys are erased too, which starts a new life.
   */
  adopt(now: Micros, source: EpochSource, grace = true): void {
    const { epochs, peers } = this.#context
    const before = epochs.current
    const live = epochs.live(source.mlsId)
    if (live !== undefined && live === before) return
    const epoch = live ?? new Epoch(this.#context.crypto, this.#context.vlan, ++this.#epochSerial, source)
    const isOtherLeaf = before !== undefined && !sameBytes(before.leafKey, epoch.leafKey)
    // Keys of an erased epoch would start again from counter 0, and windows of its members from nothing.
    const needsLife =
      isOtherLeaf || epochs.isSpent(source.mlsId) || epochs.isFull || (live?.gone.size ?? 0) > 0
    epochs.adopt(now, epoch, grace && !needsLife)
    const { absent, forgotten } = peers.adopt(epoch.roster, epoch.self)
    for (const peer of absent) this.#suspend(peer)
    for (const peer of forgotten) this.#forget(peer)
    const isNewLife = needsLife || before === undefined
    if (isNewLife) this.#startLife(now, needsLife)
    else if (live === undefined) {
      this.#groupKeys.adopt(now, epoch)
      this.#receiving.adopt(epoch)
    }
    if (source.origin !== 'child') this.#isLineNew = source.origin === 'entered'
    epoch.isAfterStart = this.#isLineNew
    this.#announcer.adopted(now)
    if (isNewLife) this.#announcer.burst(now, true, ENTERING_MAX)
    this.#intake.onEpoch(epoch)
    this.#context.deadline.lower(now)
  }

  /**
   * A member was revoked or has left, as the ledger knows (sec:B9): nothing of it is taken any more, and
   * until an epoch without it is adopted nothing is sealed that it could open.
   */
  refuse(memberKey: Uint8Array): void {
    const { epochs, peers } = this.#context
    epochs.refuse(memberKey)
    for (const peer of peers.remove(memberKey)) this.#forget(peer)
  }

  /** A new life (sec:A2): the machine was copied, or slept. Jumps of the wall clock are seen here already. */
  restart(now: Micros): void {
    this.#startAgain(now)
  }

  /** The mesh is there, or there again: whoever is to be known by others says so once more, and asks. */
  present(now: Micros): void {
    if (this.#context.epochs.current !== undefined) this.#announcer.burst(now, true)
  }

  /** This member is about to speak to another alone: makes itself known to it first, once. */
  introduce(now: Micros, leaf: number): void {
    const peer = this.#context.peers.find(leaf)
    if (peer !== undefined) this.#announcer.introduce(now, peer)
  }

  /** Other tokens and another salt id, when the salt of the branch changed. */
  useTokens(tokens: MemberTokens): void {
    this.#context.own.tokens = tokens
  }

  /** What the next cards say beside what sealing needs. */
  setProfile(profile: Profile): void {
    this.#context.own.profile = profile
  }

  get profile(): Profile {
    return this.#context.own.profile
  }

  /** Says now what the next card would say. */
  sayCard(now: Micros): void {
    if (this.#context.epochs.current !== undefined) this.#announcer.burst(now, false)
  }

  // HOT PATH
  /**
   * Seals a payload to a token: for one member by its leaf index, or for GROUP. What does not fit packets
   * of `packetBytes` is cut. The packets come out of `drain`.
   */
  seal(
    now: Micros,
    kind: PayloadKind,
    leaf: number,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number = TRUNK_PACKET_BYTES,
  ): SealOutcome {
    if (packetBytes < PACKET_BYTES_MIN) refusePacketBytes(packetBytes)
    if (this.#watch.jumped(now)) this.#startAgain(now)
    const outcome = this.#frames.seal(now, kind, leaf, token, payload, packetBytes)
    if (outcome === 'dropNoCard') this.#askCard(now, leaf)
    return outcome
  }

  /**
   * Seals for all members under a token's channel key: handshakes, facts and control messages (sec:A7),
   * which must be idempotent. Handshakes and facts may go under a left epoch that is still received under,
   * and while the epoch has a refused member: the commit that removes it is one of them (sec:B9). `reach`:
   * the fewer copies relays make, the more may leave at a time.
   */
  announce(
    now: Micros,
    kind: PayloadKind,
    token: Uint8Array,
    body: Uint8Array,
    mlsId: Uint8Array | undefined = this.mlsId,
    reach: Reach = 'all',
  ): SealOutcome {
    const { epochs, counters } = this.#context
    const isGroupLogic = kind === PAYLOAD_KIND.handshake || kind === PAYLOAD_KIND.ledger
    if (!isGroupLogic && kind !== PAYLOAD_KIND.control) refuseKind(kind)
    const epoch = mlsId === undefined ? undefined : epochs.live(mlsId)
    let outcome: Exclude<SealOutcome, 'waiting'> = 'sealed'
    if (epoch === undefined || (!isGroupLogic && epoch !== epochs.current)) outcome = 'dropNoEpoch'
    else if (epochs.frozen && !isGroupLogic) outcome = 'dropFrozen'
    else if (!this.#outbound.sealChannel(now, epoch, kind, token, body, reach)) outcome = 'dropKeySpent'
    if (outcome !== 'sealed') counters.add(COUNT[outcome])
    return outcome
  }

  // HOT PATH
  /** Opens a packet that came on a link; fills `opened` if it says so. Counts every refusal by its name. */
  open(now: Micros, link: LinkId, packet: Uint8Array): OpenOutcome {
    if (this.#watch.jumped(now)) this.#startAgain(now)
    return this.#intake.open(now, link, packet)
  }

  /** What time brings: repeats, cards, ends. */
  wake(now: Micros): void {
    const { epochs, own, deadline } = this.#context
    deadline.at = NEVER
    if (this.#watch.jumped(now)) this.#startAgain(now)
    deadline.lower(epochs.wake(now))
    if (own.turnFrameKey(now)) this.#announcer.burst(now, false)
    deadline.lower(own.dueAt)
    this.#frames.flush(now)
    deadline.lower(this.#sendPaced(now))
    deadline.lower(this.#intake.wake(now))
    deadline.lower(this.#sessions.wake(now))
    deadline.lower(this.#receiving.wake(now))
    deadline.lower(this.#groupKeys.wake(now))
    deadline.lower(this.#announcer.wake(now))
    if (this.#intake.ready.length > 0) deadline.lower(now + STEP_PAUSE)
  }

  /** Hands over what the last inputs left, in order, and opens what was held. To be called after each. */
  drain(now: Micros, effects: SealEffects): void {
    const { packets, events } = this.#context.out
    const { ready } = this.#intake
    for (let left = Math.min(REOPEN_STEP, ready.length); left > 0; left--) {
      const { link, packet } = ready.shift() as ReadyPacket
      if (this.#intake.open(now, link, packet) === 'opened') effects.opened(this.#context.opened)
    }
    if (ready.length > 0) this.#context.deadline.lower(now + STEP_PAUSE)
    for (let index = 0; index < packets.length; index++) effects.send(packets[index] as Uint8Array)
    packets.length = 0
    for (let index = 0; index < events.length; index++) effects.event(events[index] as SealEvent)
    events.length = 0
  }

  /** The next packets of what goes out by and by; answers when there is more to send. */
  #sendPaced(now: Micros): Micros {
    const { all, few, one } = this.#context.out.paced
    if (all.length + few.length + one.length === 0) return NEVER
    if (this.#pacedAt > now) return this.#pacedAt
    const members = this.#context.epochs.current?.roster.size ?? 0
    const toAll = all.splice(0, members > PACE_ALONE_FROM ? 1 : PACE_STEP)
    for (const packet of [...toAll, ...few.splice(0, PACE_STEP), ...one.splice(0, PACE_TO_ONE_STEP)])
      this.#context.out.send(packet)
    this.#pacedAt = now + PACE_PAUSE
    return all.length + few.length + one.length > 0 ? this.#pacedAt : NEVER
  }

  /** Somebody is spoken to whose card is not here. */
  #askCard(now: Micros, leaf: number): void {
    const peer = this.#context.peers.get(leaf)
    if (peer !== undefined) this.#announcer.ask(now, peer)
  }

  /** Nothing is received from a peer until an epoch has it again. */
  #suspend(peer: Peer): void {
    this.#sessions.suspend(peer)
    this.#groupKeys.suspend(peer)
    this.#announcer.stopAsking(peer)
    this.directory.forget(peer.leaf)
    this.#intake.forget(peer)
  }

  /** Nothing more is sealed to or received from a peer. */
  #forget(peer: Peer): void {
    this.#sessions.dropPeer(peer)
    this.#groupKeys.dropPeer(peer)
    this.#contacts.leave(peer, () => true)
    this.#announcer.stopAsking(peer)
    this.directory.forget(peer.leaf)
    peer.card = undefined
    peer.current = undefined
    this.#intake.forget(peer)
  }

  /** A new life in the epoch that is adopted; its line is older. */
  #startAgain(now: Micros): void {
    this.#startLife(now, true)
    this.#announcer.burst(now, true)
  }

  /** Forgets what earlier lives sealed and received under. */
  #startLife(now: Micros, again: boolean): void {
    const { epochs, peers, own, out, counters } = this.#context
    if (again) {
      for (const peer of peers.clear()) this.#forget(peer)
      for (const epoch of epochs.all()) {
        epoch.forgetLives()
        epoch.gone.clear()
        epoch.isAfterStart = false
      }
      this.#isLineNew = false
      epochs.startLife()
      this.#groupKeys.clear()
      this.#announcer.clear()
      this.directory.clear()
      own.startLife(now)
    }
    counters.add(COUNT.livesStarted)
    out.note({ kind: 'lifeStarted' })
  }
}

/** Apart from the hot path, which must not build messages for errors that do not happen. */
function refusePacketBytes(packetBytes: number): never {
  throw new UsageError(`packets of ${packetBytes} bytes; they must have at least ${PACKET_BYTES_MIN}`)
}

function refuseKind(kind: PayloadKind): never {
  throw new UsageError(`kind ${kind} does not go under a channel key; seal it to a member or to the group`)
}
