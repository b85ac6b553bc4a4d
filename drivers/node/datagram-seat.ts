/**
 * Datagrams in the thread of the core (drivers/datagram): its sockets among what is waited for, and for each
 * trunk whether data goes by them or by the stream. What the stream tells of its room counts only while data
 * goes by it, and the room of a socket only for the links whose data goes by that.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import { peerIdOf } from '../../core/ids.ts'
import {
  CHANNEL,
  type Channel,
  CLOSE,
  type CloseReason,
  type Hop,
  type LinkId,
  type Micros,
  type PeerId,
} from '../../core/io.ts'
import { hopKind } from '../../core/wire/trunk.ts'
import { Datagrams } from '../datagram/datagrams.ts'
import type { DatagramView } from '../datagram/link.ts'
import { CARRIER_HOP, CARRIER_KIND } from '../datagram/offer.ts'
import { openWire, type UdpWire } from '../datagram/wire.ts'
import type { Libc } from '../linux/libc.ts'
import { POLL, type Poller } from '../linux/poller.ts'
import type { Answer, CoreStart, LogEntry } from './messages.ts'
import { Overlay } from './overlay.ts'

/** What the thread of the core does for anyone. */
export interface Thread {
  send(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void
  hangUp(link: LinkId, reason: CloseReason): void
  mail(answer: Answer): void
  log(entry: LogEntry): void
}

export interface Data {
  packet(link: LinkId, hop: Hop, bytes: Uint8Array): void
  /** Whether data of the link has room now. */
  ready(link: LinkId, ready: boolean): void
}

interface Secrets {
  readonly crypto: Crypto
  readonly keys: Keys
  wallMillis(): number
}

interface Known {
  readonly peer: PeerId
  readonly dialled: boolean
}

export class DatagramSeat {
  readonly overlay = new Overlay()
  readonly #thread: Thread
  readonly #data: Data
  readonly #poller: Poller
  readonly #wire: UdpWire
  readonly #datagrams: Datagrams
  readonly #known = new Map<LinkId, Known>()
  /** Links whose stream has no room for data. */
  readonly #full = new Set<LinkId>()
  /** Links whose data goes by datagrams. */
  readonly #used = new Set<LinkId>()
  /** Links of which was told that their data has no room. */
  readonly #held = new Set<LinkId>()
  #waits = false

  constructor(
    self: PeerId,
    secrets: Secrets,
    thread: Thread,
    data: Data,
    wire: UdpWire,
    poller: Poller,
    announce: readonly string[],
  ) {
    this.#thread = thread
    this.#data = data
    this.#wire = wire
    this.#poller = poller
    for (const fd of wire.files) poller.add(fd)
    this.#datagrams = new Datagrams(
      {
        self,
        crypto: secrets.crypto,
        keys: secrets.keys,
        say: (link, bytes) => thread.send(link, CHANNEL.control, CARRIER_HOP, bytes),
        packet: (link, hop, bytes) => data.packet(link, hop, bytes),
        turned: (link, byDatagrams, why) => this.#turned(link, byDatagrams, why),
        dead: (link) => thread.hangUp(link, CLOSE.dead),
        hosts: () => [...announce, ...this.overlay.hosts()],
        avoids: (host) => this.overlay.avoids(host),
        wall: { millis: () => secrets.wallMillis() },
      },
      wire,
    )
  }

  linkUp(link: LinkId, peer: PeerId, dialled: boolean): void {
    this.#known.set(link, { peer, dialled })
  }

  /** Where the peer of a link that is up is, as its connection has it. */
  remote(now: Micros, link: LinkId, host: string | undefined): void {
    const known = this.#known.get(link)
    if (known !== undefined) this.#datagrams.linkUp(now, link, known.peer, known.dialled, host)
  }

  linkDown(link: LinkId): void {
    this.#known.delete(link)
    this.#full.delete(link)
    this.#used.delete(link)
    this.#held.delete(link)
    this.#datagrams.linkDown(link)
  }

  /** Something came on a control stream. False: it is for the core. */
  controlled(now: Micros, link: LinkId, hop: Hop, bytes: Uint8Array): boolean {
    this.#datagrams.heardControl(now, link)
    if (hopKind(hop) !== CARRIER_KIND) return false
    this.#datagrams.said(now, link, bytes)
    return true
  }

