/**
 * Other nodes on the local network, by multicast DNS (RFC 6762). Asked often in the first minutes, when an
 * answer saves a user from writing addresses down, and hardly ever after that (mesh:M17); answered always.
 */
import { mdns } from '@libp2p/mdns'
import type { PeerId } from '../../core/io.ts'
import type { Engine } from './engine.ts'
import { corePeer, withoutPeer } from './names.ts'

const KEEN_MILLIS = 180_000
const KEEN_INTERVAL_MILLIS = 10_000
const SLOW_INTERVAL_MILLIS = 3_600_000
/** A name of our own: what answers is a node of PeerTap. */
const SERVICE = '_peertap._udp.local'

export class Discovery {
  readonly #engine: Engine
  readonly #discovered: (peer: PeerId, addresses: readonly string[]) => void
  #asking: { start(): Promise<void>; stop(): Promise<void> } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(engine: Engine, discovered: (peer: PeerId, addresses: readonly string[]) => void) {
    this.#engine = engine
    this.#discovered = discovered
  }

  async start(): Promise<void> {
    await this.#ask(KEEN_INTERVAL_MILLIS)
    this.#timer = setTimeout(() => {
      this.#ask(SLOW_INTERVAL_MILLIS).catch(() => {})
    }, KEEN_MILLIS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#asking?.stop()
    this.#asking = undefined
  }

  async #ask(interval: number): Promise<void> {
    await this.#asking?.stop()
    const asking = mdns({ interval, serviceTag: SERVICE })(this.#engine.parts)
    asking.addEventListener('peer', ({ detail }) => {
      const peer = corePeer(detail.id)
      if (peer === undefined || detail.id.equals(this.#engine.node.peerId)) return
      this.#discovered(
        peer,
        detail.multiaddrs.map((address) => withoutPeer(address).toString()),
      )
    })
    this.#asking = asking as typeof asking & { start(): Promise<void>; stop(): Promise<void> }
    await this.#asking.start()
  }
}
