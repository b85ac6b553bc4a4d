/**
 * What a scenario is to others: its schema for editors, its canonical text for hashes, its data files.
 */
import { type Scenario, scenarioSchema } from '../scenario.ts'
import { inputSchema, type JsonSchema } from './rules.ts'

/** JSON Schema (2020-12) of a scenario file, for editors and other programs. */
export function publishedSchema(): JsonSchema {
  return { title: 'PeerTap scenario', ...inputSchema(scenarioSchema) } as JsonSchema
}

/**
 * One text for all scenarios that mean the same: defaults filled in, keys in the order of their code
 * units, no spaces. `$schema` is left out, since it speaks to editors only.
 */
export function canonicalScenario(scenario: Scenario): string {
  const { $schema: _, ...rest } = scenario
  return canonicalJson(rest)
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${canonicalJson(part)}`).join(',')}}`
}

/** A file that a run needs. */
export interface DataNeed {
  /** The key in the scenario that names it. */
  readonly key: string
  /** Relative to the data directory. */
  readonly name: string
  /** What has to be in it. */
  readonly content: string
}

/** The data files of a scenario, in the order of its keys. */
export function dataNeeds({ latency, topology, churn }: Scenario): DataNeed[] {
  const needs: DataNeed[] = []
  if (latency.kind === 'matrix') {
    needs.push({
      key: 'latency.file',
      name: latency.file,
      content:
        'a latency matrix: lines i,j,rtt_ms, as in the PlanetLab all-pairs round trips (Zhu et al., 2017)',
    })
  }
  if (topology !== undefined)
    needs.push({ key: 'topology.file', name: topology.file, content: TOPOLOGIES[topology.format] })
  if (churn.kind === 'trace') {
    needs.push({
      key: 'churn.file',
      name: churn.file,
      content: TRACES[churn.format],
    })
  }
  return needs
}

const TRACES = {
  avt: 'an availability trace in .avt form, as in the Skype super-peer trace (Guha et al., 2006)',
  splay: "an availability trace as SPLAY's churn generator writes it: one node a line, seconds, on first",
  fta: 'an event table of the Failure Trace Archive, columns separated by tabs',
} as const

const TOPOLOGIES = {
  freifunk: 'a mesh graph in the form of meshnet-lab: {"links": [{"source", "target", "source_tq", ...}]}',
  gml: 'a graph in GML, as in the Internet Topology Zoo',
  graphml: 'a graph in GraphML, as in the Internet Topology Zoo',
} as const
