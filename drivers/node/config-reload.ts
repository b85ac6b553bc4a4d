/**
 * What a running node can take on of a configuration that changed, by the marks in the schema.
 */
import { type JsonSchema, pathText } from '../../sim/reading.ts'
import { type Config, contactsOf, publishedConfigSchema } from './config.ts'

export interface Reload {
  /** Paths of all that differs, such as `log.level`; lists are compared whole. */
  readonly changed: readonly string[]
  /** What takes effect only when the node starts anew. */
  readonly needRestart: readonly string[]
}

export function reloadable(before: Config, after: Config): Reload {
  const changed: string[] = []
  const needRestart: string[] = []
  const compare = (schema: JsonSchema, path: readonly string[], marked: boolean, a: unknown, b: unknown) => {
    const mayReload = (schema as { 'x-reloadable'?: boolean })['x-reloadable'] ?? marked
    const properties = Object.entries(schema.properties ?? {})
    if (properties.length > 0 && isObject(a) && isObject(b)) {
      for (const [key, part] of properties) compare(part, [...path, key], mayReload, a[key], b[key])
    } else if (JSON.stringify(a) !== JSON.stringify(b)) {
      changed.push(pathText(path))
      if (!mayReload) needRestart.push(pathText(path))
    }
  }
  compare(publishedConfigSchema(), [], false, before, after)
  // The core takes contacts on while it runs, and never gives one up (core/mesh/dialler.ts).
  if (dropsContacts(before, after)) needRestart.push('bootstrap')
  return { changed, needRestart }
}

function dropsContacts(before: Config, after: Config): boolean {
  const named = new Set(contactsOf(after).map(({ peer }) => peer))
  return contactsOf(before).some(({ peer }) => !named.has(peer))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
