/**
 * The layers of the tests, cheapest first. `npm test` (test/run.ts) runs them all;
 * `npm test -- --project unit test/unit/dice.test.ts` runs what is named.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * What was compiled once is kept, as the launcher of the program does: most of what a test file or a started
 * program does is loading, and takes a third of the time then.
 */
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/peertap-tests')

const SECOND_MILLIS = 1_000

/** The full budget is for hours of simulation; a test that needs more than this hangs. */
const TIMEOUT_FACTOR = process.env.PEERTAP_BUDGET === 'full' ? 60 : 1

/** The machines the project is sized for have two cores. */
const WORKERS = 2

interface Layer {
  readonly name: string
  readonly order: number
  readonly timeoutMillis: number
  readonly workers?: number
  /** Pure layers share one process for many files; the others get a fresh one each. */
  readonly isolate?: boolean
  /** Heap of a worker, for simulations of many nodes. */
  readonly heapMegabytes?: number
}

const LAYERS: readonly Layer[] = [
  { name: 'unit', order: 0, timeoutMillis: 20 * SECOND_MILLIS, isolate: false },
  { name: 'property', order: 0, timeoutMillis: 60 * SECOND_MILLIS, isolate: false },
  { name: 'contract', order: 0, timeoutMillis: 60 * SECOND_MILLIS, isolate: false },
  { name: 'sim', order: 1, timeoutMillis: 180 * SECOND_MILLIS, heapMegabytes: 8_000 },
  { name: 'browser', order: 2, timeoutMillis: 120 * SECOND_MILLIS, workers: 1 },
  // Last and alone: these measure real time on real interfaces.
  { name: 'system', order: 3, timeoutMillis: 120 * SECOND_MILLIS, workers: 1 },
]

function project(layer: Layer) {
  const timeout = layer.timeoutMillis * TIMEOUT_FACTOR
  return {
    extends: true as const,
    test: {
      name: layer.name,
      include: [`test/${layer.name}/**/*.test.ts`],
      sequence: { groupOrder: layer.order },
      testTimeout: timeout,
      hookTimeout: timeout,
      maxWorkers: layer.workers ?? WORKERS,
      isolate: layer.isolate ?? true,
      execArgv: layer.heapMegabytes ? [`--max-old-space-size=${layer.heapMegabytes}`] : [],
    },
  }
}

export default defineConfig({
  root,
  test: {
    pool: 'forks',
    passWithNoTests: true,
    // Node itself loads the sources, so tests run what users run and hot loops keep their speed.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    projects: LAYERS.map(project),
  },
})
