/**
 * What the way into a group looks at, check by check (RFC 9420, sections 7.9.2 and 12.4.3.1). The forger is
 * a member who lets somebody in: it can sign a GroupInfo, and tells whatever tree and hash it likes.
 */
import {
  type CiphersuiteImpl,
  type ClientState,
  createCommit,
  createGroup,
  generateKeyPackage,
  type KeyPackage,
  type MLSMessage,
  type PrivateKeyPackage,
  type Proposal,
  processMessage,
  type RatchetTree,
  type Welcome,
} from 'ts-mls'
import { defaultClientConfig } from 'ts-mls/clientConfig.js'
import { defaultCapabilities } from 'ts-mls/defaultCapabilities.js'
import { ratchetTreeFromExtension, signGroupInfo } from 'ts-mls/groupInfo.js'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { defaultLifetime } from 'ts-mls/lifetime.js'
import { verifyParentHashes } from 'ts-mls/parentHash.js'
import { emptyPskIndex } from 'ts-mls/pskIndex.js'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import { decryptGroupInfo, decryptGroupSecrets } from 'ts-mls/welcome.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { utf8 } from '../../core/ids.ts'
import { SUITE } from '../../core/mls/engine.ts'

import { enterGroup, type OpenedWelcome } from '../../core/mls/tsmls-enter.ts'
import { loadSuite, suiteFor } from '../../core/mls/tsmls-suite.ts'

interface Member {
  readonly keyPackage: KeyPackage
  readonly keys: PrivateKeyPackage
  state?: ClientState
}

let cs: CiphersuiteImpl

async function newMember(name: string): Promise<Member> {
  const credential = { credentialType: 'basic', identity: utf8(name) } as const
  const made = await generateKeyPackage(credential, defaultCapabilities(), defaultLifetime, [], cs)
  return { keyPackage: made.publicPackage, keys: made.privatePackage }
}

const stateOf = ({ state }: Member): ClientState => {
  if (state === undefined) throw new Error('not in yet')
  return state
}

const placeOf = (member: Member): number => stateOf(member).privatePath.leafIndex
const add = ({ keyPackage }: Member): Proposal => ({ proposalType: 'add', add: { keyPackage } })
const remove = (removed: number): Proposal => ({ proposalType: 'remove', remove: { removed } })

/** A commit of `by`, followed by the others; the Welcome of it, opened by the first of those it adds. */
async function commit(
  by: Member,
  others: readonly Member[],
  extraProposals: Proposal[],
): Promise<Welcome | undefined> {
  const options = { extraProposals, ratchetTreeExtension: true }
  const made = await createCommit({ state: stateOf(by), cipherSuite: cs }, options)
  for (const other of others) {
    const message = made.commit as Extract<MLSMessage, { wireformat: 'mls_private_message' }>
    const done = await processMessage(message, stateOf(other), emptyPskIndex, () => 'accept', cs)
    other.state = done.newState
  }
  by.state = made.newState
  return made.welcome
}

async function opened(welcome: Welcome | undefined, { keyPackage, keys }: Member): Promise<OpenedWelcome> {
  if (welcome === undefined) throw new Error('no Welcome')
  const initKey = await cs.hpke.importPrivateKey(keys.initPrivateKey)
  const reference = await makeKeyPackageRef(keyPackage, cs.hash)
  const secrets = await decryptGroupSecrets(initKey, reference, welcome, cs.hpke)
  const groupInfo =
    secrets && (await decryptGroupInfo(welcome, secrets.joinerSecret, new Uint8Array(cs.kdf.size), cs))
  if (secrets === undefined || groupInfo === undefined) throw new Error('it does not open')
  return { groupInfo, secrets }
}

const treeOf = ({ groupInfo }: OpenedWelcome): RatchetTree =>
  ratchetTreeFromExtension(groupInfo) as RatchetTree

const enter = (
  welcome: OpenedWelcome,
  { keyPackage, keys }: Member,
  tree = treeOf(welcome),
): Promise<ClientState> => enterGroup(cs, welcome, tree, { keyPackage, keys }, defaultClientConfig)

