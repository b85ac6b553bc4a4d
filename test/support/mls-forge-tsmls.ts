/** Hostile messages made with ts-mls itself, from the state that a member stored (see mls-forge.ts). */
import {
  type CiphersuiteImpl,
  type ClientState,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  decodeGroupState,
  decodeMlsMessage,
  emptyPskIndex,
  encodeMlsMessage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroupExternal,
  type KeyPackage,
  type LeafNode,
  type MLSMessage,
  type Proposal,
  processMessage,
} from 'ts-mls'
import { defaultClientConfig } from 'ts-mls/clientConfig.js'
import { createContentCommitSignature } from 'ts-mls/framedContent.js'
import { signKeyPackage } from 'ts-mls/keyPackage.js'
import { signLeafNodeKeyPackage } from 'ts-mls/leafNode.js'
import { protect } from 'ts-mls/messageProtection.js'
import type { ProposalOrRef } from 'ts-mls/proposalOrRefType.js'
import { noble } from '../../core/crypto/noble.ts'
import { utf8 } from '../../core/ids.ts'
import { openStored, STORED_BY } from '../../core/mls/stored.ts'
import { CHARTER_EXTENSION } from '../../core/mls/tsmls-leaf.ts'
import { SUITE_NAMES } from '../../core/mls/tsmls-suite.ts'
import type { Cast, Member } from './mls-cast.ts'
import type { CommitAttack, Forge, KeyPackageFlaw, WelcomeFlaw } from './mls-forge.ts'

const DATA = utf8('hostile')
const NONE = new Uint8Array(0)

/** The library's own suite, with its own randomness and signatures. */
function suiteOf(member: { readonly cast: Cast }): Promise<CiphersuiteImpl> {
  return getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAMES[member.cast.kit.suite]))
}

async function stateOf(member: Member): Promise<ClientState> {
  const opened = openStored(noble.hash, STORED_BY.tsMls, await member.stored())
  if (!opened.ok) throw new Error(opened.why)
  const decoded = decodeGroupState(opened.body.slice(), 0)
  if (decoded === undefined) throw new Error('no state')
  return { ...decoded[0], clientConfig: defaultClientConfig }
}

function ownLeaf(state: ClientState): LeafNode {
  const node = state.ratchetTree[2 * state.privatePath.leafIndex]
  if (node?.nodeType !== 'leaf') throw new Error('no own leaf')
  return node.leaf
}

/** The state with other words in its own leaf: ts-mls copies them into its next path. */
function withOwnLeaf(state: ClientState, change: Partial<LeafNode>): ClientState {
  const ratchetTree = state.ratchetTree.slice()
  const leaf = { ...ownLeaf(state), ...change } as LeafNode
  ratchetTree[2 * state.privatePath.leafIndex] = { nodeType: 'leaf', leaf }
  return { ...state, ratchetTree }
}

async function made(
  state: ClientState,
  cs: CiphersuiteImpl,
  proposals: Proposal[] = [],
): Promise<Uint8Array> {
  const options = { extraProposals: proposals, authenticatedData: DATA }
  return encodeMlsMessage((await createCommit({ state, cipherSuite: cs }, options)).commit)
}

/** A commit as a member could write it by hand: signed and sealed, with a tag that nobody gets to check. */
async function byHand(
  state: ClientState,
  cs: CiphersuiteImpl,
  proposals: ProposalOrRef[],
): Promise<Uint8Array> {
  const { leafIndex } = state.privatePath
  const { signature, framedContent } = await createContentCommitSignature(
    state.groupContext,
    'mls_private_message',
    { proposals, path: undefined },
    { senderType: 'member', leafIndex },
    DATA,
    state.signaturePrivateKey,
    cs.signature,
  )
  const confirmationTag = new Uint8Array(cs.kdf.size)
  const auth = { contentType: 'commit', signature, confirmationTag } as const
  const { privateMessage } = await protect(
    state.keySchedule.senderDataSecret,
    DATA,
    state.groupContext,
    state.secretTree,
    { ...framedContent, auth },
    leafIndex,
    defaultClientConfig.paddingConfig,
    cs,
  )
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage })
}

const byValue = (proposal: Proposal): ProposalOrRef => ({ proposalOrRefType: 'proposal', proposal })
const remove = (removed: number): Proposal => ({ proposalType: 'remove', remove: { removed } })
const inPublic = (publicMessage: Extract<MLSMessage, { publicMessage: unknown }>['publicMessage']) =>
  encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage })

/** An external commit by a stranger, or by a holder of Eve's leaf key. */
async function external(
  eve: Member,
  attack: Extract<CommitAttack, { kind: `external${'Remove' | 'SameKey' | 'Resync'}` }>,
): Promise<Uint8Array> {
  const [state, cs] = [await stateOf(eve), await suiteOf(eve)]
  const info = await createGroupInfoWithExternalPubAndRatchetTree(state, [], cs)
  const joiner = attack.kind === 'externalRemove' ? eve.cast.member('stranger') : eve
  const seed = attack.kind === 'externalRemove' ? undefined : state.signaturePrivateKey
  const own = await freshKeyPackage(joiner, cs, seed)
  const config = {
    ...defaultClientConfig,
    keyPackageEqualityConfig: {
      ...defaultClientConfig.keyPackageEqualityConfig,
      compareKeyPackageToLeafNode: (_keyPackage: KeyPackage, leaf: LeafNode) => {
        const wanted = attack.kind === 'externalRemove' ? attack.victim : undefined
        const key = wanted?.signatureKey ?? own.keyPackage.leafNode.signaturePublicKey
        return leaf.signaturePublicKey.join() === key.join()
      },
    },
  }
  const resync = attack.kind !== 'externalSameKey'
  const joined = await joinGroupExternal(info, own.keyPackage, own.keys, resync, cs, undefined, config)
  return inPublic(joined.publicMessage)
}

/** A valid KeyPackage of the member, decoded, with its private keys. */
async function freshKeyPackage(member: Member, cs: CiphersuiteImpl, leafSeed?: Uint8Array) {
  const leaf = member.newLeaf()
  const seed = leafSeed ?? leaf.leafSeed
  const pair = async () => {
    const keys = await cs.hpke.generateKeyPair()
    const publicKey = await cs.hpke.exportPublicKey(keys.publicKey)
    return { publicKey, privateKey: await cs.hpke.exportPrivateKey(keys.privateKey) }
  }
  const [init, node] = [await pair(), await pair()]
  const leafNode = await signLeafNodeKeyPackage(
    {
      leafNodeSource: 'key_package',
      hpkePublicKey: node.publicKey,
      signaturePublicKey: noble.signatures.publicKey(seed),
      credential: { credentialType: 'basic', identity: member.credentialFor(seed) },
      capabilities: {
        versions: ['mls10'],
        ciphersuites: [cs.name],
        extensions: [CHARTER_EXTENSION],
        proposals: [],
        credentials: ['basic'],
      },
      lifetime: { notBefore: 0n, notAfter: 0x7fff_ffff_ffff_ffffn },
      extensions: [],
    },
    seed,
    cs.signature,
  )
  const unsigned = {
    version: 'mls10',
    cipherSuite: cs.name,
    initKey: init.publicKey,
    leafNode,
    extensions: [],
  } as const
  const keyPackage = await signKeyPackage({ ...unsigned, extensions: [] }, seed, cs.signature)
  const keys = {
    initPrivateKey: init.privateKey,
    hpkePrivateKey: node.privateKey,
    signaturePrivateKey: seed,
  }
  return { keyPackage, keys, seed }
}

function decodedKeyPackage(bytes: Uint8Array): KeyPackage {
  const decoded = decodeMlsMessage(bytes, 0)?.[0]
  if (decoded?.wireformat !== 'mls_key_package') throw new Error('no KeyPackage')
  return decoded.keyPackage
}

/** A suite whose `nth` exported public key of a path is another: it is what the tree will say. */
function misleading(cs: CiphersuiteImpl, instead: Uint8Array): CiphersuiteImpl {
  let count = 0
  return {
    ...cs,
    hpke: {
      ...cs.hpke,
      exportPublicKey: async (key) => {
        count += 1
        return count === 1 ? instead : await cs.hpke.exportPublicKey(key)
      },
    },
  }
}

/** A suite that signs leaves with another key than messages. */
function twoHanded(cs: CiphersuiteImpl, leafSeed: Uint8Array): CiphersuiteImpl {
  return {
    ...cs,
    signature: {
      ...cs.signature,
      sign: (seed, message) => {
        const isLeaf = String.fromCharCode(...message.subarray(0, 30)).includes('LeafNodeTBS')
        return cs.signature.sign(isLeaf ? leafSeed : seed, message)
      },
    },
  }
}

