/**
 * The figures of a run by name. Names say the unit; groups are objects. Bounds of a scenario refer to
 * the top-level names.
 */
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
}

export function measure(run: Measured): Metrics {
  const { stage, meter, world, counters } = run
  const { delivery, cycles } = stage
  const nodeSeconds = Math.max(1, meter.nodeSeconds())
  const control = meter.controlBytesPerNodeSecond()
  const outages = summarise(run.outages.outages.map((micros) => micros / 1e6))
  const metrics: Record<string, Metric> = {
    delivery: delivery.owed === 0 ? 1 : delivery.came / delivery.owed,
    framesOwed: delivery.owed,
    framesLost: delivery.owed - delivery.came,
    framesExcused: delivery.excusedByLinkModel,
    copiesPerMember: delivery.groupDeliveries === 0 ? 1 : delivery.groupArrivals / delivery.groupDeliveries,
    latencyMillis: quantiles(delivery.latency, 1_000),
    latencyP99Millis: delivery.latency.quantile(0.99) / 1_000,
    stretch: quantiles(run.stretch, 100),
    stretchP50: run.stretch.quantile(0.5) / 100,
    controlBytesPerNodeSecond: control.mean,
    controlBytesPerNodeSecondByNode: { p50: control.p50, p99: control.p99, max: control.max },
    controlBytesByKind: meter.byKind(),
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
    metrics['reachableShare'] = run.convergence.reachableShare()
    metrics['convergeSeconds'] = run.convergence.talkSeconds() ?? -1
    metrics['attachSeconds'] = run.convergence.treeSeconds ?? -1
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
