/**
 * A simulated machine with somebody at it who knows the verbs of CryptoVLANs: the seam of `node.ts` over a
 * run (sim/live.ts). Its book is on the machine's disk: it survives crashes, as records do.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import type { Stored } from '../../core/group/events.ts'
import type { Command, Micros, NodeEvent, NodeView, PeerHint, PortId } from '../../core/io.ts'
import { type Live, type LiveMachine, type Owner, VISITOR_PORT } from '../../sim/index.ts'
import type { ControlledNode, Kept, VlanBook } from './node.ts'
import { VlanVerbs } from './vlans.ts'

/** What its owner hears beside what the verbs do with it. */
export interface Bystander {
  noted(node: number, event: NodeEvent): void
  delivered(node: number, port: PortId, frame: Uint8Array, at: Micros): void
}

export class SimulatedNode implements ControlledNode, Owner {
  readonly index: number
  readonly verbs: VlanVerbs
  readonly machine: LiveMachine
  readonly crypto: Crypto
  readonly keys: Keys
  readonly book: VlanBook
  readonly #bystander: Bystander
  #kept: Kept = { vlans: [], nextPort: VISITOR_PORT }

  constructor(live: Live, index: number, bystander: Bystander) {
    this.index = index
    this.#bystander = bystander
    this.machine = live.machine(index)
    this.crypto = this.machine.crypto
    this.keys = this.machine.keys
    this.book = {
      load: () => this.#kept,
      save: (kept) => {
        this.#kept = kept
      },
    }
    this.verbs = new VlanVerbs(this)
    live.seat(index, this)
  }

  // Owner.

  started(): void {
    this.verbs.start()
  }

  stopped(): void {
    this.verbs.stop()
  }

  noted(event: NodeEvent): void {
    this.verbs.noted(event)
    this.#bystander.noted(this.index, event)
  }

  delivered(port: PortId, frame: Uint8Array, at: Micros): void {
    this.#bystander.delivered(this.index, port, frame, at)
  }

  // The seam.

  now(): Micros {
    return this.machine.now()
  }

  wallMillis(): number {
    return this.machine.wallMillis()
  }

  after(wait: Micros, run: () => void): void {
    this.machine.after(wait, run)
  }

  command(command: Command): void {
    this.machine.command(command)
  }

  view(): NodeView | undefined {
    return this.machine.view()
  }

  stored(port: PortId): Stored {
    return this.machine.stored(port)
  }

  isKept(port: PortId): boolean {
    return this.stored(port).head !== undefined
  }

  erase(port: PortId): void {
    this.machine.erase(port)
  }

  contacts(): readonly PeerHint[] {
    return [this.machine.contact()]
  }
}
