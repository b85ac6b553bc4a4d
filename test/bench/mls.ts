/**
 * What MLS costs: `node test/bench/mls.ts [members,…] [hybrid]` prints milliseconds of processor time of the
 * real engine for each kind of job, and the lengths of its messages. sim/mls/cost.ts and sizes.ts have what
 * it said on the reference machine.
 */
import { noble } from '../../core/crypto/noble.ts'
import { type MlsJob, SUITE } from '../../core/mls/engine.ts'
import { TsMlsEngine } from '../../core/mls/tsmls.ts'
import { Cast, GROUP, type Member } from '../support/mls-cast.ts'

const COUNTS = '2,8,32,128'
/** With the hybrid suite 24 KeyPackages fill a commit. */
const BATCH = { [SUITE.x25519]: 64, [SUITE.xwing]: 16 } as const

/** The result and the milliseconds of processor time that it took. */
async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return [result, Math.round((user + system) / 100) / 10]
}

/** A founder and the last of so many, in one epoch; nobody in between is kept. */
async function pair(cast: Cast, count: number): Promise<readonly [Member, Member]> {
  const founder = cast.member('founder')
  const last = cast.member('last')
  await founder.found()
  for (let added = 1; added < count; ) {
    const size = Math.min(BATCH[cast.kit.suite], count - added)
    const adds: Uint8Array[] = []
    for (let at = added; at < added + size; at++) {
      if (at < count - 1) adds.push((await cast.member(`member ${at}`).keyPackage()).bytes)
    }
    added += size
    const offer = added === count ? await last.keyPackage() : undefined
    if (offer !== undefined) adds.push(offer.bytes)
    const made = await founder.make({ adds })
    if (offer !== undefined) await last.enter(made.welcome as Uint8Array, offer.waiting)
    await founder.drop(founder.current)
    founder.adopt(made.into, made.candidate)
  }
  return [founder, last]
}

async function measure(count: number, suite: MlsSuite): Promise<Record<string, number>> {
  const cast = new Cast({ name: 'ts-mls', crypto: noble, suite, engine: () => new TsMlsEngine(noble) })
  const [founder, last] = await pair(cast, count)
  const data = new Uint8Array(55)
  const newcomer = cast.member('newcomer')
  const [offer, making] = await timed(() => newcomer.keyPackage())
  const [update, updating] = await timed(() => founder.make({ data }))
  const [, following] = await timed(() => last.process(update.commit))
  const [admission, adding] = await timed(() => founder.make({ data, adds: [offer.bytes] }))
  const [, followingAdd] = await timed(() => last.process(admission.commit))
  const [, joining] = await timed(() => newcomer.enter(admission.welcome as Uint8Array, offer.waiting))
  const [stored, encoding] = await timed(() => last.stored())
  const restore: MlsJob = { kind: 'restore', group: GROUP, into: 9_999, stored, wishes: [] }
  const [, restoring] = await timed(() => last.run(restore))
  return {
    members: count,
    keyPackage: making,
    empty: updating,
    'follow empty': following,
    add: adding,
    'follow add': followingAdd,
    join: joining,
    encode: encoding,
    restore: restoring,
    'empty bytes': update.commit.length,
    'add bytes': admission.commit.length,
    'welcome bytes': admission.welcome?.length ?? 0,
    'stored bytes': stored.length,
  }
}

type MlsSuite = Cast['kit']['suite']

const suite = process.argv[3] === 'hybrid' ? SUITE.xwing : SUITE.x25519
// The first run compiles; it is not shown.
await measure(4, suite)
const rows: Record<string, number>[] = []
for (const count of (process.argv[2] ?? COUNTS).split(',')) rows.push(await measure(Number(count), suite))
console.table(rows)
