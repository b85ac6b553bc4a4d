/**
 * The trunks of a node: their life, HELLOs and probes, queues for what cannot be sent yet. Knows
 * nothing of trees and VLANs but that trees have a line in each HELLO; it tells the node what opened
 * and what closed.
 *
 * Liveness (mesh:M18, text (c)): HELLOs are rare on idle links. Data that came is answered within a
 * second, so whoever sent data and heard nothing for 1.5 s probes three times and then hangs up.
 */

import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { jittered } from '../dice.ts'
import { peerKey } from '../ids.ts'
import {
  CHANNEL,
  type Channel,
  CLOSE,
  type CloseReason,
  type LinkId,
  MILLISECOND,
  type Micros,
  NEVER,
  type PeerId,
  SECOND,
} from '../io.ts'
import type { Tree } from '../tree/tree.ts'
import { KIND } from '../wire/kinds.ts'
import { decodeControl, encodeControl, struct, u8 } from '../wire/schema.ts'
import { CONTROL_HOP } from '../wire/trunk.ts'
import {
  encodeHello,
  type HelloSelf,
  helloVersions,
  helloWantsReply,
  isHello,
  takeHello,
  takeSummaries,
  VERSIONS,
} from './hello.ts'
import { Link, type LinkPort } from './link.ts'
import { LinkNumbers, NUMBER } from './numbers.ts'

/** Mesh text (c), limits: messages or bytes waiting on one control channel. */
const CONTROL_QUEUE_MESSAGES = 1_024
const CONTROL_QUEUE_BYTES = 262_144
/** mesh:M15: of these a channel that is ready again takes so many in a step, and more after a pause. */
const CONTROL_FLUSH = 64
const CONTROL_FLUSH_PAUSE: Micros = MILLISECOND
/** mesh:S24: packets waiting on one data channel, and for how long. */
const DATA_QUEUE_PACKETS = 64
const DATA_QUEUE_AGE: Micros = 20 * MILLISECOND
/** mesh:M14: a control channel that takes nothing for this long is given up. */
const CLOGGED_AFTER: Micros = 5 * SECOND
/** A peer that says no HELLO on a fresh link for this long speaks something else. Guess. */
const OPENING_LIMIT: Micros = 5 * SECOND
/** Data is answered after this long when nothing else went back (text (c)). */
const ANSWER_AFTER: Micros = SECOND
/**
 * Who is sent a stream of data and has none to send would not notice that it ended with the link: so after
 * each answer more of it is expected, within this share of the silence that who sends data allows.
 */
const STREAM_SILENCE = 0.5
/** So many packets since the answer before are a stream; fewer would cost a probe each time. Guess. */
const STREAM_PACKETS = 4
/**
 * A HELLO that falls due within this share of its period is said with another that is due: most HELLOs of a
 * node then go out together, and it wakes once for all of them. Within the jitter that text (c) allows.
 */
const TOGETHER = 0.1
/**
 * Periods that HELLOs of a tree link are apart at most when other messages come between. Beats come in every
 * second of these: a root then sends two packets instead of three in 10 s to each that hangs below. More
 * would leave half attached for longer what lost an UPDATE (R11).
 */
const HELLO_SPARED = 2
/** A peer that wants replies gets at most one in this time. A HELLO that crossed its question is none. */
const REPLY_SPACING: Micros = 100 * MILLISECOND
/** Idle HELLOs that may be missed before the link is probed (text (c)). */
const HELLOS_MISSED = 3

/** Links beyond the limit while peers ask to be let in and are answered. Guess. */
const LINKS_OPENING_MAX = 32
/**
 * Links beyond these that this node dialled: strangers who hold all other places keep nobody from finding
 * neighbours. More than it dials while one that says nothing is waited for. Guess.
 */
const LINKS_DIALLED_MAX = 8

const versionRefused = struct({ lowest: u8, highest: u8 })

export interface LinksListener {
  /** The peer's first HELLO came and the versions meet. */
  linkOpen(now: Micros, link: Link): void
  /** Gone for good, open or not. */
  linkClosed(now: Micros, link: Link, reason: CloseReason): void
  /** A HELLO was taken in; `measured`: with a fresh round trip. */
  helloTaken(now: Micros, link: Link, packet: Uint8Array, measured: boolean): void
}

