/** What the owner of a node says about datagrams beside streams, as the thread of the core takes it. */

/** How the node's owner wants it. */
export interface DatagramOrder {
  readonly port: number
  /** Whether the kernel cuts and joins datagrams, where it can. */
  readonly offload: boolean
  /** IP addresses beside those of this machine, such as a router's that forwards the port. */
  readonly announce: readonly string[]
}
