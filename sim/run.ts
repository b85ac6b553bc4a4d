/**
 * One run of a scenario: puts world, scripts and checks together, lets time pass, and says what came
 * of it. A run is a pure function of scenario, seed and data files.
 */
import { noble } from '../core/crypto/noble.ts'
import type { Crypto } from '../core/crypto/ports.ts'
import { UsageError } from '../core/errors.ts'
import {
  type JobOutcome,
  type Micros,
  type NodeEvent,
  type PeerHint,
  type PortId,
  type Reachability,
  SECOND,
} from '../core/io.ts'
import { Connectivity } from './checks/connectivity.ts'
import { CycleCheck } from './checks/cycles.ts'
import { Delivery, type DeliveryWorld, FRAME_KIND, type FrameRecord } from './checks/delivery.ts'
import { Groups } from './checks/groups.ts'
import { Nonces } from './checks/nonces.ts'
import { Reach } from './checks/reach.ts'
import { MlsVerdict } from './checks/verdict.ts'
import { standInCrypto } from './crypto.ts'
import { PlantedMacs } from './hostile/planted.ts'
import { Sightings } from './hostile/sightings.ts'
import { Meter } from './meter.ts'
import { measure } from './metrics.ts'
import type { MlsEngines } from './mls/engines.ts'
import type { SimNode } from './node.ts'
import { Streams } from './random.ts'
import { remarksOf } from './remarks.ts'
import {
  compareBounds,
  type FaultHits,
  type RunOptions,
  type RunResult,
  type Simulation,
  type Violation,
} from './results.ts'
import type { Scenario } from './scenario.ts'
import { startChurn } from './script/churn.ts'
import { Convergence } from './script/convergence.ts'
import { joinVlans, startGuests } from './script/entrances.ts'
import { type FaultTools, faultsEnd, startFaults } from './script/faults.ts'
import { OutageProbes } from './script/outages.ts'
import { answer, startTraffic } from './script/traffic.ts'
import { Stage } from './stage.ts'
import { Histogram } from './statistics.ts'
import { buildSurroundings, type Surroundings } from './surroundings.ts'
import { LOST } from './trunks.ts'
import { isVisitorPort } from './visitors.ts'
import { frameNumber, layOutVlans, vlanOf } from './vlans.ts'
import { addressOf, type Observer, World } from './world.ts'

/** Violations kept in full; more are counted. */
const VIOLATIONS_MAX = 100

export class Run implements Observer, DeliveryWorld, Simulation {
  readonly scenario: Scenario
  readonly seed: number
  readonly world: World
  readonly crypto: Crypto
  readonly stage: Stage
  /** What faults act with. */
  readonly tools: FaultTools
  readonly meter: Meter
  readonly outages: OutageProbes
  readonly convergence: Convergence | undefined
  readonly hits: readonly FaultHits[]
  readonly stretch = new Histogram()
  readonly groups: Groups
  readonly nonces = new Nonces()
  readonly reach: Reach
  readonly counters: Record<string, number> = {}
  readonly eventKinds: Record<string, number> = {}
  falseLinkDeaths = 0
  readonly verdict: MlsVerdict
  readonly #options: RunOptions
  readonly #surroundings: Surroundings
  readonly #violations: Violation[] = []
  #violationCount = 0
  readonly #startedAt: Float64Array
  readonly #endsAt: Micros
  /** When the last fault has ended and everybody has asked to be let in, in seconds. */
  readonly #calm: number
  readonly #warmup: Micros
  #done = false

