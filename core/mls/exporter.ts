/**
 * MLS-Exporter (RFC 9420, section 8.5) from an epoch's exporter secret, for keys that are needed in the
 * middle of a step: a sender's group key, a channel key (sec:A1). Gives the same bytes as an `export` job,
 * or, where a simulation stands in for HKDF, bytes that are as good between its own members.
 */
import { expand } from '@noble/hashes/hkdf.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import type { CHash } from '@noble/hashes/utils.js'
import type { Kdf } from '../crypto/ports.ts'
import { assert } from '../errors.ts'
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
  const exporter = new EpochExporter(HKDF, suite, exporterSecret.slice())
  const exported = exporter.export(label, context, length)
  exporter.erase()
  return exported
}

/** In plain JavaScript, where nothing is injected. */
const HKDF: Pick<Kdf, 'expand'> = { expand: (key, info, length) => expand(sha256, key, info, length) }

/**
 * The exporter of an epoch that is in use. A group of N members asks it for N keys of one label, so the
 * secret of each label is derived once and kept until `erase`. Labels are few: the callers' constants.
 */
export class EpochExporter {
  readonly #hash: CHash
  readonly #expand: Kdf['expand']
  readonly #secret: Uint8Array
  readonly #ofLabel = new Map<string, Uint8Array>()
  #isErased = false

  /** `exporterSecret` is taken over. */
  constructor(kdf: Pick<Kdf, 'expand'>, suite: Suite, exporterSecret: Uint8Array) {
    this.#secret = exporterSecret
    if (suite === SUITE.x25519) {
      this.#hash = sha256
      this.#expand = (key, info, length) => kdf.expand(key, info, length)
    } else {
      this.#hash = sha512
      this.#expand = (key, info, length) => expand(sha512, key, info, length)
    }
  }

  /** `length` bytes bound to label and context; the label is ASCII. An InvariantError once it is erased. */
  export(label: string, context: Uint8Array, length: number): Uint8Array {
    assert(!this.#isErased, 'a key of an epoch that is erased')
    const hash = this.#hash
    let secret = this.#ofLabel.get(label)
    if (secret === undefined) {
      secret = this.#expand(this.#secret, kdfLabel(label, NONE, hash.outputLen), hash.outputLen)
      this.#ofLabel.set(label, secret)
    }
    return this.#expand(secret, kdfLabel('exported', hash(context), length), length)
  }

  /** Zeroes all that keys can be derived from. */
  erase(): void {
    this.#isErased = true
    this.#secret.fill(0)
    for (const secret of this.#ofLabel.values()) secret.fill(0)
    this.#ofLabel.clear()
  }
}

const NONE = new Uint8Array(0)

/** RFC 9420, section 8: the KDFLabel is length 2 ‖ label ‖ context, the last two as vectors. */
function kdfLabel(label: string, context: Uint8Array, length: number): Uint8Array {
  const text = utf8(`MLS 1.0 ${label}`)
  const info = new Writer(2 + vectorBytes(text.length) + vectorBytes(context.length))
  info.u16(length)
  putVector(info, text)
  putVector(info, context)
  return info.bytes
}
