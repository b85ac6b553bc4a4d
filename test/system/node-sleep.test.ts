/**
 * A member whose machine was suspended: frames flow again within seconds, and it learns what has happened.
 * Its process stands still meanwhile, and its clocks say afterwards that it was for hours
 * (test/support/sleep.c).
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { PingFlow } from '../support/ping-flow.ts'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { byBudget, REPOSITORY, requires } from '../support/requirements.ts'

/** How long it stands still. Others give it up after 4 s, and a QUIC connection ends after 150. */
const STILL_SECONDS = byBudget(5, 200)
/** More than all that the protocol counts in hours: it wakes up to old sessions, keys and certificates. */
const ASLEEP_SECONDS = 9 * 3_600
/**
 * From waking up to the first frame that comes through. Links are back in a tenth of a second; the rest is
 * the way through a door to the epochs that others made meanwhile: 2.8 to 3.0 s on two cores that were busy
 * otherwise.
 */
const FRAMES_MILLIS_MAX = 10_000

const isAble = requires.namespaces() && requires.pinging() && requires.programs({ cc: 'gcc' })

describe.skipIf(!isAble)('a member whose machine is suspended', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let carol: RealNode
  let asleep: string
  let addresses: readonly string[]

  beforeAll(async () => {
    alice = lab.node('alice')
    bob = lab.node('bob')
    carol = lab.node('carol')
    lab.behind(alice, bob, carol)
    asleep = join(bob.folder, 'asleep')
    writeFileSync(asleep, '0')
    const shim = join(bob.folder, 'sleep.so')
    const source = join(REPOSITORY, 'test/support/sleep.c')
    const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, source], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    await alice.up()
    await Promise.all([bob.up({ env: { LD_PRELOAD: shim, PEERTAP_ASLEEP: asleep } }), carol.up()])
    addresses = await lab.vlan('home', alice, bob, carol)
  })

  test('is who it was, hears frames within seconds, and knows who has been put out', async () => {
    const before = await bob.ask<{ member: string; mac: string }>('show', 'home')
    const flow = new PingFlow(alice.host, addresses[1] as string)
    await flow.answeredAfter()
    bob.signal('SIGSTOP')
    const evicted = await carol.memberKey('home')
    await alice.untilStatus('bob is missed', ({ links }) => links.every(({ peer }) => peer !== bob.key))
    expect(await alice.cli('vlan', 'evict', 'home', evicted)).toMatchObject({ code: 0 })
    await new Promise((done) => setTimeout(done, STILL_SECONDS * 1_000))
    writeFileSync(asleep, String(ASLEEP_SECONDS))
    const awakeAt = Date.now()
    bob.signal('SIGCONT')
    const millis = await flow.answeredAfter(awakeAt)
    console.log(`suspended: frames ${Math.round(millis)} ms after it woke up`)
    await flow.end()
    expect(bob.log()).toMatch(/"asleepMicros":\d+,"msg":"resumed"/)
    expect(millis).toBeLessThan(FRAMES_MILLIS_MAX)
    await lab.untilTogether('home', alice, bob)
    const after = await bob.ask<{ member: string; mac: string }>('show', 'home')
    expect([after.member, after.mac]).toEqual([before.member, before.mac])
    expect((await bob.members('home')).map(({ member }) => member)).not.toContain(evicted)
    expect((await bob.status()).process.errors).toEqual([])
  })
})
