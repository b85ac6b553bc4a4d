/**
 * The figures of a run by name. Names say the unit; groups are objects. Bounds of a scenario refer to
 * the top-level names.
 */
import type { Groups } from './checks/groups.ts'
import type { Nonces } from './checks/nonces.ts'
import type { Reach } from './checks/reach.ts'
import type { MlsVerdict } from './checks/verdict.ts'
import type { Meter } from './meter.ts'
import type { Metric, Metrics } from './results.ts'
import type { Convergence } from './script/convergence.ts'
import type { OutageProbes } from './script/outages.ts'
import type { Stage } from './stage.ts'
import { type Histogram, summarise } from './statistics.ts'
import type { World } from './world.ts'

/** What a run has counted. */
export interface Measured {
  readonly stage: Stage
  readonly meter: Meter
  readonly world: World
  readonly outages: OutageProbes
  readonly convergence: Convergence | undefined
  /** Hundredths: 100 is as fast as a direct path. */
  readonly stretch: Histogram
  readonly counters: Readonly<Record<string, number>>
  readonly eventKinds: Readonly<Record<string, number>>
  readonly falseLinkDeaths: number
  readonly groups: Groups
  readonly nonces: Nonces
  readonly reach: Reach
  readonly verdict: MlsVerdict
  readonly oneEpochSeconds: number | undefined
}

export function measure(run: Measured): Metrics {
  const { stage, meter, world, counters } = run
  const { delivery, cycles } = stage
  const nodeSeconds = Math.max(1, meter.nodeSeconds())
  const outages = summarise(run.outages.outages.map((micros) => micros / 1e6))
  const metrics: Record<string, Metric> = {
    ...deliveryMetrics(run),
    framesSent: delivery.givenOut,
    framesOwed: delivery.owed,
    framesLost: delivery.owed - delivery.came,
    framesExcused: delivery.excusedByLinkModel,
    framesStormed: delivery.excusedByStorm,
    framesUnconnected: delivery.unconnected,
    ...controlMetrics(run),
    controlBytesPerNodeSecondByKind: meter.byKind(),
    controlMessagesPerNodeSecond: meter.controlMessages / nodeSeconds,
    dataBytesPerNodeSecond: meter.dataBytes / nodeSeconds,
    attachedShare: stage.attachedShare(),
    connectedShare: stage.connectivity.largestShare,
    treeDepth: depths(run),
    cycles: cycles.cycles,
    treeLinksOpened: cycles.opened,
    falseLinkDeaths: run.falseLinkDeaths,
    falseLinkDeathsPerNodeHour: (run.falseLinkDeaths * 3_600) / nodeSeconds,
    dials: world.dialsTried,
    trunks: world.trunks.size,
    nodesUp: stage.living().length,
    nodeSeconds,
    stormFrames: (counters['dropBroadcastRate'] ?? 0) + (counters['dropStorm'] ?? 0),
    counters,
    notes: run.eventKinds,
  }
  if (run.outages.crashes > 0) {
    metrics['outageP50Seconds'] = outages.p50
    metrics['outageP99Seconds'] = outages.p99
    metrics['outages'] = {
      crashes: run.outages.crashes,
      pairs: outages.count,
      unhealed: run.outages.unhealed,
      lostLater: run.outages.lostLater,
      mean: outages.mean,
      p50: outages.p50,
      p90: outages.p90,
      p99: outages.p99,
      max: outages.max,
    }
  }
  if (run.convergence !== undefined) {
    const reachable = run.convergence.reachableShare()
    if (reachable !== undefined) metrics['reachableShare'] = reachable
    // Left out when never reached: a bound on a figure that is not there fails.
    const talkSeconds = run.convergence.talkSeconds()
    const { treeSeconds } = run.convergence
    if (talkSeconds !== undefined) metrics['convergeSeconds'] = talkSeconds
    if (treeSeconds !== undefined) metrics['attachSeconds'] = treeSeconds
  }
  groupMetrics(run, metrics)
  hijackMetrics(run, metrics)
  if (stage.clashes.count > 0) {
    metrics['macClashes'] = stage.clashes.count
    metrics['macSettledSeconds'] = Math.max(...stage.clashes.settledAfter()) / 1e6
  }
  return metrics
}

