/**
 * MLS-Exporter (RFC 9420, section 8.5) from an epoch's exporter secret, for keys that are needed in the
 * middle of a step: a sender's group key, a channel key (sec:A1). Gives the same bytes as an `export` job.
 */
import { expand } from '@noble/hashes/hkdf.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import type { CHash } from '@noble/hashes/utils.js'
import { utf8 } from '../ids.ts'
import { Writer } from '../wire/cursor.ts'
import { SUITE, type Suite } from './engine.ts'
import { putVector, vectorBytes } from './framing.ts'

/** `length` bytes bound to label and context; the label is ASCII. */
export function exportSecret(
  suite: Suite,
  exporterSecret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const hash: CHash = suite === SUITE.x25519 ? sha256 : sha512
  const secret = expandWithLabel(hash, exporterSecret, label, NONE, hash.outputLen)
  const exported = expandWithLabel(hash, secret, 'exported', hash(context), length)
  secret.fill(0)
  return exported
}

const NONE = new Uint8Array(0)

/** RFC 9420, section 8: the KDFLabel is length 2 ‖ label ‖ context, the last two as vectors. */
function expandWithLabel(
  hash: CHash,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const text = utf8(`MLS 1.0 ${label}`)
  const info = new Writer(2 + vectorBytes(text.length) + vectorBytes(context.length))
  info.u16(length)
  putVector(info, text)
  putVector(info, context)
  return expand(hash, secret, info.bytes, length)
}
