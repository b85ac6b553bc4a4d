/**
 * Changes one thing in a run that stands at a moment. It acts on the run and not on its scenario, because
 * a fault more in a scenario moves the end of the last one, and with it the probes that come after: the
 * past would not be the same.
 */
import { SECOND } from '../../core/io.ts'
import { compileConditions, meanLoss } from '../../sim/links/conditions.ts'
import type { Partition } from '../../sim/links/partition.ts'
import type { Run } from '../../sim/run.ts'
import type { Branching, Change } from '../model/change.ts'

export class Branch {
  readonly #branching: Branching
  readonly #run: Run
  /** Numbers of all splits so far, by which they are healed. */
  readonly #splits: number[] = []
  #isDone = false

  /** `run` stands at its beginning. */
  constructor(run: Run, branching: Branching) {
    this.#run = run
    this.#branching = branching
    noteSplits(run.tools.partition, this.#splits)
  }

  /** How far the run may go before `turn` has to be called, in seconds. */
  limit(until: number): number {
    return this.#isDone ? until : Math.min(until, this.#branching.at)
  }

  /** Called before time passes: changes what is to be changed if the moment is there. */
  turn(): void {
    const { at, change } = this.#branching
    if (this.#isDone || this.#run.world.now < Math.round(at * SECOND)) return
    this.#isDone = true
    this.#change(change)
  }

  /** Nodes that are down and links that are not there are no mistake: nothing changes then. */
  #change(change: Change): void {
    const { world, stage, tools, scenario } = this.#run
    switch (change.kind) {
      case 'kill': {
        const node = world.nodes[change.node]
        if (node !== undefined) world.crash(node, world.reportsLoss)
        break
      }
      case 'link': {
        const node = world.nodes[change.a]
        for (const trunk of node === undefined ? [] : world.trunks.of(node))
          if ([trunk.node(0).index, trunk.node(1).index].includes(change.b)) world.trunks.sever(trunk)
        break
      }
      case 'apart':
        if (change.node < world.nodes.length) tools.partition.split(this.#below(change.node))
        stage.connectivity.touch()
        break
      case 'heal':
        for (const split of this.#splits) tools.partition.heal(split)
        stage.connectivity.touch()
        world.trunks.pathsChanged()
        break
      case 'loss': {
        const loss = { kind: 'bernoulli', probability: change.share } as const
        const compiled = compileConditions({ ...scenario.conditions, loss })
        world.trunks.shared.conditions = compiled
        tools.dials.loss = meanLoss(compiled)
      }
    }
  }

  /** The node and all whose way up leads over it. */
  #below(node: number): number[] {
    const { stage } = this.#run
    return stage.living().filter((each) => each === node || stage.cycles.pathUp(each).includes(node))
  }
}

function noteSplits(partition: Partition, numbers: number[]): void {
  const split = partition.split.bind(partition)
  partition.split = (inside, oneWay) => {
    const number = split(inside, oneWay)
    numbers.push(number)
    return number
  }
}
