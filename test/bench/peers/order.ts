/** What `npm run bench:peers` is told to do, from its command line. */
import { parseArgs } from 'node:util'
import type { Impairment } from '../../support/impaired-line.ts'
import type { Aim } from './verdict.ts'
import { CLEAN_AIMS, IMPAIRED_AIMS } from './verdict.ts'

/** What is measured of a row, in this order. */
export const PARTS = ['ping', 'tcp', 'bidir', 'streams', 'udp', 'packets'] as const
export type Part = (typeof PARTS)[number]

export interface Order {
  readonly json: boolean
  readonly rounds: number
  /** Of each run of iperf3. */
  readonly seconds: number
  /** Names of rows, lower case; empty for all. */
  readonly only: readonly string[]
  readonly parts: readonly Part[]
  readonly impairment: Impairment | undefined
  readonly aims: readonly Aim[]
}

/** What the aim under impairment is of. */
const JUDGED = { loss: 0.5, reorder: 1, delay: 4 } as const

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '5' },
  only: { type: 'string', default: '' },
  parts: { type: 'string', default: PARTS.join(',') },
  loss: { type: 'string', default: '0' },
  reorder: { type: 'string', default: '0' },
  delay: { type: 'string', default: '0' },
  seed: { type: 'string', default: '1' },
} as const

/** Of `names`, rows that there are, lower case. Throws with place, value, rule and mend. */
export function orderOf(args: readonly string[], names: readonly string[]): Order {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const only = listOf('only', values.only.toLowerCase(), names)
  const parts = listOf('parts', values.parts, PARTS) as Part[]
  const loss = number('loss', values.loss, 0, 100)
  const reorder = number('reorder', values.reorder, 0, 100)
  const delay = number('delay', values.delay, 0, 100)
  if (reorder > 0 && delay === 0)
    throw new Error(`--reorder is ${reorder}, and overtakes nothing without a delay; give --delay too`)
  const isImpaired = loss > 0 || delay > 0
  const isJudged = loss === JUDGED.loss && reorder === JUDGED.reorder && delay === JUDGED.delay
  return {
    json: values.json,
    rounds: whole('rounds', values.rounds),
    seconds: whole('seconds', values.seconds),
    only,
    parts,
    impairment: isImpaired
      ? {
          loss: loss / 100,
          reorder: reorder / 100,
          delayMicros: Math.round(delay * 1_000),
          seed: whole('seed', values.seed),
        }
      : undefined,
    aims: isImpaired ? (isJudged ? IMPAIRED_AIMS : []) : CLEAN_AIMS,
  }
}

function listOf(option: string, text: string, known: readonly string[]): string[] {
  const given = text.split(',').filter((each) => each !== '')
  const unknown = given.find((each) => !known.includes(each))
  if (unknown !== undefined)
    throw new Error(`--${option} has "${unknown}", and there are ${known.join(', ')} alone; leave it out`)
  return given
}

function number(option: string, text: string, min: number, max: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!(value >= min && value <= max))
    throw new Error(`--${option} is "${text}", and has to be a number from ${min} to ${max}; change it`)
  return value
}

/** From 1 to 3600. */
function whole(option: string, text: string): number {
  const value = number(option, text, 1, 3_600)
  if (!Number.isInteger(value)) throw new Error(`--${option} is "${text}", and has to be whole; round it`)
  return value
}
