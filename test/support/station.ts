/**
 * One end of trunks in a test: a carrier and everything its listener was told. Tests wait for conditions
 * over what has been told so far; each event wakes them.
 */
import type { Address, Channel, CloseReason, Hop, LinkId, PeerId, Reachability } from '../../core/io.ts'
import type { Carrier, TrunkListener } from '../../drivers/libp2p/carrier.ts'

/** A condition that does not come true by then fails the test. */
const PATIENCE_MILLIS = 8_000
/** For conditions over more than what this station was told. */
const POLL_MILLIS = 20

export interface Heard {
  readonly channel: Channel
  readonly hop: Hop
  readonly bytes: Uint8Array
}

/** What a station was told of one link. */
export interface Told {
  readonly link: LinkId
  readonly peer: PeerId
  readonly dialled: boolean
  readonly heard: Heard[]
  readonly ready: { readonly channel: Channel; readonly ready: boolean }[]
  down: CloseReason | undefined
}

export class Station implements TrunkListener {
  readonly name: PeerId
  readonly carrier: Carrier
  readonly links: Told[] = []
  readonly failed: PeerId[] = []
  readonly announced: { readonly addresses: readonly Address[]; readonly reach: Reachability }[] = []
  /** What broke the rules of the seam. */
  readonly faults: string[] = []
  /** Asked with each packet before it is kept. */
  onPacket: ((told: Told, heard: Heard) => void) | undefined
  /** Kept are length and first bytes only: for floods. */
  keepBytes = true
  #calls = 0
  readonly #waiting = new Set<() => void>()

  constructor(name: PeerId, carrier: Carrier) {
    this.name = name
    this.carrier = carrier
  }

  start(): Promise<void> {
    return this.carrier.start(this)
  }

  // Calls, watched: nothing may be told inside of them.

  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.#call(() => this.carrier.dial(peer, addresses))
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    this.#call(() => this.carrier.hangUp(link, reason))
  }

  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    this.#call(() => this.carrier.send(link, channel, hop, packet))
  }

  // What is told.

  linkUp(link: LinkId, peer: PeerId, dialled: boolean): void {
    if (this.links.some((told) => told.link === link)) this.faults.push(`link ${link} was used before`)
    this.links.push({ link, peer, dialled, heard: [], ready: [], down: undefined })
    this.#told()
  }

  linkDown(link: LinkId, reason: CloseReason): void {
    const told = this.#live(link, 'linkDown')
    if (told !== undefined) told.down = reason
    this.#told()
  }

  linkReady(link: LinkId, channel: Channel, ready: boolean): void {
    this.#live(link, 'linkReady')?.ready.push({ channel, ready })
    this.#told()
  }

  dialFailed(peer: PeerId): void {
    this.failed.push(peer)
    this.#told()
  }

  addressesChanged(addresses: readonly Address[], reach: Reachability): void {
    this.announced.push({ addresses, reach })
    this.#told()
  }

  packet(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    const told = this.#live(link, 'packet')
    if (Object.getPrototypeOf(bytes) !== Uint8Array.prototype) this.faults.push('not a plain Uint8Array')
    const heard = { channel, hop, bytes: this.keepBytes ? bytes.slice() : bytes.slice(0, 8) }
    told?.heard.push(heard)
    if (told !== undefined) this.onPacket?.(told, heard)
    this.#told()
  }

  // Waiting.

  /** Resolves with the condition's value as soon as it is neither false nor undefined. */
  async until<T>(what: string, condition: () => T | false | undefined): Promise<T> {
    const deadline = Date.now() + PATIENCE_MILLIS
    for (;;) {
      const value = condition()
      if (value !== false && value !== undefined) return value
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`waited in vain for: ${what}`)
      await this.#event(Math.min(left, POLL_MILLIS))
    }
  }

  /** The newest link that is up with the peer. */
  up(peer: PeerId): Promise<Told> {
    return this.until('a link', () => this.live(peer).at(-1))
  }

  down(told: Told): Promise<CloseReason> {
    return this.until('the end of a link', () => told.down)
  }

  live(peer: PeerId): Told[] {
    return this.links.filter((told) => told.peer === peer && told.down === undefined)
  }

  #event(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, millis)
      this.#waiting.add(wake)
    })
  }

  #told(): void {
    if (this.#calls > 0) this.faults.push('told inside a call')
    for (const wake of this.#waiting) wake()
  }

  #live(link: LinkId, what: string): Told | undefined {
    const told = this.links.find((one) => one.link === link)
    if (told === undefined || told.down !== undefined) this.faults.push(`${what} of link ${link}, not up`)
    return told
  }

  #call(what: () => void): void {
    this.#calls += 1
    try {
      what()
    } finally {
      this.#calls -= 1
    }
  }
}
