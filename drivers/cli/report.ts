/**
 * What a person reads after a run: bounds first, then metrics by group, then how to repeat it.
 */
import {
  type FaultHits,
  formatLimit,
  formatNumber,
  groupMetrics,
  type Metric,
  type Metrics,
  type RunReport,
  type Scenario,
  unitOf,
  type Violation,
} from '../../sim/index.ts'
import type { MetricSummary } from '../sim/summary.ts'
import { tableLines, WIDTH, wrapWords } from './table.ts'

/** Violations that are printed; --json has them all. */
const VIOLATIONS_SHOWN = 10

/** The same of faults. */
const FAULTS_SHOWN = 10

/** Records of everything that was counted: too long for people, who get the drops among them. */
const COUNTERS = 'counters'
const HIDDEN = [COUNTERS, 'notes']

export function runLines(scenario: Scenario, report: RunReport, repeat: string): string[] {
  const { bounds, violations, remarks, faults } = report
  const lines = [`${report.scenario}, seed ${report.seed}: ${verdict(report)}`, ...questionLines(scenario)]
  if (violations.length > 0) lines.push('', ...violationLines(violations))
  if (remarks.length > 0) lines.push('', 'remarks', ...remarkLines(remarks))
  if (bounds.length > 0) {
    const rows = bounds.map(({ name, value, limit, ok }) => [
      ok ? 'ok' : 'FAILED',
      name,
      value === null ? 'not measured' : withUnit(name, value),
      formatLimit(limit),
    ])
    lines.push('', 'bounds', ...tableLines(rows, ['left', 'left', 'right', 'left']))
  }
  if (faults.length > 0) lines.push('', ...faultLines(faults))
  lines.push(...metricLines(report.metrics), '', ...costLines(report))
  return [...lines, `digest  ${report.digest}`, `repeat  ${repeat}`]
}

function verdict({ bounds, violations }: RunReport): string {
  const failed = bounds.filter(({ ok }) => !ok).length
  const broken =
    violations.length > 0 ? [violations.length === 1 ? '1 violation' : `${violations.length} violations`] : []
  if (failed > 0) broken.push(`${failed} of ${bounds.length} bounds failed`)
  if (broken.length > 0) return broken.join(', ')
  return bounds.length === 0 ? 'nothing wrong was seen' : `all ${bounds.length} bounds hold`
}

function questionLines(scenario: Scenario): string[] {
  return wrapWords(scenario.question.split(/\s+/), WIDTH)
}

function violationLines(violations: readonly Violation[]): string[] {
  const shown = violations.slice(0, VIOLATIONS_SHOWN)
  const more = violations.length - shown.length
  const lines = shown.flatMap(({ kind, atSeconds, node, detail }) => {
    const where = node < 0 ? '' : ` node ${node}`
    return wrapWords(`${atSeconds.toFixed(6)} s${where} ${kind}: ${detail}`.split(' '), WIDTH - 2, 4).map(
      (line) => `  ${line}`,
    )
  })
  return [`violations${more > 0 ? ` (${shown.length} of ${violations.length})` : ''}`, ...lines]
}

function remarkLines(remarks: readonly string[]): string[] {
  return remarks.flatMap((one) => wrapWords(one.split(' '), WIDTH - 2, 2).map((line) => `  ${line}`))
}

function faultLines(faults: readonly FaultHits[]): string[] {
  const shown = faults.slice(0, FAULTS_SHOWN)
  const more = faults.length - shown.length
  const rows = shown.map(({ kind, atSeconds, nodes }) => [
    kind,
    `at ${formatNumber(atSeconds)} s`,
    `hit ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`,
  ])
  return [
    `faults${more > 0 ? ` (${shown.length} of ${faults.length})` : ''}`,
    ...tableLines(rows, ['left', 'right', 'left']),
  ]
}

function metricLines(metrics: Metrics): string[] {
  const shown = new Map(Object.entries(metrics).filter(([name]) => !HIDDEN.includes(name)))
  const drops = dropsOf(metrics[COUNTERS])
  if (drops !== undefined) shown.set('drops', drops)
  const lines: string[] = []
  for (const [title, entries] of groupMetrics(shown)) {
    lines.push('', title)
    const single = entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    const rows = single.map(([name, value]) => [name, formatNumber(value), unitOf(name)])
    lines.push(...tableLines(rows, ['left', 'right', 'left']))
    for (const [name, metric] of entries)
      if (typeof metric !== 'number') lines.push(...recordLines(name, metric))
  }
  return lines
}

/** The counters that say why something was thrown away. */
function dropsOf(counters: Metric | undefined): Record<string, number> | undefined {
  if (counters === undefined || typeof counters === 'number') return undefined
  const drops = Object.entries(counters).filter(([name, value]) => /^(drop|bound)/.test(name) && value > 0)
  return drops.length > 0 ? Object.fromEntries(drops) : undefined
}

