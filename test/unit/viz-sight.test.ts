import { describe, expect, it } from 'vitest'
import type { LinkId, LinkView, NodeView, PeerId, TreeRole } from '../../core/io.ts'
import { KeptMoments } from '../../viz/source/kept-moments.ts'
import { type Moment, type Said, Sight } from '../../viz/source/sight.ts'
import { NODE } from '../../viz/source/source.ts'

const HOME = 'aa'.repeat(16)

/** What a node says: neighbours with their roles (1 above, 2 below), and the root. */
function said(
  self: string,
  neighbours: Readonly<Record<string, TreeRole>>,
  root: string,
  more: Partial<NodeView> = {},
): Said {
  const links = Object.entries(neighbours).map(([peer, role], index): LinkView => {
    const link = (index + 1) as LinkId
    const measured = { rttMicros: 1_000 * (index + 1), jitterMicros: 0, loss: 0.1 * index, load: 7 }
    return { link, peer: peer as PeerId, neighbour: true, role, ...measured }
  })
  const tree = {
    tree: 0,
    root: root as PeerId,
    detached: false,
    depth: 1,
    metric: 1,
    upper: links.find(({ role }) => role === 1)?.link,
    furtherUppers: [],
    lowers: links.filter(({ role }) => role === 2).map(({ link }) => link),
    generation: 1,
  }
  const rest = { vlans: [], memberships: [], passivePeers: 0, counters: {} }
  const view: NodeView = { self: self as PeerId, links, trees: [tree], ...rest, ...more }
  return { view, status: { vlans: [], names: {} } }
}

function pairs(flat: Int32Array): number[][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [...flat.slice(at * 2, at * 2 + 2)])
}

