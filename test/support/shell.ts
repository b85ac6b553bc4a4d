/** The shell without a terminal: a small mesh, lines in, and what is said. */
import { type Performed, Session, type Spoken } from '../../drivers/cli/shell/session.ts'
import { Live } from '../../sim/live.ts'
import { checkScenario } from '../../sim/scenario/read.ts'

export class Shell {
  readonly live: Live
  readonly session: Session
  readonly spoken: Spoken[] = []
  #line = 0

  constructor(seed = 1, changes: object = {}) {
    const scenario = checkScenario(
      {
        version: 1,
        name: 'shell',
        question: 'Do lines do what they say?',
        seconds: 600,
        nodes: { count: 8, joinSeconds: 1 },
        ...changes,
      },
      'shell',
    )
    const data = {
      text: (): string => {
        throw new Error('no data is needed')
      },
    }
    this.live = new Live(scenario, { seed, data })
    this.session = new Session(this.live, (one) => this.spoken.push(one))
  }

  /** What came of the last of the lines. */
  perform(...lines: readonly string[]): Performed {
    let performed: Performed = 'done'
    for (const text of lines) {
      this.#line += 1
      performed = this.session.perform(this.#line, text)
    }
    return performed
  }

  /** What was said since this was asked last. */
  said(): string[] {
    return this.spoken.splice(0).flatMap(({ lines }) => [...lines])
  }
}
