/**
 * One local interface, a member of one VLAN: turns its frames into sealed packets and back, and keeps
 * registered what it listens to: its own MAC, broadcast, the MACs of machines bridged behind it
 * (mesh:S4) and the multicast groups that were joined (mesh:S3). It knows frames, keys and tokens, and
 * nothing of links.
 *
 * Not here yet: the General Query that finds groups joined before the port opened (mesh:S3b), and taking
 * all groups for a multicast router behind the port (mesh:S3c).
 */
import { ByteTable, FIRST_WORD } from '../bytetable.ts'
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { jittered } from '../dice.ts'
import { UsageError } from '../errors.ts'
import {
  BROADCAST_MAC,
  hex,
  isGroupMac,
  MAC_NONCE_BYTES,
  type Mac,
  macText,
  ownMac,
  SALT_BYTES,
} from '../ids.ts'
import { type Hop, MILLISECOND, type Micros, NEVER, type PortId, SECOND, type VlanMembership } from '../io.ts'
import { TOKEN_OFFSET } from '../wire/packet.ts'
import { TRUNK_KIND, trunkHop } from '../wire/trunk.ts'
import { destinationOf, frameLength, goesToAll, isGroupFrame, snoop, sourceOf } from './ethernet.ts'
import { type Group, PAYLOAD_KIND, StaticGroup } from './group.ts'
import type { Member, Vlan } from './state.ts'
import { STATION_AGE, Stations } from './stations.ts'
import { Bucket } from './storm.ts'
import { PROOF_LIFETIME_MAX, TokenBook } from './tokens.ts'

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
  /** Everything that was asked for in this step is to be said now. */
  settle(now: Micros): void
  // HOT PATH
  send(now: Micros, port: Port, hop: Hop, packet: Uint8Array): void
}

export class Port implements Member {
  readonly id: PortId
  /** VLAN-ID, 16 bytes. */
  readonly vlan: Uint8Array
  readonly certified: boolean
  readonly mac: Mac
  /** What the registries know of the VLAN, by tree; set when it is registered. */
  homes: readonly Vlan[] = []
  readonly #context: Context
  readonly #trees: PortTrees
  readonly #group: Group
  readonly #book: TokenBook
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

