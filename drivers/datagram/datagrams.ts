/**
 * Datagrams beside the streams of trunks (design, section 7; sec:S11), in the thread of the core: it has keys
 * agreed on over a trunk's control stream, finds paths, and moves data over them, sealed hop by hop. The core
 * sees one trunk as before. Its control goes by the stream alone: it counts on what it says there arriving,
 * and in order; of data it knows that it may be lost or overtaken (core/io.ts), and so data goes by a path
 * while that is proven both ways, and by the stream whenever it is not. Nobody else need know: the trunk
 * lives as long as its streams.
 *
 * Knows trunks by their numbers, and neither libp2p nor what packets say. Sources of the rules: sec:S11, S4,
 * S12.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import { type Hop, type LinkId, type Micros, NEVER, type PeerId, SECOND } from '../../core/io.ts'
import { type WallClock, WallWatch } from '../../core/seal/clock.ts'
import { readU32 } from '../../core/wire/cursor.ts'
import { endpointAt, type Family, isFrom } from '../linux/udp.ts'
import { KEY_LIMITS, type KeyLimits, type KeySet } from './keys.ts'
import { type Counts, DatagramLink, type DatagramView, type LinkWorld } from './link.ts'
import {
  Bench,
  counterAt,
  DATAGRAM,
  DATAGRAM_BYTES_MIN,
  indexAt,
  OVERHEAD_BYTES,
  PAYLOAD_MAX,
} from './packet.ts'
import type { Wire } from './wire.ts'

/**
 * A trunk has up to eight sets of keys: those in use, the next, one that is asked for, and those that were
 * replaced in the last 10 s, of which offers allow five. The core has 64 trunks at most.
 */
const SLOTS = 1_024
const SLOT_MASK = SLOTS - 1
/** So long between two turns of a thread that sleeps for a quarter of a second: the machine stood still. */
const ASLEEP: Micros = 5 * SECOND
/** How often it is looked whether this machine has other addresses. */
const HOSTS_EVERY: Micros = 5 * SECOND

export interface DatagramWorld {
  readonly self: PeerId
  readonly crypto: Crypto
  readonly keys: Keys
  /** By the control stream of a trunk, reliable and in order. */
  say(link: LinkId, bytes: Uint8Array): void
  /** The bytes are lent until this returns. */
  packet(link: LinkId, hop: Hop, bytes: Uint8Array): void
  /** Data of the trunk goes by datagrams now, or by the stream; never told inside of `send`. */
  turned(link: LinkId, byDatagrams: boolean, why: string): void
  /** Its control stream is dead, or the other end has given the trunk up: it is to be hung up. */
  dead(link: LinkId): void
  /** IP addresses of this machine but those inside of what trunks carry. */
  hosts(): readonly string[]
  readonly avoids: (host: string) => boolean
  readonly wall: WallClock
}

