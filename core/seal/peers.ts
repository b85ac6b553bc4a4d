/**
 * The other members as sealing sees them: plain records, changed by the parts that know the rules
 * (contacts.ts, session.ts, group-keys.ts). A peer is one leaf of the roster; a life is one start of its
 * process, named by a boot; a session is one direction of unicast.
 */
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import type { Card } from './cards.ts'
import { Offset } from './clock.ts'
import type { Reassembly } from './fragments.ts'
import { ABSENT_MAX, LEFT_BOOTS_MAX } from './limits.ts'
import type { SendKey } from './sending.ts'

/** A member's place in a roster. */
export interface RosterEntry {
  /** 32 bytes, the same for as long as it is a member. */
  readonly memberKey: Uint8Array
  /** 32 bytes, new at each join. */
  readonly leafKey: Uint8Array
}
/** By leaf index. */
export type Roster = ReadonlyMap<number, RosterEntry>

/** One start of a member, of which there is proof that it was alive after this member's own start. */
export class Life {
  readonly peer: Peer
  /** How many other starts of the member had been believed when this one was first heard of. */
  readonly after: number
  /** The boot that its group key is made of now, 16 bytes; successors take its place (derive.ts). */
  boot: Uint8Array
  /** The boot before, if there was one. */
  previous: Uint8Array | undefined = undefined
  /** Successors so far. */
  generation = 0
  /** Whether the key of the next boot is in the tables already. */
  hasSuccessor = false
  /** Group packets sealed before this, in the sender's milliseconds, may be replays of before our start. */
  readonly floorMillis: number
  readonly offset = new Offset()
  /** The highest `n` of its INITs (sec:A8). */
  initNumber = 0
  /** The highest number of its cards, −1 before the first. */
  cardNumber = -1

  constructor(peer: Peer, boot: Uint8Array, floorMillis: number) {
    this.peer = peer
    this.after = peer.starts
    this.boot = boot
    this.floorMillis = floorMillis
  }
}

/** From this member to a peer. */
export class SendSession {
  readonly peer: Peer
  /** The life of the peer whose frame key it was made for: another start of the peer knows nothing of it. */
  readonly life: Life
  /** Serial of the epoch that its INIT belongs to. */
  readonly initSerial: number
  readonly token: Uint8Array
  /** e_pub | box: the same bytes at each repeat (sec:A8). */
  readonly init: Uint8Array
  /** H16 of e_pub: what acknowledges it. */
  readonly ephemeralHash: Uint8Array
  readonly root: Uint8Array
  readonly since: Micros
  acknowledged = false
  /** Repeats of the INIT so far, and when the next is due by itself. */
  repeats = 0
  repeatAt: Micros = NEVER
  /** When traffic may repeat it next. */
  retryAt: Micros = 0
  /** The key that was used last and the serial of its epoch; all keys are kept by their epochs. */
  keySerial = -1
  key: SendKey | undefined = undefined

  constructor(fields: {
    readonly peer: Peer
    readonly life: Life
    readonly initSerial: number
    readonly token: Uint8Array
    readonly init: Uint8Array
    readonly ephemeralHash: Uint8Array
    readonly root: Uint8Array
    readonly since: Micros
  }) {
    this.peer = fields.peer
    this.life = fields.life
    this.initSerial = fields.initSerial
    this.token = fields.token
    this.init = fields.init
    this.ephemeralHash = fields.ephemeralHash
    this.root = fields.root
    this.since = fields.since
  }
}

/** From a peer to this member. */
export interface ReceiveSession {
  readonly life: Life
  /** 32 bytes: a known one is answered without work (sec:A9). */
  readonly ephemeral: Uint8Array
  readonly ephemeralHash: Uint8Array
  readonly root: Uint8Array
  readonly until: Micros
}

