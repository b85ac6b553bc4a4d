/**
 * The seam between a tree protocol and the rest of the node (mesh:S19): CRST is one implementation;
 * others can be put in its place to be compared.
 *
 * A tree gives each link a role by its own half alone. Forwarding trusts nothing else: what comes from
 * a lower may go up, what comes from an upper only goes down, so a tree that keeps its open links a
 * directed acyclic graph keeps every packet from coming back.
 */

import type { LinkId, Micros, PeerId, TreeRole, TreeView } from '../io.ts'
import type { Link } from '../links/link.ts'

/** What HELLO carries of each tree so that a lost message cannot leave a link half attached (R11). */
export interface TreeSummary {
  /** Own generation. */
  generation: number
  /** First 4 bytes of the hash of the last UPDATE sent to, and received from, that neighbour; 0 if none. */
  sentHash: number
  receivedHash: number
  /** Newest beat known of the own root, so that a censoring upper shows (mesh:N8). */
  rootHash: number
  beat: number
}

export interface Tree {
  readonly id: number
  /** The link became a neighbour, or ceased to be one. */
  onLink(now: Micros, link: Link, up: boolean): void
  /** A control message of one of the tree's kinds, version and type checked, body not. */
  onMessage(now: Micros, link: Link, kind: number, packet: Uint8Array): void
  /** Fills in what this end's next HELLO on the link shall say. */
  summary(link: Link, into: TreeSummary): void
  onSummary(now: Micros, link: Link, summary: Readonly<TreeSummary>): void
  /** Does what is due and answers when it wants to be woken next; NEVER if never. */
  wake(now: Micros): Micros
  /** HOT PATH. What this end's half of the link is right now. */
  role(link: LinkId): TreeRole
  /** Links whose upper half is open here, the tree's own upper first, then further ones by metric. */
  uppers(): readonly Link[]
  /**
   * How many further uppers (0 … 2) are wanted although the upper says that it carries every VLAN: after a
   * refusal by quota. A restricted upper makes them wanted anyway (mesh:B1, M3).
   */
  wantFurtherUppers(now: Micros, count: number): void
  /** The peer that is the root of the tree this node hangs in; undefined while detached. */
  root(): PeerId | undefined
  /** The node will leave soon: asks those below to find other uppers, while it still serves them. */
  retire(now: Micros): void
  /** Whether anybody hangs below. */
  hasLowers(): boolean
  /** Whether dial-backs prove that anyone can reach this node: a rank's class depends on it (mesh:M4). */
  setReachable(now: Micros, proved: boolean): void
  /** Whether the node carries any VLAN for others: a rank's class depends on it too (mesh:M3). */
  setOpen(now: Micros, open: boolean): void
  /** The machine slept and will have no link any more: what grew old meanwhile is forgotten (mesh:S15). */
  resume(now: Micros): void
  /** The node says goodbye: what others need to hear at once. */
  leave(now: Micros): void
  view(): TreeView
}

/** Told by a tree, within the step in which it happens. */
export interface TreeListener {
  /** This end's half of the link changed. `none` ends all that hung on the earlier role. */
  roleChanged(now: Micros, tree: number, link: Link, role: TreeRole): void
  /** The node hangs under a root again, or under another: parts of the mesh may have come together. */
  rootChanged(now: Micros, tree: number): void
}
