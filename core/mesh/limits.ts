/**
 * The fixed parameters of membership, each with its source or the admission that it is a guess. What an
 * operator or a scenario may change is in core/config.ts; these follow from one another.
 */
import { MINUTE, type Micros, SECOND } from '../io.ts'

/** Dials under way at any time (mesh:S11). */
export const DIALS_AT_ONCE = 3
/** A dial that takes longer will rather fail: another is tried beside it. Guess: 4 long round trips. */
export const DIAL_PATIENCE: Micros = SECOND
/** The world gives a dial up after 3 s (mesh:S11); one it never reports is given up here. Guess. */
export const DIAL_LIMIT: Micros = 10 * SECOND
/** A link on which nobody became a neighbour by then is hung up. Guess: ten slow round trips. */
export const HANDSHAKE_LIMIT: Micros = 5 * SECOND
/**
 * Two links to one peer, opened by different ends within this time, are simultaneous dials. Further
 * apart, the newer replaces the older, which its other end must have lost. A dial takes 3 s at most.
 */
export const SIMULTANEOUS: Micros = 5 * SECOND

/** A dial that failed is repeated after this long, doubled each time up to the longest. Guesses. */
export const RETRY_FIRST: Micros = SECOND
export const RETRY_LONGEST: Micros = MINUTE
/** The longest wait for a contact while there are fewer relay neighbours than wanted. Guess. */
export const RETRY_ISOLATED: Micros = 15 * SECOND
/** A passive peer that failed this often is forgotten, unless nobody else is known. Guess: 15 s of trying. */
export const FAILURES_MAX = 5
/**
 * Who was given up is not taken from hearsay for this long, doubled each time up to the longest. The first is
 * 20 times the trying that it costs, the longest about a session (hours), after which machines move. Guesses.
 */
export const UNREACHED_FIRST: Micros = 5 * MINUTE
export const UNREACHED_LONGEST: Micros = 60 * MINUTE
/** Remembered at once: a few passive views. Guess. */
export const UNREACHED_MAX = 128
/**
 * So many peers in a row, known from hearsay alone, that could not be reached: hearsay is of little use
 * here. Then configured contacts come first, and one more failure after the first gives a peer up. With half
 * of all peers gone it happens by chance once in 256 times. Guess.
 */
export const HEARSAY_PATIENCE = 8
export const FAILURES_DOUBTFUL = 2
/** A neighbour that was lost sooner counts as another failure of its contact: the link is bad. Guess. */
export const STEADY_AFTER: Micros = MINUTE
/** A peer that refused is full, not dead: others are asked first. Doubled by 4 refusals in a row. Guesses. */
export const REFUSED_PAUSE: Micros = 10 * SECOND
export const REFUSED_LONGEST: Micros = 2 * MINUTE
/** A swap that did not come about is not tried again with the same peer for this long. Guess: 5 periods. */
export const SWAP_PAUSE: Micros = 10 * MINUTE
/** After one end replaced the link by a better one, the other does not dial it back at once. Guess. */
export const REPLACED_PAUSE: Micros = MINUTE
/** A peer that said goodbye is not dialled for this long. Guess: longer than most restarts. */
export const LEFT_PAUSE: Micros = 5 * MINUTE
/** After so many refusals in a row a node with too few relays asks with high priority. Guess. */
export const REFUSALS_PATIENCE = 3

/** Contacts kept from bootstrap lists. Guess: lists in use name 3 to 8. */
export const CONTACTS_MAX = 16
/** Contacts joined at the start and after isolation. One each could leave the mesh in as many parts. */
export const JOINS_OWED = 2
/**
 * Parts of a split mesh find each other again because a relay that lost a neighbour without a word asks a
 * contact, or a peer it lost, for a link: after the first time, doubling to the longest, then for ever at
 * that. So a split heals in a time like its own length at most. Each relay draws its times from a wide range:
 * with n of them that lost neighbours somebody asks n times as often, at the cost of the same dials. Guesses.
 */
export const ANCHOR_FIRST: Micros = 10 * SECOND
export const ANCHOR_LONGEST: Micros = 10 * MINUTE

