/**
 * The one run loop, for the simulator, the browser and the real node: feed one input, drain its
 * effects, move the alarm. It knows the machine, a clock and an alarm, and nothing of the protocol.
 *
 * It asserts what drivers get wrong: time that goes backwards, an input while effects are being
 * carried out, and a wake after which the machine wants to be woken at the same instant again.
 */
import { assert, InvariantError } from './errors.ts'
import {
  type Address,
  type Channel,
  type CloseReason,
  type Command,
  type Effects,
  type Hop,
  type JobId,
  type JobOutcome,
  type LinkId,
  type Machine,
  type Micros,
  NEVER,
  type PeerId,
  type PortId,
  type Reachability,
  type StoreId,
} from './io.ts'

export interface Clock {
  now(): Micros
}

/** At most one pending call of `Host.fire`. Setting replaces the earlier time. */
export interface Alarm {
  set(at: Micros): void
  clear(): void
}

/** Numbers that a host keeps. */
export const HOST_TIMES = 2
const LAST = 0
const ARMED = 1

export class Host {
  readonly machine: Machine
  readonly #clock: Clock
  readonly #alarm: Alarm
  readonly #effects: Effects
  /** Time of the last input, and for when the alarm is set. */
  readonly #times: Float64Array
  readonly #at: number
  #busy = false

  /** `times`: where the host may keep two numbers, from `at` on; a world of many keeps them together. */
  constructor(
    machine: Machine,
    clock: Clock,
    alarm: Alarm,
    effects: Effects,
    times: Float64Array = new Float64Array(HOST_TIMES),
    at = 0,
  ) {
    this.machine = machine
    this.#clock = clock
    this.#alarm = alarm
    this.#effects = effects
    this.#times = times
    this.#at = at
    times[at + LAST] = clock.now()
    times[at + ARMED] = NEVER
  }

  /** The time as the machine's clock shows it. */
  now(): Micros {
    return this.#clock.now()
  }

  // HOT PATH
  packet(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    this.machine.packet(this.#enter(), link, channel, hop, bytes)
    this.#settle()
  }

  // HOT PATH
  frame(port: PortId, frame: Uint8Array): void {
    this.machine.frame(this.#enter(), port, frame)
    this.#settle()
  }

  linkUp(link: LinkId, peer: PeerId, dialled: boolean): void {
    this.#input((now) => this.machine.linkUp(now, link, peer, dialled))
  }

  linkDown(link: LinkId, reason: CloseReason): void {
    this.#input((now) => this.machine.linkDown(now, link, reason))
  }

  linkReady(link: LinkId, channel: Channel, ready: boolean): void {
    this.#input((now) => this.machine.linkReady(now, link, channel, ready))
  }

  dialFailed(peer: PeerId): void {
    this.#input((now) => this.machine.dialFailed(now, peer))
  }

  addressesChanged(addresses: readonly Address[], reach: Reachability): void {
    this.#input((now) => this.machine.addressesChanged(now, addresses, reach))
  }

  stored(id: StoreId, ok: boolean): void {
    this.#input((now) => this.machine.stored(now, id, ok))
  }

  jobDone(job: JobId, outcome: JobOutcome): void {
    this.#input((now) => this.machine.jobDone(now, job, outcome))
  }

  command(command: Command): void {
    this.#input((now) => this.machine.command(now, command))
  }

  /** The alarm went off. One that fires early is harmless: a wake does nothing before its time. */
  fire(): void {
    this.#times[this.#at + ARMED] = NEVER
    const now = this.#enter()
    this.machine.wake(now)
    assert(this.machine.nextDeadline() > now, 'a wake made no progress: its deadline is not later than now')
    this.#settle()
  }

  /** What the machine refuses is thrown on to the caller, and the machine goes on. */
  #input(input: (now: Micros) => void): void {
    const now = this.#enter()
    try {
      input(now)
    } finally {
      this.#settle()
    }
  }

  #enter(): Micros {
    assert(!this.#busy, 'an input arrived while effects of another were being carried out')
    const now = this.#clock.now()
    const last = this.#times[this.#at + LAST] as number
    if (now < last) wentBackwards(last, now)
    this.#times[this.#at + LAST] = now
    this.#busy = true
    return now
  }

  #settle(): void {
    this.machine.drain(this.#effects)
    this.#busy = false
    const deadline = this.machine.nextDeadline()
    if (deadline === this.#times[this.#at + ARMED]) return
    this.#times[this.#at + ARMED] = deadline
    if (deadline === NEVER) this.#alarm.clear()
    else this.#alarm.set(deadline)
  }
}

/** Apart from the check, so that no message is built for a clock that is right. */
function wentBackwards(last: Micros, now: Micros): never {
  throw new InvariantError(`This is a fault of PeerTap itself: time went backwards from ${last} to ${now}`)
}
