/** New Grants for members: to renew the one that a member has (sec:C7), or to make it an admin. No commit. */
import { hex, unhex } from '../../core/ids.ts'
import { makeGrant } from '../../core/ledger/issue.ts'
import type { Tools } from './held.ts'
import { resolveHex, short } from './names.ts'
import { whyOut } from './out.ts'
import { done, type Outcome, REFUSAL, refused } from './outcome.ts'

export interface CertifyOrder {
  readonly role: 'member' | 'admin'
  readonly lifeMillis: number
}
export interface Certified {
  readonly label: string
  readonly member: string
  readonly role: 'member' | 'admin'
  /** In hex. */
  readonly serial: string
  /** Wall time in milliseconds. */
  readonly endsMillis: number
}

export function certify(
  { node, held, issuer }: Tools,
  name: string,
  order: CertifyOrder,
): Outcome<Certified> {
  const { role, lifeMillis } = order
  if (role === 'admin' && issuer.kind === 'admin')
    return refused(REFUSAL.notAuthorised, `only the authority of ${held.label} makes admins; ask it`)
  const ledger = held.ledger()
  const holders = held.grants().flatMap(({ id }) => ledger.holders(id).map(hex))
  const found = resolveHex(holders, name, 'member', REFUSAL.noSuchMember)
  if (!found.ok) return found
  const member = found.value
  const out = ledger.refused(unhex(member))
  if (out !== undefined) {
    const who = `${short(member)} is out of ${held.label} (${whyOut(out.why)})`
    return refused(REFUSAL.alreadyOut, `${who}, which stays so; invite it anew`)
  }
  const endsMillis = held.endOf(issuer, lifeMillis)
  const grant = makeGrant(node.crypto, node.keys, issuer, ledger.vlan, {
    holderKind: 'member',
    holder: unhex(member),
    role,
    end: endsMillis,
  })
  const outcome = ledger.add(grant.bytes)
  if (outcome !== 'added')
    return refused(REFUSAL.ledgerRefused, `the ledger does not take the grant: ${outcome}`)
  node.command({ kind: 'facts', port: held.kept.port, facts: [grant.bytes] })
  return done({ label: held.label, member, role, serial: hex(grant.id), endsMillis })
}
