/**
 * Every key of sealing and where it comes from (sec:A1, A8, A9). Pure functions over the ports: no state,
 * no packets. `leaf` is always the 32-byte leaf key, not the leaf's index. Vectors: test/vectors/seal.json.
 */
import type { Crypto, Kdf } from '../crypto/ports.ts'
import { assert } from '../errors.ts'
import { concat, utf8 } from '../ids.ts'
import { readU32 } from '../wire/cursor.ts'

/** MLS-Exporter of one epoch (RFC 9420, section 8.5): `length` bytes bound to label and context. */
export type Exporter = (label: string, context: Uint8Array, length: number) => Uint8Array

/** What packets are sealed under, and how receivers find it. */
export interface DataKey {
  /** 32 bytes of AES-256-GCM. */
  readonly key: Uint8Array
  /** The first half of each nonce, never 0: that is the channel keys'. */
  readonly index: number
  /** 16 bytes that GCM itself does not give: what a signature binds the key by (sec:S5). */
  readonly commitment: Uint8Array
}

export const BOOT_BYTES = 16
const KEY_BYTES = 32
export const COMMITMENT_BYTES = 16
const INDEX_BYTES = 4
const DATA_KEY_BYTES = KEY_BYTES + INDEX_BYTES + COMMITMENT_BYTES

const MASK = 'peertap mask'
const UNICAST = 'peertap unicast'
const CARD = 'peertap card'
const GROUP_KEY = 'peertap group key'
const INIT_INFO = utf8('init')
const SESSION_INFO = utf8('session')
const SESSION_SALT = utf8('peertap session v1')
const NEXT_BOOT = utf8('peertap next boot v1\0')
const NO_CONTEXT = new Uint8Array(0)

/** 32 bytes: the key of the block cipher that masks nonces. */
export function maskKey(exporter: Exporter): Uint8Array {
  return exported(exporter, MASK, NO_CONTEXT, KEY_BYTES)
}

/** 32 bytes that are mixed into every session of the epoch: an outsider to it opens none. */
export function unicastSecret(exporter: Exporter): Uint8Array {
  return exported(exporter, UNICAST, NO_CONTEXT, KEY_BYTES)
}

/** 32 bytes: the channel key of a token. */
export function channelKey(exporter: Exporter, token: Uint8Array): Uint8Array {
  return exported(exporter, CARD, token, KEY_BYTES)
}

/** What the member with this leaf key seals group frames under, as long as this boot is its own. */
export function groupKey(exporter: Exporter, leafKey: Uint8Array, boot: Uint8Array): DataKey {
  return splitKey(exported(exporter, GROUP_KEY, concat(leafKey, boot), DATA_KEY_BYTES))
}

/**
 * The boot after this one when a group key is used up (sec:A10), 16 bytes. Beyond that text, which draws it
 * and tells it by card: a card proves nothing to whoever doubts the sender's clock, so each change, one in
 * half an hour, would cost every such receiver a challenge and the frames until it is answered. Derived,
 * the next boot is known to all who know this one, and its key is in their tables before it is used. Starts
 * and jumps of the clock still draw one: only a draw helps against a copy of this process.
 */
export function nextBoot(crypto: Crypto, boot: Uint8Array): Uint8Array {
  return crypto.hash.hash16(concat(NEXT_BOOT, boot))
}

/** 32 bytes: the key of an INIT's box (sec:A8), used once, with nonce 0. */
export function initKey(
  kdf: Kdf,
  unicast: Uint8Array,
  shared: Uint8Array,
  ephemeral: Uint8Array,
  frameKey: Uint8Array,
): Uint8Array {
  const pseudorandomKey = kdf.extract(unicast, shared)
  const key = kdf.expand(pseudorandomKey, concat(INIT_INFO, ephemeral, frameKey), KEY_BYTES)
  pseudorandomKey.fill(0)
  return key
}

/** 32 bytes from which a session's key of every epoch comes (sec:A9). `body` is what the INIT signed. */
export function sessionRoot(crypto: Crypto, shared: Uint8Array, body: Uint8Array): Uint8Array {
  const keyMaterial = concat(shared, crypto.hash.hash32(body))
  const root = crypto.kdf.extract(SESSION_SALT, keyMaterial)
  keyMaterial.fill(0)
  return root
}

/** A session's key in one epoch (sec:A9): a new epoch costs one HKDF and no signature. */
export function sessionKey(kdf: Kdf, unicast: Uint8Array, root: Uint8Array, mlsId: Uint8Array): DataKey {
  const pseudorandomKey = kdf.extract(unicast, root)
  const key = splitKey(kdf.expand(pseudorandomKey, concat(SESSION_INFO, mlsId), DATA_KEY_BYTES))
  pseudorandomKey.fill(0)
  return key
}

/** 52 bytes into key 32 | index 4 | commitment 16, index 0 read as 1 (sec:A1). The bytes are taken over. */
export function splitKey(bytes: Uint8Array): DataKey {
  assert(bytes.length === DATA_KEY_BYTES, `a data key of ${bytes.length} bytes`)
  return {
    key: bytes.subarray(0, KEY_BYTES),
    index: readU32(bytes, KEY_BYTES) || 1,
    commitment: bytes.subarray(KEY_BYTES + INDEX_BYTES),
  }
}

function exported(exporter: Exporter, label: string, context: Uint8Array, length: number): Uint8Array {
  const bytes = exporter(label, context, length)
  assert(
    bytes.length === length,
    `the exporter gave ${bytes.length} bytes for '${label}' instead of ${length}`,
  )
  return bytes
}
