/**
 * What a tree knows of one neighbour: its last UPDATE, the half of the link at this end, what each end
 * has been told. Plain fields; the rules that change them are in the other files of this folder.
 */
import { type Micros, NEVER, SECOND, TREE_ROLE, type TreeRole } from '../io.ts'
import type { Link } from '../links/link.ts'
import { NO_CERTIFICATE } from './certificates.ts'
import type { Label, RootRecord } from './label.ts'

/** What is known of the path that a neighbour's last UPDATE named. */
export const PATH_STATE = {
  /** A certificate or the root's beat is missing: ask. */
  unknown: 0,
  /** Every certificate verified, and the path is what the UPDATE says of it. */
  good: 1,
  /** Proved useless until another path is named: void, through this node, or a lie. */
  bad: 2,
} as const
export type PathState = (typeof PATH_STATE)[keyof typeof PATH_STATE]

export const NO_PATH: readonly number[] = []

/** What is left of a burst, and when that was. */
export interface Allowance {
  tokens: number
  at: Micros
}

export interface Neighbour {
  readonly link: Link
  /** 0 … 63: its bit in the tables of certificates and voids. */
  readonly slot: number
  /** The link ended while a step was under way: nothing is sent any more. */
  gone: boolean
  role: TreeRole

  // Its last UPDATE.
  heard: boolean
  generation: number
  /** Undefined while it is detached, a leaf, or silent. */
  claimed: Label | undefined
  /** The record that proves the claimed rank; undefined until its beat was seen. */
  root: RootRecord | undefined
  depth: number
  pathHigh: number
  pathLow: number
  pathState: PathState
  /** Slots in the table of certificates, root first. */
  path: readonly number[]
  pathCost: number
  pathExpires: Micros
  /** It acknowledges our ATTACH. */
  yours: boolean
  /** Hash of that UPDATE, 0 if none came (R11). */
  receivedHash: number
  /** Since when the path of the own upper is unknown: it has a grace. */
  unknownSince: Micros

  /** Its certificate for the link to this node, in the table of certificates. */
  certificate: number

  // This end as the lower.
  /** The generation that our ATTACH echoed. */
  attachedGeneration: number
  attachDue: Micros
  attachWait: Micros
  /** A former upper stays a further upper until then, so that VLANs can move over (mesh:B4). */
  lingerUntil: Micros
  /** When a move under this neighbour is ready; NEVER if none was begun. */
  comingUntil: Micros
  /** Not to be chosen as an upper before then: it seems to withhold beats (mesh:N8). */
  avoidUntil: Micros
  /** Since when it gave no sign of life, though asked, and when it is asked again; NEVER if it is not. */
  doubtedAt: Micros
  lifeDue: Micros
  lifeAskedAt: Micros

  // What it was told.
  updateDue: Micros
  updateSentAt: Micros
  sentHash: number
  /** The path that the last UPDATE named; its ids need not be repeated. */
  sentPath: boolean
  sentPathHigh: number
  sentPathLow: number
  /** The last UPDATE said that it is our upper: what happens above it is no news to it. */
  sentMine: boolean
  /** The newest beat that it has from us, or we from it. */
  knownRoot: RootRecord | undefined
  knownSeq: number
  knownBeat: number

  // Our certificate for it.
  issuedSerial: number
  issuedCost: number
  /** -1: none was made yet. */
  issuedAt: Micros
  /** The round trip was unknown then: to be mended as soon as it is measured. */
  issuedBlind: boolean
  renewDue: Micros
  costMovedAt: Micros

  // Asking it for what is missing, and answering it.
  askDue: Micros
  askWait: Micros
  askedAt: Micros
  answeredAt: Micros
  /** Signatures of its making that may yet be checked. */
  readonly verify: Allowance
  /** Changes of this end's half of the link that it may yet cause. */
  readonly flips: Allowance
  /** Nodes that it may yet cast doubt on. */
  readonly suspicions: Allowance

