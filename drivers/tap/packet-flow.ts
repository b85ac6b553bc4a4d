/**
 * The seam to hosts that have IP packets and no Ethernet: a TUN of Linux, or what a mobile system hands to a
 * program in its place.
 */
export interface PacketFlow {
  /** As the system calls it. */
  readonly name: string
  /** To wait for with `ppoll`. */
  readonly fd: number
  /** One IP packet: its bytes, `DEVICE.nothing`, or `DEVICE.gone` for good. */
  read(into: Uint8Array): number
  /** Bytes taken, `DEVICE.nothing` if there was no room and the packet is lost, or `DEVICE.gone`. */
  write(packet: Uint8Array): number
  /** Ends it; twice does no harm. */
  close(): void
}
