/**
 * A run with people at its machines: time passes when they say so, and between and within its steps they ask
 * things of nodes, as owners do, and break the network, as misfortune does. Beside what they do, a pure
 * function of scenario, seed and data, like every run.
 */
import type { Crypto } from '../core/crypto/ports.ts'
import type { Keys } from '../core/dice.ts'
import { UsageError } from '../core/errors.ts'
import type { Stored } from '../core/group/events.ts'
import type { Command, Micros, NodeEvent, NodeView, PeerHint, PortId } from '../core/io.ts'
import { SECOND } from '../core/io.ts'
import { recordOf } from '../core/member/records.ts'
import type { SimNode } from './node.ts'
import { keysFrom, Streams } from './random.ts'
import type { RunOptions, Violation } from './results.ts'
import { Run } from './run.ts'
import type { Scenario } from './scenario.ts'
import { isVisitorPort, type Visitors } from './visitors.ts'
import { addressOf, type World } from './world.ts'

/** Who sits at one machine. Calls come after the step of which they tell, so anything may be asked then. */
export interface Owner {
  started(): void
  stopped(): void
  noted(event: NodeEvent): void
  delivered(port: PortId, frame: Uint8Array, at: Micros): void
}

export class Live implements Visitors {
  readonly crypto: Crypto
  readonly #run: Run
  readonly #streams: Streams
  readonly #owners = new Map<number, Owner>()
  readonly #machines = new Map<number, LiveMachine>()
  readonly #splits: number[] = []

  constructor(scenario: Scenario, options: Omit<RunOptions, 'visitors'>) {
    this.#streams = new Streams(String(options.seed))
    this.#run = new Run(scenario, { ...options, visitors: this })
    this.crypto = this.#run.crypto
  }

  // What is.

  get nodes(): number {
    return this.#world.nodes.length
  }

  /** Simulated time. */
  get now(): Micros {
    return this.#world.now
  }

  get endsAt(): Micros {
    return Math.round(this.#run.endsAtSeconds * SECOND)
  }

  /** The scenario's time is up, or an invariant broke. */
  get done(): boolean {
    return this.#run.done
  }

  get digest(): string {
    return this.#run.digest
  }

  get violations(): readonly Violation[] {
    return this.#run.violations
  }

  isUp(node: number): boolean {
    return this.#run.stage.isUp(node)
  }

  /** The node at the top of most nodes that are up, and the share of these that hang below it. */
  tree(): { readonly root: number | undefined; readonly attachedShare: number } {
    const { stage } = this.#run
    return { root: stage.root(), attachedShare: stage.attachedShare() }
  }

  machine(index: number): LiveMachine {
    const known = this.#machines.get(index)
    if (known !== undefined) return known
    const node = this.#node(index)
    const keys = keysFrom(this.#streams.stream(`owner/${index}`))
    const machine = new LiveMachine(this.#world, node, this.crypto, keys)
    this.#machines.set(index, machine)
    return machine
  }

  /** Tells one owner from now on. */
  seat(index: number, owner: Owner): void {
    this.#owners.set(index, owner)
  }

  // What time and misfortune do.

  /** Lets time pass until then, or until the scenario ends. */
  run(until: Micros): void {
    this.#run.step(until / SECOND)
  }

  /** False if it was down already. */
  crash(index: number): boolean {
    const node = this.#node(index)
    if (!node.up) return false
    this.#world.crash(node, this.#world.reportsLoss)
    return true
  }

  /** The machine starts with its identity and its disk; false if it is up. */
  start(index: number): boolean {
    if (this.#node(index).up) return false
    this.#run.tools.start(index, false)
    return true
  }

  /** The node says goodbye to its neighbours and stops; false if it was down already. */
  leave(index: number): boolean {
    const node = this.#node(index)
    if (!node.up) return false
    this.#world.leave(node)
    return true
  }

  /** Cuts the nodes off from all others. */
  partition(nodes: readonly number[]): void {
    this.#splits.push(this.#run.tools.partition.split(nodes))
    this.#run.stage.connectivity.touch()
  }

  /** Ends all partitions; how many there were. */
  heal(): number {
    const splits = this.#splits.splice(0)
    for (const split of splits) this.#run.tools.partition.heal(split)
    this.#run.stage.connectivity.touch()
    this.#world.trunks.pathsChanged()
    return splits.length
  }

  // Visitors.

  started(index: number): void {
    this.#inLife(index, (owner) => owner.started())
  }

  stopped(index: number): void {
    this.#later(index, (owner) => owner.stopped())
  }

  noted(index: number, event: NodeEvent): void {
    this.#inLife(index, (owner) => owner.noted(event))
  }

  delivered(index: number, port: PortId, frame: Uint8Array): void {
    const copy = frame.slice()
    const at = this.#world.now
    this.#inLife(index, (owner) => owner.delivered(port, copy, at))
  }

  // Within.

  get #world(): World {
    return this.#run.world
  }

  /** What a machine did before it stopped and started again is not news any more. */
  #inLife(index: number, tell: (owner: Owner) => void): void {
    const node = this.#node(index)
    const { life } = node
    this.#later(index, (owner) => {
      if (node.up && node.life === life) tell(owner)
    })
  }

