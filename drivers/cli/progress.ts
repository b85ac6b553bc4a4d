/**
 * How far a run is, on stderr: a bar on a terminal that can move its cursor, a line for every tenth
 * elsewhere, or nothing.
 */
import { Presets, SingleBar } from 'cli-progress'
import { formatNumber, type Progress } from '../../sim/index.ts'

interface ProgressDisplay {
  /** `seed` tells runs apart that go on at once. */
  update(seed: number, progress: Progress): void
  finished(seed: number): void
  end(): void
}

type ProgressStyle = 'bar' | 'lines' | 'none'

/**
 * What fits the place where stderr goes. A bar is drawn by moving the cursor: what a dumb terminal would
 * print as rubbish, and what whoever sets NO_COLOR (to anything) has not asked for.
 */
export function progressStyle(
  quiet: boolean,
  isTerminal = process.stderr.isTTY === true,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ProgressStyle {
  if (quiet) return 'none'
  const isPlain = env['TERM'] === 'dumb' || (env['NO_COLOR'] ?? '') !== ''
  return isTerminal && !isPlain ? 'bar' : 'lines'
}

/** `seeds` runs are shown as one. */
export function showProgress(style: ProgressStyle, title: string, seeds: number): ProgressDisplay {
  if (style === 'none') return { update: () => {}, finished: () => {}, end: () => {} }
  const state = new ProgressState(title, seeds)
  return style === 'bar' ? barDisplay(state) : lineDisplay(state)
}

/** What all runs together have done. */
class ProgressState {
  readonly title: string
  readonly seeds: number
  readonly #running = new Map<number, Progress>()
  readonly #started = performance.now()
  #finished = 0
  #finishedSeconds = 0
  #finishedMessages = 0

  constructor(title: string, seeds: number) {
    this.title = title
    this.seeds = seeds
  }

  update(seed: number, progress: Progress): void {
    this.#running.set(seed, progress)
  }

  finished(seed: number): void {
    const last = this.#running.get(seed)
    this.#finished += 1
    this.#finishedSeconds += last?.simulatedSeconds ?? 0
    this.#finishedMessages += last?.messages ?? 0
    this.#running.delete(seed)
  }

  /** 0 to 1. */
  share(): number {
    let share = this.#finished
    for (const { simulatedSeconds, totalSeconds } of this.#running.values())
      share += simulatedSeconds / totalSeconds
    return Math.min(1, share / this.seeds)
  }

  /** `774 of 1,800 s, 31× real time, 352 nodes, 84,000 messages/s`. */
  text(): string {
    const wall = Math.max(0.001, (performance.now() - this.#started) / 1_000)
    const running = [...this.#running.values()]
    const sum = (of: (progress: Progress) => number): number =>
      running.reduce((total, one) => total + of(one), 0)
    const simulated = this.#finishedSeconds + sum((one) => one.simulatedSeconds)
    const messages = this.#finishedMessages + sum((one) => one.messages)
    const whole = (value: number): string => formatNumber(Math.round(value))
    const total = running[0]?.totalSeconds ?? simulated
    const scenario = running[0]?.scenarioSeconds ?? total
    const healing = total > scenario ? ` (${whole(scenario)} and healing)` : ''
    const place =
      this.seeds > 1
        ? `${this.#finished} of ${this.seeds} seeds`
        : `${whole(simulated)} of ${whole(total)} s${healing}`
    const speed = simulated / wall
    return [
      place,
      `${speed < 10 ? speed.toFixed(1) : whole(speed)}× real time`,
      `${formatNumber(sum((one) => one.aliveNodes))} nodes`,
      `${whole(messages / wall)} messages/s`,
    ].join(', ')
  }
}

function barDisplay(state: ProgressState): ProgressDisplay {
  const bar = new SingleBar(
    {
      format: '{bar} {percentage} %  {text}',
      barsize: 16,
      stream: process.stderr,
      clearOnComplete: true,
      // A run that is interrupted must leave a terminal that works.
      hideCursor: null,
    },
    Presets.legacy,
  )
  bar.start(100, 0, { text: state.title })
  const draw = (): void => bar.update(Math.floor(state.share() * 100), { text: state.text() })
  return {
    update: (seed, progress) => {
      state.update(seed, progress)
      draw()
    },
    finished: (seed) => {
      state.finished(seed)
      if (state.seeds > 1) draw()
    },
    end: () => bar.stop(),
  }
}

/** For logs and pipes: one line whenever another tenth is done. */
function lineDisplay(state: ProgressState): ProgressDisplay {
  let tenths = 0
  const tell = (): void => {
    const reached = Math.floor(state.share() * 10 + 1e-9)
    if (reached <= tenths || reached >= 10) return
    tenths = reached
    console.error(`${state.title}: ${tenths * 10} %, ${state.text()}`)
  }
  return {
    update: (seed, progress) => {
      state.update(seed, progress)
      tell()
    },
    finished: (seed) => {
      state.finished(seed)
      tell()
    },
    end: () => {},
  }
}
