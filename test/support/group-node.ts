/**
 * One member's machine in a GroupWorld: the group's logic with an engine, a disk, and a stand-in for the
 * sealing layer that opens what the member has the secret of and nothing else.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Dice, Keys } from '../../core/dice.ts'
import { GroupCounts } from '../../core/group/counts.ts'
import type {
  AdoptedEpoch,
  ChannelKind,
  GroupEffects,
  Purpose,
  Slot,
  Whom,
} from '../../core/group/effects.ts'
import type { GroupEvent, Stored } from '../../core/group/events.ts'
import { Group } from '../../core/group/group.ts'
import type { WallClock } from '../../core/group/state.ts'
import { hex, sameBytes, unhex, utf8 } from '../../core/ids.ts'
import { type Micros, SECOND } from '../../core/io.ts'
import type { Fact } from '../../core/ledger/facts.ts'
import { Ledger } from '../../core/ledger/ledger.ts'
import type { Policy } from '../../core/ledger/policy.ts'
import type { MlsJob, MlsOutcome } from '../../core/mls/engine.ts'
import type { Verdicts } from '../../sim/mls/judge.ts'
import { StandInEngine } from '../../sim/mls/standin.ts'

/** How long keys of a left epoch are kept, and packets of an unknown one (sec:A4, B10). */
const LEFT_LIFE: Micros = 10 * SECOND
const HELD_LIFE: Micros = 2 * SECOND
const HELD_MAX = 256

/** A sealed channel packet on its way: `seal` stands for the key under which it is. */
export interface Packet {
  readonly mlsId: string
  readonly seal: string
  readonly from: number
  readonly leaf: number
  readonly to: string | undefined
  readonly kind: ChannelKind | 'card'
  readonly payload: Uint8Array
}

interface OpenEpoch {
  readonly name: string
  readonly epoch: AdoptedEpoch
  readonly seal: string
  until: Micros
}

/** What a node asks of its world. */
export interface Surroundings {
  readonly now: Micros
  readonly crypto: Crypto
  readonly vlan: Uint8Array
  readonly isSalted: boolean
  broadcast(node: GroupNode, packet: Packet): void
  job(node: GroupNode, job: number, work: MlsJob): void
  store(node: GroupNode, id: number, slot: Slot, record: Uint8Array): void
  welcome(node: GroupNode, route: Uint8Array, message: Uint8Array): void
  knock(node: GroupNode, purpose: Purpose, head: Uint8Array | undefined): void
  doorSend(node: GroupNode, session: number, message: Uint8Array): void
  doorClose(node: GroupNode, session: number): void
  adopted(node: GroupNode, epoch: AdoptedEpoch, seal: string, follows: boolean): void
}

export interface Person {
  readonly seed: Uint8Array
  readonly serial: Uint8Array
  /** What certifies it, each after what it rests on. */
  readonly facts: readonly Fact[]
}

export class GroupNode implements GroupEffects {
  readonly index: number
  readonly world: Surroundings
  readonly person: Person
  readonly key: Uint8Array
  readonly name: string
  readonly events: GroupEvent[] = []
  readonly disk: { head?: Uint8Array; next?: Uint8Array; ledger?: Uint8Array } = {}
  counts = new GroupCounts()
  group: Group | undefined
  engine: StandInEngine
  ledger: Ledger
  /** Rises with each start: what was under way for an earlier one is lost. */
  life = 0
  /** Wall time against the world's, in ms. */
  skewMillis = 0
  /** MLS-IDs of the epochs that it came into long after others. */
  readonly late = new Set<string>()
  #open: OpenEpoch[] = []
  #held: { readonly packet: Packet; readonly until: Micros }[] = []
  readonly #refused = new Set<string>()

  constructor(
    index: number,
    world: Surroundings,
    person: Person,
    policy: Policy,
    label: string,
    verdicts: Verdicts,
  ) {
    this.index = index
    this.world = world
    this.person = person
    this.key = world.crypto.signatures.publicKey(person.seed)
    this.name = hex(this.key)
    this.engine = new StandInEngine(world.crypto, verdicts)
    this.ledger = new Ledger(world.crypto, { policy, label })
  }

  get isAlive(): boolean {
    return this.group !== undefined
  }

  /** MLS-ID of the adopted epoch in hex. */
  get head(): string | undefined {
    return this.group?.view().mlsId
  }

  boot(ports: { dice: Dice; keys: Keys; wall: WallClock }, engine: StandInEngine, ledger: Ledger): Group {
    this.life += 1
    this.engine = engine
    this.ledger = ledger
    this.#open = []
    this.#held = []
    this.#refused.clear()
    const { person, world } = this
    this.group = new Group({
      ports: { crypto: world.crypto, counts: this.counts, reaches: () => true, ...ports },
      ledger,
      own: person,
      mlsGroup: 1,
    })
    return this.group
  }

  crash(): void {
    this.life += 1
    this.group = undefined
    this.#open = []
  }

  get stored(): Stored {
    const { head, next, ledger } = this.disk
    return { head, next, ledger }
  }

