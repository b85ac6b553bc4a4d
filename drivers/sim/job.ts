/**
 * One run as a driver sees it: a scenario, a seed and where data lies go in; results with wall time and
 * memory come out. It runs in whatever thread or process calls it and knows of no other.
 */
import { setFlagsFromString } from 'node:v8'
import { UsageError } from '../../core/errors.ts'
import {
  Live,
  type Progress,
  Recorder,
  Run,
  type RunOptions,
  type RunReport,
  type RunResult,
  type Scenario,
} from '../../sim/index.ts'
import { chooseCrypto } from '../crypto/provider.ts'
import { EngineThreads } from '../mls/engines.ts'
import { DiskData } from './data-files.ts'
import { RecordingFile, type RecordingOrder } from './recording-file.ts'

/** Plain data: it crosses threads and processes. */
export interface Job {
  readonly scenario: Scenario
  readonly seed: number
  readonly dataDirectory: string
  readonly dither: boolean
  readonly record?: RecordingOrder | undefined
}

// By itself V8 marks the whole heap for each 64 MB that arrays outside it have grown, which is all the time
// once a hundred thousand nodes have tables: a third more time at 20,000 nodes, and no end at 100,000.
setFlagsFromString('--external-memory-accounted-in-global-limit')

/** Told no more often than this, so that a fast run does not spend its time on telling. */
const PROGRESS_MILLIS = 200

/** Threads for MLS, the same for all runs of this thread. */
let threads: EngineThreads | undefined

function engines(): EngineThreads {
  threads ??= new EngineThreads()
  return threads
}

/** Runs to the end. Throws what the simulation throws. */
export function runJob(job: Job, onProgress: (progress: Progress) => void): RunReport {
  const started = performance.now()
  const result =
    job.record === undefined ? runPlain(job, onProgress) : runRecorded(job, job.record, onProgress)
  const wallSeconds = (performance.now() - started) / 1_000
  return {
    ...result,
    wallSeconds,
    messagesPerSecond: wallSeconds > 0 ? result.messages / wallSeconds : 0,
    // Node reports KiB on every platform.
    peakRssBytes: process.resourceUsage().maxRSS * 1_024,
  }
}

function runPlain(job: Job, onProgress: (progress: Progress) => void): RunResult {
  const run = createRun(job, onProgress)
  while (!run.done) advance(run, Number.POSITIVE_INFINITY)
  return run.result()
}

/** The same run: who records only looks. */
function runRecorded(job: Job, order: RecordingOrder, onProgress: (progress: Progress) => void): RunResult {
  const sink = new RecordingFile(order.path)
  try {
    const recorder = new Recorder(job.scenario, optionsOf(job, onProgress), { ...order, sink })
    while (!recorder.run.done) recorder.step()
    return recorder.finish()
  } finally {
    sink.close()
  }
}

/** A step of a run. Its input was checked when it was made, so a wrong call in here is a fault of ours. */
export function advance(run: Run, untilSeconds: number): void {
  try {
    run.step(untilSeconds)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const fault = new Error(error.message, { cause: error })
    if (error.stack !== undefined) fault.stack = error.stack
    throw fault
  }
}

/** A run at its start, which tells its progress at a bearable pace. */
export function createRun(job: Job, onProgress: (progress: Progress) => void): Run {
  return new Run(job.scenario, optionsOf(job, onProgress))
}

/** A run at its start with people at its machines. */
export function createLive(job: Job): Live {
  return new Live(
    job.scenario,
    optionsOf(job, () => undefined),
  )
}

function optionsOf(job: Job, onProgress: (progress: Progress) => void): RunOptions {
  let told = performance.now()
  return {
    seed: job.seed,
    data: new DiskData(job.dataDirectory),
    dither: job.dither,
    // Whichever it is, the run is the same.
    realCrypto: job.scenario.crypto === 'real' ? chooseCrypto().crypto : undefined,
    mlsEngines: job.scenario.mls === 'tsmls' ? engines() : undefined,
    onProgress: (progress) => {
      const now = performance.now()
      if (now - told >= PROGRESS_MILLIS) {
        told = now
        onProgress(progress)
      }
      return true
    },
  }
}
