/** A page that runs a scenario as any user of the simulator's index would. */
import { Run, readScenario } from '../../../sim/index.ts'

export interface Outcome {
  readonly digest: string
  readonly chunks: readonly number[]
  readonly events: number
  readonly metrics: unknown
}

/** `text`: a scenario file; it must need no data. */
export function outcome(text: string, seed: number, seconds: number): Outcome {
  const scenario = readScenario(text, 'page', [])
  const data = {
    text: (name: string): string => {
      throw new Error(`the page has no data file ${name}`)
    },
  }
  const run = new Run({ ...scenario, seconds: Math.min(scenario.seconds, seconds) }, { seed, data })
  while (!run.done && run.world.now < seconds * 1e6) run.step(seconds)
  const { digest, events, metrics } = run.result()
  return { digest, chunks: run.digests, events, metrics }
}
