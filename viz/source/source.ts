/**
 * What the page draws, and whoever it comes from: a simulation in a worker, or running nodes. A source
 * tells what there is to see and takes a few orders; the page knows nothing else of it, and a source
 * nothing of the page. All of it is plain data, so that it crosses threads and wires.
 *
 * Nodes are numbers from 0 on. Times are seconds since the beginning of the source, of simulated time
 * where it simulates. Of running nodes there is no end, and what nobody of them knows is left out.
 */
import type { RunResult } from '../../sim/index.ts'
import type { About, Detail, Happening, Picture, Sample } from '../../sim/watch/seen.ts'
import type { Branching } from '../model/change.ts'

export {
  type About,
  type Detail,
  HAPPENING,
  type Happening,
  type HappeningKind,
  type Measures,
  NODE,
  type Picture,
  type Planned,
  type Sample,
  type VlanAbout,
} from '../../sim/watch/seen.ts'

export interface Playing {
  readonly playing: boolean
  readonly at: number
  /** On the way to a moment: how far, 0 to 1. */
  readonly seeking: number | undefined
  readonly done: boolean
}

/** What a recording says of the run that it holds, so that it can be run again. */
export interface RecordedRun {
  /** Of the program: versions with one name give one run for one scenario and seed. */
  readonly version: string
  /** The scenario file. */
  readonly scenario: string
  readonly seed: number
  readonly dither: boolean
  /** Nodes whose tables are recorded. */
  readonly marks: readonly number[]
  /** Why it is shorter than the run was. */
  readonly cutOff: string | undefined
  /** Packets are recorded of one frame in at most so many; undefined where nothing says so. */
  readonly thinned: number | undefined
}

/** What a source tells. */
export type News =
  | { readonly kind: 'about'; readonly about: About }
  | {
      readonly kind: 'picture'
      readonly picture: Picture
      readonly happenings: readonly Happening[]
      readonly samples: readonly Sample[]
    }
  /** Of a recording, once, behind `about`. */
  | { readonly kind: 'recorded'; readonly recorded: RecordedRun }
  | { readonly kind: 'detail'; readonly detail: Detail }
  | { readonly kind: 'playing'; readonly playing: Playing }
  | { readonly kind: 'ended'; readonly result: RunResult }
  /** Effects since `trace` was ordered or the last such news, one line each. */
  | { readonly kind: 'effects'; readonly lines: readonly string[] }
  /** `fault`: the program is to blame, not what it was given. */
  | { readonly kind: 'failed'; readonly message: string; readonly fault: boolean }

/** A run, from its beginning. */
export interface Opening {
  /** A scenario file, and what messages call it. */
  readonly text: string
  readonly name: string
  readonly seed: number
  readonly dither: boolean
  /** Recorded data by name. */
  readonly data: Readonly<Record<string, string>>
  /** Of a branch: what goes otherwise from some moment on. */
  readonly branching?: Branching
}

/** What is looked at. */
export interface Focus {
  /** −1: none. */
  readonly node: number
  /** −1: none. */
  readonly vlan: number
  /** Whether to look into every node (`Measures`). */
  readonly measures: boolean
}

/** What a source is told. */
export type Order =
  | { readonly kind: 'open'; readonly opening: Opening }
  /** Simulated seconds in each second; null for as fast as it goes. */
  | { readonly kind: 'play'; readonly speed: number | null }
  | { readonly kind: 'pause' }
  | { readonly kind: 'seek'; readonly at: number }
  | { readonly kind: 'focus'; readonly focus: Focus }
  /** Every effect is told from here on, until that is ordered off or the run begins anew; slow. */
  | { readonly kind: 'trace'; readonly on: boolean }
  /** The last picture was drawn; before, no other one comes. */
  | { readonly kind: 'drawn' }

export interface Source {
  order(order: Order): void
  close(): void
}