interface Waiting {
  readonly hop: number
  readonly packet: Uint8Array
  readonly at: Micros
}

export class Links implements LinkPort {
  readonly #context: Context
  readonly #listener: LinksListener
  readonly #trees: readonly Tree[]
  readonly #self: HelloSelf
  readonly #dataQueues = new Map<LinkId, Waiting[]>()
  /** In the order of their places in `#numbers`. */
  #all: Link[] = []
  readonly #numbers = new LinkNumbers()
  #started = false
  /** The jitter that all HELLOs of one wake share, 0 outside: links that went together stay together. */
  #stride = 0

  constructor(context: Context, listener: LinksListener, trees: readonly Tree[], self: HelloSelf) {
    this.#context = context
    this.#listener = listener
    this.#trees = trees
    this.#self = self
  }

  get(id: LinkId): Link | undefined {
    const place = this.#numbers.find(id)
    return place < 0 ? undefined : this.#all[place]
  }

  byPeer(peer: PeerId): Link | undefined {
    for (const link of this.#all) if (link.peer === peer) return link
    return undefined
  }

  all(): readonly Link[] {
    return this.#all
  }

  /** From now on links are taken: what the node relies on has been stored. */
  start(): void {
    this.#started = true
  }

  linkUp(now: Micros, id: LinkId, peer: PeerId, dialled: boolean): void {
    // Before its start is stored a node answers nobody: whoever dialled will dial again.
    const most = this.#context.config.linkLimit + LINKS_OPENING_MAX + (dialled ? LINKS_DIALLED_MAX : 0)
    if (!this.#started || this.#all.length >= most) {
      this.#context.counters.add(COUNT.boundLinks)
      this.#context.out.hangUp(id, CLOSE.refused)
      // Who asked for it waits for it no longer.
      if (dialled) this.#listener.linkClosed(now, refused(id, peer, now), CLOSE.refused)
      return
    }
    const link = new Link(id, peer, peerKey(peer), dialled, now, this.#numbers)
    this.#all = [...this.#all, link]
    this.#due(link, now + OPENING_LIMIT)
    this.#sayHello(now, link, false)
  }

  linkDown(now: Micros, id: LinkId, reason: CloseReason): void {
    const link = this.get(id)
    if (link !== undefined) this.#close(now, link, reason)
  }

  hangUp(now: Micros, link: Link, reason: CloseReason): void {
    if (link.ended) return
    this.#context.out.hangUp(link.id, reason)
    this.#close(now, link, reason)
  }

  control(now: Micros, link: Link, packet: Uint8Array): void {
    if (link.ended) return
    if (packet[1] !== KIND.hello) this.#spareHello(now, link)
    if (link.controlReady && link.controlQueue.length === 0) {
      this.#sendControl(now, link, packet)
      return
    }
    if (
      link.controlQueue.length >= CONTROL_QUEUE_MESSAGES ||
      link.controlQueueBytes + packet.length > CONTROL_QUEUE_BYTES
    ) {
      this.#context.counters.add(COUNT.boundControlQueue)
      // What was lost cannot be told: the link is worth less than the state it would leave behind.
      this.hangUp(now, link, CLOSE.clogged)
      return
    }
    // A relay passes on what it was handed, which is good for this step only.
    link.controlQueue.push(packet.slice())
    link.controlQueueBytes += packet.length
  }

  // HOT PATH
  data(now: Micros, link: Link, hop: number, packet: Uint8Array): boolean {
    if (!link.dataReady) return this.#waitData(now, link, hop, packet)
    link.packetsOut = (link.packetsOut + 1) >>> 0
    const answerDue = link.answerDue
    if (answerDue !== NEVER) {
      link.answerDue = NEVER
      link.answeredIn = link.packetsIn
      if (answerDue === link.due) this.#eased(now, link)
    }
    if (link.silenceDue === NEVER) {
      link.silenceDue = now + this.#context.config.silence
      this.#due(link, link.silenceDue)
    }
    const { counters, out } = this.#context
    counters.add(COUNT.packetsOut)
    counters.add(COUNT.bytesOut, packet.length)
    out.send(link.id, CHANNEL.data, hop, packet)
    return true
  }

  expect(now: Micros, link: Link): void {
    if (link.silenceDue !== NEVER || link.ended) return
    link.silenceDue = now + this.#context.config.silence
    this.#due(link, link.silenceDue)
  }

  ask(now: Micros, link: Link): void {
    // A link that is probed is asked already.
    if (!link.ended && link.version !== 0 && link.probes === 0) this.#sayHello(now, link, true)
  }

  setTreeUse(now: Micros, link: Link, used: boolean): void {
    link.treeUse = used
    const period = this.#context.config.helloTreePeriod
    if (!used || link.ended || link.helloDue <= now + period) return
    link.helloDue = now + jittered(this.#context.dice, period)
    this.#due(link, link.helloDue)
  }

  // HOT PATH: something came, so the peer lives.
  heard(now: Micros, link: Link, channel: Channel): void {
    link.heardAt = now
    link.probes = 0
    const silenceDue = link.silenceDue
    if (silenceDue !== NEVER) {
      link.silenceDue = NEVER
      if (silenceDue === link.due) this.#eased(now, link)
    }
    if (channel === CHANNEL.control) return
    link.packetsIn = (link.packetsIn + 1) >>> 0
    if (link.answerDue === NEVER) {
      link.answerDue = now + ANSWER_AFTER
      this.#due(link, link.answerDue)
    }
  }

  onHello(now: Micros, link: Link, packet: Uint8Array): void {
    if (!isHello(packet)) {
      this.#context.counters.add(COUNT.dropMalformed)
      return
    }
    const first = link.version === 0
    if (first && !this.#agree(now, link, packet)) return
    const measured = takeHello(now, this.#context, link, packet)
    if (first) this.#listener.linkOpen(now, link)
    if (link.ended) return
    this.#listener.helloTaken(now, link, packet, measured)
    if (link.neighbour) takeSummaries(now, link, this.#trees, packet)
    const isWanted = helloWantsReply(packet) && now >= link.repliedAt + REPLY_SPACING
    if (isWanted) link.repliedAt = now
    if (isWanted || (first && link.rtt === 0)) this.#sayHello(now, link, false)
  }

  onVersionRefused(now: Micros, link: Link, packet: Uint8Array): void {
    const theirs = decodeControl(versionRefused, packet)
    if (theirs === undefined || link.version !== 0) {
      this.#context.counters.add(COUNT.dropMalformed)
      return
    }
    this.#noteVersions(link, [theirs.lowest, theirs.highest])
    this.hangUp(now, link, CLOSE.version)
  }

  linkReady(now: Micros, id: LinkId, channel: Channel, ready: boolean): void {
    const link = this.get(id)
    if (link === undefined) return
    if (channel === CHANNEL.data) {
      link.dataReady = ready
      if (ready) this.#drainData(now, link)
      return
    }
    link.controlReady = ready
    link.clogged = ready ? NEVER : now + CLOGGED_AFTER
    if (ready) {
      this.#flushControl(now, link)
      return
    }
    link.flushDue = NEVER
    this.#due(link, link.clogged)
  }

  wake(now: Micros): Micros {
    const numbers = this.#numbers
    this.#stride = jittered(this.#context.dice, SECOND) / SECOND
    let next = NEVER
    let said = false
    for (let place = 0; place < numbers.size; place++) {
      if (numbers.due(place) <= now) {
        const { size } = numbers
        const link = this.#all[place] as Link
        link.due = this.#tend(now, link)
        said ||= link.helloSaidAt === now
        if (numbers.size !== size) {
          // Links ended and others moved up: what was tended is not due any more, so from the start.
          place = -1
          next = NEVER
          continue
        }
      }
      const due = numbers.due(place)
      if (due < next) next = due
    }
    if (said) next = this.#sayTogether(now)
    this.#stride = 0
    return next
  }

  /** HELLOs that would be due a little later go now. Answers when something is due next. */
  #sayTogether(now: Micros): Micros {
    const numbers = this.#numbers
    // The longer period decides whether a link is looked at: most are not.
    const soon = now + TOGETHER * this.#context.config.helloOtherPeriod
    let next = NEVER
    for (let place = 0; place < numbers.size; place++) {
      if (numbers.get(place, NUMBER.hello) <= soon) {
        const { size } = numbers
        this.#sayWith(now, this.#all[place] as Link)
        if (numbers.size !== size) {
          // As in `wake`: what was said is not due any more.
          place = -1
          next = NEVER
          continue
        }
      }
      const due = numbers.due(place)
      if (due < next) next = due
    }
    return next
  }

  #sayWith(now: Micros, link: Link): void {
    const isFree = link.version !== 0 && link.controlReady && link.probes === 0
    if (!isFree || link.helloDue > now + TOGETHER * this.#period(link)) return
    this.#sayHello(now, link, false)
    link.due = this.#earliest(now, link)
  }

  #period(link: Link): Micros {
    return link.treeUse ? this.#context.config.helloTreePeriod : this.#context.config.helloOtherPeriod
  }

  /** Something of the link is due then at the latest; what moves later is noticed when this comes. */
  #due(link: Link, at: Micros): void {
    if (at >= link.due) return
    link.due = at
    this.#context.deadline.lower(at)
  }

  /**
   * What was due first on the link is not due any more: without this a third of all wakes find nothing to do.
   * The alarm may move later for it; a host that finds this dear lets the earlier one go off in vain.
   */
  #eased(now: Micros, link: Link): void {
    if (link.version === 0) return
    const numbers = this.#numbers
    const { deadline } = this.#context
    const wasFirst = link.due === deadline.at
    link.due = this.#earliest(now, link)
    if (!wasFirst) return
    let next = NEVER
    for (let place = 0; place < numbers.size; place++) {
      const due = numbers.due(place)
      if (due < next) next = due
    }
    deadline.at = next
  }

  #flushControl(now: Micros, link: Link): void {
    for (const packet of link.controlQueue.splice(0, CONTROL_FLUSH)) {
      link.controlQueueBytes -= packet.length
      this.#sendControl(now, link, packet)
    }
    link.flushDue = link.controlQueue.length > 0 ? now + CONTROL_FLUSH_PAUSE : NEVER
    this.#due(link, link.flushDue)
  }

  /** What goes to the peer now is its answer. To a stream, or soon after one, it expects another. */
  #answered(now: Micros, link: Link): void {
    if (link.answerDue === NEVER) return
    link.answerDue = NEVER
    const wasStream = link.streaming
    link.streaming = (link.packetsIn - link.answeredIn) >>> 0 >= STREAM_PACKETS
    link.answeredIn = link.packetsIn
    if (link.silenceDue !== NEVER || !(link.streaming || wasStream)) return
    link.silenceDue = now + Math.round(STREAM_SILENCE * this.#context.config.silence)
    this.#due(link, link.silenceDue)
  }

  /** A beat shows as well as a HELLO that this end lives: of two HELLOs the second need not be said. */
  #spareHello(now: Micros, link: Link): void {
    if (!link.treeUse || link.version === 0) return
    const period = this.#context.config.helloTreePeriod
    const at = Math.min(now + period, link.helloSaidAt + HELLO_SPARED * period)
    if (at > link.helloDue) link.helloDue = at
  }

