/**
 * Plays a run: lets its time pass at some speed, leaps to moments, and tells what is to be seen. It is
 * handed the time and knows no thread and no page, so that it plays in a worker as in a test. Going back
 * is a new run from the beginning: a run is a pure function of scenario and seed.
 */
import { UsageError } from '../../core/errors.ts'
import { type DataFiles, dataNeeds, Run, readScenario, type Scenario } from '../../sim/index.ts'
import { aboutOf } from '../../sim/watch/about.ts'
import { detailOf, measure, pictureOf } from '../../sim/watch/look.ts'
import { Watcher } from '../../sim/watch/watcher.ts'
import { Branch } from './branch.ts'
import { nextStep, Pace } from './pace.ts'
import type { Focus, Measures, News, Opening, Order } from './source.ts'

/** One slice of work; orders are heard between two. */
const SLICE_MILLIS = 24
/** Beside a leap: how often it is told how far it is. */
const TELL_MILLIS = 150
/** Looks into every node take at most a tenth of the time. */
const MEASURE_REST = 9
/** A step of simulated time, and between which bounds it adapts to what a step costs. */
const STEP = { first: 0.05, least: 0.001, most: 2, cheapMillis: 2, dearMillis: 8 } as const
/** Later than this behind its time, a play goes on from where it is: nobody wants to see it catch up. */
const LAG_MILLIS = 250

export class Player {
  readonly #tell: (news: News) => void
  readonly #clock: () => number
  #opening: Opening | undefined
  #scenario: Scenario | undefined
  #run: Run | undefined
  #branch: Branch | undefined
  /** Effects that are to be told; undefined: none is. */
  #effects: string[] | undefined
  #watcher = new Watcher()
  #focus: Focus = { node: -1, vlan: -1, measures: false }
  /** Simulated seconds a second; undefined: paused. */
  #speed: number | undefined
  readonly #pace = new Pace()
  #goal: { readonly at: number; readonly from: number } | undefined
  #step: number = STEP.first
  #measures: Measures | undefined
  #measureAfter = 0
  #toldAt = 0
  /** Something is to be drawn that has not been told. */
  #stale = false
  #leap = true
  #awaitsDrawing = false
  #hasEnded = false

  /** `clock`: milliseconds of real time, from anywhere. */
  constructor(tell: (news: News) => void, clock: () => number) {
    this.#tell = tell
    this.#clock = clock
  }

