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

/**
 * By the flat name of the metric, in the order in which runs name them. A metric that is split names only
 * what came up: a part that a run leaves out of one that it has was zero.
 */
export function summariseRuns(reports: readonly RunReport[]): Record<string, MetricSummary> {
  const flat = reports.map(({ metrics }) => flatMetrics(metrics))
  const names = new Set(flat.flatMap((metrics) => [...metrics.keys()]))
  const summary: Record<string, MetricSummary> = {}
  for (const name of names) {
    const whole = name.split('.')[0] as string
    const values = reports.flatMap(({ metrics }, index) => {
      const value = flat[index]?.get(name) ?? (typeof metrics[whole] === 'object' ? 0 : Number.NaN)
      return Number.isFinite(value) ? [value] : []
    })
    if (values.length > 0) summary[name] = summariseValues(values)
  }
  return summary
}

function summariseValues(values: readonly number[]): MetricSummary {
  const { count, mean, half, min, max } = summarise(values)
  return { seeds: count, mean, ...(count > 1 ? { confidence95: half } : {}), min, max }
}
