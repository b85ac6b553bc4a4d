/** Hostile messages in the stand-in's own words (see mls-forge.ts). */
import { concat, utf8 } from '../../core/ids.ts'
import type { EngineCrypto } from '../../core/mls/engine.ts'
import { writeCommitFraming } from '../../core/mls/framing.ts'
import { openStored, STORED_BY } from '../../core/mls/stored.ts'
import { writeU32 } from '../../core/wire/cursor.ts'
import { encode } from '../../core/wire/schema.ts'
import { type Epoch, epochOf, sealTag, signedCommit } from '../../sim/mls/judge.ts'
import {
  commitSchema,
  decodePadded,
  HEADER_BYTES,
  KEY_PACKAGE_HEADER,
  keyOf,
  keyPackageSchema,
  PROPOSAL,
  REFERENCE,
  type StandInCommit,
  type StandInKeyPackage,
  signedAndPadded,
  storedSchema,
  UNSIGNED,
  WELCOME_HEADER,
  welcomeSchema,
} from '../../sim/mls/messages.ts'
import { keyPackageBytes } from '../../sim/mls/sizes.ts'
import { treeOfOne, withLeaf } from '../../sim/mls/tree.ts'
import type { Cast, Member } from './mls-cast.ts'
import type { CommitAttack, Forge, KeyPackageFlaw, WelcomeFlaw } from './mls-forge.ts'

const DATA = utf8('hostile')
const NONE = new Uint8Array(0)
/** Longer than what is said in a hostile message, so that it is decoded to its end. */
const ROOM_BYTES = 4_096

interface Insider {
  readonly epoch: Epoch
  readonly ownLeaf: number
  readonly leafSeed: Uint8Array
}

async function stateOf(member: Member): Promise<Insider> {
  const { crypto } = member.cast.kit
  const opened = openStored(crypto.hash, STORED_BY.standIn, await member.stored())
  const said = opened.ok ? decodePadded(storedSchema, opened.body) : undefined
  if (!opened.ok || said === undefined) throw new Error('no state')
  return { ...said, epoch: epochOf(crypto, opened.suite, said.epoch) }
}

type Said = Pick<StandInCommit, 'proposals' | 'path'>

/** Signs and seals what is said, as a member of the epoch can. */
function sealed(
  { crypto }: { readonly crypto: EngineCrypto },
  { epoch, ownLeaf, leafSeed }: Insider,
  said: Said,
  content?: Uint8Array,
): Uint8Array {
  const unsigned = { committer: ownLeaf, ...said, signature: UNSIGNED }
  const signature = crypto.signatures.sign(leafSeed, signedCommit(epoch, DATA, unsigned))
  const ciphertext = content ?? room(encode(commitSchema, { ...unsigned, signature }))
  const nonce = new Uint8Array(12)
  return writeCommitFraming({
    groupId: epoch.groupId,
    epoch: epoch.epoch,
    authenticatedData: DATA,
    encryptedSenderData: concat(nonce, sealTag(crypto, epoch, nonce, DATA, ciphertext)),
    ciphertext,
  })
}

const room = (content: Uint8Array): Uint8Array =>
  concat(content, new Uint8Array(Math.max(0, ROOM_BYTES - content.length)))

function pathOf(crypto: EngineCrypto, { epoch, ownLeaf }: Insider): NonNullable<StandInCommit['path']> {
  const own = epoch.facts.roster.find(({ leaf }) => leaf === ownLeaf)
  if (own === undefined) throw new Error('no own leaf')
  const { credential, signatureKey } = own
  const hpkeKey = keyOf(crypto.hash, epoch.suite, crypto.hash.hash32(utf8('hostile path')))
  return { credential, signatureKey, hpkeKey, ordinary: true, sound: true }
}

function leafBody(leaf: number): Uint8Array {
  const body = new Uint8Array(4)
  writeU32(body, 0, leaf)
  return body
}

/** An MLS message in clear, or of another content, as far as engines look into it. */
function framed(epoch: Epoch, format: number, sender: number): Uint8Array {
  const counter = new Uint8Array(8)
  writeU32(counter, 4, epoch.epoch)
  const head = Uint8Array.of(0, 1, 0, format, epoch.groupId.length)
  return concat(head, epoch.groupId, counter, Uint8Array.of(sender), new Uint8Array(200))
}

/** ContentType of application data and proposals (RFC 9420, section 17). */
const CONTENT = { application: 1, proposal: 2 } as const
const CONTENT_AT = 4 + 17 + 8
const KINDS = {
  reinit: PROPOSAL.reinit,
  extensions: PROPOSAL.extensions,
  preSharedKey: PROPOSAL.psk,
  update: PROPOSAL.update,
  unknown: 0x60,
  externalInit: PROPOSAL.externalInit,
} as const

