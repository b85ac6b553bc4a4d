/** Bounds and times of a group's logic, each with its reason. */
import { MILLISECOND, type Micros, SECOND } from '../io.ts'
import { PAYLOAD_BYTES_MAX } from '../vlan/plaintext.ts'

export const DAY: Micros = 86_400 * SECOND

// Branches.

/** States kept to roll back to, beside the adopted one (sec:B7). */
export const ROLLBACK_MAX = 4
/** How long one is kept, however unsettled its child is (sec:B7). */
export const ROLLBACK_LIFE: Micros = 30 * SECOND
/**
 * And how long one is kept, however settled: acks are said once, and who came late or lost some sees
 * another child settled. It must be able to go back when it meets the others, or it has to be added anew.
 * Guess: they are met within LOOK_AROUND, and a door session takes a few seconds.
 */
export const ROLLBACK_LEAST: Micros = 15 * SECOND
/** Left epochs whose members are remembered, for packets that still come: as many as are received under. */
export const RECENT_MAX = 6
/** MLS-IDs of the own line that are remembered, to find where two branches parted (sec:B11). */
export const LINEAGE_MAX = 1_024
/**
 * Of those, how many a Welcome tells, and for how many it says how they came from their parents, 66 bytes
 * each: branches that meet parted some epochs ago. Guesses; both together are 2 kB at most.
 */
export const LINEAGE_TOLD = 64
export const STEPS_TOLD = 16
/** Epochs for which acks are kept as evidence (sec:B11). */
export const FORKS_MAX = 64
/** Commits kept for members that come back, and for how long (sec:B12). */
export const LOG_MAX = 64
export const LOG_LIFE: Micros = 24 * 3_600 * SECOND
/** Bytes of that log: 64 ordinary commits of a large group, or a few of the longest. Guess. */
export const LOG_BYTES_MAX = 1_048_576

/** Members asked for the commits that one missed, before it asks to be added anew. Guess. */
export const LOGS_ASKED = 3
/** Commits of a log that cannot be followed for so long are no way to anywhere. Guess. */
export const LOG_WITHIN: Micros = 10 * SECOND

// Commits of others.

/** Rivals kept for one parent. Honest ones are two or three (R20: at most eight were tried). */
export const RIVALS_MAX = 16
/** Of one committer: one is honest, the second proves that it is not (sec:S17). */
export const RIVALS_OF_ONE_MAX = 2
/** How long a missing child is waited for before it is asked for: commits are seldom overtaken. Guess. */
export const WANT_AFTER: Micros = 150 * MILLISECOND
/** And so much longer, by a draw, for each member up to the most: one of those who miss it asks for all. */
export const WANT_TURN: Micros = 2 * MILLISECOND
export const WANT_SPREAD: Micros = 500 * MILLISECOND
/** Those who answer what all were asked do so within this time, unless another was first. Guess. */
export const REPAIR_SPREAD: Micros = 300 * MILLISECOND
/** No member says a commit again to all twice within this time: what many ask is one question. Guess. */
export const REPAIR_AGAIN: Micros = 1 * SECOND
/** And how long before it is asked for again. */
export const WANT_AGAIN: Micros = 600 * MILLISECOND
/** Children of the head that are known by name and not by their commit. Guess. */
export const UNSEEN_MAX = 8
/** A child that certified members show for so long and that cannot be followed (sec:B12). */
export const STUCK_AFTER: Micros = 2 * SECOND

// Own commits.

/** Longest handshake: it travels as one payload, which begins with the sender's leaf (sec:A7, A12). */
export const HANDSHAKE_BYTES_MAX = PAYLOAD_BYTES_MAX - 4
/**
 * After a commit that was too large half as many are added; each that passes lets so many more be tried. What
 * the path takes of a commit is known only when it is made (core/mls/limits.ts).
 */
export const ADDS_MORE = 8

/** How long joiners are collected, so that a crowd costs few epochs: "within 1 s" of sec:C5. */
export const ADD_BATCH: Micros = 700 * MILLISECOND
/**
 * And so much longer for each that waits, up to the most: a commit costs all members the same whatever it
 * adds, and who comes in a crowd waits for the epochs of those before it anyway. One alone never waits
 * longer than sec:C5 says. Guesses.
 */
export const ADD_BATCH_EACH: Micros = 50 * MILLISECOND
export const ADD_BATCH_MAX: Micros = 2 * SECOND
/** An own commit is sent again until somebody's ack shows that it arrived: after so long each time. */
export const RESEND_AFTER: readonly Micros[] = [400 * MILLISECOND, 1_200 * MILLISECOND]
/**
 * And so much later for each byte of it: three packets of 1,200 leave in 50 ms, and one where more members
 * are than so many (core/seal/limits.ts); an eighth of them is parity.
 */
export const SAY_PER_BYTE: Micros = 16
export const SAY_PER_BYTE_MANY: Micros = 47
export const SAY_PACED_FROM = 32
export const SAY_MANY_FROM = 200
/** Of a commit for each member, where many came in lately and few have a path of their own. Guess. */
export const COMMIT_BYTES_PER_MEMBER = 40
/**
 * New keys for those who are in already can wait for so many steps each until the next one steps in (sec:B5):
 * when the mesh parts, each would else take itself for the only one and make an epoch of its own. Guess.
 */
