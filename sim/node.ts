/**
 * One simulated machine: a `Host` with the world's clock, an alarm in the world's queue, and effects
 * that go to the world. It survives crashes of the node that runs on it: each start is a new life, and
 * events of an earlier life find a number that no longer fits.
 */
import type { Aead, Crypto, KeyAgreement, Signatures } from '../core/crypto/ports.ts'
import { assert } from '../core/errors.ts'
import { type Alarm, type Clock, HOST_TIMES, type Host } from '../core/host.ts'
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
import type { Sightings } from './hostile/sightings.ts'
import { Inbox } from './inbox.ts'
import { AccessLine } from './links/lane.ts'
import type { Random } from './random.ts'
import { ROW, type Rows } from './rows.ts'

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
  startJob(node: SimNode, job: JobId, work: Job): void
  store(node: SimNode, id: StoreId, record: Uint8Array): void
  note(node: SimNode, event: NodeEvent): void
}

/** 2026-01-01 00:00 UTC: true wall time at the world's time 0, in milliseconds. */
export const WALL_START = 1_767_225_600_000

/** Times of a machine: places in its row. */
const AT = {
  busy: 0,
  /** Its own monotonic clock against the world's, and since when its rate holds. */
  clockOffset: 1,
  clockBase: 2,
  /** What the core asked for, in the machine's own time, and the queue event that stands for it. */
  alarm: 3,
  pending: 4,
} as const
/** Behind them: those of the host. */
export const HOST_AT = 5
assert(HOST_AT + HOST_TIMES <= ROW, 'the times of a machine and its host fit into a row')

type Malice = 'drop' | 'corrupt' | 'replay'

