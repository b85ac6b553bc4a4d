/** Bounds and times of the ledger, each with its reason. */
import type { WallMillis } from './fields.ts'

const DAY_MILLIS: WallMillis = 86_400_000

/** How long facts outlive the Grant that they concern (sec:B1). */
export const KEPT_AFTER_END: WallMillis = 30 * DAY_MILLIS
/** Life of a Grant where nobody says otherwise: it bounds how long an eclipsed member can be fooled (sec:N6). */
export const GRANT_LIFE: WallMillis = 90 * DAY_MILLIS

/**
 * Facts of one issuer: 4,096 with the one Charter that is kept (sec:B1). Revocations have room of their own,
 * so that Grants in any number cannot keep one out: an authority's word is never lost (sec:B13). The shares
 * are a guess: members come three times for each that is thrown out.
 */
export const GRANTS_MAX = 3_072
export const REVOCATIONS_MAX = 1_023

/**
 * Keys that may redeem one invitation. One is honest, two are a collision that must be shown; the rest is
 * for a partition in several parts. Those who came first stay: an order that a latecomer with a leaked URL
 * could influence would let it push out the member's own Redemption.
 */
export const REDEMPTIONS_MAX = 4