/** A suite that seals garbage where the content of a message would be. */
function garbling(cs: CiphersuiteImpl): CiphersuiteImpl {
  let count = 0
  const encryptAead: CiphersuiteImpl['hpke']['encryptAead'] = (key, nonce, aad, plain) => {
    count += 1
    return cs.hpke.encryptAead(key, nonce, aad, count === 1 ? new Uint8Array(90).fill(0xff) : plain)
  }
  return { ...cs, hpke: { ...cs.hpke, encryptAead } }
}

async function commit(eve: Member, attack: CommitAttack): Promise<Uint8Array> {
  const [state, cs] = [await stateOf(eve), await suiteOf(eve)]
  switch (attack.kind) {
    case 'externalRemove':
    case 'externalSameKey':
    case 'externalResync':
      return external(eve, attack)
    case 'inClear': {
      const { commit: message } = await createCommit(
        { state, cipherSuite: cs },
        { wireAsPublicMessage: true },
      )
      return encodeMlsMessage(message)
    }
    case 'application': {
      const { privateMessage } = await createApplicationMessage(state, DATA, cs)
      return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage })
    }
    case 'proposal':
      return encodeMlsMessage((await createProposal(state, false, remove(attack.leaf), cs)).message)
    case 'garbage':
      return made(state, garbling(cs))
    case 'add': {
      const keyPackage = decodedKeyPackage(attack.keyPackage)
      return byHandOr(state, cs, { proposalType: 'add', add: { keyPackage } })
    }
    case 'removes':
      return byHand(
        state,
        cs,
        attack.leaves.map((leaf) => byValue(remove(leaf))),
      )
    case 'removeWithoutPath':
      return byHand(state, cs, [byValue(remove(attack.leaf))])
    case 'byReference': {
      const { newState } = await createProposal(state, false, remove(attack.leaf), cs)
      return made(newState, cs)
    }
    case 'identityOf':
      return made(
        withOwnLeaf(state, { credential: { credentialType: 'basic', identity: attack.victim.credential } }),
        cs,
      )
    case 'otherSignatureKey': {
      const seed = new Uint8Array(32).fill(9)
      const changed = withOwnLeaf(state, { signaturePublicKey: noble.signatures.publicKey(seed) })
      return made(changed, twoHanded(cs, seed))
    }
    case 'fewerCapabilities':
      return made(
        withOwnLeaf(state, { capabilities: { ...ownLeaf(state).capabilities, credentials: ['x509'] } }),
        cs,
      )
    case 'smallOrderPath':
      return made(state, misleading(cs, new Uint8Array(32)))
    case 'misfitPath':
      return made(state, misleading(cs, (await freshKeyPackage(eve, cs)).keyPackage.initKey))
    default:
      return ofOtherKind(state, cs, attack.kind)
  }
}

/** As ts-mls makes it, or where its own checks refuse, by hand. */
async function byHandOr(state: ClientState, cs: CiphersuiteImpl, proposal: Proposal): Promise<Uint8Array> {
  try {
    return await made(state, cs, [proposal])
  } catch {
    return byHand(state, cs, [byValue(proposal)])
  }
}

type OtherKind = 'reinit' | 'extensions' | 'preSharedKey' | 'update' | 'unknown' | 'externalInit'

async function ofOtherKind(state: ClientState, cs: CiphersuiteImpl, kind: OtherKind): Promise<Uint8Array> {
  switch (kind) {
    case 'reinit': {
      const reinit = {
        groupId: new Uint8Array(16),
        version: 'mls10',
        cipherSuite: cs.name,
        extensions: [],
      } as const
      return made(state, cs, [{ proposalType: 'reinit', reinit: { ...reinit, extensions: [] } }])
    }
    case 'extensions': {
      const extensions = [{ extensionType: CHARTER_EXTENSION, extensionData: new Uint8Array(32).fill(1) }]
      return made(state, cs, [
        { proposalType: 'group_context_extensions', groupContextExtensions: { extensions } },
      ])
    }
    case 'preSharedKey': {
      const preSharedKeyId = { psktype: 'external', pskId: DATA, pskNonce: new Uint8Array(32) } as const
      return byHand(state, cs, [byValue({ proposalType: 'psk', psk: { preSharedKeyId } })])
    }
    case 'update': {
      const leafNode = { ...ownLeaf(state), leafNodeSource: 'update' } as Extract<
        LeafNode,
        { leafNodeSource: 'update' }
      >
      return byHand(state, cs, [byValue({ proposalType: 'update', update: { leafNode } })])
    }
    case 'unknown':
      return made(state, cs, [{ proposalType: 0xf0f0, proposalData: NONE }])
    case 'externalInit':
      return byHand(state, cs, [
        byValue({ proposalType: 'external_init', externalInit: { kemOutput: new Uint8Array(32) } }),
      ])
  }
}

