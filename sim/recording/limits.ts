/**
 * What a recording may hold, and how its writer divides it. What is read is somebody else's file: nothing of
 * it is believed to be of a sensible size.
 */

export const SECOND_MICROS = 1_000_000
/** A frame at least so often: a run that is killed loses no more than this. */
export const FRAME_MICROS = 5 * SECOND_MICROS
/** A checkpoint at least so often, in time and in changes (mesh:S20): a seek decodes no more than this. */
export const CHECKPOINT_MICROS = 30 * SECOND_MICROS
export const CHECKPOINT_CHANGES = 50_000
/** A frame is closed early when it has become so large: what a recorder keeps in memory. */
export const FRAME_BYTES = 1_000_000
/** Every node is looked into so often, for what links and nodes are coloured by. */
export const LOOK_MICROS = 10 * SECOND_MICROS
/** How often a recorder looks for what nobody tells of: partitions, and who is leaving, slow or hostile. */
export const GLANCE_MICROS = 100_000

/** Bytes an hour with 1,000 nodes, and as much more as there are more of them (mesh:S20). */
export const BUDGET_BYTES = 64_000_000
export const BUDGET_NODES = 1_000
/** A recording may be so far ahead of its budget: a start has more to tell than what follows. */
export const HEAD_START_MICROS = 120 * SECOND_MICROS
/** Packets are thinned to one in at most 2 to this. */
export const THINNING_MAX = 20
/** Nodes whose tables are recorded: those of one are 4 to 20 kB. */
export const MARKS_MAX = 16

export const MOST = {
  header: 64_000_000,
  scenario: 17_000_000,
  name: 1_000,
  question: 20_000,
  nodes: 1_000_000,
  vlans: 65_536,
  faults: 100_000,
  /** Of any time: 285 years, exact in a double. */
  micros: 281_474_976_710_655,
  checkpoint: 128_000_000,
  changes: 16_000_000,
  story: 16_000_000,
  /** Of all frames together. */
  stories: 128_000_000,
  frames: 200_000,
  result: 8_000_000,
  text: 4_000,
  detail: 4_000_000,
  epochs: 100_000_000,
} as const
