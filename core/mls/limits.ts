/**
 * Every bound of the MLS engines, each with its reason. Both engines refuse by the same numbers, so a
 * simulation meets a limit where a real node would.
 */

/** Longest commit, in bytes (sec:S18): it travels as one fragmented packet of at most 65,600 (sec:A12). */
export const COMMIT_BYTES_MAX = 65_536
/** Longest Welcome and longest stored state, in bytes: both carry the whole ratchet tree (sec:S18). */
export const TREE_BYTES_MAX = 1_048_576
/** Longest KeyPackage, in bytes: 2,763 with the hybrid suite, so half as much again. */
export const KEY_PACKAGE_BYTES_MAX = 4_096

/** Most Adds in one commit (sec:B4). */
export const ADDS_MAX = 64
/** Most Removes in one commit: a fold replaces members one for one, so as many as Adds. A guess otherwise. */
export const REMOVES_MAX = 64
/** Longest authenticated data of a commit, in bytes: 55, and four fact ids for each proposal (sec:B3). */
export const AUTHENTICATED_DATA_BYTES_MAX = 55 + 4 * 16 * (ADDS_MAX + REMOVES_MAX)
/** Extension 0xF002 is two salts and their framing (sec:C6); the rest is room for a later version. */
export const WELCOME_DATA_BYTES_MAX = 256
/** A member key, a serial, a join number and a signature are 118 bytes (sec:C1). */
export const CREDENTIAL_BYTES = 118

/** Exporter results asked for by one job: a few channel keys, two unicast keys, the masks. A guess. */
export const WISHES_MAX = 16
/** Longest exporter result, in bytes: a group key is 52 (sec:A1). */
export const EXPORT_BYTES_MAX = 255
/** Longest exporter label and context, in bytes: a leaf key and a boot are 48. */
export const EXPORT_CONTEXT_BYTES_MAX = 255

/**
 * States of one group that an engine holds: the adopted one, four to roll back to (sec:B7), siblings and
 * candidates under judgement, and KeyPackages that wait for their Welcome.
 */
export const STATES_PER_GROUP_MAX = 16
/** Groups of one engine: a node's VLANs. A guess at what one machine serves. */
export const GROUPS_MAX = 256