export const UNURGENT = 12
/** The longest that one's own slowness lengthens the wait before stepping in. Guess. */
export const SLOWNESS_MAX: Micros = 2 * SECOND
/**
 * What a commit of a large group takes to make, store and process, before this member has measured one:
 * about what the engine needs for each member on the reference machine (sim/mls/cost.ts).
 */
export const COMMIT_COST_PER_MEMBER: Micros = 250
/**
 * And so much more for each that it adds: 6 ms as measured with the real engine (test/bench/mls.ts), and as
 * much again for its share of the packets, which are paced (core/seal/limits.ts).
 */
export const COMMIT_COST_PER_ADD: Micros = 16 * MILLISECOND
/** A Welcome leaves when its child had no rival for so long, if it is not settled before (sec:B8). */
export const WELCOME_AFTER: Micros = 1 * SECOND
/**
 * It leaves although there is a rival if for so long nothing more was said for either: who could still turn
 * it is not there. Whoever waits for it asks again soon (ASK_AGAIN), and then with another KeyPackage. Guess.
 */
export const WELCOME_AFTER_RIVALS: Micros = 3 * SECOND
/** A Welcome is given up with the states that could still make it true. */
export const WELCOME_LIFE: Micros = 30 * SECOND
/** A key update follows the last commit of Adds only by so much (sec:B2, S19). */
export const REFRESH_AFTER_ADDS: Micros = 60 * SECOND
/** Time between two key updates of one member (sec:B2): a day, or a minute for each member. */
export const UPDATE_PERIOD: Micros = 24 * 3_600 * SECOND
export const UPDATE_PERIOD_PER_MEMBER: Micros = 60 * SECOND
/** Turns of members whose updates are due at once; an epoch of many members takes a second or two. Guess. */
export const UPDATE_TURN: Micros = 3 * SECOND
/** No update so soon after another epoch, and after its own time by so much no more. Guesses. */
export const UPDATE_QUIET: Micros = 2 * SECOND
export const UPDATE_LATE: Micros = 10 * SECOND
/** How often expired certificates are looked for: they end by the day, not by the second. */
export const EXPIRY_CHECK: Micros = 60 * SECOND
/** The salt of a branch changes after so long at the latest (sec:M11). */
export const SALT_LIFE_MILLIS = 7 * 86_400_000

// Joiners.

/**
 * Members that keep the door: twice as many as witnesses, so that in half of a VLAN that is split some are
 * left, and a crowd of twenty a second finds room at each of three of them (sec:C4). Guess.
 */
export const KEEPERS_MAX = 32
/**
 * Offers that are not in the group yet are said again after so long, and so much longer as a commit takes to
 * leave: the epoch may be another by then.
 */
export const OFFER_AGAIN: Micros = 1_500 * MILLISECOND
/** So many of those that one sponsor passes on are said, the oldest: what two commits can take. Guess. */
export const OFFERS_SAID_MAX = 128
/** KeyPackages that wait to be added: four commits full. */
export const OFFERS_MAX = 256
/** How long one waits; its owner asks again long before (sec:B8). */
export const OFFER_LIFE: Micros = 20 * SECOND
/** And how long that of a member, which may fold with hundreds: FOLD_EACH for the most, and then some. */
export const OFFER_LIFE_MEMBER: Micros = 60 * SECOND
/** Offers in one payload, and bytes of their KeyPackages: below what is cut into fragments (sec:A12). */
export const OFFERS_IN_ONE_MAX = 64
export const OFFERS_BYTES_MAX = 60_000
/** Where a Welcome reaches its joiner, opaque here: an address of the door. Guess. */
export const ROUTE_BYTES_MAX = 64
/**
 * How long a joiner waits for its Welcome before it asks with another KeyPackage; doubled up to the most. In
 * a crowd a Welcome takes six seconds, and one for a KeyPackage that was given up is of no use.
 */
export const ASK_AGAIN: Micros = 8 * SECOND
export const ASK_AGAIN_MAX: Micros = 60 * SECOND
/**
 * And so much longer where it folds, for each commit full of members that fold with it: a KeyPackage that is
 * given up while its turn is still to come has to wait for another one, and leaves a leaf that nobody has.
 */
export const FOLD_EACH: Micros = 5 * SECOND
/** Turned away so often, a joiner asks no more: by as many as answer one call (sec:C4). */
export const TURNED_AWAY_MAX = 3
/** A joiner whose epoch shows no living member in so long asks again (sec:B8). */
export const LIVE_WITHIN: Micros = 3 * SECOND
/** The same after a start from the disk, when the node has yet to find its place in the mesh. Guess. */
export const LIVE_AGAIN_WITHIN: Micros = 30 * SECOND
/** When no door answers for so long, a certified member may found a lineage (sec:C7). */
export const FOUND_AFTER: Micros = 60 * SECOND
/** Facts that go with a Welcome, so that the new members beside oneself can be judged. */
export const WELCOME_FACTS_MAX = 4 * OFFERS_IN_ONE_MAX