  order(order: Order): void {
    switch (order.kind) {
      case 'open':
        this.#guard(() => this.#open(order.opening), true)
        break
      case 'play':
        if (this.#run === undefined) break
        this.#speed = order.speed ?? Number.POSITIVE_INFINITY
        this.#goal = undefined
        this.#anchorHere()
        this.#tellPlaying()
        break
      case 'pause':
        this.#speed = undefined
        this.#goal = undefined
        this.#stale = true
        this.#tellPlaying()
        break
      case 'seek':
        this.#guard(() => this.#seek(order.at))
        break
      case 'focus':
        this.#focus = order.focus
        this.#measures = undefined
        this.#measureAfter = 0
        this.#stale = true
        break
      case 'trace':
        this.#trace(order.on)
        break
      case 'drawn':
        this.#awaitsDrawing = false
        break
    }
  }

  /**
   * Does a slice of what there is to do. Answers after how many milliseconds to call again; undefined: at the
   * next order.
   */
  work(): number | undefined {
    const run = this.#run
    if (run === undefined) return undefined
    let isLate = false
    this.#guard(() => {
      isLate = this.#advance(run)
    })
    if (this.#run === undefined) return undefined
    if (this.#stale && !this.#awaitsDrawing && this.#goal === undefined) this.#guard(() => this.#show(run))
    if (this.#goal !== undefined) return 0
    if (this.#speed === undefined || run.done) return undefined
    return isLate ? 0 : 8
  }

  #open(opening: Opening): void {
    this.#run = undefined
    this.#opening = opening
    const scenario = readScenario(opening.text, opening.name, [])
    if (scenario.mls === 'tsmls') {
      throw new UsageError(
        `${opening.name}: mls is "tsmls", which no page runs; set "mls" to "standin", or run it with ` +
          'peertap sim run',
      )
    }
    const missing = dataNeeds(scenario).filter(({ name }) => opening.data[name] === undefined)
    if (missing.length > 0) {
      const names = missing.map(({ key, name, content }) => `${key}: ${name}, ${content}`)
      throw new UsageError(
        `${opening.name} needs recorded data; drop these files on the page, or start peertap view with ` +
          `--data:\n${names.join('\n')}`,
      )
    }
    this.#scenario = scenario
    this.#speed = undefined
    this.#goal = undefined
    this.#begin()
    this.#tellPlaying()
  }

  /** A run from its beginning. */
  #begin(): void {
    const { seed, dither, data, branching } = this.#opening as Opening
    const files: DataFiles = {
      text: (name) => {
        const text = data[name]
        if (text === undefined) throw new UsageError(`${name} is not here; drop it on the page`)
        return text
      },
    }
    const watcher = new Watcher()
    const scenario = this.#scenario as Scenario
    const run = new Run(scenario, {
      seed,
      data: files,
      dither,
      onlooker: watcher,
      onProgress: () => {
        watcher.second()
        return true
      },
    })
    watcher.run = run
    this.#branch = branching === undefined ? undefined : new Branch(run, branching)
    this.#effects = undefined
    this.#watcher = watcher
    this.#run = run
    this.#measures = undefined
    this.#measureAfter = 0
    this.#hasEnded = false
    this.#leap = true
    this.#stale = true
    this.#tell({ kind: 'about', about: aboutOf(scenario, seed, run) })
  }

  #seek(wanted: number): void {
    if (this.#run === undefined) return
    const at = Math.min(Math.max(0, wanted), this.#run.endsAtSeconds)
    if (at < this.#run.world.now / 1e6) this.#begin()
    this.#speed = undefined
    this.#goal = { at, from: (this.#run as Run).world.now / 1e6 }
    this.#tellPlaying()
  }

  #trace(on: boolean): void {
    const run = this.#run
    if (run === undefined) return
    this.#effects = on ? [] : undefined
    run.world.recorder = on ? (line) => this.#effects?.push(line) : undefined
  }

  #tellEffects(): void {
    const lines = this.#effects
    if (lines === undefined || lines.length === 0) return
    this.#effects = []
    this.#tell({ kind: 'effects', lines })
  }

  /** True if it is behind its time. */
  #advance(run: Run): boolean {
    const goal = this.#goal
    const began = this.#clock()
    if (goal === undefined && (this.#speed === undefined || run.done)) return false
    const target = goal?.at ?? this.#due(began)
    // In whole microseconds, as the run takes it.
    const until = Math.round(Math.min(target, run.endsAtSeconds) * 1e6) / 1e6
    while (!run.done && run.world.now / 1e6 < until) {
      const from = this.#clock()
      this.#branch?.turn()
      const next = Math.min(until, run.world.now / 1e6 + this.#step)
      run.step(this.#branch?.limit(next) ?? next)
      const now = this.#clock()
      this.#step = nextStep(this.#step, now - from, STEP)
      if (now - began >= SLICE_MILLIS) break
    }
    const isThere = run.done || run.world.now / 1e6 >= until
    this.#stale = true
    this.#tellEffects()
    this.#watcher.look()
    if (goal !== undefined && isThere) this.#goal = undefined
    if (run.done && !this.#hasEnded) {
      this.#hasEnded = true
      this.#speed = undefined
      this.#tell({ kind: 'ended', result: run.result() })
    }
    const isDue = this.#clock() - this.#toldAt > TELL_MILLIS
    if (isDue || (goal !== undefined && isThere) || run.done) this.#tellPlaying()
    if (goal === undefined && !isThere) {
      const behind = (target - run.world.now / 1e6) / (this.#speed ?? 1)
      if (behind * 1_000 > LAG_MILLIS) this.#anchorHere()
    }
    return !isThere
  }

  #due(wall: number): number {
    const speed = this.#speed as number
    if (speed === Number.POSITIVE_INFINITY) return speed
    return this.#pace.due(wall, speed)
  }

  #anchorHere(): void {
    this.#pace.anchor(this.#clock(), (this.#run?.world.now ?? 0) / 1e6)
  }

  #show(run: Run): void {
    const { vlan, node, measures } = this.#focus
    const watcher = this.#watcher
    const epochs = watcher.epochs(vlan, run.world.nodes.length)
    const epochNames = watcher.epochNames(vlan)
    const bare = pictureOf(run, watcher, { leap: this.#leap, epochs, epochNames, measures: undefined })
    this.#leap = false
    const wants = measures || vlan >= 0
    const isPaused = this.#speed === undefined || run.done
    const began = this.#clock()
    if (wants && (isPaused || began >= this.#measureAfter)) {
      this.#measures = measure(run, bare.links, watcher.vlanId(vlan))
      const now = this.#clock()
      this.#measureAfter = now + (now - began) * MEASURE_REST
    }
    const picture = { ...bare, measures: wants ? this.#measures : undefined }
    this.#stale = false
    this.#awaitsDrawing = true
    this.#tell({ kind: 'picture', picture, ...watcher.take() })
    if (node >= 0) this.#tell({ kind: 'detail', detail: detailOf(run, node) })
  }

  #tellPlaying(): void {
    this.#toldAt = this.#clock()
    const at = (this.#run?.world.now ?? 0) / 1e6
    const goal = this.#goal
    const seeking =
      goal === undefined ? undefined : goal.at <= goal.from ? 1 : (at - goal.from) / (goal.at - goal.from)
    const done = this.#run?.done ?? false
    this.#tell({ kind: 'playing', playing: { playing: this.#speed !== undefined, at, seeking, done } })
  }

  /** `given`: it does what somebody gave it, so that a wrong use of anything is that person's. */
  #guard(work: () => void, given = false): void {
    try {
      work()
    } catch (error) {
      this.#run = undefined
      this.#speed = undefined
      this.#goal = undefined
      const message = error instanceof Error ? error.message : String(error)
      this.#tell({ kind: 'failed', message, fault: !(given && error instanceof UsageError) })
    }
  }
}
