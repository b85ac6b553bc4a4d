/**
 * Joining by a Welcome with ts-mls (sec:C6, as far as it concerns MLS). The GroupInfo is opened first, so
 * that a Welcome for another group, suite or Charter is refused before its whole tree is verified.
 */
import {
  type CiphersuiteImpl,
  type ClientState,
  decodeMlsMessage,
  type Extension,
  type KeyPackage,
  type PrivateKeyPackage,
  type RatchetTree,
  type Welcome,
} from 'ts-mls'
import { type GroupInfo, ratchetTreeFromExtension } from 'ts-mls/groupInfo.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { CodecError } from 'ts-mls/mlsError.js'
import { decryptGroupInfo, decryptGroupSecrets } from 'ts-mls/welcome.js'
import { sameBytes } from '../ids.ts'
import { verifyCredential } from './credential.ts'
import { checkFormat, WIRE_FORMAT } from './framing.ts'
import { TREE_BYTES_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'
import { checkDistinct, type GroupFacts } from './roster.ts'
import { attempt, CLIENT_CONFIG, factsOfState, ownKeysWork, type Refused } from './tsmls-commit.ts'
import { enterGroup, type OpenedWelcome } from './tsmls-enter.ts'
import { CHARTER_EXTENSION, factsOf, SALT_EXTENSION, tryDecode } from './tsmls-leaf.ts'
import { pruned } from './tsmls-secrets.ts'
import type { Workshop } from './tsmls-suite.ts'

/** What waits for a Welcome. */
export interface Waiting {
  readonly groupId: Uint8Array
  readonly keyPackage: KeyPackage
  readonly keys: PrivateKeyPackage
}

export interface Joined {
  readonly ok: true
  readonly state: ClientState
  readonly facts: GroupFacts
  readonly signer: number
  readonly welcomeData: Uint8Array
}

const NONE = new Uint8Array(0)

const refused = (why: MlsRefusal): Refused => ({ ok: false, why })

/** Joins with the KeyPackage that waits; leaves it as it is. */
export async function joinByWelcome(
  shop: Workshop,
  waiting: Waiting,
  bytes: Uint8Array,
  charter: Uint8Array,
): Promise<Joined | Refused> {
  const read = readWelcome(bytes)
  if (!read.ok) return read
  const { welcome } = read
  if (welcome.cipherSuite !== shop.cs.name) return refused(MLS_REFUSAL.wrongSuite)
  const opened = await openWelcome(shop.cs, waiting, welcome)
  if (!opened.ok) return opened
  const { joinerSecret, pathSecret } = opened.welcome.secrets
  try {
    return await enterOpened(shop, waiting, opened.welcome, charter)
  } finally {
    joinerSecret.fill(0)
    pathSecret?.fill(0)
  }
}

async function enterOpened(
  shop: Workshop,
  waiting: Waiting,
  welcome: OpenedWelcome,
  charter: Uint8Array,
): Promise<Joined | Refused> {
  const { groupInfo } = welcome
  const misplaced = placeRefusal(shop.cs, waiting, groupInfo, charter)
  if (misplaced !== undefined) return refused(misplaced)
  const claimed = await attempt(MLS_REFUSAL.undecodable, async () => ratchetTreeFromExtension(groupInfo))
  if (!claimed.ok) return claimed
  // Named refusals first: ts-mls would find some of these too, and say so in prose.
  const flaw = rosterRefusal(shop, waiting, groupInfo, claimed.value)
  if (flaw !== undefined) return refused(flaw)
  const tree = claimed.value as RatchetTree
  const joined = await attempt(MLS_REFUSAL.unverified, () =>
    enterGroup(shop.cs, welcome, tree, waiting, CLIENT_CONFIG),
  )
  if (!joined.ok) return joined
  const made = joined.value
  const facts = factsOfState(shop.loaded, made)
  if (facts === undefined) return { ...refused(MLS_REFUSAL.badTree), candidate: made }
  if (!(await ownKeysWork(shop, made, () => true))) {
    return { ...refused(MLS_REFUSAL.badPath), candidate: made }
  }
  const welcomeData = dataOf(groupInfo.extensions, SALT_EXTENSION)?.slice() ?? NONE
  return { ok: true, state: pruned(made), facts, signer: groupInfo.signer, welcomeData }
}

type ReadWelcome = { readonly ok: true; readonly welcome: Welcome } | Refused

function readWelcome(bytes: Uint8Array): ReadWelcome {
  if (bytes.length > TREE_BYTES_MAX) return refused(MLS_REFUSAL.tooLarge)
  const format = checkFormat(bytes, WIRE_FORMAT.welcome)
  if (format !== undefined) return refused(format)
  const decoded = tryDecode(() => decodeMlsMessage(bytes.slice(), 0))
  if (decoded === undefined || decoded[0].wireformat !== 'mls_welcome')
    return refused(MLS_REFUSAL.undecodable)
  if (decoded[1] !== bytes.length) return refused(MLS_REFUSAL.trailingBytes)
  return { ok: true, welcome: decoded[0].welcome }
}

type Opened = { readonly ok: true; readonly welcome: OpenedWelcome } | Refused

async function openWelcome(cs: CiphersuiteImpl, waiting: Waiting, welcome: Welcome): Promise<Opened> {
  const reference = await makeKeyPackageRef(waiting.keyPackage, cs.hash)
  if (!welcome.secrets.some(({ newMember }) => sameBytes(newMember, reference))) {
    return refused(MLS_REFUSAL.notForUs)
  }
  const opened = await attempt(MLS_REFUSAL.unverified, async () => {
    const initKey = await cs.hpke.importPrivateKey(waiting.keys.initPrivateKey)
    const secrets = await decryptGroupSecrets(initKey, reference, welcome, cs.hpke)
    if (secrets === undefined) throw new CodecError('group secrets')
    // Nobody here has a pre-shared key (sec:B2).
    if (secrets.psks.length > 0) return undefined
    const groupInfo = await decryptGroupInfo(welcome, secrets.joinerSecret, new Uint8Array(cs.kdf.size), cs)
    if (groupInfo === undefined) throw new CodecError('group info')
    return { groupInfo, secrets }
  })
  if (!opened.ok) return opened
  return opened.value === undefined ? refused(MLS_REFUSAL.proposalKind) : { ok: true, welcome: opened.value }
}

/** Whether this is the group, the suite and the Charter that the joiner asked for. */
function placeRefusal(
  cs: CiphersuiteImpl,
  waiting: Waiting,
  groupInfo: GroupInfo,
  charter: Uint8Array,
): MlsRefusal | undefined {
  const { groupContext } = groupInfo
  if (!sameBytes(groupContext.groupId, waiting.groupId)) return MLS_REFUSAL.wrongGroup
  if (groupContext.cipherSuite !== cs.name) return MLS_REFUSAL.wrongSuite
  if (groupContext.epoch > BigInt(Number.MAX_SAFE_INTEGER)) return MLS_REFUSAL.wrongEpoch
  if (groupContext.extensions.length !== 1) return MLS_REFUSAL.extensionChanged
  const found = charterOf(groupContext.extensions)
  return found !== undefined && sameBytes(found, charter) ? undefined : MLS_REFUSAL.wrongCharter
}

/** Whether the tree in the Welcome is one of ordinary, distinct members, each bound to its leaf. */
function rosterRefusal(
  shop: Workshop,
  waiting: Waiting,
  { groupContext }: GroupInfo,
  tree: RatchetTree | undefined,
): MlsRefusal | undefined {
  if (tree === undefined) return MLS_REFUSAL.badTree
  const facts = factsOf(groupContext, tree, shop.loaded.suite, true)
  if (facts === undefined) return MLS_REFUSAL.badTree
  const why = checkDistinct(facts)
  if (why !== undefined) return why
  const { signatures } = shop.crypto
  const bound = facts.roster.every((leaf) =>
    verifyCredential(signatures, waiting.groupId, leaf.credential, leaf.signatureKey),
  )
  return bound ? undefined : MLS_REFUSAL.badCredential
}

/** The Charter's hash among a group's extensions. */
export function charterOf(extensions: readonly Extension[]): Uint8Array | undefined {
  return dataOf(extensions, CHARTER_EXTENSION)
}

function dataOf(extensions: readonly Extension[], type: number): Uint8Array | undefined {
  return extensions.find(({ extensionType }) => extensionType === type)?.extensionData
}
