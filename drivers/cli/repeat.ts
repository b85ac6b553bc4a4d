/**
 * The one line that repeats a run, ready to be pasted into a shell. Whoever pastes it may be in another
 * directory, since `npx peertap` is known in one only: no path in it is relative.
 */
import { resolve } from 'node:path'

export interface RepeatParts {
  /** `sim run`. */
  readonly words: string
  /** A whole path, or the name of a scenario that comes with PeerTap. */
  readonly scenario: string
  readonly data: string | undefined
  readonly dither: boolean
  readonly settings: readonly string[]
}

export function repeatLine({ words, scenario, data, dither, settings }: RepeatParts, seed: number): string {
  const parts = ['npx', 'peertap', ...words.split(' '), quoted(scenario), '--seed', String(seed)]
  for (const setting of settings) parts.push('--set', quoted(setting))
  if (!dither) parts.push('--no-dither')
  if (data !== undefined) parts.push('--data', quoted(data))
  return parts.join(' ')
}

/** The line that shows a recording. */
export function viewLine(path: string): string {
  return `npx peertap view ${quoted(resolve(path))}`
}

/** As a POSIX shell takes it. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
