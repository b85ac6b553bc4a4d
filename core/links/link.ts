/**
 * One trunk as the core knows it: fields that the parts of a node read. `Links` (links.ts) owns
 * the life of the record, timing and queues; membership decides `neighbour`; the tree decides `open`.
 */
import { type LinkId, type Micros, NEVER, type PeerId, REACHABILITY, type Reachability } from '../io.ts'
import { LinkNumbers, NUMBER } from './numbers.ts'

/** Capability bits of HELLO. */
export const CAPABILITY = {
  /** Carries others' traffic. */
  relay: 1,
  /** Carries any VLAN: others need not ask (mesh:S7). */
  openRelay: 2,
} as const

/** What parts of a node may still ask of a link that ended. */
const LASTING = [
  NUMBER.rtt,
  NUMBER.jitter,
  NUMBER.loss,
  NUMBER.load,
  NUMBER.coordinatesHigh,
  NUMBER.coordinatesLow,
]

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

  /** Probes sent without hearing anything since. */
  probes = 0
  /** When a HELLO that wanted a reply last had one. */
  repliedAt: Micros = -NEVER
  /** What was answered last was a stream of data. */
  streaming = false

  // Back-pressure.
  controlReady = true
  dataReady = true
  readonly controlQueue: Uint8Array[] = []
  controlQueueBytes = 0

  /** The first tree's own record of the link, here so that nothing is looked up: nobody else's to read. */
  inTree: unknown = undefined
  /** Membership's own record of the link, likewise. */
  inMesh: unknown = undefined

  // Where its numbers are kept, with those of the node's other links.
  #numbers: LinkNumbers
  #place: number

  constructor(
    id: LinkId,
    peer: PeerId,
    key: Uint8Array,
    dialled: boolean,
    now: Micros,
    numbers: LinkNumbers = new LinkNumbers(1),
  ) {
    this.id = id
    this.peer = peer
    this.key = key
    this.dialled = dialled
    this.openedAt = now
    this.#numbers = numbers
    this.#place = numbers.add(now, id)
  }

  /** The earliest of the times below, or earlier. */
  get due(): Micros {
    return this.#numbers.due(this.#place)
  }

  set due(at: Micros) {
    this.#numbers.setDue(this.#place, at)
  }

  // Timing of HELLO and probes (links.ts).

  /** When anything came last. */
  get heardAt(): Micros {
    return this.#numbers.get(this.#place, NUMBER.heard)
  }

  set heardAt(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.heard, value)
  }

  /** HELLO is due then at the latest. */
  get helloDue(): Micros {
    return this.#numbers.get(this.#place, NUMBER.hello)
  }

  set helloDue(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.hello, value)
  }

  /** When the last HELLO was said; 0 before the first. */
  get helloSaidAt(): Micros {
    return this.#numbers.get(this.#place, NUMBER.said)
  }

  set helloSaidAt(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.said, value)
  }

  /** Data came and nothing was sent since: answer by then. */
  get answerDue(): Micros {
    return this.#numbers.get(this.#place, NUMBER.answer)
  }

  set answerDue(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.answer, value)
  }

  /** Data was sent: something must be heard by then, or probing starts. */
  get silenceDue(): Micros {
    return this.#numbers.get(this.#place, NUMBER.silence)
  }

  set silenceDue(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.silence, value)
  }

  /** The control channel takes nothing; given up then. */
  get clogged(): Micros {
    return this.#numbers.get(this.#place, NUMBER.clogged)
  }

  set clogged(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.clogged, value)
  }

  /** Control messages wait although the channel is ready: more of them go then. */
  get flushDue(): Micros {
    return this.#numbers.get(this.#place, NUMBER.flush)
  }

  set flushDue(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.flush, value)
  }

  /** Timing to be echoed: the peer's stamp. */
  get peerStamp(): number {
    return this.#numbers.get(this.#place, NUMBER.stamp)
  }

  set peerStamp(value: number) {
    this.#numbers.set(this.#place, NUMBER.stamp, value)
  }

  /** When it came; 0 before the first. */
  get peerStampAt(): Micros {
    return this.#numbers.get(this.#place, NUMBER.stampAt)
  }

  set peerStampAt(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.stampAt, value)
  }

  // What was counted and measured.

  /** Modulo 2^32, as the peer is told. */
  get packetsIn(): number {
    return this.#numbers.get(this.#place, NUMBER.packetsIn)
  }

  set packetsIn(value: number) {
    this.#numbers.set(this.#place, NUMBER.packetsIn, value)
  }

  /** `packetsIn` at the last answer. */
  get answeredIn(): number {
    return this.#numbers.get(this.#place, NUMBER.answeredIn)
  }

  set answeredIn(value: number) {
    this.#numbers.set(this.#place, NUMBER.answeredIn, value)
  }

  /** Modulo 2^32, as the peer is told. */
  get packetsOut(): number {
    return this.#numbers.get(this.#place, NUMBER.packetsOut)
  }

  set packetsOut(value: number) {
    this.#numbers.set(this.#place, NUMBER.packetsOut, value)
  }

  /** Our count of packets received at the last HELLO that loss was judged by. */
  get lossBaseIn(): number {
    return this.#numbers.get(this.#place, NUMBER.lossBaseIn)
  }

  set lossBaseIn(value: number) {
    this.#numbers.set(this.#place, NUMBER.lossBaseIn, value)
  }

  /** The peer's count of packets sent at that HELLO. */
  get lossBaseOut(): number {
    return this.#numbers.get(this.#place, NUMBER.lossBaseOut)
  }

  set lossBaseOut(value: number) {
    this.#numbers.set(this.#place, NUMBER.lossBaseOut, value)
  }

  /** Smoothed round trip (RFC 6298 weights); 0 until measured. */
  get rtt(): Micros {
    return this.#numbers.get(this.#place, NUMBER.rtt)
  }

  set rtt(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.rtt, value)
  }

  /** Smoothed deviation of the round trip. */
  get jitter(): Micros {
    return this.#numbers.get(this.#place, NUMBER.jitter)
  }

  set jitter(value: Micros) {
    this.#numbers.set(this.#place, NUMBER.jitter, value)
  }

  /** Share of the peer's packets that did not arrive here, 0 … 1, smoothed over HELLO intervals. */
  get loss(): number {
    return this.#numbers.get(this.#place, NUMBER.loss)
  }

  set loss(value: number) {
    this.#numbers.set(this.#place, NUMBER.loss, value)
  }

  /** The peer's own report, 0 … 50 (mesh text (a), link cost). */
  get load(): number {
    return this.#numbers.get(this.#place, NUMBER.load)
  }

  set load(value: number) {
    this.#numbers.set(this.#place, NUMBER.load, value)
  }

  /** The peer's network coordinates (core/mesh/vivaldi.ts), as two words of 32 bits. */
  get coordinatesHigh(): number {
    return this.#numbers.get(this.#place, NUMBER.coordinatesHigh)
  }

  set coordinatesHigh(value: number) {
    this.#numbers.set(this.#place, NUMBER.coordinatesHigh, value)
  }

  /** The second word. */
  get coordinatesLow(): number {
    return this.#numbers.get(this.#place, NUMBER.coordinatesLow)
  }

  set coordinatesLow(value: number) {
    this.#numbers.set(this.#place, NUMBER.coordinatesLow, value)
  }

  /** The link is over: its numbers leave those of the node, and later links move up. */
  end(later: readonly Link[]): void {
    this.ended = true
    const last = this.#numbers
    const place = this.#place
    this.#numbers = new LinkNumbers(1)
    this.#place = this.#numbers.add(this.openedAt, this.id)
    for (const which of LASTING) this.#numbers.set(0, which, last.get(place, which))
    last.remove(place)
    for (const link of later) link.#place -= 1
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
  /** Whether some tree uses the link: its HELLOs are more frequent from now on, or no more. */
  setTreeUse(now: Micros, link: Link, used: boolean): void
  /** What was just sent asks for an answer: if nothing at all is heard in time, the link is probed. */
  expect(now: Micros, link: Link): void
  /** Says HELLO and wants one back, as a probe does, but takes no silence for the link's end. */
  ask(now: Micros, link: Link): void
  /** Ends the link: the parts hear of it as of any other loss, within this step. */
  hangUp(now: Micros, link: Link, reason: import('../io.ts').CloseReason): void
}
