/**
 * One trunk as the core knows it: plain fields that the parts of a node read. `Links` (links.ts) owns
 * the life of the record, timing and queues; membership decides `neighbour`; the tree decides `open`.
 */
import { type LinkId, type Micros, NEVER, type PeerId, REACHABILITY, type Reachability } from '../io.ts'

/** Capability bits of HELLO. */
export const CAPABILITY = {
  /** Carries others' traffic. */
  relay: 1,
  /** Carries any VLAN: others need not ask (mesh:S7). */
  openRelay: 2,
} as const

export interface Link {
  readonly id: LinkId
  readonly peer: PeerId
  /** The peer's public key: the bytes of `peer`. */
  readonly key: Uint8Array
  readonly dialled: boolean
  readonly openedAt: Micros

  /** Highest version common to both ends; 0 until the peer's first HELLO. */
  version: number
  capabilities: number
  reach: Reachability
  /** Both ends hold this link in their active view. */
  neighbour: boolean
  /** Some tree uses the link (either half open): HELLOs are more frequent. */
  treeUse: boolean

  /** Smoothed round trip (RFC 6298 weights); 0 until measured. */
  rtt: Micros
  jitter: Micros
  /** Share of the peer's packets that did not arrive here, 0 … 1, smoothed over HELLO intervals. */
  loss: number
  /** The peer's own report, 0 … 50 (mesh text (a), link cost). */
  load: number

  // Timing of HELLO and probes; see links.ts.
  /** The earliest of the times below, or earlier. */
  due: Micros
  heardAt: Micros
  sentAt: Micros
  helloSentAt: Micros
  /** HELLO is due then at the latest. */
  helloDue: Micros
  /** Data came and nothing was sent since: answer by then. */
  answerDue: Micros
  /** Data was sent: something must be heard by then, or probing starts. */
  silenceDue: Micros
  /** Probes sent without hearing anything since. */
  probes: number
  /** Timing to be echoed: the peer's stamp and when it came. */
  peerStamp: number
  peerStampAt: Micros
  packetsOut: number
  packetsIn: number
  /** The peer's count of packets sent, and ours received, at the last HELLO: loss over the interval. */
  lossBaseOut: number
  lossBaseIn: number

  // Back-pressure.
  controlReady: boolean
  dataReady: boolean
  clogged: Micros
  readonly controlQueue: Uint8Array[]
  controlQueueBytes: number
}

export function newLink(id: LinkId, peer: PeerId, key: Uint8Array, dialled: boolean, now: Micros): Link {
  return {
    id,
    peer,
    key,
    dialled,
    openedAt: now,
    version: 0,
    capabilities: 0,
    reach: REACHABILITY.private,
    neighbour: false,
    treeUse: false,
    rtt: 0,
    jitter: 0,
    loss: 0,
    load: 0,
    due: NEVER,
    heardAt: now,
    sentAt: now,
    helloSentAt: 0,
    helloDue: NEVER,
    answerDue: NEVER,
    silenceDue: NEVER,
    probes: 0,
    peerStamp: 0,
    peerStampAt: 0,
    packetsOut: 0,
    packetsIn: 0,
    lossBaseOut: 0,
    lossBaseIn: 0,
    controlReady: true,
    dataReady: true,
    clogged: NEVER,
    controlQueue: [],
    controlQueueBytes: 0,
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
  /** Ends the link: the parts hear of it as of any other loss, within this step. */
  hangUp(now: Micros, link: Link, reason: import('../io.ts').CloseReason): void
}
