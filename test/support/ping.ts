/** ICMP echo over a raw socket, since not every machine has the program `ping`. RFC 792, RFC 4443. */
import { createRequire } from 'node:module'
import { createClock } from '../../drivers/linux/clock.ts'
import { type Koffi, openLibc } from '../../drivers/linux/libc.ts'
import { Poller } from '../../drivers/linux/poller.ts'
import { parseCidr } from '../../drivers/tap/addresses.ts'
import type { Namespace } from './namespaces.ts'

// linux/socket.h, linux/in.h
const AF_INET = 2
const AF_INET6 = 10
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000
const IPPROTO_ICMP = 1
const IPPROTO_ICMPV6 = 58
const SOCKADDR_BYTES = 28

const ECHO = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const
const IPV4_HEADER_BYTES = 20
const HEADER_BYTES = 8
const PATIENCE_MICROS = 5_000_000
/** Between two questions. */
const AGAIN_MICROS = 500_000

let sequence = 0

/**
 * Whether the host hears an answer of the same bytes from the address, with so many bytes of ICMP behind
 * its header. Asks again until then, for 5 s; the thread waits.
 */
export function ping(host: Namespace, address: string, payloadBytes = 56): boolean {
  const libc = openLibc()
  const { bytes } = parseCidr(`${address}/${address.includes(':') ? 128 : 32}`)
  const version = bytes.length === 4 ? 4 : 6
  const fd = host.inside(() => connected(bytes))
  const poller = new Poller(libc)
  poller.add(fd)
  const question = echo(version, ++sequence, payloadBytes)
  const into = new Uint8Array(65_536)
  const skip = version === 4 ? IPV4_HEADER_BYTES : 0
  const clock = createClock(libc)
  const end = clock.monotonicMicros() + PATIENCE_MICROS
  try {
    for (let now = clock.monotonicMicros(); now < end; now = clock.monotonicMicros()) {
      libc.send(fd, question, question.length, 0)
      while (poller.wait(Math.min(AGAIN_MICROS, end - now)) > 0) {
        const length = libc.recv(fd, into, into.length, 0)
        if (length >= 0 && isAnswer(into.subarray(skip, length), question, version)) return true
        if (clock.monotonicMicros() >= end) return false
      }
    }
    return false
  } finally {
    libc.close(fd)
  }
}

function connected(address: Uint8Array): number {
  const libc = openLibc()
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const connect = koffi.load(null).func('connect', 'int', ['int', 'void *', 'uint'])
  const isIpv4 = address.length === 4
  const family = isIpv4 ? AF_INET : AF_INET6
  const fd = libc.socket(family, SOCK_RAW_NONBLOCK_CLOEXEC, isIpv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)
  // struct sockaddr_in: family, port, address; struct sockaddr_in6: family, port, flow, address, scope.
  const memory = libc.pin(SOCKADDR_BYTES)
  memory.view.setUint16(0, family, true)
  memory.bytes.set(address, isIpv4 ? 4 : 8)
  if (connect(fd, memory.address, isIpv4 ? 16 : SOCKADDR_BYTES) !== 0) {
    throw new Error(`connect failed with errno ${libc.errno()}`)
  }
  return fd
}

/** Type, code, checksum, identifier and sequence, then the payload. */
function echo(version: 4 | 6, number: number, payloadBytes: number): Uint8Array {
  const message = Uint8Array.from({ length: HEADER_BYTES + payloadBytes }, (_, at) => (at * 3) & 0xff)
  const view = new DataView(message.buffer)
  view.setUint32(0, ECHO[version].request << 24)
  view.setUint16(4, process.pid & 0xffff)
  view.setUint16(6, number)
  // Of ICMPv6 the kernel computes it, since it covers the addresses.
  if (version === 4) view.setUint16(2, checksum(message))
  return message
}

/** RFC 1071. */
function checksum(message: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < message.length; at += 2) sum += (message[at]! << 8) | (message[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Identifier, sequence and payload are those of the question. */
function isAnswer(message: Uint8Array, question: Uint8Array, version: 4 | 6): boolean {
  return (
    message.length === question.length &&
    message[0] === ECHO[version].reply &&
    message.subarray(4).every((byte, at) => byte === question[at + 4])
  )
}
