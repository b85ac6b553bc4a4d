/**
 * How the stand-in engine writes commits and Welcomes: what a member says, signed and sealed, at the length
 * that the real engine's would have. Whether it may be said has been judged before.
 */
import { assert } from '../../core/errors.ts'
import { concat, utf8 } from '../../core/ids.ts'
import type { CommitJob, EngineCrypto, RosterLeaf } from '../../core/mls/engine.ts'
import { writeCommitFraming } from '../../core/mls/framing.ts'
import { writeU32 } from '../../core/wire/cursor.ts'
import { encode } from '../../core/wire/schema.ts'
import { type Epoch, NONCE_BYTES, sealTag, signedCommit, type Transition } from './judge.ts'
import {
  commitSchema,
  HEADER_BYTES,
  keyOf,
  PROPOSAL,
  padded,
  signedAndPadded,
  UNSIGNED,
  WELCOME_HEADER,
  welcomeSchema,
} from './messages.ts'
import { ciphertextBytes, welcomeBytes } from './sizes.ts'
import { withLeaf, withoutLeaf, withPath } from './tree.ts'

/** A member in an epoch. */
export interface Insider {
  readonly epoch: Epoch
  readonly ownLeaf: number
  readonly leafSeed: Uint8Array
}

const NO_KEY = new Uint8Array(0)

export function composeCommit(
  crypto: EngineCrypto,
  { epoch, ownLeaf, leafSeed }: Insider,
  job: CommitJob,
): Uint8Array {
  const { hash, signatures } = crypto
  const { suite, groupId } = epoch
  const { authenticatedData, adds, removes } = job
  const hpkeKey = keyOf(hash, suite, hash.keyed32(job.entropy, utf8('path')))
  const proposals = [
    ...removes.map((leaf) => ({ type: PROPOSAL.remove, body: u32Bytes(leaf) })),
    ...adds.map((bytes) => ({ type: PROPOSAL.add, body: bytes.subarray(HEADER_BYTES) })),
  ]
  const ciphertexts = pathOf(epoch, ownLeaf, job)
  const path = ciphertexts && { ...leafOf(epoch, ownLeaf), hpkeKey, ordinary: true, sound: true }
  const unsigned = { committer: ownLeaf, proposals, path, signature: UNSIGNED }
  const signature = signatures.sign(leafSeed, signedCommit(epoch, authenticatedData, unsigned))
  const shape = { suite, adds: adds.length, removes: removes.length, ciphertexts }
  const ciphertext = padded(encode(commitSchema, { ...unsigned, signature }), ciphertextBytes(shape))
  const nonce = hash.keyed32(job.entropy, utf8('nonce')).subarray(0, NONCE_BYTES)
  const tag = sealTag(crypto, epoch, nonce, authenticatedData, ciphertext)
  return writeCommitFraming({
    groupId,
    epoch: epoch.epoch,
    authenticatedData,
    encryptedSenderData: concat(nonce, tag),
    ciphertext,
  })
}

/** For those whom the job adds, into the epoch that the commit leads to. */
export function composeWelcome(
  crypto: EngineCrypto,
  { ownLeaf, leafSeed }: Insider,
  { adds, welcomeData }: CommitJob,
  { epoch, updated }: Transition,
): Uint8Array {
  const { hash, signatures } = crypto
  const { suite, tree } = epoch
  const path = updated !== undefined
  const length = welcomeBytes({
    suite,
    joiners: adds.length,
    path,
    tree,
    dataBytes: welcomeData.length,
  })
  const joiners = adds.map((bytes) => hash.hash32(bytes))
  const said = { header: WELCOME_HEADER, length, suite, joiners, epoch, signer: ownLeaf, data: welcomeData }
  return signedAndPadded(
    welcomeSchema,
    { ...said, signature: UNSIGNED },
    (message) => signatures.sign(leafSeed, message),
    length,
  )
}

/**
 * To how many nodes each node of the committer's path is sealed, root first; undefined if there is none.
 * As RFC 9420, section 12.4 has it, only commits of Adds alone do without.
 */
export function pathOf(
  epoch: Epoch,
  ownLeaf: number,
  { removes, adds }: CommitJob,
): readonly number[] | undefined {
  if (adds.length > 0 && removes.length === 0) return undefined
  let { tree } = epoch
  for (const leaf of removes) tree = withoutLeaf(tree, leaf)
  const own = leafOf(epoch, ownLeaf)
  const added = new Set<number>()
  for (let count = 0; count < adds.length; count++) {
    let leaf = 0
    while (tree[2 * leaf] !== undefined) leaf += 1
    tree = withLeaf(tree, { ...own, leaf })
    added.add(leaf)
  }
  return withPath(tree, own, added, () => NO_KEY).ciphertexts
}

function leafOf(epoch: Epoch, index: number): RosterLeaf {
  const leaf = epoch.facts.roster.find((one) => one.leaf === index)
  assert(leaf !== undefined, 'a state whose own leaf is not in its roster')
  return leaf
}

function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  writeU32(bytes, 0, value)
  return bytes
}
