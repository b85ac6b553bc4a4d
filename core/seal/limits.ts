/**
 * The fixed parameters of sealing, each with its source or the admission that it is a guess. What a VLAN's
 * Charter or an operator may change is among the options of `Sealer`; these follow from one another.
 */
import { MILLISECOND, MINUTE, type Micros, SECOND } from '../io.ts'

const HOUR: Micros = 60 * MINUTE

/** How much one key may seal (sec:A10, S4). */
export interface KeyLimits {
  readonly packets: number
  /** Of 16 bytes. */
  readonly blocks: number
  readonly age: Micros
  /** Packets of this member under one channel key, whose nonces are 64 random bits (sec:A7). */
  readonly channelPackets: number
}

export const KEY_LIMITS: KeyLimits = {
  packets: 4_294_967_295,
  blocks: 34_359_738_368,
  age: HOUR,
  channelPackets: 1_048_576,
}
/** Blocks of GCM beside those of the text: the header's four, the lengths, and the mask of the tag. */
export const EXTRA_BLOCKS = 6
/** Failed openings after which a key is retired: 2^36 (sec:S4). */
export const FAILURES_MAX = 68_719_476_736

/** Members of one roster; beyond it an MLS tree is out of reach anyway. Guess. */
export const MEMBERS_MAX = 4_096
/** Keys that share an index; a fifth is refused, so that no look-up is long (sec:A4). */
export const BUCKET_MAX = 4
/** Receiving keys of an epoch: two group keys and two sessions for each of the most members. Guess. */
export const KEYS_MAX = 4 * MEMBERS_MAX
/** Receiving sessions kept for each sender (sec:A9). */
export const RECEIVING_MAX = 4
/** Starts of one member that are heard of at once: more is a crash loop or a lie. Guess. */
export const LIVES_MAX = 4
/** Members that are in no epoch now, remembered in case a branch that has them is adopted. Guess. */
export const ABSENT_MAX = 256
/** Boots of one member remembered as left: a crash loop of a day would have more. Guess. */
export const LEFT_BOOTS_MAX = 32
/** Channel keys cached for each epoch: the tokens that a port may hold. */
export const CHANNELS_MAX = 2_048

/** How long the parent is sealed under after a commit that removes nobody (sec:B10, S15). */
export const PARENT_GRACE: Micros = 300 * MILLISECOND
/** How long a left epoch is received under (sec:B10). */
export const LEFT_EPOCH_LIFE: Micros = 10 * SECOND
/** Left epochs at once: a crowd of commits leaves one in 1.25 s. The oldest goes first. Guess. */
export const LEFT_EPOCHS_MAX = 8
/** MLS-IDs remembered as used in one life, as many as a lineage keeps (sec:B11). */
export const USED_EPOCHS_MAX = 1_024

/** Packets of an unknown epoch: time, and bytes for each link and in all (sec:A4, S12). */
export const EPOCH_HOLD: Micros = 2 * SECOND
export const EPOCH_HOLD_LINK_BYTES = 65_536
export const EPOCH_HOLD_BYTES = 524_288
/** Packets of an unknown index, while an INIT may be under way (sec:A4). */
export const INDEX_HOLD: Micros = 100 * MILLISECOND
export const INDEX_HOLD_PACKETS = 16
/** Frames that wait for a clean epoch (sec:B9). */
export const FROZEN_FRAMES = 64
export const FROZEN_LIFE: Micros = 2 * SECOND
/**
 * What is cut to go to many members leaves so many packets at a time: a commit that adds 64 is 22 packets, of
 * which a relay makes sixty copies each and takes more than 2,000 a second for a storm (mesh:S6).
 */
export const PACE_STEP = 3
/**
 * Where more members are than this, one at a time: a commit alone would use up what a relay lets pass in a
 * second, and whoever then loses one packet of it needs all of them again.
 */
export const PACE_ALONE_FROM = 200
export const PACE_PAUSE: Micros = 50 * MILLISECOND
/** Packets that wait so: forty such commits, or what leaves before its epoch is received under no more. */
export const PACED_MAX = 1_024
export const PACED_ALONE_MAX = 240
/**
 * To one member no relay makes copies, but a trunk's queue holds 64 packets: a quarter of it at a time. What
 * waits is bounded as above: several may ask one member for the same long commit.
 */
export const PACE_TO_ONE_STEP = 16
/** Waiting frames that leave in one step, and held packets opened: bulk work is paced (mesh:M15). Guesses. */
export const FLUSH_STEP = 8
export const REOPEN_STEP = 64
export const STEP_PAUSE: Micros = MILLISECOND

/** Of one link a second: openings of channel packets, verifications, INITs (sec:S12). */
export const OPENS_RATE = 1_000
export const VERIFIES_RATE = 200
export const INITS_RATE = 200
/** Links whose budgets are remembered: more than a node may have. */
export const BUDGETS_MAX = 128

