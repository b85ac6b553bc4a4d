/**
 * The few functions of the C library that interfaces, sockets and waiting need, called through koffi: no
 * compiler. Knows names, argument types, numbers of the kernel's headers and how an errno is said; what the
 * calls are for is known to the files beside it and to drivers/tap.
 *
 * A call costs 20 to 40 ns beyond what the kernel takes for it, and no memory: pointers are addresses that
 * were computed once, or arrays whose bytes are used where they lie. An address saves 10 ns. An array of
 * 64 bytes or less may lie in the collector's heap, from where V8 moves it first, for 200 ns; subarrays of
 * larger ones do not. koffi has no `ssize_t`: it is `long` here.
 */
import { createRequire } from 'node:module'
import { constants, endianness } from 'node:os'
import { InvariantError, UsageError } from '../../core/errors.ts'

/** Memory: an address, an array whose bytes are used where they lie, or none. */
export type Pointer = bigint | Uint8Array | null

/** The part of koffi that is used. */
export type Koffi = Pick<typeof import('koffi'), 'load' | 'address' | 'errno'>

/** As in sections 2 and 3 of the Linux manual pages; −1 is failure, and `errno` says why. */
interface Calls {
  open(path: string, flags: number): number
  close(fd: number): number
  /** Bytes read. */
  read(fd: number, into: Pointer, length: number): number
  /** Bytes taken. */
  write(fd: number, from: Pointer, length: number): number
  ioctl(fd: number, request: number, argument: Pointer): number
  /** How many of the descriptors are ready. */
  ppoll(descriptors: Pointer, count: number, timeout: Pointer, signals: null): number
  eventfd(initial: number, flags: number): number
  socket(family: number, type: number, protocol: number): number
  bind(fd: number, address: Pointer, length: number): number
  send(fd: number, from: Pointer, length: number, flags: number): number
  recv(fd: number, into: Pointer, length: number, flags: number): number
  sendto(fd: number, from: Pointer, length: number, flags: number, to: Pointer, toLength: number): number
  setsockopt(fd: number, level: number, option: number, value: Pointer, length: number): number
  getsockname(fd: number, address: Pointer, length: Pointer): number
  /** How many messages were sent; the vector and its parts are structs mmsghdr. */
  sendmmsg(fd: number, messages: Pointer, count: number, flags: number): number
  recvmmsg(fd: number, messages: Pointer, count: number, flags: number, timeout: null): number
  flock(fd: number, operation: number): number
  clock_gettime(clock: number, into: Pointer): number
}

export interface Libc extends Calls {
  /** Why the last call of this thread failed; to be asked before any other call. */
  errno(): number
  /** Fresh zeroed bytes that do not move. */
  pin(length: number): Pinned
}

/** Bytes that do not move. Whoever uses the address holds on to this: an address keeps no memory alive. */
export interface Pinned {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly view: DataView
  readonly address: bigint
}

/** One type for all pointers: koffi then passes arrays as they are instead of converting them. */
const P = 'void *'
type Prototype = readonly [result: string, ...parameters: string[]]

/**
 * `open` and `ioctl` are variadic in C. They are called like any function: on the machines below, the
 * third argument travels in a register either way.
 */
const PROTOTYPES: { readonly [Name in keyof Calls]: Prototype } = {
  open: ['int', 'str', 'int'],
  close: ['int', 'int'],
  read: ['long', 'int', P, 'size_t'],
  write: ['long', 'int', P, 'size_t'],
  ioctl: ['int', 'int', 'ulong', P],
  ppoll: ['int', P, 'ulong', P, P],
  eventfd: ['int', 'uint', 'int'],
  socket: ['int', 'int', 'int', 'int'],
  bind: ['int', 'int', P, 'uint'],
  send: ['long', 'int', P, 'size_t', 'int'],
  recv: ['long', 'int', P, 'size_t', 'int'],
  sendto: ['long', 'int', P, 'size_t', 'int', P, 'uint'],
  setsockopt: ['int', 'int', 'int', 'int', P, 'uint'],
  getsockname: ['int', 'int', P, P],
  sendmmsg: ['int', 'int', P, 'uint', 'int'],
  recvmmsg: ['int', 'int', P, 'uint', 'int', P],
  flock: ['int', 'int', 'int'],
  clock_gettime: ['int', 'int', P],
}

/** 64-bit machines whose kernel uses asm-generic's numbers, which are the ones in these files. */
const MACHINES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64']

/** asm-generic/errno-base.h and errno.h. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EBADFD: 77,
  EMSGSIZE: 90,
  EADDRINUSE: 98,
  ENOBUFS: 105,
} as const

const NAMES: ReadonlyMap<number, string> = new Map(
  [...Object.entries(constants.errno), ...Object.entries(ERRNO)].map(([name, value]) => [value, name]),
)

/** Throws koffi's own error if its binary for this platform is missing. */
function requireKoffi(): Koffi {
  return createRequire(import.meta.url)('koffi')
}

/** For one thread. A UsageError where these numbers are not the system's; else koffi's own error. */
export function openLibc(loadKoffi: () => Koffi = requireKoffi): Libc {
  if (process.platform !== 'linux' || !MACHINES.includes(process.arch) || endianness() !== 'LE') {
    throw new UsageError(
      `network interfaces of ${process.platform} on ${process.arch} are not known here; ` +
        `use Linux on one of ${MACHINES.join(', ')}`,
    )
  }
  const koffi = loadKoffi()
  // Null stands for the running program itself, which the C library is part of.
  const program = koffi.load(null)
  const names = Object.keys(PROTOTYPES) as (keyof Calls)[]
  const functions = names.map((name) => {
    const [result, ...parameters] = PROTOTYPES[name]
    return [name, program.func(name, result, parameters)]
  })
  return {
    ...(Object.fromEntries(functions) as unknown as Calls),
    errno: () => koffi.errno(),
    pin: (length) => pin(koffi, length),
  }
}

/** Short arrays may lie in the collector's heap and move; V8 keeps longer ones outside of it. */
const HEAP_BYTES_MAX = 64

function pin(koffi: Koffi, length: number): Pinned {
  const buffer = new ArrayBuffer(Math.max(length, HEAP_BYTES_MAX + 1))
  const bytes = new Uint8Array(buffer, 0, length)
  return { bytes, view: new DataView(buffer, 0, length), address: koffi.address(bytes) }
}

/** `EBUSY`, or the number where the name is not known. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`
}

/** What the whole system or this process ran out of, and what mends it. */
const WANTS: ReadonlyMap<number, string> = new Map([
  [ERRNO.EMFILE, 'this process has as many files open as it may; raise the limit with ulimit -n'],
  [ERRNO.ENFILE, 'the system has as many files open as it may; raise it with sysctl fs.file-max'],
  [ERRNO.ENOMEM, 'the system has no memory left for it; stop something else'],
  [ERRNO.ENOBUFS, 'the system has no memory left for it; stop something else'],
])

/** A UsageError if the system ran out of something, else our own fault: the call itself was wrong. */
export function refuse(task: string, errno: number): never {
  const want = WANTS.get(errno)
  if (want !== undefined) throw new UsageError(`could not ${task}: ${want}`)
  throw new InvariantError(`This is a fault of PeerTap itself: could not ${task}: ${errnoName(errno)}`)
}
