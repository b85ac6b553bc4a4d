/**
 * The envelope of a stored state: version 1 ‖ engine 1 ‖ suite 1 ‖ body ‖ checksum 16. The checksum tells
 * bytes that changed on a disk from a state; it is no protection against somebody who writes there.
 */
import type { Hash } from '../crypto/ports.ts'
import { concat, sameBytes } from '../ids.ts'
import { SUITE, type Suite } from './engine.ts'
import { TREE_BYTES_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'

const VERSION = 1
const HEAD_BYTES = 3
const CHECKSUM_BYTES = 16

/** Who wrote the body: an engine reads only its own. */
export const STORED_BY = { tsMls: 1, standIn: 2 } as const
export type StoredBy = (typeof STORED_BY)[keyof typeof STORED_BY]

export type Opened =
  | { readonly ok: true; readonly suite: Suite /** A view. */; readonly body: Uint8Array }
  | { readonly ok: false; readonly why: MlsRefusal }

export function sealStored(hash: Hash, by: StoredBy, suite: Suite, body: Uint8Array): Uint8Array {
  const whole = concat(Uint8Array.of(VERSION, by, suite), body)
  return concat(whole, hash.hash16(whole))
}

export function openStored(hash: Hash, by: StoredBy, stored: Uint8Array): Opened {
  if (stored.length > TREE_BYTES_MAX) return { ok: false, why: MLS_REFUSAL.tooLarge }
  const end = stored.length - CHECKSUM_BYTES
  const [version, writer, suite] = stored
  const known = suite === SUITE.x25519 || suite === SUITE.xwing
  if (end < HEAD_BYTES || version !== VERSION || writer !== by || !known) {
    return { ok: false, why: MLS_REFUSAL.undecodable }
  }
  if (!sameBytes(hash.hash16(stored.subarray(0, end)), stored.subarray(end))) {
    return { ok: false, why: MLS_REFUSAL.undecodable }
  }
  return { ok: true, suite, body: stored.subarray(HEAD_BYTES, end) }
}
