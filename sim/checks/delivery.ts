/**
 * What became of every frame. It knows who should get a frame and who did: a frame twice, at a
 * non-member or back at its sender is a violation at once; a frame that did not come in time is a
 * loss if it was owed.
 *
 * Owed (mesh:M19): sender and receiver up, in the same lives, and connected from 5 s before sending
 * until the bound, and the link model dropped no copy of it. Group frames of a VLAN in which somebody storms
 * meanwhile are not owed either: they share its storm limit, so that others' traffic is left alone (mesh:S6).
 */
import { type Micros, SECOND } from '../../core/io.ts'
import { Histogram } from '../statistics.ts'

/** A frame must have come after this long. */
export const DELIVERY_BOUND: Micros = 5 * SECOND
/** Both ends must have been connected this long before sending. */
const CONNECTED_BEFORE: Micros = 5 * SECOND
/** What a storm has used up of a limit is there again after this long: limits have a burst of a second. */
const AFTER_STORM: Micros = SECOND
/** A record is kept this long after its bound, to catch late repeats. */
const MEMORY: Micros = 30 * SECOND

export const FRAME_KIND = {
  unicast: 1,
  request: 2,
  response: 3,
  broadcast: 4,
  multicast: 5,
  probe: 6,
  storm: 7,
} as const
export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND]

export interface FrameRecord {
  readonly number: number
  readonly kind: FrameKind
  readonly sentAt: Micros
  readonly vlan: number
  readonly sender: number
  readonly senderLife: number
  readonly receivers: readonly number[]
  readonly receiverLives: readonly number[]
  /** When each receiver got it; −1 while it has not. */
  readonly cameAt: Float64Array
  /** The link model lost or damaged a copy by chance, not because a path was cut, dead or clogged. */
  lostByChance: boolean
  /** Which receivers were behind a link where it dropped a copy, for whatever reason: 1 for each of these. */
  cutOff: Uint8Array | undefined
}

/** What delivery needs to know of the world. */
export interface DeliveryWorld {
  life(node: number): number
  alive(node: number): boolean
  /** The node and what its open uppers lead to, upwards. */
  pathUp(node: number): readonly number[]
  /** Both in one part of the mesh since then. */
  togetherSince(a: number, b: number, since: Micros): boolean
  isMember(node: number, vlan: number): boolean
  violation(kind: string, node: number, detail: string): void
}

export class Delivery {
  readonly #world: DeliveryWorld
  readonly #records = new Map<number, FrameRecord>()
  readonly #bySentAt: FrameRecord[] = []
  #settleIndex = 0
  #forgetIndex = 0
  #next = 1
  /** When each VLAN was last stormed in, from the first to the last frame of the storm. */
  readonly #storms = new Map<number, { from: Micros; until: Micros }>()
  readonly latency = new Histogram()
  readonly #countFrom: Micros

  /** Frames of traffic times those they were for, which were up; each pair is in one of the four below. */
  givenOut = 0
  owed = 0
  excusedByLinkModel = 0
  excusedByStorm = 0
  /** Sender or receiver went down, or they were not connected all the time. */
  unconnected = 0
  /** Of what was owed. */
  came = 0
  /** Of all. */
  arrivedInTime = 0
  /** Arrivals of group frames at receivers, copies made by the link model left out, and deliveries. */
  groupArrivals = 0
  groupDeliveries = 0

  constructor(world: DeliveryWorld, countFrom: Micros) {
    this.#world = world
    this.#countFrom = countFrom
  }

  /** A frame is about to be given to the sender's port; its number goes into the frame. */
  sent(
    now: Micros,
    kind: FrameKind,
    vlan: number,
    sender: number,
    receivers: readonly number[],
  ): FrameRecord {
    if (kind === FRAME_KIND.storm) this.#stormed(now, vlan)
    const record: FrameRecord = {
      number: this.#next++,
      kind,
      sentAt: now,
      vlan,
      sender,
      senderLife: this.#world.life(sender),
      receivers,
      receiverLives: receivers.map((node) => this.#world.life(node)),
      cameAt: new Float64Array(receivers.length).fill(-1),
      lostByChance: false,
      cutOff: undefined,
    }
    this.#records.set(record.number, record)
    this.#bySentAt.push(record)
    return record
  }

  /** A node's port was given a frame; answers its record unless something is wrong with that. */
  delivered(now: Micros, node: number, vlan: number, number: number): FrameRecord | undefined {
    const record = this.#records.get(number)
    if (record === undefined) {
      this.#world.violation('delivered-late', node, `frame ${number} came long after its time`)
      return undefined
    }
    if (record.vlan !== vlan || !this.#world.isMember(node, vlan)) {
      this.#world.violation(
        'delivered-to-non-member',
        node,
        `frame ${number} of VLAN ${record.vlan} on a port of VLAN ${vlan}`,
      )
      return undefined
    }
    if (record.sender === node && record.senderLife === this.#world.life(node)) {
      this.#world.violation('delivered-to-sender', node, `frame ${number} came back to its sender`)
      return undefined
    }
    const index = record.receivers.indexOf(node)
    // A member that came up, or a group that was joined, after sending: allowed, not owed.
    if (index < 0 || record.receiverLives[index] !== this.#world.life(node)) return record
    if ((record.cameAt[index] as number) >= 0) {
      this.#world.violation(
        'delivered-twice',
        node,
        `frame ${number} of kind ${record.kind} sent at ${record.sentAt} by node ${record.sender}`,
      )
      return undefined
    }
    record.cameAt[index] = now
    if (record.sentAt >= this.#countFrom) {
      this.latency.add(now - record.sentAt)
      if (isGroup(record.kind)) this.groupDeliveries += 1
    }
    return record
  }

