/**
 * The event queue in the hold model: so many events pending, each step takes the earliest and puts it
 * back later. Prints JSON when run: `node test/bench/queue.ts`.
 */
import { EventQueue } from '../../sim/queue.ts'

export interface HoldFigure {
  readonly increments: string
  readonly pending: number
  /**
   * Million pairs of pop and push per second of this thread's processor time, so that other programs
   * take only their share of the caches: the median of the rounds, and the best.
   */
  readonly median: number
  readonly best: number
}

const MILLION = 1_000_000
const ROUNDS = 5
/** A power of two, so that the loop picks the next increment with a mask. */
const DRAWS = 1 << 16
/** Pairs per round; enough to go through the largest queue. */
const HOLDS = 2 * MILLION

/** Uniform in (0, 1) by xorshift; the benchmark must not depend on what it might measure some day. */
function uniforms(): () => number {
  let state = 12_345
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return ((state >>> 0) + 0.5) / 4_294_967_296
  }
}

/** Microseconds ahead. */
const INCREMENTS: Readonly<Record<string, (unit: () => number) => number>> = {
  exponential: (unit) => -Math.log(unit()) * MILLION,
  uniform: (unit) => unit() * 2 * MILLION,
  pareto: (unit) => 10_000 / Math.pow(unit(), 1 / 1.1),
  /** Packets, timers and churn in one queue: 50 ms, 10 s, 16 h. */
  mixed: (unit) => {
    const draw = unit()
    const mean = draw < 0.9 ? 50_000 : draw < 0.99 ? 10 * MILLION : 57_600 * MILLION
    return -Math.log(unit()) * mean
  },
  /** Every node's timer on the same beat: the worst case. */
  ties: (unit) => Math.ceil(unit() * 4) * 250_000,
}

function hold(queue: EventQueue, ahead: Float64Array, steps: number): void {
  const mask = ahead.length - 1
  for (let step = 0; step < steps; step++) {
    queue.pop()
    queue.push(queue.time + (ahead[step & mask] as number), queue.kind, queue.a, step)
  }
}

export function holdFigure(increments: string, pending: number): HoldFigure {
  const unit = uniforms()
  const ahead = Float64Array.from({ length: DRAWS }, () => Math.round(INCREMENTS[increments]?.(unit) ?? 0))
  const queue = new EventQueue()
  for (let index = 0; index < pending; index++) {
    queue.push((ahead[(index * 7) & (DRAWS - 1)] as number) + (index >> 16), index & 7, index, index)
  }
  hold(queue, ahead, Math.max(2 * pending, MILLION / 2))
  const rates = Array.from({ length: ROUNDS }, () => {
    const start = process.threadCpuUsage()
    hold(queue, ahead, HOLDS)
    const { user, system } = process.threadCpuUsage(start)
    return HOLDS / (user + system)
  }).sort((a, b) => a - b)
  const rounded = (rate: number | undefined) => Number((rate as number).toFixed(2))
  return { increments, pending, median: rounded(rates[ROUNDS >> 1]), best: rounded(rates.at(-1)) }
}

/** Million holds per second with exponential increments, by the number of pending events. */
export function queueFigures(): Record<string, number> {
  const figures: Record<string, number> = {}
  for (const exponent of [3, 4, 5, 6]) {
    figures[`queue hold 10^${exponent}`] = holdFigure('exponential', 10 ** exponent).median
  }
  return figures
}

if (import.meta.main) {
  const figures = Object.keys(INCREMENTS).flatMap((increments) =>
    [1_000, 10_000, 100_000, 1_000_000].map((pending) => holdFigure(increments, pending)),
  )
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
}
