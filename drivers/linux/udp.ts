/**
 * UDP sockets of Linux in batches, by recvmmsg(2) and sendmmsg(2). Knows addresses as the kernel writes them,
 * memory that the kernel reads and fills, and how many datagrams one call may move; nothing of what is in
 * them.
 *
 * No object for each datagram: what was received is told by its place in one block of memory, and what is to
 * be sent is written into another. The kernel cuts what goes to one address (UDP_SEGMENT) and joins what came
 * from one (UDP_GRO) where it can, so that one message stands for many datagrams of one size.
 *
 * Sources: udp(7), ip(7), ipv6(7), linux/udp.h, Documentation/networking/segmentation-offloads.rst.
 */
import { UsageError } from '../../core/errors.ts'
import { ERRNO, errnoName, type Libc, type Pinned, refuse } from './libc.ts'
import {
  CONTROL_AT,
  CONTROL_LENGTH_AT,
  FLAGS_AT,
  MESSAGE_BYTES,
  MOVED_AT,
  MSG_DONTWAIT,
  MSG_TRUNC,
  NAME_AT,
  NAME_LENGTH_AT,
  VECTOR_AT,
  VECTOR_BYTES,
  VECTOR_COUNT_AT,
  VECTOR_LENGTH_AT,
} from './mmsghdr.ts'

// linux/socket.h, linux/in.h, linux/in6.h, linux/udp.h, asm-generic/socket.h
const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const IPPROTO_IP = 0
const IPPROTO_IPV6 = 41
const SOL_UDP = 17
const IP_MTU_DISCOVER = 10
const IPV6_MTU_DISCOVER = 23
const IPV6_V6ONLY = 26
const UDP_SEGMENT = 103
const UDP_GRO = 104
/** Never cut on the way, and what the kernel believes of the path's MTU is not asked: it is measured here. */
const PMTUDISC_PROBE = 3

/** struct sockaddr_in6, the longer of the two; both begin with family (2) and port (2, big-endian). */
const ADDRESS_BYTES = 28
const IPV4_ADDRESS_BYTES = 16
const PORT_AT = 2
const IPV4_AT = 4
const IPV6_AT = 8
/** struct cmsghdr (length 8, level 4, type 4) with an int behind it, aligned to 8. */
const CONTROL_BYTES = 24
const CONTROL_LEVEL_AT = 8
const CONTROL_TYPE_AT = 12
const CONTROL_VALUE_AT = 16
/** CMSG_LEN of a 16-bit and of a 32-bit integer. */
const SEGMENT_CONTROL_LENGTH = 18
const NAME_BYTES = 32

/** As wireguard-go has them: 50 ms at 1 Gbit/s. Above net.core.rmem_max only with CAP_NET_ADMIN. */
const SOCKET_BUFFER_BYTES = 7 * 1_024 * 1_024

export type Family = 4 | 6

/** The address of a datagram's other end, as the kernel has it. */
export interface Endpoint {
  readonly family: Family
  /** struct sockaddr_in or sockaddr_in6, with zeros up to ADDRESS_BYTES. */
  readonly bytes: Uint8Array
}

/** From an IP address of 4 or 16 bytes. */
export function endpointOf(host: Uint8Array, port: number): Endpoint {
  const family: Family = host.length === 4 ? 4 : 6
  const bytes = new Uint8Array(ADDRESS_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true)
  view.setUint16(PORT_AT, port)
  bytes.set(host, family === 4 ? IPV4_AT : IPV6_AT)
  return { family, bytes }
}

export function portOf({ bytes }: Endpoint): number {
  return ((bytes[PORT_AT] as number) << 8) | (bytes[PORT_AT + 1] as number)
}

/** 4 or 16 bytes. */
export function hostOf({ family, bytes }: Endpoint): Uint8Array {
  return family === 4 ? bytes.slice(IPV4_AT, IPV4_AT + 4) : bytes.slice(IPV6_AT, IPV6_AT + 16)
}

// HOT PATH
/** Whether the address that begins there in memory is this one; flow labels and scopes do not count. */
export function isFrom({ family, bytes }: Endpoint, memory: Uint8Array, at: number): boolean {
  for (let index = 0; index < 4; index++) if (memory[at + index] !== bytes[index]) return false
  const end = family === 4 ? IPV4_AT + 4 : IPV6_AT + 16
  for (let index = family === 4 ? IPV4_AT : IPV6_AT; index < end; index++)
    if (memory[at + index] !== bytes[index]) return false
  return true
}

