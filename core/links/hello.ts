/**
 * HELLO at fixed offsets: the most frequent control message, so no object is made for it. It carries
 * the range of versions, capabilities, load, timing for the round trip, packet counts for loss
 * (mesh:S8), coordinates, and for each tree what keeps a link from staying half attached (R11, N8).
 * It names no VLAN (mesh:S7).
 */

import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { type Micros, REACHABILITY, type Reachability } from '../io.ts'
import type { Tree, TreeSummary } from '../tree/tree.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { CONTROL_VERSION_TYPE, KIND } from '../wire/kinds.ts'
import { TRUNK_VERSION } from '../wire/trunk.ts'
import { CAPABILITY, type Link } from './link.ts'

/** Versions of the protocol that this node speaks, lowest and highest. */
export const VERSIONS = { lowest: TRUNK_VERSION, highest: TRUNK_VERSION } as const

const COORDINATES_BYTES = 8
const TREES_MAX = 4

const AT = {
  lowest: 2,
  highest: 3,
  capabilities: 4,
  flags: 6,
  load: 7,
  stamp: 8,
  echo: 12,
  echoDelay: 16,
  packetsOut: 20,
  packetsIn: 24,
  coordinates: 28,
  trees: 36,
} as const
/** Where the sender's coordinates begin, so that they are read where they lie. */
export const HELLO_COORDINATES: number = AT.coordinates
const HELLO_BYTES = 37
const TREE_BYTES = 20

/** Low two bits of the flags are the sender's reachability. */
const FLAG_REPLY_WANTED = 0x80
const FLAG_HAS_ECHO = 0x40
const FLAGS_KNOWN = FLAG_REPLY_WANTED | FLAG_HAS_ECHO | 0x03

/** What a HELLO says beyond the link's own fields. */
export interface HelloSelf {
  readonly reach: Reachability
  /** Carries any VLAN for others, as far as it is a relay. */
  readonly open: boolean
  readonly load: number
  readonly coordinates: Uint8Array
}

const scratch: TreeSummary = { generation: 0, sentHash: 0, receivedHash: 0, rootHash: 0, beat: 0 }

export function encodeHello(
  now: Micros,
  context: Context,
  link: Link,
  trees: readonly Tree[],
  self: HelloSelf,
  replyWanted: boolean,
): Uint8Array {
  const bytes = new Uint8Array(HELLO_BYTES + trees.length * TREE_BYTES)
  const { relay } = context.config
  const capabilities = (relay ? CAPABILITY.relay : 0) | (relay && self.open ? CAPABILITY.openRelay : 0)
  bytes[0] = CONTROL_VERSION_TYPE
  bytes[1] = KIND.hello
  bytes[AT.lowest] = VERSIONS.lowest
  bytes[AT.highest] = VERSIONS.highest
  bytes[AT.capabilities] = capabilities >>> 8
  bytes[AT.capabilities + 1] = capabilities
  const hasEcho = link.peerStampAt > 0
  bytes[AT.flags] = self.reach | (replyWanted ? FLAG_REPLY_WANTED : 0) | (hasEcho ? FLAG_HAS_ECHO : 0)
  bytes[AT.load] = self.load
  writeU32(bytes, AT.stamp, now % 4_294_967_296)
  writeU32(bytes, AT.echo, link.peerStamp)
  writeU32(bytes, AT.echoDelay, hasEcho ? Math.min(now - link.peerStampAt, 0xffff_ffff) : 0)
  writeU32(bytes, AT.packetsOut, link.packetsOut)
  writeU32(bytes, AT.packetsIn, link.packetsIn)
  for (let index = 0; index < COORDINATES_BYTES; index++)
    bytes[AT.coordinates + index] = self.coordinates[index] as number
  bytes[AT.trees] = trees.length
  for (let index = 0; index < trees.length; index++) {
    const offset = HELLO_BYTES + index * TREE_BYTES
    ;(trees[index] as Tree).summary(link, scratch)
    writeU32(bytes, offset, scratch.generation)
    writeU32(bytes, offset + 4, scratch.sentHash)
    writeU32(bytes, offset + 8, scratch.receivedHash)
    writeU32(bytes, offset + 12, scratch.rootHash)
    writeU32(bytes, offset + 16, scratch.beat)
  }
  return bytes
}

