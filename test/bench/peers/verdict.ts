/**
 * What the readings of all rows come to: one number each, how PeerTap's stand to those of the programs beside
 * it, and whether that is what was aimed at. Pure.
 */
import { median } from '../figures.ts'
import { mean } from '../node/figures.ts'
import { READINGS, type Reading, type ReadingKind, type Readings } from './readings.ts'

/** What a row is of; the two modes of PeerTap that are judged, and no other, have their own. */
export type Kind = 'link' | 'direct' | 'stream' | 'relay' | 'layer2' | 'layer3'

export interface Row {
  readonly name: string
  /** What it was made to do, and for PeerTap what it says that it does; all of them if that changed. */
  mode: string
  readonly kind: Kind
  readonly rounds: Readings[]
  /** Why there are no more rounds of it. */
  failed?: string
}

/** Something that is aimed at. A ratio is PeerTap's reading over the best one of the programs of a layer. */
export interface Aim {
  readonly reading: Reading
  readonly kind: Kind
  readonly over: 'all' | 'layer2' | 'layer3' | null
  readonly target: number
}

/** Without impairment. */
export const CLEAN_AIMS: readonly Aim[] = [
  { reading: 'tcp', kind: 'direct', over: 'all', target: 2 },
  { reading: 'bidir', kind: 'direct', over: 'all', target: 2.5 },
  { reading: 'tcp', kind: 'relay', over: 'all', target: 1 },
  { reading: 'udp', kind: 'direct', over: 'layer2', target: 2 },
  { reading: 'udp', kind: 'direct', over: 'layer3', target: 1 },
  { reading: 'packets', kind: 'direct', over: 'layer2', target: 1.5 },
  { reading: 'pingMean', kind: 'direct', over: 'layer2', target: 1.2 },
  { reading: 'pingP99', kind: 'direct', over: null, target: 1 },
  { reading: 'processor', kind: 'direct', over: 'layer2', target: 1 / 3 },
  { reading: 'memory', kind: 'direct', over: null, target: 200 },
  { reading: 'retransmissions', kind: 'direct', over: null, target: 0 },
]

/** At 0.5 % loss, 1 % reordering and 4 ms of delay; other impairments are not judged. */
export const IMPAIRED_AIMS: readonly Aim[] = [{ reading: 'tcp', kind: 'direct', over: 'layer2', target: 1.5 }]

const SUMMARIES = {
  median,
  mean,
  greatest: (values: readonly number[]) => Math.max(...values),
} as const satisfies Record<ReadingKind['summary'], (values: readonly number[]) => number>

/** One number of all rounds; undefined where there was none. */
export function summaryOf({ rounds }: Row, reading: Reading): number | undefined {
  const values = rounds.map((round) => round[reading]).filter((value) => value !== undefined)
  return values.length === 0 ? undefined : SUMMARIES[READINGS[reading].summary](values)
}

export function summariesOf(row: Row): Readings {
  const entries = (Object.keys(READINGS) as Reading[]).map((reading) => [reading, summaryOf(row, reading)])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Readings
}

const LAYERS = { all: ['layer2', 'layer3'], layer2: ['layer2'], layer3: ['layer3'] } as const

/** The best reading of the programs of a layer, and whose it is. */
export function bestOf(
  rows: readonly Row[],
  reading: Reading,
  over: keyof typeof LAYERS,
): { readonly name: string; readonly value: number } | undefined {
  const kinds: readonly Kind[] = LAYERS[over]
  const sign = READINGS[reading].better === 'more' ? -1 : 1
  return rows
    .filter(({ kind }) => kinds.includes(kind))
    .map((row) => ({ name: row.name, value: summaryOf(row, reading) }))
    .filter((each): each is { name: string; value: number } => each.value !== undefined)
    .toSorted((one, other) => sign * (one.value - other.value))[0]
}

/** PeerTap's reading over the best one, and what that is named; undefined if either is not there. */
export function ratioOf(
  rows: readonly Row[],
  row: Row,
  reading: Reading,
  over: keyof typeof LAYERS,
): { readonly name: string; readonly value: number } | undefined {
  const own = summaryOf(row, reading)
  const best = bestOf(rows, reading, over)
  if (own === undefined || best === undefined || best.value === 0) return undefined
  const whose = { all: 'the best of all', layer2: 'the best of layer 2', layer3: 'the best of layer 3' }[over]
  return {
    name: `${READINGS[reading].label}, ${titleOf(row)} / ${whose} (${best.name})`,
    value: own / best.value,
  }
}

/** An aim that was judged, or why it could not be. */
export type Judged =
  | { readonly name: string; readonly value: number; readonly aim: Aim; readonly ok: boolean }
  | { readonly aim: Aim; readonly lack: string }

export function judge(rows: readonly Row[], aims: readonly Aim[]): Judged[] {
  return aims.map((aim): Judged => {
    const { label, better } = READINGS[aim.reading]
    const row = rows.find(({ kind }) => kind === aim.kind)
    const own = row === undefined ? undefined : summaryOf(row, aim.reading)
    const lack = `${label}, PeerTap ${aim.kind}${aim.over === null ? '' : ` / best of ${aim.over}`}`
    if (row === undefined || own === undefined) return { aim, lack }
    const found =
      aim.over === null
        ? { name: `${label}, ${titleOf(row)}`, value: own }
        : ratioOf(rows, row, aim.reading, aim.over)
    if (found === undefined) return { aim, lack }
    return { ...found, aim, ok: better === 'more' ? found.value >= aim.target : found.value <= aim.target }
  })
}

export function titleOf({ name, mode }: Row): string {
  return `${name} (${mode})`
}