  #later(node: number, tell: (owner: Owner) => void): void {
    const owner = this.#owners.get(node)
    if (owner !== undefined) this.#world.at(this.#world.now, () => tell(owner))
  }

  #node(index: number): SimNode {
    const node = this.#world.nodes[index]
    if (node !== undefined) return node
    throw new UsageError(`there is no node ${index}; nodes are 0 to ${this.nodes - 1}`)
  }
}

/** One machine in the hands of its owner. */
export class LiveMachine {
  readonly crypto: Crypto
  /** The owner's own draws, so that what the node draws does not depend on them. */
  readonly keys: Keys
  readonly #world: World
  readonly #node: SimNode

  constructor(world: World, node: SimNode, crypto: Crypto, keys: Keys) {
    this.#world = world
    this.#node = node
    this.crypto = crypto
    this.keys = keys
  }

  get isUp(): boolean {
    return this.#node.up
  }

  /** The machine's own monotonic clock. */
  now(): Micros {
    return this.#node.now()
  }

  wallMillis(): number {
    return this.#node.wall.millis()
  }

  /** A UsageError while the machine is down. */
  command(command: Command): void {
    if (!this.#node.up)
      throw new UsageError(`'${command.kind}' to node ${this.#node.index}, which is down; start it first`)
    this.#world.command(this.#node, command)
  }

  /** A frame out of the machine's own network stack. */
  frame(port: PortId, frame: Uint8Array): void {
    if (!isVisitorPort(port)) throw new UsageError(`port ${port} is the scenario's; use one of your own`)
    this.#world.inject(this.#node, port, frame, 0)
  }

  /** Runs once that much time has passed by the machine's own clock, whether it is up or not. */
  after(wait: Micros, run: () => void): void {
    const due = this.now() + wait
    const look = (): void => {
      const left = due - this.now()
      if (left <= 0) run()
      else this.#world.at(this.#world.now + Math.ceil(left / this.#node.clockRate), look)
    }
    this.#world.at(this.#world.now + Math.ceil(wait / this.#node.clockRate), look)
  }

  /** Undefined while the machine is down. */
  view(): NodeView | undefined {
    return this.#node.host?.machine.view()
  }

  /** What its disk holds of a port. */
  stored(port: PortId): Stored {
    const { records } = this.#node
    return {
      head: records.get(recordOf(port, 'head')),
      next: records.get(recordOf(port, 'next')),
      ledger: records.get(recordOf(port, 'ledger')),
    }
  }

  /** Its disk keeps nothing of that port any more. */
  erase(port: PortId): void {
    for (const slot of ['head', 'next', 'ledger'] as const) this.#node.records.delete(recordOf(port, slot))
  }

  /** Where others can dial it. */
  contact(): PeerHint {
    const { index, reach } = this.#node
    return { peer: this.#world.peerOf(this.#node), addresses: [addressOf(index)], reach }
  }
}
