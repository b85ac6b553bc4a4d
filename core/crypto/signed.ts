/**
 * What a signature is over: never a bare body, always "peertap " ‖ name ‖ " v1" ‖ 0x00 ‖ body, so that
 * nothing signed for one purpose can be shown for another (sec:S20). Names are short ASCII words; none
 * contains the zero byte that ends them, so two names never give the same bytes.
 */
import { assert } from '../errors.ts'
import { utf8 } from '../ids.ts'
import { Scratch } from '../wire/slab.ts'
import { SIGNATURE_BYTES, type Signatures } from './ports.ts'

/** The bytes before the body, by name: made once, then only copied. */
const prefixes = new Map<string, Uint8Array>()
/** Names are literals of the source, so this bound is only a guard against one made up at run time. */
const NAMES_MAX = 64
/** Room for the bodies of control messages; longer ones get bytes of their own. */
const scratch = new Scratch(1_024)

function prefixOf(name: string): Uint8Array {
  const known = prefixes.get(name)
  if (known !== undefined) return known
  assert(/^[a-z][a-z ]*$/i.test(name), `the name of a signed thing is '${name}', not words of ASCII letters`)
  assert(prefixes.size < NAMES_MAX, `more than ${NAMES_MAX} names of signed things`)
  const prefix = utf8(`peertap ${name} v1\0`)
  prefixes.set(name, prefix)
  return prefix
}

/** The bytes that a signature named `name` over `body` covers: good until the next call. */
export function signedBytes(name: string, body: Uint8Array): Uint8Array {
  const prefix = prefixOf(name)
  const whole = scratch.take(prefix.length + body.length)
  whole.set(prefix, 0)
  whole.set(body, prefix.length)
  return whole
}

/** `sign(K, name, body)` of the security protocol: 64 bytes by the 32-byte seed. */
export function signNamed(
  signatures: Signatures,
  seed: Uint8Array,
  name: string,
  body: Uint8Array,
): Uint8Array {
  return signatures.sign(seed, signedBytes(name, body))
}

/** True if `signature` is one of `publicKey` over `body` under this name; never throws. */
export function verifyNamed(
  signatures: Signatures,
  publicKey: Uint8Array,
  name: string,
  body: Uint8Array,
  signature: Uint8Array,
): boolean {
  // Asked here too, so that no provider's view of a short signature matters and no bytes are joined for it.
  if (signature.length !== SIGNATURE_BYTES) return false
  return signatures.verify(publicKey, signedBytes(name, body), signature)
}
