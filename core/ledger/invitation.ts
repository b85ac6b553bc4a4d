/**
 * An invitation as a line of text that somebody sends to somebody (sec:C3). It knows its form and checks
 * all that can be checked without a network; it admits nobody by itself.
 *
 *     bytes    1 | policy | label | door key 32 | invitation seed 32 | length 2 | Grant |
 *              flag 1 [length 2 | Grant of the issuing admin] | floor of the authority 4 | of the admin 4 |
 *              count 1, each: peer key 32 | reachability 1 | length 1 | address | check 4
 *     text     "peertap:" base64url             QR text     "PEERTAP:" base32
 *
 * The QR text has only characters that QR codes pack densely: 17 % fewer modules than the other, which
 * would need a code of bytes. Both are read in any case of the scheme, base32 also in small letters, and
 * with spaces and line breaks in them, as mail programs make them.
 *
 * Beyond the text of the protocol: the issuing admin's Grant comes along, without which the joiner cannot
 * tell a true invitation from a false one before it has found a door; and the first four bytes of H16 over
 * all before stand at the end, because a wrong character in the door key shows in no other way but a door
 * that nobody ever answers.
 *
 * Errors are UsageErrors and never repeat more of the text than its first characters: it is a secret.
 */
import { type Crypto, PUBLIC_KEY_BYTES } from '../crypto/ports.ts'
import { InvariantError, UsageError } from '../errors.ts'
import { concat, peerIdOf, peerKey, sameBytes } from '../ids.ts'
import { type Address, type PeerHint, type PeerId, REACHABILITY, type Reachability } from '../io.ts'
import { Reader } from '../wire/cursor.ts'
import {
  bytes,
  type Decoded,
  encode,
  fixed,
  list,
  optional,
  type Schema,
  struct,
  u8,
  u32,
} from '../wire/schema.ts'
import { BASE32, BASE64URL, type Base, fromText, toText } from './base.ts'
import { FACT, FACT_BYTES_MAX, type Fact, type Grant } from './facts.ts'
import { key, label, shortBytes } from './fields.ts'
import { SEED_BYTES } from './issue.ts'
import { Ledger } from './ledger.ts'
import { type Policy, policy } from './policy.ts'
import type { Floor } from './shapes.ts'

export const DOOR_KEY_BYTES = 32
/** Where a door may be found without any other contact. */
const CONTACTS_MAX = 3
const ADDRESS_BYTES_MAX = 32
const VERSION = 1
const SCHEME = 'peertap:'
const CHECK_BYTES = 4
/** The longest, with an authority of 16 keys that all sign and a QR text, has 6,200 characters. */
const TEXT_MAX = 8_192

/** A peer that the joiner may dial. */
export interface Contact {
  readonly peerKey: Uint8Array
  readonly reach: Reachability
  readonly address: Address
}

export type { Floor } from './shapes.ts'

/** What an invitation says, checked as far as it can be. */
export interface Invitation {
  readonly policy: Policy
  readonly label: string
  /** Computed from policy and label, never read (sec:C3). */
  readonly vlan: Uint8Array
  readonly authorityKey: Uint8Array
  /** Of the VLAN, known to all members and all invited; it admits nobody. */
  readonly doorKey: Uint8Array
  /** Of the invitation key. Erase it once the group is joined. */
  readonly seed: Uint8Array
  readonly grant: Grant
  /** The issuing admin's; none if the authority issued. */
  readonly issuer: Grant | undefined
  readonly floor: Floor
  readonly contacts: readonly Contact[]
}

export type InvitationDraft = Omit<Invitation, 'vlan' | 'authorityKey'>

const reach: Schema<Reachability> = {
  size: () => 1,
  write: (to, value) => to.u8(value),
  read: (from) => {
    const value = from.u8()
    if (value > REACHABILITY.private) from.fail()
    return value as Reachability
  },
}
const contact = struct({ peerKey: fixed(PUBLIC_KEY_BYTES), reach, address: shortBytes(ADDRESS_BYTES_MAX) })
const factBytes = bytes(FACT_BYTES_MAX)

const fields = {
  version: u8,
  policy,
  label,
  doorKey: key,
  seed: fixed(SEED_BYTES),
  grant: factBytes,
  issuer: optional(factBytes),
  floor: struct({ authority: u32, issuer: u32 }),
  contacts: list(contact, CONTACTS_MAX),
} as const
const layout = struct(fields)
type Content = Decoded<typeof layout>

