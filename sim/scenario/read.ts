/**
 * From the text of a file to a scenario that can run, or to every mistake in it at once.
 */
import { UsageError } from '../../core/errors.ts'
import { type Scenario, scenarioSchema } from '../scenario.ts'
import { checkTogether } from './check.ts'
import { explain } from './explain.ts'
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
    const lines = mistakes.map(({ path, message, others }) => {
      return `${blamed([path, ...(others ?? [])], source, settings)}: ${message}`
    })
    throw new UsageError([...new Set(lines)].join('\n'))
  }
  return parsed.data as Scenario
}

/**
 * Who is to blame for what stands at the first of `paths`, as messages begin: `--set seconds=5` where that
 * was set on the command line, or else one of the other places; the file if none was.
 */
export function blamed(
  paths: readonly (readonly PropertyKey[])[],
  source: string,
  settings: readonly Setting[],
): string {
  for (const path of paths) {
    const setting = settings.findLast((one) => concerns(one.path, path))
    if (setting !== undefined) return `--set ${setting.text}`
  }
  return source
}

/** Whether a setting changed what stands at a path: that place, one around it, a part of it, its kind. */
function concerns(setting: readonly PropertyKey[], path: readonly PropertyKey[]): boolean {
  const whole = setting.at(-1) === 'kind' ? setting.slice(0, -1) : setting
  const shorter = Math.min(whole.length, path.length)
  return shorter > 0 && path.slice(0, shorter).every((step, index) => step === whole[index])
}
