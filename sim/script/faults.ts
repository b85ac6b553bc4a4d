/**
 * What goes wrong, when, and for whom. Each fault draws from a stream of its own, so that adding one
 * shifts no other. The end of the last one is where the liveness phase begins.
 */
import { shuffled } from '../../core/dice.ts'
import { hex, unhex } from '../../core/ids.ts'
import { SECOND } from '../../core/io.ts'
import { byRank } from '../../core/ledger/rank.ts'
import { FRAME_KIND } from '../checks/delivery.ts'
import type { PlantedMacs } from '../hostile/planted.ts'
import { compileConditions, meanLoss } from '../links/conditions.ts'
import type { DialModel } from '../links/dial.ts'
import type { Partition } from '../links/partition.ts'
import type { SimNode } from '../node.ts'
import type { Random } from '../random.ts'
import type { FaultHits } from '../results.ts'
import type { Conditions, Fault, Scenario, Who } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import type { Trunk } from '../trunks.ts'
import { BROADCAST_MAC, portOf } from '../vlans.ts'
import { entrancesEnd } from './entrances.ts'
import { putOutSome, resign } from './evictions.ts'
import { hijack } from './hijack.ts'
import type { OutageProbes } from './outages.ts'
import { sameMac } from './same-mac.ts'

const NO_KEY = new Uint8Array(32)

export interface FaultTools {
  readonly stage: Stage
  readonly partition: Partition
  readonly outages: OutageProbes
  readonly dials: DialModel
  readonly planted: PlantedMacs
  /** The region of a node where the latency model has regions. */
  readonly region: (node: number) => string | undefined
  /** Starts a node with what it needs; the same identity unless told otherwise. */
  readonly start: (node: number, newIdentity: boolean) => void
}

/** The sums fill while the run goes on. */
export function startFaults(tools: FaultTools): FaultHits[] {
  const { stage } = tools
  return stage.scenario.faults.map((fault, index) => {
    const random = stage.streams.stream(`fault/${index}`)
    const hits = { kind: fault.kind, atSeconds: fault.atSeconds, nodes: 0 }
    const hit = (nodes: number): void => {
      hits.nodes += nodes
    }
    stage.atSeconds(fault.atSeconds, () => startFault({ ...tools, hit }, fault, random))
    return hits
  })
}

/** Tools of one fault, which says how many nodes it hits. */
interface FaultAtWork extends FaultTools {
  readonly hit: (nodes: number) => void
}

/** When the last fault has ended and the last guest has gone, in seconds; 0 without either. */
export function faultsEnd(scenario: Scenario): number {
  const ends = scenario.faults.map((fault) => fault.atSeconds + faultSeconds(fault))
  return Math.max(entrancesEnd(scenario), ...ends)
}

function faultSeconds(fault: Fault): number {
  switch (fault.kind) {
    case 'crash':
    case 'leave':
      return fault.restartAfterSeconds ?? 0
    case 'partition':
      return fault.healAfterSeconds
    case 'clock':
    case 'resign':
    case 'revoke':
    case 'rekey':
      return 0
    case 'relay-crashes':
      return fault.everySeconds * (fault.times - 1) + fault.restartAfterSeconds
    default:
      return fault.forSeconds
  }
}

function startFault(tools: FaultAtWork, fault: Fault, random: Random): void {
  const { stage } = tools
  switch (fault.kind) {
    case 'crash':
      for (const node of chosen(tools, fault.who, random))
        crashOne(tools, node, fault.restartAfterSeconds, fault.newIdentity)
      break
    case 'leave':
      for (const node of chosen(tools, fault.who, random)) {
        stage.world.leave(stage.world.nodes[node] as never)
        restartLater(tools, node, fault.restartAfterSeconds, false)
      }
      break
    case 'partition':
      cutOff(tools, fault, random)
      break
    case 'slow':
      for (const node of chosen(tools, fault.who, random))
        slowDown(stage, node, fault.factor, fault.forSeconds)
      break
    case 'clog':
      for (const node of chosen(tools, fault.who, random)) {
        stage.world.clog(stage.world.nodes[node] as never, stage.world.now + fault.forSeconds * SECOND)
      }
      break
    case 'clock':
      for (const node of chosen(tools, fault.who, random)) {
        stage.world.nodes[node]?.setClock(1 + fault.driftPpm / 1e6, Math.round(fault.skewSeconds * SECOND))
      }
      break
    case 'links':
      changeLinks(tools, fault)
      tools.hit(stage.living().length)
      break
    case 'storm':
      storm(tools, fault, random)
      break
    case 'resign':
      tools.hit(resign(stage, stage.vlans[fault.vlan], fault.count, random))
      break
    case 'revoke':
      tools.hit(putOutSome(stage, stage.vlans[fault.vlan], fault, random))
      break
    case 'rekey':
      for (const node of chosen(tools, fault.who, random)) rekey(stage, node)
      break
    case 'same-mac':
      tools.hit(sameMac(stage, fault, random, shuffled(random, stayers(stage)), tools.planted))
      break
    case 'relay-crashes':
      relayCrashes(tools, fault, random)
      break
    case 'broadcast-storm':
      for (const node of chosen(tools, fault.who, random, (one) => stage.vlansOf[one]?.[0] !== undefined))
        broadcastStorm(stage, fault, node)
      break
    case 'misbehave':
      for (const node of chosen(tools, fault.who, random)) misbehave(stage, fault, node)
      break
  }
}

