/**
 * Outages as members feel them: before a relay is crashed, pairs whose path leads through it start to
 * send each other ten frames a second; the outage is the time from the crash to the sending of the
 * first frame from which on frames arrive for a second, if any was lost, else nothing.
 */
import { shuffled } from '../../core/dice.ts'
import { MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import { DELIVERY_BOUND, FRAME_KIND, type FrameRecord } from '../checks/delivery.ts'
import type { Random } from '../random.ts'
import type { Stage } from '../stage.ts'
import type { SimVlan } from '../vlans.ts'

/** mesh:M18 states its figures at ten packets a second. */
const SPACING: Micros = 100 * MILLISECOND
/** Probing starts this long before the crash, so that both ends know of each other. */
const BEFORE: Micros = 2 * SECOND
const AFTER: Micros = 10 * SECOND
/** Frames in a row that end an outage: one second's worth. */
const CALM = 10
/** Pairs watched for each crash, both ways: who only listens notices nothing until a HELLO is missed. */
const PAIRS_MAX = 12
const PROBE_BYTES = 100

interface Watch {
  readonly vlan: SimVlan
  readonly from: number
  readonly to: number
  readonly records: FrameRecord[]
}

export class OutageProbes {
  readonly #stage: Stage
  /** One value for each watched pair and crash, in microseconds. */
  readonly outages: Micros[] = []
  unhealed = 0
  /** Frames lost after an outage was over: what moves back cost when the relay returned. */
  lostLater = 0
  crashes = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** A living node that is not the root, not a contact, and has lowers; drawn among them. */
  relay(random: Random): number | undefined {
    const stage = this.#stage
    const root = stage.root()
    const through = new Map<number, number>()
    for (const node of stage.living()) {
      for (const above of stage.cycles.pathUp(node).slice(1))
        through.set(above, (through.get(above) ?? 0) + 1)
    }
    const relays: number[] = []
    for (const [node, lowers] of through) {
      if (node !== root && lowers >= 2 && node >= stage.scenario.nodes.contacts) relays.push(node)
    }
    relays.sort((a, b) => a - b)
    return relays.length === 0 ? undefined : relays[random.below(relays.length)]
  }

  /** Watches pairs through the victim, then strikes. */
  watch(victim: number, random: Random, strike: () => void): void {
    const stage = this.#stage
    const watches = this.#pairsThrough(victim, random)
    const start = stage.world.now
    const crashAt = start + BEFORE
    const end = crashAt + AFTER
    const tick = (watch: Watch): void => {
      if (stage.world.now >= end) return
      const record = stage.sendTo(FRAME_KIND.probe, watch.vlan.index, watch.from, watch.to, PROBE_BYTES)
      if (record !== undefined) watch.records.push(record)
      stage.world.at(stage.world.now + SPACING, () => tick(watch))
    }
    for (const watch of watches) stage.world.at(start + random.below(SPACING), () => tick(watch))
    stage.world.at(crashAt, () => {
      this.crashes += 1
      strike()
    })
    stage.world.at(end + DELIVERY_BOUND, () => {
      for (const watch of watches) this.#judge(watch, crashAt)
    })
  }

  /** Both ways of each pair, one after the other. */
  #pairsThrough(victim: number, random: Random): Watch[] {
    const stage = this.#stage
    const found: Pick<Watch, 'vlan' | 'from' | 'to'>[] = []
    const below = (node: number): boolean => stage.cycles.pathUp(node).includes(victim)
    for (const vlan of stage.vlans) {
      const living = vlan.members.filter((node) => node !== victim && stage.isUp(node))
      for (const from of living) {
        if (!below(from)) continue
        for (const to of living) {
          // Of two that are both below it each is come by twice.
          if (to === from || (to < from && below(to))) continue
          // Their paths part above the victim, or in it: either way it carries their frames.
          if (this.#leadsThrough(from, to, victim)) found.push({ vlan, from, to })
        }
      }
    }
    const drawn = shuffled(random, found).slice(0, PAIRS_MAX)
    return drawn.flatMap(({ vlan, from, to }) => [
      { vlan, from, to, records: [] },
      { vlan, from: to, to: from, records: [] },
    ])
  }

  #leadsThrough(from: number, to: number, victim: number): boolean {
    const up = this.#stage.cycles.pathUp(from)
    const other = this.#stage.cycles.pathUp(to)
    const meet = up.find((node) => other.includes(node))
    const path = [
      ...up.slice(0, up.indexOf(meet ?? -1) + 1),
      ...other.slice(0, Math.max(0, other.indexOf(meet ?? -1))),
    ]
    return path.includes(victim)
  }

  #judge(watch: Watch, crashAt: Micros): void {
    const after = watch.records.filter((record) => record.sentAt >= crashAt)
    const arrived = (record: FrameRecord): boolean => {
      const at = record.cameAt[0] as number
      return at >= 0 && at <= record.sentAt + DELIVERY_BOUND
    }
    if (after.length === 0) return
    const firstLost = after.findIndex((record) => !arrived(record))
    if (firstLost < 0) {
      this.outages.push(0)
      return
    }
    // Over when a second's worth of frames came without a gap; what is lost later is another matter.
    let calm = 0
    for (let index = firstLost; index < after.length; index++) {
      calm = arrived(after[index] as FrameRecord) ? calm + 1 : 0
      if (calm < CALM) continue
      this.outages.push((after[index - CALM + 1] as FrameRecord).sentAt - crashAt)
      this.lostLater += after.slice(index + 1).filter((record) => !arrived(record)).length
      return
    }
    this.unhealed += 1
    this.outages.push(AFTER)
  }
}
