/**
 * Leaves and KeyPackages of ts-mls: how ours are made, what a peer's must be, and rosters as the rest of
 * the project sees them. Every leaf has the same capabilities and no extensions, and that is checked: one
 * member that leaves out an ability of the others would have all their later commits refused.
 */
import {
  type Capabilities,
  decodeMlsMessage,
  type Extension,
  encodeMlsMessage,
  type GroupContext,
  generateKeyPackageWithKey,
  type KeyPackage,
  type LeafNode,
  type PrivateKeyPackage,
  type RatchetTree,
} from 'ts-mls'
import { encodeExtension } from 'ts-mls/extension.js'
import { verifyKeyPackage } from 'ts-mls/keyPackage.js'
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js'
import { directPath, leafToNodeIndex, leafWidth, toLeafIndex, toNodeIndex } from 'ts-mls/treemath.js'
import { PUBLIC_KEY_BYTES } from '../crypto/ports.ts'
import { concat, sameBytes } from '../ids.ts'
import { verifyCredential } from './credential.ts'
import { type NewLeaf, type RosterLeaf, SUITE, type Suite } from './engine.ts'
import { checkFormat, WIRE_FORMAT } from './framing.ts'
import { CREDENTIAL_BYTES, KEY_PACKAGE_BYTES_MAX, LEAVES_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'
import type { GroupFacts, Unplaced } from './roster.ts'
import { keyWorks, SUITE_NAMES, type Workshop } from './tsmls-suite.ts'

/** The Charter's hash (sec:C2), in the group context. */
export const CHARTER_EXTENSION = 0xf001
/** Current and previous salt (sec:C6), in the GroupInfo of a Welcome. */
export const SALT_EXTENSION = 0xf002

/** Seconds: no lifetime ends, so no verdict depends on a clock; what expires is the Grant (sec:B4). */
const LIFETIME = { notBefore: 0n, notAfter: 0x7fff_ffff_ffff_ffffn } as const

/** Bytes of an HPKE public key. */
const HPKE_KEY_BYTES = { [SUITE.x25519]: 32, [SUITE.xwing]: 1_216 } as const

function capabilitiesOf(suite: Suite): Capabilities {
  return {
    versions: ['mls10'],
    ciphersuites: [SUITE_NAMES[suite]],
    extensions: [CHARTER_EXTENSION],
    proposals: [],
    credentials: ['basic'],
  }
}

export interface OwnKeyPackage {
  readonly publicPackage: KeyPackage
  readonly privatePackage: PrivateKeyPackage
}

/** A KeyPackage of our own; the seed is copied. */
export async function makeKeyPackage(shop: Workshop, leaf: NewLeaf): Promise<OwnKeyPackage> {
  const { cs, crypto, loaded } = shop
  const signKey = leaf.leafSeed.slice()
  return generateKeyPackageWithKey(
    { credentialType: 'basic', identity: leaf.credential.slice() },
    capabilitiesOf(loaded.suite),
    LIFETIME,
    [],
    { signKey, publicKey: crypto.signatures.publicKey(signKey) },
    cs,
  )
}

export function encodeKeyPackage(keyPackage: KeyPackage): Uint8Array {
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage })
}

export type Inspected =
  | { readonly ok: true; readonly keyPackage: KeyPackage; readonly entry: Unplaced }
  | { readonly ok: false; readonly why: MlsRefusal }

const refused = (why: MlsRefusal): { readonly ok: false; readonly why: MlsRefusal } => ({ ok: false, why })

/** Decodes a peer's KeyPackage and checks all that does not depend on the group's roster. */
export async function readKeyPackage(
  shop: Workshop,
  groupId: Uint8Array,
  bytes: Uint8Array,
): Promise<Inspected> {
  if (bytes.length > KEY_PACKAGE_BYTES_MAX) return refused(MLS_REFUSAL.tooLarge)
  const format = checkFormat(bytes, WIRE_FORMAT.keyPackage)
  if (format !== undefined) return refused(format)
  const decoded = tryDecode(() => decodeMlsMessage(bytes.slice(), 0))
  if (decoded === undefined || decoded[0].wireformat !== 'mls_key_package') {
    return refused(MLS_REFUSAL.undecodable)
  }
  if (decoded[1] !== bytes.length) return refused(MLS_REFUSAL.trailingBytes)
  return inspectKeyPackage(shop, groupId, decoded[0].keyPackage)
}

