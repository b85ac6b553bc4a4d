/**
 * From the text of a file to a scenario that can run, or to every mistake in it at once.
 */
import { UsageError } from '../../core/errors.ts'
import { type Scenario, scenarioSchema } from '../scenario.ts'
import { checkTogether } from './check.ts'
import { explain, type Mistake } from './explain.ts'
import { readJson } from './json.ts'
import { applySetting, type Setting } from './settings.ts'

/**
 * `source` is the name that messages begin with; `settings` are applied before anything is checked.
 * Throws UsageError with a line for each mistake.
 */
export function readScenario(text: string, source: string, settings: readonly Setting[] = []): Scenario {
  const json = readJson(text)
  if (!json.ok) {
    const { line, column, message } = json.mistake
    throw new UsageError(`${source}: line ${line}, column ${column}: ${message}`)
  }
  for (const setting of settings) applySetting(json.value, setting)
  return checkScenario(json.value, source, settings)
}

/** The same for a value that is no text any more. */
export function checkScenario(value: unknown, source: string, settings: readonly Setting[] = []): Scenario {
  const parsed = scenarioSchema.safeParse(value, { reportInput: true })
  const mistakes = parsed.success
    ? checkTogether(parsed.data)
    : explain(scenarioSchema, value, parsed.error.issues)
  if (mistakes.length > 0) {
    const lines = mistakes.map((mistake) => `${blamed(mistake, source, settings)}: ${mistake.message}`)
    throw new UsageError([...new Set(lines)].join('\n'))
  }
  return parsed.data as Scenario
}

/** A mistake at a place that was set on the command line is not the file's. */
function blamed(mistake: Mistake, source: string, settings: readonly Setting[]): string {
  const setting = settings.findLast(({ path }) => {
    const shorter = Math.min(path.length, mistake.path.length)
    return shorter > 0 && path.slice(0, shorter).every((step, index) => step === mistake.path[index])
  })
  return setting === undefined ? source : `--set ${setting.text}`
}
