/**
 * One trunk as the core knows it: fields that the parts of a node read. `Links` (links.ts) owns
 * the life of the record, timing and queues; membership decides `neighbour`; the tree decides `open`.
 */
import { type LinkId, type Micros, type PeerId, REACHABILITY, type Reachability } from '../io.ts'
import { LinkTimes, TIME } from './times.ts'

/** Capability bits of HELLO. */
export const CAPABILITY = {
  /** Carries others' traffic. */
  relay: 1,
  /** Carries any VLAN: others need not ask (mesh:S7). */
  openRelay: 2,
} as const

export class Link {
  readonly id: LinkId
  readonly peer: PeerId
  /** The peer's public key: the bytes of `peer`. */
  readonly key: Uint8Array
  readonly dialled: boolean
  readonly openedAt: Micros

  /** Highest version common to both ends; 0 until the peer's first HELLO. */
  version = 0
  capabilities = 0
  reach: Reachability = REACHABILITY.private
  /** Both ends hold this link in their active view. */
  neighbour = false
  /** Some tree uses the link (either half open): HELLOs are more frequent. */
  treeUse = false
  /** The link is no more: nothing is sent on it. */
  ended = false

  /** Smoothed round trip (RFC 6298 weights); 0 until measured. */
  rtt: Micros = 0
  jitter: Micros = 0
  /** Share of the peer's packets that did not arrive here, 0 … 1, smoothed over HELLO intervals. */
  loss = 0
  /** The peer's own report, 0 … 50 (mesh text (a), link cost). */
  load = 0

  /** Probes sent without hearing anything since. */
  probes = 0
  packetsOut = 0
  packetsIn = 0
  /** The peer's count of packets sent, and ours received, at the last HELLO: loss over the interval. */
  lossBaseOut = 0
  lossBaseIn = 0

  // Back-pressure.
  controlReady = true
  dataReady = true
  readonly controlQueue: Uint8Array[] = []
  controlQueueBytes = 0

  /** The first tree's own record of the link, here so that nothing is looked up: nobody else's to read. */
  inTree: unknown = undefined
  /** Membership's own record of the link, likewise. */
  inMesh: unknown = undefined

  // Timing of HELLO and probes (links.ts), kept with that of the node's other links.
  #times: LinkTimes
  #place: number

  constructor(
    id: LinkId,
    peer: PeerId,
    key: Uint8Array,
    dialled: boolean,
    now: Micros,
    times: LinkTimes = new LinkTimes(1),
  ) {
    this.id = id
    this.peer = peer
    this.key = key
    this.dialled = dialled
    this.openedAt = now
    this.#times = times
    this.#place = times.add(now)
  }

  /** The earliest of the times below, or earlier. */
  get due(): Micros {
    return this.#times.due(this.#place)
  }

  set due(at: Micros) {
    this.#times.setDue(this.#place, at)
  }

  get heardAt(): Micros {
    return this.#times.get(this.#place, TIME.heard)
  }

  set heardAt(at: Micros) {
    this.#times.set(this.#place, TIME.heard, at)
  }

  /** HELLO is due then at the latest. */
  get helloDue(): Micros {
    return this.#times.get(this.#place, TIME.hello)
  }

  set helloDue(at: Micros) {
    this.#times.set(this.#place, TIME.hello, at)
  }

  /** When the last HELLO was said; 0 before the first. */
  get helloSaidAt(): Micros {
    return this.#times.get(this.#place, TIME.said)
  }

  set helloSaidAt(at: Micros) {
    this.#times.set(this.#place, TIME.said, at)
  }

  /** Data came and nothing was sent since: answer by then. */
  get answerDue(): Micros {
    return this.#times.get(this.#place, TIME.answer)
  }

  set answerDue(at: Micros) {
    this.#times.set(this.#place, TIME.answer, at)
  }

  /** Data was sent: something must be heard by then, or probing starts. */
  get silenceDue(): Micros {
    return this.#times.get(this.#place, TIME.silence)
  }

  set silenceDue(at: Micros) {
    this.#times.set(this.#place, TIME.silence, at)
  }

  /** The control channel takes nothing; given up then. */
  get clogged(): Micros {
    return this.#times.get(this.#place, TIME.clogged)
  }

  set clogged(at: Micros) {
    this.#times.set(this.#place, TIME.clogged, at)
  }

  /** Timing to be echoed: the peer's stamp and when it came. */
  get peerStamp(): number {
    return this.#times.get(this.#place, TIME.stamp)
  }

  set peerStamp(stamp: number) {
    this.#times.set(this.#place, TIME.stamp, stamp)
  }

  get peerStampAt(): Micros {
    return this.#times.get(this.#place, TIME.stampAt)
  }

  set peerStampAt(at: Micros) {
    this.#times.set(this.#place, TIME.stampAt, at)
  }

  /** The link is over: its times leave those of the node, and later links move up. */
  end(later: readonly Link[]): void {
    this.ended = true
    this.#times.remove(this.#place)
    for (const link of later) link.#place -= 1
    this.#times = new LinkTimes(1)
    this.#place = this.#times.add(this.openedAt)
  }
}

export function isRelay(link: Link): boolean {
  return (link.capabilities & CAPABILITY.relay) !== 0
}

/** What the other parts of a node may ask of its links. Implemented by `Links`. */
export interface LinkPort {
  get(id: LinkId): Link | undefined
  byPeer(peer: PeerId): Link | undefined
  /** All links, oldest first. */
  all(): readonly Link[]
  /** Queues a control packet behind those waiting; order is kept. Too many waiting clogs the link. */
  control(now: Micros, link: Link, packet: Uint8Array): void
  /** HOT PATH. False if the data channel is not ready: the packet is counted and gone. */
  data(now: Micros, link: Link, hop: number, packet: Uint8Array): boolean
  /** What was just sent asks for an answer: if nothing at all is heard in time, the link is probed. */
  expect(now: Micros, link: Link): void
  /** Ends the link: the parts hear of it as of any other loss, within this step. */
  hangUp(now: Micros, link: Link, reason: import('../io.ts').CloseReason): void
}
