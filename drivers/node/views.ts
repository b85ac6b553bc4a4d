/** What a node shows of itself, as plain data that crosses threads and lines. */

import type { LinkView, NodeView, PeerId, TreeView } from '../../core/io.ts'
import type { VlanRow } from '../control/vlans.ts'
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
  readonly passivePeers: number
  readonly counters: Readonly<Record<string, number>>
}

export function coreStatus(
  view: NodeView,
  vlans: readonly VlanRow[],
  interfaces: readonly InterfaceView[],
): CoreStatus {
  const { self, links, trees, vlans: carried, passivePeers, counters } = view
  return { self, links, trees, carried, vlans, interfaces, passivePeers, counters }
}
