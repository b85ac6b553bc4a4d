/** The thread of drivers/mls with an engine that some KeyPackages make hang or fall, told by their length. */
import { parentPort } from 'node:worker_threads'
import { noble } from '../../core/crypto/noble.ts'
import { InvariantError } from '../../core/errors.ts'
import type { MlsEngine, MlsJob, MlsOutcome } from '../../core/mls/engine.ts'
import { TsMlsEngine } from '../../core/mls/tsmls.ts'
import { serve } from '../../drivers/mls/serve.ts'

/** Lengths of the KeyPackages that do it. */
export const TRAP = { loop: 661, never: 662, exit: 663, fault: 664 } as const

class TrappedEngine implements MlsEngine<Promise<MlsOutcome>> {
  readonly #engine = new TsMlsEngine(noble)

  run(job: MlsJob): Promise<MlsOutcome> {
    const trap = job.kind === 'inspect' ? job.keyPackage.length : 0
    if (trap === TRAP.loop) for (;;);
    if (trap === TRAP.never) return new Promise(() => {})
    if (trap === TRAP.exit) process.exit(7)
    if (trap === TRAP.fault) return Promise.reject(new InvariantError('planted'))
    return this.#engine.run(job)
  }
}

if (parentPort !== null) serve(parentPort, new TrappedEngine())
