import {
  type ClientState,
  createCommit,
  createGroup,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  mlsExporter,
} from 'ts-mls'
import { describe, expect, it, vi } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { InvariantError } from '../../core/errors.ts'
import { makeCredential, readCredential, verifyCredential } from '../../core/mls/credential.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { EpochExporter, exportSecret } from '../../core/mls/exporter.ts'
import { TsMlsEngine } from '../../core/mls/tsmls.ts'
import { CLIENT_CONFIG } from '../../core/mls/tsmls-commit.ts'
import { makeKeyPackage } from '../../core/mls/tsmls-leaf.ts'
import { pruned, secretsOf, wipe } from '../../core/mls/tsmls-secrets.ts'
import { loadSuite, SUITE_NAMES, suiteFor } from '../../core/mls/tsmls-suite.ts'
import { Cast, type Member } from '../support/mls-cast.ts'
import { followedByTsMls, tsMlsForge } from '../support/mls-forge-tsmls.ts'

const { signatures } = noble
const kit = { name: 'ts-mls', crypto: noble, suite: SUITE.x25519, engine: () => new TsMlsEngine(noble) }
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

type Three = [Member, Member, Member]

describe('a credential', () => {
  const seed = filled(32, 1)
  const claim = {
    vlan: filled(16, 2),
    serial: filled(16, 3),
    joinNumber: 1_700_000_000_123,
    leafKey: signatures.publicKey(filled(32, 4)),
  }
  const credential = makeCredential(signatures, seed, claim)
  const verified = (bytes: Uint8Array, vlan = claim.vlan, leafKey = claim.leafKey) =>
    verifyCredential(signatures, vlan, bytes, leafKey)

  it('reads back and binds member, serial, join number, leaf key and VLAN', () => {
    expect(credential).toHaveLength(118)
    expect(readCredential(credential)).toMatchObject({
      memberKey: signatures.publicKey(seed),
      serial: claim.serial,
      joinNumber: claim.joinNumber,
    })
    expect(verified(credential)).toBe(true)
    for (let at = 0; at < credential.length; at += 5) {
      const changed = credential.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(verified(changed)).toBe(false)
    }
    expect(verified(credential, filled(16, 9))).toBe(false)
    expect(verified(credential, claim.vlan, filled(32, 9))).toBe(false)
  })

  it('has exactly 118 bytes', () => {
    for (const length of [0, 117, 119]) {
      expect(readCredential(new Uint8Array(length))).toBeUndefined()
      expect(verified(new Uint8Array(length))).toBe(false)
    }
  })
})

describe('the exporter', () => {
  it.each([SUITE.x25519, SUITE.xwing])('is that of ts-mls, suite %i', async (suite) => {
    const cs = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAMES[suite]))
    const secret = filled(cs.kdf.size, 5)
    for (const [label, context, length] of [
      ['peertap mask', new Uint8Array(0), 32],
      ['peertap group key', filled(48, 6), 52],
      ['x', filled(255, 7), 255],
    ] as const) {
      const ours = exportSecret(suite, secret, label, context, length)
      expect(ours).toEqual(await mlsExporter(secret, label, context, length, cs))
    }
  })

  it.each([SUITE.x25519, SUITE.xwing])('is the same kept for an epoch, suite %i', async (suite) => {
    const { kdf } = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE_NAMES[suite]))
    const secret = filled(kdf.size, 5)
    const kept = new EpochExporter(noble.kdf, suite, secret.slice())
    for (const label of ['one', 'other', 'one'])
      for (const context of [filled(0, 0), filled(48, 1), filled(48, 2)])
        expect(kept.export(label, context, 52)).toEqual(exportSecret(suite, secret, label, context, 52))
  })

  it('gives nothing of the epoch once it is erased', () => {
    const secret = filled(32, 5)
    const kept = new EpochExporter(noble.kdf, SUITE.x25519, secret)
    kept.export('label', filled(4, 1), 32)
    kept.erase()
    expect(secret).toEqual(filled(32, 0))
    expect(() => kept.export('label', filled(4, 1), 32)).toThrow(InvariantError)
  })
})

/** A founder's state and the one after its first commit, made with the engine's own suite. */
async function twoStates(): Promise<{ parent: ClientState; child: ClientState }> {
  const loaded = await loadSuite(SUITE.x25519)
  const cs = suiteFor(loaded, noble, filled(32, 8))
  const shop = { loaded, cs, crypto: noble }
  const leaf = { credential: filled(118, 1), leafSeed: filled(32, 2) }
  const own = await makeKeyPackage(shop, leaf)
  const { publicPackage, privatePackage } = own
  const parent = await createGroup(filled(16, 1), publicPackage, privatePackage, [], cs, CLIENT_CONFIG)
  const made = await createCommit({ state: parent, cipherSuite: cs }, {})
  return { parent, child: pruned(made.newState) }
}