  #sendControl(now: Micros, link: Link, packet: Uint8Array): void {
    this.#answered(now, link)
    const { counters, out } = this.#context
    counters.add(COUNT.controlOut)
    counters.add(COUNT.controlBytesOut, packet.length)
    out.send(link.id, CHANNEL.control, CONTROL_HOP, packet)
  }

  #close(now: Micros, link: Link, reason: CloseReason): void {
    this.#dataQueues.delete(link.id)
    const place = this.#all.indexOf(link)
    link.end(this.#all.slice(place + 1))
    this.#all = this.#all.filter((other) => other !== link)
    this.#listener.linkClosed(now, link, reason)
  }

  /** Two neighbours use the highest version both speak; none in common is told to the other and counted. */
  #agree(now: Micros, link: Link, packet: Uint8Array): boolean {
    const [lowest, highest] = helloVersions(packet)
    const common = Math.min(highest, VERSIONS.highest)
    if (lowest <= highest && common >= Math.max(lowest, VERSIONS.lowest)) {
      link.version = common
      return true
    }
    this.#context.counters.add(COUNT.dropVersion)
    this.#noteVersions(link, [lowest, highest])
    this.control(now, link, encodeControl(KIND.versionRefused, versionRefused, VERSIONS))
    this.hangUp(now, link, CLOSE.version)
    return false
  }

  #noteVersions(link: Link, theirs: readonly [number, number]): void {
    this.#context.out.note({
      kind: 'versionRefused',
      link: link.id,
      ours: [VERSIONS.lowest, VERSIONS.highest],
      theirs,
    })
  }

  #sayHello(now: Micros, link: Link, replyWanted: boolean): void {
    const { counters, dice } = this.#context
    const period = this.#period(link)
    counters.add(replyWanted ? COUNT.probeSent : COUNT.helloSent)
    // Said, if only to a queue that waits for the channel.
    this.#answered(now, link)
    link.helloSaidAt = now
    link.helloDue = now + (this.#stride === 0 ? jittered(dice, period) : Math.round(period * this.#stride))
    this.#due(link, link.helloDue)
    this.control(now, link, encodeHello(now, this.#context, link, this.#trees, this.#self, replyWanted))
  }

  /** Does what is due on one link and answers when something next is. */
  #tend(now: Micros, link: Link): Micros {
    // An earlier link's end in this same wake may have ended this one.
    if (link.ended) return NEVER
    if (link.clogged <= now) {
      this.#context.counters.add(COUNT.linkClogged)
      this.hangUp(now, link, CLOSE.clogged)
      return NEVER
    }
    if (link.flushDue <= now) this.#flushControl(now, link)
    if (link.version === 0) {
      const opened = link.openedAt + OPENING_LIMIT
      if (now < opened) return Math.min(opened, link.clogged, link.flushDue)
      this.hangUp(now, link, CLOSE.dead)
      return NEVER
    }
    const period = this.#period(link)
    const idleDue = link.heardAt + HELLOS_MISSED * period
    if (Math.min(link.silenceDue, idleDue) <= now && !this.#probe(now, link)) return NEVER
    if (Math.min(link.helloDue, link.answerDue) <= now) this.#sayHello(now, link, false)
    return this.#earliest(now, link)
  }

  #earliest(now: Micros, link: Link): Micros {
    const idle =
      link.probes > 0 ? NEVER : Math.max(link.heardAt + HELLOS_MISSED * this.#period(link), now + 1)
    return Math.min(link.helloDue, link.answerDue, link.silenceDue, idle, link.clogged, link.flushDue)
  }

  /** The next probe, or the end: false once the link is given up. */
  #probe(now: Micros, link: Link): boolean {
    if (link.silenceDue > now && link.probes > 0) return true
    const { config, counters } = this.#context
    if (link.probes >= config.probeCount) {
      counters.add(COUNT.linkDead)
      this.hangUp(now, link, CLOSE.dead)
      return false
    }
    link.probes += 1
    // On a long path the answer needs its time: three probes span at least one and a half round trips.
    link.silenceDue = now + Math.max(config.probeSpacing, Math.round(link.rtt / 2) + 2 * link.jitter)
    this.#sayHello(now, link, true)
    return true
  }

  #waitData(now: Micros, link: Link, hop: number, packet: Uint8Array): boolean {
    let queue = this.#dataQueues.get(link.id)
    if (queue === undefined) {
      queue = []
      this.#dataQueues.set(link.id, queue)
    }
    // Drop from the head: what waited longest is worth least (mesh:S24).
    while (
      queue.length > 0 &&
      (queue.length >= DATA_QUEUE_PACKETS || (queue[0] as Waiting).at + DATA_QUEUE_AGE < now)
    ) {
      queue.shift()
      this.#context.counters.add(COUNT.dropDataQueue)
    }
    queue.push({ hop, packet: packet.slice(), at: now })
    return true
  }

  #drainData(now: Micros, link: Link): void {
    const queue = this.#dataQueues.get(link.id)
    if (queue === undefined) return
    this.#dataQueues.delete(link.id)
    for (const waiting of queue) {
      if (waiting.at + DATA_QUEUE_AGE < now) this.#context.counters.add(COUNT.dropDataQueue)
      else this.data(now, link, waiting.hop, waiting.packet)
    }
  }
}

/** A link that never was one of the node's. */
function refused(id: LinkId, peer: PeerId, now: Micros): Link {
  const link = new Link(id, peer, peerKey(peer), true, now)
  link.ended = true
  return link
}
