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
import { hostAddress, transportOf } from './transports.ts'
import type { Trunk } from './trunk.ts'

const TICK_MILLIS = 200
const PORT_MAX = 65_535
/** Until a peer has said where it listens. A guess. */
const SETTLE_MILLIS = 1_000
/** Ticks of silence after which is asked; data both ways seldom rests for so long. */
const ASKED_AFTER: readonly number[] = [2, 7]
/**
 * Ticks since data came, beyond which no answer is missed: data that goes one way is answered by a HELLO each
 * second at most (text (c)), and would be asked about each second.
 */
const RECENT_TICKS = 10

interface Watched {
  readonly host: string
  readonly port: number
  /** Refused while the process was there. */
  isBarred: boolean
  asking: boolean
  /** Ticks since which data is unanswered. */
  quiet: number
  /** Packets of data that came, and the ticks since. */
  heard: number
  rested: number
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
    const meet = (): void =>
      void addresses()
        .catch(() => [])
        .then((known) => this.#meet(trunk, known))
    const timer = setTimeout(meet, SETTLE_MILLIS)
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

  /**
   * Data came by other ways until now, and then none did. That is silence enough to ask at once; and the next
   * data that goes unanswered is asked about.
   */
  doubt(trunk: Trunk): void {
    const watched = this.#trunks.get(trunk)
    if (watched === undefined) return
    watched.rested = 0
    if (!watched.asking && !watched.isBarred) this.#ask(trunk, watched, true)
    this.sent()
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
    const watched = { ...door, isBarred: true, asking: true, quiet: 0, heard: trunk.dataIn, rested: 0 }
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
      watched.rested = trunk.dataIn === watched.heard ? watched.rested + 1 : 0
      watched.heard = trunk.dataIn
      if (watched.quiet === 0) continue
      waiting = true
      const isDue = ASKED_AFTER.includes(watched.quiet) && watched.rested <= RECENT_TICKS
      if (isDue && !watched.asking && !watched.isBarred) this.#ask(trunk, watched, false)
    }
    if (waiting) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** `isDoubted`: it was silent before its streams were asked for anything. */
  #ask(trunk: Trunk, watched: Watched, isDoubted: boolean): void {
    watched.asking = true
    void isPortClosed(watched.host, watched.port).then((closed) => {
      watched.asking = false
      if (closed && (isDoubted || trunk.isUnanswered) && this.#trunks.has(trunk)) this.#gone(trunk)
    })
  }
}

/** What goes through a circuit has no transport of its own. */
function isQuic({ connection: { remoteAddr } }: Trunk): boolean {
  return transportOf(remoteAddr) === 'quic-v1'
}

/** Where the process at the other end listens on TCP. */
function doorBeside(
  remote: Multiaddr,
  addresses: readonly Multiaddr[],
): { readonly host: string; readonly port: number } | undefined {
  const host = hostAddress(remote)
  const doors = addresses.filter((one) => /^(tcp|wss?)$/.test(transportOf(one) ?? ''))
  const door = doors.find((one) => hostAddress(one) === host)
  // By its name: what a stranger says of himself may have other parts in between.
  const port = Number(door?.getComponents().find(({ name }) => name === 'tcp')?.value)
  return host === undefined || !(port >= 1 && port <= PORT_MAX) ? undefined : { host, port }
}