  // Its last HELLO (mesh:N8), and until when one that says the same as before needs no look.
  summaryRoot: number
  summaryBeat: number
  quietUntil: Micros
}

/** Signatures that one neighbour may make us check: a burst, then a rate. Guesses: 7 % of a core at worst. */
const VERIFY_BURST = 1_000
const VERIFY_PER_SECOND = 500

/**
 * How often this end's half of the link may open for a lower and be lost with an upper: each time all VLANs
 * may have to be looked at. More at once than the storms of the simulator bring. Guesses.
 */
const FLIPS_BURST = 20
const FLIPS_PER_SECOND = 1

/**
 * Words of one neighbour that somebody is gone. Anybody can sign that its link to somebody is lost, true or
 * not; a relay's end may bring many at once. Guesses.
 */
const SUSPICIONS_BURST = 8
const SUSPICIONS_PER_SECOND = 1

/** Before anything that is spaced in time. */
const LONG_AGO: Micros = SECOND

export function newNeighbour(link: Link, slot: number, now: Micros): Neighbour {
  return {
    link,
    slot,
    gone: false,
    role: TREE_ROLE.none,
    heard: false,
    generation: 0,
    claimed: undefined,
    root: undefined,
    depth: 0,
    pathHigh: 0,
    pathLow: 0,
    pathState: PATH_STATE.unknown,
    path: NO_PATH,
    pathCost: 0,
    pathExpires: NEVER,
    yours: false,
    receivedHash: 0,
    unknownSince: NEVER,
    certificate: NO_CERTIFICATE,
    attachedGeneration: 0,
    attachDue: NEVER,
    attachWait: 0,
    lingerUntil: 0,
    comingUntil: NEVER,
    avoidUntil: 0,
    doubtedAt: NEVER,
    lifeDue: NEVER,
    lifeAskedAt: -NEVER,
    updateDue: NEVER,
    updateSentAt: 0,
    sentHash: 0,
    sentPath: false,
    sentPathHigh: 0,
    sentPathLow: 0,
    sentMine: false,
    knownRoot: undefined,
    knownSeq: 0,
    knownBeat: 0,
    issuedSerial: 0,
    issuedCost: 0,
    issuedAt: -1,
    issuedBlind: false,
    renewDue: NEVER,
    costMovedAt: NEVER,
    askDue: NEVER,
    askWait: 0,
    askedAt: -LONG_AGO,
    answeredAt: -LONG_AGO,
    verify: { tokens: VERIFY_BURST, at: now },
    flips: { tokens: FLIPS_BURST, at: now },
    suspicions: { tokens: SUSPICIONS_BURST, at: now },
    summaryRoot: 0,
    summaryBeat: 0,
    quietUntil: 0,
  }
}

/** Whether one more signature of this neighbour's may be checked now; takes it from its allowance. */
export function spendVerify(neighbour: Neighbour, now: Micros): boolean {
  return spend(neighbour.verify, now, VERIFY_PER_SECOND, VERIFY_BURST)
}

/** Whether this end's half may change once more on the neighbour's account; takes it from its allowance. */
export function spendFlip(neighbour: Neighbour, now: Micros): boolean {
  return spend(neighbour.flips, now, FLIPS_PER_SECOND, FLIPS_BURST)
}

/** Whether one more node is doubted on the neighbour's word; takes it from its allowance. */
export function spendSuspicion(neighbour: Neighbour, now: Micros): boolean {
  return spend(neighbour.suspicions, now, SUSPICIONS_PER_SECOND, SUSPICIONS_BURST)
}

/** Takes one from an allowance of `burst` at once and then `rate` a second; false if nothing is left. */
export function spend(from: Allowance, now: Micros, rate: number, burst: number): boolean {
  const tokens = Math.min(burst, from.tokens + ((now - from.at) * rate) / SECOND)
  from.at = now
  from.tokens = tokens < 1 ? tokens : tokens - 1
  return tokens >= 1
}
