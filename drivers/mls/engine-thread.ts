/**
 * A thread with MLS engines in it, each of which the caller has opened by naming it (engines.ts). Jobs are
 * done one after the other, in the order in which they came, each answer is counted after it was said.
 */
import { type MessagePort, workerData } from 'node:worker_threads'
import type { MlsJob } from '../../core/mls/engine.ts'
import { TsMlsEngine } from '../../core/mls/tsmls.ts'
import { chooseCrypto } from '../crypto/provider.ts'
import { type Answer, answerTo } from './serve.ts'

export interface EngineThreadData {
  readonly port: MessagePort
  readonly count: Int32Array
}

export interface EngineOrder {
  readonly engine: number
  /** Undefined: the engine is not needed any more. */
  readonly job: MlsJob | undefined
}

export interface EngineAnswer {
  readonly engine: number
  readonly answer: Exclude<Answer, { kind: 'ready' }>
}

function serveEngines({ port, count }: EngineThreadData): void {
  const { crypto } = chooseCrypto()
  const engines = new Map<number, TsMlsEngine>()
  let last = Promise.resolve()
  const work = async ({ engine: id, job }: EngineOrder): Promise<void> => {
    if (job === undefined) {
      engines.delete(id)
      return
    }
    const engine = engines.get(id) ?? new TsMlsEngine(crypto)
    engines.set(id, engine)
    const said: EngineAnswer = { engine: id, answer: await answerTo(engine, job) }
    port.postMessage(said)
    Atomics.add(count, 0, 1)
    Atomics.notify(count, 0)
  }
  port.on('message', (order: EngineOrder) => {
    last = last.then(() => work(order))
  })
}

serveEngines(workerData as EngineThreadData)
