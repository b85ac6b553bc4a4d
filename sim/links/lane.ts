/**
 * One direction of one trunk, as a machine: time and size go in, a decision comes out.
 *
 * A lane knows its path: delay, jitter, loss, order, rate. It does not know who is at its ends, what a
 * message says, whether a partition cuts the path (sim/links/partition.ts: ask before sending) or when
 * anything is delivered: the world schedules what the lane decides. It draws from the stream it is
 * handed, the sending machine's own, so one machine's traffic never shifts another's fate.
 *
 * To drive it: `control` for each control message, `data` for each data packet, both with the bytes on
 * the wire (packet and WIRE_OVERHEAD_BYTES) and with times that do not go back. Then, if a sender cares,
 * `readyAt`.
 *
 * The model, in the order in which a message meets it:
 *   line    bytes leave at the machine's own upload rate; a datagram that would wait longer than
 *           the queue is dropped at its tail
 *   loss    each transmission is lost alone or in bursts (Gilbert 1960, Elliott 1963); corruption of a
 *           checked stream is loss. Datagrams are gone, streams send again after max(200 ms, 2 RTT),
 *           doubled at each further loss, for 10 s (mesh:M14), then the lane is dead
 *   delay   the base delay and jitter, which is never negative and persists (field notes of home
 *           devices: successive round trips correlate with 0.8, and most packets of a calm path are at
 *           the minimum): an exponential AR(1) process (Gaver, Lewis 1980) that jumps and decays
 *   order   messages stay in order, unless the condition `reorder` picks one to be late
 *   copies  a datagram may arrive twice, or its first copy with a flipped bit
 *
 * HOT PATH, all of it: 300,000 messages a second over 200,000 lanes. Nothing is allocated for a message,
 * and what few lanes need is in `Trouble`.
 */
import { CHANNEL, type Channel, MILLISECOND, type Micros, NEVER, SECOND } from '../../core/io.ts'
import { exp, log } from '../math.ts'
import type { Random } from '../random.ts'
import { Rows } from '../rows.ts'
import type { CompiledConditions } from './conditions.ts'

/** Shortest wait before a stream sends again: the usual minimum of TCP stacks (RFC 6298 asks for more). */
const RETRANSMIT_AT_LEAST: Micros = 200 * MILLISECOND
/** mesh:M14: a stream that got nothing through for this long is dead. */
export const DEAD_AFTER: Micros = 10 * SECOND
/** A late packet is late by this and up to a one-way delay more: enough for others to overtake. Guess. */
const LATE_AT_LEAST: Micros = MILLISECOND
/** A second copy follows within this time, as a link layer's needless repetition does. Guess. */
const COPY_WITHIN: Micros = MILLISECOND
/** Beyond this many time constants (e^-40) a path has forgotten its state. */
const FORGOTTEN = 40
/** A lane's own loss is kept as a whole number of this many parts: an integer takes a third of the memory. */
const OWN_LOSS_PARTS = 65_536
const TWO_TO_MINUS_32 = 1 / 4_294_967_296

/** Why `data` answered 0. */
export const DROP = { cut: 0, loss: 1, queue: 2, clogged: 3, dead: 4 } as const
export type DropReason = (typeof DROP)[keyof typeof DROP]

/** A machine's access line in one direction, shared by all lanes that leave (or reach) the machine. */
export class AccessLine {
  /** What was accepted is through by then, in fractions of microseconds. */
  #busyUntil = Number.NEGATIVE_INFINITY

  /** Microseconds of bytes that wait at that time. */
  backlog(now: Micros): number {
    return this.#busyUntil > now ? this.#busyUntil - now : 0
  }

  /** Takes the bytes; returns when the last of them is through. Whoever may drop asks `backlog` first. */
  pass(now: Micros, bytes: number, perByte: number): number {
    const from = this.#busyUntil > now ? this.#busyUntil : now
    this.#busyUntil = from + bytes * perByte
    return this.#busyUntil
  }

  /** The machine started anew: nothing waits. */
  reset(): void {
    this.#busyUntil = Number.NEGATIVE_INFINITY
  }
}

/** What the lanes of one world share: their conditions, and the outcome of the latest call of `data`. */
export class LaneShared {
  readonly rows = new Rows()
  /** Assign to change the behaviour of all lanes from the next message on. */
  conditions: CompiledConditions
  first: Micros = 0
  second: Micros = 0
  corrupted = false
  dropReason: DropReason = DROP.cut