  run(work: MlsJob): { readonly outcome: MlsOutcome; readonly cost: Micros } {
    const cost = this.engine.costMicros(work)
    return { outcome: this.engine.run(work), cost }
  }

  /** One step of the machine, and what it asks for. */
  step(act: (group: Group) => void): void {
    if (this.group === undefined) return
    act(this.group)
    this.group?.drain(this)
  }

  // What the machine asks for.

  send(mlsId: Uint8Array, to: Whom, kind: ChannelKind, payload: Uint8Array): void {
    const open = this.#open.find(({ epoch }) => sameBytes(epoch.mlsId, mlsId))
    if (open === undefined) return
    this.world.broadcast(this, this.#seal(open, typeof to === 'string' ? undefined : to, kind, payload))
  }

  #seal(
    { epoch, seal }: OpenEpoch,
    to: Uint8Array | undefined,
    kind: Packet['kind'],
    payload: Uint8Array,
  ): Packet {
    const { index: from } = this
    return { mlsId: hex(epoch.mlsId), seal, from, leaf: epoch.ownLeaf, to: to && hex(to), kind, payload }
  }

  /** A card under the adopted epoch; `under`: one that was left, to say so to those who are there. */
  card(): Packet | undefined {
    const open = this.#open.at(-1)
    return open && this.#seal(open, undefined, 'card', open.epoch.mlsId)
  }

  start(job: number, work: MlsJob): void {
    this.world.job(this, job, work)
  }

  store(id: number, slot: Slot, record: Uint8Array): void {
    this.world.store(this, id, slot, record)
  }

  adopt(epoch: AdoptedEpoch): void {
    if (epoch.isLate) this.late.add(hex(epoch.mlsId))
    const { now, crypto } = this.world
    const seal = hex(crypto.hash.keyed32(epoch.exporterSecret.subarray(0, 32), utf8('card')))
    for (const open of this.#open) if (open.until > now + LEFT_LIFE) open.until = now + LEFT_LIFE
    this.#open = this.#open.filter((open) => !sameBytes(open.epoch.mlsId, epoch.mlsId))
    this.#open.push({ name: hex(epoch.mlsId), epoch, seal, until: Number.MAX_SAFE_INTEGER })
    this.world.adopted(this, epoch, seal, this.#open.length > 1)
  }

  refuse(memberKey: Uint8Array): void {
    this.#refused.add(hex(memberKey))
  }

  end(): void {
    this.#open = []
  }

  expectWelcome(): void {}

  welcome(route: Uint8Array, message: Uint8Array): void {
    this.world.welcome(this, route, message)
  }

  knock(purpose: Purpose, head: Uint8Array | undefined): void {
    this.world.knock(this, purpose, head)
  }

  doorSend(session: number, message: Uint8Array): void {
    this.world.doorSend(this, session, message)
  }

  doorClose(session: number): void {
    this.world.doorClose(this, session)
  }

  event(event: GroupEvent): void {
    this.events.push(event)
  }

  // What comes to it.

  receive(packet: Packet): void {
    const { now } = this.world
    if (packet.to !== undefined && packet.to !== this.name) return
    if (this.#open.length > 1) this.#open = this.#open.filter(({ until }) => until > now)
    const open = this.#open.find(({ name }) => name === packet.mlsId)
    if (open === undefined) {
      if (this.#held.length < HELD_MAX) this.#held.push({ packet, until: now + HELD_LIFE })
      return
    }
    const sender = open.epoch.roster.get(packet.leaf)?.identity.memberKey
    if (open.seal !== packet.seal || sender === undefined || this.#refused.has(hex(sender))) return
    const current = this.#open.at(-1) as OpenEpoch
    // Nothing from those who are no members any more (sec:B10).
    if (current !== open && !isMember(current.epoch, packet.leaf, sender)) return
    const { kind, payload, leaf } = packet
    this.step((group) => {
      if (kind === 'card') group.heard(now, sender, open.epoch.mlsId, payload)
      else group.channelPacket(now, open.epoch.mlsId, leaf, kind, payload, packet.to === undefined)
    })
  }

  /** Opens what was held and can be opened now; names epochs that were waited for in vain. */
  retryHeld(): void {
    const { now } = this.world
    const held = this.#held
    this.#held = []
    const strange = new Set<string>()
    for (const { packet, until } of held) {
      if (this.#open.some(({ name }) => name === packet.mlsId)) this.receive(packet)
      else if (until > now) this.#held.push({ packet, until })
      else strange.add(packet.mlsId)
    }
    if (!this.world.isSalted)
      for (const mlsId of strange) this.step((group) => group.foreign(now, unhex(mlsId)))
  }

  get holds(): boolean {
    return this.#held.length > 0
  }
}

function isMember(epoch: AdoptedEpoch, leaf: number, member: Uint8Array): boolean {
  const same = epoch.roster.get(leaf)?.identity.memberKey
  if (same !== undefined && sameBytes(same, member)) return true
  for (const { identity } of epoch.roster.values()) if (sameBytes(identity.memberKey, member)) return true
  return false
}
