/**
 * The host's view of an Ethernet interface: frames sent out through it, and those that come in by it, of
 * one protocol. packet(7). Opened in the network namespace that the thread is in.
 */
import { ERRNO, type Libc } from '../../drivers/linux/libc.ts'

// linux/socket.h, linux/if_packet.h
const AF_PACKET = 17
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000
const SOCKADDR_LL_BYTES = 20
const SOL_PACKET = 263
const PACKET_VNET_HDR = 15
// asm-generic/socket.h
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
/** A third of a second of 100,000 long frames a second, as the kernel counts them: the thread may pause. */
const BUFFER_BYTES = 64 * 1_024 * 1_024
const FRAME_BYTES_MAX = 65_600

export class PacketSocket {
  readonly #libc: Libc
  readonly #fd: number
  readonly #into = new Uint8Array(FRAME_BYTES_MAX)

  /** By the number of the interface. With a virtio header before each frame, or without. */
  constructor(libc: Libc, index: number, protocol: number, virtio = false) {
    this.#libc = libc
    this.#fd = openPacketSocket(libc, index, protocol)
    const one = libc.pin(Int32Array.BYTES_PER_ELEMENT)
    one.view.setInt32(0, 1, true)
    if (virtio && libc.setsockopt(this.#fd, SOL_PACKET, PACKET_VNET_HDR, one.address, one.bytes.length) !== 0)
      throw new Error(`a packet socket takes no virtio headers: errno ${libc.errno()}`)
  }

  /** False if the interface had no room or is down. */
  send(frame: Uint8Array): boolean {
    if (this.#libc.send(this.#fd, frame, frame.length, 0) === frame.length) return true
    const errno = this.#libc.errno()
    if (errno !== ERRNO.ENOBUFS && errno !== ENETDOWN) throw new Error(`send failed with errno ${errno}`)
    return false
  }

  /** All frames that came in since the last time. */
  received(): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (;;) {
      const length = this.#libc.recv(this.#fd, this.#into, this.#into.length, 0)
      if (length >= 0) frames.push(this.#into.slice(0, length))
      // The interface went down; said once.
      else if (this.#libc.errno() !== ENETDOWN) return frames
    }
  }

  close(): void {
    this.#libc.close(this.#fd)
  }
}

/**
 * A raw socket at an interface, by its number, for frames of one protocol; it does not wait. It hears what
 * comes in, and what this host sends only where it is for all protocols.
 */
export function openPacketSocket(libc: Libc, index: number, protocol: number): number {
  const fd = libc.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0)
  const size = libc.pin(4)
  size.view.setInt32(0, BUFFER_BYTES, true)
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size.address, 4)
  // struct sockaddr_ll: family (2), protocol (2, on the wire's order), index (4), and more for answers.
  const { view, address } = libc.pin(SOCKADDR_LL_BYTES)
  view.setUint16(0, AF_PACKET, true)
  view.setUint16(2, protocol)
  view.setInt32(4, index, true)
  if (libc.bind(fd, address, SOCKADDR_LL_BYTES) !== 0) {
    throw new Error(`a packet socket cannot be bound to interface ${index}: errno ${libc.errno()}`)
  }
  return fd
}

/** asm-generic/errno.h */
const ENETDOWN = 100
