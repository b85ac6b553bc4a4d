/**
 * One simulated machine: a `Host` with the world's clock, an alarm in the world's queue, and effects
 * that go to the world. It survives crashes of the node that runs on it: each start is a new life, and
 * events of an earlier life find a number that no longer fits.
 */
import type { Aead, Crypto, KeyAgreement, Signatures } from '../core/crypto/ports.ts'
import type { Alarm, Clock, Host } from '../core/host.ts'
import {
  type Address,
  type Channel,
  type CloseReason,
  type Effects,
  type Hop,
  type Job,
  type JobId,
  type LinkId,
  type Micros,
  NEVER,
  type NodeEvent,
  type PeerId,
  type PortId,
  type Reachability,
  type StoreId,
} from '../core/io.ts'
import { AccessLine } from './links/lane.ts'
import type { Random } from './random.ts'

/** Processor time of one operation in microseconds (mesh:S22). */
const COST = { sign: 50, verify: 140, agree: 100, seal: 2 } as const

/** What a simulated machine asks of its world. */
export interface NodeWorld {
  readonly now: Micros
  pushAlarm(node: SimNode, at: Micros): void
  send(node: SimNode, link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void
  deliver(node: SimNode, port: PortId, frame: Uint8Array): void
  dial(node: SimNode, peer: PeerId, addresses: readonly Address[]): void
  hangUp(node: SimNode, link: LinkId, reason: CloseReason): void
  store(node: SimNode, id: StoreId, record: Uint8Array): void
  note(node: SimNode, event: NodeEvent): void
}

export class SimNode implements Clock, Alarm, Effects {
  readonly index: number
  readonly #world: NodeWorld
  readonly reach: Reachability
  readonly leaf: boolean
  /** Draws of this machine's outgoing links. */
  readonly linkRandom: Random
  /** 0 while down; counts starts. */
  life = 0
  up = false
  host: Host | undefined
  peer: PeerId | undefined
  /** Which identity runs: a restart may bring a new one. */
  identity = 0
  /** What this identity stored last. */
  disk: Uint8Array | undefined
  /** The processor is busy until then; what arrives before waits. */
  busyUntil: Micros = 0
  /** Work of the step under way, in microseconds of processor time. */
  pendingWork = 0
  /** Packets that wait for the processor. */
  backlog = 0
  /** Its access line, out and in. */
  readonly upLine = new AccessLine()
  readonly downLine = new AccessLine()
  /** What it does with packets that it relays. */
  malice: 'drop' | 'corrupt' | 'replay' | undefined
  /** Was told to leave and has not gone yet. */
  leaving = false
  /** Above 1: a slow machine. */
  slowness = 1
  /** The machine's own monotonic clock: offset and rate against the world's. */
  clockOffset: Micros
  clockRate = 1
  #clockBase: Micros = 0
  /** What the core asked for, in the machine's own time, and the queue event that stands for it. */
  #alarmAt: Micros = NEVER
  #pendingAt: Micros = NEVER

  constructor(
    world: NodeWorld,
    index: number,
    reach: Reachability,
    leaf: boolean,
    linkRandom: Random,
    clockOffset: Micros,
  ) {
    this.#world = world
    this.index = index
    this.reach = reach
    this.leaf = leaf
    this.linkRandom = linkRandom
    this.clockOffset = clockOffset
  }

  // Clock.

  now(): Micros {
    return this.clockOffset + (this.clockRate === 1 ? this.#world.now : this.#drifted(this.#world.now))
  }

  /** From now on the machine's clock runs at another rate, or is ahead by a jump (monotonic: never back). */
  setClock(rate: number, jump: Micros): void {
    const now = this.#world.now
    const own = this.now()
    this.clockRate = rate
    this.#clockBase = now
    this.clockOffset = own + Math.max(0, jump) - (rate === 1 ? now : this.#drifted(now))
    if (this.#alarmAt !== NEVER) this.#arm()
  }

  #drifted(world: Micros): Micros {
    return this.#clockBase + Math.floor((world - this.#clockBase) * this.clockRate)
  }

  // Alarm.

  set(at: Micros): void {
    this.#alarmAt = at
    this.#arm()
  }

  clear(): void {
    this.#alarmAt = NEVER
  }

  /** A queue event of this life came up. True if it is the one that counts and its time has come. */
  alarmCame(): boolean {
    const world = this.#world.now
    // Only the earliest pending event counts; one that was overtaken finds a later time and is nothing.
    if (world !== this.#pendingAt) return false
    this.#pendingAt = NEVER
    if (this.#alarmAt === NEVER) return false
    if (this.#alarmAt > this.now()) {
      this.#arm()
      return false
    }
    this.#alarmAt = NEVER
    return true
  }

  #arm(): void {
    const world = this.#world
    const wait = this.#alarmAt - this.now()
    const scaled = this.clockRate === 1 ? wait : Math.ceil(wait / this.clockRate)
    const at = Math.max(world.now, world.now + scaled, this.busyUntil)
    if (this.#pendingAt <= at) return
    this.#pendingAt = at
    world.pushAlarm(this, at)
  }

  /** A new life: nothing pending counts any more. */
  forgetAlarm(): void {
    this.#alarmAt = NEVER
    this.#pendingAt = NEVER
  }

  // Effects.

  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    this.#world.send(this, link, channel, hop, packet)
  }

  deliver(port: PortId, frame: Uint8Array): void {
    this.#world.deliver(this, port, frame)
  }

  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.#world.dial(this, peer, addresses)
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    this.#world.hangUp(this, link, reason)
  }

  start(_job: JobId, _work: Job): void {
    // The static group of this protocol version starts no jobs; MLS groups will.
  }

  store(id: StoreId, record: Uint8Array): void {
    this.#world.store(this, id, record)
  }

  note(event: NodeEvent): void {
    this.#world.note(this, event)
  }
}

/** The world's cryptography with its cost charged to one machine. */
export function chargedCrypto(crypto: Crypto, node: SimNode): Crypto {
  const { signatures, aead, agreement } = crypto
  const charged: Signatures = {
    publicKey: (seed) => signatures.publicKey(seed),
    sign: (seed, message) => {
      node.pendingWork += COST.sign
      return signatures.sign(seed, message)
    },
    verify: (key, message, signature) => {
      node.pendingWork += COST.verify
      return signatures.verify(key, message, signature)
    },
  }
  const sealed: Aead = {
    seal: (key, nonce, header, plain, out) => {
      node.pendingWork += COST.seal
      aead.seal(key, nonce, header, plain, out)
    },
    open: (key, nonce, header, text, out) => {
      node.pendingWork += COST.seal
      return aead.open(key, nonce, header, text, out)
    },
    mask: (key, block, out) => aead.mask(key, block, out),
  }
  const agreed: KeyAgreement = {
    publicKey: (secret) => {
      node.pendingWork += COST.agree
      return agreement.publicKey(secret)
    },
    shared: (secret, publicKey) => {
      node.pendingWork += COST.agree
      return agreement.shared(secret, publicKey)
    },
  }
  return { hash: crypto.hash, signatures: charged, aead: sealed, agreement: agreed, kdf: crypto.kdf }
}
