/**
 * CRST, the crypto rapid spanning tree: one instance for one tree (mesh text (a)). It knows neighbours and
 * the links to them, and nothing of VLANs, ports or how neighbours are found.
 *
 * How it is put together, each file by its rules:
 *
 *     label.ts         ranks, labels and their order
 *     messages.ts      what travels
 *     certificates.ts  links that were certified        voids.ts    links that are gone
 *     paths.ts         R1: lists of certificates; R9    choice.ts   R1, R2, R4, R6: who may be an upper
 *     attach.ts        R3, R5, R7, R8: who is           roots.ts    beats and their records
 *     damping.ts       R10: roots refused and lost      certify.ts  certificates of our making
 *     advertise.ts     what neighbours are told         handlers.ts   each message
 *     upkeep.ts        links, timers, R11               state.ts, neighbour.ts  plain data
 *
 * Every input ends in `#settle`: decide, keep the further uppers, send what is due. Nothing a peer sends
 * throws; what is wrong is counted by its reason.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { assert } from '../errors.ts'
import { peerIdOf } from '../ids.ts'
import {
  type LinkId,
  type Micros,
  NEVER,
  type PeerId,
  TREE_ROLE,
  type TreeRole,
  type TreeView,
} from '../io.ts'
import type { Link, LinkPort } from '../links/link.ts'
import { flush } from './advertise.ts'
import { decide, regress, tendFurther } from './attach.ts'
import { retire } from './certify.ts'
import { dispatch } from './handlers.ts'
import { ALL_RULES, arm, believe, newState, type SafetyRules, type TreeState } from './state.ts'
import type { Tree, TreeListener, TreeSummary } from './tree.ts'
import {
  addNeighbour,
  begin,
  forgetAsleep,
  isQuiet,
  lose,
  neighbourOf,
  refresh,
  removeNeighbour,
  tend,
  upperLinks,
} from './upkeep.ts'

export class Crst implements Tree {
  readonly id: number
  readonly #state: TreeState
  // What every HELLO says of the state, as the last step left it: no walk to the root's record.
  #generation = 0
  #rootHash = 0
  #beat = 0

  /** `rules` is for tests of the cycle checker only: see SafetyRules. */
  constructor(
    context: Context,
    links: LinkPort,
    listener: TreeListener,
    id: number,
    rules: SafetyRules = ALL_RULES,
  ) {
    this.id = id
    this.#state = newState(context, links, listener, id, rules)
    this.#generation = this.#state.generation
    arm(this.#state, 0)
  }

  // Inputs.

  onLink(now: Micros, link: Link, up: boolean): void {
    const state = this.#state
    const known = neighbourOf(state, link)
    if (up === (known !== undefined)) return
    if (state.busy) {
      // Sending may end a link (its queue is full) while a rule is at work: the end of the step sees to it.
      assert(!up, 'a neighbour came up inside a step of the tree')
      if (known !== undefined) lose(state, known)
      return
    }
    begin(state, now)
    if (up) addNeighbour(state, now, link)
    else if (known !== undefined) removeNeighbour(state, now, known)
    this.#settle(now)
  }

  onMessage(now: Micros, link: Link, kind: number, packet: Uint8Array): void {
    const state = this.#state
    // Every tree is shown every message of a tree; the third byte says whose it is.
    if (packet.length > 2 && packet[2] !== this.id) return
    const neighbour = neighbourOf(state, link)
    if (neighbour === undefined) {
      state.context.counters.add(COUNT.dropNotNeighbour)
      return
    }
    begin(state, now)
    if (!dispatch(state, now, neighbour, kind, packet)) state.context.counters.add(COUNT.dropMalformed)
    this.#settle(now)
  }

  onSummary(now: Micros, link: Link, summary: Readonly<TreeSummary>): void {
    const state = this.#state
    const neighbour = neighbourOf(state, link)
    if (neighbour === undefined) return
    const isDoubted = neighbour.doubtedAt !== NEVER
    if (!isDoubted && isQuiet(state, now, neighbour, summary)) return
    begin(state, now)
    believe(state, neighbour)
    refresh(state, now, neighbour, summary)
    this.#settle(now)
  }

  setReachable(now: Micros, proved: boolean): void {
    if (this.#state.reachable === proved) return
    this.#state.reachable = proved
    arm(this.#state, now)
  }

  setOpen(now: Micros, open: boolean): void {
    if (this.#state.open === open) return
    this.#state.open = open
    arm(this.#state, now)
  }

  wantFurtherUppers(now: Micros, count: number): void {
    this.#state.furtherWanted = Math.min(2, Math.max(0, count))
    // In a step of its own: it may be asked in the middle of a wake.
    arm(this.#state, now + 1)
  }

  wake(now: Micros): Micros {
    const state = this.#state
    if (now < state.due) return state.due
    state.due = NEVER
    begin(state, now)
    state.changed = true
    tend(state, now)
    this.#settle(now)
    assert(state.due > now, 'a timer of the tree was set for a time that is not later')
    return state.due
  }

  retire(now: Micros): void {
    const state = this.#state
    begin(state, now)
    retire(state, now)
    this.#settle(now)
  }

  hasLowers(): boolean {
    return this.#state.neighbours.some(({ role }) => role === TREE_ROLE.lower)
  }

  resume(now: Micros): void {
    const state = this.#state
    begin(state, now)
    forgetAsleep(state, now)
    this.#settle(now)
  }

  leave(now: Micros): void {
    const state = this.#state
    begin(state, now)
    state.left = true
    // Whoever hangs below hears at once that nothing leads up here any more.
    if (state.label !== undefined) regress(state, now)
    this.#settle(now)
  }

  // Answers.

  // HOT PATH
  role(link: LinkId): TreeRole {
    const neighbour = this.#state.byLink.get(link)
    return neighbour === undefined ? TREE_ROLE.none : neighbour.role
  }

  uppers(): readonly Link[] {
    return upperLinks(this.#state)
  }

  root(): PeerId | undefined {
    const { label, root } = this.#state
    return label === undefined || root === undefined ? undefined : peerIdOf(root.key)
  }

  summary(link: Link, into: TreeSummary): void {
    const state = this.#state
    const neighbour = neighbourOf(state, link)
    into.generation = this.#generation
    into.sentHash = neighbour?.sentHash ?? 0
    into.receivedHash = neighbour?.receivedHash ?? 0
    into.rootHash = this.#rootHash
    into.beat = this.#beat
  }

  view(): TreeView {
    const { upper, label, neighbours, further, generation, path } = this.#state
    return {
      tree: this.id,
      root: this.root(),
      detached: label === undefined,
      depth: path.length,
      metric: label?.metric ?? 0,
      upper: upper?.role === TREE_ROLE.upper ? upper.link.id : undefined,
      furtherUppers: further.map(({ link }) => link.id),
      lowers: neighbours.filter(({ role }) => role === TREE_ROLE.lower).map(({ link }) => link.id),
      generation,
    }
  }

  /** The end of every input: decide on what is known now, tell who must hear of it. */
  #settle(now: Micros): void {
    const state = this.#state
    do {
      for (let gone = state.lost.shift(); gone !== undefined; gone = state.lost.shift()) {
        removeNeighbour(state, now, gone)
      }
      if (state.changed) {
        state.changed = false
        decide(state, now)
        tendFurther(state, now)
      }
      flush(state, now)
    } while (state.lost.length > 0)
    this.#generation = state.generation
    this.#rootHash = state.root?.rank.hash0 ?? 0
    this.#beat = state.root?.beat ?? 0
    state.busy = false
  }
}
