/**
 * The part of a scenario that says who takes part and when: nodes, their parameters, sessions.
 */
import { z } from 'zod'
import { type NodeConfig, nodeConfig } from '../../core/config.ts'
import { UsageError } from '../../core/errors.ts'
import { MILLISECOND } from '../../core/io.ts'
import { atLeastZero, positive, share } from './links.ts'

/**
 * Parameters that a scenario may override, with their unit there. Two are left out because they are set
 * for shares of the nodes: `relay` by leafShare, `policy` by restrictedShare.
 */
const CONFIG_UNITS = {
  activeTarget: 'count',
  linkLimit: 'count',
  passiveLimit: 'count',
  activeWalk: 'count',
  passiveWalk: 'count',
  shufflePeriod: 'millis',
  optimisePeriod: 'millis',
  helloTreePeriod: 'millis',
  helloOtherPeriod: 'millis',
  silence: 'millis',
  probeSpacing: 'millis',
  probeCount: 'count',
  beatPeriod: 'millis',
  certificatePeriod: 'millis',
  certificateLife: 'millis',
  updatePace: 'millis',
  holdFloor: 'millis',
  holdCeiling: 'millis',
  detachedRoot: 'millis',
  stormPackets: 'count',
  stormBits: 'count',
  edgeBroadcasts: 'count',
  rootPriority: 'count',
  loadPackets: 'count',
} as const satisfies Record<Exclude<keyof NodeConfig, 'relay' | 'policy'>, 'count' | 'millis'>

type ConfigName = keyof typeof CONFIG_UNITS
const CONFIG_NAMES = Object.keys(CONFIG_UNITS) as ConfigName[]

/** The longest run: a timer that never comes is none. */
const TIMER_MAX_MILLIS = 864_000_000

const CONFIG_VALUES = {
  count: z.int().min(0).optional(),
  millis: z.number().min(1).max(TIMER_MAX_MILLIS).describe('Milliseconds.').optional(),
} as const

const config = z
  .strictObject(
    Object.fromEntries(CONFIG_NAMES.map((name) => [name, CONFIG_VALUES[CONFIG_UNITS[name]]])) as Record<
      ConfigName,
      z.ZodOptional<z.ZodNumber>
    >,
  )
  .describe("Overrides of every node's parameters, by the names in core/config.ts; times in milliseconds.")

/** The overrides in the node's own units (microseconds). Throws UsageError if they do not work together. */
export function nodeConfigChanges(changes: z.infer<typeof config>): Partial<NodeConfig> {
  const result: Partial<Record<ConfigName, number>> = {}
  for (const name of CONFIG_NAMES) {
    const value = changes[name]
    if (value === undefined) continue
    result[name] = CONFIG_UNITS[name] === 'millis' ? Math.round(value * MILLISECOND) : value
  }
  const { holdFloor, holdCeiling } = nodeConfig(result)
  if (holdFloor > holdCeiling) {
    const [floor, ceiling] = [holdFloor / MILLISECOND, holdCeiling / MILLISECOND]
    throw new UsageError(
      `holdFloor ${floor} exceeds holdCeiling ${ceiling} (milliseconds); ` +
        'raise holdCeiling or lower holdFloor',
    )
  }
  return result
}

const reach = z
  .strictObject({ public: share, punchable: share, private: share })
  .describe('Shares of nodes that anybody can dial, that hole punching reaches, and that only dial; sum 1.')

export const nodes = z
  .strictObject({
    count: z
      .int()
      .min(1)
      .max(200_000)
      .describe('How many nodes there are; with a trace, how many of its lines.'),
    contacts: z
      .int()
      .min(1)
      .max(64)
      .default(3)
      .describe('The first nodes: always on, public, relays, known to everybody. No churn takes them down.'),
    joinSeconds: atLeastZero.default(5).describe('Nodes come up evenly over this time at the start.'),
    leafShare: share.default(0).describe('Nodes that carry nothing for others.'),
    reach: reach.default({ public: 1, punchable: 0, private: 0 }),
    config: config.default({}),
    contactConfig: config
      .describe('Overrides for the contacts, on top of `config`: they are run by operators.')
      .optional(),
    restrictedShare: share.default(0).describe('Relays that carry only the VLANs they are members of.'),
  })
  .describe('The machines.')

/** Forms of recorded sessions that can be read. */
const TRACE_FORMATS = ['avt', 'splay', 'fta'] as const

const gracefulShare = share.default(0.5).describe('Departures that say goodbye; all others are crashes.')

export const churn = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }).describe('Everybody stays.'),
    z
      .strictObject({
        kind: z.literal('trace'),
        file: z.string().min(1).describe('Relative to the data directory.'),
        format: z
          .enum(TRACE_FORMATS)
          .default('avt')
          .describe(
            'avt: one node a line, its id, a number and so many pairs of on and off in seconds. splay: one ' +
              'node a line, times of on and off in turn. fta: the event table of the Failure Trace Archive.',
          ),
        fromHours: atLeastZero.default(0).describe('Where in the trace the run begins.'),
        compress: positive.default(1).describe('Trace seconds for each simulated second.'),
        ditherSeconds: atLeastZero
          .optional()
          .describe(
            'Every transition is moved by up to this many trace seconds, because the probe grid of a trace ' +
              'hides the real instant. Without it: 917 for avt (half the grid of the Skype trace), else 0.',
          ),
        gracefulShare,
      })
      .describe('Recorded sessions.'),
    z
      .strictObject({
        kind: z.literal('fitted'),
        preset: z
          .enum([
            'skype-2005',
            'overnet-2003',
            'planetlab-2005',
            'microsoft-1999',
            'web-2002',
            'kad-2007',
            'ipfs-like',
          ])
          .describe('Which population the distributions of sessions and gaps were fitted to.'),
        compress: positive.default(1).describe('Model seconds for each simulated second.'),
        gracefulShare,
        newIdentityShare: share.default(0).describe('Returns under a new node key.'),
      })
      .describe('Sessions and gaps drawn from distributions that were fitted to a population.'),
  ])
  .describe('When nodes come and go.')

export type NodesSpec = z.infer<typeof nodes>
export type ChurnSpec = z.infer<typeof churn>