/** A copy of the address that begins there; undefined for a family that is neither. */
export function endpointAt(memory: Uint8Array, at: number): Endpoint | undefined {
  const family = memory[at] === AF_INET ? 4 : memory[at] === AF_INET6 ? 6 : undefined
  if (family === undefined) return undefined
  const from = at + (family === 4 ? IPV4_AT : IPV6_AT)
  const port = ((memory[at + PORT_AT] as number) << 8) | (memory[at + PORT_AT + 1] as number)
  return endpointOf(memory.slice(from, from + (family === 4 ? 4 : 16)), port)
}

export interface UdpSocket {
  readonly family: Family
  readonly fd: number
  readonly port: number
  /** What the kernel does for many datagrams at once. */
  readonly offloads: { readonly segment: boolean; readonly gro: boolean }
  close(): void
}

/**
 * Bound to all addresses of the family. Undefined if the machine does not have the family; `taken` if the
 * port is another program's. A UsageError if no more files may be open.
 */
export function openUdp(
  libc: Libc,
  family: Family,
  port: number,
  offload: { readonly segment: boolean; readonly gro: boolean },
): UdpSocket | 'taken' | undefined {
  const fd = libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0)
  if (fd < 0) return noFamily(libc.errno())
  const set = (level: number, option: number, value: number): boolean =>
    setInt(libc, fd, level, option, value)
  if (family === 6) set(IPPROTO_IPV6, IPV6_V6ONLY, 1)
  const address = libc.pin(ADDRESS_BYTES)
  address.bytes.set(endpointOf(new Uint8Array(family === 4 ? 4 : 16), port).bytes)
  const length = family === 4 ? IPV4_ADDRESS_BYTES : ADDRESS_BYTES
  if (libc.bind(fd, address.address, length) !== 0) {
    const errno = libc.errno()
    libc.close(fd)
    if (errno === ERRNO.EADDRINUSE) return 'taken'
    if (errno === ERRNO.EACCES || errno === ERRNO.EPERM)
      throw new UsageError(`UDP port ${port} may not be used (${errnoName(errno)}); choose one above 1023`)
    return undefined
  }
  const sized = libc.pin(4)
  sized.view.setUint32(0, ADDRESS_BYTES, true)
  if (libc.getsockname(fd, address.address, sized.address) !== 0) {
    const errno = libc.errno()
    libc.close(fd)
    refuse('name a socket', errno)
  }
  for (const [forced, asked] of [
    [SO_SNDBUFFORCE, SO_SNDBUF],
    [SO_RCVBUFFORCE, SO_RCVBUF],
  ] as const)
    if (!set(SOL_SOCKET, forced, SOCKET_BUFFER_BYTES)) set(SOL_SOCKET, asked, SOCKET_BUFFER_BYTES)
  if (family === 4) set(IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
  else set(IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)
  return {
    family,
    fd,
    port: address.view.getUint16(PORT_AT),
    // A socket that takes a segment size of zero, which changes nothing, can do it.
    offloads: {
      segment: offload.segment && set(SOL_UDP, UDP_SEGMENT, 0),
      gro: offload.gro && set(SOL_UDP, UDP_GRO, 1),
    },
    close: () => {
      libc.close(fd)
    },
  }
}

function noFamily(errno: number): undefined {
  if (errno === ERRNO.EMFILE || errno === ERRNO.ENFILE || errno === ERRNO.ENOMEM)
    refuse('open a UDP socket', errno)
  return undefined
}

function setInt(libc: Libc, fd: number, level: number, option: number, value: number): boolean {
  const pinned = libc.pin(4)
  pinned.view.setInt32(0, value, true)
  return libc.setsockopt(fd, level, option, pinned.address, 4) === 0
}

/** Writes addresses that lie a number of bytes behind one that was told once: no BigInt for each. */
class Base {
  readonly #low: number
  readonly #high: number

  constructor(address: bigint) {
    this.#low = Number(address & 0xffff_ffffn)
    this.#high = Number(address >> 32n)
  }

  // HOT PATH
  write(view: DataView, at: number, offset: number): void {
    const low = this.#low + offset
    view.setUint32(at, low >>> 0, true)
    view.setUint32(at + 4, low > 0xffff_ffff ? this.#high + 1 : this.#high, true)
  }
}

/** Datagrams that one call takes at most, each as long as one that the kernel has joined may be. */
const RECEIVED_MAX = 32
const RECEIVED_BYTES = 65_536

/**
 * Where datagrams are received, for all sockets of a thread. `memory` begins with some bytes that are the
 * reader's own: to work on a datagram it is copied there, within one array, and no view of it is made.
 */
export class UdpInbox {
  readonly memory: Uint8Array
  readonly names: Uint8Array
  /** Datagrams that were longer than any that is ours. */
  truncated = 0
  readonly #libc: Libc
  readonly #own: number
  readonly #block: Pinned
  readonly #names: Pinned
  readonly #controls: Pinned
  readonly #messages: Pinned
  readonly #vectors: Pinned

