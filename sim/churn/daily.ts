/**
 * The rhythm of the day. Lengths of stays and absences are measured on clocks that do not run evenly:
 * the clock of absences runs fast in the morning, that of stays slow, and at night the other way. Over
 * whole days both keep the right time, so mean lengths stay what they were.
 */
import { cos, sin } from '../math.ts'

export interface Daily {
  /** How much the clocks vary, 0 to below 1. The swing of the number online is smaller, and later. */
  readonly depth: number
  /** Hour of the day, in hours from the start of the run, at which coming is likeliest. */
  readonly peakHour: number
}

const DAY_HOURS = 24
const RADIANS_PER_HOUR = (2 * Math.PI) / DAY_HOURS
/** Newton's method doubles the digits each time; from a first guess within the bracket this is enough. */
const STEPS = 8

/**
 * When `lengthHours` have passed on the clock of that state, for one that starts it at `fromHours`. Both
 * in hours from the start of the run.
 */
export function afterWorking(
  daily: Daily | undefined,
  fromHours: number,
  lengthHours: number,
  up: boolean,
): number {
  if (daily === undefined || daily.depth === 0) return fromHours + lengthHours
  const depth = up ? -daily.depth : daily.depth
  const phase = (daily.peakHour - DAY_HOURS / 4) * RADIANS_PER_HOUR
  // Whole days need no solving, and leave small angles.
  const days = Math.floor(lengthHours / DAY_HOURS)
  const rest = lengthHours - days * DAY_HOURS
  const start = (fromHours - Math.floor(fromHours / DAY_HOURS) * DAY_HOURS) * RADIANS_PER_HOUR - phase
  const scale = depth / RADIANS_PER_HOUR
  const low = rest / (1 + daily.depth)
  const high = rest / (1 - daily.depth)
  const atStart = cos(start)
  let hours = rest
  for (let step = 0; step < STEPS; step++) {
    const angle = start + hours * RADIANS_PER_HOUR
    const passed = hours - scale * (cos(angle) - atStart)
    hours -= (passed - rest) / (1 + depth * sin(angle))
    hours = Math.min(high, Math.max(low, hours))
  }
  return fromHours + days * DAY_HOURS + hours
}
