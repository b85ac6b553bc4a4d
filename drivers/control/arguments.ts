/**
 * Whether what came over a line can be the arguments of a verb. A compiler looked at the calls of programs,
 * but not at these; what the core would trip over has to end here. What names and numbers mean is the verbs'.
 */

import { UsageError } from '../../core/errors.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { FRAME_BYTES_MAX } from './echo.ts'
import { MTU_MAX } from './mtu.ts'

/** What a value must be, in words, and whether it is. */
interface Check {
  readonly words: string
  holds(value: unknown): boolean
}
type Shape = Readonly<Record<string, Check>>

/** A century: beyond it is no time that anybody means. */
const CENTURY_MILLIS = 3_155_760_000_000
const CENTURY_MICROS = CENTURY_MILLIS * 1_000
const MTU_MIN = 576
const COUNT_MAX = 65_535

const text: Check = { words: 'a text', holds: (value) => typeof value === 'string' }
const flag: Check = { words: 'true or false', holds: (value) => typeof value === 'boolean' }

function whole(least: number, most: number): Check {
  const isWithin = (value: unknown): boolean =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
  return { words: `a whole number from ${least} to ${most}`, holds: isWithin }
}

function oneOf(...values: readonly (string | number)[]): Check {
  return { words: `one of ${values.join(', ')}`, holds: (value) => values.includes(value as string | number) }
}

/** Or nothing, which is null where it came as JSON. */
function optional({ words, holds }: Check): Check {
  return {
    words: `${words}, or nothing`,
    holds: (value) => value === undefined || value === null || holds(value),
  }
}

function order(shape: Shape): Check {
  const parts = Object.entries(shape)
  const words = `an object of ${parts.map(([name, part]) => `${name} (${part.words})`).join(', ')}`
  const holds = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    parts.every(([name, part]) => part.holds((value as Record<string, unknown>)[name]))
  return { words, holds }
}

const life = whole(1, CENTURY_MILLIS)

const VERB_ARGUMENTS: Readonly<Record<string, readonly Check[]>> = {
  create: [
    order({
      label: text,
      privacy: oneOf('private', 'spec'),
      mtu: whole(MTU_MIN, MTU_MAX),
      suite: oneOf(...Object.values(SUITE)),
      sign: oneOf('group', 'all'),
      padding: oneOf('none', 'small', 'all'),
      signers: optional(order({ needed: whole(1, COUNT_MAX), of: whole(1, COUNT_MAX) })),
    }),
  ],
  // A number, or left out: nothing in its place would be a time that is over at once.
  join: [text],
  leave: [text, optional(flag)],
  switchOff: [text],
  switchOn: [text],
  remove: [text, optional(flag)],
  invite: [text, order({ count: whole(1, COUNT_MAX), lifeMillis: life })],
  evict: [text, text, order({ voids: flag })],
  revokeGrant: [text, text],
  certify: [text, text, order({ role: oneOf('member', 'admin'), lifeMillis: life })],
  list: [],
  show: [text],
  members: [text],
  grants: [text],
  ping: [
    order({
      to: text,
      vlan: optional(text),
      count: whole(1, COUNT_MAX),
      bytes: whole(1, FRAME_BYTES_MAX),
      intervalMillis: whole(1, CENTURY_MILLIS),
    }),
  ],
  view: [],
  explain: [text, optional(text)],
}

/** A UsageError that says which one is not what it must be. */
export function checkArguments(verb: string, given: readonly unknown[]): void {
  const checks = Object.hasOwn(VERB_ARGUMENTS, verb) ? (VERB_ARGUMENTS[verb] ?? []) : []
  const more: readonly Check[] = verb === 'join' && given.length > 1 ? [whole(1, CENTURY_MICROS)] : []
  for (const [index, { words, holds }] of [...checks, ...more].entries()) {
    if (!holds(given[index])) throw new UsageError(`${verb}: argument ${index + 1} must be ${words}`)
  }
}