  constructor(scenario: Scenario, options: RunOptions) {
    this.scenario = scenario
    this.seed = options.seed
    this.#options = options
    const { count } = scenario.nodes
    const streams = new Streams(String(options.seed))
    this.#surroundings = buildSurroundings(scenario, streams, options.data)
    this.#warmup = Math.round(scenario.warmupSeconds * SECOND)
    this.#startedAt = new Float64Array(count)
    this.meter = new Meter(count)
    const connectivity = new Connectivity(count)
    const cycles = new CycleCheck()
    const delivery = new Delivery(this, this.#warmup)
    const plain = scenario.crypto === 'real' ? (options.realCrypto ?? noble) : standInCrypto
    const { hash } = plain
    this.crypto = plain
    const say = this.violation.bind(this)
    this.groups = new Groups(hash, say, () => this.#surroundings.partition.active)
    this.reach = new Reach(this.groups.rosters, say)
    const keepsCommits = scenario.faults.some((fault) => fault.kind === 'revoke' && fault.hostile)
    // Memory for every packet that is sealed: only where keys change.
    const isWatched = options.visitors !== undefined || scenario.vlans.some(({ group }) => group === 'mls')
    const planted = new PlantedMacs()
    const crypto = isWatched
      ? { ...plain, hash: planted.watch(plain.hash), aead: this.nonces.watch(plain.aead) }
      : plain
    this.world = new World(
      {
        ...this.#surroundings,
        streams,
        crypto,
        hints: (node) => this.#hints(node),
        createTree: options.createTree,
        // Visitors bring VLANs of their own, of which nobody here knows who is in.
        watch: isWatched && options.visitors === undefined ? this.reach : undefined,
        keepsStates: keepsCommits,
        engines: enginesFor(scenario, options),
      },
      this,
    )
    this.world.recorder = options.trace
    const isHijacked =
      options.visitors !== undefined ||
      scenario.faults.some((fault) => fault.kind === 'misbehave' && fault.how === 'hijack')
    for (let node = 0; node < count; node++) {
      const machine = this.world.addNode(this.#surroundings.reach(node))
      if (isHijacked) machine.sightings = new Sightings()
    }
    const vlans = layOutVlans(scenario, streams, plain)
    const { world, groups } = this
    this.stage = new Stage({
      scenario,
      streams,
      world,
      vlans,
      delivery,
      cycles,
      connectivity,
      groups,
      reach: this.reach,
      crypto: plain,
    })
    this.verdict = new MlsVerdict(this.stage, this.nonces, keepsCommits, say)
    this.outages = new OutageProbes(this.stage)
    const churning = startChurn(this.stage, options, (node, isNew) => this.#start(node, isNew))
    startTraffic(this.stage)
    startGuests(this.stage)
    this.tools = {
      stage: this.stage,
      partition: this.#surroundings.partition,
      outages: this.outages,
      dials: this.#surroundings.dials,
      planted,
      region: (node) => this.#surroundings.latency.region(node),
      start: (node, isNew) => this.#start(node, isNew),
    }
    this.hits = startFaults(this.tools)
    const entered = scenario.vlans.map((each) => each.enterFromSeconds + each.enterSeconds)
    const calm = Math.max(scenario.nodes.joinSeconds, faultsEnd(scenario), ...entered)
    this.#calm = calm
    // Nobody knows when visitors will have done their last.
    const unforeseen = churning || options.visitors !== undefined
    this.convergence = unforeseen ? undefined : new Convergence(this.stage, calm, scenario.healSeconds)
    this.#endsAt = Math.max(Math.round(scenario.seconds * SECOND), this.convergence?.endsAt ?? 0)
    this.world.at(0, () => this.#tick())
    this.world.at(this.#warmup, () => this.#warm())
  }

  get done(): boolean {
    return this.#done
  }

  get endsAtSeconds(): number {
    return this.#endsAt / SECOND
  }

  get digest(): string {
    return this.world.digest.text()
  }

  get violations(): readonly Violation[] {
    return this.#violations
  }

  get digests(): readonly number[] {
    return this.world.digest.chunks
  }

  get effects(): number {
    return this.world.digest.effects
  }

  record(fromEffect: number, toEffect: number): string[] {
    const lines: string[] = []
    const again = new Run(this.scenario, {
      ...this.#options,
      trace: (line) => {
        if (again.world.digest.effects > fromEffect && again.world.digest.effects <= toEffect)
          lines.push(line)
      },
    })
    while (!again.done && again.world.digest.effects < toEffect) again.step(again.world.now / SECOND + 1)
    return lines
  }

  /** Lets the world run on to that time, or to the end. Throws InvariantError: a fault of the program. */
  step(untilSeconds: number): void {
    if (this.#done) return
    const until = Math.min(Math.round(untilSeconds * SECOND), this.#endsAt)
    this.world.run(until)
    if (until === this.#endsAt) this.#finish()
  }

  result(): RunResult {
    const metrics = measure(this)
    const bounds = compareBounds(this.scenario.bounds, metrics)
    return {
      scenario: this.scenario.name,
      seed: this.seed,
      digest: this.world.digest.text(),
      ok: this.#violationCount === 0 && bounds.every((bound) => bound.ok),
      violations: this.#violations,
      bounds,
      metrics,
      faults: this.hits,
      remarks: this.#done ? remarksOf(this) : [],
      events: this.world.events,
      messages: this.world.messages,
      simulatedSeconds: this.world.now / SECOND,
    }
  }

  // Observer.

  started(node: SimNode): void {
    this.#startedAt[node.index] = this.world.now
    this.stage.connectivity.setAlive(node.index, true)
    this.#options.visitors?.started(node.index)
    this.#options.onlooker?.started(node.index)
  }

  stopped(node: SimNode): void {
    this.#options.visitors?.stopped(node.index)
    this.#options.onlooker?.stopped(node.index)
    this.#collect(node)
    const from = Math.max(this.#startedAt[node.index] as number, this.#warmup)
    this.meter.wasUp(node.index, this.world.now - from)
    this.stage.cycles.nodeGone(node.index)
    this.reach.stopped(this.world.now, node.index)
    this.stage.connectivity.setAlive(node.index, false)
    for (const vlan of this.stage.vlansOf[node.index] ?? []) {
      this.stage.macs.delete(node.index * 65_536 + vlan.index)
      this.groups.gone(this.world.now, vlan.index, node.index)
    }
  }

  delivered(node: SimNode, port: PortId, frame: Uint8Array): void {
    if (isVisitorPort(port)) {
      this.#options.visitors?.delivered(node.index, port, frame)
      return
    }
    this.stage.clashes.delivered(this.world.now, vlanOf(port), node.index, frame)
    const number = frameNumber(frame)
    if (number === undefined) return
    const record = this.stage.delivery.delivered(this.world.now, node.index, vlanOf(port), number)
    if (record === undefined) return
    this.groups.delivered(record.vlan, record.sender, record.sentAt, node.index)
    answer(this.stage, record, node.index, record.kind, frame.length)
    if (record.kind === FRAME_KIND.unicast && record.sentAt >= this.#warmup) this.#stretched(record, node)
  }

  noted(node: SimNode, event: NodeEvent): void {
    this.eventKinds[event.kind] = (this.eventKinds[event.kind] ?? 0) + 1
    this.#options.visitors?.noted(node.index, event)
    this.#options.onlooker?.noted(node.index, event)
    if ('port' in event && isVisitorPort(event.port)) return
    if (event.kind === 'treeLink') {
      const cycle = this.stage.cycles.roleChanged(node.index, event.link, event.role)
      if (cycle !== undefined)
        this.violation('cycle', node.index, `open tree links form a cycle: ${cycle.join(' → ')}`)
    } else if (event.kind === 'portUp' || event.kind === 'macChanged') {
      this.stage.macs.set(node.index * 65_536 + vlanOf(event.port), event.mac)
      if (event.kind === 'macChanged') this.stage.clashes.noted(vlanOf(event.port), node.index, event)
      else this.#drawn(node.index)
    } else if (event.kind === 'macConflict') {
      this.stage.clashes.noted(vlanOf(event.port), node.index, event)
    } else if (event.kind === 'group') {
      this.groups.noted(this.world.now, vlanOf(event.port), node.index, event.event)
      if (event.event.kind === 'epoch') this.reach.adopted(node.index, event.event.mlsId)
      if (event.event.kind === 'memberRefused' && this.groups.isRevoked(event.event.member))
        this.reach.heard(this.world.now, node.index, event.event.member)
      // Who is out has no place in the VLAN any more.
      if (event.event.kind === 'ended') this.stage.macs.delete(node.index * 65_536 + vlanOf(event.port))
    } else if (event.kind === 'neighbourDown' && event.reason === 'dead') {
      this.#judgeDeath(node, event.peer)
    }
  }

  /** A port is up with a MAC that another member has. */
  #drawn(node: number): void {
    const then = this.stage.drawing.get(node)
    this.stage.drawing.delete(node)
    if (then !== undefined) this.world.at(this.world.now, then)
  }

  worked(node: SimNode, outcome: JobOutcome): void {
    this.verdict.worked(outcome)
    this.groups.secret(node.index, outcome)
  }

  arrived(node: SimNode, frame: number, copy: boolean): void {
    this.stage.delivery.arrived(frame, node.index, copy)
  }

  linkModelDropped(frame: number, reason: number, from: SimNode, to: SimNode): void {
    // What a machine was too busy to take is the protocol's affair, not the link model's.
    if (reason === LOST.processor) return
    const byChance = reason === LOST.loss || reason === LOST.corrupted || reason === LOST.queue
    this.stage.delivery.linkModelDropped(frame, from.index, to.index, byChance)
  }

  connected(a: SimNode, b: SimNode, up: boolean): void {
    if (up) this.stage.connectivity.connect(a.index, b.index)
    else this.stage.connectivity.disconnect(a.index, b.index)
  }

  sent(node: SimNode, control: boolean, kind: number, wireBytes: number): void {
    this.meter.sent(node.index, control, kind, wireBytes)
  }

  // What delivery asks.

  life(node: number): number {
    return this.world.nodes[node]?.life ?? 0
  }

  alive(node: number): boolean {
    return this.stage.isUp(node)
  }

  pathUp(node: number): readonly number[] {
    return this.stage.cycles.pathUp(node)
  }

  togetherSince(a: number, b: number, since: Micros): boolean {
    return this.stage.connectivity.togetherSince(a, b, since)
  }

  isMember(node: number, vlan: number): boolean {
    return (this.stage.vlansOf[node] ?? []).some((each) => each.index === vlan)
  }

  violation(kind: string, node: number, detail: string): void {
    this.#violationCount += 1
    if (this.#violations.length < VIOLATIONS_MAX) {
      this.#violations.push({ kind, atSeconds: this.world.now / SECOND, node, detail })
    }
  }

  // Inside.

  #start(index: number, newIdentity: boolean): void {
    const node = this.world.nodes[index]
    // Whoever comes back while still saying goodbye goes at once.
    if (node?.leaving === true) this.world.crash(node, true)
    if (node === undefined || node.up) return
    if (newIdentity) this.reach.forgot(index)
    this.world.start(node, newIdentity ? node.identity + 1 : node.identity)
    joinVlans(this.stage, node)
  }

  #hints(node: number): readonly PeerHint[] {
    return this.#surroundings.known(node).flatMap((other) => {
      const there = this.world.nodes[other]
      if (there === undefined || other === node) return []
      const peer = this.world.peerOf(there)
      return [{ peer, addresses: [addressOf(other)], reach: there.reach as Reachability }]
    })
  }

  /** Every simulated second: connectivity is looked at, frames are judged, progress is told. */
  #tick(): void {
    const { world, stage } = this
    const { partition } = this.#surroundings
    stage.connectivity.refresh(world.now, partition.active ? (a, b) => partition.cut(a, b) : undefined)
    stage.delivery.settle(world.now)
    for (const vlan of this.verdict.vlans) this.groups.look(world.now, vlan.index, this.verdict.inside(vlan))
    const goOn = this.#options.onProgress?.({
      simulatedSeconds: world.now / SECOND,
      totalSeconds: this.#endsAt / SECOND,
      scenarioSeconds: this.scenario.seconds,
      aliveNodes: stage.connectivity.living,
      messages: world.messages,
      events: world.digest.effects,
    })
    if (goOn === false) this.#done = true
    world.at(world.now + SECOND, () => this.#tick())
  }

  #warm(): void {
    this.meter.counting = true
  }

  #finish(): void {
    if (this.#done) return
    this.#done = true
    this.stage.delivery.settle(this.world.now)
    for (const node of this.world.nodes) {
      if (!node.up) continue
      this.#collect(node)
      this.meter.wasUp(
        node.index,
        this.world.now - Math.max(this.#startedAt[node.index] as number, this.#warmup),
      )
    }
    this.#judgeLiveness()
    this.verdict.judgeNonces()
    if (this.convergence !== undefined) this.verdict.judge()
    this.world.end()
  }

  /** Since when all members of every VLAN are in one epoch, in seconds after the last fault. */
  get oneEpochSeconds(): number | undefined {
    const since = this.groups.oneSince(this.verdict.vlans.map(({ index }) => index))
    return since === undefined ? undefined : Math.max(0, since / SECOND - this.#calm)
  }

  /** Phase two: after the last fault all living nodes hang in one tree and every pair talks. */
  #judgeLiveness(): void {
    const { convergence, scenario } = this
    if (convergence === undefined) return
    const within = `within ${scenario.healSeconds} s of the last fault`
    if (convergence.treeSeconds === undefined && this.stage.living().length > 0) {
      const share = (this.stage.attachedShare() * 100).toFixed(2)
      this.violation(
        'not-attached',
        -1,
        `not all living nodes hung in one tree ${within}; at the end ${share} % did`,
      )
    }
    if (scenario.vlans.length > 0 && !convergence.hasNobody && convergence.talkSeconds() === undefined) {
      this.violation('not-converged', -1, `some members could still not talk ${within}`)
    }
  }

  /** Adds a node's counters before its machine goes. */
  #collect(node: SimNode): void {
    for (const [name, value] of Object.entries(node.host?.machine.view().counters ?? {})) {
      this.counters[name] = (this.counters[name] ?? 0) + value
    }
  }

  #stretched(record: FrameRecord, node: SimNode): void {
    const direct = this.#surroundings.latency.oneWay(record.sender, node.index)
    // In hundredths: 100 is as fast as a direct path.
    this.stretch.add(Math.round(((this.world.now - record.sentAt) / Math.max(1, direct)) * 100))
  }

  #judgeDeath(node: SimNode, peer: string): void {
    const far = this.world.nodes.find((other) => other.up && other.peer === peer)
    if (far === undefined || this.#surroundings.partition.cut(node.index, far.index)) return
    if (!this.#surroundings.partition.cut(far.index, node.index)) this.falseLinkDeaths += 1
  }
}

function enginesFor({ mls }: Scenario, { mlsEngines }: RunOptions): MlsEngines | undefined {
  if (mls === 'standin') return undefined
  if (mlsEngines !== undefined) return mlsEngines
  throw new UsageError(`mls is "${mls}", which cannot be run here; set it to "standin"`)
}
