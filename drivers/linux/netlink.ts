/**
 * The kernel's settings of network interfaces, by rtnetlink(7) instead of the program `ip`: as many IPv4
 * and IPv6 addresses as there are, in one way. Knows messages and their acknowledgements; what they are
 * good for and what a refusal means to a person is said in drivers/tap.
 *
 * Used when an interface is made, not per frame. All integers are the host's, which is little-endian.
 */
import { assert } from '../../core/errors.ts'
import { type Libc, type Pinned, refuse } from './libc.ts'

// linux/socket.h, linux/netlink.h
const AF_INET = 2
const AF_NETLINK = 16
const AF_INET6 = 10
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const NETLINK_ROUTE = 0
const SOCKADDR_NL_BYTES = 12
const NLMSG_ERROR = 2
const NLM_F_REQUEST_ACK = 0x1 | 0x4
const NLM_F_CREATE_EXCL = 0x400 | 0x200

// linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if.h
const RTM_NEWLINK = 16
const RTM_NEWADDR = 20
const IFLA_MTU = 4
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFF_UP = 1
const SCOPE_UNIVERSE = 0

/** struct nlmsghdr: length (4), type (2), flags (2), sequence (4), port (4). */
const HEADER_BYTES = 16
const TYPE_AT = 4
const FLAGS_AT = 6
const SEQUENCE_AT = 8
/** struct nlmsgerr begins behind the header: −errno, zero for success. */
const ERROR_AT = HEADER_BYTES
const ATTRIBUTE_HEADER_BYTES = 4
/** Ours have 56 to 72 bytes, and an answer repeats the question behind its own 20. */
const MESSAGE_BYTES_MAX = 512

export interface InterfaceAddress {
  /** 4 bytes of IPv4 or 16 of IPv6, as they are on the wire. */
  readonly bytes: Uint8Array
  /** Bits that all of the subnet share. */
  readonly prefix: number
}

/**
 * Asks and waits for the answer, which the kernel gives at once. Bound to the network namespace in which
 * it was opened. Methods return zero or the errno of the kernel's refusal.
 */
export class RouteSocket {
  readonly #libc: Libc
  readonly #fd: number
  readonly #message: Pinned
  #length = 0
  #sequence = 0

  /** A UsageError if no more files may be open. */
  constructor(libc: Libc) {
    this.#libc = libc
    this.#message = libc.pin(MESSAGE_BYTES_MAX)
    this.#fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE)
    if (this.#fd < 0) refuse('open a netlink socket', libc.errno())
    const address = libc.pin(SOCKADDR_NL_BYTES)
    address.view.setUint16(0, AF_NETLINK, true)
    if (libc.bind(this.#fd, address.address, SOCKADDR_NL_BYTES) !== 0) {
      const errno = libc.errno()
      this.close()
      refuse('bind a netlink socket', errno)
    }
  }

  /** Bytes of an Ethernet payload. */
  setMtu(index: number, mtu: number): number {
    this.#beginLink(index, 0)
    const value = new Uint8Array(4)
    new DataView(value.buffer).setUint32(0, mtu, true)
    this.#attribute(IFLA_MTU, value)
    return this.#ask()
  }

  /** Takes part in traffic from now on. */
  setUp(index: number): number {
    this.#beginLink(index, IFF_UP)
    return this.#ask()
  }

  /** EEXIST if the interface has it. IPv6 works once the check for duplicates is over, after 1 to 2 s. */
  addAddress(index: number, { bytes, prefix }: InterfaceAddress): number {
    const isIpv4 = bytes.length === 4
    this.#begin(RTM_NEWADDR, NLM_F_CREATE_EXCL)
    // struct ifaddrmsg: family, prefix, flags, scope, and the index in 4 bytes.
    this.#bytes(Uint8Array.of(isIpv4 ? AF_INET : AF_INET6, prefix, 0, SCOPE_UNIVERSE))
    this.#u32(index)
    this.#attribute(IFA_LOCAL, bytes)
    this.#attribute(IFA_ADDRESS, bytes)
    // Two hosts (RFC 3021) or one have no broadcast address.
    if (isIpv4 && prefix < 31) this.#attribute(IFA_BROADCAST, broadcastOf(bytes, prefix))
    return this.#ask()
  }

  close(): void {
    this.#libc.close(this.#fd)
  }

  /** struct ifinfomsg: family and padding (2), type (2), index (4), flags (4), which of them change (4). */
  #beginLink(index: number, flags: number): void {
    this.#begin(RTM_NEWLINK, 0)
    this.#u32(0)
    this.#u32(index)
    this.#u32(flags)
    this.#u32(flags)
  }

  #begin(type: number, flags: number): void {
    this.#message.bytes.fill(0)
    const { view } = this.#message
    view.setUint16(TYPE_AT, type, true)
    view.setUint16(FLAGS_AT, NLM_F_REQUEST_ACK | flags, true)
    view.setUint32(SEQUENCE_AT, ++this.#sequence, true)
    this.#length = HEADER_BYTES
  }

  #bytes(bytes: Uint8Array): void {
    this.#message.bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #u32(value: number): void {
    this.#message.view.setUint32(this.#length, value, true)
    this.#length += 4
  }

  /** Lengths and types of 2 bytes each, then the value; all of ours end at a multiple of 4. */
  #attribute(type: number, value: Uint8Array): void {
    this.#u32((type << 16) | (ATTRIBUTE_HEADER_BYTES + value.length))
    this.#bytes(value)
  }

  #ask(): number {
    const { view, address } = this.#message
    const libc = this.#libc
    view.setUint32(0, this.#length, true)
    if (libc.send(this.#fd, address, this.#length, 0) < 0) refuse('ask the kernel', libc.errno())
    const received = libc.recv(this.#fd, address, MESSAGE_BYTES_MAX, 0)
    if (received < 0) refuse('hear the kernel', libc.errno())
    const isAnswer = view.getUint16(TYPE_AT, true) === NLMSG_ERROR
    assert(
      isAnswer && received >= ERROR_AT + 4 && view.getUint32(SEQUENCE_AT, true) === this.#sequence,
      'the kernel gave another answer over netlink than the one that was asked for',
    )
    return -view.getInt32(ERROR_AT, true)
  }
}

/** The subnet's address with all ones for the host. */
function broadcastOf(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, at) => byte | (0xff >> Math.min(8, Math.max(0, prefix - 8 * at))))
}
