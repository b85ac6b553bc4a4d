/**
 * Looks after trunks over QUIC that carry data: when nothing comes back, the peer's TCP port is asked whether
 * the process is still there (closed-port.ts), if it has one. So its loss is known in half a second. The
 * core's own probes (text (c) of the mesh protocol) need more than two, but notice also what no host tells.
 *
 * A firewall may refuse us that port. So each is asked once when its trunk has just come up, and not believed
 * later if it is refused then.
 */
import type { Multiaddr } from '@multiformats/multiaddr'
import { isPortClosed } from './closed-port.ts'
import { hostAddress, isRelayed, transportOf } from './transports.ts'
import type { Trunk } from './trunk.ts'

const TICK_MILLIS = 200
/** Until a peer has said where it listens. A guess. */
const SETTLE_MILLIS = 1_000
/** Data both ways seldom rests for longer; data one way is answered each second (text (c), HELLO). */
const QUIET_TICKS = 2

interface Watched {
  readonly host: string
  readonly port: number
  /** Refused while the process was there. */
  isBarred: boolean
  asking: boolean
  /** Ticks since which data is unanswered. */
  quiet: number
}

export class Watch {
  readonly #gone: (trunk: Trunk) => void
  readonly #new = new Map<Trunk, NodeJS.Timeout>()
  readonly #trunks = new Map<Trunk, Watched>()
  #timer: NodeJS.Timeout | undefined

  constructor(gone: (trunk: Trunk) => void) {
    this.#gone = gone
  }

  /** `addresses`: those that its peer is known by. */
  up(trunk: Trunk, addresses: () => Promise<readonly Multiaddr[]>): void {
    if (!isQuic(trunk)) return
    const timer = setTimeout(() => void addresses().then((known) => this.#meet(trunk, known)), SETTLE_MILLIS)
    this.#new.set(trunk, timer.unref())
  }

  down(trunk: Trunk): void {
    clearTimeout(this.#new.get(trunk))
    this.#new.delete(trunk)
    this.#trunks.delete(trunk)
  }

  // HOT PATH
  /** Something was sent. */
  sent(): void {
    if (this.#timer !== undefined || this.#trunks.size === 0) return
    this.#timer = setInterval(() => this.#tick(), TICK_MILLIS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const timer of this.#new.values()) clearTimeout(timer)
    this.#new.clear()
    this.#trunks.clear()
  }

  #meet(trunk: Trunk, addresses: readonly Multiaddr[]): void {
    const door = doorBeside(trunk.connection.remoteAddr, addresses)
    if (!this.#new.delete(trunk) || door === undefined) return
    const watched = { ...door, isBarred: true, asking: true, quiet: 0 }
    this.#trunks.set(trunk, watched)
    void isPortClosed(door.host, door.port).then((closed) => {
      watched.isBarred = closed
      watched.asking = false
    })
  }

  #tick(): void {
    let waiting = false
    for (const [trunk, watched] of this.#trunks) {
      watched.quiet = trunk.isUnanswered ? watched.quiet + 1 : 0
      if (watched.quiet === 0) continue
      waiting = true
      if (watched.quiet >= QUIET_TICKS && !watched.asking && !watched.isBarred) this.#ask(trunk, watched)
    }
    if (waiting) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #ask(trunk: Trunk, watched: Watched): void {
    watched.asking = true
    void isPortClosed(watched.host, watched.port).then((closed) => {
      watched.asking = false
      if (closed && trunk.isUnanswered && this.#trunks.has(trunk)) this.#gone(trunk)
    })
  }
}

function isQuic({ connection: { remoteAddr } }: Trunk): boolean {
  return transportOf(remoteAddr) === 'quic-v1' && !isRelayed(remoteAddr)
}

/** Where the process at the other end listens on TCP. */
function doorBeside(
  remote: Multiaddr,
  addresses: readonly Multiaddr[],
): { readonly host: string; readonly port: number } | undefined {
  const host = hostAddress(remote)
  const doors = addresses.filter((one) => /^(tcp|wss?)$/.test(transportOf(one) ?? ''))
  const door = doors.find((one) => hostAddress(one) === host)
  return host === undefined || door === undefined
    ? undefined
    : { host, port: Number(door.getComponents()[1]?.value) }
}