function controlMetrics({ meter }: Measured): Record<string, Metric> {
  const control = meter.controlBytesPerNodeSecond()
  if (control === undefined) return {}
  const { mean, ...byNode } = control
  return { controlBytesPerNodeSecond: mean, controlBytesPerNodeSecondByNode: byNode }
}

function hijackMetrics({ world }: Measured, metrics: Record<string, Metric>): void {
  const totals = { claims: 0, refused: 0, drawn: 0 }
  for (const { sightings } of world.nodes) {
    totals.claims += sightings?.claims ?? 0
    totals.refused += sightings?.refused ?? 0
    totals.drawn += sightings?.drawn ?? 0
  }
  if (world.nodes.every(({ sightings }) => sightings === undefined)) return
  metrics['hijackClaims'] = totals.claims
  metrics['hijackRefused'] = totals.refused
  metrics['hijackDrawn'] = totals.drawn
}

function groupMetrics(run: Measured, metrics: Record<string, Metric>): void {
  const { stage, groups, nonces, reach, verdict, oneEpochSeconds, counters } = run
  if (groups.epochCount === 0) return
  const members = stage.vlans.reduce(
    (sum, vlan) => sum + (vlan.mls === undefined ? 0 : vlan.members.length),
    0,
  )
  const bytes = { groupOut: 0, groupIn: 0, doorOut: 0, doorIn: 0 }
  bytes.groupOut = (counters['groupBytesOut'] ?? 0) / members
  bytes.groupIn = (counters['groupBytesIn'] ?? 0) / members
  bytes.doorOut = (counters['doorBytesOut'] ?? 0) / members
  bytes.doorIn = (counters['doorBytesIn'] ?? 0) / members
  metrics['groupControlBytes'] = bytes.groupOut + bytes.groupIn + bytes.doorOut + bytes.doorIn
  metrics['groupControlBytesByWay'] = bytes
  const joins = summarise(groups.joins.map((micros) => micros / 1e6))
  metrics['joinP50Seconds'] = joins.p50
  metrics['joinP99Seconds'] = joins.p99
  metrics['joins'] = { count: joins.count, p50: joins.p50, p90: joins.p90, p99: joins.p99, max: joins.max }
  if (groups.evictions.length > 0) metrics['evictSeconds'] = Math.max(...groups.evictions) / 1e6
  // Of all who came back, so not before all have.
  if (groups.returns.length > 0 && !groups.isAwaiting)
    metrics['returnSeconds'] = Math.max(...groups.returns) / 1e6
  metrics['epochs'] = groups.epochCount
  metrics['apartSeconds'] = groups.apart.longest / 1e6
  if (oneEpochSeconds !== undefined) metrics['oneEpochSeconds'] = oneEpochSeconds
  metrics['groupEvents'] = groups.eventKinds
  metrics['sealsUnwatched'] = nonces.unwatched
  if (stage.adversaries.length > 0) metrics['adversary'] = { ...verdict.adversary, misled: reach.misled }
}

/** What was not measured is left out: no frame owed is no delivery of 1. */
function deliveryMetrics({ stage, stretch }: Measured): Record<string, Metric> {
  const { owed, came, givenOut, arrivedInTime, groupArrivals, groupDeliveries, latency } = stage.delivery
  const metrics: Record<string, Metric> = {}
  if (owed > 0) metrics['delivery'] = came / owed
  if (givenOut > 0) metrics['arrivedShare'] = arrivedInTime / givenOut
  if (groupDeliveries > 0) metrics['copiesPerMember'] = groupArrivals / groupDeliveries
  if (latency.count > 0) {
    metrics['latencyMillis'] = quantiles(latency, 1_000)
    metrics['latencyP99Millis'] = latency.quantile(0.99) / 1_000
  }
  if (stretch.count > 0) {
    metrics['stretch'] = quantiles(stretch, 100)
    metrics['stretchP50'] = stretch.quantile(0.5) / 100
  }
  return metrics
}

function quantiles(histogram: Histogram, divisor: number): Record<string, number> {
  const at = (share: number): number => histogram.quantile(share) / divisor
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

function depths(run: Measured): Record<string, number> {
  const values = run.stage.living().map((node) => run.stage.cycles.pathUp(node).length - 1)
  const summary = summarise(values)
  return { mean: summary.mean, p50: summary.p50, p99: summary.p99, max: summary.max }
}
