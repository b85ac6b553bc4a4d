/**
 * Two runs in step: both are led from one moment to the next, so that whatever is compared is of one
 * moment. Where one branches from the other, both are first led to the moment of the change, their
 * digests are compared there, and then their effects one by one until two are not the same.
 */
import { type Differences, differencesOf, FirstDifference, type FirstEffect } from './model/difference.ts'
import type { Shown } from './shown.ts'
import { nextStep, Pace } from './source/pace.ts'
import type { News, Playing } from './source/source.ts'

/** Steps while effects are compared, in simulated seconds: few enough effects that all can be kept. */
const TRACE_STEP = 0.25
/** A branch that has changed nothing for so long is compared by digests alone. */
const TRACE_SECONDS = 60
/** Of a play as fast as it goes: the step adapts until it costs about this much. */
const STEP = { first: 0.1, least: 0.01, most: 10, cheapMillis: 40, dearMillis: 120 } as const
/** Further behind its time than this a play goes on from where it is. */
const LAG_MILLIS = 250

/** What is known of when they part. */
export interface Parting {
  /** Of a branch: its moment, and whether all was the same until then. */
  readonly past: { readonly at: number; readonly digest: string; readonly isSame: boolean } | undefined
  /** The last moment at which the digests were equal, and the first at which they were not, in seconds. */
  readonly sameAt: number | undefined
  readonly otherAt: number | undefined
  readonly effect: FirstEffect | undefined
}

export class Duet {
  readonly first: Shown
  readonly second: Shown
  readonly #branchAt: number | undefined
  readonly #changed: () => void
  /** Where somebody wants to be, and where both are being led. */
  #goal = 0
  #target: number | undefined
  #ledAt = 0
  #speed: number | undefined
  readonly #pace = new Pace()
  #step: number = STEP.first
  #isOpening = true
  #past: Parting['past']
  #sameAt: number | undefined
  #otherAt: number | undefined
  #tracing: FirstDifference | undefined
  #effect: FirstEffect | undefined

  /** `branchAt`: of a branch; `changed`: something can be seen to be otherwise. */
  constructor(first: Shown, second: Shown, branchAt: number | undefined, changed: () => void) {
    this.first = first
    this.second = second
    this.#branchAt = branchAt
    this.#changed = changed
  }

  /** Leads both to that moment, over the moment of the change. Called when the second has been opened. */
  start(at: number): void {
    this.#goal = at
    this.#lead(this.#branchAt ?? at)
  }

  get playing(): Playing {
    const { first, second } = this
    const shares = [first.playing.seeking ?? 1, second.playing.seeking ?? 1]
    const isLed = this.#target !== undefined && this.#speed === undefined
    return {
      playing: this.#speed !== undefined,
      at: first.picture?.at ?? 0,
      seeking: isLed ? Math.min(...shares, 0.999) : undefined,
      done: first.playing.done && second.playing.done,
    }
  }

