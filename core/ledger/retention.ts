/**
 * When facts may go: 30 days after the end of the Grant they concern (sec:B1), and not before everything
 * that they tell something about has gone too. Reads a Book and a wall time, and changes nothing.
 *
 * More than that sentence of the text is needed, or time would undo what facts said. A key with a newer
 * Grant keeps its older ones, because a revocation of the old serial hits the key. An admin's revocations
 * outlive its own Grant while their targets have Grants that live on, and the Grant stays with them, because
 * it proves them. Revocations by the authority stay until a Charter calls them settled.
 */
import { hex } from '../ids.ts'
import type { Book } from './book.ts'
import { FACT, type Fact, type Grant, type Revocation } from './facts.ts'
import type { WallMillis } from './fields.ts'
import { KEPT_AFTER_END } from './limits.ts'

type IsKept = (key: string) => boolean

/** Whether a fact that just came is too late to be taken in. */
export function isOver(book: Book, fact: Fact, now: WallMillis): boolean {
  switch (fact.kind) {
    case FACT.charter:
      return false
    case FACT.grant:
      return isPast(fact, now) && !(fact.holderKind === 'member' && isLive(book, hex(fact.holder), now))
    case FACT.redemption:
    case FACT.leave: {
      const grant = book.grant(hex(fact.serial))
      return grant !== undefined && isPast(grant, now) && !isLive(book, hex(fact.member), now)
    }
    case FACT.revocation:
      return isIdle(book, fact, now)
  }
}

/** The rounds in which old facts are dropped: each looks at what the one before left. */
export const ROUNDS: readonly ((book: Book, now: WallMillis, isKept: IsKept) => Fact[])[] = [
  pastMembers,
  (book, now) => [...book.facts()].filter((fact) => fact.kind === FACT.revocation && isIdle(book, fact, now)),
  pastAdmins,
]

/** Grants of members that ended and all that hangs on them. */
function pastMembers(book: Book, now: WallMillis, isKept: IsKept): Fact[] {
  const over: Fact[] = []
  for (const fact of book.facts()) {
    if (fact.kind !== FACT.grant || fact.role === 'admin' || !isPast(fact, now)) continue
    const serial = hex(fact.id)
    if (book.keysOf(serial).some((key) => isKept(key) || isLive(book, key, now))) continue
    over.push(fact, ...book.redemptions(serial), ...book.leavesOfSerial(serial))
  }
  return over
}

/** Grants of admins that ended, once nothing is left that they issued. */
function pastAdmins(book: Book, now: WallMillis, isKept: IsKept): Fact[] {
  const over: Fact[] = []
  for (const fact of book.facts()) {
    if (fact.kind !== FACT.grant || fact.role !== 'admin' || !isPast(fact, now)) continue
    const serial = hex(fact.id)
    const key = hex(fact.holder)
    if (book.issued(serial) !== undefined || isKept(key) || isLive(book, key, now)) continue
    over.push(fact, ...book.leavesOfSerial(serial))
  }
  return over
}

/** An admin's revocation whose issuer's Grant ended and whose target holds nothing any more. */
function isIdle(book: Book, fact: Revocation, now: WallMillis): boolean {
  const admin = fact.issuer === undefined ? undefined : book.grant(hex(fact.issuer))
  if (admin === undefined || !isPast(admin, now)) return false
  const target = hex(fact.target.bytes)
  return fact.target.kind === 'serial'
    ? book.grant(target) === undefined
    : book.serialsOf(target).length === 0
}

function isPast(grant: Grant, now: WallMillis): boolean {
  return grant.end + KEPT_AFTER_END < now
}

/** Whether the key holds a Grant that is not past. */
function isLive(book: Book, key: string, now: WallMillis): boolean {
  return book.serialsOf(key).some((serial) => {
    const grant = book.grant(serial)
    return grant !== undefined && !isPast(grant, now)
  })
}
