/**
 * How long the messages of ts-mls are (RFC 9420, sections 6 to 12), from the shape of the tree. The lengths
 * are exact: they were compared with the real engine up to 512 members, and the contract suite goes on
 * comparing. In bytes, X25519 suite, 55 bytes of authenticated data and 64 of salts; "fresh": all were
 * added at once and only the founder may have committed; "settled": every member has committed once:
 *
 * | members | KeyPackage | empty commit, fresh | settled | Add of one | its Welcome | stored state |
 * | ------: | ---------: | ------------------: | ------: | ---------: | ----------: | -----------: |
 * |       2 |        393 |                 655 |     655 |        627 |       1,317 |        1,340 |
 * |       8 |        393 |               1,217 |     889 |        627 |       3,045 |        3,980 |
 * |      32 |        393 |               3,255 |   1,123 |        627 |       9,957 |       14,540 |
 * |     128 |        393 |              11,197 |   1,357 |        627 |      37,613 |       56,784 |
 * |     512 |        393 |              42,761 |       – |        627 |     148,205 |      225,744 |
 *
 * (1,357 by the model alone.) With X-Wing a KeyPackage has 2,763 bytes, an empty commit among 2, 8 and 32
 * fresh members 4,213, 13,877 and 45,219, and from about 50 on more than the 65,536 that a commit may have.
 */
import { SUITE, type Suite } from '../../core/mls/engine.ts'
import { vectorBytes } from '../../core/mls/framing.ts'
import { CREDENTIAL_BYTES } from '../../core/mls/limits.ts'
import type { Tree, TreeNode } from './tree.ts'
import { widthOf } from './tree.ts'

interface SuiteBytes {
  /** HPKE public key. */
  readonly key: number
  /** HPKE encapsulated key. */
  readonly encapsulated: number
  /** Output of the hash: secrets, tags, references. */
  readonly hash: number
}

const SUITES: Readonly<Record<Suite, SuiteBytes>> = {
  [SUITE.x25519]: { key: 32, encapsulated: 32, hash: 32 },
  [SUITE.xwing]: { key: 1_216, encapsulated: 1_120, hash: 64 },
}

/** Of large groups; only costs are reckoned with it. */
export const STORED_BYTES_PER_MEMBER = 441

/** Length of an HPKE public key. */
export function hpkeKeyBytes(suite: Suite): number {
  return SUITES[suite].key
}

/** Length of secrets and of the epoch authenticator. */
export function secretBytes(suite: Suite): number {
  return SUITES[suite].hash
}

const TAG = 16
const SIGNATURE = vectorBytes(64)
const SIGNATURE_KEY = vectorBytes(32)
/** Private keys and seeds of both suites. */
const PRIVATE_KEY = vectorBytes(32)
const GROUP_ID = vectorBytes(16)
/** Version and wire format of an MLS message. */
const HEADER = 4
const CREDENTIAL = 2 + vectorBytes(CREDENTIAL_BYTES)
/** Versions, suites, extensions and credentials of one entry each, no proposals. */
const CAPABILITIES = 4 * vectorBytes(2) + vectorBytes(0)
const LIFETIME = 16
const NO_EXTENSIONS = vectorBytes(0)
const CHARTER_EXTENSION = 2 + vectorBytes(32)

function leafBytes(suite: Suite, parentHash: 'none' | 'empty' | 'full'): number {
  const { key, hash } = SUITES[suite]
  const source = parentHash === 'none' ? LIFETIME : vectorBytes(parentHash === 'full' ? hash : 0)
  const data = vectorBytes(key) + SIGNATURE_KEY + CREDENTIAL + CAPABILITIES
  return data + 1 + source + NO_EXTENSIONS + SIGNATURE
}

/** A KeyPackage as an MLS message. */
export function keyPackageBytes(suite: Suite): number {
  const initKey = vectorBytes(SUITES[suite].key)
  return HEADER + 2 + 2 + initKey + leafBytes(suite, 'none') + NO_EXTENSIONS + SIGNATURE
}

