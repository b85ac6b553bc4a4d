/** Whom an invitation names, and by which addresses; and who is kept for the next run. */
import { describe, expect, it } from 'vitest'
import { type LinkId, type PeerId, REACHABILITY } from '../../core/io.ts'
import type { TrunkView } from '../../drivers/libp2p/carrier.ts'
import { addressText } from '../../drivers/libp2p/contact.ts'
import { addressOf } from '../../drivers/libp2p/names.ts'
import { roomForKept } from '../../drivers/node/named-peers.ts'
import { Reach } from '../../drivers/node/reach.ts'

const [SELF, RELAY, OTHER] = ['a', 'b', 'c'].map((digit) => digit.repeat(64) as PeerId) as [
  PeerId,
  PeerId,
  PeerId,
]

const address = (text: string) => addressText(text) as Uint8Array

function trunk(peer: PeerId, remote: string, changes: Partial<TrunkView> = {}): TrunkView {
  const counts = { bytesIn: 0, bytesOut: 0, dropped: 0 }
  const link = 1 as LinkId
  return { link, peer, dialled: true, transport: 'quic-v1', remote, relayed: false, ...counts, ...changes }
}

/** As people write them. */
function hintsOf(reach: Reach, ...trunks: readonly TrunkView[]): Record<string, string[]> {
  const texts = reach.hints(trunks).map(({ peer, addresses }) => {
    return [peer, addresses.map((bytes) => String(addressOf(bytes)))] as const
  })
  return Object.fromEntries(texts)
}

describe('a relay that was dialled', () => {
  it('is named by that address, and by the best of each other host that it says it has', () => {
    const reach = new Reach(SELF, (host) => host === '10.7.0.1')
    reach.said(
      RELAY,
      [
        '/ip4/127.0.0.1/udp/4001/quic-v1',
        '/ip4/10.90.1.1/udp/4001/quic-v1',
        '/ip4/10.90.2.1/tcp/4001',
        '/ip4/10.90.2.1/udp/4001/quic-v1',
        '/ip4/10.7.0.1/udp/4001/quic-v1',
        '/ip4/203.0.113.7/tcp/4002/ws',
        '/ip4/203.0.113.7/tcp/4001',
        '/ip6/fe80::1/tcp/4001',
        'nonsense',
      ],
      [],
    )
    expect(hintsOf(reach, trunk(RELAY, '/ip4/10.90.1.1/udp/4001/quic-v1'))).toEqual({
      [RELAY]: [
        '/ip4/10.90.1.1/udp/4001/quic-v1',
        '/ip4/203.0.113.7/tcp/4001',
        '/ip4/10.90.2.1/udp/4001/quic-v1',
      ],
    })
  })

  it('is named by those of the configuration too, once each', () => {
    const reach = new Reach(SELF, () => false)
    const named = ['/ip4/10.90.1.1/tcp/4001', '/ip4/10.90.3.1/tcp/4001']
    reach.contacts([{ peer: RELAY, addresses: named.map(address), reach: REACHABILITY.public }])
    expect(hintsOf(reach, trunk(RELAY, '/ip4/10.90.1.1/tcp/4001'))).toEqual({ [RELAY]: named })
    expect(hintsOf(reach)).toEqual({ [RELAY]: named })
  })

  it('says as much as there is room for, however many strangers say as much', () => {
    const reach = new Reach(SELF, () => false)
    const many = Array.from({ length: 100 }, (_, index) => `/ip4/10.0.0.${index + 1}/tcp/1`)
    const remote = '/ip4/10.90.1.1/tcp/4001'
    const relay = trunk(RELAY, remote)
    const stranger = (index: number): TrunkView =>
      trunk(`${OTHER}${index}` as PeerId, remote, { dialled: false })
    reach.said(RELAY, many, [relay])
    expect(hintsOf(reach, relay)[RELAY]).toHaveLength(17)
    for (let index = 0; index < 200; index++) reach.said(stranger(index).peer, many, [relay, stranger(index)])
    expect(hintsOf(reach, relay)[RELAY]).toHaveLength(17)
  })

  it('is forgotten when it is one no longer, and many others said more since', () => {
    const reach = new Reach(SELF, () => false)
    const remote = '/ip4/10.90.1.1/tcp/4001'
    reach.said(RELAY, ['/ip4/10.90.2.1/tcp/4001'], [])
    for (let index = 0; index < 64; index++) reach.said(`${OTHER}${index}` as PeerId, [], [])
    expect(hintsOf(reach, trunk(RELAY, remote))[RELAY]).toEqual([remote])
  })
})

it('who dialled this node, or is behind a relay, is not named', () => {
  const reach = new Reach(SELF, () => false)
  const remote = '/ip4/10.90.1.1/tcp/4001'
  expect(
    hintsOf(reach, trunk(RELAY, remote, { dialled: false }), trunk(OTHER, remote, { relayed: true })),
  ).toEqual({})
})

describe('what is kept for the next run', () => {
  const nobody = (): boolean => false
  const numbered = (id: number): PeerId => id.toString(16).padStart(64, '0') as PeerId
  const dialled = (id: number, changes: Partial<TrunkView> = {}): TrunkView =>
    trunk(numbered(id), `/ip4/192.0.2.${id % 250}/tcp/1`, changes)

  it('is who was dialled, and those of earlier runs behind them', () => {
    const reach = new Reach(SELF, nobody)
    const ids = (trunks: readonly TrunkView[]) => reach.toKeep(trunks)?.map(({ peer }) => Number(peer))
    expect(ids([])).toBeUndefined()
    expect(ids([dialled(1), dialled(2, { dialled: false }), dialled(3, { relayed: true })])).toEqual([1])
    expect(ids([dialled(4)])).toEqual([4, 1])
    // Nobody is met: what was kept is not written over.
    expect(ids([dialled(2, { dialled: false })])).toBeUndefined()

    const later = new Reach(SELF, nobody)
    later.met(reach.toKeep([dialled(5)]) ?? [])
    expect(later.toKeep([dialled(1)])?.map(({ peer }) => Number(peer))).toEqual([1, 5, 4])
  })

  it('has a bound, beyond which those go who were not met for longest', () => {
    const reach = new Reach(SELF, nobody)
    for (let id = 1; id <= 9; id++) reach.toKeep(Array.from({ length: 5 }, (_, at) => dialled(id * 10 + at)))
    const kept = reach.toKeep([dialled(200)]) ?? []
    expect(kept.length).toBe(32)
    expect(kept[0]?.peer).toBe(numbered(200))
    expect(kept.some(({ peer }) => peer === numbered(10))).toBe(false)
  })
})

describe('contacts of a node that starts', () => {
  it('leave room for those of invitations and for peers nearby, however many are named', () => {
    expect([0, 4, 6, 16].map(roomForKept)).toEqual([6, 2, 0, 0])
  })
})
