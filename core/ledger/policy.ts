/**
 * The authority of a VLAN: one key, or m keys of n (sec:C1, S9). It knows keys and signatures and nothing
 * of what is signed.
 *
 *     policy    0x01 | key 32                   or  0x02 | m 1 | n 1 | n keys, strictly ascending
 *     approval  0x01 | signature 64             or  0x02 | m 1 | m pairs of (index 1, signature 64)
 *
 * An approval has exactly m signatures with ascending indices, so no signer counts twice. Signers of an
 * m-of-n policy sit at different machines: each makes a `part`, and whoever collects them joins the parts.
 */
import { type Hash, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type Signatures } from '../crypto/ports.ts'
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { UsageError } from '../errors.ts'
import { AUTHORITY_KEYS_MAX, authorityKey, hex, sameBytes } from '../ids.ts'
import type { Reader } from '../wire/cursor.ts'
import { encode, fixed, list, type Schema, struct, u8 } from '../wire/schema.ts'
import { isAscending, key, sortedSet } from './fields.ts'
import type { Policy } from './shapes.ts'

/** The type byte travels wherever a policy or an approval does. */
const ONE = 1
const SEVERAL = 2

export type { Policy } from './shapes.ts'

/** One signature of several, with the place of its key in the policy. */
export interface Part {
  readonly index: number
  readonly signature: Uint8Array
}

/** What the authority, or an admin (always of kind `one`), puts under a fact. */
export type Approval =
  | { readonly kind: 'one'; readonly signature: Uint8Array }
  | { readonly kind: 'several'; readonly parts: readonly Part[] }

export type ApprovalVerdict = 'valid' | 'wrongSigners' | 'badSignature'

const signature = fixed(SIGNATURE_BYTES)
const parts = list(struct({ index: u8, signature }), AUTHORITY_KEYS_MAX)

/** 33 bytes, or 3 + 32 n. */
export const policy: Schema<Policy> = {
  size: (value) => 1 + PUBLIC_KEY_BYTES * (value.kind === 'one' ? 1 : value.keys.length) + extra(value),
  write: (to, value) => {
    if (value.kind === 'one') {
      to.u8(ONE)
      key.write(to, value.key)
      return
    }
    to.u8(SEVERAL)
    to.u8(value.needed)
    to.u8(value.keys.length)
    for (const each of value.keys) key.write(to, each)
  },
  read: (from) => {
    const type = from.u8()
    if (type === ONE) return { kind: 'one', key: key.read(from) }
    if (type !== SEVERAL) from.fail()
    return readSeveral(from)
  },
}

function extra(value: Policy): number {
  return value.kind === 'one' ? 0 : 2
}

function readSeveral(from: Reader): Policy {
  const needed = from.u8()
  const count = from.u8()
  if (needed < 1 || needed > count || count > AUTHORITY_KEYS_MAX) from.fail()
  const keys: Uint8Array[] = []
  for (let index = 0; index < count && !from.failed; index++) keys.push(key.read(from))
  if (!isAscending(keys)) from.fail()
  return { kind: 'several', needed, keys }
}

/** 65 bytes, or 2 + 65 m. Whether the signers fit the policy is for `checkApproval`. */
export const approval: Schema<Approval> = {
  size: (value) => 1 + (value.kind === 'one' ? signature.size(value.signature) : parts.size(value.parts)),
  write: (to, value) => {
    to.u8(value.kind === 'one' ? ONE : SEVERAL)
    if (value.kind === 'one') signature.write(to, value.signature)
    else parts.write(to, value.parts)
  },
  read: (from) => {
    const type = from.u8()
    if (type === ONE) return { kind: 'one', signature: signature.read(from) }
    if (type !== SEVERAL) from.fail()
    return { kind: 'several', parts: parts.read(from) }
  },
}

/** The policy of a single key of 32 bytes. */
export function oneKey(publicKey: Uint8Array): Policy {
  checkKey(publicKey)
  return { kind: 'one', key: publicKey }
}

