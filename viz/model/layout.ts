/**
 * Where nodes are drawn: a force layout of d3, stepped by hand and seeded, so that one run at one moment
 * looks the same wherever it is opened. Links of the tree pull harder than other trunks.
 */
import {
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type Simulation,
  type SimulationLinkDatum,
  type SimulationNodeDatum,
} from 'd3'
import { NODE, type Picture } from '../source/source.ts'

export interface Spot {
  readonly x: number
  readonly y: number
}

interface Body extends SimulationNodeDatum {
  x: number
  y: number
  isUp: boolean
}
interface Spring extends SimulationLinkDatum<Body> {
  readonly isTree: boolean
}

/** Steps after which a picture stands nearly still, from scratch and after a small change. Guesses. */
const SETTLE_STEPS = 240
const NUDGE = 0.12
/** Below this a step moves nothing that could be seen. */
const STILL = 0.004
/** Of so many nodes, far ones push as one from nearer on: a step takes two thirds of its time. */
const COARSE_MIN = 1_000
const COARSE_THETA = 1.3
/** A step is made up for in so many frames at most, however slow the machine is for a while. */
const OVERDRAWN_MOST = 3
const LENGTH = { tree: 26, trunk: 60 } as const

const NOWHERE = { x: 0, y: 0, isUp: false } as const

export class Layout {
  readonly #spots: Body[]
  readonly #simulation: Simulation<Body, Spring>
  /** Who is down pushes nobody. */
  readonly #charge = forceManyBody<Body>()
    .strength(({ isUp }) => (isUp ? -60 : 0))
    .distanceMax(600)
  /** Of the picture before. */
  #links: Picture['links'] = new Int32Array()
  #uppers: Picture['uppers'] = new Int32Array()
  /** Grows whenever a node may have moved. */
  version = 0
  /** Milliseconds that steps have taken beyond their time. */
  #overdrawn = 0
  /** Steps to be done before it is worth looking at. */
  #owed = 0

  /** `before`: one of the first of these nodes, where they stay. */
  constructor(nodes: number, seed: number, before?: Layout) {
    if (nodes > COARSE_MIN) this.#charge.theta(COARSE_THETA)
    const spots = before === undefined ? [] : before.#spots
    this.#spots = Array.from({ length: nodes }, (_, node) => {
      const { x, y, isUp } = spots[node] ?? NOWHERE
      return { x, y, isUp }
    })
    this.#simulation = forceSimulation<Body, Spring>(this.#spots)
      .randomSource(generator(seed))
      .force('charge', this.#charge)
      .force('x', forceX<Body>(0).strength(0.05))
      .force('y', forceY<Body>(0).strength(0.05))
      .alphaDecay(1 - 0.001 ** (1 / SETTLE_STEPS))
      .stop()
  }

  get nodes(): readonly Spot[] {
    return this.#spots
  }

  /** Another picture. After a leap all begins anew, so that it does not matter what came before. */
  show(picture: Picture): void {
    const { links, uppers } = picture
    if (!picture.leap && isSame(links, this.#links) && isSame(uppers, this.#uppers)) return
    this.#links = links
    this.#uppers = uppers
    const springs: Spring[] = []
    for (let place = 0; place < links.length; place += 2) {
      const [a, b] = [links[place] as number, links[place + 1] as number]
      const isTree = uppers[a] === b || uppers[b] === a
      springs.push({ source: this.#spots[a] as Body, target: this.#spots[b] as Body, isTree })
    }
    this.version += 1
    if (picture.leap) this.#restart()
    this.#rise(picture)
    this.#simulation.force('charge', this.#charge)
    this.#simulation.force(
      'link',
      forceLink<Body, Spring>(springs)
        .distance(({ isTree }) => (isTree ? LENGTH.tree : LENGTH.trunk))
        .strength(({ isTree }) => (isTree ? 0.7 : 0.02)),
    )
    if (!picture.leap) this.#simulation.alpha(Math.max(this.#simulation.alpha(), NUDGE))
  }

  /**
   * Goes on for about so long; false when it stands still. What one step takes beyond that, later calls make
   * up for by doing nothing: many nodes settle more slowly, and frames keep coming.
   */
  step(millis: number): boolean {
    if (this.#simulation.alpha() < STILL) return false
    if (this.#owed <= 0 && this.#overdrawn > 0) {
      this.#overdrawn -= millis
      return true
    }
    const began = performance.now()
    let spent = 0
    do {
      this.#simulation.tick()
      this.version += 1
      this.#owed -= 1
      spent = performance.now() - began
    } while (this.#owed > 0 && spent < millis && this.#simulation.alpha() >= STILL)
    this.#overdrawn = Math.min(OVERDRAWN_MOST * millis, spent - millis)
    return true
  }

  /** Whoever comes up appears beside a neighbour that is there. */
  #rise({ states, links }: Picture): void {
    const isNew = this.#spots.map(({ isUp }, node) => !isUp && ((states[node] as number) & NODE.up) !== 0)
    for (const [node, spot] of this.#spots.entries()) spot.isUp = ((states[node] as number) & NODE.up) !== 0
    if (this.#owed === SETTLE_STEPS / 2) return
    for (let place = 0; place < links.length; place += 2) {
      const [a, b] = [links[place] as number, links[place + 1] as number]
      const [comes, stays] = isNew[a] === true ? [a, b] : [b, a]
      if (isNew[comes] !== true || isNew[stays] === true) continue
      isNew[comes] = false
      const [spot, beside] = [this.#spots[comes] as Body, this.#spots[stays] as Body]
      // In some direction, so that two of them do not fall together.
      spot.x = beside.x + 12 * Math.cos(comes)
      spot.y = beside.y + 12 * Math.sin(comes)
    }
  }

  /** A spiral, as d3 begins with. */
  #restart(): void {
    for (const [index, spot] of this.#spots.entries()) {
      const radius = 10 * Math.sqrt(0.5 + index)
      const angle = index * Math.PI * (3 - Math.sqrt(5))
      spot.x = radius * Math.cos(angle)
      spot.y = radius * Math.sin(angle)
      spot.vx = 0
      spot.vy = 0
    }
    this.#simulation.alpha(1)
    this.#owed = SETTLE_STEPS / 2
  }
}

function isSame(one: Int32Array, other: Int32Array): boolean {
  return one.length === other.length && one.every((value, place) => value === other[place])
}

/** Mulberry32: draws of the layout, which has nothing to do with those of the run. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
