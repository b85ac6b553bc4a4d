/**
 * The liveness phase: after the last fault everything must work again within the scenario's
 * `healSeconds`. Two measures: when all living nodes hang in one tree, and since when every probe
 * between members of every VLAN arrives. The probes go round: member i to member i + k in round k, so
 * that pairs change.
 */
import { MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import { DELIVERY_BOUND, FRAME_KIND, type FrameRecord } from '../checks/delivery.ts'
import type { Stage } from '../stage.ts'

const ROUND: Micros = 500 * MILLISECOND
const LOOK: Micros = 100 * MILLISECOND
/** Probes in a round at most; larger networks are sampled, VLAN by VLAN. */
const PROBES_MAX = 1_000
/** And of one VLAN: in larger ones the members take turns, for each pair costs them a session. */
const PROBES_OF_VLAN = 100
const PROBE_BYTES = 100

interface Round {
  readonly at: Micros
  /** Some VLAN had two members that were up. */
  readonly hasPairs: boolean
  readonly records: FrameRecord[]
}

export class Convergence {
  readonly #stage: Stage
  readonly #from: Micros
  readonly #until: Micros
  readonly #rounds: Round[] = []
  #nextVlan = 0
  /** Seconds from the last fault until all hung in one tree for good; undefined if never. */
  treeSeconds: number | undefined
  #treeAt: Micros | undefined

  constructor(stage: Stage, fromSeconds: number, healSeconds: number) {
    this.#stage = stage
    this.#from = Math.round(fromSeconds * SECOND)
    this.#until = this.#from + Math.round(healSeconds * SECOND)
    // Behind the end of the last fault, which comes at the same time and was not scheduled yet.
    stage.world.at(this.#from, () => {
      stage.world.at(this.#from, () => this.#look())
      stage.world.at(this.#from, () => this.#round(1))
    })
  }

  /** The scenario must run on until the last probe's bound has passed. */
  get endsAt(): Micros {
    return this.#until + DELIVERY_BOUND
  }

  /** Seconds from the last fault to the first round from which on every probe arrived; undefined if none. */
  talkSeconds(): number | undefined {
    let since: Micros | undefined
    for (const round of this.#rounds) {
      if (!round.hasPairs) continue
      // No evidence is no success: a round in which nobody knew anybody's address proves nothing.
      const isFine = round.records.length > 0 && round.records.every((record) => this.#fine(record))
      if (!isFine) since = undefined
      else if (since === undefined) since = round.at
    }
    return since === undefined ? undefined : (since - this.#from) / SECOND
  }

  /** Whether there was never anybody who could be asked to talk to another. */
  get hasNobody(): boolean {
    return this.#rounds.length > 0 && this.#rounds.every(({ hasPairs }) => !hasPairs)
  }

  /** Share of the last three rounds' probes that arrived; undefined if there were none. */
  reachableShare(): number | undefined {
    let sent = 0
    let came = 0
    for (const round of this.#rounds.slice(-3)) {
      for (const record of round.records) {
        sent += 1
        if (this.#fine(record)) came += 1
      }
    }
    return sent === 0 ? undefined : came / sent
  }

  #fine(record: FrameRecord): boolean {
    // What a path lost by chance says nothing; on one that is cut, dead or clogged no probe should be.
    if ((record.cameAt[0] as number) >= 0 || record.lostByChance) return true
    // Nothing is owed to or by a machine that went down meanwhile.
    const { world } = this.#stage
    const receiver = world.nodes[record.receivers[0] as number]
    const sender = world.nodes[record.sender]
    return sender?.life !== record.senderLife || receiver?.life !== record.receiverLives[0]
  }

  #look(): void {
    const { world } = this.#stage
    if (world.now > this.#until) return
    if (this.#stage.attachedShare() === 1) {
      this.#treeAt ??= world.now
      this.treeSeconds = (this.#treeAt - this.#from) / SECOND
    } else {
      this.#treeAt = undefined
      this.treeSeconds = undefined
    }
    // Once attached, a slower look suffices to notice that it does not last.
    world.at(world.now + (this.#treeAt === undefined ? LOOK : 10 * LOOK), () => this.#look())
  }

  #round(number: number): void {
    const { world, vlans } = this.#stage
    if (world.now > this.#until || vlans.length === 0) return
    const records: FrameRecord[] = []
    let hasPairs = false
    for (let looked = 0; looked < vlans.length && records.length < PROBES_MAX; looked++) {
      const vlan = vlans[this.#nextVlan % vlans.length]
      this.#nextVlan += 1
      if (vlan === undefined) continue
      const living = vlan.members.filter((node) => this.#stage.isIn(node, vlan))
      if (living.length < 2) continue
      hasPairs = true
      const turns = Math.ceil(living.length / PROBES_OF_VLAN)
      living.forEach((node, index) => {
        if (index % turns !== number % turns) return
        const partner = living[(index + 1 + (number % (living.length - 1))) % living.length] as number
        if (partner === node) return
        const record = this.#stage.sendTo(FRAME_KIND.probe, vlan.index, node, partner, PROBE_BYTES)
        if (record !== undefined) records.push(record)
      })
    }
    this.#rounds.push({ at: world.now, hasPairs, records })
    world.at(world.now + ROUND, () => this.#round(number + 1))
  }
}
