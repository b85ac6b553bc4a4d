/**
 * When nodes come and go, and how: the form that every source of churn takes, be it a trace, a fitted
 * model or a pattern. Nothing here knows the world; it plays what it is given.
 */
import type { Dice } from '../../core/dice.ts'
import { UsageError } from '../../core/errors.ts'
import { type Micros, SECOND } from '../../core/io.ts'

export interface Transition {
  /** From the start of the run. */
  readonly at: Micros
  readonly node: number
  readonly up: boolean
  /** Going down: whether the node says goodbye; otherwise it crashes. True when going up. */
  readonly graceful: boolean
  /** Coming up: whether the node has the key it had before. True the first time and when going down. */
  readonly sameIdentity: boolean
}

export interface Churn {
  /** Numbered from 0. */
  readonly nodes: number
  /**
   * All transitions of one node within the run, up first, then in turn, times rising by a second or
   * more. A node that is on when the run begins comes up at 0. Computed anew at each call and always the
   * same, so that a caller holds only what it needs.
   */
  schedule(node: number): Transition[]
}

/** How nodes leave and return; shares are 0 to 1. */
export interface Manner {
  /** Departures that say goodbye; all others are crashes. */
  readonly gracefulShare: number
  /** Returns under a new node key. */
  readonly newIdentityShare: number
}

/** Shorter stays and absences are stretched to this: a node does not restart twice in a second. */
export const LEAST_STAY: Micros = SECOND

/**
 * Turns times of coming and going into transitions. `edges`: up, down, up, down … in microseconds, rising;
 * times before 0 are over, times from `end` on do not happen.
 */
export function transitions(
  node: number,
  edges: Iterable<number>,
  end: Micros,
  manner: Manner,
  dice: Dice,
): Transition[] {
  const result: Transition[] = []
  let up = false
  let last = -LEAST_STAY
  let upAtStart = false
  for (const edge of edges) {
    up = !up
    if (edge <= 0) {
      upAtStart = up
      continue
    }
    if (upAtStart) {
      result.push({ at: 0, node, up: true, graceful: true, sameIdentity: true })
      last = 0
      upAtStart = false
    }
    const at = Math.max(Math.round(edge), last + LEAST_STAY)
    if (at >= end) return result
    last = at
    const graceful = up || isDrawn(dice, manner.gracefulShare)
    const sameIdentity = !up || result.length === 0 || !isDrawn(dice, manner.newIdentityShare)
    result.push({ at, node, up, graceful, sameIdentity })
  }
  if (upAtStart) result.push({ at: 0, node, up: true, graceful: true, sameIdentity: true })
  return result
}

function isDrawn(dice: Dice, share: number): boolean {
  return dice.u32() < share * 4_294_967_296
}

/** Throws a UsageError if a share is none. */
export function checkManner(manner: Manner): void {
  checkShare(manner.gracefulShare, 'gracefulShare')
  checkShare(manner.newIdentityShare, 'newIdentityShare')
}

export function checkShare(value: number, name: string): void {
  if (!(value >= 0 && value <= 1)) throw new UsageError(`churn: ${name} is ${value}; a share is 0 to 1`)
}

export function checkAbove(value: number, least: number, name: string): void {
  if (!(value > least && Number.isFinite(value))) {
    throw new UsageError(`churn: ${name} is ${value}; it must be a finite number above ${least}`)
  }
}

export function checkNode(node: number, nodes: number): void {
  if (!Number.isInteger(node) || node < 0 || node >= nodes) {
    throw new UsageError(`churn: there is no node ${node}; nodes are numbered 0 to ${nodes - 1}`)
  }
}
