/**
 * The messages of the stand-in engine: what the real ones say, readable, signed and tagged, padded to the
 * real length. A commit has the real frame (core/mls/framing.ts), so whoever looks at a relay's view sees
 * what is to be seen of MLS. Encoding and decoding only; what is allowed is judged in judge.ts.
 */
import type { Hash } from '../../core/crypto/ports.ts'
import { assert } from '../../core/errors.ts'
import { VLAN_ID_BYTES } from '../../core/ids.ts'
import { type RosterLeaf, SUITE, type Suite } from '../../core/mls/engine.ts'
import { WIRE_FORMAT } from '../../core/mls/framing.ts'
import { ADDS_MAX, KEY_PACKAGE_BYTES_MAX, TREE_BYTES_MAX } from '../../core/mls/limits.ts'
import { Reader } from '../../core/wire/cursor.ts'
import {
  bytes,
  type Decoded,
  encode,
  fixed,
  flag,
  list,
  optional,
  type Schema,
  struct,
  u8,
  u16,
  u32,
  u48,
} from '../../core/wire/schema.ts'
import { hpkeKeyBytes } from './sizes.ts'
import type { TreeLeaf, TreeNode, TreeParent } from './tree.ts'

const HASH_BYTES = 32
const SIGNATURE_BYTES = 64
const KEY_BYTES = 32
/** A credential of any length can be said; only one of 118 bytes is let in. */
const CREDENTIAL_BYTES_SAID = 1_024
const HPKE_BYTES_MAX = 1_216
const VERSION_MLS10 = 1
/** Version and wire format, as numbers and, for the KeyPackage inside a commit, as bytes. */
export const KEY_PACKAGE_HEADER = VERSION_MLS10 * 65_536 + WIRE_FORMAT.keyPackage
export const WELCOME_HEADER = VERSION_MLS10 * 65_536 + WIRE_FORMAT.welcome
export const KEY_PACKAGE_HEADER_BYTES = Uint8Array.of(0, VERSION_MLS10, 0, WIRE_FORMAT.keyPackage)
/** Bytes of version and wire format, which a KeyPackage inside a commit does without. */
export const HEADER_BYTES = 4

const leafFields = {
  credential: bytes(CREDENTIAL_BYTES_SAID),
  signatureKey: fixed(KEY_BYTES),
  hpkeKey: bytes(HPKE_BYTES_MAX),
  /** Capabilities, extensions and keys are such as all have. */
  ordinary: flag,
} as const

export const keyPackageSchema = struct({
  header: u32,
  suite: u16,
  ...leafFields,
  /** Lifetime and init key are in order. */
  sound: flag,
  initKey: fixed(KEY_BYTES),
  signature: fixed(SIGNATURE_BYTES),
})
export type StandInKeyPackage = Decoded<typeof keyPackageSchema>

/** ProposalType of RFC 9420, section 17.4; with `REFERENCE` added, the proposal is only named. */
export const PROPOSAL = {
  add: 1,
  update: 2,
  remove: 3,
  psk: 4,
  reinit: 5,
  externalInit: 6,
  extensions: 7,
} as const
export const REFERENCE = 0x80
/** More than are allowed, so that too many can be said and refused. */
const PROPOSALS_SAID = 4 * ADDS_MAX

export const commitSchema = struct({
  committer: u32,
  proposals: list(struct({ type: u8, body: bytes(KEY_PACKAGE_BYTES_MAX) }), PROPOSALS_SAID),
  path: optional(
    struct({
      ...leafFields,
      /** Its keys fit the tree, one another and what was sealed. */
      sound: flag,
    }),
  ),
  signature: fixed(SIGNATURE_BYTES),
})
export type StandInCommit = Decoded<typeof commitSchema>

/** One byte tells what a node is and how long its parent hash. */
const NODE = { blank: 0, leaf: 1, parent: 4 } as const
const PARENT_HASHES = ['none', 'empty', 'full'] as const

const nodeLeafSchema = struct({
  leaf: u32,
  credential: bytes(CREDENTIAL_BYTES_SAID),
  signatureKey: fixed(KEY_BYTES),
  hpkeKey: bytes(HPKE_BYTES_MAX),
})
const nodeParentSchema = struct({ key: fixed(HASH_BYTES), unmerged: list(u16, 65_535) })

