/**
 * What the facts of a ledger say together: who is refused and why, which Grants stand, what certifies a
 * member (sec:B1, C2, C5, S9). Pure questions to a Book, without clock and without memory: the same facts
 * give the same answers whatever order they came in.
 *
 * The rules, in the words used below:
 *
 * - A key *holds* a serial if the Grant names it, or if it redeemed that invitation.
 * - A revocation of a key hits that key and burns every serial it holds; a revocation of a serial burns it
 *   and hits every key that holds it. It goes no further: who shares one leaked invitation with an evicted
 *   member loses that invitation, and no other Grant.
 * - An admin's revocation counts for nothing against a key that the authority made an admin, and for
 *   nothing if its issuer was revoked and the number is above what that revocation lets stand.
 * - A Grant is void if the admin who issued it was revoked and no such revocation keeps it.
 * - A Grant stands if it is neither burnt nor void, nor lost to an earlier key in the lineage.
 * - A key is refused if it is hit, if it left, or if it holds Grants and none stands. A key that holds no
 *   Grant at all is not refused; it is not certified.
 *
 * Leaving is final for the key, as the member key is one for each membership: who returns brings a new one.
 */
import { hex } from '../ids.ts'
import { AUTHORITY, type Book, issuerName } from './book.ts'
import type { Fact, Grant, Redemption, Revocation } from './facts.ts'
import type { WallMillis } from './fields.ts'
import { REFUSED, type Refused } from './refusals.ts'

/** Who came first: the history of additions in one line of epochs (sec:C5). */
export interface Lineage {
  /** In which epoch of the line the member was first added under the serial, 0 the founding; or never. */
  joined(serial: Uint8Array, member: Uint8Array): number | undefined
}

/** A line that is not known, or does not matter: then nobody lost a double redemption. */
export const NO_LINEAGE: Lineage = { joined: () => undefined }

/** Why a key is refused, and facts that show it to whoever has them. */
export interface RefusedKey {
  readonly why: Refused
  readonly facts: readonly Fact[]
}

/** What certifies a member: the chain that it shows at a door (sec:C4). */
export interface Certificate {
  readonly grant: Grant
  /** If the Grant is an invitation. */
  readonly redemption: Redemption | undefined
  /** Grant of the admin who issued; none if it was the authority. */
  readonly issuer: Grant | undefined
}

/** All facts of it, each after what it rests on; none of none. */
export function factsOf(certificate: Certificate | undefined): Fact[] {
  const { issuer, grant, redemption } = certificate ?? {}
  return [issuer, grant, redemption].filter((fact) => fact !== undefined)
}

/** Which facts may speak against somebody. */
type IsEvidence = (fact: Fact) => boolean

const ANY: IsEvidence = () => true

/**
 * Why the key is refused; undefined if it is not. With `isEvidence` only those facts may speak against it,
 * while all may speak for it: whether they suffice for somebody who has not heard the others (sec:M9).
 */
export function refusedKey(
  book: Book,
  key: string,
  lineage: Lineage,
  isEvidence: IsEvidence = ANY,
): RefusedKey | undefined {
  const hit = hitOf(book, key, isEvidence)
  if (hit !== undefined) return { why: REFUSED.revoked, facts: [hit] }
  const leave = book.leavesOfKey(key).find(isEvidence)
  if (leave !== undefined) return { why: REFUSED.left, facts: [leave] }
  let worst: Refused = REFUSED.lost
  const facts: Fact[] = []
  for (const serial of book.serialsOf(key)) {
    const fall = fallOf(book, serial, key, lineage, isEvidence)
    if (fall === undefined) return undefined
    if (RANK[fall.why] < RANK[worst]) worst = fall.why
    facts.push(fall.fact)
  }
  return facts.length === 0 ? undefined : { why: worst, facts: unique(facts) }
}

const RANK: Readonly<Record<Refused, number>> = { revoked: 0, left: 1, void: 2, lost: 3 }

interface Fall {
  readonly why: Refused
  readonly fact: Fact
}

/** Why a Grant does not stand for a key that holds it. */
function fallOf(
  book: Book,
  serial: string,
  key: string,
  lineage: Lineage,
  isEvidence: IsEvidence,
): Fall | undefined {
  const burnt = burntBy(book, serial, isProtected(book, key), isEvidence)
  if (burnt !== undefined) return { why: REFUSED.revoked, fact: burnt }
  const voided = voidedBy(book, serial, isEvidence)
  if (voided !== undefined) return { why: REFUSED.void, fact: voided }
  const winner = winnerOf(book, serial, lineage)
  if (winner === undefined || hex(winner.member) === key || !isEvidence(winner)) return undefined
  return { why: REFUSED.lost, fact: winner }
}

/**
 * Whether nobody can have the serial any more, who never held it included: what is asked of a Grant before
 * the Redemption that comes with it is looked at (sec:C5).
 */
export function fallenSerial(book: Book, serial: string): Refused | undefined {
  if (burntBy(book, serial, false, ANY) !== undefined) return REFUSED.revoked
  return voidedBy(book, serial, ANY) === undefined ? undefined : REFUSED.void
}

