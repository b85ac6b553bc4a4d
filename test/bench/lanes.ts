/**
 * Speed and memory of the link model, as a table: `node --expose-gc test/bench/lanes.ts`. Messages go
 * round the lanes in strides, so with many lanes each finds its own out of the cache: the worst case.
 */
import { type CompiledConditions, compileConditions } from '../../sim/links/conditions.ts'
import { AccessLine, Lane, LaneShared } from '../../sim/links/lane.ts'
import { type Random, Streams } from '../../sim/random.ts'
import { conditions } from '../../sim/scenario/links.ts'

const MESSAGES = 2_000_000
const ROUNDS = 3
const LANES_PER_NODE = 12
const STRIDE = 7_919
const BYTES = 252

const bursts = {
  kind: 'gilbert-elliott',
  goodMillis: 10_000,
  badMillis: 1_000,
  goodLoss: 0.001,
  badLoss: 0.1,
}
const CASES: Readonly<Record<string, object>> = {
  'without jitter': { jitter: { share: 0, correlation: 0 } },
  'as by default': {},
  'with 1 % loss': { loss: { kind: 'bernoulli', probability: 0.01 } },
  'with bursts': { loss: bursts },
  'with everything': {
    loss: bursts,
    reorder: 0.01,
    duplicate: 0.01,
    corrupt: 0.001,
    upMbits: 50,
    downMbits: 50,
  },
  'as a stream': { loss: { kind: 'bernoulli', probability: 0.01 }, data: 'stream' },
}

interface Setting {
  readonly shared: LaneShared
  readonly lanes: readonly Lane[]
  readonly randoms: readonly Random[]
}

function setUp(compiled: CompiledConditions, count: number): Setting {
  const shared = new LaneShared(compiled)
  const streams = new Streams(1)
  const nodes = Math.ceil(count / LANES_PER_NODE)
  const lines = Array.from({ length: nodes }, () => new AccessLine())
  const randoms = Array.from({ length: nodes }, (_, node) => streams.stream(`links/${node}`))
  for (const random of randoms) random.u32()
  const lanes = Array.from({ length: count }, (_, index) => {
    return new Lane(20_000 + (index % 1_000), shared, lines[index % nodes])
  })
  return { shared, lanes, randoms }
}

/** Nanoseconds a message, the best of some rounds: what else the machine does only adds. */
function measure({ lanes, randoms }: Setting, control: boolean): number {
  let best = Number.POSITIVE_INFINITY
  let now = 3_000_000_000
  let at = 0
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now()
    for (let index = 0; index < MESSAGES; index++) {
      at = (at + STRIDE) % lanes.length
      // Some ten messages a second on each lane.
      now += Math.ceil(100_000 / lanes.length)
      const lane = lanes[at] as Lane
      const random = randoms[at % randoms.length] as Random
      if (control) lane.control(now, BYTES, random)
      else lane.data(now, BYTES, random)
    }
    best = Math.min(best, ((performance.now() - started) * 1e6) / MESSAGES)
  }
  return best
}

/** Heap and array bytes for each lane, without the streams and lines of the machines. */
function bytesPerLane(count: number): number {
  const { gc } = globalThis
  if (gc === undefined) return Number.NaN
  const used = (): number => {
    gc()
    return process.memoryUsage().heapUsed
  }
  const shared = new LaneShared(compileConditions(conditions.parse({})))
  const line = new AccessLine()
  const random = new Streams(1).stream('links/0')
  const before = used()
  const lanes = Array.from({ length: count }, () => new Lane(20_000, shared, line))
  // Times beyond 2^31 take more room than small integers.
  for (const lane of lanes) {
    lane.control(5_000_000_000, BYTES, random)
    lane.data(5_000_000_000, BYTES, random)
  }
  const after = used()
  return (after - before) / lanes.length
}

for (const count of [1_000, 10_000, 200_000]) {
  console.log(`${count} lanes${' '.repeat(18)}data, ns  control, ns`)
  for (const [name, spec] of Object.entries(CASES)) {
    const setting = setUp(compileConditions(conditions.parse(spec)), count)
    const [data, control] = [measure(setting, false), measure(setting, true)]
    console.log(`  ${name.padEnd(24)}${data.toFixed(0).padStart(6)}${control.toFixed(0).padStart(13)}`)
  }
}
console.log(`bytes for each lane: ${bytesPerLane(200_000).toFixed(0)}`)