/** Contacts are spared where a share or a count is drawn: they are the way back in. */
function inRole(
  { stage, outages }: FaultTools,
  role: 'root' | 'relay' | 'committer',
  random: Random,
): number | undefined {
  if (role === 'root') return stage.root()
  return role === 'relay' ? outages.relay(random) : committer(stage)
}

/** Who commits next in VLAN 0, by rank among its members that are up (sec:B5). */
function committer(stage: Stage): number | undefined {
  const vlan = stage.vlans[0]
  const living = vlan?.members.filter((node) => stage.isIn(node, vlan)) ?? []
  const head = vlan && stage.groups.epochOf(0, living[0] ?? -1)
  if (vlan?.mls === undefined || head === undefined) return undefined
  const keys = new Map(living.map((node) => [hex(vlan.mls?.memberKey(node) ?? NO_KEY), node]))
  const [first] = byRank(stage.crypto.hash, unhex(head), [...keys.keys()].map(unhex))
  return first === undefined ? undefined : keys.get(hex(first))
}

function rekey(stage: Stage, node: number): void {
  for (const vlan of stage.vlansOf[node] ?? []) {
    if (vlan.mls === undefined || stage.groups.epochOf(vlan.index, node) === undefined) continue
    stage.world.command(stage.world.nodes[node] as SimNode, { kind: 'rekey', port: portOf(vlan.index) })
  }
}

/** Counts those that are up, and that the fault can do something to. */
function chosen(
  tools: FaultAtWork,
  who: Who,
  random: Random,
  canHit: (node: number) => boolean = () => true,
): number[] {
  const nodes = drawn(tools, who, random)
  tools.hit(nodes.filter((node) => tools.stage.isUp(node) && canHit(node)).length)
  return nodes
}

function drawn(tools: FaultTools, who: Who, random: Random): number[] {
  const { stage } = tools
  const { count, contacts } = stage.scenario.nodes
  if ('nodes' in who) return who.nodes.filter((node) => node < count)
  if ('role' in who) {
    const node = inRole(tools, who.role, random)
    return node === undefined ? [] : [node]
  }
  if ('outsiders' in who) return outsiders(stage).slice(0, who.outsiders)
  if ('members' in who) return shuffled(random, stayers(stage)).slice(0, who.members)
  const living = stage.living().filter((node) => node >= contacts)
  if ('region' in who) return living.filter((node) => tools.region(node) === who.region)
  const wanted = 'share' in who ? Math.round(living.length * who.share) : Math.min(who.count, living.length)
  return shuffled(random, living).slice(0, wanted)
}

/** Members of VLAN 0 that are in and up, but the first one, guests, and those of two to an invitation. */
function stayers(stage: Stage): number[] {
  const [vlan] = stage.vlans
  if (vlan === undefined) return []
  const others = [vlan.members[0], ...vlan.guests, ...vlan.twins.flat()]
  return vlan.members.filter((node) => !others.includes(node) && stage.isIn(node, vlan))
}

/** Nodes that are members nowhere, by how much of the tree hangs on them; never the root: it has no upper. */
function outsiders(stage: Stage): number[] {
  const below = new Map<number, number>()
  for (const node of stage.living())
    for (const above of stage.cycles.pathUp(node).slice(1)) below.set(above, (below.get(above) ?? 0) + 1)
  const root = stage.root()
  return stage
    .living()
    .filter((node) => node !== root && stage.vlansOf[node]?.length === 0)
    .sort((a, b) => (below.get(b) ?? 0) - (below.get(a) ?? 0) || a - b)
}

function crashOne(
  tools: FaultTools,
  node: number,
  restartAfterSeconds: number | undefined,
  newIdentity: boolean,
): void {
  const { world } = tools.stage
  const machine = world.nodes[node]
  if (machine === undefined) return
  world.crash(machine, world.reportsLoss)
  restartLater(tools, node, restartAfterSeconds, newIdentity)
}

function restartLater(
  tools: FaultTools,
  node: number,
  afterSeconds: number | undefined,
  newIdentity: boolean,
): void {
  if (afterSeconds === undefined) return
  const { world } = tools.stage
  world.at(world.now + Math.max(1, Math.round(afterSeconds * SECOND)), () => tools.start(node, newIdentity))
}

function cutOff(tools: FaultAtWork, fault: Extract<Fault, { kind: 'partition' }>, random: Random): void {
  const { stage, partition } = tools
  const inside = chosen(tools, fault.who, random)
  for (const vlan of stage.vlans) for (const pair of vlan.twins) part(inside, pair)
  const id = partition.split(inside, fault.oneWay)
  stage.connectivity.touch()
  stage.world.at(stage.world.now + Math.round(fault.healAfterSeconds * SECOND), () => {
    partition.heal(id)
    stage.connectivity.touch()
    stage.world.trunks.pathsChanged()
  })
}

