/** What a page is called that simulates with this program. */
import { REPOSITORY, version } from '../program.ts'
import { codeOf } from '../sim/manifest.ts'

/** Digits of the code's hash: enough to tell the versions apart that anybody has open. */
const HASH_DIGITS = 8

/** Versions with one name give one run for one scenario and seed. */
export function versionName(peertap: string, codeHash: string): string {
  return `${peertap}-${codeHash.slice(0, HASH_DIGITS)}`
}

export function pageVersion(): string {
  return versionName(version(), codeOf(REPOSITORY).codeHash)
}