async function commit(eve: Member, attack: CommitAttack): Promise<Uint8Array> {
  const { kit } = eve.cast
  const state = await stateOf(eve)
  const path = pathOf(kit.crypto, state)
  const say = (said: Partial<Said>): Uint8Array => sealed(kit, state, { proposals: [], path, ...said })
  switch (attack.kind) {
    case 'externalRemove':
    case 'externalSameKey':
    case 'externalResync':
      return framed(state.epoch, 1, 4)
    case 'inClear':
      return framed(state.epoch, 1, 1)
    case 'application':
    case 'proposal': {
      const message = say({})
      message[CONTENT_AT] = CONTENT[attack.kind]
      return message
    }
    case 'garbage':
      return sealed(kit, state, { proposals: [], path }, new Uint8Array(90).fill(0xff))
    case 'add':
      return say({
        proposals: [{ type: PROPOSAL.add, body: attack.keyPackage.subarray(HEADER_BYTES) }],
        path: undefined,
      })
    case 'removes':
      return say({
        proposals: attack.leaves.map((leaf) => ({ type: PROPOSAL.remove, body: leafBody(leaf) })),
      })
    case 'removeWithoutPath':
      return say({ proposals: [{ type: PROPOSAL.remove, body: leafBody(attack.leaf) }], path: undefined })
    case 'byReference':
      return say({ proposals: [{ type: PROPOSAL.remove | REFERENCE, body: leafBody(attack.leaf) }] })
    case 'identityOf':
      return say({ path: { ...path, credential: attack.victim.credential } })
    case 'otherSignatureKey':
      return say({ path: { ...path, signatureKey: new Uint8Array(32).fill(9) } })
    case 'fewerCapabilities':
      return say({ path: { ...path, ordinary: false } })
    case 'smallOrderPath':
    case 'misfitPath':
      return say({ path: { ...path, sound: false } })
    default:
      return say({ proposals: [{ type: KINDS[attack.kind], body: NONE }] })
  }
}

async function keyPackage(maker: Member, flaw: KeyPackageFlaw): Promise<Uint8Array> {
  const { crypto, suite } = maker.cast.kit
  const { hash, signatures } = crypto
  const fresh = maker.newLeaf()
  const seed = flaw.kind === 'signatureKeyOf' ? (await stateOf(flaw.member)).leafSeed : fresh.leafSeed
  const good: StandInKeyPackage = {
    header: KEY_PACKAGE_HEADER,
    suite,
    credential: maker.credentialFor(seed),
    signatureKey: signatures.publicKey(seed),
    hpkeKey: keyOf(hash, suite, hash.hash32(seed)),
    ordinary: true,
    sound: true,
    initKey: hash.hash32(fresh.leafSeed),
    signature: UNSIGNED,
  }
  const change = (): Partial<StandInKeyPackage> => {
    switch (flaw.kind) {
      case 'hpkeKey':
        // What nobody can seal to is a flag here.
        return { hpkeKey: flaw.key, sound: flaw.key.some((byte) => byte !== 0) }
      case 'credential':
        return { credential: flaw.bytes }
      case 'x509':
        return { credential: DATA }
      case 'capabilities':
        return { ordinary: false }
      case 'lifetime':
      case 'initKey':
        return { sound: false }
      default:
        return {}
    }
  }
  const badly = flaw.kind === 'leafSignature' || flaw.kind === 'signature'
  return signedAndPadded(
    keyPackageSchema,
    { ...good, ...change() },
    (message) => signatures.sign(badly ? new Uint8Array(32).fill(3) : seed, message),
    keyPackageBytes(suite),
  )
}

async function welcome(cast: Cast, forWhom: Uint8Array, flaw: WelcomeFlaw): Promise<Uint8Array> {
  const { crypto, suite } = cast.kit
  const { hash, signatures } = crypto
  const founder = cast.member('rogue founder')
  const { credential, leafSeed } = founder.newLeaf()
  const signatureKey = signatures.publicKey(leafSeed)
  const hpkeKey = keyOf(hash, suite, hash.hash32(leafSeed))
  let tree = treeOfOne({ leaf: 0, credential, signatureKey, hpkeKey, extensions: NONE })
  const all = flaw.kind === 'with' ? [flaw.keyPackage, forWhom] : [forWhom]
  for (const [at, bytes] of all.entries()) tree = withLeaf(tree, { leaf: at + 1, ...entryOf(bytes) })
  const epoch = {
    groupId: flaw.kind === 'groupId' ? flaw.groupId : cast.groupId,
    charter: flaw.kind === 'charter' ? flaw.charter : cast.charter,
    epoch: 1,
    secret: hash.hash32(utf8('rogue')),
    tree,
  }
  return signedAndPadded(
    welcomeSchema,
    {
      header: WELCOME_HEADER,
      length: ROOM_BYTES,
      suite,
      joiners: [hash.hash32(forWhom)],
      epoch,
      signer: 0,
      data: NONE,
      signature: UNSIGNED,
    },
    (message) => signatures.sign(leafSeed, message),
    ROOM_BYTES,
  )
}

function entryOf(bytes: Uint8Array) {
  const read = decodePadded(keyPackageSchema, bytes)
  if (read === undefined) throw new Error('no KeyPackage')
  const { credential, signatureKey, hpkeKey } = read
  return { credential, signatureKey, hpkeKey, extensions: NONE }
}

export const standInForge: Forge = {
  commit,
  keyPackage,
  welcome,
  parentKeys: async (member) => (await stateOf(member)).epoch.facts.parentKeys,
  groupInfo: async (member) => framed((await stateOf(member)).epoch, 4, 0),
}