/** Of two that hold one invitation each side gets one. */
function part(inside: number[], [first, second]: readonly [number, number]): void {
  const places = [inside.indexOf(first), inside.indexOf(second)]
  if (places.every((place) => place < 0)) inside.push(first)
  else if (places.every((place) => place >= 0)) inside.splice(places[1] as number, 1)
}

function slowDown(stage: Stage, node: number, factor: number, forSeconds: number): void {
  const machine = stage.world.nodes[node]
  if (machine === undefined) return
  machine.slowness *= factor
  stage.world.at(stage.world.now + Math.round(forSeconds * SECOND), () => {
    machine.slowness /= factor
  })
}

function changeLinks(tools: FaultTools, fault: Extract<Fault, { kind: 'links' }>): void {
  const { world } = tools.stage
  setLinks(tools)
  world.at(world.now + Math.round(fault.forSeconds * SECOND), () => setLinks(tools))
}

/** As the scenario has them, changed by all such faults that last: of two that set one field, the later. */
function setLinks({ stage, dials }: FaultTools): void {
  const { world, scenario } = stage
  const lasting = scenario.faults
    .filter((fault) => fault.kind === 'links')
    .filter(({ atSeconds, forSeconds }) => {
      const start = Math.round(atSeconds * SECOND)
      return start <= world.now && world.now < start + Math.round(forSeconds * SECOND)
    })
    .sort((one, other) => one.atSeconds - other.atSeconds)
  const changes = lasting.map(({ conditions }) => conditions)
  const conditions: Conditions = Object.assign({ ...scenario.conditions }, ...changes)
  world.trunks.shared.conditions = compileConditions(conditions)
  dials.loss = meanLoss(world.trunks.shared.conditions)
  world.reportsLoss = conditions.reportsLoss
}

/** Random crashes, restarts and link cuts in equal parts, as the tree protocol was tried with. */
function storm(tools: FaultAtWork, fault: Extract<Fault, { kind: 'storm' }>, random: Random): void {
  const { stage } = tools
  const { world } = stage
  const { contacts, count } = stage.scenario.nodes
  const until = world.now + fault.forSeconds * SECOND
  const down: number[] = []
  const tick = (): void => {
    if (world.now >= until) {
      for (const node of down) tools.start(node, false)
      return
    }
    const pick = random.unit()
    const node = contacts + random.below(Math.max(1, count - contacts))
    const machine = world.nodes[node]
    if (pick < 0.4 && machine?.up === true) {
      world.crash(machine, world.reportsLoss)
      tools.hit(1)
      down.push(node)
    } else if (pick < 0.8 && down.length > 0) {
      tools.start(down.splice(random.below(down.length), 1)[0] as number, false)
    } else if (machine?.up === true) {
      const trunks = world.trunks.of(machine)
      if (trunks.length > 0) world.trunks.sever(trunks[random.below(trunks.length)] as Trunk)
    }
    world.at(world.now + 1 + Math.round((random.unit() * 2 * SECOND) / fault.perSecond), tick)
  }
  tick()
}

function relayCrashes(
  tools: FaultAtWork,
  fault: Extract<Fault, { kind: 'relay-crashes' }>,
  random: Random,
): void {
  const { world } = tools.stage
  for (let turn = 0; turn < fault.times; turn++) {
    world.at(world.now + Math.round(turn * fault.everySeconds * SECOND), () => {
      const victim = fault.target === 'root' ? tools.stage.root() : tools.outages.relay(random)
      if (victim === undefined) return
      tools.outages.watch(victim, random, () => {
        const machine = world.nodes[victim]
        if (machine === undefined || !machine.up) return
        world.crash(machine, fault.reported)
        tools.hit(1)
        restartLater(tools, victim, fault.restartAfterSeconds, false)
      })
    })
  }
}

function broadcastStorm(
  stage: Stage,
  fault: Extract<Fault, { kind: 'broadcast-storm' }>,
  node: number,
): void {
  const vlan = stage.vlansOf[node]?.[0]
  if (vlan === undefined) return
  const until = stage.world.now + fault.forSeconds * SECOND
  const gap = Math.max(1, Math.round(SECOND / fault.perSecond))
  const tick = (): void => {
    if (stage.world.now >= until) return
    const receivers = vlan.members.filter((other) => other !== node && stage.isUp(other))
    stage.send(FRAME_KIND.storm, vlan.index, node, receivers, BROADCAST_MAC, fault.bytes)
    stage.world.at(stage.world.now + gap, tick)
  }
  tick()
}

function misbehave(stage: Stage, fault: Extract<Fault, { kind: 'misbehave' }>, node: number): void {
  const machine = stage.world.nodes[node]
  if (machine === undefined) return
  const until = stage.world.now + Math.round(fault.forSeconds * SECOND)
  if (fault.how === 'hijack') hijack(stage, machine, until)
  else stage.world.at(until, machine.misbehave(fault.how))
}
