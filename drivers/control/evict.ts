/**
 * Putting out: a Revocation of a member's key, which counts from when somebody hears of it, and the commit
 * that removes it from the group, which any member makes. Of an admin, what it admitted stays unless asked.
 */
import { hex, unhex } from '../../core/ids.ts'
import { type Micros, SECOND } from '../../core/io.ts'
import { KEPT_MAX, type RevocationTerms } from '../../core/ledger/facts.ts'
import { fallOfAdmin, makeRevocation } from '../../core/ledger/issue.ts'
import type { Tools } from './held.ts'
import { resolveHex, short } from './names.ts'
import { whyOut } from './out.ts'
import { done, type Outcome, Pending, REFUSAL, type Refused, refused } from './outcome.ts'

/** A removal takes a second or two; some more where the committer is away. Guess. */
const EVICT_WITHIN: Micros = 30 * SECOND

export interface EvictOrder {
  /** Of an admin: those whom it admitted go too. */
  readonly voids: boolean
}
export interface Evicted {
  readonly label: string
  readonly member: string
  /** In which it is no more. */
  readonly epoch: number
  /** Other Grants that go on though their issuer is out. */
  readonly kept: number
  readonly seconds: number
}
export interface GrantRevoked {
  readonly label: string
  readonly serial: string
}

export function evict(tools: Tools, name: string, { voids }: EvictOrder): Pending<Evicted> {
  const { node, waits, held, issuer } = tools
  const found = whoIs(tools, name)
  if (!found.ok) return Pending.of<Evicted>(found)
  const member = found.value
  const began = node.now()
  const isAdmin = held.adminGrants(member).length > 0
  const kept = isAdmin && !voids ? keptOf(tools, member) : []
  const value = (): Evicted => ({
    label: held.label,
    member,
    epoch: held.view()?.epoch ?? -1,
    kept: kept.length,
    seconds: (node.now() - began) / SECOND,
  })
  const isInRoster = held.view()?.members.some((each) => each.member === member) === true
  const full = isInRoster ? waits.full() : undefined
  if (full !== undefined) return Pending.of<Evicted>(full)
  const pending = isInRoster
    ? waits.for<Evicted>({
        port: held.kept.port,
        within: EVICT_WITHIN,
        hear: (event) => {
          if (event.kind !== 'group' || event.event.kind !== 'memberRemoved') return undefined
          return event.event.member === member ? done(value()) : undefined
        },
        late: () => {
          const seconds = EVICT_WITHIN / SECOND
          const message = `${short(member)} is revoked, but nobody removed it within ${seconds} s; wait`
          return refused(REFUSAL.notRemoved, message)
        },
      })
    : Pending.of<Evicted>(done(value()))
  const { port } = held.kept
  if (isAdmin)
    for (const fact of revocationsOf(tools, member, kept))
      node.command({ kind: 'facts', port, facts: [fact] })
  else node.command({ kind: 'revoke', port, issuer, target: unhex(member) })
  return pending
}

/** Revokes a Grant by its serial, and with it whoever holds it. */
export function revokeGrant({ node, held, issuer }: Tools, name: string): Outcome<GrantRevoked> {
  const grants = held.grants()
  const serials = grants.map(({ id }) => hex(id))
  const found = resolveHex(serials, name, 'grant', REFUSAL.noSuchGrant)
  if (!found.ok) return found
  if (grants.some(({ id, role }) => role === 'admin' && hex(id) === found.value))
    return refused(REFUSAL.adminGrant, `${short(found.value)} makes an admin; evict the member instead`)
  const ledger = held.ledger()
  const serial = unhex(found.value)
  if (ledger.fallen(serial) !== undefined)
    return refused(
      REFUSAL.alreadyOut,
      `grant ${short(found.value)} was revoked already; there is nothing to do`,
    )
  if (ledger.holders(serial).some((holder) => hex(holder) === held.self)) return ownKey()
  const number = ledger.newestNumber(issuer.kind === 'admin' ? issuer.serial : undefined) + 1
  const order = { target: { kind: 'serial', bytes: serial }, number } as const
  const { bytes } = makeRevocation(node.crypto, issuer, ledger.vlan, order)
  const outcome = ledger.add(bytes)
  if (outcome !== 'added')
    return refused(REFUSAL.ledgerRefused, `the ledger does not take the revocation: ${outcome}`)
  node.command({ kind: 'facts', port: held.kept.port, facts: [bytes] })
  return done({ label: held.label, serial: found.value })
}

/** The member that is meant, if this node may put it out. */
function whoIs({ held, issuer }: Tools, name: string): Outcome<string> {
  const ledger = held.ledger()
  const holders = held.grants().flatMap(({ id }) => ledger.holders(id).map(hex))
  const roster = held.view()?.members.map(({ member }) => member) ?? []
  const found = resolveHex([...roster, ...holders], name, 'member', REFUSAL.noSuchMember)
  if (!found.ok) return found
  const member = found.value
  if (member === held.self) return ownKey()
  const out = ledger.refused(unhex(member))
  if (out !== undefined)
    return refused(
      REFUSAL.alreadyOut,
      `${short(member)} is out of ${held.label} already (${whyOut(out.why)})`,
    )
  if (issuer.kind === 'admin' && held.adminGrants(member).length > 0) {
    const message = `${short(member)} is an admin, whom only the authority puts out; ask it`
    return refused(REFUSAL.notAuthorised, message)
  }
  return found
}

function ownKey(): Refused {
  return refused(REFUSAL.ownKey, 'this is the key of this very node; leave the VLAN instead')
}

/** Serials of Grants issued by an admin which stay when it goes. */
function keptOf({ held }: Tools, member: string): Uint8Array[] {
  const ledger = held.ledger()
  return held.adminGrants(member).flatMap(({ id }) => [...fallOfAdmin(ledger, id).kept])
}

/** One for each KEPT_MAX serials that stay; what one of them keeps, stays. */
function revocationsOf(
  { node, held, issuer }: Tools,
  member: string,
  kept: readonly Uint8Array[],
): Uint8Array[] {
  const ledger = held.ledger()
  const standing = Math.max(0, ...held.adminGrants(member).map(({ id }) => ledger.newestNumber(id)))
  const target: RevocationTerms['target'] = { kind: 'key', bytes: unhex(member) }
  let number = ledger.newestNumber()
  const facts: Uint8Array[] = []
  for (let from = 0; from === 0 || from < kept.length; from += KEPT_MAX) {
    number += 1
    const order = { target, number, standing, kept: kept.slice(from, from + KEPT_MAX) }
    facts.push(makeRevocation(node.crypto, issuer, ledger.vlan, order).bytes)
  }
  return facts
}
