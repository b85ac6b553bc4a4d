/**
 * Other nodes on the local network, by multicast DNS (RFC 6762). Asked often in the first minutes and after
 * the machine came into another network, when an answer saves a user from writing addresses down, and hardly
 * ever after that (mesh:M17); answered always.
 *
 * libp2p has a module for it, which asks by the default route alone: two machines on one cable have none and
 * never find each other, and where a VLAN is the default route, it asks and answers in there. Here each
 * interface is spoken to by both families, and those of VLANs never are.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { BlockList, isIPv4 } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../../core/io.ts'
import { mdnsAnswer, mdnsQuestion, readMdns } from './mdns.ts'
import { corePeer, withoutPeer } from './names.ts'

const KEEN_MILLIS = 180_000
const KEEN_INTERVAL_MILLIS = 10_000
const SLOW_INTERVAL_MILLIS = 3_600_000
/** RFC 6762, section 6: the same records are multicast no more often. */
const ANSWER_MILLIS = 1_000
/** RFC 6762, section 3. */
const PORT = 5_353
const GROUP = { 4: '224.0.0.251', 6: 'ff02::fb' } as const
/** RFC 6762, section 11: from this cable and from no farther. */
const HOPS = 255
/** RFC 6762, section 17. */
const MESSAGE_BYTES_MAX = 9_000
/** A label of 32 hex digits. */
const INSTANCE_BYTES = 16

type Family = keyof typeof GROUP
type Hearing = (bytes: Uint8Array, sender: RemoteInfo) => void

export interface Neighbourhood {
  readonly self: PeerId
  /** Addresses of this machine that trunks may use. */
  readonly hosts: () => readonly string[]
  /** Where this node can be dialled, as multiaddrs with its name. */
  readonly addresses: () => readonly string[]
  /** Addresses without a name. */
  readonly discovered: (peer: PeerId, addresses: readonly string[]) => void
  /** A socket or an interface that cannot be used. */
  readonly failed: () => void
}

export class Discovery {
  readonly #world: Neighbourhood
  readonly #instance = randomBytes(INSTANCE_BYTES).toString('hex')
  readonly #voices: Voice[]
  #timer: NodeJS.Timeout | undefined
  #keenUntil = 0
  #answeredAt = Number.NEGATIVE_INFINITY
  #answering: NodeJS.Timeout | undefined

  constructor(world: Neighbourhood) {
    this.#world = world
    const heard = (bytes: Uint8Array, sender: RemoteInfo) => this.#onMessage(bytes, sender)
    this.#voices = ([4, 6] as const).map((family) => new Voice(family, heard, world.failed))
  }

  /** Asks now, and often for a while: at the start, and in another network. */
  askKeenly(): void {
    this.#keenUntil = performance.now() + KEEN_MILLIS
    this.#ask()
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#answering)
    for (const voice of this.#voices) voice.close()
  }

  #ask(): void {
    clearTimeout(this.#timer)
    const isKeen = performance.now() < this.#keenUntil
    this.#timer = setTimeout(() => this.#ask(), isKeen ? KEEN_INTERVAL_MILLIS : SLOW_INTERVAL_MILLIS)
    this.#timer.unref()
    this.#say(mdnsQuestion())
  }

  /** Once for all who ask within a second. */
  #answer(): void {
    if (this.#answering !== undefined) return
    const wait = Math.max(0, this.#answeredAt + ANSWER_MILLIS - performance.now())
    this.#answering = setTimeout(() => {
      this.#answering = undefined
      this.#answeredAt = performance.now()
      const addresses = this.#world.addresses()
      if (addresses.length > 0) this.#say(mdnsAnswer(this.#instance, addresses))
    }, wait)
    this.#answering.unref()
  }

  #say(message: Uint8Array): void {
    for (const voice of this.#voices) voice.say(message, this.#world.hosts())
  }

