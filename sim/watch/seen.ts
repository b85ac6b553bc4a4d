/**
 * What can be seen of a run, whoever shows it: a simulation, a recording. Plain data, so that it crosses
 * threads, wires and files.
 *
 * Nodes are numbers from 0 on. Times are seconds since the beginning, of simulated time where it is
 * simulated.
 */
import type { NodeView } from '../../core/io.ts'

/** What a node is at a moment: bits of `Picture.states`. `gone`: it went down not long ago. */
export const NODE = { up: 1, relay: 2, contact: 4, leaving: 8, hostile: 16, slow: 32, gone: 64 } as const

export interface VlanAbout {
  /** Members, ascending. */
  readonly members: readonly number[]
  /** MLS keeps its group, so it has epochs. */
  readonly hasEpochs: boolean
  /** What people call it; its number without. */
  readonly label?: string
}

/** A fault that the scenario has in store. */
export interface Planned {
  readonly kind: string
  readonly from: number
  readonly until: number
}

/** Of running nodes. */
export interface LiveAbout {
  /** Of each node what people call it. */
  readonly names: readonly string[]
}

/**
 * Said once for each run, before anything else of it; of running nodes again when others come into sight,
 * with the same numbers for those before, or when the time that is shown grows.
 */
export interface About {
  readonly name: string
  readonly question: string
  readonly seed: number
  readonly nodes: number
  readonly endsAt: number
  /** Curves of traffic begin there. */
  readonly warmupSeconds: number
  readonly vlans: readonly VlanAbout[]
  readonly planned: readonly Planned[]
  /** Undefined of a simulation. */
  readonly live?: LiveAbout
}

/** What costs a look into every node, which is taken now and then. */
export interface Measures {
  readonly at: number
  /** Pairs of neighbours at that time, the lower number first. */
  readonly links: Int32Array
  /** Of each link as its ends measure it: round trip in milliseconds, and loss from 0 to 1. */
  readonly latency: Float32Array
  readonly loss: Float32Array
  /** Of each node as it tells its neighbours, 0 to 50 (core/links/load.ts). */
  readonly load: Float32Array
  /** Links that carry the chosen VLAN, as pairs of nodes: lower, upper. */
  readonly carrying: Int32Array
}

/** All that is drawn of one moment. Arrays by node, and for links by their place in `links`. */
export interface Picture {
  readonly at: number
  /** The first of a run, which follows no other. */
  readonly leap: boolean
  readonly states: Uint8Array
  /** The node above in the tree, −1 without one. */
  readonly uppers: Int32Array
  /** The node at the top of most, −1 without one. */
  readonly root: number
  /** Nodes of two sides cannot reach each other, one way or both. */
  readonly sides: Uint8Array
  /** Pairs of neighbours, the lower number first. */
  readonly links: Int32Array
  /** 1: nothing passes, one way or both. */
  readonly cut: Uint8Array
  /** Of each node its epoch of the chosen VLAN, numbered as they were first seen; −1 in none. */
  readonly epochs: Int32Array
  /** Of the epochs that somebody is in, by that number: the group's number and the MLS-ID's beginning. */
  readonly epochNames: Readonly<Record<number, string>>
  readonly measures: Measures | undefined
  readonly digest: string
  readonly messages: number
}

export const HAPPENING = {
  start: 'start',
  stop: 'stop',
  root: 'root',
  cut: 'cut',
  heal: 'heal',
  epoch: 'epoch',
  out: 'out',
  fault: 'fault',
  violation: 'violation',
  /** Of running nodes. */
  linkUp: 'linkUp',
  linkDown: 'linkDown',
} as const
export type HappeningKind = (typeof HAPPENING)[keyof typeof HAPPENING]

export interface Happening {
  readonly at: number
  readonly kind: HappeningKind
  /** −1: of no single node. */
  readonly node: number
  readonly text: string
}

/** What the curves show of one second; undefined was not measured. */
export interface Sample {
  readonly at: number
  readonly alive: number
  /** Share of living nodes that hang below the same root. */
  readonly attached: number
  /** Of the owed frames whose time was up in this second, the share that came. */
  readonly delivery: number | undefined
  /** Bytes per living node and second. */
  readonly control: number | undefined
  readonly data: number | undefined
}

/** One node as it sees itself. */
export interface Detail {
  readonly node: number
  readonly at: number
  /** False: it is up, and a recording does not have its tables. */
  readonly isRecorded?: boolean
  /** Undefined while it is down, or for the reason that `hidden` says. */
  readonly view: NodeView | undefined
  readonly hidden?: string
  /** Until its next timer is due; undefined without one. */
  readonly timerSeconds: number | undefined
  /** Numbers of the peers in `view`. */
  readonly numbers: Readonly<Record<string, number>>
}