describe('erasing the secrets of a state', () => {
  const zero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

  it('spares those that a kept state has, and no others (R2)', async () => {
    const { parent, child } = await twoStates()
    const before = secretsOf(child).map((bytes) => bytes.slice())
    wipe(secretsOf(parent), secretsOf(child))
    expect(secretsOf(child)).toEqual(before)
    expect(zero(parent.signaturePrivateKey)).toBe(false)
    for (const secret of Object.values(parent.keySchedule)) expect(zero(secret)).toBe(true)
    for (const node of parent.secretTree) expect(zero(node.handshake.secret)).toBe(true)
    wipe(secretsOf(child), [])
    expect(secretsOf(child).every(zero)).toBe(true)
  })

  it('keeps neither former epochs nor keys of blank nodes (R13, R16)', async () => {
    const { parent, child } = await twoStates()
    expect(child.historicalReceiverData.size).toBe(0)
    const { privatePath } = parent
    const stale = { ...privatePath, privateKeys: { ...privatePath.privateKeys, 7: filled(32, 9) } }
    const historicalReceiverData = new Map([[0n, {} as never]])
    const full = { ...parent, privatePath: stale, historicalReceiverData }
    expect(Object.keys(pruned(full).privatePath.privateKeys)).toEqual(['0'])
    expect(pruned(full).historicalReceiverData.size).toBe(0)
    expect(full.historicalReceiverData.size).toBe(1)
  })

  it('leaves the parent of a candidate whole while it is kept', async () => {
    const { parent, child } = await twoStates()
    const before = secretsOf(parent).map((bytes) => bytes.slice())
    wipe(secretsOf(child), secretsOf(parent))
    expect(secretsOf(parent)).toEqual(before)
    expect(zero(child.keySchedule.exporterSecret)).toBe(true)
  })
})

describe('the engine', () => {
  /** What the engine zeroed while `run` ran, in text; libraries clean up copies of their own. */
  async function zeroed(run: () => Promise<unknown>): Promise<Set<string>> {
    const seen = new Set<string>()
    const fill = vi.spyOn(Uint8Array.prototype, 'fill').mockImplementation(function (
      this: Uint8Array,
      ...rest
    ) {
      if (rest[0] === 0 && new Error('where').stack?.includes('tsmls-secrets.ts')) seen.add(this.join())
      for (let at = rest[1] ?? 0; at < (rest[2] ?? this.length); at++) this[at] = rest[0]
      return this
    })
    await run()
    fill.mockRestore()
    return seen
  }

  it('erases what it drops, and a leaf key only with the last state that has it', async () => {
    const [alice, bob] = (await new Cast(kit).group('alice', 'bob')) as [Member, Member]
    const made = await alice.make()
    const { outcome, into } = await bob.process(made.commit)
    if (!outcome.ok || outcome.kind !== 'candidate') throw new Error('not processed')
    const secret = outcome.candidate.exporterSecret.join()
    const former = bob.facts?.exporterSecret.join() as string
    const { leafSeed } = bob.cast.member('bob').newLeaf()
    const candidate = await zeroed(() => bob.drop(into))
    expect([candidate.has(secret), candidate.has(former), candidate.has(leafSeed.join())]).toEqual([
      true,
      false,
      false,
    ])
    const last = await zeroed(() => bob.drop(bob.current))
    expect([last.has(former), last.has(leafSeed.join())]).toEqual([true, true])
  })

  it('leaves nothing of a candidate that it refuses', async () => {
    const [alice, bob, eve] = (await new Cast(kit).group('alice', 'bob', 'eve', 'dave')) as Three
    await alice.update([alice, bob, eve])
    // Refused at the very end, when all secrets of the next epoch are there.
    const bytes = await tsMlsForge.commit(eve, { kind: 'misfitPath' })
    const would = await followedByTsMls(bob, bytes)
    const seen = await zeroed(() => bob.process(bytes))
    for (const secret of Object.values(would?.keySchedule ?? {})) expect(seen.has(secret.join())).toBe(true)
    expect(would?.secretTree.every((node) => seen.has(node.handshake.secret.join()))).toBe(true)
  })
})

describe('the hostile commits of the contract suite', () => {
  it('are such as ts-mls by itself lets in', async () => {
    const cast = new Cast(kit)
    const [alice, bob, eve] = (await cast.group('alice', 'bob', 'eve', 'dave')) as Three
    await alice.update([alice, bob, eve])
    const stored = await bob.stored()
    const job = { kind: 'restore', group: 7, into: bob.fresh(), stored, wishes: [] } as const
    const outcome = await bob.run(job)
    if (!outcome.ok || outcome.kind !== 'epoch') throw new Error('not restored')
    const victim = outcome.epoch.roster[0]
    if (victim === undefined) throw new Error('no roster')
    const mallory = cast.member('mallory')
    const keyPackage = await tsMlsForge.keyPackage(mallory, { kind: 'hpkeKey', key: victim.hpkeKey })
    for (const attack of [
      { kind: 'externalRemove', victim },
      { kind: 'externalSameKey' },
      { kind: 'externalResync' },
      { kind: 'add', keyPackage },
      { kind: 'identityOf', victim },
      { kind: 'fewerCapabilities' },
      { kind: 'smallOrderPath' },
      { kind: 'misfitPath' },
      { kind: 'reinit' },
      { kind: 'extensions' },
      { kind: 'unknown' },
    ] as const) {
      const bytes = await tsMlsForge.commit(eve, attack)
      expect([attack.kind, (await followedByTsMls(bob, bytes)) !== undefined]).toEqual([attack.kind, true])
    }
  })
})
