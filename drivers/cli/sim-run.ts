/**
 * `peertap sim run`: one scenario with one seed or with many, its bounds, its figures.
 */

import { UsageError } from '../../core/errors.ts'
import { MARKS_MAX, type Manifest, type RunReport } from '../../sim/index.ts'
import { manifestOf } from '../sim/manifest.ts'
import { type Output, takeOutput } from '../sim/output.ts'
import { type Outcome, runAll } from '../sim/pool.ts'
import { checkRecordingPlace, type RecordingOrder } from '../sim/recording-file.ts'
import { summariseRuns } from '../sim/summary.ts'
import { versionName } from '../view/version.ts'
import { EXIT, type ExitCode, errorOf, reportError } from './exit.ts'
import type { Given, Verb } from './flags.ts'
import { beforeSignals } from './interrupted.ts'
import { progressStyle, showProgress } from './progress.ts'
import { viewLine } from './repeat.ts'
import { faultsOf, runLines, type SeedLine, seedsLines } from './report.ts'
import {
  PROGRESS_FLAGS,
  type Request,
  readRequest,
  SCENARIO_ARGUMENT,
  SCENARIO_FLAGS,
  seedOf,
  textOf,
} from './sim-request.ts'

/** More seeds than this in one call are a job for a cluster. */
const SEEDS_MAX = 100_000

export const simRun: Verb = {
  words: ['sim', 'run'],
  describe: 'Run a scenario and judge its bounds',
  arguments: [SCENARIO_ARGUMENT],
  flags: {
    ...SCENARIO_FLAGS,
    ...PROGRESS_FLAGS,
    seeds: { kind: 'text', describe: 'Instead of one seed: run seeds 1 to this on all cores, and compare' },
    out: { kind: 'text', describe: 'Write result.json, scenario.json and manifest.json into this directory' },
    record: { kind: 'text', describe: 'Record the run into this file, for peertap view FILE' },
    mark: {
      kind: 'text',
      describe: `With --record: nodes whose tables are recorded, at most ${MARKS_MAX}: 0,5-7`,
    },
    view: { kind: 'switch', describe: 'Show the run in the browser afterwards (peertap view)' },
    force: { kind: 'switch', describe: 'Let --out and --record write where something else is' },
  },
  examples: [
    ['peertap sim run steady-16', 'a scenario that comes with PeerTap'],
    ['peertap sim run steady-16 --seeds 20', 'twenty seeds with confidence intervals'],
    ['peertap sim run root-crash --record run.ptrec', 'to look at it later: peertap view run.ptrec'],
    ['peertap sim run my.json --set nodes.count=100', 'one thing changed'],
  ],
  run,
}

async function run(given: Given): Promise<ExitCode> {
  const count = given.whole('seeds', 1, SEEDS_MAX)
  if (count !== undefined && given.text('seed') !== undefined) {
    throw new UsageError('--seed and --seeds exclude each other; give one of them')
  }
  if (given.on('view') && (count !== undefined || given.on('json')))
    throw new UsageError('--view shows one run to people; leave out --seeds and --json, or leave out --view')
  const seeds = count === undefined ? [seedOf(given)] : Array.from({ length: count }, (_, index) => index + 1)
  const request = readRequest(given, 'sim run')
  const { scenario, directory, dither, flags } = request
  const manifest = manifestOf({ scenario, seeds, dither, flags, dataDirectory: directory })
  const record = recordingOf(given, request, manifest, count)
  const out = given.text('out')
  const output = out === undefined ? undefined : takeOutput(out, manifest, given.on('force'))
  const finished: RunReport[] = []
  const stopListening = beforeSignals(() => {
    if (output === undefined) return
    if (count !== undefined && finished.length > 0) saveFinished(output, request, finished, manifest)
    output.release()
  })
  try {
    const outcomes = await runSeeds(request, seeds, given, finished, record)
    const reports = reportsOf(request, outcomes)
    const result =
      count === undefined
        ? seedResult(request, reports[0] as RunReport, manifest)
        : seedsResult(request, reports, manifest)
    if (given.on('json')) console.log(JSON.stringify(result))
    else console.log(humanLines(request, reports, count !== undefined, record).join('\n'))
    try {
      // After the words: a disk that filled up in the meantime must not cost the results as well.
      output?.write(scenario, manifest, result)
    } catch (error) {
      // In words, even under --json: its one object is printed.
      return reportError(error)
    }
    if (given.on('view')) {
      const { viewRecording, viewRequest } = await import('./view.ts')
      if (record === undefined) await viewRequest(request, seeds[0] as number)
      else await viewRecording(record.path)
    }
    return reports.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed
  } finally {
    stopListening()
    output?.release()
  }
}

