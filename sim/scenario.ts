/**
 * What a run is made from: one JSON file, strict, with every default written down here and in the parts
 * beside (`scenario/`). The schema is published from this same definition (`peertap sim schema`), so
 * the two cannot drift apart.
 *
 * Times are seconds or milliseconds as the name says; shares and probabilities are 0 to 1.
 */
import { z } from 'zod'
import { guests, twins } from './scenario/entrances.ts'
import { fault } from './scenario/faults.ts'
import { atLeastZero, conditions, latency, positive, share } from './scenario/links.ts'
import { churn, nodes } from './scenario/nodes.ts'

export type { Fault, Who } from './scenario/faults.ts'
export type { Conditions, Distribution, LatencySpec, LossSpec, RegionName } from './scenario/links.ts'
export type { ChurnSpec, NodesSpec } from './scenario/nodes.ts'

/** The version of the format that this program reads. */
const SCENARIO_VERSION = 1

const vlans = z
  .strictObject({
    count: z.int().min(1).max(10_000).describe('How many VLANs of this kind.'),
    members: z.int().min(1).max(10_000).describe('Members of each, drawn among all nodes.'),
    privacy: z.enum(['spec', 'private']).default('private').describe('How tokens are formed.'),
    group: z
      .enum(['static', 'mls'])
      .default('static')
      .describe('One key for ever, or a group that MLS keeps.'),
    enterFromSeconds: atLeastZero
      .default(0)
      .describe('MLS only: when members but the first begin to ask to be let in.'),
    enterSeconds: atLeastZero.default(0).describe('MLS only: over how long they ask, evenly.'),
    guests: guests.optional(),
    twins: twins.optional(),
    multicastShare: share.default(0.5).describe('Members of each VLAN that join its multicast group.'),
  })
  .describe('VLANs of one kind.')

const traffic = z
  .strictObject({
    kind: z
      .enum(['unicast', 'request', 'broadcast', 'multicast'])
      .describe('To one other member, the same with an answer, to all, or to the multicast group.'),
    perMemberPerSecond: positive
      .max(10_000)
      .describe('Frames (or requests) of each member that is up, Poisson.'),
    bytes: z.int().min(60).max(9_000).default(200).describe('Length of a frame.'),
    fromSeconds: atLeastZero.default(0),
    untilSeconds: positive.optional().describe('Without it, to the end.'),
  })
  .describe('What members send in every VLAN.')

const topology = z
  .strictObject({
    file: z.string().min(1).describe('Relative to the data directory.'),
    format: z.enum(['freifunk', 'gml', 'graphml']),
  })
  .describe('A fixed graph: only along its edges can nodes dial. Without it membership finds neighbours.')