  constructor(conditions: CompiledConditions) {
    this.conditions = conditions
  }
}

/** What few lanes need: those that a fault clogged, and those that died. */
class Trouble {
  controlClog = Number.NEGATIVE_INFINITY
  dataClog = Number.NEGATIVE_INFINITY
  deadAt: Micros = NEVER
}

/** Numbers of a lane: places in its row. */
const AT = {
  /** One way, without jitter. */
  delay: 0,
  /** State of the jitter process, mean 1; not a number before the first draw. */
  jitter: 1,
  /** Arrival of the last message in order. */
  lastControl: 2,
  lastData: 3,
  /** 1 if the path was in its bad state at `stateAt`. */
  bad: 4,
  stateAt: 5,
  ownLoss: 6,
} as const

export class Lane {
  readonly #shared: LaneShared
  #line: AccessLine | undefined
  readonly #numbers: Float64Array
  readonly #at: number
  #trouble: Trouble | undefined

  /** `oneWay` in whole microseconds; `line`: the sending machine's upload line, by default one of its own. */
  constructor(oneWay: Micros, shared: LaneShared, line?: AccessLine) {
    this.#shared = shared
    this.#line = line
    const at = shared.rows.take()
    const { numbers } = shared.rows
    this.#at = at
    this.#numbers = numbers
    numbers[at + AT.delay] = oneWay
    numbers[at + AT.jitter] = Number.NaN
    numbers[at + AT.lastControl] = Number.NEGATIVE_INFINITY
    numbers[at + AT.lastData] = Number.NEGATIVE_INFINITY
    numbers[at + AT.bad] = 0
    numbers[at + AT.stateAt] = Number.NEGATIVE_INFINITY
    numbers[at + AT.ownLoss] = 0
  }

  /** The lane is not used any more: its numbers go to another. */
  end(): void {
    this.#shared.rows.give(this.#numbers, this.#at)
  }

  // Outcome of the last `data`. Shared by all lanes: read at once.

  /** Arrival of the packet. */
  get first(): Micros {
    return this.#shared.first
  }

  /** Arrival of its second copy, if `data` answered 2. */
  get second(): Micros {
    return this.#shared.second
  }

  /** The first copy arrives with a changed bit; the second never does. */
  get corrupted(): boolean {
    return this.#shared.corrupted
  }

  /** Why `data` answered 0. */
  get dropReason(): DropReason {
    return this.#shared.dropReason
  }

  /** When the ends learn that a stream got nothing through for 10 s; NEVER while the lane lives. */
  get deadAt(): Micros {
    return this.#trouble === undefined ? NEVER : this.#trouble.deadAt
  }

  // Messages.