// Facts.

/** New facts are repeated after these times: broadcasts get lost. */
export const REPEAT_FACTS: readonly Micros[] = [300 * MILLISECOND, 1_500 * MILLISECOND]
/** Facts that certify newcomers are collected for so long before they are said. Guess. */
export const SPREAD_AFTER: Micros = 250 * MILLISECOND
/** So many of them are said without waiting: more would not fit few packets. Guess. */
export const UNSPREAD_MAX = 64
/** New facts that wait to be told to one joiner: those of eight commits full. It asks for what is missing. */
export const NEWS_MAX = 1_024
/** Batches of facts that wait to be repeated. */
export const REPEATS_MAX = 32
/** Ledgers are compared with some other member about this often, ± 50 % (as cards are sent, sec:A7). */
export const COMPARE_PERIOD: Micros = 60 * SECOND
/** And that soon when a commit shows another digest than one's own. */
export const COMPARE_SOON: Micros = 2 * SECOND
/** Not before no new fact has come for so long: the next commit of a crowd brings some. Guess. */
export const COMPARE_QUIET: Micros = 5 * SECOND
/** And spread over so long for each member, where they are many: all saw the same commit. Guess. */
export const COMPARE_TURN: Micros = 20 * MILLISECOND
/** Exchanges that are answered within a second: more is a flood, the rest is found again. Guess. */
export const ANSWERS_PER_SECOND = 50
/** Of those who hear a question that went to all because the one it is for was not known, so many answer. */
export const ANSWERERS = 4
/** The ledger is stored at most this often. */
export const STORE_LEDGER_AFTER: Micros = 1 * SECOND

// Branches that meet.

/** Door sessions at once. */
export const SESSIONS_MAX = 16
/** Idle so long, a session is closed (sec:C4). */
export const SESSION_LIFE: Micros = 30 * SECOND
/** Each of those who could go waits so long for the one of lower rank; as for commits (sec:B5). */
export const MEET_STEP: Micros = 400 * MILLISECOND
/**
 * Whoever was not told by then that somebody goes, goes itself: it may be the only one that is cut off. The
 * spread keeps the others of a large branch from going at once. Guess.
 */
export const MEET_LATEST: Micros = 4 * SECOND
export const MEET_SPREAD: Micros = 8 * SECOND
/** At most ten of a large branch go in a second, so that one who was put out cannot make all of them call. */
export const MEET_SPREAD_EACH: Micros = 100 * MILLISECOND
/** Nobody tries again before. */
export const MEET_AGAIN: Micros = 5 * SECOND
/**
 * How often the first in rank calls for members of other epochs. Branches whose salts differ send to tokens
 * that the others do not listen to: nothing of the other one is ever heard, and only doors are in common.
 */
export const LOOK_AROUND: Micros = 10 * SECOND
/** A branch that still has a refused member after so long is compared as it is. */
export const CLEAN_WITHIN: Micros = 10 * SECOND
/** No second fold before (sec:B11). */
export const FOLD_AGAIN: Micros = 10 * SECOND
/**
 * The only member of its epoch, restored, waits so long before it commits and lets others in. Nobody else can
 * have gone on from there; but it may have been a backup, and who was let in since shows in this time. Guess:
 * two rounds of knocking.
 */
export const CAUTIOUS_ALONE: Micros = 5 * SECOND
/** A member says what speaks against a fold at most this often, whoever says folds. Guess. */
export const OBJECT_AGAIN: Micros = 1 * SECOND
/**
 * Members that fold spread their KeyPackages over so long, and over so much longer as there are more of them
 * than one commit adds: two hundred that went to one member at once were lost by the third.
 */
export const FOLD_SPREAD: Micros = 500 * MILLISECOND
/** And say them again after so long, while they wait: a commit of a large group takes as long. Guess. */
export const FOLD_OFFER_AGAIN: Micros = 4 * SECOND
/** KeyPackages that one session leads over, again among them. Guess: twice the largest VLAN measured. */
export const FORWARDED_MAX = 1_024
/** Whoever is refused tells the others and then ends. */
export const FAREWELL: Micros = 2 * SECOND

/** Effects of one step: a full flush of offers, facts and Welcomes is some hundred. Guess. */
export const EFFECTS_MAX = 4_096

/** A member whose card was heard within this time is there (sec:B5). */
export const HEARD_WITHIN: Micros = 60 * SECOND
/**
 * Who came in with one of so many last epochs commits only if nobody else does: among 500 a Welcome takes
 * eight seconds, and a commit four. Counted in epochs, which all see alike.
 */
export const NEWCOMER_EPOCHS = 3
/** But only where at least so many keep the door who were in before: few have too much to do. Guess. */
export const SETTLED_LEAST = 8
/** Cards come about once in twice this time: half of those in the same part of the mesh. */
export const HEARD_JUST_NOW: Micros = 30 * SECOND