/** `needed` of the keys, in any order; a UsageError unless 1 ≤ needed ≤ keys ≤ 16 and all differ. */
export function severalKeys(needed: number, keys: readonly Uint8Array[]): Policy {
  for (const each of keys) checkKey(each)
  const sorted = sortedSet(keys)
  if (sorted.length !== keys.length) {
    throw new UsageError(
      `${keys.length} keys of an authority, ${sorted.length} of them different; each signer may stand once`,
    )
  }
  if (
    sorted.length > AUTHORITY_KEYS_MAX ||
    !Number.isInteger(needed) ||
    needed < 1 ||
    needed > sorted.length
  ) {
    throw new UsageError(
      `an authority of ${needed} in ${sorted.length} keys; ` +
        `it must have 1 to ${AUTHORITY_KEYS_MAX} keys and need 1 to all of them`,
    )
  }
  return { kind: 'several', needed, keys: sorted }
}

/** The 32 bytes that stand for the authority in the VLAN-ID: what members pin (sec:N2). */
export function authorityKeyOf(hash: Hash, of: Policy): Uint8Array {
  return of.kind === 'one' ? of.key : authorityKey(hash, of.needed, of.keys)
}

export function isSamePolicy(left: Policy, right: Policy): boolean {
  return sameBytes(encode(policy, left), encode(policy, right))
}

/** How many signatures the policy asks for. */
function neededSignatures(of: Policy): number {
  return of.kind === 'one' ? 1 : of.needed
}

/**
 * One signer's share of an approval: send it to whoever joins them. A UsageError if the seed's key is not
 * in the policy.
 */
export function makePart(
  signatures: Signatures,
  of: Policy,
  seed: Uint8Array,
  name: string,
  body: Uint8Array,
): Part {
  const publicKey = signatures.publicKey(seed)
  const keys = of.kind === 'one' ? [of.key] : of.keys
  const index = keys.findIndex((each) => sameBytes(each, publicKey))
  if (index < 0) {
    throw new UsageError(
      `key ${hex(publicKey).slice(0, 8)}… is not among the ${keys.length} of the authority; ` +
        'sign with one that is',
    )
  }
  return { index, signature: signNamed(signatures, seed, name, body) }
}

/** The approval of the lowest signers among the parts; a UsageError if too few different ones are there. */
export function joinParts(of: Policy, given: readonly Part[]): Approval {
  const needed = neededSignatures(of)
  const byIndex = new Map(given.map((part) => [part.index, part]))
  const lowest = [...byIndex.values()].sort((a, b) => a.index - b.index).slice(0, needed)
  if (lowest.length < needed) {
    throw new UsageError(`${lowest.length} signers of the authority; it needs ${needed} different ones`)
  }
  return of.kind === 'one'
    ? { kind: 'one', signature: (lowest[0] as Part).signature }
    : { kind: 'several', parts: lowest }
}

/** Whether the authority approved: exactly m signers, ascending, each signature good. Never throws. */
export function checkApproval(
  signatures: Signatures,
  of: Policy,
  name: string,
  body: Uint8Array,
  given: Approval,
): ApprovalVerdict {
  if (of.kind === 'one') {
    if (given.kind !== 'one') return 'wrongSigners'
    return verifyNamed(signatures, of.key, name, body, given.signature) ? 'valid' : 'badSignature'
  }
  if (given.kind !== 'several' || given.parts.length !== of.needed) return 'wrongSigners'
  let previous = -1
  for (const { index } of given.parts) {
    if (index <= previous || index >= of.keys.length) return 'wrongSigners'
    previous = index
  }
  // All signers were looked at before the first signature: the cheap refusal comes first.
  for (const part of given.parts) {
    const signer = of.keys[part.index] as Uint8Array
    if (!verifyNamed(signatures, signer, name, body, part.signature)) return 'badSignature'
  }
  return 'valid'
}

function checkKey(publicKey: Uint8Array): void {
  if (publicKey.length !== PUBLIC_KEY_BYTES) {
    throw new UsageError(
      `a key of ${publicKey.length} bytes in an authority; it must have ${PUBLIC_KEY_BYTES}`,
    )
  }
}
