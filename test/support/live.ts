/** A small mesh whose machines all have somebody at them who knows the verbs of VLANs. */
import type { NodeEvent, PortId } from '../../core/io.ts'
import { SECOND } from '../../core/io.ts'
import type { CreateOrder } from '../../drivers/control/enter.ts'
import type { Outcome, Pending, Refused } from '../../drivers/control/outcome.ts'
import { SimulatedNode } from '../../drivers/control/simulated.ts'
import { Live } from '../../sim/live.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

const TICK = SECOND / 100
export const DAY = 86_400_000

export const HOME: CreateOrder = {
  label: 'home',
  privacy: 'private',
  suite: 1,
  mtu: 1_280,
  sign: 'group',
  padding: 'small',
}

export class LiveMesh {
  readonly live: Live
  readonly nodes: readonly SimulatedNode[]
  readonly events: { readonly node: number; readonly event: NodeEvent }[] = []
  readonly frames: { readonly node: number; readonly port: PortId; readonly frame: Uint8Array }[] = []

  constructor(seed = 1, count = 8, changes: object = {}) {
    const scenario = checkScenario(
      {
        version: 1,
        name: 'live',
        question: 'Do verbs do what they say?',
        seconds: 3_600,
        nodes: { count, joinSeconds: 1 },
        ...changes,
      },
      'live',
    )
    const data = {
      text: (): string => {
        throw new Error('no data is needed')
      },
    }
    this.live = new Live(scenario, { seed, data })
    const bystander = {
      noted: (node: number, event: NodeEvent) => this.events.push({ node, event }),
      delivered: (node: number, port: PortId, frame: Uint8Array) => this.frames.push({ node, port, frame }),
    }
    this.nodes = Array.from({ length: count }, (_, index) => new SimulatedNode(this.live, index, bystander))
    this.run(10)
  }

  node(index: number): SimulatedNode {
    return this.nodes[index] as SimulatedNode
  }

  run(seconds: number): void {
    this.live.run(this.live.now + seconds * SECOND)
  }

  /** Lets time pass until it is settled. */
  settle<T>(pending: Pending<T>): Outcome<T> {
    while (pending.outcome === undefined && !this.live.done) this.live.run(this.live.now + TICK)
    if (pending.outcome === undefined) throw new Error('the time of the scenario is over')
    return pending.outcome
  }

  /** What came of it, which must be something. */
  value<T>(pending: Pending<T>): T {
    const outcome = this.settle(pending)
    if (!outcome.ok) throw new Error(`${outcome.refusal}: ${outcome.message}`)
    return outcome.value
  }

  refusal<T>(pending: Pending<T>): Refused {
    const outcome = this.settle(pending)
    if (outcome.ok) throw new Error(`done, and should have been refused: ${JSON.stringify(outcome.value)}`)
    return outcome
  }

  /** A VLAN founded by the first with all others let in, one after the other; own keys in order. */
  vlan(founder: number, ...others: readonly number[]): string[] {
    const { verbs } = this.node(founder)
    const keys = [this.value(verbs.create(HOME)).member]
    for (const other of others)
      keys.push(this.value(this.node(other).verbs.join(this.invitation(founder))).member)
    return keys
  }

  invitation(from: number, name = 'home'): string {
    const { invitations } = this.value(this.node(from).verbs.invite(name, { count: 1, lifeMillis: 30 * DAY }))
    return invitations[0]?.url ?? ''
  }

  members(at: number, name = 'home'): string[] {
    return this.value(this.node(at).verbs.members(name)).members.map(({ member }) => member)
  }
}
