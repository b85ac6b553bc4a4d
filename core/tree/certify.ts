/**
 * Certificates of this node's making: one for each neighbour at link-up, renewed in time or when the cost
 * of the link moved (mesh text (a), LINKCERT). A leaf makes none: nobody hangs below it.
 */
import { COUNT } from '../counters.ts'
import { jittered } from '../dice.ts'
import { MILLISECOND, type Micros, NEVER, SECOND, TREE_ROLE } from '../io.ts'
import type { Link } from '../links/link.ts'
import { KIND } from '../wire/kinds.ts'
import { encodeControl } from '../wire/schema.ts'
import { certificateHead, LIFE_MAX } from './certificates.ts'
import { linkCertificate } from './messages.ts'
import type { Neighbour } from './neighbour.ts'
import { signCertificate } from './paths.ts'
import { arm, isLeading, send, type TreeState } from './state.ts'

/** Text (a): cost = max(1, rtt/2 in ms) + 5 + load. */
const COST_BASE = 5
const COST_MAX = 0xffff
/**
 * What a lost packet costs: whoever misses it waits for a retransmission, 200 ms at least in the TCP of
 * common systems (RFC 6298 has 1 s). So a share lost is worth this many milliseconds on the average, and
 * counts as load does, within the same 50: a link that loses a quarter is as bad as one that is full.
 */
const LOSS_MILLIS = 200
const LOAD_MAX = 50
/**
 * A link that was not measured yet counts as one of 100 ms: rather too slow than too fast, since a link
 * that looks cheap draws its neighbours to it and loses them again once it is measured. Guess.
 */
const RTT_UNKNOWN: Micros = 100 * MILLISECOND
/** Text (a): a cost that moved by more than 25 % and 5 ms for 60 s is certified anew. */
const COST_SHARE = 0.25
const COST_STEP = 5
const COST_FOR: Micros = 60 * SECOND
/** A wave renews what is older than this share of the period. */
const WAVE_SHARE = 0.5
/** Where a wave from above is expected, the own timer is only the fallback. Life leaves room for it. */
const FALLBACK_SHARE = 1.25
/** Serials of one boot: the low half. Renewals share numbers, so it lasts for years of them. */
const SERIALS_OF_BOOT = 65_536

/**
 * What crossing the link costs, in milliseconds and load. The load is the lower's own report to us: what
 * hangs below a busy node finds everything behind it dearer, and moves. The loss is ours of its packets.
 */
function linkCost(state: TreeState, link: Link): number {
  if (state.retiring) return COST_MAX
  const rtt = link.rtt === 0 ? RTT_UNKNOWN : link.rtt
  const oneWay = Math.max(1, Math.round(rtt / 2 / MILLISECOND))
  const load = Math.max(0, link.load) + LOSS_MILLIS * link.loss
  return Math.min(COST_MAX, oneWay + COST_BASE + Math.min(LOAD_MAX, Math.round(load)))
}

/** Signs a certificate for the neighbour and sends it. */
export function issue(state: TreeState, now: Micros, neighbour: Neighbour): void {
  const { config } = state.context
  if (!config.relay) return
  const cost = linkCost(state, neighbour.link)
  const life = Math.min(LIFE_MAX, Math.floor(config.certificateLife / SECOND))
  neighbour.issuedSerial = nextSerial(state, neighbour)
  neighbour.issuedCost = cost
  neighbour.issuedAt = now
  neighbour.issuedBlind = neighbour.link.rtt === 0
  neighbour.costMovedAt = NEVER
  neighbour.renewDue = now + jittered(state.dice, config.certificatePeriod)
  arm(state, neighbour.renewDue)
  const certificate = signCertificate(
    state,
    certificateHead(neighbour.link.key, neighbour.issuedSerial, cost, Math.max(1, life)),
  )
  send(
    state,
    now,
    neighbour,
    encodeControl(KIND.linkCertificate, linkCertificate, { tree: state.tree, certificate }),
  )
}

/**
 * Grows for each pair, over links and restarts. A renewal takes the current number if the pair has not had
 * it yet: only new links and the neighbour renewed most often use numbers up.
 */
function nextSerial(state: TreeState, neighbour: Neighbour): number {
  const base = (state.context.boot * SERIALS_OF_BOOT) >>> 0
  const current = (base + state.serialCount) >>> 0
  if (neighbour.issuedAt < 0 || neighbour.issuedSerial === current) state.serialCount += 1
  return (base + state.serialCount) >>> 0
}

/**
 * A path's certificates are made by as many nodes and each renewal changes the path of everybody below.
 * So a node whose path was renewed renews its own at once: one wave down the tree in a period.
 */
export function renewLowers(state: TreeState, now: Micros): void {
  const old = now - state.context.config.certificatePeriod * WAVE_SHARE
  for (const neighbour of state.neighbours) {
    if (neighbour.role === TREE_ROLE.lower && neighbour.issuedAt <= old) issue(state, now, neighbour)
  }
}

/**
 * A node that is about to go makes the links through it as dear as can be: R4 moves those below to other
 * uppers where they have any, R6 lets the others stay, and nobody is cut off by the news.
 */
export function retire(state: TreeState, now: Micros): void {
  if (state.retiring || isLeading(state)) return
  state.retiring = true
  for (const neighbour of state.neighbours) issue(state, now, neighbour)
}

/** Renews what is due; called when the timer says so. */
export function tendCertificate(state: TreeState, now: Micros, neighbour: Neighbour): void {
  if (neighbour.renewDue > now) {
    arm(state, neighbour.renewDue)
    return
  }
  const fallback = neighbour.issuedAt + state.context.config.certificatePeriod * FALLBACK_SHARE
  if (neighbour.role === TREE_ROLE.lower && !isLeading(state) && now < fallback) {
    neighbour.renewDue = fallback
    arm(state, fallback)
    return
  }
  issue(state, now, neighbour)
}

/** Called with each HELLO: has the cost moved for long enough? */
export function checkCost(state: TreeState, now: Micros, neighbour: Neighbour): void {
  if (neighbour.renewDue === NEVER) return
  if (neighbour.issuedBlind && neighbour.link.rtt !== 0) {
    issue(state, now, neighbour)
    return
  }
  if (isNear(state, neighbour)) {
    neighbour.costMovedAt = NEVER
  } else if (neighbour.costMovedAt === NEVER) {
    neighbour.costMovedAt = now
  } else if (now >= neighbour.costMovedAt + COST_FOR) {
    state.context.counters.add(COUNT.treeCostMoved)
    issue(state, now, neighbour)
  }
}

/** Whether the next HELLO has no cost to look at: as certified, or none is certified. */
export function isCostSteady(state: TreeState, neighbour: Neighbour): boolean {
  if (neighbour.renewDue === NEVER) return true
  return !neighbour.issuedBlind && neighbour.costMovedAt === NEVER && isNear(state, neighbour)
}

function isNear(state: TreeState, neighbour: Neighbour): boolean {
  const moved = Math.abs(linkCost(state, neighbour.link) - neighbour.issuedCost)
  return moved <= COST_STEP || moved <= neighbour.issuedCost * COST_SHARE
}
