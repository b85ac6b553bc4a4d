/** Bounds and times of the door, each with its reason. It knows nothing else. */
import { MILLISECOND, MINUTE, type Micros, SECOND } from '../io.ts'
import { KEY_PACKAGE_BYTES_MAX, TREE_BYTES_MAX } from '../mls/limits.ts'

// Who answers (sec:C4).

/** Live members of lowest hash that answer a call at once, and those that do if these are silent. */
export const RESPONDERS = 3
/** How long the second three wait for a sign that one of the first was taken. */
export const SECOND_WAVE: Micros = SECOND

/** How often a member looks whether it is one of those that keep the door. Guess. */
export const KEEPERS_REVIEW: Micros = 10 * SECOND

/**
 * A branch that is called again within this time has not answered: whoever is first in rank there is gone, or
 * in another branch as well. So four times as many answer each time. Guesses.
 */
export const UNHEARD_WITHIN: Micros = 15 * SECOND
export const UNHEARD_FACTOR = 4
/** Branches that were called for lately. */
export const SOUGHT_MAX = 8

// What a member does for strangers (sec:C5, S12).

/** Packets with the door's token that are opened, a second: half a core's per mille. As in sec:S12. */
export const OPENS_PER_SECOND = 1_000
/** Calls that are answered and proofs of callers that are looked at, a second each (sec:C5). */
export const CALLS_PER_SECOND = 20
/** Callers of one generation: what comes in a minute at the rate above. There are two generations. */
export const CALLERS_MAX = 1_200
/** A caller has at least so long to come back with its proof; at twice that it is forgotten. */
export const CALLER_LIFE: Micros = MINUTE
/** Sessions that one member serves at a time. Guess: each holds at most what TREE_BYTES_MAX says. */
export const SESSIONS_MAX = 16

// A session.

/** Closed when nothing new came for so long (sec:C4). */
export const SESSION_IDLE: Micros = 30 * SECOND
/** Whatever comes: a session that crawls must not hold its place for ever. Guess: 1 MiB at 10 kB/s. */
export const SESSION_LIFE: Micros = 5 * MINUTE
/** Pieces under way in each direction: 40 kB, so 0.4 MB/s at a round trip of 100 ms. Guess. */
export const PIECES_IN_FLIGHT = 32
/** Wait before a piece is sent again while no round trip was measured, and its bounds after that. */
export const RESEND_FIRST: Micros = 500 * MILLISECOND
export const RESEND_MIN: Micros = 100 * MILLISECOND
export const RESEND_MAX: Micros = 4 * SECOND
/** Times that one piece is sent: at 30 % of loss each way a piece in 30 000 is given up. */
export const SENDS_MAX = 16
/** Acknowledgements wait so long for a companion, or for so many pieces. */
export const ACK_DELAY: Micros = 20 * MILLISECOND
export const ACK_EVERY = 8

// Messages of a session.

/** A commit of the log or facts of a ledger, as they travel elsewhere, and their framing (sec:A12, S18). */
const SMALL_MESSAGE_BYTES_MAX = 66_560
/**
 * Longest message: a Welcome with the ratchet tree (sec:S18), and with the facts of those it adds: 64 Grants
 * by an authority of sixteen with what goes with them have 140 kB.
 */
export const MESSAGE_BYTES_MAX = TREE_BYTES_MAX + 262_144
/** What a caller that wants in may send in one message: facts of the exchange, or its KeyPackage. */
export const CALLER_MESSAGE_BYTES_MAX = Math.max(SMALL_MESSAGE_BYTES_MAX, KEY_PACKAGE_BYTES_MAX)
/** Bytes that wait to be sent in one session: a Welcome and what goes before it, or a log in portions. */
export const QUEUE_BYTES_MAX = 2 * MESSAGE_BYTES_MAX
/** Openings of an exchange of ledgers in one session, each of which may leave a rest. Guess. */
export const EXCHANGES_MAX = 8
/** MLS-IDs of a lineage that are shown (sec:B11). */
export const LINEAGE_MAX = 1_024
/** Acks of one parent: one for each witness (sec:B5). */
export const ACKS_MAX = 16
/** Commits of the log in one answer (sec:B12). */
export const LOG_MAX = 64
/** Members asked for a log, and how long others are waited for after the first that has none. Guesses. */
export const LOGS_ASKED = 3
export const LOG_WITHIN: Micros = 10 * SECOND
/** KeyPackages that one session brings: a fold of the largest VLAN in batches of 64 (sec:B11). Guess. */
export const KEY_PACKAGES_MAX = 512

// The caller.

/**
 * A call is repeated, under another key, if nobody answered: a slow round trip. The next time the second wave
 * is waited for as well.
 */
export const CALL_AGAIN: Micros = 1_500 * MILLISECOND
/** The wait between calls grows, by as much each time, up to this while nobody answers. */
export const CALL_AGAIN_MAX: Micros = 15 * SECOND
/** Answers to calls that are looked at, a second: six are honest. */
export const ANSWERS_PER_SECOND = 20
/** A proof is repeated this often, after RESEND_FIRST doubling; then another sponsor is asked. */
export const PROOFS_MAX = 5
/** Sponsors that are not asked again for a time, and the times: after a failure, and after a lie. */
export const SHUNNED_MAX = 64
export const SHUN_FAILED: Micros = 30 * SECOND
export const SHUN_LIED: Micros = 10 * MINUTE
/** Without a Welcome in this time another sponsor is asked: the Add is made within 1 s (sec:C5). Guess. */
export const WELCOME_WITHIN: Micros = 20 * SECOND
/** Without a live card of the epoch in this time the Welcome was of a dead branch (sec:B8). */
export const CARD_WITHIN: Micros = 3 * SECOND
/** Cards of other members that the salt is compared with (sec:C6). */
export const CARDS_COMPARED = 2
/** When no door answers for so long a certified member may found a lineage (sec:C7). */
export const FOUND_AFTER: Micros = MINUTE
/** Knocks that are pursued at a time, one for each purpose, and how long; the group asks again. Guess. */
export const KNOCK_WITHIN: Micros = 20 * SECOND
/** A session that the group closed is kept for so long to deliver what was said before. Guess. */
export const CLOSE_WITHIN: Micros = 5 * SECOND
/** Welcomes that are to be delivered: those of four commits (sec:B4). */
export const DELIVERIES_MAX = 256
/** And under way at a time: a crowd's together would be many megabytes in flight. Guess. */
export const DELIVERIES_AT_ONCE = 32
/** A Welcome that is not delivered after so long is given up: the joiner asks again. Guess. */
export const DELIVER_WITHIN: Micros = 30 * SECOND
/** A joiner that takes longer than so to answer holds its place no more while others wait. Guess. */
export const DELIVER_TURN: Micros = 5 * SECOND
/** Route proofs: how long one lasts and when it is renewed, at half of that. */
export const ROUTE_LIFETIME_SECONDS = 600
export const ROUTE_RENEW: Micros = (ROUTE_LIFETIME_SECONDS / 2) * SECOND
/** The route for answers stays registered for so long after the last need: callers come in groups. Guess. */
export const ROUTE_LINGER: Micros = MINUTE