  /** The stream's data has room, or no more. */
  streamReady(link: LinkId, ready: boolean): void {
    if (ready) this.#full.delete(link)
    else this.#full.add(link)
    this.#tellRoom(link)
  }

  // HOT PATH
  /** False: by the stream. */
  send(link: LinkId, hop: Hop, packet: Uint8Array): boolean {
    return this.#datagrams.send(link, hop, packet)
  }

  // HOT PATH
  /** What has come, some of it; true if there may be more. */
  receive(now: Micros): boolean {
    this.#datagrams.at(now)
    return this.#datagrams.receive()
  }

  // HOT PATH
  /** At the end of a turn: what is due, and all that was sent. */
  settle(now: Micros): void {
    if (this.#datagrams.due <= now) this.#datagrams.tend(now)
    const isDone = this.#datagrams.flush()
    if (isDone && !this.#waits) return
    this.#listen(!isDone)
    for (const link of this.#used) this.#tellRoom(link)
  }

  get due(): Micros {
    return this.#datagrams.due
  }

  views(): readonly DatagramView[] {
    return this.#datagrams.views()
  }

  counts(): Readonly<Record<string, number>> {
    const { refused, tooLong, truncated } = this.#wire.counts
    return {
      ...this.#datagrams.counts(),
      dropDatagramRefused: refused,
      dropDatagramTooLong: tooLong,
      dropDatagramTruncated: truncated,
    }
  }

  close(): void {
    for (const fd of this.#wire.files) this.#poller.remove(fd)
    this.#wire.close()
  }

  #turned(link: LinkId, byDatagrams: boolean, why: string): void {
    if (byDatagrams) this.#used.add(link)
    else this.#used.delete(link)
    const message = byDatagrams ? 'data goes by datagrams' : 'data goes by the stream'
    this.#thread.log({ level: 'info', module: 'trunks', message, details: { link, why } })
    this.#tellRoom(link)
    if (!byDatagrams) this.#thread.mail({ kind: 'doubt', link })
  }

  #tellRoom(link: LinkId): void {
    const family = this.#used.has(link) ? this.#datagrams.familyOf(link) : undefined
    const isHeld = family === undefined ? this.#full.has(link) : this.#wire.isFull(family)
    if (isHeld === this.#held.has(link)) return
    if (isHeld) this.#held.add(link)
    else this.#held.delete(link)
    this.#data.ready(link, !isHeld)
  }

  #listen(forRoom: boolean): void {
    this.#waits = forRoom
    const full = new Set(this.#wire.fullFiles)
    for (const fd of this.#wire.files)
      this.#poller.add(fd, full.has(fd) ? POLL.readable | POLL.writable : POLL.readable)
  }
}

/** Undefined where the owner wants none or, with a word in the log, where there are no sockets to be had. */
export function openDatagrams(
  { datagrams: order, selfSeed }: Pick<CoreStart, 'datagrams' | 'selfSeed'>,
  libc: Libc,
  poller: Poller,
  secrets: Secrets,
  thread: Thread,
  data: Data,
): DatagramSeat | undefined {
  if (order === undefined) return undefined
  const wire = openWire(libc, { port: order.port, segment: order.offload, gro: order.offload })
  const log = (level: LogEntry['level'], message: string, details = {}): void =>
    thread.log({ level, module: 'trunks', message, details })
  if (wire === undefined) {
    log('warn', 'no UDP here: data goes by streams alone')
    return undefined
  }
  const ports = Object.fromEntries([...wire.ports].map(([family, port]) => [`ip${family}`, port]))
  const isOwn = [...wire.ports.values()].every((port) => port === order.port)
  log(isOwn ? 'info' : 'warn', isOwn ? 'datagrams' : 'the port for datagrams is taken: others are used', {
    ports,
    offloads: wire.offloads,
  })
  const self = peerIdOf(secrets.crypto.signatures.publicKey(selfSeed))
  return new DatagramSeat(self, secrets, thread, data, wire, poller, order.announce)
}