function recordLines(name: string, record: Readonly<Record<string, number>>): string[] {
  const unit = unitOf(name)
  // A no-break space keeps a name and its number on one line.
  const parts = Object.entries(record).map(([part, value]) => `${part}\u00a0${formatNumber(value)}`)
  const head = `  ${name}${unit === '' ? '' : `\u00a0(${unit})`}`
  return wrapWords([head, '', ...parts], WIDTH, 6).map((line) => line.replaceAll('\u00a0', ' '))
}

function costLines(report: RunReport): string[] {
  const { simulatedSeconds, wallSeconds, messages, messagesPerSecond, peakRssBytes } = report
  const whole = (value: number): string => formatNumber(Math.round(value))
  const speed = wallSeconds > 0 ? simulatedSeconds / wallSeconds : 0
  const times = `${formatNumber(simulatedSeconds)} simulated s in ${formatNumber(wallSeconds)} s`
  const carried = `${formatNumber(messages)} messages (${whole(messagesPerSecond)}/s)`
  return [`${times} (${whole(speed)}× real time), ${carried}, ${whole(peakRssBytes / 1_048_576)} MiB`]
}

export interface SeedLine {
  readonly seed: number
  readonly repeat: string
  readonly what: string
}

export function seedsLines(
  scenario: Scenario,
  reports: readonly RunReport[],
  summary: Readonly<Record<string, MetricSummary>>,
  failing: readonly SeedLine[],
): string[] {
  const good = reports.length - failing.length
  const lines = [`${scenario.name}, ${reports.length} seeds: ${good} hold, ${failing.length} fail`]
  lines.push(...questionLines(scenario), ...seedBoundLines(reports, summary))
  const named = Object.entries(summary).filter(([name]) => !HIDDEN.includes(name.split('.')[0] as string))
  const rows: string[][] = [[...SUMMARY_HEAD, 'unit']]
  const titles = new Map<number, string>()
  for (const [title, entries] of groupMetrics(new Map(named))) {
    titles.set(rows.length, title)
    for (const [name, value] of entries) rows.push([...summaryCells(name, value), unitOf(name)])
  }
  const table = tableLines(rows, ['left', 'right', 'right', 'right', 'right', 'left'])
  for (const [index, line] of table.entries()) {
    const title = titles.get(index)
    if (index === 0 || title !== undefined) lines.push('')
    if (title !== undefined) lines.push(title)
    lines.push(line)
  }
  const remarks = new Set(reports.flatMap((report) => report.remarks))
  if (remarks.size > 0) lines.push('', 'remarks, of one seed or more', ...remarkLines([...remarks]))
  if (failing.length > 0) lines.push('', 'failing seeds')
  for (const { seed, what, repeat } of failing) {
    lines.push(
      ...wrapWords(`${seed}: ${what}`.split(' '), WIDTH - 2, 2).map((line) => `  ${line}`),
      `    ${repeat}`,
    )
  }
  return lines
}

const SUMMARY_HEAD = ['metric', 'mean', '95 % ±', 'min', 'max']

function summaryCells(name: string, { mean, confidence95, min, max }: MetricSummary): string[] {
  const half = confidence95 === undefined ? '' : formatNumber(confidence95)
  return [name, formatNumber(mean), half, formatNumber(min), formatNumber(max)]
}

/** For each bound how the seeds did, and in how many it held. */
function seedBoundLines(
  reports: readonly RunReport[],
  summary: Readonly<Record<string, MetricSummary>>,
): string[] {
  const bounds = reports[0]?.bounds ?? []
  if (bounds.length === 0) return []
  const rows = bounds.map(({ name, limit }, index) => {
    const held = reports.filter((report) => report.bounds[index]?.ok === true).length
    const value = summary[name]
    const cells = value === undefined ? [name, 'not measured', '', '', ''] : summaryCells(name, value)
    return [...cells, `${held} of ${reports.length}`, formatLimit(limit)]
  })
  const head = ['bound', ...SUMMARY_HEAD.slice(1), 'held', 'limit']
  return ['', ...tableLines([head, ...rows], ['left', 'right', 'right', 'right', 'right', 'right', 'left'])]
}

/** What went wrong in a run, in a few words. */
export function faultsOf({ bounds, violations }: RunReport): string {
  const failed = bounds.filter(({ ok }) => !ok).map(({ name, value }) => `${name} ${value ?? 'not measured'}`)
  const kinds = [...new Set(violations.map(({ kind }) => kind))]
  return [...kinds, ...failed].join(', ')
}

function withUnit(name: string, value: number): string {
  const unit = unitOf(name)
  return unit === '' ? formatNumber(value) : `${formatNumber(value)} ${unit}`
}
