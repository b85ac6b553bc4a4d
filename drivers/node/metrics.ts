/**
 * A node's figures in the text format of Prometheus (exposition format 0.0.4). Names follow its conventions:
 * base units, `_total` for what only grows.
 */
import { carriedBy, type NodeStatus } from './views.ts'

type Labels = Readonly<Record<string, string | number>>
type Sample = readonly [labels: Labels, value: number]

export function metricsText(status: NodeStatus): string {
  const { links, trunks, vlans, interfaces, counters } = status
  const neighbours = links.filter(({ neighbour }) => neighbour)
  const transportOf = (link: number): Labels => {
    const trunk = trunks.find((each) => each.link === link)
    return {
      transport: trunk === undefined ? 'none' : carriedBy(trunk),
      relayed: trunk?.relayed === true ? 1 : 0,
    }
  }
  const peerOf = (peer: string): Labels => ({ peer: status.names[peer] ?? peer })
  const lines = [
    ...nodeMetrics(status),
    metric(
      'peertap_link_rtt_seconds',
      'gauge',
      'Round trip to a neighbour.',
      neighbours.map((link) => [{ ...peerOf(link.peer), ...transportOf(link.link) }, link.rttMicros / 1e6]),
    ),
    metric(
      'peertap_link_loss_ratio',
      'gauge',
      'Share of data packets lost on the way to a neighbour.',
      neighbours.map((link) => [peerOf(link.peer), link.loss]),
    ),
    metric(
      'peertap_trunk_bytes_total',
      'counter',
      'Bytes of packets on a trunk.',
      trunks.flatMap(({ peer, link, bytesIn, bytesOut }): Sample[] => [
        [{ ...peerOf(peer), link, direction: 'in' }, bytesIn],
        [{ ...peerOf(peer), link, direction: 'out' }, bytesOut],
      ]),
    ),
    metric(
      'peertap_trunk_dropped_total',
      'counter',
      'Data packets for which a trunk had no room.',
      trunks.map(({ peer, link, dropped }): Sample => [{ ...peerOf(peer), link }, dropped]),
    ),
    metric(
      'peertap_vlan_members',
      'gauge',
      'Members of a VLAN.',
      vlans.map((vlan): Sample => [vlanOf(vlan), vlan.members]),
    ),
    metric(
      'peertap_vlan_epoch',
      'gauge',
      'MLS epoch of a VLAN.',
      vlans.map((vlan): Sample => [vlanOf(vlan), vlan.epoch]),
    ),
    metric(
      'peertap_interface_up',
      'gauge',
      'Whether the interface of a VLAN is there.',
      interfaces.map(
        ({ label, name }): Sample => [{ vlan: label, interface: name ?? '' }, name === undefined ? 0 : 1],
      ),
    ),
    metric(
      'peertap_interface_frames_total',
      'counter',
      'Frames from (in) and to (out) an interface, and those for which it had no room (lost).',
      interfaces.flatMap(({ label, framesIn, framesOut, framesLost }): Sample[] => [
        [{ vlan: label, direction: 'in' }, framesIn],
        [{ vlan: label, direction: 'out' }, framesOut],
        [{ vlan: label, direction: 'lost' }, framesLost],
      ]),
    ),
    metric(
      'peertap_events_total',
      'counter',
      'What the node counts, by name: traffic, drops by reason, bounds.',
      Object.entries(counters).map(([name, value]): Sample => [{ name }, value]),
    ),
  ]
  return lines.flat().join('\n').concat('\n')
}

function nodeMetrics({ process, links, trees, passivePeers }: NodeStatus): string[][] {
  const neighbours = links.filter(({ neighbour }) => neighbour)
  const [tree] = trees
  return [
    metric('peertap_info', 'gauge', 'Version of the node.', [[{ version: process.version }, 1]]),
    metric('peertap_up_seconds', 'gauge', 'Since the node started.', [[{}, process.upSeconds]]),
    metric('process_resident_memory_bytes', 'gauge', 'Resident memory.', [[{}, process.rssBytes]]),
    metric('peertap_neighbours', 'gauge', 'Neighbours in the mesh.', [[{}, neighbours.length]]),
    metric('peertap_known_peers', 'gauge', 'Peers known and not linked.', [[{}, passivePeers]]),
    metric('peertap_tree_depth', 'gauge', 'Links up to the root; -1 while detached.', [
      [{}, tree === undefined || tree.detached ? -1 : tree.depth],
    ]),
  ]
}

function vlanOf({ label, vlan }: { readonly label: string; readonly vlan: string }): Labels {
  return { vlan: label, id: vlan }
}

function metric(name: string, type: string, help: string, samples: readonly Sample[]): string[] {
  if (samples.length === 0) return []
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labelsText(labels)} ${value}`),
  ]
}

function labelsText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
