/**
 * Tells the service manager how the node is, as sd_notify(3) does: datagrams to the Unix socket that
 * NOTIFY_SOCKET names. Node has no such sockets, so libc is called. Without the variable, without koffi or
 * without the socket nothing happens: a node must run wherever it is started.
 */
import { utf8 } from '../../core/ids.ts'
import { type Libc, openLibc } from '../linux/libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2
/** Linux: closed in programs that are started by this one. */
const SOCK_CLOEXEC = 0o2000000
/** Linux: neither a wait nor a signal. */
const SEND_FLAGS = 0x40 | 0x4000
/** Of `sun_path`, with a zero behind a path (unix(7)). */
const PATH_BYTES_MAX = 108

type Environment = Readonly<Record<string, string | undefined>>

/** Each answers whether the manager was told. */
export interface Notifier {
  /** The node does its work; `status` is a line for people. */
  ready(status: string): boolean
  status(status: string): boolean
  /** It reads its configuration again, until it is ready once more. */
  reloading(): boolean
  stopping(): boolean
  /** It is alive: to be said at least as often as `watchdogMillis` says. */
  watchdog(): boolean
}

export function notifierOf(env: Environment): Notifier {
  const address = addressOf(env.NOTIFY_SOCKET)
  const libc = address === undefined ? undefined : loadLibc()
  const tell = (...lines: readonly string[]): boolean => {
    if (address === undefined || libc === undefined) return false
    return send(libc, address, utf8(lines.map((line) => line.replaceAll('\n', ' ')).join('\n')))
  }
  return {
    ready: (status) => tell('READY=1', `STATUS=${status}`),
    status: (status) => tell(`STATUS=${status}`),
    // The time is what Type=notify-reload asks for; hrtime is CLOCK_MONOTONIC.
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`),
    stopping: () => tell('STOPPING=1'),
    watchdog: () => tell('WATCHDOG=1'),
  }
}

/** Half of the time after which the manager gives the node up (sd_watchdog_enabled(3)), if it watches. */
export function watchdogMillis(env: Environment, pid: number): number | undefined {
  const { WATCHDOG_USEC: micros = '', WATCHDOG_PID: whose } = env
  if (!/^\d{1,15}$/.test(micros) || Number(micros) < 2_000) return undefined
  if (whose !== undefined && whose !== '' && whose !== String(pid)) return undefined
  return Math.floor(Number(micros) / 2_000)
}

/** A `sockaddr_un` of exactly its length: a path, or an abstract name where it begins with @. */
function addressOf(path: string | undefined): Uint8Array | undefined {
  if (path === undefined || !/^[/@]./.test(path)) return undefined
  const name = utf8(path)
  if (name.length >= PATH_BYTES_MAX) return undefined
  if (path.startsWith('@')) name[0] = 0
  // The family is a short in the order of the host: the low byte first on what koffi is prebuilt for.
  const address = new Uint8Array(2 + name.length + (path.startsWith('@') ? 0 : 1))
  address[0] = AF_UNIX
  address.set(name, 2)
  return address
}

function send(libc: Libc, address: Uint8Array, message: Uint8Array): boolean {
  const file = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (file < 0) return false
  try {
    return libc.sendto(file, message, message.length, SEND_FLAGS, address, address.length) === message.length
  } finally {
    libc.close(file)
  }
}

function loadLibc(): Libc | undefined {
  try {
    return openLibc()
  } catch {
    return undefined
  }
}