  /** RFC 6762, section 11: whoever is not on the same cable is not heard. */
  #onMessage(bytes: Uint8Array, sender: RemoteInfo): void {
    if (bytes.length > MESSAGE_BYTES_MAX || sender.port !== PORT) return
    if (!isNear(sender.address, this.#world.hosts())) return
    const message = readMdns(bytes)
    if (message?.kind === 'question') this.#answer()
    if (message?.kind !== 'answer') return
    // A node speaks of itself alone.
    const [first] = peersIn(message.texts)
    if (first !== undefined && first[0] !== this.#world.self) this.#world.discovered(...first)
  }
}

/** Texts that are no addresses of nodes are left out. */
function peersIn(texts: readonly string[]): ReadonlyMap<PeerId, string[]> {
  const peers = new Map<PeerId, string[]>()
  for (const text of texts) {
    try {
      const address = multiaddr(text)
      const last = address.getComponents().at(-1)
      const peer = last?.code === CODE_P2P ? corePeer(peerIdFromString(last.value ?? '')) : undefined
      if (peer !== undefined) peers.set(peer, [...(peers.get(peer) ?? []), withoutPeer(address).toString()])
    } catch {
      // From a stranger.
    }
  }
  return peers
}

/** One family's socket, which hears and speaks on all interfaces of this machine. */
class Voice {
  readonly #family: Family
  readonly #heard: Hearing
  readonly #failed: () => void
  #socket: Socket | undefined
  /** Interfaces on which it hears. */
  readonly #joined = new Set<string>()
  /** An interface is chosen for the socket as a whole: one message after the other. */
  #saying: Promise<void> = Promise.resolve()
  #closed = false

  constructor(family: Family, heard: Hearing, failed: () => void) {
    this.#family = family
    this.#heard = heard
    this.#failed = failed
  }

  say(message: Uint8Array, hosts: readonly string[]): void {
    this.#saying = this.#saying.then(() => this.#sayAll(message, hosts)).catch(() => this.#failed())
  }

  close(): void {
    this.#closed = true
    this.#socket?.close()
    this.#socket = undefined
  }

  async #sayAll(message: Uint8Array, hosts: readonly string[]): Promise<void> {
    const ways = waysOf(hosts, this.#family)
    // One that comes back may be another interface by the same name; and of one that has gone the socket
    // keeps the membership, of which it may have few.
    if ([...this.#joined].some((way) => !ways.includes(way))) {
      this.#joined.clear()
      this.#socket?.close()
      this.#socket = undefined
    }
    for (const way of ways) {
      if (this.#closed) return
      this.#socket ??= await this.#open()
      const socket = this.#socket
      try {
        this.#join(socket, way)
        socket.setMulticastInterface(way)
        await new Promise<void>((done, fail) =>
          socket.send(message, PORT, GROUP[this.#family], (error) => (error === null ? done() : fail(error))),
        )
      } catch {
        // It may just have gone, and is looked for again with the next message.
        this.#failed()
      }
    }
  }

  #join(socket: Socket, way: string): void {
    if (this.#joined.has(way)) return
    try {
      socket.addMembership(GROUP[this.#family], way)
    } catch (error) {
      // It has been the same interface all the time.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
    this.#joined.add(way)
  }

  async #open(): Promise<Socket> {
    const type = this.#family === 4 ? 'udp4' : 'udp6'
    // Others on this machine have the port too.
    const socket = createSocket({ type, reuseAddr: true, ipv6Only: this.#family === 6 })
    await new Promise<void>((done, fail) => {
      socket.once('error', (error) => {
        socket.close()
        fail(error)
      })
      socket.bind(PORT, done)
    })
    socket.removeAllListeners('error').on('error', () => this.#failed())
    socket.on('message', this.#heard)
    socket.setMulticastTTL(HOPS)
    // A node may be another one's neighbour on the same machine.
    socket.setMulticastLoopback(true)
    socket.unref()
    if (this.#closed) socket.close()
    return socket
  }
}

/** By interface, those of the addresses that it has; none of loopback. */
function byInterface(hosts: readonly string[]): [name: string, own: NetworkInterfaceInfo[]][] {
  const wanted = new Set(hosts)
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => [
    name,
    addresses.filter(({ address, internal }) => !internal && wanted.has(address)),
  ])
}

/** Whether it is in a network of an interface that has one of these addresses. */
function isNear(sender: string, hosts: readonly string[]): boolean {
  const [address = '', zone] = sender.split('%')
  const near = new BlockList()
  for (const [name, own] of byInterface(hosts)) {
    if (zone === name && own.length > 0) return true
    for (const { address: host, cidr, family } of own)
      near.addSubnet(host, Number(cidr?.split('/')[1]), family === 'IPv4' ? 'ipv4' : 'ipv6')
  }
  return zone === undefined && near.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** What names the interfaces that have one of these addresses: IPv4 its address, IPv6 its index. */
function waysOf(hosts: readonly string[], family: Family): string[] {
  return byInterface(hosts).flatMap(([name, own]) => {
    const first = own.find(({ address }) => isIPv4(address) === (family === 4))
    return first === undefined ? [] : [family === 4 ? first.address : `::%${name}`]
  })
}
