/** What a node takes from its owner before it may be heard of, and what it refuses. */
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { Host } from '../../core/host.ts'
import { type Effects, type PeerHint, type PeerId, REACHABILITY, type StoreId } from '../../core/io.ts'
import { createNode } from '../../core/node.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { Stream } from '../support/vlan-node.ts'

function hint(id: number): PeerHint {
  const peer = id.toString(16).padStart(64, '0') as PeerId
  return { peer, addresses: [Uint8Array.of(id)], reach: REACHABILITY.public }
}

/** A node that has asked for its start to be stored. */
class Starting {
  readonly dialled: PeerId[] = []
  readonly host: Host
  #stored: StoreId | undefined

  constructor() {
    const stream = new Stream(1)
    const machine = createNode({
      selfSeed: stream.bytes(32),
      restored: undefined,
      config: {},
      crypto: standInCrypto,
      dice: stream,
      keys: stream,
    })
    const nothing = (): void => undefined
    const effects: Effects = {
      send: nothing,
      deliver: nothing,
      hangUp: nothing,
      start: nothing,
      note: nothing,
      dial: (peer) => this.dialled.push(peer),
      store: (id) => {
        this.#stored = id
      },
    }
    this.host = new Host(machine, { now: () => 1_000 }, { set: nothing, clear: nothing }, effects)
    this.host.fire()
  }

  bootstrap(peers: readonly PeerHint[]): void {
    this.host.command({ kind: 'bootstrap', peers })
  }

  stored(): void {
    this.host.stored(this.#stored as StoreId, true)
  }
}

describe('a node that starts', () => {
  it('keeps its contacts and dials them once its start is stored', () => {
    const node = new Starting()
    node.bootstrap([hint(1)])
    node.host.addressesChanged([Uint8Array.of(9)], REACHABILITY.public)
    node.bootstrap([hint(2)])
    expect(node.dialled).toEqual([])
    node.stored()
    expect([...node.dialled].sort()).toEqual([hint(1).peer, hint(2).peer])
  })

  it('refuses a wrong hint when it is given, and all that stands in the same list', () => {
    const node = new Starting()
    const wrong = { ...hint(3), peer: 'nonsense' as PeerId }
    expect(() => node.bootstrap([hint(1), wrong])).toThrow(UsageError)
    node.bootstrap([hint(2)])
    node.stored()
    expect(node.dialled).toEqual([hint(2).peer])
  })

  it('keeps no more contacts than it has room for', () => {
    const node = new Starting()
    for (let id = 1; id <= 1_000; id++) node.bootstrap([hint(id)])
    expect(node.host.machine.view().counters['boundDials']).toBe(1_000 - 16)
  })

  it('goes on after an address that is too long', () => {
    const node = new Starting()
    node.stored()
    const change = (bytes: number): void =>
      node.host.addressesChanged([new Uint8Array(bytes)], REACHABILITY.public)
    expect(() => change(40)).toThrow('an address of 40 bytes')
    expect(() => change(4)).not.toThrow()
    node.bootstrap([hint(1)])
    expect(node.dialled).toEqual([hint(1).peer])
  })
})