  /** HOT PATH. A packet that carries the frame arrived at a node; `copy`: made by the link model. */
  arrived(number: number, node: number, copy: boolean): void {
    const record = this.#records.get(number)
    if (record === undefined || copy || !isGroup(record.kind) || record.sentAt < this.#countFrom) return
    // A member that only relays a multicast for others is no receiver of it.
    if (record.receivers.includes(node)) this.groupArrivals += 1
  }

  linkModelDropped(number: number, from: number, to: number, byChance: boolean): void {
    const record = this.#records.get(number)
    if (record === undefined) return
    record.lostByChance ||= byChance
    this.#cutOff(record, from, to)
  }

  /** Judges frames whose bound has passed and forgets old ones. */
  settle(now: Micros): void {
    for (; this.#settleIndex < this.#bySentAt.length; this.#settleIndex++) {
      const record = this.#bySentAt[this.#settleIndex] as FrameRecord
      if (record.sentAt + DELIVERY_BOUND > now) break
      this.#judge(record)
    }
    for (; this.#forgetIndex < this.#settleIndex; this.#forgetIndex++) {
      const record = this.#bySentAt[this.#forgetIndex] as FrameRecord
      if (record.sentAt + DELIVERY_BOUND + MEMORY > now) break
      this.#records.delete(record.number)
    }
    if (this.#forgetIndex > 4_096) {
      this.#bySentAt.splice(0, this.#forgetIndex)
      this.#settleIndex -= this.#forgetIndex
      this.#forgetIndex = 0
    }
  }

  #judge(record: FrameRecord): void {
    const { kind, sentAt, sender } = record
    if (sentAt < this.#countFrom || kind === FRAME_KIND.storm || kind === FRAME_KIND.probe) return
    const isSenderFit = this.#fit(sender, record.senderLife)
    for (let index = 0; index < record.receivers.length; index++) {
      const cameAt = record.cameAt[index] as number
      const inTime = cameAt >= 0 && cameAt <= sentAt + DELIVERY_BOUND
      const fate = this.#fateOf(record, index, isSenderFit, inTime)
      this[fate] += 1
      this.givenOut += 1
      if (!inTime) continue
      this.arrivedInTime += 1
      if (fate === 'owed') this.came += 1
    }
  }

  /** Which of the sums a receiver of a frame belongs to. */
  #fateOf(
    record: FrameRecord,
    index: number,
    isSenderFit: boolean,
    inTime: boolean,
  ): 'unconnected' | 'excusedByLinkModel' | 'excusedByStorm' | 'owed' {
    const receiver = record.receivers[index] as number
    const isFit = isSenderFit && this.#fit(receiver, record.receiverLives[index] as number)
    if (!isFit || !this.#world.togetherSince(record.sender, receiver, record.sentAt - CONNECTED_BEFORE))
      return 'unconnected'
    if (inTime) return 'owed'
    if (record.cutOff?.[index] === 1) return 'excusedByLinkModel'
    return this.#inStorm(record) ? 'excusedByStorm' : 'owed'
  }

  #stormed(now: Micros, vlan: number): void {
    const storm = this.#storms.get(vlan)
    if (storm !== undefined && now - storm.until <= AFTER_STORM) storm.until = now
    else this.#storms.set(vlan, { from: now, until: now })
  }

  #inStorm(record: FrameRecord): boolean {
    const storm = isGroup(record.kind) ? this.#storms.get(record.vlan) : undefined
    if (storm === undefined) return false
    return storm.from <= record.sentAt + DELIVERY_BOUND && record.sentAt <= storm.until + AFTER_STORM
  }

  /**
   * A drop excuses those behind it, as the tree is then: a sole receiver, all on the way up from the sender,
   * the branch on the way down. Later the tree may have grown another way that the frame did not go.
   */
  #cutOff(record: FrameRecord, from: number, to: number): void {
    const { receivers } = record
    record.cutOff ??= new Uint8Array(receivers.length)
    const up = receivers.length === 1 ? [from, to] : this.#world.pathUp(record.sender)
    if (up.includes(to)) {
      if (up.includes(from)) record.cutOff.fill(1)
      return
    }
    for (let index = 0; index < receivers.length; index++)
      if (this.#world.pathUp(receivers[index] as number).includes(to)) record.cutOff[index] = 1
  }

  #fit(node: number, life: number): boolean {
    return this.#world.alive(node) && this.#world.life(node) === life
  }
}

function isGroup(kind: FrameKind): boolean {
  return kind === FRAME_KIND.broadcast || kind === FRAME_KIND.multicast
}
