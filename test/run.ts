/**
 * `npm test`: runs every layer this machine allows, then says what was left out and how to mend it,
 * and ends with one line of totals. Arguments go to vitest: `npm test -- --project unit`.
 *
 *   PEERTAP_REQUIRE=all   whatever is left out is a failure
 *   PEERTAP_BUDGET=full   the long runs
 *   PEERTAP_DATAGRAMS=on  real nodes have datagrams beside their streams, where a test does not say; or off
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { budget, type Gap, REPOSITORY, recordedGaps } from './support/requirements.ts'

interface Totals {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** The part of vitest's JSON report that is used here. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly success: boolean
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

const scratch = mkdtempSync(join(tmpdir(), 'peertap-test-'))
try {
  process.exitCode = main(join(scratch, 'report.json'), join(scratch, 'gaps.jsonl'))
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

function main(reportFile: string, gapsFile: string): number {
  console.log(`Node ${process.version}, budget ${budget}`)
  const status = runVitest(reportFile, gapsFile)
  const totals = countTests(reportFile, status)
  const gaps = recordedGaps(gapsFile)
  printGaps(gaps)
  const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''
  console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`)
  const gapFails = gaps.length > 0 && process.env.PEERTAP_REQUIRE === 'all'
  return status !== 0 || totals.failed > 0 || totals.passed === 0 || gapFails ? 1 : 0
}

function runVitest(reportFile: string, gapsFile: string): number {
  const vitest = join(REPOSITORY, 'node_modules/vitest/vitest.mjs')
  const options = ['--config', '.config/vitest.config.ts', '--reporter=default', '--reporter=json']
  const result = spawnSync(
    process.execPath,
    [vitest, 'run', ...options, `--outputFile.json=${reportFile}`, ...process.argv.slice(2)],
    { cwd: REPOSITORY, stdio: 'inherit', env: { ...process.env, PEERTAP_GAPS: gapsFile } },
  )
  if (result.error) throw result.error
  return result.status ?? 1
}

/** A file that could not be loaded, or an error outside of any test, counts as one failed test. */
function countTests(reportFile: string, status: number): Totals {
  if (!existsSync(reportFile)) return { passed: 0, failed: status === 0 ? 0 : 1, skipped: 0 }
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as Report
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = report.numFailedTests + brokenFiles.length
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function printGaps(gaps: readonly Gap[]): void {
  if (gaps.length === 0) return
  console.log('\nLeft out, because this machine lacks:')
  for (const gap of gaps) console.log(`  ${gap.what}\n    to mend: ${gap.mend}`)
  console.log()
}