/** How the fields are called before people. */
const FIELD_NAMES: Readonly<Record<keyof typeof fields, string>> = {
  version: 'version',
  policy: 'authority',
  label: 'label',
  doorKey: 'door key',
  seed: 'secret',
  grant: 'grant',
  issuer: "issuer's grant",
  floor: 'revocation numbers',
  contacts: 'addresses',
}

/** The line to send: it is a secret until it is redeemed. A UsageError for more than three contacts. */
export function invitationText(crypto: Crypto, draft: InvitationDraft): string {
  return SCHEME + toText(BASE64URL, contentOf(crypto, draft))
}

/** The same for a QR code in its alphanumeric mode. */
export function invitationQrText(crypto: Crypto, draft: InvitationDraft): string {
  return SCHEME.toUpperCase() + toText(BASE32, contentOf(crypto, draft))
}

function contentOf(crypto: Crypto, draft: InvitationDraft): Uint8Array {
  const { contacts } = draft
  if (contacts.length > CONTACTS_MAX)
    throw new UsageError(`${contacts.length} addresses in an invitation; give at most ${CONTACTS_MAX}`)
  for (const { address } of contacts) {
    if (address.length > ADDRESS_BYTES_MAX)
      throw new UsageError(
        `an address of ${address.length} bytes; give its form of at most ${ADDRESS_BYTES_MAX}`,
      )
  }
  const issuer = draft.issuer?.bytes
  const content = encode(layout, { ...draft, version: VERSION, grant: draft.grant.bytes, issuer })
  return concat(content, checkOf(crypto, content))
}

function checkOf(crypto: Crypto, content: Uint8Array): Uint8Array {
  return crypto.hash.hash16(content).subarray(0, CHECK_BYTES)
}

/**
 * Reads and checks an invitation in either form. A UsageError names the place, what stands there, the rule
 * and the mend. The ledger that checked it is not kept: the joiner makes one from policy and label.
 */
export function parseInvitation(crypto: Crypto, text: string): Invitation {
  const { base, whole } = bytesOfText(text)
  const content = whole.subarray(0, Math.max(0, whole.length - CHECK_BYTES))
  if (whole.length > 0 && whole[0] !== VERSION) {
    throw new UsageError(
      `the invitation is of version ${whole[0]}; this program reads version ${VERSION}: ` +
        'update PeerTap, or copy the line again from its beginning',
    )
  }
  if (!sameBytes(checkOf(crypto, content), whole.subarray(content.length))) explainDamage(base, whole)
  const said = readContent(content)
  return verified(crypto, said)
}

interface TextBytes {
  readonly base: Base
  readonly whole: Uint8Array
}

