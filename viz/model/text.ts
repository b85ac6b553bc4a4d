/** Numbers and names as the page writes them. */
import type { About } from '../../sim/watch/seen.ts'

/** `1:02:03.4`, `2:03.4`, `3.4 s`. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds)
  const tenths = Math.floor((seconds - whole) * 10)
  const [hours, minutes, rest] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (value: number): string => String(value).padStart(2, '0')
  if (hours > 0) return `${hours}:${two(minutes)}:${two(rest)}.${tenths}`
  return minutes > 0 ? `${minutes}:${two(rest)}.${tenths}` : `${rest}.${tenths} s`
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0.99 && share < 1 ? 2 : 1)} %`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** A run with what repeats it; what is live does not repeat. */
export function titleOf({ name, seed, live }: Pick<About, 'name' | 'seed' | 'live'>): string {
  return live === undefined ? `${name}, seed ${seed}` : name
}