export class SimNode implements Clock, Alarm, Effects {
  readonly index: number
  readonly #world: NodeWorld
  readonly reach: Reachability
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
  /** And the records of its memberships. */
  readonly records = new Map<StoreId, Uint8Array>()
  /** Its wall clock, right at the start and wrong with the monotonic one. */
  readonly wall = { millis: (): number => WALL_START + Math.floor((this.now() - this.#clockStart) / 1_000) }
  readonly #clockStart: Micros
  /** Work of the step under way, in microseconds of processor time. */
  pendingWork = 0
  /** What waits for the processor, and how many data packets are among it. */
  readonly inbox = new Inbox()
  backlog = 0
  /** Its access line, out and in. */
  readonly upLine = new AccessLine()
  readonly downLine = new AccessLine()
  /** What it does with packets that it relays: of what it was made to do, that which began last. */
  malice: Malice | undefined
  readonly #misdeeds: { readonly how: Malice }[] = []
  /** What its owner sees of tokens, in scenarios where somebody hijacks some. */
  sightings: Sightings | undefined
  /** How many times it hijacks tokens now. */
  hijacks = 0
  /** The link that leads up the tree. */
  upper: LinkId | undefined
  /** Was told to leave and has not gone yet. */
  leaving = false
  /** Above 1: a slow machine. */
  slowness = 1
  /** The rate of the machine's own clock. */
  clockRate = 1
  /** Its times: places in AT, then those of its host. */
  readonly times: Float64Array
  readonly timesAt: number

  constructor(
    world: NodeWorld,
    index: number,
    reach: Reachability,
    linkRandom: Random,
    clockOffset: Micros,
    rows: Rows,
  ) {
    this.#world = world
    this.index = index
    this.reach = reach
    this.linkRandom = linkRandom
    this.timesAt = rows.take()
    this.times = rows.numbers
    this.#set(AT.busy, 0)
    this.#clockStart = clockOffset
    this.#set(AT.clockOffset, clockOffset)
    this.#set(AT.clockBase, 0)
    this.forgetAlarm()
  }

  /** The processor is busy until then; what arrives before waits. */
  get busyUntil(): Micros {
    return this.#get(AT.busy)
  }

  set busyUntil(at: Micros) {
    this.#set(AT.busy, at)
  }

  #get(which: number): Micros {
    return this.times[this.timesAt + which] as number
  }

  #set(which: number, at: Micros): void {
    this.times[this.timesAt + which] = at
  }

  // Clock.

  now(): Micros {
    return (
      this.#get(AT.clockOffset) + (this.clockRate === 1 ? this.#world.now : this.#drifted(this.#world.now))
    )
  }

  /** From now on the machine's clock runs at another rate, or is ahead by a jump (monotonic: never back). */
  setClock(rate: number, jump: Micros): void {
    const now = this.#world.now
    const own = this.now()
    this.clockRate = rate
    this.#set(AT.clockBase, now)
    this.#set(AT.clockOffset, own + Math.max(0, jump) - (rate === 1 ? now : this.#drifted(now)))
    if (this.#get(AT.alarm) !== NEVER) this.#arm()
  }

  #drifted(world: Micros): Micros {
    return this.#get(AT.clockBase) + Math.floor((world - this.#get(AT.clockBase)) * this.clockRate)
  }

  /** It misbehaves now, in whatever way. */
  get hostile(): boolean {
    return this.malice !== undefined || this.hijacks > 0
  }

  /** Makes the machine misbehave until the answer is called, whatever else it was made to do meanwhile. */
  misbehave(how: Malice): () => void {
    const misdeed = { how }
    this.#misdeeds.push(misdeed)
    this.malice = how
    return () => {
      this.#misdeeds.splice(this.#misdeeds.indexOf(misdeed), 1)
      this.malice = this.#misdeeds.at(-1)?.how
    }
  }

  // Alarm.

  set(at: Micros): void {
    this.#set(AT.alarm, at)
    this.#arm()
  }

  clear(): void {
    this.#set(AT.alarm, NEVER)
  }

  /** A queue event of this life came up. True if it is the one that counts and its time has come. */
  alarmCame(): boolean {
    const world = this.#world.now
    // Only the earliest pending event counts; one that was overtaken finds a later time and is nothing.
    if (world !== this.#get(AT.pending)) return false
    this.#set(AT.pending, NEVER)
    if (this.#get(AT.alarm) === NEVER) return false
    if (this.#get(AT.alarm) > this.now()) {
      this.#arm()
      return false
    }
    this.#set(AT.alarm, NEVER)
    return true
  }

  #arm(): void {
    const world = this.#world
    const wait = this.#get(AT.alarm) - this.now()
    const scaled = this.clockRate === 1 ? wait : Math.ceil(wait / this.clockRate)
    const at = Math.max(world.now, world.now + scaled, this.busyUntil)
    if (this.#get(AT.pending) <= at) return
    this.#set(AT.pending, at)
    world.pushAlarm(this, at)
  }

  /** A new life: nothing pending counts any more. */
  forgetAlarm(): void {
    this.#set(AT.alarm, NEVER)
    this.#set(AT.pending, NEVER)
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

  start(job: JobId, work: Job): void {
    this.#world.startJob(this, job, work)
  }

  store(id: StoreId, record: Uint8Array): void {
    this.#world.store(this, id, record)
  }

  note(event: NodeEvent): void {
    this.#world.note(this, event)
  }
}

/** Told of what machines seal and open. */
export interface SealWatch {
  sealed(node: number, header: Uint8Array, plain: Uint8Array): void
  opened(node: number, header: Uint8Array): void
}

/** The world's cryptography, its cost charged to one machine; `onSealed` hears of each packet sealed. */
export function chargedCrypto(
  crypto: Crypto,
  node: SimNode,
  onSealed: (packet: Uint8Array) => void = () => {},
  watch?: SealWatch,
): Crypto {
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
      watch?.sealed(node.index, header, plain)
      aead.seal(key, nonce, header, plain, out)
      onSealed(out)
    },
    open: (key, nonce, header, text, out) => {
      node.pendingWork += COST.seal
      const opens = aead.open(key, nonce, header, text, out)
      if (opens) watch?.opened(node.index, header)
      return opens
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
  const hash = node.sightings?.watch(crypto.hash) ?? crypto.hash
  return { hash, signatures: charged, aead: sealed, agreement: agreed, kdf: crypto.kdf }
}
