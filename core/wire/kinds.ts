/**
 * Kinds of control messages: number, name, direction. The layouts stand beside the part that speaks
 * them (`messages.ts` of each folder). A control packet is: version and type 1, kind 1, body.
 * Unknown kinds are counted and ignored, so that a later version may add some.
 */

export const KIND = {
  /** Both ends of a link: versions, timing, counters, what the other should know of the trees. */
  hello: 1,
  /** The versions of the two ends do not meet. */
  versionRefused: 2,

  /** Mesh membership (HyParView), between neighbours or about to be. */
  join: 10,
  forwardJoin: 11,
  neighbour: 12,
  neighbourReply: 13,
  disconnect: 14,
  shuffle: 15,
  shuffleReply: 16,

  /** CRST, between neighbours. */
  linkCertificate: 20,
  beat: 21,
  update: 22,
  pathRequest: 23,
  path: 24,
  attach: 25,
  detach: 26,
  void: 27,

  /** VLAN registrations, lower to upper and back. */
  register: 30,
  others: 31,
  registerRefused: 32,
} as const
export type Kind = (typeof KIND)[keyof typeof KIND]

/** First byte of every control packet. Data packets have another type in the low bits. */
export const CONTROL_VERSION_TYPE = 0x10
/** First byte of every sealed data packet. */
export const DATA_VERSION_TYPE = 0x11
/** Longest control packet that a node accepts: a PATH of 48 certificates is 5.1 kB. */
export const CONTROL_BYTES_MAX = 8_192
