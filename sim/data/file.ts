/**
 * Data files as scenarios name them: what is wrong with one is said with the key and where the file lies.
 */
import type { DataFiles } from '../results.ts'

/** `key`: the one in the scenario that names the file. Throws what `read` throws. */
export function readFile<T>(
  data: DataFiles,
  key: string,
  name: string,
  read: (text: string, source: string) => T,
): T {
  return read(data.text(name), `${key}: ${data.placeOf?.(name) ?? name}`)
}
