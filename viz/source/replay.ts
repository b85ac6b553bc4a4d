/**
 * Plays a recording as a player plays a run: lets its time pass at some speed, leaps to moments, and tells
 * what is to be seen. It is handed the file and the time and knows no thread and no page. To any moment it is
 * as far as from the checkpoint before it, 30 s at most.
 */
import { UsageError } from '../../core/errors.ts'
import type { Drawn } from '../../sim/recording/drawn.ts'
import { readDetail } from '../../sim/recording/header.ts'
import { type Loaded, Recording, type RecordingBytes } from '../../sim/recording/reader.ts'
import { Pace } from './pace.ts'
import type { Detail, Focus, News, Order, RecordedRun } from './source.ts'

/** One slice of work; orders are heard between two. */
const SLICE_MILLIS = 24
/** As fast as it goes: so much of the recording between two looks at the clock. */
const STRIDE_MICROS = 1_000_000
const TELL_MILLIS = 150

export type ReplayOrder = Exclude<Order, { readonly kind: 'open' }>

export class Replay {
  readonly #tell: (news: News) => void
  readonly #clock: () => number
  readonly #wake: () => void
  #recording: Recording | undefined
  #drawn: Drawn | undefined
  /** The frame under way, and its place among all. */
  #loaded: Loaded | undefined
  #index = 0
  #isLoading = false
  /** In microseconds, as all times in here. */
  #at = 0
  /** Of what the recording tells, how much has been told. */
  #told = { happenings: 0, samples: 0 }
  #focus: Focus = { node: -1, vlan: -1, measures: false }
  /** Recorded seconds a second; undefined: paused. */
  #speed: number | undefined
  readonly #pace = new Pace()
  #goal: number | undefined
  /** Where to go as soon as it is open, in seconds. */
  #wanted: number | undefined
  #toldAt = 0
  #stale = false
  #leap = true
  #awaitsDrawing = false
  #hasEnded = false

  /** `clock`: milliseconds of real time, from anywhere. `wake`: something came that was waited for. */
  constructor(tell: (news: News) => void, clock: () => number, wake: () => void) {
    this.#tell = tell
    this.#clock = clock
    this.#wake = wake
  }

  /** `name`: what messages call the file. What is wrong with it is told. */
  async open(bytes: RecordingBytes | Promise<RecordingBytes>, name: string): Promise<void> {
    this.#recording = undefined
    this.#speed = undefined
    this.#goal = undefined
    this.#wanted = undefined
    this.#awaitsDrawing = false
    try {
      this.#recording = await Recording.open(await bytes, name)
      this.#begin()
      this.#tell({ kind: 'recorded', recorded: recordedOf(this.#recording) })
      this.#goal = Math.min(Math.round((this.#wanted ?? 0) * 1e6), this.#recording.until)
    } catch (error) {
      this.#fail(error)
    }
    this.#tellPlaying()
    this.#wake()
  }

  order(order: ReplayOrder): void {
    switch (order.kind) {
      case 'play':
        this.#speed = order.speed ?? Number.POSITIVE_INFINITY
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
        this.#seek(order.at)
        break
      case 'focus':
        this.#focus = order.focus
        this.#stale = true
        break
      case 'drawn':
        this.#awaitsDrawing = false
        break
    }
  }

