/** What a node shows of itself, as plain data that crosses threads and lines. */

import type { LinkView, NodeView, PeerId, RelayPolicy, TreeView } from '../../core/io.ts'
import type { VlanRow } from '../control/vlans.ts'
import type { DatagramView } from '../datagram/link.ts'
import type { TrunkView } from '../libp2p/carrier.ts'
import type { InterfaceView } from './interfaces.ts'

/** Of the core; the trunks under it are the main thread's. */
export interface CoreStatus {
  readonly self: PeerId
  readonly links: readonly LinkView[]
  readonly trees: readonly TreeView[]
  /** VLANs that pass here, members' or not. */
  readonly carried: NodeView['vlans']
  readonly vlans: readonly VlanRow[]
  readonly interfaces: readonly InterfaceView[]
  /** VLANs for which an interface is configured, and that this node does not have. */
  readonly vlansMissing: readonly string[]
  readonly passivePeers: number
  /** Of trunks, beside their streams. */
  readonly datagrams: readonly DatagramView[]
  readonly counters: Readonly<Record<string, number>>
}

/** For whoever looks into the core itself. */
export interface CoreView {
  readonly view: NodeView
  /** Until its next timer is due; undefined without one. */
  readonly timerSeconds: number | undefined
}

export interface ProcessView {
  readonly version: string
  readonly pid: number
  readonly upSeconds: number
  readonly rssBytes: number
  /** `12D3KooW…`, and where others may dial it. */
  readonly peer: string
  readonly contacts: readonly string[]
  readonly reachability: string
  readonly policy: RelayPolicy
  readonly configFile: string
  readonly stateDirectory: string
  readonly crypto: string
  readonly errors: readonly string[]
}

/** Its streams, and the datagrams beside them; bytes are those of both. */
export interface TrunkRow extends TrunkView {
  readonly datagram: DatagramView | undefined
}

export function trunkRows(trunks: readonly TrunkView[], datagrams: readonly DatagramView[]): TrunkRow[] {
  return trunks.map((trunk) => {
    const datagram = datagrams.find(({ link }) => link === trunk.link)
    const { bytesIn = 0, bytesOut = 0 } = datagram ?? {}
    return { ...trunk, bytesIn: trunk.bytesIn + bytesIn, bytesOut: trunk.bytesOut + bytesOut, datagram }
  })
}

/** What data of the trunk goes by now. */
export function carriedBy({ transport, datagram }: TrunkRow): string {
  return datagram?.used === true ? 'datagram' : transport
}

/** All that a node shows of itself. */
export interface NodeStatus extends CoreStatus {
  readonly process: ProcessView
  readonly trunks: readonly TrunkRow[]
  /** Names of peers as libp2p writes them, by their keys. */
  readonly names: Readonly<Record<string, string>>
}

export function coreStatus(
  view: NodeView,
  vlans: readonly VlanRow[],
  interfaces: readonly InterfaceView[],
  vlansMissing: readonly string[],
): Omit<CoreStatus, 'datagrams'> {
  const { self, links, trees, vlans: carried, passivePeers, counters } = view
  return { self, links, trees, carried, vlans, interfaces, vlansMissing, passivePeers, counters }
}