  constructor(libc: Libc, own: number) {
    this.#libc = libc
    this.#own = own
    this.#block = libc.pin(own + RECEIVED_MAX * RECEIVED_BYTES)
    this.memory = this.#block.bytes
    this.#names = libc.pin(RECEIVED_MAX * NAME_BYTES)
    this.names = this.#names.bytes
    this.#controls = libc.pin(RECEIVED_MAX * CONTROL_BYTES)
    this.#messages = libc.pin(RECEIVED_MAX * MESSAGE_BYTES)
    this.#vectors = libc.pin(RECEIVED_MAX * VECTOR_BYTES)
    const [block, names] = [new Base(this.#block.address), new Base(this.#names.address)]
    const [controls, vectors] = [new Base(this.#controls.address), new Base(this.#vectors.address)]
    for (let index = 0; index < RECEIVED_MAX; index++) {
      const vector = index * VECTOR_BYTES
      block.write(this.#vectors.view, vector, own + index * RECEIVED_BYTES)
      this.#vectors.view.setUint32(vector + VECTOR_LENGTH_AT, RECEIVED_BYTES, true)
      const message = index * MESSAGE_BYTES
      names.write(this.#messages.view, message + NAME_AT, index * NAME_BYTES)
      vectors.write(this.#messages.view, message + VECTOR_AT, vector)
      this.#messages.view.setUint32(message + VECTOR_COUNT_AT, 1, true)
      controls.write(this.#messages.view, message + CONTROL_AT, index * CONTROL_BYTES)
    }
  }

  // HOT PATH
  /**
   * One call. `take` is told of each datagram where it lies in `memory`, how long it is, and where in `names`
   * the address is that it came from. True if there may be more.
   */
  receive(fd: number, take: (at: number, length: number, name: number) => void): boolean {
    const { view } = this.#messages
    for (let index = 0; index < RECEIVED_MAX; index++) {
      view.setUint32(index * MESSAGE_BYTES + NAME_LENGTH_AT, NAME_BYTES, true)
      view.setUint32(index * MESSAGE_BYTES + CONTROL_LENGTH_AT, CONTROL_BYTES, true)
    }
    const count = this.#libc.recvmmsg(fd, this.#messages.address, RECEIVED_MAX, MSG_DONTWAIT, null)
    for (let index = 0; index < count; index++) {
      const message = index * MESSAGE_BYTES
      if ((view.getUint32(message + FLAGS_AT, true) & MSG_TRUNC) !== 0) {
        this.truncated += 1
        continue
      }
      const moved = view.getUint32(message + MOVED_AT, true)
      const size = this.#segmentOf(index, moved)
      const from = this.#own + index * RECEIVED_BYTES
      // One without any bytes is a datagram too.
      if (moved === 0) take(from, 0, index * NAME_BYTES)
      for (let at = 0; at < moved; at += size) take(from + at, Math.min(size, moved - at), index * NAME_BYTES)
    }
    return count === RECEIVED_MAX
  }

  // HOT PATH
  /** The size that each but the last of what was joined has; the whole length where nothing was. */
  #segmentOf(index: number, moved: number): number {
    if (this.#messages.view.getUint32(index * MESSAGE_BYTES + CONTROL_LENGTH_AT, true) === 0) return moved
    const { view } = this.#controls
    const control = index * CONTROL_BYTES
    const isGro =
      view.getUint32(control + CONTROL_LEVEL_AT, true) === SOL_UDP &&
      view.getUint32(control + CONTROL_TYPE_AT, true) === UDP_GRO
    const size = view.getInt32(control + CONTROL_VALUE_AT, true)
    return isGro && size > 0 ? size : moved
  }
}

/**
 * Messages and bytes that wait for one call. A message of the kernel has 64 pieces at most
 * (UDP_MAX_SEGMENTS).
 */
const SENT_MAX = 64
const SENT_BYTES = 262_144
const PIECES_MAX = 64
/** Of one message: what UDP over IPv6 has room for, some bytes less. */
const MESSAGE_PAYLOAD_MAX = 64_000
/**
 * Where the kernel does not cut a message, as for interfaces without checksums or ways through IPsec (EIO in
 * net/ipv4/udp.c), so many datagrams go alone before it is asked again; twice as many each time, for ways
 * change. Guesses.
 */
const ALONE_FIRST = 1_024
const ALONE_MAX = 1_048_576

/** What goes out by one socket, in order, with the next call. */
export class UdpOutbox {
  readonly memory: Uint8Array
  readonly socket: UdpSocket
  /** Datagrams that the kernel did not take, by reason. */
  readonly counts = { refused: 0, tooLong: 0 }
  readonly #libc: Libc
  readonly #block: Pinned
  readonly #names: Pinned
  readonly #controls: Pinned
  readonly #messages: Pinned
  readonly #vectors: Pinned
  readonly #base: Base
  readonly #controlBase: Base
  /** Addresses of the messages: sending begins with any. */
  readonly #starts: readonly bigint[]
  /** Of the messages: pieces, and the size of each but the last. */
  readonly #pieces = new Uint8Array(SENT_MAX)
  readonly #sizes = new Uint16Array(SENT_MAX)
  readonly #offsets = new Uint32Array(SENT_MAX)
  readonly #lengths = new Uint32Array(SENT_MAX)
  #first = 0
  #count = 0
  #used = 0
  #last: Endpoint | undefined
  /** Datagrams that go alone yet, and how many it will be when the kernel next does not cut a message. */
  #alone = 0
  #aloneNext = ALONE_FIRST
  #isClosed = false
  /** The kernel had no room when it was last asked. */
  isFull = false

  constructor(libc: Libc, socket: UdpSocket) {
    this.#libc = libc
    this.socket = socket
    this.#block = libc.pin(SENT_BYTES)
    this.memory = this.#block.bytes
    this.#names = libc.pin(SENT_MAX * NAME_BYTES)
    this.#controls = libc.pin(SENT_MAX * CONTROL_BYTES)
    this.#messages = libc.pin(SENT_MAX * MESSAGE_BYTES)
    this.#vectors = libc.pin(SENT_MAX * VECTOR_BYTES)
    this.#base = new Base(this.#block.address)
    this.#controlBase = new Base(this.#controls.address)
    const [names, vectors] = [new Base(this.#names.address), new Base(this.#vectors.address)]
    for (let index = 0; index < SENT_MAX; index++) {
      const message = index * MESSAGE_BYTES
      names.write(this.#messages.view, message + NAME_AT, index * NAME_BYTES)
      const nameLength = socket.family === 4 ? IPV4_ADDRESS_BYTES : ADDRESS_BYTES
      this.#messages.view.setUint32(message + NAME_LENGTH_AT, nameLength, true)
      vectors.write(this.#messages.view, message + VECTOR_AT, index * VECTOR_BYTES)
      this.#messages.view.setUint32(message + VECTOR_COUNT_AT, 1, true)
      const control = index * CONTROL_BYTES
      this.#controls.view.setUint32(control, SEGMENT_CONTROL_LENGTH, true)
      this.#controls.view.setUint32(control + CONTROL_LEVEL_AT, SOL_UDP, true)
      this.#controls.view.setUint32(control + CONTROL_TYPE_AT, UDP_SEGMENT, true)
    }
    const start = this.#messages.address
    this.#starts = Array.from({ length: SENT_MAX }, (_, index) => start + BigInt(index * MESSAGE_BYTES))
  }

  get isEmpty(): boolean {
    return this.#first === this.#count
  }

  // HOT PATH
  /** Where in `memory` a datagram of so many bytes may be written; −1 while there is no room. */
  place(length: number): number {
    if (this.#count < SENT_MAX && this.#used + length <= SENT_BYTES) return this.#used
    return this.flush() ? this.#used : -1
  }

  // HOT PATH
  /** What was written where `place` said is to go there. */
  commit(to: Endpoint, length: number): void {
    const offset = this.#used
    this.#used += length
    if (this.#joins(to, length)) {
      const last = this.#count - 1
      this.#pieces[last] = (this.#pieces[last] as number) + 1
      this.#lengths[last] = (this.#lengths[last] as number) + length
      // One that is shorter is the last of its message.
      if (length < (this.#sizes[last] as number)) this.#last = undefined
      return
    }
    if (this.#alone > 0) this.#alone -= 1
    const index = this.#count++
    this.#names.bytes.set(to.bytes, index * NAME_BYTES)
    this.#pieces[index] = 1
    this.#sizes[index] = length
    this.#offsets[index] = offset
    this.#lengths[index] = length
    this.#last = to
  }

  // HOT PATH
  /** False if the kernel has no room now: what is left waits, and the socket tells when it is writable. */
  flush(): boolean {
    while (this.#first < this.#count) {
      for (let index = this.#first; index < this.#count; index++) this.#describe(index)
      const start = this.#starts[this.#first] as bigint
      const sent = this.#libc.sendmmsg(this.socket.fd, start, this.#count - this.#first, MSG_DONTWAIT)
      if (sent > 0) this.#taken(sent)
      else if (!this.#failed(this.#libc.errno())) {
        this.#last = undefined
        this.isFull = true
        return false
      }
    }
    this.isFull = false
    this.#first = 0
    this.#count = 0
    this.#used = 0
    this.#last = undefined
    return true
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.socket.close()
  }

  // HOT PATH
  #joins(to: Endpoint, length: number): boolean {
    if (this.#last !== to || !this.socket.offloads.segment || this.#alone > 0) return false
    const last = this.#count - 1
    const joined = (this.#lengths[last] as number) + length
    return (
      length <= (this.#sizes[last] as number) &&
      (this.#pieces[last] as number) < PIECES_MAX &&
      joined <= MESSAGE_PAYLOAD_MAX
    )
  }

  // HOT PATH
  #describe(index: number): void {
    const vector = index * VECTOR_BYTES
    this.#base.write(this.#vectors.view, vector, this.#offsets[index] as number)
    this.#vectors.view.setUint32(vector + VECTOR_LENGTH_AT, this.#lengths[index] as number, true)
    const message = index * MESSAGE_BYTES
    const { view } = this.#messages
    if ((this.#pieces[index] as number) > 1) {
      const control = index * CONTROL_BYTES
      this.#controls.view.setUint16(control + CONTROL_VALUE_AT, this.#sizes[index] as number, true)
      this.#controlBase.write(view, message + CONTROL_AT, control)
      view.setUint32(message + CONTROL_LENGTH_AT, CONTROL_BYTES, true)
    } else {
      view.setUint32(message + CONTROL_AT, 0, true)
      view.setUint32(message + CONTROL_AT + 4, 0, true)
      view.setUint32(message + CONTROL_LENGTH_AT, 0, true)
    }
  }

  // HOT PATH
  #taken(messages: number): void {
    const end = this.#first + messages
    for (; this.#first < end; this.#first++)
      if ((this.#pieces[this.#first] as number) > 1) this.#aloneNext = ALONE_FIRST
  }

  /** The first message was not taken. False if it may be later. */
  #failed(errno: number): boolean {
    if (errno === ERRNO.EAGAIN) return false
    if (errno === ERRNO.EINTR) return true
    const pieces = this.#pieces[this.#first] as number
    const isOfPieces = errno === ERRNO.EIO || errno === ERRNO.EINVAL || errno === ERRNO.EMSGSIZE
    if (pieces > 1 && isOfPieces) {
      // Pieces longer than the interface takes are refused so too: then the message was at fault.
      if (!this.#sendPieces(this.#first)) {
        this.#alone = this.#aloneNext
        this.#aloneNext = Math.min(2 * this.#aloneNext, ALONE_MAX)
      }
    } else if (errno === ERRNO.EMSGSIZE) this.counts.tooLong += pieces
    else this.counts.refused += pieces
    this.#first += 1
    return true
  }

  /**
   * The pieces of a message one by one; those that the kernel has no room for are lost. True if one was too
   * long for its interface.
   */
  #sendPieces(index: number): boolean {
    let isTooLong = false
    const [offset, length] = [this.#offsets[index] as number, this.#lengths[index] as number]
    const size = this.#sizes[index] as number
    const nameLength = this.socket.family === 4 ? IPV4_ADDRESS_BYTES : ADDRESS_BYTES
    const name = this.#names.address + BigInt(index * NAME_BYTES)
    for (let at = 0; at < length; at += size) {
      const from = this.#block.address + BigInt(offset + at)
      const bytes = Math.min(size, length - at)
      const sent = this.#libc.sendto(this.socket.fd, from, bytes, MSG_DONTWAIT, name, nameLength)
      if (sent >= 0) continue
      if (this.#libc.errno() === ERRNO.EMSGSIZE) {
        isTooLong = true
        this.counts.tooLong += 1
      } else this.counts.refused += 1
    }
    return isTooLong
  }
}