async function keyPackage(maker: Member, flaw: KeyPackageFlaw): Promise<Uint8Array> {
  const cs = await suiteOf(maker)
  const seedOf = flaw.kind === 'signatureKeyOf' ? (await stateOf(flaw.member)).signaturePrivateKey : undefined
  const { keyPackage: good, seed } = await freshKeyPackage(maker, cs, seedOf)
  const leafChange = (): Partial<LeafNode> => {
    switch (flaw.kind) {
      case 'hpkeKey':
        return { hpkePublicKey: flaw.key }
      case 'credential':
        return { credential: { credentialType: 'basic', identity: flaw.bytes } }
      case 'x509':
        return { credential: { credentialType: 'x509', certificates: [DATA] } }
      case 'capabilities':
        return { capabilities: { ...good.leafNode.capabilities, extensions: [CHARTER_EXTENSION, 0x0a0a] } }
      case 'lifetime':
        return { lifetime: { notBefore: 0n, notAfter: 4_000_000_000n } } as Partial<LeafNode>
      default:
        return {}
    }
  }
  const leaf = { ...good.leafNode, ...leafChange() } as KeyPackage['leafNode']
  const leafSeed = flaw.kind === 'leafSignature' ? new Uint8Array(32).fill(3) : seed
  const leafNode = await signLeafNodeKeyPackage(leaf, leafSeed, cs.signature)
  const initKey = flaw.kind === 'initKey' ? leafNode.hpkePublicKey : good.initKey
  const packageSeed = flaw.kind === 'signature' ? new Uint8Array(32).fill(3) : seed
  const signed = await signKeyPackage({ ...good, leafNode, initKey }, packageSeed, cs.signature)
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage: signed })
}

async function welcome(cast: Cast, forWhom: Uint8Array, flaw: WelcomeFlaw): Promise<Uint8Array> {
  const cs = await suiteOf({ cast })
  const founder = await freshKeyPackage(cast.member('rogue founder'), cs)
  const groupId = flaw.kind === 'groupId' ? flaw.groupId : cast.groupId
  const extensionData = flaw.kind === 'charter' ? flaw.charter : cast.charter
  const state = await createGroup(
    groupId,
    founder.keyPackage,
    founder.keys,
    [{ extensionType: CHARTER_EXTENSION, extensionData }],
    cs,
  )
  const all = flaw.kind === 'with' ? [flaw.keyPackage, forWhom] : [forWhom]
  const extraProposals = all.map(
    (bytes): Proposal => ({ proposalType: 'add', add: { keyPackage: decodedKeyPackage(bytes) } }),
  )
  const options = { extraProposals, ratchetTreeExtension: true }
  const result = await createCommit({ state, cipherSuite: cs, pskIndex: emptyPskIndex }, options)
  if (result.welcome === undefined) throw new Error('no Welcome')
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: result.welcome })
}

/** Whether ts-mls by itself, as it comes, would follow this commit from the member's current state. */
export async function acceptedByTsMls(member: Member, bytes: Uint8Array): Promise<boolean> {
  const [state, cs] = [await stateOf(member), await suiteOf(member)]
  const message = decodeMlsMessage(bytes, 0)?.[0]
  if (message?.wireformat !== 'mls_private_message' && message?.wireformat !== 'mls_public_message')
    return false
  const processed = await processMessage(message, state, emptyPskIndex, () => 'accept', cs)
  return processed.kind === 'newState' && processed.actionTaken === 'accept'
}

export const tsMlsForge: Forge = {
  commit,
  keyPackage,
  welcome,
  parentKeys: async (member) =>
    (await stateOf(member)).ratchetTree.flatMap((node) =>
      node?.nodeType === 'parent' ? [node.parent.hpkePublicKey] : [],
    ),
  groupInfo: async (member) => {
    const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(
      await stateOf(member),
      [],
      await suiteOf(member),
    )
    return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_group_info', groupInfo })
  },
}
