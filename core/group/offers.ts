/**
 * KeyPackages of those who want in, as sponsors pass them on (sec:C5): a bounded pool from which whoever
 * commits next takes its Adds. An offer says who it is of; that its KeyPackage says the same is seen when
 * the commit has been made.
 */
import { hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { verifyCredential } from '../ledger/certificate.ts'
import type { ProposalFacts } from '../ledger/commit-data.ts'
import type { WallMillis } from '../ledger/fields.ts'
import { factsForAdd } from '../ledger/proposals.ts'
import { factsOf } from '../ledger/standing.ts'
import type { Epoch } from './epoch.ts'
import { OFFER_LIFE, OFFER_LIFE_MEMBER, OFFERS_BYTES_MAX, OFFERS_IN_ONE_MAX, OFFERS_MAX } from './limits.ts'
import type { Offer } from './messages.ts'
import type { GroupState, PooledOffer } from './state.ts'

/** Takes in an offer; whether it is new and may be of use. */
export function takeOffer(group: GroupState, now: Micros, offer: Offer): boolean {
  const { counts, crypto } = group.ports
  const identity = verifyCredential(crypto.signatures, group.ledger.vlan, offer.credential, offer.leafKey)
  if (typeof identity === 'string') {
    counts.add('offerRefused')
    return false
  }
  const name = hex(identity.memberKey)
  const known = group.offers.get(name)
  if (known !== undefined && known.joinNumber >= identity.joinNumber) return false
  if (known === undefined && group.offers.size >= OFFERS_MAX) {
    counts.add('boundOffers')
    return false
  }
  const pooled = {
    offer: copyOf(offer),
    member: identity.memberKey.slice(),
    joinNumber: identity.joinNumber,
    serial: identity.serial.slice(),
    since: now,
  }
  group.offers.delete(name)
  group.offers.set(name, pooled)
  group.wakeBy(now)
  return true
}

function copyOf({ route, credential, leafKey, keyPackage }: Offer): Offer {
  return {
    route: route.slice(),
    credential: credential.slice(),
    leafKey: leafKey.slice(),
    keyPackage: keyPackage.slice(),
  }
}

/** Those that an epoch has taken in, and those that are too old, go. */
export function forgetOffers(group: GroupState, now: Micros, head: Epoch): void {
  for (const [name, { joinNumber, since }] of group.offers) {
    const leaf = head.leafOf.get(name)
    const present = leaf === undefined ? undefined : head.roster.get(leaf)?.identity.joinNumber
    const life = leaf === undefined ? OFFER_LIFE : OFFER_LIFE_MEMBER
    if (since + life <= now || (present !== undefined && present >= joinNumber)) group.offers.delete(name)
  }
}

export interface Addition {
  readonly name: string
  readonly pooled: PooledOffer
  readonly facts: ProposalFacts
  /** The leaf that it takes the place of. */
  readonly replaces: number | undefined
}

/** Offers that a commit on the head may add now, in the order they came. */
export function additions(group: GroupState, head: Epoch, wall: WallMillis, limit: number): Addition[] {
  const found: Addition[] = []
  const serials = new Set<string>()
  for (const [name, pooled] of group.offers) {
    if (found.length >= limit) break
    const identity = { memberKey: pooled.member, serial: pooled.serial, joinNumber: pooled.joinNumber }
    const facts = factsForAdd(group.ledger, identity, group.spent, wall)
    const serial = hex(pooled.serial)
    if (facts === undefined || serials.has(serial) || isSpent(group, pooled)) continue
    serials.add(serial)
    const replaces = head.leafOf.get(name)
    // Nobody removes its own leaf.
    if (replaces === head.ownLeaf) continue
    found.push({ name, pooled, facts, replaces })
  }
  return found
}

function isSpent(group: GroupState, { serial, member }: PooledOffer): boolean {
  const winner = group.ledger.winner(serial, group.spent)
  return winner !== undefined && hex(winner) !== hex(member)
}

/** When the first and the last offer came; NEVER and 0 for none. A sign only: it does not ask the ledger. */
export function spanOfOffers(group: GroupState): { readonly oldest: Micros; readonly newest: Micros } {
  let [oldest, newest] = [NEVER, 0]
  for (const { since } of group.offers.values()) {
    oldest = Math.min(oldest, since)
    newest = Math.max(newest, since)
  }
  return { oldest, newest }
}

/** The facts on which an offer rests, each after what it rests on itself. */
export function certifying(group: GroupState, { member, serial }: PooledOffer): Uint8Array[] {
  return factsOf(group.ledger.chain(member, serial)).map((fact) => fact.bytes)
}

/** What is said of an offer. */
interface Sized {
  readonly offer: Offer
  readonly facts: readonly Uint8Array[]
}

/** Offers in as many lists as their sizes need. */
export function inBatches<Item extends Sized>(items: readonly Item[]): Item[][] {
  const batches: Item[][] = []
  let batch: Item[] = []
  let bytes = 0
  for (const item of items) {
    const { offer, facts } = item
    const certified = facts.reduce((sum, fact) => sum + fact.length + 2, 0)
    const size = offer.keyPackage.length + offer.route.length + 160 + certified
    if (batch.length >= OFFERS_IN_ONE_MAX || bytes + size > OFFERS_BYTES_MAX) {
      batches.push(batch)
      batch = []
      bytes = 0
    }
    batch.push(item)
    bytes += size
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