  /** A slice of work; after how many milliseconds to call again, undefined: when something has changed. */
  work(): number | undefined {
    const recording = this.#recording
    if (recording === undefined || this.#isLoading) return undefined
    try {
      const isThere = this.#advance(recording)
      if (!isThere && this.#isLoading) return undefined
      const isShown = this.#stale && !this.#awaitsDrawing && this.#goal === undefined
      if (isShown) this.#show(recording)
      if (!isThere) return 0
    } catch (error) {
      this.#fail(error)
      this.#tellPlaying()
    }
    const isOver = this.#recording === undefined || this.#at >= recording.until
    return this.#speed === undefined || isOver ? undefined : 8
  }

  /** From its beginning, as far as a page knows. */
  #begin(): void {
    const { header, until, cutOff } = this.#recording as Recording
    this.#told = { happenings: 0, samples: 0 }
    this.#drawn = undefined
    this.#loaded = undefined
    this.#at = 0
    this.#leap = true
    this.#hasEnded = false
    const endsAt = cutOff === undefined ? header.about.endsAt : until / 1e6
    this.#tell({ kind: 'about', about: { ...header.about, endsAt } })
  }

  #seek(wanted: number): void {
    const recording = this.#recording
    this.#wanted = wanted
    if (recording === undefined) return
    const at = Math.min(Math.max(0, Math.round(wanted * 1e6)), recording.until)
    if (at < this.#at) this.#begin()
    this.#speed = undefined
    this.#goal = at
    this.#tellPlaying()
  }

  /** Goes on to where it should be now; false if it is not there yet. */
  #advance(recording: Recording): boolean {
    const began = this.#clock()
    const isAtEnd = this.#at >= recording.until
    if (this.#goal === undefined && this.#drawn !== undefined && (this.#speed === undefined || isAtEnd))
      return true
    let isThere = false
    do {
      const target = this.#target(recording)
      if (!this.#carryOut(recording, target)) return false
      isThere =
        this.#goal !== undefined || this.#speed !== Number.POSITIVE_INFINITY || this.#at >= recording.until
    } while (!isThere && this.#clock() - began < SLICE_MILLIS)
    this.#stale = true
    this.#arrived(recording)
    return isThere
  }

  #target(recording: Recording): number {
    if (this.#goal !== undefined) return this.#goal
    if (this.#speed === undefined) return this.#at
    if (this.#speed === Number.POSITIVE_INFINITY) return Math.min(recording.until, this.#at + STRIDE_MICROS)
    const due = this.#pace.due(this.#clock(), this.#speed)
    return Math.min(recording.until, Math.max(this.#at, Math.round(due * 1e6)))
  }

  #arrived(recording: Recording): void {
    const isGoal = this.#goal !== undefined
    this.#goal = undefined
    if (isGoal) this.#anchorHere()
    const isOver = this.#at >= recording.until
    if (isOver) this.#speed = undefined
    if (isOver && !this.#hasEnded) {
      this.#hasEnded = true
      if (recording.result !== undefined) this.#tell({ kind: 'ended', result: recording.result })
    }
    if (isGoal || isOver || this.#clock() - this.#toldAt > TELL_MILLIS) this.#tellPlaying()
  }

  /** All changes up to that time; false if a frame is to be read first. */
  #carryOut(recording: Recording, target: number): boolean {
    const base = recording.baseOf(target)
    const isFar = this.#drawn === undefined || base > this.#index + 1
    if (isFar && this.#loaded?.frame !== recording.frames[base]) return this.#load(recording, base, false)
    const loaded = this.#loaded as Loaded
    this.#drawn ??= loaded.checkpoint()
    loaded.changes.apply(this.#drawn, target)
    loaded.check()
    const next = recording.frames[this.#index + 1]
    if (next !== undefined && next.from <= target) return this.#load(recording, this.#index + 1, true)
    this.#at = target
    return true
  }

  /** `goesOn`: from what is drawn, else from the frame's own checkpoint. */
  #load(recording: Recording, index: number, goesOn: boolean): false {
    this.#isLoading = true
    const loading = recording.load(index).then(
      (loaded) => {
        if (this.#recording !== recording) return
        if (!goesOn) this.#drawn = undefined
        this.#loaded = loaded
        this.#index = index
      },
      (error: unknown) => {
        if (this.#recording !== recording) return
        this.#fail(error)
        this.#tellPlaying()
      },
    )
    void loading.then(() => {
      this.#isLoading = false
      this.#wake()
    })
    return false
  }

  #show(recording: Recording): void {
    const drawn = this.#drawn as Drawn
    const { vlan, node, measures } = this.#focus
    const picture = drawn.picture(this.#at, vlan, measures || vlan >= 0, this.#leap)
    const happenings = this.#next(recording.happenings, 'happenings')
    const samples = this.#next(recording.samples, 'samples')
    this.#leap = false
    this.#stale = false
    this.#awaitsDrawing = true
    this.#tell({ kind: 'picture', picture, happenings, samples })
    if (node >= 0) this.#tell({ kind: 'detail', detail: this.#detail(drawn, node) })
  }

  /** What has come since it was told last. */
  #next<T extends { readonly at: number }>(all: readonly T[], what: 'happenings' | 'samples'): T[] {
    const from = this.#told[what]
    let until = from
    while (until < all.length && Math.round((all[until] as T).at * 1e6) <= this.#at) until += 1
    this.#told[what] = until
    return all.slice(from, until)
  }

  #detail(drawn: Drawn, node: number): Detail {
    const none = { node, at: this.#at / 1e6, view: undefined, timerSeconds: undefined, numbers: {} }
    const json = drawn.details.get(node)
    const detail = json === undefined ? undefined : readDetail(json)
    if (detail !== undefined) return { ...none, ...detail }
    return drawn.isUp(node) ? { ...none, isRecorded: false } : none
  }

  #anchorHere(): void {
    this.#pace.anchor(this.#clock(), this.#at / 1e6)
  }

  #tellPlaying(): void {
    this.#toldAt = this.#clock()
    const recording = this.#recording
    const done = recording !== undefined && this.#at >= recording.until && this.#goal === undefined
    const seeking = this.#goal === undefined ? undefined : 0
    const at = (this.#goal ?? this.#at) / 1e6
    this.#tell({ kind: 'playing', playing: { playing: this.#speed !== undefined, at, seeking, done } })
  }

  #fail(error: unknown): void {
    this.#recording = undefined
    this.#speed = undefined
    this.#goal = undefined
    const message = error instanceof Error ? error.message : String(error)
    this.#tell({ kind: 'failed', message, fault: !(error instanceof UsageError) })
  }
}

function recordedOf({ header, cutOff, thinned }: Recording): RecordedRun {
  const { version, scenario, seed, dither, marks } = header
  return { version, scenario, seed, dither, marks, cutOff, thinned }
}