/** Length and flags only: field values are checked where they are used. */
export function isHello(packet: Uint8Array): boolean {
  if (packet.length < HELLO_BYTES) return false
  const trees = packet[AT.trees] as number
  if (trees > TREES_MAX || packet.length !== HELLO_BYTES + trees * TREE_BYTES) return false
  const flags = packet[AT.flags] as number
  return (
    (flags & ~FLAGS_KNOWN) === 0 && (flags & 3) <= REACHABILITY.private && (packet[AT.load] as number) <= 50
  )
}

export function helloVersions(packet: Uint8Array): readonly [number, number] {
  return [packet[AT.lowest] as number, packet[AT.highest] as number]
}

export function helloWantsReply(packet: Uint8Array): boolean {
  return ((packet[AT.flags] as number) & FLAG_REPLY_WANTED) !== 0
}

/**
 * Takes capabilities, timing and loss into the link's fields. Answers whether the round trip was
 * measured: (now − own stamp) − the peer's holding time, smoothed as in RFC 6298, section 2.
 */
export function takeHello(now: Micros, context: Context, link: Link, packet: Uint8Array): boolean {
  link.capabilities = ((packet[AT.capabilities] as number) << 8) | (packet[AT.capabilities + 1] as number)
  link.reach = ((packet[AT.flags] as number) & 3) as Reachability
  link.load = packet[AT.load] as number
  link.peerStamp = readU32(packet, AT.stamp)
  link.peerStampAt = now
  takeLoss(link, readU32(packet, AT.packetsOut))
  if (((packet[AT.flags] as number) & FLAG_HAS_ECHO) === 0) return false
  const sentAgo = (now % 4_294_967_296) - readU32(packet, AT.echo)
  const sample = (sentAgo < 0 ? sentAgo + 4_294_967_296 : sentAgo) - readU32(packet, AT.echoDelay)
  // A peer that reports nonsense gets no say in our measurement.
  if (sample < 0 || sample > RTT_MAX) {
    context.counters.add(COUNT.dropUnexpected)
    return false
  }
  if (link.rtt === 0) {
    link.rtt = Math.max(1, sample)
    link.jitter = sample >> 1
  } else {
    const error = sample - link.rtt
    link.jitter = Math.round(link.jitter + (Math.abs(error) - link.jitter) / 4)
    link.rtt = Math.max(1, Math.round(link.rtt + error / 8))
  }
  return true
}

/** Longer than any path that is of use: one minute. */
const RTT_MAX: Micros = 60_000_000
/** Fewer packets than this say nothing about loss; the interval then goes on. */
const LOSS_SAMPLE_MIN = 16

function takeLoss(link: Link, peerOut: number): void {
  const sent = (peerOut - link.lossBaseOut) >>> 0
  if (sent < LOSS_SAMPLE_MIN) return
  const received = (link.packetsIn - link.lossBaseIn) >>> 0
  const share = Math.min(1, Math.max(0, 1 - received / sent))
  // The first sample stands for itself: on a quiet link the next is 20 s away.
  const first = link.lossBaseOut === 0 && link.lossBaseIn === 0
  link.loss += first ? share - link.loss : (share - link.loss) / 4
  link.lossBaseOut = peerOut
  link.lossBaseIn = link.packetsIn
}

/** Gives each tree that both ends have its part of the HELLO. */
export function takeSummaries(now: Micros, link: Link, trees: readonly Tree[], packet: Uint8Array): void {
  const count = Math.min(trees.length, packet[AT.trees] as number)
  for (let index = 0; index < count; index++) {
    const offset = HELLO_BYTES + index * TREE_BYTES
    scratch.generation = readU32(packet, offset)
    scratch.sentHash = readU32(packet, offset + 4)
    scratch.receivedHash = readU32(packet, offset + 8)
    scratch.rootHash = readU32(packet, offset + 12)
    scratch.beat = readU32(packet, offset + 16)
    ;(trees[index] as Tree).onSummary(now, link, scratch)
  }
}