const nodeSchema: Schema<TreeNode> = {
  size: (node) => {
    if (node === undefined) return 1
    return 1 + (node.kind === 'leaf' ? nodeLeafSchema.size(node.entry) : nodeParentSchema.size(node))
  },
  write: (to, node) => {
    if (node === undefined) to.u8(NODE.blank)
    else if (node.kind === 'leaf') {
      to.u8(NODE.leaf + PARENT_HASHES.indexOf(node.parentHash))
      nodeLeafSchema.write(to, node.entry)
    } else {
      to.u8(NODE.parent + PARENT_HASHES.indexOf(node.parentHash))
      nodeParentSchema.write(to, node)
    }
  },
  read: (from) => {
    const what = from.u8()
    if (what === NODE.blank) return undefined
    if (what < NODE.parent) {
      const parentHash = PARENT_HASHES[what - NODE.leaf] as TreeLeaf['parentHash']
      const entry: RosterLeaf = { ...nodeLeafSchema.read(from), extensions: NO_EXTENSIONS }
      return { kind: 'leaf', entry, parentHash }
    }
    const parentHash = PARENT_HASHES[what - NODE.parent] as TreeParent['parentHash'] | undefined
    if (parentHash === undefined) from.fail()
    return { kind: 'parent', parentHash: parentHash ?? 'empty', ...nodeParentSchema.read(from) }
  },
}
const NO_EXTENSIONS = new Uint8Array(0)

/** What a state is made of, apart from whose it is. */
export const epochSchema = struct({
  groupId: fixed(VLAN_ID_BYTES),
  charter: fixed(HASH_BYTES),
  epoch: u48,
  secret: fixed(HASH_BYTES),
  tree: list(nodeSchema, 65_535),
})
export type EpochRecord = Decoded<typeof epochSchema>

export const storedSchema = struct({ ownLeaf: u32, leafSeed: fixed(KEY_BYTES), epoch: epochSchema })

export const welcomeSchema = struct({
  header: u32,
  /** Of the whole message, padding included. */
  length: u32,
  suite: u16,
  /** References of the KeyPackages it is for. */
  joiners: list(fixed(HASH_BYTES), ADDS_MAX),
  epoch: epochSchema,
  signer: u32,
  data: bytes(TREE_BYTES_MAX / 32),
  signature: fixed(SIGNATURE_BYTES),
})
export type StandInWelcome = Decoded<typeof welcomeSchema>

/** What is signed of a message that ends with its signature: all before it. */
export function unsignedPart<T extends { readonly signature: Uint8Array }>(
  schema: Schema<T>,
  value: T,
): Uint8Array {
  const whole = encode(schema, value)
  return whole.subarray(0, whole.length - SIGNATURE_BYTES)
}

/** The value with its signature over all before it, at the modelled length. */
export function signedAndPadded<T extends { readonly signature: Uint8Array }>(
  schema: Schema<T>,
  value: T,
  sign: (message: Uint8Array) => Uint8Array,
  length: number,
): Uint8Array {
  const signature = sign(unsignedPart(schema, value))
  return padded(encode(schema, { ...value, signature }), length)
}

/** Stands where a signature will be. */
export const UNSIGNED = new Uint8Array(SIGNATURE_BYTES)

/** The value at the beginning, if nothing but zeros follows. Views are copied: messages are borrowed. */
export function decodePadded<T>(schema: Schema<T>, padded: Uint8Array): T | undefined {
  const from = new Reader(padded.slice())
  const value = schema.read(from)
  if (from.failed) return undefined
  for (let at = from.offset; at < padded.length; at++) if (padded[at] !== 0) return undefined
  return value
}

/** Zeros behind it; the models of lengths leave room for all that is said. */
export function padded(content: Uint8Array, length: number): Uint8Array {
  assert(content.length <= length, `${content.length} bytes do not fit the modelled length of ${length}`)
  const whole = new Uint8Array(length)
  whole.set(content)
  return whole
}

/** A public key of the suite's length that 32 bytes stand for. */
export function keyOf(hash: Hash, suite: Suite, seed: Uint8Array): Uint8Array {
  const key = new Uint8Array(hpkeKeyBytes(suite))
  const block = new Uint8Array(4)
  for (let at = 0; at < key.length; at += HASH_BYTES) {
    block[0] = at / HASH_BYTES
    key.set(hash.keyed32(seed, block), at)
  }
  return key
}

export function isSuite(value: number): value is Suite {
  return value === SUITE.x25519 || value === SUITE.xwing
}