  get parting(): Parting {
    return { past: this.#past, sameAt: this.#sameAt, otherAt: this.#otherAt, effect: this.#effect }
  }

  /** Undefined while they are not at one moment. */
  get differences(): Differences | undefined {
    const [first, second] = [this.first.picture, this.second.picture]
    if (first === undefined || second === undefined || !this.#isLevel()) return undefined
    return differencesOf(first, second)
  }

  play(speed: number | null): void {
    this.#speed = speed ?? Number.POSITIVE_INFINITY
    this.#pace.anchor(performance.now(), this.#target ?? this.#at)
    if (this.#target === undefined) this.#goOn()
    this.#changed()
  }

  pause(): void {
    this.#speed = undefined
    this.#goal = this.#target ?? this.#at
    this.#changed()
  }

  seek(at: number): void {
    this.#speed = undefined
    this.#goal = Math.round(Math.max(0, at) * 1e6) / 1e6
    // What begins anew tells no effects.
    if (at < this.#at) this.#tracing = undefined
    if (!this.#isOpening) this.#lead(this.#stepTo(at))
    this.#changed()
  }

  /** News of either, which has taken it in. */
  heard(which: 0 | 1, news: News): void {
    if (news.kind === 'effects') this.#tracing?.add(which, news.lines)
    // Whichever run begins anew is led again: a source heeds no order before it has a run.
    else if (news.kind === 'about' && this.#target !== undefined) this.#order(which, this.#target)
    else if (news.kind === 'picture' || news.kind === 'playing') this.#look()
  }

  /** Both pictures are on the screen. */
  drawn(): void {
    if (this.#target === undefined && (this.#speed !== undefined || this.#isOnTheWay())) this.#goOn()
  }

  #lead(at: number): void {
    this.#target = Math.round(Math.max(0, at) * 1e6) / 1e6
    this.#ledAt = performance.now()
    for (const which of [0, 1] as const) this.#order(which, this.#target)
  }

  #order(which: 0 | 1, at: number): void {
    const run = which === 0 ? this.first : this.second
    if (run.about !== undefined) run.order({ kind: 'seek', at: Math.min(at, run.about.endsAt) })
  }

  /** Whether both have come to where they were led; then what there is to compare is compared. */
  #look(): void {
    const at = this.#target
    if (at === undefined || !this.#isLevel(at)) return
    this.#target = undefined
    if (this.#speed !== undefined) this.#goal = at
    this.#compare(at)
    this.#step = nextStep(this.#step, performance.now() - this.#ledAt, STEP)
    if (this.#isOpening) {
      this.#isOpening = false
      if (this.#branchAt !== undefined) this.#trace(at)
    }
    if (this.second.picture !== undefined) this.first.layOutWith(this.second.picture)
    this.#changed()
  }

  #compare(at: number): void {
    const [first, second] = [this.first.picture?.digest ?? '', this.second.picture?.digest]
    const isSame = first === second
    if (at === this.#branchAt) this.#past = { at, digest: first, isSame }
    if (isSame) this.#sameAt = Math.max(this.#sameAt ?? 0, at)
    else this.#otherAt = Math.min(this.#otherAt ?? at, at)
    const tracing = this.#tracing
    if (tracing === undefined || at === this.#branchAt) return
    tracing.settle()
    if (tracing.found === undefined && !tracing.isLost && at < (this.#branchAt ?? 0) + TRACE_SECONDS) return
    this.#effect = tracing.found
    this.#tracing = undefined
    for (const run of [this.first, this.second]) run.order({ kind: 'trace', on: false })
  }

  /** From the moment of the change on, until something differs. */
  #trace(at: number): void {
    if (at !== this.#branchAt || this.#past?.isSame !== true) return
    this.#tracing = new FirstDifference()
    for (const run of [this.first, this.second]) run.order({ kind: 'trace', on: true })
  }

  #isOnTheWay(): boolean {
    return !this.#isOpening && Math.min(this.#goal, this.#end) !== this.#at
  }

  get #at(): number {
    return Math.max(this.first.picture?.at ?? 0, this.second.picture?.at ?? 0)
  }

  /** Of the longer one. */
  get #end(): number {
    return Math.max(this.first.about?.endsAt ?? 0, this.second.about?.endsAt ?? 0)
  }

  /** To the next moment of a play, or of a way to one. */
  #goOn(): void {
    if (this.#speed !== undefined && this.#at >= this.#end) {
      this.#speed = undefined
      this.#goal = this.#at
      this.#changed()
      return
    }
    const next = this.#speed === undefined ? this.#goal : this.#due(this.#at)
    this.#lead(Math.min(this.#end, this.#stepTo(next)))
  }

  /** Not too far while effects are compared. */
  #stepTo(at: number): number {
    return this.#tracing !== undefined && at > this.#at ? Math.min(at, this.#at + TRACE_STEP) : at
  }

  #due(at: number): number {
    const speed = this.#speed as number
    if (speed === Number.POSITIVE_INFINITY) return at + this.#step
    const due = this.#pace.due(performance.now(), speed)
    const latest = at + (LAG_MILLIS / 1_000) * speed
    if (due <= latest) return Math.max(due, at + 1e-6)
    this.#pace.anchor(performance.now(), latest)
    return latest
  }

  #isLevel(at = this.#at): boolean {
    return [this.first, this.second].every(
      ({ about, picture }) =>
        about !== undefined && picture !== undefined && picture.at === Math.min(at, about.endsAt),
    )
  }
}
