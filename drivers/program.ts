/** This program: where it lies, and which version it is. Knows nothing of what it does. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds `package.json`. */
export const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))

/** PeerTap's own version. */
export function version(): string {
  const text = readFileSync(join(REPOSITORY, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