/** What `--record` asks for. */
function recordingOf(
  given: Given,
  request: Request,
  manifest: Manifest,
  seeds: number | undefined,
): RecordingOrder | undefined {
  const path = given.text('record')
  const mark = given.text('mark')
  if (path === undefined) {
    if (mark === undefined) return undefined
    throw new UsageError('--mark is for recordings; name their file with --record')
  }
  if (seeds !== undefined) throw new UsageError('--record keeps one run; leave out --seeds, or --record')
  const marks = mark === undefined ? [] : marksOf(mark, request.scenario.nodes.count)
  checkRecordingPlace(path, given.on('force'))
  const version = versionName(manifest.peertap, manifest.codeHash)
  return { path, text: textOf(request), version, marks }
}

/** `0,5-7`: each once, ascending. */
function marksOf(text: string, nodes: number): number[] {
  const marks = new Set<number>()
  for (const part of text.split(',')) {
    const [, from = '', to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? []
    if (from === '' || Number(to) >= nodes || Number(from) > Number(to)) {
      throw new UsageError(
        `--mark ${text}: "${part}" is no node; they are numbered from 0 to ${nodes - 1}; write --mark 0,5-7`,
      )
    }
    for (let node = Number(from); node <= Number(to) && marks.size <= MARKS_MAX; node++) marks.add(node)
  }
  if (marks.size <= MARKS_MAX) return [...marks].sort((a, b) => a - b)
  throw new UsageError(`--mark ${text}: these are more than ${MARKS_MAX} nodes; mark fewer`)
}

/** Hours of work must not be lost because the last seed was one too many. */
function saveFinished(
  output: Output,
  request: Request,
  finished: readonly RunReport[],
  manifest: Manifest,
): void {
  const reports = finished.toSorted((a, b) => a.seed - b.seed)
  const partial = { ...manifest, seeds: reports.map(({ seed }) => seed) }
  output.write(request.scenario, partial, seedsResult(request, reports, partial))
  console.error(`interrupted; written: the results of ${reports.length} of ${manifest.seeds.length} seeds`)
}

/** Those that end well are put into `finished` as they do. */
async function runSeeds(
  request: Request,
  seeds: readonly number[],
  given: Given,
  finished: RunReport[],
  record: RecordingOrder | undefined,
): Promise<Outcome[]> {
  const { scenario, directory, dither } = request
  const title = seeds.length === 1 ? `${scenario.name}, seed ${seeds[0]}` : scenario.name
  const display = showProgress(progressStyle(given.on('quiet')), title, seeds.length)
  const jobs = seeds.map((seed) => ({ scenario, seed, dataDirectory: directory, dither, record }))
  try {
    return await runAll(jobs, {
      progress: (seed, progress) => display.update(seed, progress),
      finished: (outcome) => {
        if ('report' in outcome) finished.push(outcome.report)
        display.finished(outcome.seed)
      },
    })
  } finally {
    display.end()
  }
}

/** All reports; throws the first failure, ours before the user's, since it must not get lost. */
function reportsOf({ repeat, source }: Request, outcomes: readonly Outcome[]): RunReport[] {
  const failed = outcomes.flatMap((outcome) => ('failure' in outcome ? [outcome] : []))
  const first = failed.find(({ failure }) => !failure.usage) ?? failed[0]
  if (first?.failure.usage === true) throw new UsageError(`${source}: ${first.failure.message}`)
  if (first !== undefined) throw errorOf(first.failure, repeat(first.seed))
  return outcomes.flatMap((outcome) => ('report' in outcome ? [outcome.report] : []))
}

/** What --json prints for one seed. */
function seedResult({ repeat }: Request, report: RunReport, manifest: Manifest): object {
  return { ...report, repeat: repeat(report.seed), manifest }
}

/** What --json prints for many seeds. */
function seedsResult(
  { scenario, repeat }: Request,
  reports: readonly RunReport[],
  manifest: Manifest,
): object {
  const failingSeeds = reports.filter(({ ok }) => !ok).map(({ seed }) => seed)
  return {
    scenario: scenario.name,
    ok: failingSeeds.length === 0,
    failingSeeds,
    repeat: failingSeeds.map(repeat),
    summary: summariseRuns(reports),
    seeds: reports,
    manifest,
  }
}

function humanLines(
  { scenario, repeat, view }: Request,
  reports: readonly RunReport[],
  many: boolean,
  record: RecordingOrder | undefined,
): string[] {
  if (!many) {
    const report = reports[0] as RunReport
    const shows = record === undefined ? view(report.seed) : viewLine(record.path)
    return [...runLines(scenario, report, repeat(report.seed)), `view    ${shows}`]
  }
  const failing = reports
    .filter(({ ok }) => !ok)
    .map((report): SeedLine => ({ seed: report.seed, what: faultsOf(report), repeat: repeat(report.seed) }))
  return seedsLines(scenario, reports, summariseRuns(reports), failing)
}