describe('entering a group', () => {
  let ann: Member
  let dan: Member
  let joiner: Member
  let welcome: OpenedWelcome

  /**
   * Four places: ann renewed her path while the second place was empty, and somebody came there since. So the
   * root is proven by her leaf itself, and beside it stands an unmerged leaf on her side.
   */
  beforeAll(async () => {
    cs = suiteFor(await loadSuite(SUITE.x25519), noble, new Uint8Array(32).fill(7))
    const [a, b, c, d, e, f] = (await Promise.all(
      ['ann', 'bob', 'cat', 'dan', 'eve', 'fay'].map(newMember),
    )) as [Member, Member, Member, Member, Member, Member]
    a.state = await createGroup(utf8('group'), a.keyPackage, a.keys, [], cs)
    const all = [b, c, d]
    const first = await commit(a, [], all.map(add))
    for (const each of all) each.state = await enter(await opened(first, each), each)
    await commit(d, [a, c], [remove(placeOf(b))])
    await commit(a, [c, d], [])
    const second = await commit(d, [a, c], [add(e)])
    e.state = await enter(await opened(second, e), e)
    ;[ann, dan, joiner] = [a, d, f]
    welcome = await opened(await commit(dan, [a, c, e], [add(f)]), f)
  })

  /** The same Welcome with another tree, whose hash the signer tells and signs. */
  async function told(tree: RatchetTree, signer = dan): Promise<OpenedWelcome> {
    const { groupInfo, secrets } = welcome
    const groupContext = { ...groupInfo.groupContext, treeHash: await treeHashRoot(tree, cs.hash) }
    const { signaturePrivateKey } = signer.keys
    return {
      groupInfo: await signGroupInfo({ ...groupInfo, groupContext }, signaturePrivateKey, cs.signature),
      secrets,
    }
  }

  /** The tree with another root: its place is the third, the right half being empty but for the joiner. */
  function withParent(
    change: (node: { hpkePublicKey: Uint8Array; parentHash: Uint8Array; unmergedLeaves: number[] }) => object,
  ): RatchetTree {
    return treeOf(welcome).map((node, index) => {
      if (index !== 3 || node?.nodeType !== 'parent') return node
      return {
        nodeType: 'parent',
        parent: { ...node.parent, ...change(node.parent as never) },
      } as typeof node
    })
  }

  test('is open to whom a member let in', async () => {
    const state = await enter(welcome, joiner)
    expect(state.keySchedule.epochAuthenticator).toEqual(stateOf(dan).keySchedule.epochAuthenticator)
    expect(state.keySchedule.epochAuthenticator).toEqual(stateOf(ann).keySchedule.epochAuthenticator)
  })

  test('is refused for a GroupInfo that its signer did not sign', async () => {
    const { groupInfo, secrets } = welcome
    const signature = groupInfo.signature.map((byte, at) => (at === 5 ? byte ^ 1 : byte))
    await expect(enter({ groupInfo: { ...groupInfo, signature }, secrets }, joiner)).rejects.toThrow(
      'group info',
    )
    await expect(enter({ groupInfo: { ...groupInfo, signer: 77 }, secrets }, joiner)).rejects.toThrow(
      'group info',
    )
    await expect(enter(await told(treeOf(welcome), ann), joiner)).rejects.toThrow('group info')
  })

  test('is refused for a leaf that its owner did not sign', async () => {
    const tree = treeOf(welcome).map((node, index) =>
      index !== 0 || node?.nodeType !== 'leaf'
        ? node
        : { ...node, leaf: { ...node.leaf, hpkePublicKey: new Uint8Array(32).fill(9) } },
    )
    await expect(enter(await told(tree), joiner, tree)).rejects.toThrow('leaf signature')
  })

  test('is refused for a parent with another key than its maker gave it', async () => {
    const tree = withParent(() => ({ hpkePublicKey: new Uint8Array(32).fill(9) }))
    await expect(enter(await told(tree), joiner, tree)).rejects.toThrow('parent hash')
  })

  test('is refused for a parent that hides who came in below it, which the hashes do not show', async () => {
    const tree = withParent(({ unmergedLeaves }) => {
      expect(unmergedLeaves).toEqual([1])
      return { unmergedLeaves: [] }
    })
    expect(await verifyParentHashes(tree, cs.hash)).toBe(true)
    await expect(enter(await told(tree), joiner, tree)).rejects.toThrow('parent hash')
  })

  test('is refused for a tree of another hash than the group agreed on', async () => {
    const { groupInfo, secrets } = welcome
    const groupContext = { ...groupInfo.groupContext, treeHash: new Uint8Array(32) }
    const signed = await signGroupInfo(
      { ...groupInfo, groupContext },
      dan.keys.signaturePrivateKey,
      cs.signature,
    )
    await expect(enter({ groupInfo: signed, secrets }, joiner)).rejects.toThrow('tree hash')
  })

  test('is refused to whom the tree has no leaf', async () => {
    await expect(enter(welcome, await newMember('gus'))).rejects.toThrow('no own leaf')
  })

  test('is refused for a confirmation tag of another group state', async () => {
    const { groupInfo, secrets } = welcome
    const confirmationTag = groupInfo.confirmationTag.map((byte, at) => (at === 0 ? byte ^ 1 : byte))
    const signed = await signGroupInfo(
      { ...groupInfo, confirmationTag },
      dan.keys.signaturePrivateKey,
      cs.signature,
    )
    await expect(enter({ groupInfo: signed, secrets }, joiner)).rejects.toThrow('confirmation tag')
  })
})