/** As `readKeyPackage`, for one that came inside a commit. */
export async function inspectKeyPackage(
  shop: Workshop,
  groupId: Uint8Array,
  keyPackage: KeyPackage,
): Promise<Inspected> {
  const { loaded, cs, crypto } = shop
  const { leafNode, initKey } = keyPackage
  if (keyPackage.cipherSuite !== cs.name) return refused(MLS_REFUSAL.wrongSuite)
  const entry = entryOf(leafNode)
  if (entry === undefined) return refused(MLS_REFUSAL.undecodable)
  const { lifetime } = leafNode
  const plain =
    keyPackage.version === 'mls10' &&
    keyPackage.extensions.length === 0 &&
    isOrdinary(leafNode, loaded.suite) &&
    lifetime.notBefore === LIFETIME.notBefore &&
    lifetime.notAfter === LIFETIME.notAfter &&
    initKey.length === HPKE_KEY_BYTES[loaded.suite] &&
    !sameBytes(initKey, leafNode.hpkePublicKey)
  if (!plain) return refused(MLS_REFUSAL.badKeyPackage)
  const signed =
    (await verifyLeafNodeSignatureKeyPackage(leafNode, cs.signature)) &&
    (await verifyKeyPackage(keyPackage, cs.signature))
  if (!signed) return refused(MLS_REFUSAL.badKeyPackage)
  if (!verifyCredential(crypto.signatures, groupId, entry.credential, entry.signatureKey)) {
    return refused(MLS_REFUSAL.badCredential)
  }
  const works = (await keyWorks(loaded, initKey)) && (await keyWorks(loaded, leafNode.hpkePublicKey))
  return works ? { ok: true, keyPackage, entry } : refused(MLS_REFUSAL.badKeyPackage)
}

/** Whether a leaf has the capabilities, extensions and key lengths that all leaves have. */
function isOrdinary(leaf: LeafNode, suite: Suite): boolean {
  const own = capabilitiesOf(suite)
  const { capabilities } = leaf
  return (
    leaf.extensions.length === 0 &&
    leaf.hpkePublicKey.length === HPKE_KEY_BYTES[suite] &&
    leaf.signaturePublicKey.length === PUBLIC_KEY_BYTES &&
    sameList(capabilities.versions, own.versions) &&
    sameList(capabilities.ciphersuites, own.ciphersuites) &&
    sameList(capabilities.extensions, own.extensions) &&
    sameList(capabilities.proposals, own.proposals) &&
    sameList(capabilities.credentials, own.credentials)
  )
}

/** Undefined unless the credential is a basic one of the right length. Copies. */
function entryOf(leaf: LeafNode): Unplaced | undefined {
  const { credential } = leaf
  if (credential.credentialType !== 'basic' || !('identity' in credential)) return undefined
  if (credential.identity.length !== CREDENTIAL_BYTES) return undefined
  return {
    credential: credential.identity.slice(),
    signatureKey: leaf.signaturePublicKey.slice(),
    hpkeKey: leaf.hpkePublicKey.slice(),
    extensions: encodeExtensions(leaf.extensions),
  }
}

/** Every group's facts; undefined if the tree is not sound or a leaf not an ordinary one. */
export function factsOf(
  context: GroupContext,
  tree: RatchetTree,
  suite: Suite,
  active: boolean,
): GroupFacts | undefined {
  if (tree.length > 2 * LEAVES_MAX) return undefined
  const roster: RosterLeaf[] = []
  const parentKeys: Uint8Array[] = []
  for (const [index, node] of tree.entries()) {
    if (node === undefined) continue
    // RFC 9420, appendix C: leaves have even indices.
    if ((node.nodeType === 'leaf') !== (index % 2 === 0)) return undefined
    if (node.nodeType === 'parent') {
      const { hpkePublicKey, unmergedLeaves } = node.parent
      const sound = hpkePublicKey.length === HPKE_KEY_BYTES[suite] && areBelow(tree, index, unmergedLeaves)
      if (!sound) return undefined
      parentKeys.push(hpkePublicKey)
      continue
    }
    const entry = isOrdinary(node.leaf, suite) ? entryOf(node.leaf) : undefined
    if (entry === undefined) return undefined
    roster.push({ leaf: index / 2, ...entry })
  }
  return { roster, parentKeys, extensions: encodeExtensions(context.extensions), active }
}

/**
 * Whether the leaves are in order, occupied and below the node, and unmerged in each node between (RFC 9420,
 * sections 7.9.2 and 12.4.3.1).
 */
function areBelow(tree: RatchetTree, index: number, leaves: readonly number[]): boolean {
  return leaves.every((leaf, at) => {
    const ascending = at === 0 || leaf > (leaves[at - 1] as number)
    const isBelow = isLeafBelow(leaf, index) && tree[2 * leaf] !== undefined
    return ascending && isBelow && isUnmergedUpTo(tree, leaf, index)
  })
}

/** Whether a leaf, by its place among leaves, is below a node of a tree, or is that node. */
export function isLeafBelow(leaf: number, node: number): boolean {
  // The node's level is the number of ones at its end; that many to each side are below it.
  const reach = (node ^ (node + 1)) >> 1
  return Math.abs(2 * leaf - node) <= reach
}

function isUnmergedUpTo(tree: RatchetTree, leaf: number, index: number): boolean {
  const path = directPath(leafToNodeIndex(toLeafIndex(leaf)), leafWidth(tree.length))
  return path.slice(0, path.indexOf(toNodeIndex(index))).every((between) => {
    const node = tree[between]
    return node?.nodeType !== 'parent' || node.parent.unmergedLeaves.includes(leaf)
  })
}

/** What `decode` gives, or undefined for whatever it throws: ts-mls throws for most malformed bytes. */
export function tryDecode<T>(decode: () => T | undefined): T | undefined {
  try {
    return decode()
  } catch {
    return undefined
  }
}

function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  return concat(...extensions.map((one) => encodeExtension(one)))
}

function sameList<T>(left: readonly T[], right: readonly T[]): boolean {
  return left.length === right.length && left.every((one, at) => one === right[at])
}