export class Datagrams {
  readonly #world: DatagramWorld
  readonly #wire: Wire
  readonly #bench: Bench
  readonly #limits: KeyLimits
  readonly #links = new Map<LinkId, DatagramLink>()
  /** By the last bits of the index that a datagram names. */
  readonly #sets: (KeySet | undefined)[] = Array.from({ length: SLOTS })
  readonly #owners: (DatagramLink | undefined)[] = Array.from({ length: SLOTS })
  #nextSlot = 1
  readonly #wall: WallWatch
  #now: Micros = 0
  #due: Micros = NEVER
  /** Not looked yet. */
  #hosts: string | undefined
  #hostsAt: Micros = 0
  readonly #counts: Counts = {
    datagramsIn: 0,
    datagramsOut: 0,
    datagramPaths: 0,
    datagramPathsLost: 0,
    datagramStreamsDead: 0,
    datagramKeys: 0,
    dropDatagramLength: 0,
    dropDatagramType: 0,
    dropDatagramIndex: 0,
    dropDatagramReplay: 0,
    dropDatagramSeal: 0,
    dropDatagramShape: 0,
    dropDatagramPiece: 0,
    dropDatagramFull: 0,
    dropDatagramAnswer: 0,
    dropDatagramSource: 0,
    dropDatagramPing: 0,
    dropDatagramLearned: 0,
    datagramOffersRefused: 0,
    datagramCandidatesRefused: 0,
  }

  constructor(world: DatagramWorld, wire: Wire, limits: KeyLimits = KEY_LIMITS) {
    this.#world = world
    this.#wire = wire
    this.#limits = limits
    this.#wall = new WallWatch(world.wall)
    this.#bench = new Bench(world.crypto.aead, wire.memory)
  }

  // Trunks come and go.

  /** `remote`: the IP address of the peer, as far as the stream's connection has one. */
  linkUp(now: Micros, id: LinkId, peer: PeerId, dialled: boolean, remote: string | undefined): void {
    this.at(now)
    const world: LinkWorld = {
      ...this.#world,
      say: (bytes) => this.#world.say(id, bytes),
      packet: (hop, bytes) => this.#world.packet(id, hop, bytes),
      turned: (byDatagrams, why) => this.#world.turned(id, byDatagrams, why),
      dead: () => this.#world.dead(id),
      ports: this.#wire.ports,
      place: (link) => this.#place(link),
      register: (index, set) => {
        this.#sets[index & SLOT_MASK] = set
      },
      free: (index) => this.#free(index),
      outgoing: (family: Family) => this.#wire.outgoing(family),
    }
    const link = new DatagramLink(
      world,
      this.#bench,
      this.#counts,
      this.#limits,
      { id, peer, dialled, remote },
      now,
    )
    this.#links.set(id, link)
    link.tend(now)
    this.#due = Math.min(this.#due, link.due, this.#hostsAt)
  }

  /**
   * Its keys are erased, sooner than they have to be (sec:S11): a trunk that comes again agrees on others.
   */
  linkDown(id: LinkId): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    this.#links.delete(id)
    link.end()
  }

  /** Something came on the control stream. */
  heardControl(now: Micros, id: LinkId): void {
    this.#links.get(id)?.heardControl(now)
  }

  /** What the other end says about datagrams on the control stream. */
  said(now: Micros, id: LinkId, bytes: Uint8Array): void {
    this.at(now)
    const link = this.#links.get(id)
    if (link === undefined) return
    link.said(now, bytes)
    this.#due = Math.min(this.#due, link.due)
  }

  // Data.

  // HOT PATH
  /**
   * Before any of the following within one turn. At the beginning of a new life of this member (sec:A2) all
   * keys are erased: a copy of the machine has the same ones, and would seal with the same counters.
   */
  at(now: Micros): void {
    const isNewLife = now - this.#now > ASLEEP || this.#wall.jumped(now)
    this.#now = now
    if (!isNewLife || this.#links.size === 0) return
    for (const link of this.#links.values()) {
      link.renew(now)
      this.#due = Math.min(this.#due, link.due)
    }
  }

  // HOT PATH
  /** False: it is to go by the stream. */
  send(id: LinkId, hop: Hop, packet: Uint8Array): boolean {
    const link = this.#links.get(id)
    if (link === undefined) return false
    const isSent = link.send(this.#now, hop, packet)
    if (link.due < this.#due) this.#due = link.due
    return isSent
  }

  // HOT PATH
  /** Takes what has come; true if there may be more. */
  receive(): boolean {
    return this.#wire.receive(this.#take)
  }

  // HOT PATH
  /** What was sent in this turn goes out. False while the system has no room for it. */
  flush(): boolean {
    return this.#wire.flush()
  }

  /** When `tend` has something to do. */
  get due(): Micros {
    return this.#due
  }

  /** After `receive`, so that nothing counts as missed that is there. */
  tend(now: Micros): void {
    this.at(now)
    if (this.#due > now) return
    this.#lookForHosts(now)
    let due = NEVER
    for (const link of this.#links.values()) {
      if (link.due <= now) link.tend(now)
      due = Math.min(due, link.due)
    }
    this.#due = this.#links.size === 0 ? NEVER : Math.min(due, this.#hostsAt)
  }

  /** Of the path that data of the link goes by. */
  familyOf(id: LinkId): Family | undefined {
    return this.#links.get(id)?.family
  }

  views(): DatagramView[] {
    return [...this.#links.values()].map((link) => link.view())
  }

  counts(): Readonly<Record<string, number>> {
    return this.#counts
  }

  // HOT PATH
  readonly #take = (at: number, length: number, name: number): void => {
    const counts = this.#counts
    const { memory, names } = this.#wire
    counts.datagramsIn += 1
    if (length < DATAGRAM_BYTES_MIN || length > PAYLOAD_MAX) {
      counts.dropDatagramLength += 1
      return
    }
    const type = memory[at] as number
    if (type < DATAGRAM.data || type > DATAGRAM.end) {
      counts.dropDatagramType += 1
      return
    }
    const index = indexAt(memory, at)
    const set = this.#sets[index & SLOT_MASK]
    const link = this.#owners[index & SLOT_MASK]
    if (set === undefined || link === undefined || set.receiveIndex !== index) {
      // Whoever sends it learns nothing, not even that somebody is here.
      counts.dropDatagramIndex += 1
      return
    }
    const counter = counterAt(memory, at)
    if (counter < 0 || !set.window.accepts(counter)) {
      counts.dropDatagramReplay += 1
      return
    }
    if (!this.#bench.open(set.openKey, at, length)) {
      set.failed += 1
      counts.dropDatagramSeal += 1
      return
    }
    set.window.mark(counter)
    const isNewest = counter > set.highest && set.until === NEVER
    if (counter > set.highest) set.highest = counter
    const isKnown = link.lastFrom !== undefined && isFrom(link.lastFrom, names, name)
    const from = isKnown ? link.lastFrom : endpointAt(names, name)
    if (from === undefined) return
    link.opened(this.#now, set, type, length - OVERHEAD_BYTES, from, isNewest)
    if (link.due < this.#due) this.#due = link.due
  }

  #lookForHosts(now: Micros): void {
    if (now < this.#hostsAt) return
    this.#hostsAt = now + HOSTS_EVERY
    const hosts = this.#world.hosts().join(' ')
    if (hosts === this.#hosts) return
    const isFirst = this.#hosts === undefined
    this.#hosts = hosts
    if (!isFirst) for (const link of this.#links.values()) link.moved(now)
  }

  /** An index that nobody guesses, and that says where its keys are. */
  #place(link: DatagramLink): number | undefined {
    for (let tried = 0; tried < SLOTS; tried++) {
      const slot = this.#nextSlot
      this.#nextSlot = (slot + 1) & SLOT_MASK
      if (slot === 0 || this.#owners[slot] !== undefined) continue
      this.#owners[slot] = link
      const bits = readU32(this.#world.keys.bytes(4), 0)
      return ((bits & ~SLOT_MASK) | slot) >>> 0
    }
    return undefined
  }

  #free(index: number): void {
    this.#sets[index & SLOT_MASK] = undefined
    this.#owners[index & SLOT_MASK] = undefined
  }
}