  /** `taken`: whether another port of this node has that MAC in the same VLAN. */
  constructor(
    now: Micros,
    context: Context,
    trees: PortTrees,
    id: PortId,
    membership: VlanMembership,
    secret: Uint32Array,
    taken: (mac: Mac, vlan: Uint8Array) => boolean,
  ) {
    const { crypto, keys, config } = context
    if (membership.salt.length !== SALT_BYTES) {
      throw new UsageError(`a salt of ${membership.salt.length} bytes; it must have ${SALT_BYTES}`)
    }
    this.#context = context
    this.#trees = trees
    this.id = id
    this.#group = new StaticGroup({ crypto, keys, membership, now })
    this.vlan = this.#group.vlan
    this.certified = membership.privacy === 'private'
    this.#book = new TokenBook(crypto, {
      vlan: this.vlan,
      privacy: membership.privacy,
      salt: membership.salt,
    })
    // B9's choice among trees has one to choose from; hop limits are drawn once for a member (mesh:M9).
    this.#hop = trunkHop(TRUNK_KIND.data, 0, this.#group.firstHopLimit)
    this.#held = new ByteTable(secret, 2)
    this.#broadcasts = new Bucket(now, config.edgeBroadcasts)
    const draw = (): Mac => ownMac(crypto.hash, membership.memberKey, this.vlan, keys.bytes(MAC_NONCE_BYTES))
    let mac = draw()
    while (taken(mac, this.vlan)) mac = draw()
    this.mac = mac
    if (this.certified) this.#renewAt = now + jittered(context.dice, RENEW_PERIOD)
    context.deadline.lower(this.#renewAt)
  }

  /** Registers what every member listens to. */
  open(now: Micros): void {
    this.#listen(now, this.mac)
    this.#listen(now, BROADCAST_MAC)
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
    if (source !== this.mac && !this.#learn(now, source)) return
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
    counters.add(COUNT.sealed)
    const packet = this.#group.seal(now, PAYLOAD_KIND.frame, this.#book.token(target), frame)
    this.#trees.send(now, this, this.#hop, packet)
  }

  // HOT PATH
  packet(now: Micros, _hop: Hop, bytes: Uint8Array): boolean {
    const index = this.#held.find(bytes, TOKEN_OFFSET)
    if (index < 0) return false
    const { counters } = this.#context
    if (now < this.#shutUntil) {
      counters.add(COUNT.dropPortShut)
      return true
    }
    counters.add(COUNT.opened)
    const outcome = this.#group.open(bytes)
    if (outcome !== 'opened') {
      counters.add(COUNT[outcome])
      return true
    }
    const { kind, payload } = this.#group.opened
    if (kind !== PAYLOAD_KIND.frame || frameLength(payload) !== 'fits') {
      counters.add(COUNT.dropPlaintext)
      return true
    }
    const destination = destinationOf(payload)
    // A member could seal any frame to any token: it must be the one the frame belongs to.
    if ((goesToAll(destination) ? BROADCAST_MAC : destination) !== this.#macOf(index)) {
      counters.add(COUNT.dropNotOurToken)
      return true
    }
    const source = sourceOf(payload)
    if (source === this.mac) {
      counters.add(COUNT.dropMacConflict)
      return true
    }
    this.#seenElsewhere(now, source)
    counters.add(COUNT.framesDelivered)
    this.#context.out.deliver(this.id, payload)
    return true
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
    return Math.min(this.#ageAt, this.#renewAt)
  }

  #checkGroup(mac: Mac): void {
    // macText refuses what is no MAC at all.
    const text = macText(mac)
    if (isGroupMac(mac) && mac !== BROADCAST_MAC) return
    throw new UsageError(
      `${text} is not a multicast MAC; give one whose first byte is odd, other than broadcast`,
    )
  }

  #listen(now: Micros, mac: Mac): void {
    const token = this.#book.token(mac)
    if (this.#held.find(token, 0) >= 0) return
    const index = this.#held.add(token, 0)
    const word = index * this.#held.stride + FIRST_WORD
    this.#held.rows[word] = Math.floor(mac / TWO_TO_32)
    this.#held.rows[word + 1] = mac % TWO_TO_32
    this.#trees.hold(now, this, token, this.#proof(now, mac))
  }

  #unlisten(mac: Mac): void {
    const index = this.#held.find(this.#book.token(mac), 0)
    if (index >= 0) this.#drop(index)
  }

  #drop(index: number): void {
    const token = this.#held.key(index)
    this.#held.remove(index)
    this.#trees.release(this, token)
  }

  /** The sequence rises within a start by the clock and over starts by their count (48 bits). */
  #proof(now: Micros, mac: Mac): Uint8Array | undefined {
    if (!this.certified) return undefined
    this.#context.counters.add(COUNT.signed)
    const millis = Math.floor(now / MILLISECOND) % TWO_TO_32
    const sequence = (this.#context.boot % 65_536) * TWO_TO_32 + millis
    return this.#book.proof(mac, sequence, PROOF_LIFETIME_MAX)
  }

  #macOf(index: number): Mac {
    const word = index * this.#held.stride + FIRST_WORD
    return (this.#held.rows[word] as number) * TWO_TO_32 + (this.#held.rows[word + 1] as number)
  }

  #isHere(mac: Mac): boolean {
    return mac === this.mac || this.#stations.here(mac)
  }

  /** Looks at the source of a local frame; false if the frame is to be dropped. */
  #learn(now: Micros, mac: Mac): boolean {
    const { counters } = this.#context
    switch (this.#stations.learn(now, mac)) {
      case 'known':
        return true
      case 'new':
        this.#ageBy(now + STATION_AGE)
        this.#listen(now, mac)
        this.#trees.settle(now)
        return true
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
    for (const mac of this.#stations.age(now)) this.#unlisten(mac)
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
    for (let done = 0; done < RENEW_STEP && this.#renewRow < this.#held.end; this.#renewRow++) {
      if (!this.#held.has(this.#renewRow)) continue
      done += 1
      const mac = this.#macOf(this.#renewRow)
      this.#trees.hold(now, this, this.#held.key(this.#renewRow), this.#proof(now, mac))
    }
    const finished = this.#renewRow >= this.#held.end
    if (finished) this.#renewRow = 0
    this.#renewAt = now + (finished ? jittered(this.#context.dice, RENEW_PERIOD) : RENEW_PAUSE)
    this.#trees.settle(now)
  }
}
