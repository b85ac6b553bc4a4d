/**
 * Who is up when: nodes come up at the start of the run, spread over `joinSeconds`, and then go and
 * return as a trace or a model says. Contacts stay.
 */
import { SECOND } from '../../core/io.ts'
import { fittedChurn } from '../churn/fitted.ts'
import { CHURN_PRESETS } from '../churn/presets.ts'
import type { Churn, Transition } from '../churn/schedule.ts'
import { SKYPE_DITHER_SECONDS, traceChurn } from '../churn/trace.ts'
import { type AvailabilityTrace, readAvt, readFta, readSplay } from '../data/avt.ts'
import { readFile } from '../data/file.ts'
import type { RunOptions } from '../results.ts'
import type { ChurnSpec } from '../scenario.ts'
import type { Stage } from '../stage.ts'

type TraceFormat = Extract<ChurnSpec, { kind: 'trace' }>['format']

const READERS: Readonly<Record<TraceFormat, (text: string, source: string) => AvailabilityTrace>> = {
  avt: readAvt,
  splay: readSplay,
  fta: readFta,
}

/** Traces in Godfrey's form come from probing; the others tell instants. */
const DITHER_SECONDS: Readonly<Record<TraceFormat, number>> = { avt: SKYPE_DITHER_SECONDS, splay: 0, fta: 0 }

export type StartNode = (node: number, newIdentity: boolean) => void

/** Schedules everybody's life; answers whether nodes come and go by themselves. */
export function startChurn(stage: Stage, options: RunOptions, start: StartNode): boolean {
  const { nodes } = stage.scenario
  const churn = churnOf(stage, options)
  for (let node = 0; node < nodes.count; node++) {
    const share = (node - nodes.contacts) / Math.max(1, nodes.count - nodes.contacts)
    const late = node < nodes.contacts ? 0 : Math.round(nodes.joinSeconds * share * SECOND)
    if (churn === undefined || node < nodes.contacts) stage.world.at(late, () => start(node, false))
    else playNext(stage, churn.schedule(node), 0, late, start)
  }
  return churn !== undefined
}

function churnOf(stage: Stage, options: RunOptions): Churn | undefined {
  const { scenario, streams } = stage
  const { churn, seconds, nodes } = scenario
  const common = { streams, nodes: nodes.count, seconds }
  switch (churn.kind) {
    case 'none':
      return undefined
    case 'trace':
      return traceChurn({
        ...common,
        trace: readFile(options.data, 'churn.file', churn.file, READERS[churn.format]),
        fromSeconds: churn.fromHours * 3_600,
        compress: churn.compress,
        ditherSeconds: options.dither === false ? 0 : (churn.ditherSeconds ?? DITHER_SECONDS[churn.format]),
        gracefulShare: churn.gracefulShare,
        newIdentityShare: 0,
      })
    case 'fitted':
      return fittedChurn({
        ...common,
        model: CHURN_PRESETS[churn.preset].model,
        compress: churn.compress,
        gracefulShare: churn.gracefulShare,
        newIdentityShare: churn.newIdentityShare,
      })
  }
}

/** One transition of a node, then the next: only the coming one stands in the queue. */
function playNext(
  stage: Stage,
  schedule: readonly Transition[],
  index: number,
  late: number,
  start: StartNode,
): void {
  const transition = schedule[index]
  if (transition === undefined) return
  // Whoever is on when the run begins comes up within the time of joining.
  stage.world.at(Math.max(transition.at, index === 0 ? Math.min(late, nextAt(schedule)) : 0), () => {
    const machine = stage.world.nodes[transition.node]
    if (machine !== undefined) {
      if (transition.up) start(transition.node, !transition.sameIdentity)
      else if (transition.graceful) stage.world.leave(machine)
      else stage.world.crash(machine, stage.world.reportsLoss)
    }
    playNext(stage, schedule, index + 1, late, start)
  })
}

/** Just before the first departure, if there is one. */
function nextAt(schedule: readonly Transition[]): number {
  const second = schedule[1]
  return second === undefined ? Number.MAX_SAFE_INTEGER : second.at - 1
}
