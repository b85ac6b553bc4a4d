/** Real nodes as the system sees them: programs that start, talk, die and come back. */
import { beforeAll, describe, expect, test } from 'vitest'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

describe.skipIf(!requires.namespaces())('two members with a cable between them', () => {
  const lab = realLab()
  let alice: RealNode
  let bob: RealNode
  let addresses: readonly string[]

  beforeAll(async () => {
    alice = lab.node('alice')
    bob = lab.node('bob')
    lab.direct(alice, bob)
    await lab.up(alice, bob)
    addresses = await lab.vlan('home', alice, bob)
  })

  test('talk', async () => {
    expect(ping(alice.host, addresses[1] as string)).toBe(true)
    expect(ping(bob.host, addresses[0] as string, 1_200)).toBe(true)
    expect(await alice.echoes('home', await bob.memberKey('home'))).toBe(3)
  })
})
