/** One thing that is changed in a run from a moment on, as a value, as words and as a part of an address. */
import { clock, percent } from './text.ts'

export type Change =
  /** It stops without a word, for good; its neighbours' systems tell them where the scenario's do. */
  | { readonly kind: 'kill'; readonly node: number }
  /** The connection of two neighbours ends at both ends; they may dial again. */
  | { readonly kind: 'link'; readonly a: number; readonly b: number }
  /** It and all below it in the tree on one side, everybody else on the other; nothing passes between. */
  | { readonly kind: 'apart'; readonly node: number }
  /** All that is cut is open. */
  | { readonly kind: 'heal' }
  /** All trunks lose this share, 0 to 1, until a fault of the scenario alters trunks again. */
  | { readonly kind: 'loss'; readonly share: number }

export type ChangeKind = Change['kind']

/** What is changed, and after everything else of that moment, in seconds. */
export interface Branching {
  readonly at: number
  readonly change: Change
}

const NODE_MAX = 10_000_000

function saysChange(change: Change): string {
  switch (change.kind) {
    case 'kill':
      return `node ${change.node} stops`
    case 'link':
      return `the link ${change.a} – ${change.b} breaks`
    case 'apart':
      return `node ${change.node} and all below it are cut off`
    case 'heal':
      return 'all that is cut is healed'
    case 'loss':
      return `all trunks lose ${percent(change.share)}`
  }
}

export function saysBranching({ at, change }: Branching): string {
  return `at ${clock(at)} ${saysChange(change)}`
}

/** `60.5:kill:7`, `60.5:link:3:7`, `60.5:apart:3`, `60.5:heal`, `60.5:loss:0.1`. */
export function writeBranching({ at, change }: Branching): string {
  const head = `${plain(at)}:${change.kind}`
  switch (change.kind) {
    case 'kill':
    case 'apart':
      return `${head}:${change.node}`
    case 'link':
      return `${head}:${change.a}:${change.b}`
    case 'loss':
      return `${head}:${plain(change.share)}`
    case 'heal':
      return head
  }
}

/** Throws Error with what is wrong in an address. */
export function readBranching(text: string): Branching {
  const [time = '', kind, ...rest] = text.split(':')
  const change = changeOf(kind, rest.map(number))
  const at = number(time)
  if (change !== undefined && at >= 0) return { at, change }
  throw new Error(
    `branch is "${text.slice(0, 60)}" in this address; it must be a time in seconds and a change, as ` +
      '60.5:kill:7, 60.5:link:3:7, 60.5:apart:3, 60.5:heal or 60.5:loss:0.1',
  )
}

function changeOf(kind: string | undefined, [one = Number.NaN, two = Number.NaN, ...more]: number[]) {
  if (more.length > 0) return undefined
  const isAlone = Number.isNaN(two)
  if (kind === 'heal' && Number.isNaN(one) && isAlone) return { kind } as const
  if (kind === 'loss' && one >= 0 && one <= 1 && isAlone) return { kind, share: one } as const
  if (kind === 'link' && isNode(one) && isNode(two) && one !== two) return { kind, a: one, b: two } as const
  if ((kind === 'kill' || kind === 'apart') && isNode(one) && isAlone) return { kind, node: one } as const
  return undefined
}

function isNode(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= NODE_MAX
}

/** NaN for what is no plain number. */
function number(text: string): number {
  return /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN
}

function plain(value: number): string {
  return value.toFixed(6).replace(/\.?0+$/, '')
}