/** A revocation that hits the key; the one of lowest id. */
function hitOf(book: Book, key: string, isEvidence: IsEvidence): Revocation | undefined {
  const shielded = isProtected(book, key)
  let lowest = lowestOf(book, key, shielded, isEvidence)
  for (const serial of book.serialsOf(key))
    lowest = lower(lowest, lowestOf(book, serial, shielded, isEvidence))
  return lowest
}

/** A revocation that burns the serial, by itself or through any key that holds it; the one of lowest id. */
function burntBy(
  book: Book,
  serial: string,
  shielded: boolean,
  isEvidence: IsEvidence,
): Revocation | undefined {
  let lowest = lowestOf(book, serial, shielded, isEvidence)
  for (const key of book.keysOf(serial))
    lowest = lower(lowest, lowestOf(book, key, shielded || isProtected(book, key), isEvidence))
  return lowest
}

/** Only the authority revokes admins (sec:S9), whatever else they are. */
function isProtected(book: Book, key: string): boolean {
  return book.serialsOf(key).some((serial) => book.grant(serial)?.role === 'admin')
}

/** The first revocation of the target that counts, by id; `shielded`: admins' do not. */
function lowestOf(
  book: Book,
  target: string,
  shielded: boolean,
  isEvidence: IsEvidence,
): Revocation | undefined {
  const counts = (each: Revocation): boolean =>
    each.issuer === undefined || (!shielded && countsFromAdmin(book, each))
  return book.revocationsOf(target).find((each) => isEvidence(each) && counts(each))
}

/** Whether the revocations of the admin, if there are any, let this one of its own stand. */
function countsFromAdmin(book: Book, revocation: Revocation): boolean {
  const against = againstAdmin(book, issuerName(revocation))
  if (against.length === 0) return true
  return against.some((each) => revocation.number <= each.standing)
}

/** The revocation that voids the Grant: its issuer was revoked and no such revocation keeps it. */
function voidedBy(book: Book, serial: string, isEvidence: IsEvidence): Revocation | undefined {
  const grant = book.grant(serial)
  if (grant?.issuer === undefined) return undefined
  const against = againstAdmin(book, issuerName(grant))
  for (const revocation of against)
    for (const kept of revocation.kept) if (hex(kept) === serial) return undefined
  return against.find(isEvidence)
}

/** The authority's revocations that hit the admin of that serial, sorted by id. */
function againstAdmin(book: Book, serial: string): readonly Revocation[] {
  const grant = book.grant(serial)
  if (grant === undefined) return []
  const admin = hex(grant.holder)
  const found = [...book.revocationsOf(admin)]
  for (const held of book.serialsOf(admin)) found.push(...book.revocationsOf(held))
  return found.filter((each) => each.issuer === undefined).sort(byId)
}

/**
 * Of several keys that redeemed one invitation, the one whose Redemption stands: the first that the lineage
 * added (sec:C5). Undefined while it added none: then whoever comes first will.
 */
export function winnerOf(book: Book, serial: string, lineage: Lineage): Redemption | undefined {
  let winner: Redemption | undefined
  let earliest = Number.POSITIVE_INFINITY
  for (const redemption of book.redemptions(serial)) {
    const joined = lineage.joined(redemption.serial, redemption.member)
    // Two in one epoch: such a commit is invalid. The list is sorted, so even then all say the same.
    if (joined === undefined || joined >= earliest) continue
    winner = redemption
    earliest = joined
  }
  return winner
}

/** The standing Grant of the key that ends last, with what proves it; undefined if none stands. */
export function certificateOf(book: Book, key: string, lineage: Lineage): Certificate | undefined {
  if (hitOf(book, key, ANY) !== undefined || book.leavesOfKey(key).length > 0) return undefined
  let best: Grant | undefined
  for (const serial of book.serialsOf(key)) {
    const grant = book.grant(serial)
    if (grant === undefined || fallOf(book, serial, key, lineage, ANY) !== undefined) continue
    // Serials come sorted, so of two that end alike the lower is taken.
    if (best === undefined || grant.end > best.end) best = grant
  }
  return best === undefined ? undefined : chainOf(book, best, key)
}

/** The Grant with what proves it for a key that holds it. */
export function chainOf(book: Book, grant: Grant, key: string): Certificate {
  const serial = hex(grant.id)
  const issuer = issuerName(grant)
  return {
    grant,
    redemption: book.redemptions(serial).find((each) => hex(each.member) === key),
    issuer: issuer === AUTHORITY ? undefined : book.grant(issuer),
  }
}

/** Whether the certificate is in force at that wall time. The admin's Grant ends no sooner (admit.ts). */
export function isInForce(certificate: Certificate, at: WallMillis): boolean {
  return at < certificate.grant.end
}

function lower(left: Revocation | undefined, right: Revocation | undefined): Revocation | undefined {
  if (left === undefined || right === undefined) return left ?? right
  return byId(left, right) <= 0 ? left : right
}

function byId(left: Fact, right: Fact): number {
  const a = hex(left.id)
  const b = hex(right.id)
  return a < b ? -1 : a > b ? 1 : 0
}

function unique(facts: readonly Fact[]): Fact[] {
  return [...new Set(facts)].sort(byId)
}
