/** How a node's state reads: numbers and words as people write them. */
import { describe, expect, it } from 'vitest'
import { TREE_ROLE } from '../../core/io.ts'
import { peerLines, statusLines } from '../../drivers/cli/node/status-lines.ts'
import type { NodeStatus } from '../../drivers/node/views.ts'

const SELF = 'a'.repeat(64)
const PEERS = ['b', 'c'].map((digit) => digit.repeat(64))

/** What is shown of a node with so many neighbours, which lost a share of what was sent to them. */
function statusOf(losses: readonly number[]): NodeStatus {
  const links = losses.map((loss, index) => ({
    link: index + 1,
    peer: PEERS[index],
    neighbour: true,
    rttMicros: 1_503,
    jitterMicros: 0,
    loss,
    load: 0,
    role: TREE_ROLE.lower,
  }))
  const tree = { tree: 0, root: SELF, detached: false, depth: 0, metric: 0, lowers: [], furtherUppers: [] }
  const process = {
    peer: '12D3KooWself',
    upSeconds: 5,
    rssBytes: 1_048_576,
    reachability: 'public',
    errors: [],
  }
  const vlans = [{ label: 'home', port: 1, phase: 'member', members: 1, epoch: 2 }]
  const interfaces = [{ port: 1, label: 'home', name: 'pt-home', mtu: 1_280, addresses: ['10.7.0.1/24'] }]
  const rest = { vlansMissing: [], carried: [], passivePeers: 0, counters: {}, trunks: [], names: {} }
  return { self: SELF, links, trees: [tree], process, vlans, interfaces, ...rest } as unknown as NodeStatus
}

describe('the status of a node', () => {
  it('counts one neighbour as one, and two as several', () => {
    expect(statusLines(statusOf([0]))[1]).toMatch(/^1 neighbour, root of the tree; 1 MiB$/)
    expect(statusLines(statusOf([0, 0]))[1]).toMatch(/^2 neighbours, /)
    expect(statusLines(statusOf([]))[1]).toMatch(/^0 neighbours, /)
  })

  it('names VLANs that an interface is configured for, and that are not there', () => {
    const lines = statusLines({ ...statusOf([]), vlansMissing: ['hom'] })
    expect(lines.at(-1)).toBe('! hom: an interface is configured for it, and this node has no such VLAN')
  })

  it('writes losses and times with the digits that matter', () => {
    const cells = (loss: number) => (peerLines(statusOf([loss]))[1] as string).split(/ {2,}/)
    expect(cells(0).slice(2, 4)).toEqual(['1.5 ms', '0 %'])
    expect(cells(0.0123)[3]).toBe('1.2 %')
    expect(cells(0.5)[3]).toBe('50 %')
  })
})