function bytesOfText(given: string): TextBytes {
  if (given.length > TEXT_MAX)
    throw new UsageError(`a text of ${given.length} characters; an invitation has at most ${TEXT_MAX}`)
  const text = given.replace(/\s+/g, '').replace(/^[<"']+|[>"']+$/g, '')
  if (text.slice(0, SCHEME.length).toLowerCase() !== SCHEME) {
    throw new UsageError(
      `the text begins with '${text.slice(0, SCHEME.length)}'; an invitation begins with '${SCHEME}': ` +
        'copy the line from its beginning',
    )
  }
  const body = text.slice(SCHEME.length)
  // Digits 2 to 7 and letters of one case only: chance makes no base64url of this length look so.
  const isBase32 = /^([A-Z2-7]+|[a-z2-7]+)$/.test(body)
  const base = isBase32 ? BASE32 : BASE64URL
  const whole = fromText(base, isBase32 ? body.toUpperCase() : body)
  if (typeof whole === 'number') throw wrongCharacter(base, body, whole)
  return { base, whole }
}

function wrongCharacter(base: Base, body: string, at: number): UsageError {
  if (at >= body.length) {
    return new UsageError(
      `the invitation breaks off after ${body.length + SCHEME.length} characters, within a byte; ` +
        'it must be whole: copy the line to its end',
    )
  }
  return new UsageError(
    `character ${at + SCHEME.length + 1} of the invitation is '${body[at]}'; ` +
      `only letters and digits of ${base.name} may stand there: copy the line again and nothing around it`,
  )
}

/** The check does not fit: tells a line that was cut from one that was changed. */
function explainDamage(base: Base, whole: Uint8Array): never {
  const from = new Reader(whole)
  for (const [name, schema] of Object.entries(fields)) {
    const start = from.offset
    schema.read(from)
    if (!from.failed) continue
    const first = SCHEME.length + 1 + Math.floor((8 * start) / base.bits)
    const last = SCHEME.length + Math.ceil((8 * whole.length) / base.bits)
    throw new UsageError(
      `the invitation is cut or changed: of its ${FIELD_NAMES[name as keyof typeof fields]}, which begins ` +
        `at character ${first}, something is missing up to its end at character ${last}; ` +
        'it must be whole: copy the line from its first to its last character',
    )
  }
  if (whole.length < from.offset + CHECK_BYTES) {
    throw new UsageError(
      `the invitation breaks off within its last ${CHECK_BYTES} bytes; ` +
        'it must be whole: copy the line to its end',
    )
  }
  throw new UsageError(
    'the invitation was changed: its last characters do not fit those before; ' +
      'one or more characters are wrong: copy the line again, or ask for a new one',
  )
}

/** The check fits, so what is wrong now was made wrong. */
function readContent(content: Uint8Array): Content {
  const from = new Reader(content)
  const said = layout.read(from)
  if (!from.finished) {
    throw new UsageError(
      'the invitation is whole but not of the form that this program reads; ask for a new one',
    )
  }
  return said
}

function verified(crypto: Crypto, said: Content): Invitation {
  const ledger = new Ledger(crypto, { policy: said.policy, label: said.label })
  const issuer = said.issuer === undefined ? undefined : grantIn(ledger, said.issuer, "the issuer's grant")
  const grant = grantIn(ledger, said.grant, 'the grant')
  if (grant.holderKind !== 'invitation' || grant.role !== 'member') {
    throw new UsageError(
      `the grant in the invitation is for a ${grant.holderKind} in the role ${grant.role}; ` +
        'it must be an invitation for a member: ask for a new one',
    )
  }
  if (!sameBytes(crypto.signatures.publicKey(said.seed), grant.holder)) {
    throw new UsageError('the secret in the invitation is not that of its grant; ask for a new one')
  }
  const { policy: authority, label: name, doorKey, seed, floor, contacts } = said
  const { vlan, authorityKey } = ledger
  return { policy: authority, label: name, vlan, authorityKey, doorKey, seed, grant, issuer, floor, contacts }
}

/** The Grant, if the authority (or its admin, added before) really issued it for this VLAN. */
function grantIn(ledger: Ledger, given: Uint8Array, what: string): Grant {
  const outcome = ledger.add(given)
  if (outcome !== 'added') {
    throw new UsageError(
      `${what} in the invitation does not hold (${outcome}): it must be issued for this VLAN by its ` +
        'authority, or by an admin whose grant stands beside it; ask for a new invitation',
    )
  }
  const fact: Fact | undefined = ledger.takeAdded().find((each) => sameBytes(each.bytes, given))
  if (fact === undefined) throw new InvariantError('a fact was added that is not among those added')
  if (fact.kind !== FACT.grant)
    throw new UsageError(`${what} in the invitation is no grant; ask for a new one`)
  return fact
}

/** The contacts in the form that the mesh dials: each peer once, with all its addresses. */
export function hintsOf(contacts: readonly Contact[]): PeerHint[] {
  const hints = new Map<PeerId, PeerHint>()
  for (const { peerKey: publicKey, reach: by, address } of contacts) {
    const peer = peerIdOf(publicKey)
    const known = hints.get(peer)
    const addresses = [...(known?.addresses ?? []), address]
    hints.set(peer, { peer, addresses, reach: known?.reach ?? by })
  }
  return [...hints.values()]
}

/** A hint as a contact; a UsageError unless it has exactly one address. */
export function contactOf(hint: PeerHint): Contact {
  const [address, ...more] = hint.addresses
  if (address === undefined || more.length > 0)
    throw new UsageError(`a contact with ${hint.addresses.length} addresses; give one`)
  return { peerKey: peerKey(hint.peer), reach: hint.reach, address }
}
