/**
 * From an opened Welcome to the state of the new member, by the parts of ts-mls (RFC 9420, section 12.4.3.1).
 * Its own `joinGroup` refuses sound trees: it wants every node above an unmerged leaf to have the very same
 * list of unmerged leaves, up to the root. A commit clears the lists along its path and leaves the others, so
 * after a few Adds nobody could come in until the next commit of somebody beside the newcomers.
 *
 * Whether the tree is sound in form, and its keys are distinct, was asked before (tsmls-leaf.ts, roster.ts).
 */
import type { CiphersuiteImpl, ClientState, KeyPackage, PrivateKeyPackage, RatchetTree } from 'ts-mls'
import { type GroupInfo, verifyGroupInfoConfirmationTag, verifyGroupInfoSignature } from 'ts-mls/groupInfo.js'
import type { GroupSecrets } from 'ts-mls/groupSecrets.js'
import { deriveKeySchedule } from 'ts-mls/keySchedule.js'
import { type LeafNode, verifyLeafNodeSignature, verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js'
import { CryptoVerificationError, ValidationError } from 'ts-mls/mlsError.js'
import { calculateParentHash } from 'ts-mls/parentHash.js'
import { pathToRoot } from 'ts-mls/pathSecrets.js'
import { mergePrivateKeyPaths, type PrivateKeyPath, toPrivateKeyPath } from 'ts-mls/privateKeyPath.js'
import { findLeafIndex, type Node, resolution } from 'ts-mls/ratchetTree.js'
import { createSecretTree } from 'ts-mls/secretTree.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import { leafToNodeIndex, leafWidth, left, right, root, toLeafIndex, toNodeIndex } from 'ts-mls/treemath.js'
import { firstCommonAncestor } from 'ts-mls/updatePath.js'
import { sameBytes } from '../ids.ts'
import { isLeafBelow } from './tsmls-leaf.ts'

export interface OpenedWelcome {
  readonly groupInfo: GroupInfo
  readonly secrets: GroupSecrets
}

export interface OwnKeys {
  readonly keyPackage: KeyPackage
  readonly keys: PrivateKeyPackage
}

/** Throws what ts-mls throws for what does not verify. The secrets of the Welcome stay as they are. */
export async function enterGroup(
  cs: CiphersuiteImpl,
  { groupInfo, secrets }: OpenedWelcome,
  tree: RatchetTree,
  own: OwnKeys,
  clientConfig: ClientState['clientConfig'],
): Promise<ClientState> {
  const { groupContext, confirmationTag, signer } = groupInfo
  const maker = leafAt(tree, signer)
  if (
    maker === undefined ||
    !(await verifyGroupInfoSignature(groupInfo, maker.signaturePublicKey, cs.signature))
  )
    throw new CryptoVerificationError('group info signature')
  await verifyTree(cs, groupInfo, tree)
  const leaf = findLeafIndex(tree, own.keyPackage.leafNode)
  if (leaf === undefined) throw new ValidationError('no own leaf in the tree')
  const noPsk = new Uint8Array(cs.kdf.size)
  const [keySchedule, encryptionSecret] = await deriveKeySchedule(
    secrets.joinerSecret,
    noPsk,
    groupContext,
    cs.kdf,
  )
  if (!(await verifyGroupInfoConfirmationTag(groupInfo, secrets.joinerSecret, noPsk, cs)))
    throw new CryptoVerificationError('confirmation tag')
  const secretTree = await createSecretTree(leafWidth(tree.length), encryptionSecret, cs.kdf)
  const privatePath = await ownPath(cs, tree, leaf, { signer, pathSecret: secrets.pathSecret }, own)
  encryptionSecret.fill(0)
  return {
    groupContext,
    ratchetTree: tree,
    privatePath,
    signaturePrivateKey: own.keys.signaturePrivateKey,
    confirmationTag,
    unappliedProposals: {},
    keySchedule,
    secretTree,
    historicalReceiverData: new Map(),
    groupActiveState: { kind: 'active' },
    clientConfig,
  }
}

/** Signatures of leaves, parent hashes, and the hash of the whole that the group agreed on. */
async function verifyTree(
  cs: CiphersuiteImpl,
  { groupContext }: GroupInfo,
  tree: RatchetTree,
): Promise<void> {
  for (const [index, node] of tree.entries()) {
    if (node?.nodeType !== 'leaf') continue
    const { leaf } = node
    const isSigned =
      leaf.leafNodeSource === 'key_package'
        ? await verifyLeafNodeSignatureKeyPackage(leaf, cs.signature)
        : await verifyLeafNodeSignature(leaf, groupContext.groupId, index / 2, cs.signature)
    if (!isSigned) throw new CryptoVerificationError('leaf signature')
  }
  if (!(await areParentsValid(cs, tree))) throw new CryptoVerificationError('parent hash')
  if (!sameBytes(groupContext.treeHash, await treeHashRoot(tree, cs.hash)))
    throw new CryptoVerificationError('tree hash')
}

/**
 * Whether each parent node is parent-hash valid by exactly one node below it (RFC 9420, section 7.9.2), and
 * so at last by a leaf that was signed. ts-mls compares the hashes alone: a node that hides who was added
 * below since its key was made would pass, and others would encrypt to a key that those do not have.
 */
async function areParentsValid(cs: CiphersuiteImpl, tree: RatchetTree): Promise<boolean> {
  const top = root(leafWidth(tree.length))
  const proofs = new Map<number, number>()
  for (const [index, node] of tree.entries()) {
    const told = node && parentHashOf(node)
    if (told === undefined || index === top) continue
    const [hash, parent] = await calculateParentHash(tree, toNodeIndex(index), cs.hash)
    const above = parent === undefined ? undefined : tree[parent]
    if (parent === undefined || above?.nodeType !== 'parent' || !sameBytes(hash, told)) continue
    const side = toNodeIndex(index < parent ? left(parent) : right(parent))
    const others = resolution(tree, side).filter((each) => each !== index)
    const added = above.parent.unmergedLeaves
      .filter((leaf) => isLeafBelow(leaf, side))
      .map((leaf) => 2 * leaf)
    if (others.sort((one, other) => one - other).join() !== added.join()) continue
    proofs.set(parent, (proofs.get(parent) ?? 0) + 1)
  }
  return tree.every((node, index) => node?.nodeType !== 'parent' || proofs.get(index) === 1)
}

function parentHashOf(node: Node): Uint8Array | undefined {
  if (node.nodeType === 'parent') return node.parent.parentHash
  return node.leaf.leafNodeSource === 'commit' ? node.leaf.parentHash : undefined
}

function leafAt(tree: RatchetTree, index: number): LeafNode | undefined {
  const node = tree[leafToNodeIndex(toLeafIndex(index))]
  return node?.nodeType === 'leaf' ? node.leaf : undefined
}

async function ownPath(
  cs: CiphersuiteImpl,
  tree: RatchetTree,
  leaf: ReturnType<typeof toLeafIndex>,
  told: { readonly signer: number; readonly pathSecret: Uint8Array | undefined },
  { keys }: OwnKeys,
): Promise<PrivateKeyPath> {
  const path = { leafIndex: leaf, privateKeys: { [leafToNodeIndex(leaf)]: keys.hpkePrivateKey } }
  if (told.pathSecret === undefined) return path
  const from = firstCommonAncestor(tree, leaf, toLeafIndex(told.signer))
  const secrets = await pathToRoot(tree, from, told.pathSecret, cs.kdf)
  return mergePrivateKeyPaths(await toPrivateKeyPath(secrets, leaf, cs), path)
}
