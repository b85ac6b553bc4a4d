/**
 * Many seeds in one table: for every metric the mean over the seeds with its confidence interval.
 */
import { flatMetrics, type RunReport, summarise } from '../../sim/index.ts'

export interface MetricSummary {
  /** Seeds that measured it. */
  readonly seeds: number
  readonly mean: number
  /** Half the width of the 95 % interval (Student's t); undefined with fewer than two seeds. */
  readonly confidence95?: number
  readonly min: number
  readonly max: number
}

/** By the flat name of the metric, in the order in which runs name them. */
export function summariseRuns(reports: readonly RunReport[]): Record<string, MetricSummary> {
  const values = new Map<string, number[]>()
  for (const report of reports) {
    for (const [name, value] of flatMetrics(report.metrics)) {
      if (!Number.isFinite(value)) continue
      const list = values.get(name)
      if (list === undefined) values.set(name, [value])
      else list.push(value)
    }
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, summariseValues(list)]))
}

function summariseValues(values: readonly number[]): MetricSummary {
  const { count, mean, half, min, max } = summarise(values)
  return { seeds: count, mean, ...(count > 1 ? { confidence95: half } : {}), min, max }
}
