/** The test's end of test/support/tap-child.ts. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Lab, Namespace } from './namespaces.ts'
import { REPOSITORY } from './requirements.ts'
import type { ChildOrder, ChildReport } from './tap-child.ts'

const CHILD = join(REPOSITORY, 'test/support/tap-child.ts')

type Kind = ChildReport['kind']
type Of<K extends Kind> = Extract<ChildReport, { readonly kind: K }>

export class TapProcess {
  readonly #child: ChildProcess
  readonly #reports: AsyncIterator<string>

  /** In a host, or in none in particular where the order names the namespaces. */
  constructor(order: ChildOrder, place: Namespace | Lab) {
    this.#child = place.spawn(process.execPath, [CHILD, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const input = this.#child.stdout as NodeJS.ReadableStream
    this.#reports = createInterface({ input })[Symbol.asyncIterator]()
  }

  /** The next report, which must be of this kind. */
  async next<K extends Kind>(kind: K): Promise<Of<K>> {
    const { value, done } = await this.#reports.next()
    if (done) throw new Error(`the child ended instead of reporting '${kind}'`)
    const report = JSON.parse(value) as ChildReport
    if (report.kind !== kind) throw new Error(`the child reported ${value} instead of '${kind}'`)
    return report as Of<K>
  }

  /** Ends it in good order. */
  async end(): Promise<Of<'end'>> {
    this.#child.stdin?.end()
    return await this.next('end')
  }

  /** Kills it outright, as the kernel does when memory runs out. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}
