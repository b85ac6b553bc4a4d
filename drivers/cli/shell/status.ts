/** What the shell shows of the network and of one node. */
import { formatNumber, type Live } from '../../../sim/index.ts'
import type { SimulatedNode } from '../../control/simulated.ts'
import { tableLines, WIDTH, wrapWords } from '../table.ts'
import { nameOf } from './stations.ts'

export interface Status {
  readonly nodes: number
  readonly up: number
  readonly root: string | undefined
  readonly attachedShare: number
  /** VLANs by who has them. */
  readonly vlans: readonly {
    readonly node: string
    readonly label: string
    readonly phase: string
    readonly epoch: number
    readonly members: number
  }[]
}

export interface NodeStatus {
  readonly node: string
  readonly root: string | undefined
  readonly depth: number
  readonly upper: string | undefined
  readonly neighbours: readonly { readonly node: string; readonly rttMillis: number }[]
  readonly counters: Readonly<Record<string, number>>
}

export function statusOf(live: Live, nodes: readonly SimulatedNode[]): Status {
  const { root, attachedShare } = live.tree()
  const up = nodes.filter(({ machine }) => machine.isUp)
  const vlans = up.flatMap((node) => {
    const listed = node.verbs.list().outcome
    const rows = listed?.ok ? listed.value.vlans : []
    return rows.map(({ label, phase, epoch, members }) => ({
      node: nameOf(node),
      label,
      phase,
      epoch,
      members,
    }))
  })
  return {
    nodes: nodes.length,
    up: up.length,
    root: root === undefined ? undefined : `node${root}`,
    attachedShare,
    vlans,
  }
}

export function statusLines({ nodes, up, root, attachedShare, vlans }: Status): string[] {
  const share = formatNumber(Math.round(attachedShare * 1_000) / 10)
  const tree = root === undefined ? 'no tree' : `${share} % of them below ${root}`
  const head = `${up} of ${nodes} nodes are up, ${tree}`
  if (vlans.length === 0) return [head]
  const rows = vlans.map(({ node, label, phase, epoch, members }) => [
    node,
    label,
    phase === 'member' ? 'in' : phase === 'over' ? 'out' : 'asks to be let in',
    epoch < 0 ? '' : String(epoch),
    String(members),
  ])
  return [
    head,
    ...tableLines(
      [['node', 'vlan', 'state', 'epoch', 'members'], ...rows],
      ['left', 'left', 'left', 'right', 'right'],
      0,
    ),
  ]
}

/** `nodes`: to name its neighbours, whom it knows by their keys. */
export function nodeStatus(node: SimulatedNode, nodes: readonly SimulatedNode[]): NodeStatus {
  const { links = [], trees = [], counters = {} } = node.view() ?? {}
  const names = new Map(nodes.map((each) => [each.machine.contact().peer, nameOf(each)]))
  const nodeAt = (link: number | undefined): string | undefined => {
    const peer = links.find((each) => each.link === link)?.peer
    return peer === undefined ? undefined : names.get(peer)
  }
  const [tree] = trees
  return {
    node: nameOf(node),
    root: tree?.root === undefined ? undefined : names.get(tree.root),
    depth: tree?.depth ?? 0,
    upper: nodeAt(tree?.upper),
    neighbours: links
      .filter(({ neighbour }) => neighbour)
      .map(({ link, rttMicros }) => ({ node: nodeAt(link) ?? '?', rttMillis: rttMicros / 1_000 })),
    counters,
  }
}

export function nodeLines({ node, root, depth, upper, neighbours, counters }: NodeStatus): string[] {
  const place = upper === undefined ? 'with nobody above it' : `${depth} below it, under ${upper}`
  const head = root === undefined ? `${node} is in no tree` : `${node}: root ${root}, ${place}`
  const near = neighbours.map(
    ({ node: name, rttMillis }) => `${name}\u00a0${formatNumber(rttMillis)}\u00a0ms`,
  )
  const drops = Object.entries(counters).filter(([name]) => /^(drop|bound|door)/.test(name))
  const counted = drops.map(([name, count]) => `${name}\u00a0${formatNumber(count)}`)
  const lines = [head, ...wrapWords(['neighbours', ...near], WIDTH, 2)]
  if (counted.length > 0) lines.push(...wrapWords(['refused', ...counted], WIDTH, 2))
  return lines.map((line) => line.replaceAll('\u00a0', ' '))
}
