/**
 * What a scenario says about the machines and the paths between them, made into models: who can be
 * reached, who carries for others, how far apart they are, whom they know at the start.
 */
import type { NodeConfig } from '../core/config.ts'
import { UsageError } from '../core/errors.ts'
import { REACHABILITY, type Reachability } from '../core/io.ts'
import { readFile } from './data/file.ts'
import { readFreifunk } from './data/freifunk.ts'
import { readGml } from './data/gml.ts'
import type { Graph } from './data/graph.ts'
import { readGraphml } from './data/graphml.ts'
import { readMatrix } from './data/matrix.ts'
import { type CompiledConditions, compileConditions, meanLoss } from './links/conditions.ts'
import { DialModel } from './links/dial.ts'
import { DialGraph } from './links/graph.ts'
import { type LatencyModel, latencyModel } from './links/latency.ts'
import { Partition } from './links/partition.ts'
import type { Random, Streams } from './random.ts'
import type { DataFiles } from './results.ts'
import { nodeConfigChanges } from './scenario/nodes.ts'
import type { Scenario, TopologySpec } from './scenario.ts'

export interface Surroundings {
  readonly latency: LatencyModel
  readonly dials: DialModel
  readonly partition: Partition
  readonly conditions: CompiledConditions
  readonly reportsLoss: boolean
  readonly reach: (node: number) => Reachability
  readonly config: (node: number) => Partial<NodeConfig>
  /** Whom a node knows when it starts: the contacts, or its neighbours in a fixed graph. */
  readonly known: (node: number) => readonly number[]
  /** The fixed graph, where the scenario has one. */
  readonly graph: DialGraph | undefined
  /** Of the path from the first to the second node: loss of its own, 0 to 1, beyond the conditions. */
  readonly pathLoss: ((from: number, to: number) => number) | undefined
}

/** IEEE 802.11, dot11ShortRetryLimit: a unicast is sent at most seven times. */
const RADIO_ATTEMPTS = 7
/** Contacts that one node is told of: enough that some are up, few enough that hints stay short. */
const CONTACTS_KNOWN = 4

export function buildSurroundings(scenario: Scenario, streams: Streams, data: DataFiles): Surroundings {
  const { nodes } = scenario
  const topology =
    scenario.topology === undefined ? undefined : readTopology(scenario.topology, nodes.count, data)
  const graph = topology?.graph
  const matrix =
    scenario.latency.kind === 'matrix'
      ? readFile(data, 'latency.file', scenario.latency.file, readMatrix)
      : undefined
  const latency = latencyModel(scenario.latency, nodes.count, streams, matrix)
  const conditions = compileConditions(scenario.conditions)
  const dials = new DialModel({ latency, streams, graph })
  dials.loss = meanLoss(conditions)
  const roles = drawRoles(scenario, streams.stream('roles'))
  const changes = nodeConfigChanges(nodes.config)
  // Contacts are relays that carry everything.
  const contact: Partial<NodeConfig> = {
    ...nodeConfigChanges({ ...nodes.config, ...nodes.contactConfig }),
    relay: true,
  }
  const relay: Partial<NodeConfig> = { ...changes, relay: true }
  const leaf: Partial<NodeConfig> = { ...changes, relay: false }
  const restricted: Partial<NodeConfig> = { ...relay, policy: { mode: 'restricted' } }
  return {
    latency,
    dials,
    partition: new Partition(nodes.count),
    conditions,
    reportsLoss: scenario.conditions.reportsLoss,
    reach: (node) => roles.reach[node] as Reachability,
    config: (node) => {
      if (node < nodes.contacts) return contact
      return roles.leaf[node] === 1 ? leaf : roles.restricted[node] === 1 ? restricted : relay
    },
    known: (node) =>
      graph === undefined ? contactsKnown(node, nodes.contacts) : [...graph.neighbours(node)],
    graph,
    pathLoss: topology?.pathLoss,
  }
}

interface Roles {
  readonly reach: Uint8Array
  readonly leaf: Uint8Array
  readonly restricted: Uint8Array
}

/** Three draws for each node, whatever the shares, so that changing one share moves only its own role. */
function drawRoles(scenario: Scenario, random: Random): Roles {
  const { count, contacts, reach, leafShare, restrictedShare } = scenario.nodes
  const roles = {
    reach: new Uint8Array(count),
    leaf: new Uint8Array(count),
    restricted: new Uint8Array(count),
  }
  for (let node = 0; node < count; node++) {
    const [byReach, byLeaf, byPolicy] = [random.unit(), random.unit(), random.unit()]
    if (node < contacts) continue
    roles.reach[node] =
      byReach < reach.public
        ? REACHABILITY.public
        : byReach < reach.public + reach.punchable
          ? REACHABILITY.punchable
          : REACHABILITY.private
    roles.leaf[node] = byLeaf < leafShare ? 1 : 0
    roles.restricted[node] = byPolicy < restrictedShare ? 1 : 0
  }
  return roles
}

function contactsKnown(node: number, contacts: number): number[] {
  const known: number[] = []
  for (let each = 0; each < Math.min(contacts, CONTACTS_KNOWN + 1); each++) {
    const contact = (node + each) % contacts
    if (contact !== node && known.length < CONTACTS_KNOWN) known.push(contact)
  }
  return known
}

interface Topology {
  readonly graph: DialGraph
  readonly pathLoss: (from: number, to: number) => number
}

const TOPOLOGY_READERS = { freifunk: readFreifunk, gml: readGml, graphml: readGraphml } as const

function readTopology(spec: TopologySpec, count: number, data: DataFiles): Topology {
  const { file } = spec
  const read: Graph = readFile(data, 'topology.file', file, TOPOLOGY_READERS[spec.format])
  if (read.nodes.length !== count) {
    throw new UsageError(
      `nodes.count is ${count}, but ${file} has ${read.nodes.length} nodes; ` +
        `set nodes.count to ${read.nodes.length}`,
    )
  }
  // Of parallel edges the best counts.
  const quality = new Map<number, number>()
  const note = (from: number, to: number, value: number): void => {
    quality.set(from * count + to, Math.max(value, quality.get(from * count + to) ?? 0))
  }
  for (const edge of read.edges) {
    note(edge.from, edge.to, edge.quality.forward)
    note(edge.to, edge.from, edge.quality.backward)
  }
  return {
    graph: new DialGraph(
      count,
      read.edges.map((edge) => [edge.from, edge.to] as const),
    ),
    pathLoss: (from, to) => radioLoss(quality.get(from * count + to) ?? 1),
  }
}

/**
 * What a path over a radio link loses. Its quality is measured with broadcasts, which a station sends once
 * (batman-adv's originator messages); a trunk's packets are unicasts, which it repeats until acknowledged.
 */
function radioLoss(quality: number): number {
  let loss = 1
  for (let attempt = 0; attempt < RADIO_ATTEMPTS; attempt++) loss *= 1 - quality
  return loss
}