/** Repeats of an INIT, from its first sending (sec:A9). */
export const INIT_REPEATS: readonly Micros[] = [50 * MILLISECOND, 200 * MILLISECOND, 800 * MILLISECOND]
/** After those it is repeated only by traffic, first after so long, doubling up to the longest. Guesses. */
export const INIT_RETRY_FIRST: Micros = SECOND
export const INIT_RETRY_LONGEST: Micros = 8 * SECOND
/** How long a receiving session outlives the hour of its sender: what may still be under way. */
export const SESSION_SLACK: Micros = 60 * SECOND
/** Frame keys are replaced every hour, the private half is erased 60 s later (sec:A9). */
export const FRAME_KEY_LIFE: Micros = HOUR
export const FRAME_KEY_SLACK: Micros = 60 * SECOND

/** Cards after a start and after a new frame key, then one in this long ± 50 % (sec:A7). */
export const CARD_BURST: readonly Micros[] = [0, 200 * MILLISECOND, SECOND]
export const CARD_PERIOD: Micros = 60 * SECOND
/** Cards that were asked for: at most one a second, and a little later, to answer several at once (guess). */
export const ANSWER_PAUSE: Micros = SECOND
export const ANSWER_JITTER: Micros = 50 * MILLISECOND
/**
 * Where all answer, or a crowd starts, each takes its turn at a random time within so much for each of them:
 * ten cards a second, of which a relay makes sixty copies each and may make 2,000 before it takes them for a
 * storm (mesh:S6). The rest is for what is more urgent: commits, acks, and frames.
 */
export const TURN_PER_MEMBER: Micros = 100 * MILLISECOND
/**
 * So few need not take turns: all of their cards are a thousand copies at a relay, half of what it takes for
 * a storm, and are verified in 6 ms. From there on turns grow twice as fast, until twice as many have all of
 * theirs: whoever comes into a small group is to hear and be heard at once.
 */
export const TURN_FROM = 32
/** Members that come in at once: as many as a commit adds (sec:B4). */
export const ENTERING_MAX = 64
/**
 * While epochs follow each other faster, a crowd is coming in: then its members ask for all cards when the
 * last of them is there, and at the latest so long after they came in themselves. Guesses.
 */
export const CROWD_PAUSE: Micros = 2 * SECOND
export const CROWD_LONGEST: Micros = 10 * SECOND
/** So long after a start others may not have this member's card, whatever was sent. Guess. */
export const INTRODUCE_WITHIN: Micros = 60 * SECOND
/** How often the cards of all that are unknown are asked for after a start. Guess. */
export const ALL_ASKS_MAX = 3
/** Members that are asked for cards are collected for so long. Guess. */
export const ASK_BATCH: Micros = 100 * MILLISECOND
/** An unproven member is asked again after so long, doubling, so many times for each card. Guesses. */
export const ASK_PAUSE: Micros = SECOND
export const ASKS_MAX = 4
/** A member without a card for this long is not live: two of the longest periods were lost. Guess. */
export const MEMBER_LIVE: Micros = 200 * SECOND
/** MACs that frames or cards showed behind members, in all. Guess: a bridged LAN of 1,000 and the VLAN. */
export const CLAIMS_MAX = 8_192
/** A MAC learnt from frames alone is forgotten after this silence, as at the port (mesh:S4). */
export const LEARNT_AGE: Micros = 300 * SECOND
/** After a move of a MAC the next ones are not told for this long: the time in which loops show (mesh:S4). */
export const MOVE_QUIET: Micros = 10 * SECOND

/** Fragments of one sender: reassemblies and bytes (sec:A12). */
export const REASSEMBLIES_MAX = 64
export const REASSEMBLY_BYTES_MAX = 1_048_576
/**
 * How long the next piece of a frame is waited for, and how long the frame in all. sec:A12 gives 2 s in all;
 * but the longest commit to many members is 64 packets that leave in 3.2 s (PACE_PAUSE), and nobody would
 * ever have had all of it at once.
 */
export const REASSEMBLY_LIFE: Micros = 2 * SECOND
export const REASSEMBLY_LONGEST: Micros = 8 * SECOND
/** Bytes in reassembly of all senders together: sixteen that use all of theirs. Guess. */
export const REASSEMBLY_BYTES_ALL = 16 * REASSEMBLY_BYTES_MAX
/** Gaps in one reassembly: honest pieces of a super-frame are 58 at most. */
export const RANGES_MAX = 64

/** A successor's key is derived this long after its epoch began: half an hour before anybody uses it. */
export const SUCCESSOR_AFTER: Micros = MINUTE
/** So many of them in one step, then a pause: 50 µs each. Guess. */
export const SUCCESSOR_STEP = 16
export const SUCCESSOR_PAUSE: Micros = 100 * MILLISECOND
/** How long the key before a successor is still received under: as long as a packet may be late. */
export const PREDECESSOR_LIFE: Micros = 40 * SECOND
