/** What a node says of itself follows the relay policy that its owner set last (mesh:M3). */
import { expect, it } from 'vitest'
import { Host } from '../../core/host.ts'
import { peerIdOf } from '../../core/ids.ts'
import { CHANNEL, type Effects, type LinkId, type StoreId } from '../../core/io.ts'
import { CAPABILITY } from '../../core/links/link.ts'
import { createNode } from '../../core/node.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { keysFrom, Streams } from '../../sim/random.ts'

const CAPABILITIES_AT = 5

function peer(number: number) {
  return peerIdOf(standInCrypto.signatures.publicKey(new Uint8Array(32).fill(number)))
}

it('says in HELLO whether it carries any VLAN', () => {
  const said: number[] = []
  const nothing = () => {}
  const effects: Effects = {
    send: (_link, channel, _hop, packet) => {
      if (channel === CHANNEL.control && packet[1] === KIND.hello)
        said.push((packet[CAPABILITIES_AT] as number) & CAPABILITY.openRelay)
    },
    deliver: nothing,
    dial: nothing,
    hangUp: nothing,
    start: nothing,
    store: nothing,
    note: nothing,
  }
  const streams = new Streams(1)
  const machine = createNode({
    selfSeed: new Uint8Array(32).fill(7),
    restored: undefined,
    config: {},
    crypto: standInCrypto,
    dice: streams.stream('dice'),
    keys: keysFrom(streams.stream('keys')),
  })
  const host = new Host(machine, { now: () => 1e9 }, { set: nothing, clear: nothing }, effects)
  host.stored(1 as StoreId, true)
  host.linkUp(2 as LinkId, peer(9), true)
  host.command({ kind: 'policy', policy: { mode: 'restricted' } })
  host.linkUp(4 as LinkId, peer(10), true)
  host.command({ kind: 'policy', policy: { mode: 'open' } })
  host.linkUp(6 as LinkId, peer(11), true)
  expect(said).toEqual([CAPABILITY.openRelay, 0, CAPABILITY.openRelay])
})
