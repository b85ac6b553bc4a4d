/** How a node's state is shown to people: tables that fit a terminal. */
import type { LinkView } from '../../../core/io.ts'
import { TREE_ROLE } from '../../../core/io.ts'
import { formatNumber } from '../../../sim/reading.ts'
import { carriedBy, type NodeStatus } from '../../node/views.ts'
import { counted, tableLines, WIDTH, wrapWords } from '../table.ts'
import { vlanStateWords } from '../vlan-words.ts'

/** Peers are shown by the end of their names: they all begin alike. */
const NAME_CHARS = 8

export function statusLines(status: NodeStatus): string[] {
  const { process, vlans, interfaces, links, trees } = status
  const neighbours = links.filter(({ neighbour }) => neighbour)
  const head = `${process.peer}, up ${duration(process.upSeconds)}, ${reachWords(status)}`
  const memory = `${mebibytes(process.rssBytes)} MiB`
  const mesh = `${counted(neighbours.length, 'neighbour')}, ${treeWords(status, trees[0])}; ${memory}`
  const rows = vlans.map((vlan) => {
    const port = interfaces.find((each) => each.port === vlan.port)
    return [
      port?.name ?? 'none',
      vlan.label,
      vlanStateWords(vlan),
      String(vlan.members),
      vlan.epoch < 0 ? '' : String(vlan.epoch),
      port === undefined ? '' : String(port.mtu),
      port?.addresses.join(' ') ?? '',
    ]
  })
  const table =
    rows.length === 0
      ? ['no VLAN yet: "peertap vlan create LABEL", or "peertap vlan join INVITATION"']
      : tableLines(
          [['interface', 'vlan', 'state', 'members', 'epoch', 'mtu', 'addresses'], ...rows],
          ['left', 'left', 'left', 'right', 'right', 'right', 'left'],
          0,
        )
  const troubles = [...process.errors, ...interfaceTroubles(status)]
  return [head, mesh, '', ...table, '', ...peerLines(status), ...troubles.map((trouble) => `! ${trouble}`)]
}

/** Interfaces that there should be, why there are none, and what is not as it should be. */
export function interfaceTroubles({
  vlansMissing,
  interfaces,
}: Pick<NodeStatus, 'vlansMissing' | 'interfaces'>): string[] {
  return [
    ...vlansMissing.map(
      (vlan) => `${vlan}: an interface is configured for it, and this node has no such VLAN`,
    ),
    ...interfaces.flatMap(({ label, trouble, advice }) =>
      [trouble, advice].flatMap((said) => (said === undefined ? [] : [`${label}: ${said}`])),
    ),
  ]
}

/** Neighbours and how they are reached. */
export function peerLines(status: NodeStatus): string[] {
  const rows = status.links
    .filter(({ neighbour }) => neighbour)
    .map((link) => {
      const trunk = status.trunks.find((each) => each.link === link.link)
      return [
        nameOf(status, link.peer),
        roleOf(link),
        trunk === undefined ? '' : trunk.relayed ? 'relayed' : 'direct',
        trunk === undefined ? '' : carriedBy(trunk),
        millis(link.rttMicros),
        `${Math.round(link.loss * 1_000) / 10} %`,
        bytesOf(trunk?.bytesIn ?? 0),
        bytesOf(trunk?.bytesOut ?? 0),
        trunk?.remote ?? '',
      ]
    })
  if (rows.length === 0) return ['no neighbour in the mesh: name one in "bootstrap" of the configuration']
  return tableLines(
    [['peer', 'role', 'path', 'by', 'rtt', 'loss', 'in', 'out', 'address'], ...rows],
    ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'right', 'left'],
    0,
  )
}

/** The tree as this node sees it: who is above, and who below. */
export function treeLines(status: NodeStatus): string[] {
  const [tree] = status.trees
  if (tree?.root === undefined) return ['in no tree']
  const at = (link: number): string =>
    nameOf(status, status.links.find((each) => each.link === link)?.peer ?? '')
  const self = nameOf(status, status.self)
  const lines = [`${nameOf(status, tree.root)}  root${tree.root === status.self ? ', this node' : ''}`]
  let indent = ''
  if (tree.root !== status.self) {
    const between = tree.depth - 1
    if (between > 1) lines.push(`└─ ${between - 1} more between`)
    const upper = tree.upper === undefined ? undefined : at(tree.upper)
    if (upper !== undefined && upper !== nameOf(status, tree.root)) lines.push(`└─ ${upper}`)
    lines.push(`   └─ ${self}  this node, ${tree.depth} below the root`)
    indent = '      '
  }
  const below = tree.lowers.map(at)
  below.forEach((name, index) => {
    lines.push(`${indent}${index === below.length - 1 ? '└─' : '├─'} ${name}`)
  })
  return lines
}

/** In the language of Graphviz. */
export function treeDot(status: NodeStatus): string[] {
  const name = (peer: string): string => `"${nameOf(status, peer)}"`
  const [tree] = status.trees
  const edges = status.links
    .filter(({ neighbour }) => neighbour)
    .map((link) => {
      const isTree = link.role !== TREE_ROLE.none
      const [from, to] = link.role === TREE_ROLE.lower ? [status.self, link.peer] : [link.peer, status.self]
      const style = isTree ? '' : ', style=dashed, dir=none'
      return `  ${name(from)} -> ${name(to)} [label="${millis(link.rttMicros)}"${style}];`
    })
  const root = tree?.root === undefined ? [] : [`  ${name(tree.root)} [shape=doublecircle];`]
  return ['digraph peertap {', `  ${name(status.self)} [style=bold];`, ...root, ...edges, '}']
}

/** What the node counted of frames and packets that were not carried. */
export function dropLines(status: NodeStatus): string[] {
  const drops = Object.entries(status.counters).filter(([name]) => /^(drop|bound|door)/.test(name))
  if (drops.length === 0) return []
  return wrapWords(['refused:', ...drops.map(([name, count]) => `${name} ${formatNumber(count)},`)], WIDTH, 2)
}

export function nameOf({ names }: NodeStatus, peer: string): string {
  return (names[peer] ?? peer).slice(-NAME_CHARS)
}

function millis(micros: number): string {
  return `${Math.round(micros / 10) / 100} ms`
}

function roleOf({ role }: LinkView): string {
  return role === TREE_ROLE.upper ? 'upper' : role === TREE_ROLE.lower ? 'lower' : ''
}

function treeWords(status: NodeStatus, tree: NodeStatus['trees'][number] | undefined): string {
  if (tree?.root === undefined || tree.detached) return 'in no tree'
  if (tree.root === status.self) return 'root of the tree'
  return `${tree.depth} below root ${nameOf(status, tree.root)}`
}

function reachWords({ process }: NodeStatus): string {
  if (process.reachability === 'public') return 'can be dialled'
  return process.reachability === 'punchable' ? 'can be dialled with help' : 'cannot be dialled'
}

function mebibytes(bytes: number): string {
  return formatNumber(Math.round(bytes / 1_048_576))
}

function bytesOf(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [value, unit] = [bytes, 0]
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000
    unit += 1
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}
