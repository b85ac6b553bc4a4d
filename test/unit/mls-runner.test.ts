import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { type MlsEngine, type MlsJob, type MlsOutcome, SUITE } from '../../core/mls/engine.ts'
import { MlsRunner, type RunnerOptions } from '../../drivers/mls/runner.ts'
import { Cast, GROUP, got, type Member, WISH } from '../support/mls-cast.ts'
import { TRAP } from '../support/mls-hanging-worker.ts'

const WORKER = new URL('../support/mls-hanging-worker.ts', import.meta.url)
/** Long against what a job of two members needs, short against a person's patience. */
const DEADLINE_MILLIS = 2_500

const runners: MlsRunner[] = []
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.close()
})

function runnerWith(options: RunnerOptions = {}): MlsRunner {
  const runner = new MlsRunner({ worker: WORKER, deadlineMillis: DEADLINE_MILLIS, ...options })
  runners.push(runner)
  return runner
}

/** A cast whose members share one thread, each as a group of its own. */
function castOn(runner: MlsRunner): Cast {
  let members = 0
  const engine = (): MlsEngine => {
    const group = ++members * 1_000
    return { run: (job) => runner.run({ ...job, group: group + job.group }) }
  }
  return new Cast({ name: 'thread', crypto: noble, suite: SUITE.x25519, engine })
}

const trapped = (length: number, group = GROUP): MlsJob => ({
  kind: 'inspect',
  group,
  suite: SUITE.x25519,
  groupId: new Uint8Array(16),
  keyPackage: new Uint8Array(length),
})

const refusal = (why: string) => ({ ok: false, why })

describe('the thread that does MLS', () => {
  it('answers as the engine does, faults included', async () => {
    const cast = castOn(runnerWith())
    const [alice, bob] = (await cast.group('alice', 'bob')) as [Member, Member]
    await alice.update([alice, bob])
    expect(await bob.secret()).toBe(await alice.secret())
    expect((await alice.process((await alice.make()).commit)).outcome).toEqual(refusal('ownCommit'))
    const wrong = { kind: 'export', group: GROUP, state: 1, wishes: [{ ...WISH, length: 0 }] } as const
    await expect(alice.run(wrong)).rejects.toMatchObject({ name: 'UsageError' })
    await expect(runnerWith().run(trapped(TRAP.fault))).rejects.toMatchObject({ name: 'InvariantError' })
  })

  it('can be made before there is a job for it, and is made once', async () => {
    /** Threads of this process are numbered. */
    const nextThread = (): number => {
      const thread = new Worker('', { eval: true })
      const { threadId } = thread
      void thread.terminate()
      return threadId
    }
    const runner = runnerWith()
    const first = nextThread()
    runner.warm()
    runner.warm()
    expect(nextThread() - first).toBe(2)
    await expect(runner.run(trapped(TRAP.fault))).rejects.toMatchObject({ name: 'InvariantError' })
    expect(nextThread() - first).toBe(3)
  })

  it.each(['loop', 'never', 'exit'] as const)(
    'R12: a job that ends in "%s" costs its thread; stored states come back, others are named lost',
    async (trap) => {
      const runner = runnerWith()
      const cast = castOn(runner)
      const [alice, bob] = (await cast.group('alice', 'bob')) as [Member, Member]
      const stored = await bob.stored()
      const candidate = await bob.make()
      const { bytes, waiting } = await bob.keyPackage()
      expect(bytes.length).toBeGreaterThan(0)

      const why = trap === 'exit' ? 'engineFailed' : 'deadline'
      expect(await runner.run(trapped(TRAP[trap]))).toEqual(refusal(why))

      const exported = (state: number): MlsJob => ({ kind: 'export', group: GROUP, state, wishes: [WISH] })
      expect(await bob.run(exported(bob.current))).toEqual(refusal('stateLost'))
      expect(await bob.run(exported(candidate.into))).toEqual(refusal('stateLost'))
      expect((await bob.join(new Uint8Array(9), waiting)).outcome).toEqual(refusal('stateLost'))
      expect((await alice.commit()).outcome).toEqual(refusal('stateLost'))
      expect(await bob.run(exported(4_711))).toEqual(refusal('unknownState'))

      const restore: MlsJob = { kind: 'restore', group: GROUP, into: bob.current, stored, wishes: [WISH] }
      got(await bob.run(restore), 'epoch')
      expect(await bob.secret()).toBe(bob.facts?.exports[0]?.join())
      // The same job on the same state gives the same commit, so nothing was lost but time.
      const again = await bob.run({
        kind: 'commit',
        group: GROUP,
        from: bob.current,
        into: 99,
        adds: [],
        removes: [],
        authenticatedData: candidate.candidate.authenticatedData,
        welcomeData: new Uint8Array(0),
        entropy: bob.entropyOf(candidate.into),
        wishes: [],
      })
      expect(got(again, 'committed').commit).toEqual(candidate.commit)
      await bob.drop(candidate.into)
      expect(await bob.run(exported(candidate.into))).toEqual(refusal('unknownState'))
    },
  )

  it('lets groups take turns and bounds what waits for each', async () => {
    const runner = runnerWith({ queueMax: 3 })
    const order: string[] = []
    const run = async (name: string, group: number): Promise<MlsOutcome> => {
      const outcome = await runner.run(trapped(10, group))
      order.push(name)
      return outcome
    }
    // The first begins at once; three more may wait.
    const busy = ['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => run(name, 1))
    const other = run('b1', 2)
    const outcomes = await Promise.all([...busy, other])
    const [full, undecodable] = [refusal('queueFull'), refusal('undecodable')]
    expect(outcomes).toEqual([undecodable, undecodable, undecodable, undecodable, full, undecodable])
    expect(order).toEqual(['a5', 'a1', 'a2', 'b1', 'a3', 'a4'])
  })

  it('answers what waits when it is closed, and what comes later', async () => {
    const runner = runnerWith()
    const [under, waiting] = [runner.run(trapped(TRAP.never)), runner.run(trapped(10))]
    await runner.close()
    const failed = refusal('engineFailed')
    expect(await Promise.all([under, waiting, runner.run(trapped(10))])).toEqual([failed, failed, failed])
  })
})
