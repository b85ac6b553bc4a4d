/** Whom an invitation names, and by which addresses. */
import { describe, expect, it } from 'vitest'
import { type LinkId, type PeerId, REACHABILITY } from '../../core/io.ts'
import type { TrunkView } from '../../drivers/libp2p/carrier.ts'
import { addressText } from '../../drivers/libp2p/contact.ts'
import { addressOf } from '../../drivers/libp2p/names.ts'
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
    reach.said(RELAY, [
      '/ip4/127.0.0.1/udp/4001/quic-v1',
      '/ip4/10.90.1.1/udp/4001/quic-v1',
      '/ip4/10.90.2.1/tcp/4001',
      '/ip4/10.90.2.1/udp/4001/quic-v1',
      '/ip4/10.7.0.1/udp/4001/quic-v1',
      '/ip4/203.0.113.7/tcp/4002/ws',
      '/ip4/203.0.113.7/tcp/4001',
      '/ip6/fe80::1/tcp/4001',
      'nonsense',
    ])
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

  it('says as much as there is room for, and so do many peers', () => {
    const reach = new Reach(SELF, () => false)
    const many = Array.from({ length: 100 }, (_, index) => `/ip4/10.0.0.${index + 1}/tcp/1`)
    reach.said(RELAY, many)
    const remote = '/ip4/10.90.1.1/tcp/4001'
    expect(hintsOf(reach, trunk(RELAY, remote))[RELAY]).toHaveLength(17)
    for (let index = 0; index < 64; index++) reach.said(`${OTHER}${index}` as PeerId, many)
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