export interface CommitShape {
  readonly suite: Suite
  readonly adds: number
  readonly removes: number
  /** Undefined for a commit without a path; see `Path`. */
  readonly ciphertexts: readonly number[] | undefined
}

/** The encrypted part of a commit: with frame and authenticated data it is the message. */
export function ciphertextBytes({ suite, adds, removes, ciphertexts }: CommitShape): number {
  const { key, encapsulated, hash } = SUITES[suite]
  const add = 1 + 2 + keyPackageBytes(suite) - HEADER
  const remove = 1 + 2 + 4
  let length = vectorBytes(adds * add + removes * remove) + 1
  if (ciphertexts !== undefined) {
    const sealed = vectorBytes(encapsulated) + vectorBytes(hash + TAG)
    let nodes = 0
    for (const count of ciphertexts) nodes += vectorBytes(key) + vectorBytes(count * sealed)
    length += leafBytes(suite, ciphertexts.length === 0 ? 'empty' : 'full') + vectorBytes(nodes)
  }
  return length + SIGNATURE + vectorBytes(hash) + TAG
}

export interface WelcomeShape {
  readonly suite: Suite
  readonly joiners: number
  /** Whether the commit had a path, whose secrets the joiners are told. */
  readonly path: boolean
  readonly tree: Tree
  /** Of extension 0xF002; 0 leaves it out. */
  readonly dataBytes: number
}

export function welcomeBytes({ suite, joiners, path, tree, dataBytes }: WelcomeShape): number {
  const { encapsulated, hash } = SUITES[suite]
  const secrets = vectorBytes(hash) + 1 + (path ? vectorBytes(hash) : 0) + vectorBytes(0)
  const each = vectorBytes(hash) + vectorBytes(encapsulated) + vectorBytes(secrets + TAG)
  const salts = dataBytes === 0 ? 0 : 2 + vectorBytes(dataBytes)
  const extensions = vectorBytes(salts + 2 + vectorBytes(treeBytes(suite, tree)))
  const info = groupContextBytes(suite, true) + extensions + vectorBytes(hash) + 4 + SIGNATURE
  return HEADER + 2 + vectorBytes(joiners * each) + vectorBytes(info + TAG)
}

function groupContextBytes(suite: Suite, committed: boolean): number {
  const { hash } = SUITES[suite]
  const transcript = vectorBytes(committed ? hash : 0)
  return 2 + 2 + GROUP_ID + 8 + vectorBytes(hash) + transcript + vectorBytes(CHARTER_EXTENSION)
}

/** A ratchet tree as a vector, without the blank nodes at its end. */
function treeBytes(suite: Suite, tree: Tree): number {
  let length = 0
  let blanks = 0
  for (const node of tree) {
    if (node === undefined) blanks += 1
    else {
      length += blanks + nodeBytes(suite, node)
      blanks = 0
    }
  }
  return vectorBytes(length)
}

function nodeBytes(suite: Suite, node: Exclude<TreeNode, undefined>): number {
  const { key, hash } = SUITES[suite]
  if (node.kind === 'leaf') return 1 + 1 + leafBytes(suite, node.parentHash)
  const parentHash = vectorBytes(node.parentHash === 'full' ? hash : 0)
  return 1 + 1 + vectorBytes(key) + parentHash + vectorBytes(4 * node.unmerged.length)
}

/** A state as ts-mls encodes it; `keys`: private keys of the member. */
export function stateBytes(suite: Suite, tree: Tree, keys: number, epoch: number): number {
  const { hash } = SUITES[suite]
  const schedule = 2 * vectorBytes(0) + 8 * vectorBytes(hash)
  const ratchet = vectorBytes(hash) + 4 + vectorBytes(0)
  const secretTree = vectorBytes((2 * widthOf(tree) - 1) * 2 * ratchet)
  const path = 4 + vectorBytes(keys * (4 + PRIVATE_KEY))
  const rest = PRIVATE_KEY + vectorBytes(0) + vectorBytes(hash) + vectorBytes(0) + vectorBytes(6)
  return groupContextBytes(suite, epoch > 0) + schedule + secretTree + treeBytes(suite, tree) + path + rest
}
