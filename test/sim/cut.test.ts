/**
 * A relay is cut off in silence while frames of two members lead through it: whoever is around it finds out
 * soon, however little traffic each link has, and no link that is as dead is taken for a way.
 */
import { describe, expect, it } from 'vitest'
import { type Micros, SECOND } from '../../core/io.ts'
import { FRAME_KIND } from '../../sim/checks/delivery.ts'
import { Run } from '../../sim/run.ts'
import { scenarioSchema } from '../../sim/scenario.ts'

/** Who may have trunks: relays come first, and the two members last. */
type Ground = readonly (readonly [number, number])[]

const DIAMOND: Ground = [[0, 1], ...bothTo(2, 0, 1), ...bothTo(3, 0, 1)]
const CHAIN: Ground = [
  [0, 1],
  [2, 3],
  ...bothTo(0, 2, 3),
  ...bothTo(1, 2, 3),
  ...bothTo(4, 0, 1),
  ...bothTo(5, 2, 3),
]
const RING: Ground = [
  [4, 0],
  [0, 1],
  [1, 5],
  [4, 2],
  [2, 3],
  [3, 5],
]

/** Who sends: both by themselves, the second only to answer, or the second not at all. */
type Talk = 'both' | 'answers' | 'one'

const SEEDS = Array.from({ length: 8 }, (_, index) => index + 1)
const SPACING: Micros = SECOND / 10
const SETTLED = 40
const TALKED = 5
const WATCHED = 20
/** Silence of 1.5 s, three probes, half a second until neighbours know, 0.7 s until a root stands up. */
const GAP_MAX = 3.5

function bothTo(from: number, first: number, second: number): Ground {
  return [
    [from, first],
    [from, second],
  ]
}

/** Longest times in seconds without a frame at either member; what came before counts from its last frame. */
function gapsOf(ground: Ground, talk: Talk, seed: number): number[] {
  const count = Math.max(...ground.flat()) + 1
  // Nodes are numbered in the order in which links name them.
  const edges = [...Array.from({ length: count }, (_, node) => [node, node] as const), ...ground]
  const links = edges.map(([source, target]) => ({ source: `${source}`, target: `${target}` }))
  const scenario = scenarioSchema.parse({
    version: 1,
    name: 'cut',
    question: 'How long do frames stop?',
    seconds: 100,
    nodes: { count, contacts: count - 2, joinSeconds: 1 },
    latency: { kind: 'constant', oneWayMillis: 1 },
    topology: { file: 'ground.json', format: 'freifunk' },
    vlans: [{ count: 1, members: 2 }],
  })
  const run = new Run(scenario, { seed, data: { text: () => JSON.stringify({ links }) } })
  const { stage, world } = run
  const [west, east] = [count - 2, count - 1]
  const start = (SETTLED + 0.7 * seed) * SECOND
  const cutAt = start + TALKED * SECOND
  const end = cutAt + WATCHED * SECOND
  const say = (from: number, to: number): void => {
    stage.sendTo(FRAME_KIND.probe, 0, from, to, 100)
  }
  const talkOn = (from: number, to: number): void => {
    say(from, to)
    world.at(world.now + SPACING, () => talkOn(from, to))
  }
  world.at(start, () => talkOn(west, east))
  if (talk === 'both') world.at(start + SPACING / 3, () => talkOn(east, west))
  const came: [Micros[], Micros[]] = [[], []]
  const delivered = run.delivered.bind(run)
  run.delivered = (node, port, frame) => {
    delivered(node, port, frame)
    came[node.index - west]?.push(world.now)
    if (talk === 'answers' && node.index === east) world.at(world.now + 100, () => say(east, west))
  }
  const carried = new Array<number>(west).fill(0)
  const arrived = run.arrived.bind(run)
  run.arrived = (node, frame, copy) => {
    arrived(node, frame, copy)
    if (node.index < west) carried[node.index] = (carried[node.index] as number) + 1
  }
  run.step(cutAt / SECOND)
  run.tools.partition.split([carried.indexOf(Math.max(...carried))])
  run.step(end / SECOND)
  const isHearing = (at: Micros): boolean => at > cutAt - SECOND && at <= cutAt
  const heard = came.filter((times) => times.some(isHearing))
  return heard.map((times) => {
    const all = [...times.filter((at) => at > cutAt - SECOND), end]
    return Math.max(...all.slice(1).map((at, index) => at - (all[index] as number))) / SECOND
  })
}

describe('a relay in use that is cut off in silence', () => {
  it.each([
    ['of two that are linked', DIAMOND, 'answers'],
    ['of two that are linked', DIAMOND, 'one'],
    ['of four in two rows', CHAIN, 'answers'],
    ['of four in two rows', CHAIN, 'both'],
    ['of four in a ring', RING, 'one'],
  ] as const)('%s keeps frames away for 3.5 s at most (%#)', (_, ground, talk) => {
    const gaps = SEEDS.flatMap((seed) => gapsOf(ground, talk, seed))
    expect(gaps.length).toBe(SEEDS.length * (talk === 'one' ? 1 : 2))
    // Each relay was one that carried frames.
    expect(Math.min(...gaps)).toBeGreaterThan(1)
    expect(Math.max(...gaps)).toBeLessThan(GAP_MAX)
  })
})