/** Neighbours that are relays with other choices: 1.5 targets, so that degrees are 6 to 9. Guess. */
export const CROWD_FACTOR = 1.5
/** While there are more than that, one is sent away this often, none that is younger. Guesses. */
export const TRIM_PERIOD: Micros = 2 * SECOND
export const TRIM_AGE: Micros = 10 * SECOND

/** Relays a leaf keeps (mesh:M4); a relay wants them for half of its target. */
export const LEAF_RELAYS = 2

/** Copies of a FORWARD_JOIN. HyParView sends one to each neighbour; here the reply names further peers. */
export const JOIN_WALKS = 3
/** Descriptors in the answer to a JOIN: what a crowd at few contacts lives on before any walk ends. Guess. */
export const JOIN_SAMPLE = 8
/** Descriptors in a refusal, so that asking was not in vain. Guess. */
export const REFUSAL_SAMPLE = 4
/**
 * SHUFFLE carries the own descriptor, 2 of neighbours and 2 of the passive view, its reply one less.
 * HyParView has 3 + 4 and a direct reply; here the reply goes back over the walk's 6 hops, and with
 * 4 + 4 both ways that would be 45 B/s for each node instead of 28.
 */
export const SHUFFLE_ACTIVE = 2
export const SHUFFLE_PASSIVE = 2
export const REPLY_ACTIVE = 1
export const REPLY_PASSIVE = 2
/** Descriptors in any one message. */
export const DESCRIPTORS_MAX = 8
/** Walks whose way back is known, and for how long: six hops and back take 3 s at worst. Guesses. */
export const WALKS_MAX = 64
export const WALK_LIFE: Micros = 10 * SECOND
/** A node short of neighbours that knows nobody to dial shuffles this soon, doubling to the period. Guess. */
export const HUNGER_FIRST: Micros = 2 * SECOND

/**
 * JOIN and NEIGHBOUR of all peers together, a second, and as many FORWARD_JOIN. Guess: a crowd of 1,000 in
 * 10 s.
 */
export const ARRIVALS_RATE = 100
export const ARRIVALS_BURST = 200
/** JOIN and NEIGHBOUR of one peer. Honest ones wait a second after the first failure, then more. Guesses. */
export const ARRIVALS_OF_PEER_RATE = 0.5
export const ARRIVALS_OF_PEER_BURST = 10
/** Peers whose rate is kept: those that came in the last seconds of the largest crowd. Guess. */
export const ARRIVALS_PEERS_MAX = 256
/** FORWARD_JOIN of one neighbour when the others use up what all have together; begins empty. Guesses. */
export const FORWARDS_RESERVE_RATE = 2
export const FORWARDS_RESERVE_BURST = 20
/** SHUFFLE and its reply from one neighbour, a second; 0.02 is usual. Guesses. */
export const SHUFFLES_RATE = 2
export const SHUFFLES_BURST = 20
/**
 * Round trips that one link may move the own coordinates by, a second: HELLOs that answer data come once a
 * second, and what is more is a liar's. Two at once, since answers bunch up on the way.
 */
export const SAMPLES_RATE = 1
export const SAMPLES_BURST = 2

/**
 * Entries of a full passive view that may be replaced by what one neighbour says, a second: usual is 0.012
 * (9 in 120 s, of six neighbours). So a liar among them holds a third of the view after a quarter of an
 * hour, and not all of it after seconds. At once two honest shuffles; as many at first if we dialled it,
 * for what it answers to that, else none. Strangers who ask and are refused share one such limit. Guesses.
 */
export const REPLACED_RATE = 2 / 60
export const REPLACED_BURST = 10

/** A neighbour is replaced by a peer whose round trip is at most this share of its own (mesh:S11). */
export const SWAP_GAIN = 0.8
/** Peers that asked for a swap and are on trial at once, beside the one that this node asked. Guess. */
export const TRIALS_MAX = 2
/** Neighbours kept whatever their round trip, so that the mesh stays a random graph too. Guess. */
export const UNBIASED = 2
