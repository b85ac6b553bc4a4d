/**
 * The one line that repeats a run, ready to be pasted into a shell.
 */

export interface RepeatParts {
  /** `sim run`. */
  readonly words: string
  /** The scenario's file. */
  readonly source: string
  readonly data: string | undefined
  readonly dither: boolean
  readonly settings: readonly string[]
}

export function repeatLine({ words, source, data, dither, settings }: RepeatParts, seed: number): string {
  const parts = ['npx', 'peertap', ...words.split(' '), quoted(source), '--seed', String(seed)]
  for (const setting of settings) parts.push('--set', quoted(setting))
  if (!dither) parts.push('--no-dither')
  if (data !== undefined) parts.push('--data', quoted(data))
  return parts.join(' ')
}

/** As a POSIX shell takes it. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