describe('what running nodes see', () => {
  it('is one picture of all that they say, each pair once with the worse of two measures', () => {
    const sight = new Sight(['a.sock', 'b.sock'])
    const moment = sight.take(1, [said('a', { r: 1, b: 0 }, 'r'), said('b', { x: 2, a: 0, r: 1 }, 'r')])
    const picture = sight.picture(moment, -1, false)
    expect([sight.numberOf('a'), sight.numberOf('b'), sight.numberOf('r'), sight.numberOf('x')]).toEqual([
      0, 1, 2, 3,
    ])
    expect(sight.about(60)).toMatchObject({
      nodes: 4,
      endsAt: 60,
      live: { names: ['a.sock', 'b.sock', 'r', 'x'] },
    })
    expect(pairs(picture.links)).toEqual([
      [0, 2],
      [0, 1],
      [1, 3],
      [1, 2],
    ])
    expect([...(picture.measures?.latency ?? [])]).toEqual([1, 2, 1, 3])
    // What is above r, nobody has said; x hangs below b, as b says.
    expect([...picture.uppers]).toEqual([2, 2, -1, 1])
    expect(picture.root).toBe(2)
    expect([...picture.states]).toEqual([NODE.up, NODE.up | NODE.relay, NODE.up | NODE.relay, NODE.up])
    expect(sight.sample(moment)).toEqual({ alive: 4, attached: 1 })
  })

  it('keeps numbers, and shows for a while who went out of sight', () => {
    const sight = new Sight(['a.sock'])
    sight.take(0, [said('a', { x: 0, y: 0 }, 'y')])
    const later = sight.take(10, [said('a', { y: 0, z: 0 }, 'y')])
    expect([...sight.picture(later, -1, false).states]).toEqual([NODE.up, NODE.gone, NODE.up, NODE.up])
    const silent = sight.take(20, [undefined])
    expect([...sight.picture(silent, -1, false).states]).toEqual([NODE.gone, NODE.gone, NODE.gone, NODE.gone])
    const much = sight.take(39, [said('a', { y: 0 }, 'y')])
    expect([...sight.picture(much, -1, false).states]).toEqual([NODE.up, 0, NODE.up, NODE.gone])
    expect(sight.detail(much, 0)).toMatchObject({ numbers: { y: 2 }, view: { self: 'a' } })
    expect(sight.detail(much, 2)).toMatchObject({
      view: undefined,
      hidden: expect.stringContaining('not one of'),
    })
    expect(sight.detail(silent, 0).hidden).toBe('It does not answer.')
  })

  it('has of a VLAN who says that it is a member, its epoch, and the links that carry it', () => {
    const sight = new Sight(['a.sock', 'b.sock'])
    const membership = {
      vlan: HOME,
      self: 'k',
      phase: 'member',
      mlsId: '00112233',
      epoch: 4,
      mac: 1,
      members: [],
      facts: [],
      counters: {},
    }
    const port = { port: 1, ...membership } as unknown as NodeView['memberships'][number]
    const table = { vlan: HOME, member: true, upper: 1 as LinkId, lowers: [], tokens: 3 }
    const a = said('a', { b: 1 }, 'b', { memberships: [port], vlans: [table] })
    const b = said('b', { a: 2 }, 'b', { vlans: [{ ...table, member: false, upper: undefined }] })
    const row = { vlan: HOME, label: 'home' } as unknown as Said['status']['vlans'][number]
    const moment = sight.take(1, [{ ...a, status: { vlans: [row], names: {} } }, b])
    expect(sight.about(60).vlans).toEqual([{ label: 'home', members: [0], hasEpochs: true }])
    const picture = sight.picture(moment, 0, false)
    expect(pairs(picture.measures?.carrying ?? new Int32Array())).toEqual([[0, 1]])
    expect([...picture.epochs]).toEqual([0, -1])
    expect(picture.epochNames).toEqual({ 0: '4 (001122)' })
  })

  it('tells the newest epochs and the first VLANs apart, and forgets what it has no room for', () => {
    const sight = new Sight(['a.sock'])
    let moment: Moment | undefined
    for (let epoch = 0; epoch < 600; epoch++) {
      const membership = {
        port: 1,
        vlan: HOME,
        phase: 'member',
        mlsId: `${1_000 + epoch}`,
        epoch,
        members: [],
      }
      const vlans = [{ vlan: `${epoch}`, member: false, upper: undefined, lowers: [], tokens: 1 }]
      const memberships = [membership] as unknown as NodeView['memberships']
      moment = sight.take(epoch, [said('a', {}, 'a', { memberships, vlans })])
    }
    expect(sight.about(600).vlans).toHaveLength(256)
    const vlan = sight.about(600).vlans.findIndex(({ hasEpochs }) => hasEpochs)
    const { epochs, epochNames } = sight.picture(moment as Moment, vlan, false)
    expect(Object.keys(epochNames)).toHaveLength(512)
    expect(epochNames[epochs[0] as number]).toBe('599 (1599)')
  })

  it('gives no number to more nodes than it has room for', () => {
    const sight = new Sight(['a.sock'])
    for (let round = 0; round < 50; round++) {
      const crowd = Object.fromEntries(
        Array.from({ length: 100 }, (_, index) => [`${round}-${index}`, 0 as const]),
      )
      const moment = sight.take(round, [said('a', crowd, 'a')])
      expect(sight.picture(moment, -1, false).states).toHaveLength(sight.nodes)
    }
    expect(sight.nodes).toBe(4_096)
  })
})

describe('what was seen', () => {
  const moment = (at: number): Moment => ({ at, said: [said('a', { x: 0, y: 0 }, 'y')], gone: [] })

  it('is found by its time', () => {
    const kept = new KeptMoments()
    expect(kept.until(3)).toBeUndefined()
    for (const at of [1, 2, 4]) kept.add(moment(at))
    expect([0, 1, 3.9, 4, 100].map((at) => kept.until(at)?.at)).toEqual([1, 1, 2, 4, 4])
  })

  it('is kept as far as there is room, the newest first', () => {
    const kept = new KeptMoments()
    for (let at = 0; at < 20_000; at++) kept.add(moment(at))
    expect(kept.newest?.at).toBe(19_999)
    expect(kept.oldest?.at).toBeGreaterThan(5_000)
    expect(kept.until(0)).toBe(kept.oldest)
  })
})