/** What a scenario may set limits to: the name is the metric's. */
export const BOUNDS = {
  delivery:
    'Share of owed frames that came within 5 s. A frame of traffic counts once for each member it is for ' +
    'that is up, and is one of four: unconnected (an end went down meanwhile, or the two were not in one ' +
    'part of the mesh from 5 s before until 5 s after), excused (it did not come, and the link model ' +
    'dropped a copy on the way), stormed (a group frame that did not come while somebody stormed in the ' +
    'VLAN), or else owed.',
  arrivedShare:
    'The same end to end: share that came within 5 s of all frames to members that were up, owed or not.',
  copiesPerMember: 'Arrivals of a group frame at a member, copies made by the link model left out.',
  controlBytesPerNodeSecond: 'Control bytes sent, headers included, per node and second.',
  outageP50Seconds:
    'Median time without delivery of pairs whose path led through a crashed relay, 0 if nothing was lost.',
  outageP99Seconds: '99th percentile of the same.',
  framesLost: 'Owed frames that did not come in time.',
  convergeSeconds:
    'From the end of the last fault, or the last one entering, until all connected pairs talk.',
  latencyP99Millis: '99th percentile of the time from sender to receiver.',
  stretchP50: 'Median of the time from sender to receiver over the delay of a direct path between them.',
  reachableShare: 'Pairs of members that can talk at the end.',
  joinP50Seconds: 'MLS: median time from asking to be let in to the first epoch.',
  joinP99Seconds: 'MLS: 99th percentile of the same.',
  evictSeconds: 'MLS: longest time from a revocation to the last member in an epoch without the evicted.',
  returnSeconds:
    'MLS: longest time from the start of a member that was in before to the epoch of the others.',
  oneEpochSeconds:
    'MLS: from the end of the last fault or request to be let in until all of each VLAN are in one epoch.',
  apartSeconds: 'MLS: longest time with members in more than one epoch, partitions left out.',
  epochs: 'MLS: epochs that some member adopted.',
  groupControlBytes:
    'MLS: bytes a member seals and gets in the whole run for cards, requests, the group and its door.',
  macClashes: 'MACs that two members used at once.',
  macSettledSeconds:
    'From the beginning of the longest to when frames to the MAC come out at one of them alone.',
  hijackClaims: 'Claims to tokens of others that misbehaving nodes said.',
  hijackRefused: 'Those of them that were refused, for want of a proof or for a wrong one.',
  hijackDrawn: 'Packets that reached them by such a claim.',
  falseLinkDeathsPerNodeHour: 'Links declared dead though their other end lived and could be reached.',
} as const
export type BoundName = keyof typeof BOUNDS
const BOUND_NAMES = Object.keys(BOUNDS) as readonly BoundName[]

const limit = z.strictObject({ min: z.number().optional(), max: z.number().optional() })
export type Limit = z.infer<typeof limit>

const boundShape = Object.fromEntries(
  BOUND_NAMES.map((name) => [name, limit.optional().describe(BOUNDS[name])]),
) as Record<BoundName, z.ZodOptional<typeof limit>>

export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional().describe('For editors.'),
    version: z.literal(SCENARIO_VERSION).describe('Of this format.'),
    name: z
      .string()
      .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      .describe('Lower-case letters, digits and hyphens: the name of the file without .json.'),
    question: z.string().min(10).describe('What the run is to answer, in a sentence.'),
    notes: z.array(z.string().min(1)).default([]).describe('Why the parameters are as they are.'),
    sources: z.array(z.string().min(1)).default([]).describe('Where parameters and data come from.'),
    seconds: z
      .number()
      .positive()
      .max(864_000)
      .describe(
        'Length of the run in simulated time. Where nodes do not come and go by themselves it goes on ' +
          'until 5 s after healSeconds after the last fault (or joinSeconds), if that is later.',
      ),
    warmupSeconds: atLeastZero
      .default(30)
      .describe('Results are counted from here on; the mesh has formed by then.'),
    healSeconds: positive
      .default(30)
      .describe('Within this time after the last fault all connected pairs must talk again.'),
    crypto: z
      .enum(['standin', 'real'])
      .default('standin')
      .describe('Real algorithms, or cheap ones of the same shape with a modelled cost.'),
    mls: z
      .enum(['standin', 'tsmls'])
      .default('standin')
      .describe('Who keeps MLS groups: ts-mls, or an engine of the same shape; both at a modelled cost.'),
    nodes,
    latency: latency.default({ kind: 'regions', preset: 'libp2p-8' }),
    conditions: conditions.prefault({}),
    topology: topology.optional(),
    churn: churn.default({ kind: 'none' }),
    vlans: z.array(vlans).max(32).default([]).describe('The broadcast domains.'),
    traffic: z.array(traffic).max(32).default([]).describe('What members send.'),
    faults: z.array(fault).max(256).default([]).describe('What goes wrong, in any order.'),
    bounds: z
      .strictObject(boundShape)
      .default({})
      .describe('What must hold; a run that breaks a bound fails.'),
  })
  .describe('A PeerTap scenario.')

/** As a run sees it: every default filled in. */
export type Scenario = z.infer<typeof scenarioSchema>
export type TrafficSpec = z.infer<typeof traffic>
export type VlansSpec = z.infer<typeof vlans>
export type TopologySpec = z.infer<typeof topology>
