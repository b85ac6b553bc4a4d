/**
 * The Bitcoin monitor's tables (KIT DSN): how many connections were held, opened and closed in each
 * interval, and which share of the connections was older than given ages. They are aggregates seen from
 * one monitor, not sessions of nodes.
 */
import { atLeastZero, count, decimal, refuse, rows, shown } from './error.ts'

export interface ChurnRow {
  /** Unix seconds. */
  readonly startSeconds: number
  readonly endSeconds: number
  /** Connections held. */
  readonly connections: number
  /** In the interval. */
  readonly opened: number
  readonly closed: number
}

export interface ChurnTable {
  readonly rows: readonly ChurnRow[]
  /** Rows without any connection or of no length, left out: the monitor was down or began anew. */
  readonly dropped: number
}

/** `start end connections opened closed …` a line; further columns are not documented and ignored. */
export function readChurnTable(text: string, source: string): ChurnTable {
  const result: ChurnRow[] = []
  let dropped = 0
  let last = -1
  for (const { line, fields } of rows(text)) {
    const place = { source, line }
    const startSeconds = atLeastZero(fields[0], 'the start', place)
    const endSeconds = atLeastZero(fields[1], 'the end', place)
    // Intervals may overlap by seconds; the monitor's clock was set now and then.
    if (endSeconds < last || endSeconds < startSeconds) {
      const found = `the interval from ${startSeconds} to ${endSeconds} follows one that ends at ${last}`
      refuse(place, `${found}; times must rise; remove or mend the line`)
    }
    last = endSeconds
    const connections = count(fields[2], 'the number of connections', place)
    const opened = count(fields[3], 'the number of opened connections', place)
    const closed = count(fields[4], 'the number of closed connections', place)
    if (connections === 0 || endSeconds === startSeconds) dropped++
    else result.push({ startSeconds, endSeconds, connections, opened, closed })
  }
  return { rows: result, dropped }
}

export interface AgeRow {
  /** Unix seconds. */
  readonly endSeconds: number
  /** Rising. */
  readonly ages: readonly number[]
  /** For each age, the share of connections that are older: falling, 0 … 1. */
  readonly shares: readonly number[]
}

export interface AgeTable {
  readonly rows: readonly AgeRow[]
  /** Rows whose shares are not numbers (`nan`), left out: the monitor was down. */
  readonly dropped: number
}

/** `end age share age share … name` a line, ages in seconds. */
export function readAgeTable(text: string, source: string): AgeTable {
  const result: AgeRow[] = []
  let dropped = 0
  for (const { line, fields } of rows(text)) {
    const place = { source, line }
    const endSeconds = atLeastZero(fields[0], 'the end', place)
    // The last column is a name when it is no number.
    const pairs = fields.slice(1, decimal(fields.at(-1) as string) === undefined ? -1 : fields.length)
    if (pairs.length === 0 || pairs.length % 2 !== 0) {
      refuse(place, `${pairs.length} columns follow the end; ages and shares come in pairs; mend the line`)
    }
    if (pairs.some((field) => /^-?nan$/i.test(field))) {
      dropped++
      continue
    }
    result.push({ endSeconds, ...agesAndShares(pairs, place) })
  }
  return { rows: result, dropped }
}

function agesAndShares(
  pairs: readonly string[],
  place: { source: string; line: number },
): { ages: number[]; shares: number[] } {
  const ages: number[] = []
  const shares: number[] = []
  for (let index = 0; index < pairs.length; index += 2) {
    const age = atLeastZero(pairs[index], `age ${index / 2 + 1}`, place)
    const share = atLeastZero(pairs[index + 1], `share ${index / 2 + 1}`, place)
    if (age <= (ages.at(-1) ?? -1))
      refuse(place, `age ${age} follows ${ages.at(-1)}; ages must rise; mend the line`)
    if (share > (shares.at(-1) ?? 1)) {
      const rule = 'shares are 0 to 1 and fall with age'
      refuse(place, `share ${shown(pairs[index + 1])} is too large; ${rule}; mend or remove the line`)
    }
    ages.push(age)
    shares.push(share)
  }
  return { ages, shares }
}
