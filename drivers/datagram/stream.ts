/**
 * Whether the control stream of a trunk is alive while its data goes by datagrams. The core's control goes by
 * the stream alone, and data that comes by datagrams would hide from it that no control does: a trunk whose
 * streams died is dead, though datagrams get through. So a silent stream is asked, and at once where the path
 * has changed.
 */
import { type Micros, NEVER, SECOND } from '../../core/io.ts'
import { Bucket } from '../../core/vlan/storm.ts'

/** When a stream is asked. Guess. */
const SILENT: Micros = 2 * SECOND
/**
 * How long an answer may take, as datagrams that get through say that the peer is there (mesh:M14). A stream
 * of TCP under loss takes its time: after an outage, or where the same segment is lost four times, its next
 * attempt is up to 6.4 s away (RFC 6298 from 200 ms). But no longer: a trunk is authenticated by its stream,
 * and the core's control, which goes by that alone, has to leave by another trunk. Where datagrams die too,
 * the core misses its neighbour sooner.
 */
const DEAD: Micros = 10 * SECOND
/**
 * Questions that are answered: an honest end asks again only once it was answered, when a path came into use
 * or the stream was silent for two seconds. More would fill the way to the stream with answers.
 */
const ANSWERS_BURST = 8
const ANSWERS_PER_SECOND = 1

export class StreamWatch {
  readonly #ask: () => void
  readonly #answers: Bucket
  #heardAt: Micros
  /** When it was asked whether it is alive; NEVER if nothing is owed. */
  #askedAt: Micros = NEVER

  constructor(now: Micros, ask: () => void) {
    this.#ask = ask
    this.#heardAt = now
    this.#answers = new Bucket(now, ANSWERS_PER_SECOND, ANSWERS_BURST)
  }

  heard(now: Micros): void {
    this.#heardAt = now
    this.#askedAt = NEVER
  }

  /** The other end asks. False: more often than is answered. */
  mayAnswer(now: Micros): boolean {
    return this.#answers.take(now, 1)
  }

  ask(now: Micros): void {
    if (this.#askedAt !== NEVER) return
    this.#askedAt = now
    this.#ask()
  }

  /** True if it is dead. `busy`: data goes by datagrams now. */
  tend(now: Micros, busy: boolean): boolean {
    if (this.#askedAt !== NEVER) return now - this.#askedAt >= DEAD
    if (busy && now - this.#heardAt >= SILENT) this.ask(now)
    return false
  }

  get due(): Micros {
    return this.#askedAt === NEVER ? NEVER : this.#askedAt + DEAD
  }
}
