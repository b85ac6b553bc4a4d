/** Extension 0xF002 of a Welcome: the salts of the branch (sec:C6, M11). current 32 | [previous 32]. */
import { concat, SALT_BYTES } from '../ids.ts'

export interface Salts {
  /** 32 bytes: the tokens of now. */
  readonly current: Uint8Array
  /** Its tokens stay registered for 30 s after a rotation; none in a branch that never rotated. */
  readonly previous: Uint8Array | undefined
}

export function encodeSalts({ current, previous }: Salts): Uint8Array {
  return previous === undefined ? current.slice() : concat(current, previous)
}

/** Copies; undefined for any other length. */
export function decodeSalts(given: Uint8Array): Salts | undefined {
  if (given.length !== SALT_BYTES && given.length !== 2 * SALT_BYTES) return undefined
  const previous = given.length === SALT_BYTES ? undefined : given.slice(SALT_BYTES)
  return { current: given.slice(0, SALT_BYTES), previous }
}