  // HOT PATH
  /**
   * Sends a control message of so many bytes on the wire. Returns its arrival, never earlier than that
   * of an earlier message; NEVER if it would not get through in 10 s: then the lane is dead (`deadAt`)
   * and so is every later message on a stream.
   */
  control(now: Micros, bytes: number, random: Random): Micros {
    const conditions = this.#shared.conditions
    const leaves = this.#leave(now, bytes, conditions)
    let at = leaves
    const trouble = this.#trouble
    if (trouble !== undefined) {
      if (trouble.deadAt !== NEVER) return NEVER
      if (trouble.controlClog > at) at = trouble.controlClog
    }
    const through = this.#retransmit(leaves, at, conditions, random)
    if (through === NEVER) return NEVER
    const arrival = this.#streamArrival(through, conditions, random)
    if (arrival > this.#get(AT.lastControl)) this.#set(AT.lastControl, arrival)
    return this.#get(AT.lastControl)
  }

  // HOT PATH
  /**
   * Sends a data packet of so many bytes on the wire. Returns how many copies arrive, 0 to 2; see
   * `first`, `second`, `corrupted`, and for 0 `dropReason`.
   */
  data(now: Micros, bytes: number, random: Random): number {
    const shared = this.#shared
    const { conditions } = shared
    shared.corrupted = false
    const trouble = this.#trouble
    if (trouble !== undefined && trouble.dataClog > now) return this.#drop(DROP.clogged)
    if (conditions.upPerByte > 0 && this.#accessLine().backlog(now) > conditions.queue) {
      return this.#drop(DROP.queue)
    }
    const leaves = this.#leave(now, bytes, conditions)
    if (conditions.stream) return this.#streamData(leaves, conditions, random)
    if ((conditions.lossy || this.#get(AT.ownLoss) > 0) && this.#lost(leaves, conditions, 0, random)) {
      return this.#drop(DROP.loss)
    }
    return this.#datagram(leaves, conditions, random)
  }

  /**
   * When a sender on that channel may go on: `now` if at once, else the time at which half of the queue
   * will be free or the clog is over. Datagrams wait for nothing but a clog: their queue is in the router.
   */
  readyAt(now: Micros, channel: Channel): Micros {
    const { conditions } = this.#shared
    const control = channel === CHANNEL.control
    const trouble = this.#trouble
    let ready = now
    // A stall by loss does not count: the socket's buffer takes what is sent meanwhile.
    if (trouble !== undefined) ready = Math.max(ready, control ? trouble.controlClog : trouble.dataClog)
    if ((control || conditions.stream) && this.#line !== undefined) {
      const backlog = this.#line.backlog(now)
      if (backlog > conditions.queue) ready = Math.max(ready, Math.ceil(now + backlog - conditions.queue / 2))
    }
    return ready
  }

  // Faults.

  /**
   * Until then nothing is taken on the control channel, or on neither: control waits, data is dropped. A
   * longer clog stands. Also for a world that held control packets back itself and lets them go at a time
   * to come: the access line and the path must not be asked about later times first.
   */
  clog(until: Micros, both: boolean): void {
    const trouble = this.#troubled()
    if (until > trouble.controlClog) trouble.controlClog = until
    if (both && until > trouble.dataClog) trouble.dataClog = until
  }

  /** Loss of this lane's own, 0 to 1 in steps of 2^-16, on top of the conditions: a radio link's quality. */
  addLoss(share: number): void {
    this.#set(AT.ownLoss, Math.round(share * OWN_LOSS_PARTS))
  }

  // The stages.

  /** When the last byte is on its way. Only `data` drops, and before this. */
  #leave(now: Micros, bytes: number, conditions: CompiledConditions): number {
    const perByte = conditions.upPerByte
    return perByte === 0 ? now : this.#accessLine().pass(now, bytes, perByte)
  }

  #streamData(leaves: number, conditions: CompiledConditions, random: Random): number {
    if (this.deadAt !== NEVER) return this.#drop(DROP.dead)
    const through = this.#retransmit(leaves, leaves, conditions, random)
    if (through === NEVER) return this.#drop(DROP.dead)
    const arrival = this.#streamArrival(through, conditions, random)
    if (arrival > this.#get(AT.lastData)) this.#set(AT.lastData, arrival)
    this.#shared.first = this.#get(AT.lastData)
    return 1
  }

  #datagram(leaves: number, conditions: CompiledConditions, random: Random): number {
    const shared = this.#shared
    const { reorder, duplicate, corrupt } = conditions
    let arrival = Math.round(leaves + this.#get(AT.delay) + this.#drawJitter(conditions, random))
    if (arrival < this.#get(AT.lastData)) arrival = this.#get(AT.lastData)
    let inOrder = true
    if (reorder > 0) {
      const draw = random.u32() * TWO_TO_MINUS_32
      if (draw < reorder) {
        arrival += this.#lateness(draw / reorder)
        inOrder = false
      }
    }
    shared.first = arrival
    let copies = 1
    if (duplicate > 0) {
      const draw = random.u32() * TWO_TO_MINUS_32
      if (draw < duplicate) {
        copies = 2
        arrival += Math.ceil(COPY_WITHIN * (draw / duplicate))
        shared.second = arrival
      }
    }
    if (corrupt > 0) shared.corrupted = random.chance(corrupt)
    if (inOrder) this.#set(AT.lastData, arrival)
    return copies
  }

  #streamArrival(through: number, conditions: CompiledConditions, random: Random): Micros {
    let arrival = through + this.#get(AT.delay) + this.#drawJitter(conditions, random)
    const { reorder } = conditions
    if (reorder > 0) {
      const draw = random.u32() * TWO_TO_MINUS_32
      // The receiver waits for the late segment, and all behind it wait too.
      if (draw < reorder) arrival += this.#lateness(draw / reorder)
    }
    return Math.round(arrival)
  }

  /**
   * When a message that is first sent at `at` gets through a stream; NEVER, and the lane is dead, if it
   * does not in 10 s. The last attempt is made as the time is up, whatever the doubling says. Each
   * message is sent again by itself, as with selective acknowledgements; order is kept at the arrival.
   */
  #retransmit(leaves: number, at: number, conditions: CompiledConditions, random: Random): number {
    const { corrupt } = conditions
    if (!conditions.lossy && corrupt === 0 && this.#get(AT.ownLoss) === 0) return at
    let bad = this.#get(AT.bad)
    let stateAt = this.#get(AT.stateAt)
    let lost = this.#lost(at, conditions, corrupt, random)
    if (at === leaves) {
      bad = this.#get(AT.bad)
      stateAt = this.#get(AT.stateAt)
    }
    const last = at + DEAD_AFTER
    let wait = Math.max(RETRANSMIT_AT_LEAST, 4 * this.#get(AT.delay))
    let attempt = at
    while (lost && attempt < last) {
      attempt = Math.min(attempt + wait, last)
      wait *= 2
      lost = this.#lost(attempt, conditions, corrupt, random)
    }
    // The path's state at later attempts was a guess ahead: packets sent before then must not see it.
    this.#set(AT.bad, bad)
    this.#set(AT.stateAt, stateAt)
    if (!lost) return attempt
    this.#troubled().deadAt = Math.ceil(last)
    return NEVER
  }

  /** Whether one transmission at that time is lost (or corrupted, where `corrupt` says that counts). */
  #lost(at: number, conditions: CompiledConditions, corrupt: number, random: Random): boolean {
    let chance = conditions.bursty ? this.#burstLoss(at, conditions, random) : conditions.goodLoss
    if (this.#get(AT.ownLoss) > 0) chance += (1 - chance) * (this.#get(AT.ownLoss) / OWN_LOSS_PARTS)
    if (corrupt > 0) chance += (1 - chance) * corrupt
    return random.chance(chance)
  }

  /**
   * The loss at that time. The state is drawn from the exact law of a two-state Markov process: after t,
   * P(bad) = share + (was bad - share) e^(-t turnover). One draw, however long the lane was silent.
   */
  #burstLoss(at: number, conditions: CompiledConditions, random: Random): number {
    const { badShare } = conditions
    const faded = Math.max(0, at - this.#get(AT.stateAt)) * conditions.turnover
    const memory = faded > FORGOTTEN ? 0 : exp(-faded)
    this.#set(AT.bad, random.chance(badShare + (this.#get(AT.bad) - badShare) * memory) ? 1 : 0)
    this.#set(AT.stateAt, at)
    return this.#get(AT.bad) === 1 ? conditions.badLoss : conditions.goodLoss
  }

  /**
   * Microseconds above the base delay. Exponential AR(1): the level decays by the correlation and is
   * raised by an exponential amount as often as keeps its distribution exponential with mean 1. One
   * draw: what it is above the correlation is uniform again.
   */
  #drawJitter(conditions: CompiledConditions, random: Random): number {
    const { jitterShare, jitterKept } = conditions
    if (jitterShare === 0) return 0
    const draw = random.u32() * TWO_TO_MINUS_32
    let level = this.#get(AT.jitter)
    if (Number.isNaN(level)) level = -log(1 - draw)
    else if (draw < jitterKept) level *= jitterKept
    else level = level * jitterKept - log((1 - draw) / (1 - jitterKept))
    this.#set(AT.jitter, level)
    return level * jitterShare * this.#get(AT.delay)
  }

  /** How late a late packet is, from a uniform draw. */
  #lateness(draw: number): Micros {
    return LATE_AT_LEAST + Math.round(draw * this.#get(AT.delay))
  }

  #get(which: number): number {
    return this.#numbers[this.#at + which] as number
  }

  #set(which: number, value: number): void {
    this.#numbers[this.#at + which] = value
  }

  #drop(reason: DropReason): number {
    this.#shared.dropReason = reason
    return 0
  }

  #accessLine(): AccessLine {
    this.#line ??= new AccessLine()
    return this.#line
  }

  #troubled(): Trouble {
    this.#trouble ??= new Trouble()
    return this.#trouble
  }
}
