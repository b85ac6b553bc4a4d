/**
 * How far any two nodes are from each other, without jitter or load. A model answers from the seed and
 * the two numbers alone: no table of pairs, no order of asking, and a further node moves nobody.
 *
 * It knows nothing of trunks. Round trips of the data are halved; real ones are not symmetric either,
 * but the sources measured round trips only.
 */
import { UsageError } from '../../core/errors.ts'
import { MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import type { LatencyMatrix } from '../data/matrix.ts'
import { type Distribution, sample } from '../distributions.ts'
import type { Random, Streams } from '../random.ts'
import type { LatencySpec } from '../scenario.ts'
import { LIBP2P_8, type RegionPreset } from './regions.ts'

/** Two machines on one switch: no model answers less. */
const NEAREST: Micros = 50
/** Nor more, whatever a heavy tail yields: no stream would live on such a path. */
const FARTHEST: Micros = 10 * SECOND
/** Two nodes at one row of a matrix: in one city, behind different lines. Guess. */
const SAME_ROW: Micros = MILLISECOND
const UNPLACED = -1

export interface LatencyModel {
  /** From node a to node b; symmetric but for what the source of the regions has. */
  oneWay(a: number, b: number): Micros
  /** Name of the node's region where the model has regions. */
  region(node: number): string | undefined
}

/** `nodes`: how many there are. `matrix` is needed where the specification names one. */
export function latencyModel(
  spec: LatencySpec,
  nodes: number,
  streams: Streams,
  matrix?: LatencyMatrix,
): LatencyModel {
  switch (spec.kind) {
    case 'constant':
      return new ConstantLatency(micros(spec.oneWayMillis))
    case 'distribution':
      return new DrawnLatency(spec.roundTripMillis, streams)
    case 'regions':
      return new RegionLatency(LIBP2P_8, nodes, streams)
    case 'coordinates':
      return new PlaneLatency(spec.spanMillis, spec.accessMillis, nodes, streams)
    case 'matrix':
      if (matrix === undefined) {
        throw new UsageError(`latency: the matrix ${spec.file} was not given; read it and pass it along`)
      }
      return new MatrixLatency(matrix, nodes, streams)
  }
}

class ConstantLatency implements LatencyModel {
  readonly #oneWay: Micros

  constructor(oneWay: Micros) {
    this.#oneWay = oneWay
  }

  oneWay(): Micros {
    return this.#oneWay
  }

  region(): undefined {
    return undefined
  }
}

/** A round trip for each pair, from the pair's own stream, drawn again each time it is asked for. */
class DrawnLatency implements LatencyModel {
  readonly #roundTrip: Distribution
  readonly #streams: Streams

  constructor(roundTrip: Distribution, streams: Streams) {
    this.#roundTrip = roundTrip
    this.#streams = streams
  }

  oneWay(a: number, b: number): Micros {
    const pair = a < b ? `latency/${a}-${b}` : `latency/${b}-${a}`
    return micros(sample(this.#roundTrip, this.#streams.stream(pair)) / 2)
  }

  region(): undefined {
    return undefined
  }
}

class RegionLatency implements LatencyModel {
  readonly #preset: RegionPreset
  readonly #places: Places
  readonly #total: number

  constructor(preset: RegionPreset, nodes: number, streams: Streams) {
    this.#preset = preset
    this.#total = preset.weights.reduce((sum, weight) => sum + weight, 0)
    this.#places = new Places(nodes, streams, (random) => this.#draw(random))
  }

  oneWay(a: number, b: number): Micros {
    const row = this.#preset.oneWayMillis[this.#places.of(a)] as readonly number[]
    return micros(row[this.#places.of(b)] as number)
  }

  region(node: number): string {
    return this.#preset.names[this.#places.of(node)] as string
  }

  #draw(random: Random): number {
    let left = random.below(this.#total)
    let region = 0
    for (const weight of this.#preset.weights) {
      if (left < weight) break
      left -= weight
      region++
    }
    return region
  }
}

/**
 * Points in a square whose diagonal is the span as a round trip, and the delay of each node's access
 * line, which every packet of it passes.
 */
class PlaneLatency implements LatencyModel {
  readonly #side: number
  readonly #access: Distribution
  readonly #streams: Streams
  /** For each node x, y and access delay in milliseconds one way; not a number until asked for. */
  readonly #points: Float64Array

  constructor(spanMillis: number, access: Distribution, nodes: number, streams: Streams) {
    this.#side = spanMillis / 2 / Math.sqrt(2)
    this.#access = access
    this.#streams = streams
    this.#points = new Float64Array(3 * nodes).fill(Number.NaN)
  }

  oneWay(a: number, b: number): Micros {
    const points = this.#points
    const [first, second] = [this.#point(a), this.#point(b)]
    const x = (points[first] as number) - (points[second] as number)
    const y = (points[first + 1] as number) - (points[second + 1] as number)
    return micros(Math.sqrt(x * x + y * y) + (points[first + 2] as number) + (points[second + 2] as number))
  }

  region(): undefined {
    return undefined
  }

  #point(node: number): number {
    const at = 3 * node
    if (Number.isNaN(this.#points[at] as number)) {
      const random = this.#streams.stream(`latency/${node}`)
      this.#points[at] = random.unit() * this.#side
      this.#points[at + 1] = random.unit() * this.#side
      this.#points[at + 2] = sample(this.#access, random)
    }
    return at
  }
}

class MatrixLatency implements LatencyModel {
  readonly #matrix: LatencyMatrix
  readonly #places: Places

  constructor(matrix: LatencyMatrix, nodes: number, streams: Streams) {
    this.#matrix = matrix
    this.#places = new Places(nodes, streams, (random) => random.below(matrix.n))
  }

  oneWay(a: number, b: number): Micros {
    const [row, column] = [this.#places.of(a), this.#places.of(b)]
    if (row === column) return SAME_ROW
    const { n, roundTripMillis } = this.#matrix
    return micros((roundTripMillis[row * n + column] as number) / 2)
  }

  region(): undefined {
    return undefined
  }
}

/** The place of each node among numbered ones, from a stream of its own at the first question. */
class Places {
  readonly #of: Int16Array
  readonly #streams: Streams
  readonly #draw: (random: Random) => number

  constructor(nodes: number, streams: Streams, draw: (random: Random) => number) {
    this.#of = new Int16Array(nodes).fill(UNPLACED)
    this.#streams = streams
    this.#draw = draw
  }

  of(node: number): number {
    const known = this.#of[node] as number
    if (known !== UNPLACED) return known
    const place = this.#draw(this.#streams.stream(`latency/${node}`))
    this.#of[node] = place
    return place
  }
}

function micros(millis: number): Micros {
  return Math.max(NEAREST, Math.min(FARTHEST, Math.round(millis * MILLISECOND)))
}