export class Peer {
  readonly leaf: number
  readonly entry: RosterEntry
  /** The newest card of the current life. */
  card: Card | undefined = undefined
  /** The life that the newest card belongs to. */
  current: Life | undefined = undefined
  /** All lives that may still speak: the current one, and others of which an INIT came before a card. */
  lives: Life[] = []
  /** Boots that are over, the oldest first: not taken up again (sec:A11). */
  readonly left: Uint8Array[] = []
  /** How many of its starts were believed. */
  starts = 0
  /** The highest wall time of its cards. */
  wallMillis = 0
  sending: SendSession | undefined = undefined
  /** Takes the place of `sending` once it is acknowledged. */
  upcoming: SendSession | undefined = undefined
  /** What acknowledged the session before `sending`: an INIT that crossed its replacement still says it. */
  formerHash: Uint8Array | undefined = undefined
  receiving: ReceiveSession[] = []
  /** H16 of the ephemeral key of the last INIT from it, which the next INIT to it acknowledges. */
  ephemeralHash: Uint8Array | undefined = undefined
  /** An INIT from it waits for an answer until its card is here. */
  owesAnswer = false
  /** Serial of the newest epoch that it was seen in. */
  seenSerial = 0
  /** When it is asked for a card again, and how often it was. */
  askAt: Micros = NEVER
  asks = 0
  /** Before then it is not asked for the sake of packets under unknown keys. */
  missNext: Micros = 0
  reassembly: Reassembly | undefined = undefined

  constructor(leaf: number, entry: RosterEntry) {
    this.leaf = leaf
    this.entry = entry
  }

  /** Remembers a boot as over. */
  leaveBoot(boot: Uint8Array): void {
    this.left.push(boot)
    if (this.left.length > LEFT_BOOTS_MAX) this.left.shift()
  }
}

/**
 * The peers of the adopted roster, by leaf index; each is made when it is first heard or spoken to. Those
 * whose leaf is not in the roster are kept aside: on another branch they may be in it again, and they know
 * of no change and go on with the sessions that they had.
 */
export class Peers {
  #roster: Roster = new Map()
  #self = -1
  readonly #peers = new Map<number, Peer>()
  readonly #absent = new Set<Peer>()

  /** Takes the new roster; answers who is not in it any more, and who is not remembered any more either. */
  adopt(roster: Roster, self: number): { readonly absent: Peer[]; readonly forgotten: Peer[] } {
    this.#roster = roster
    this.#self = self
    const absent: Peer[] = []
    for (const [leaf, peer] of this.#peers) {
      if (this.#isPresent(peer)) continue
      this.#peers.delete(leaf)
      this.#absent.add(peer)
      absent.push(peer)
    }
    const forgotten: Peer[] = []
    for (const peer of this.#absent) {
      if (this.#isPresent(peer)) this.#peers.set(peer.leaf, peer)
      else if (this.#absent.size <= ABSENT_MAX) continue
      else forgotten.push(peer)
      this.#absent.delete(peer)
    }
    return { absent, forgotten }
  }

  #isPresent(peer: Peer): boolean {
    const entry = this.#roster.get(peer.leaf)
    return entry !== undefined && peer.leaf !== this.#self && sameBytes(entry.leafKey, peer.entry.leafKey)
  }

  /** Forgets the peers of a member that is refused; answers them. */
  remove(memberKey: Uint8Array): Peer[] {
    const gone: Peer[] = []
    for (const [leaf, peer] of this.#peers) {
      if (!sameBytes(peer.entry.memberKey, memberKey)) continue
      this.#peers.delete(leaf)
      gone.push(peer)
    }
    for (const peer of this.#absent) {
      if (!sameBytes(peer.entry.memberKey, memberKey)) continue
      this.#absent.delete(peer)
      gone.push(peer)
    }
    return gone
  }

  /** Forgets all of them, as after a start; answers them. */
  clear(): Peer[] {
    const all = [...this.#peers.values(), ...this.#absent]
    this.#peers.clear()
    this.#absent.clear()
    return all
  }

  // HOT PATH
  /** The record of a member if there is one. */
  find(leaf: number): Peer | undefined {
    return this.#peers.get(leaf)
  }

  /** The record of a member, made if need be; undefined for oneself and for who is not in the roster. */
  get(leaf: number): Peer | undefined {
    const known = this.#peers.get(leaf)
    if (known !== undefined) return known
    const entry = this.#roster.get(leaf)
    if (entry === undefined || leaf === this.#self) return undefined
    const peer = new Peer(leaf, entry)
    this.#peers.set(leaf, peer)
    return peer
  }

  /** The same member by the leaf key that an epoch gives it: undefined if it has another one now. */
  of(leaf: number, entry: RosterEntry): Peer | undefined {
    const peer = this.get(leaf)
    return peer !== undefined && sameBytes(peer.entry.leafKey, entry.leafKey) ? peer : undefined
  }

  /** Those of the roster and those kept aside. */
  everyone(): Peer[] {
    return [...this.#peers.values(), ...this.#absent]
  }

  values(): IterableIterator<Peer> {
    return this.#peers.values()
  }
}
