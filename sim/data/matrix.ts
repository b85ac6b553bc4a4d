/**
 * Matrices of round-trip times between all pairs of nodes.
 */
import { atLeastZero, count, DataError, type Place, refuse, rows, shown } from './error.ts'

export interface LatencyMatrix {
  readonly source: string
  /** Nodes. */
  readonly n: number
  /** n × n, row by row, symmetric, zero on the diagonal. */
  readonly roundTripMillis: Float64Array
}

/** Larger ones would need a gigabyte; nobody has measured them. */
const MOST_NODES = 10_000

/**
 * Longer round trips are another unit, such as microseconds: the longest in the PlanetLab measurements are a
 * few seconds. Guess.
 */
const MOST_MILLIS = 60_000

/** Reads whichever of the two forms the text has: three columns under a head, or a square. */
export function readMatrix(text: string, source: string): LatencyMatrix {
  return /^\s*i\s*,\s*j\s*,/.test(text) ? readPairs(text, source) : readSquare(text, source)
}

/**
 * A square of numbers in milliseconds, one row a line, separated by blanks, commas or semicolons. The two
 * directions of a pair are averaged; from a node to itself it is 0. Throws DataError.
 */
export function readSquare(text: string, source: string): LatencyMatrix {
  const lines: number[] = []
  const values: Float64Array[] = []
  for (const { line, fields } of rows(text, /[\s,;]+/)) {
    const place = { source, line }
    const n = values[0]?.length ?? fields.length
    if (fields.length !== n) {
      refuse(
        place,
        `has ${fields.length} numbers; the first row has ${n}, and a matrix is square; mend the line`,
      )
    }
    values.push(
      Float64Array.from(fields, (field, column) => roundTrip(field, `latency ${column + 1}`, place)),
    )
    const own = values.at(-1)?.[lines.length] ?? 0
    if (own !== 0) {
      const column = `latency ${lines.length + 1}`
      refuse(
        place,
        `${column}, from this node to itself, is ${own}; it must be 0; mend it, or is a row missing?`,
      )
    }
    lines.push(line)
  }
  const n = values[0]?.length ?? 0
  if (values.length !== n || n === 0) {
    const found = `${values.length} rows of ${n} numbers`
    throw new DataError(
      source,
      `line ${lines.at(-1) ?? 1}`,
      `${found}; a matrix is square; add or remove rows`,
    )
  }
  const roundTripMillis = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const mean = ((values[i]?.[j] as number) + (values[j]?.[i] as number)) / 2
      roundTripMillis[i * n + j] = mean
      roundTripMillis[j * n + i] = mean
    }
  }
  return { source, n, roundTripMillis }
}

/**
 * The upper triangle as rows `i,j,rtt_ms` under a head of these names, nodes counted from 0, each pair
 * with i < j exactly once. Throws DataError.
 */
export function readPairs(text: string, source: string): LatencyMatrix {
  const pairs: number[] = []
  const lines: number[] = []
  let n = 0
  let head = true
  for (const { line, fields } of rows(text, /\s*,\s*/)) {
    const place = { source, line }
    if (fields.length !== 3) refuse(place, `has ${fields.length} columns; rows are i,j,rtt_ms; mend the line`)
    if (head) {
      head = false
      if (fields[0] === 'i') continue
    }
    const i = count(fields[0], 'i', place)
    const j = count(fields[1], 'j', place)
    if (i >= j) refuse(place, `i is ${i} and j is ${j}; i must be below j; swap or remove the line`)
    if (j >= MOST_NODES)
      refuse(place, `j is ${shown(fields[1])}; at most ${MOST_NODES} nodes can be read; cut the file`)
    pairs.push(i, j, roundTrip(fields[2], 'rtt_ms', place))
    lines.push(line)
    n = Math.max(n, j + 1)
  }
  return fromPairs(pairs, lines, n, source)
}

function roundTrip(text: string | undefined, what: string, place: Place): number {
  const value = atLeastZero(text, what, place)
  if (value > MOST_MILLIS) {
    refuse(place, `${what} is ${text}; it must be milliseconds, at most ${MOST_MILLIS}; convert or mend it`)
  }
  return value
}

function fromPairs(
  pairs: readonly number[],
  lines: readonly number[],
  n: number,
  source: string,
): LatencyMatrix {
  const roundTripMillis = new Float64Array(n * n).fill(Number.NaN)
  for (let row = 0; row < lines.length; row++) {
    const [i, j, value] = pairs.slice(3 * row, 3 * row + 3) as [number, number, number]
    if (!Number.isNaN(roundTripMillis[i * n + j])) {
      refuse(
        { source, line: lines[row] as number },
        `the pair ${i},${j} stands here again; remove one of the lines`,
      )
    }
    roundTripMillis[i * n + j] = value
    roundTripMillis[j * n + i] = value
  }
  const last = `line ${lines.at(-1) ?? 1}`
  if (n === 0) throw new DataError(source, last, 'holds no pair; rows are i,j,rtt_ms; is it the right file?')
  for (let i = 0; i < n; i++) {
    roundTripMillis[i * n + i] = 0
    for (let j = i + 1; j < n; j++) {
      if (Number.isNaN(roundTripMillis[i * n + j])) {
        throw new DataError(
          source,
          last,
          `the pair ${i},${j} is missing; every pair of ${n} nodes must be there; add it`,
        )
      }
    }
  }
  return { source, n, roundTripMillis }
}
