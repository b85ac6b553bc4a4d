/**
 * An Ethernet around a host that has IP packets alone: it answers for the host's addresses, asks for those of
 * others, and puts a header before each packet, so that a member with a TUN and one with a TAP cannot tell.
 * Groups go by the standard mappings; the kernel says itself which it listens to (IGMP, MLD).
 *
 * It sees where packets go and not by which router: what lies beyond the VLAN goes to whoever packets from
 * there came by, and else to nobody. Frames that are no IP have no place here.
 */
import {
  BROADCAST_MAC,
  hex,
  ipv4GroupMac,
  ipv6GroupMac,
  isGroupMac,
  type Mac,
  writeMac,
} from '../../core/ids.ts'
import { destinationOf, ETHERTYPE, ethertypeOf, snoop, sourceOf } from '../../core/vlan/ethernet.ts'
import type { InterfaceAddress } from '../linux/netlink.ts'
import { isGroupAddress } from './addresses.ts'
import { DEVICE, type Device } from './device.ts'
import {
  announcement,
  answer,
  HEADER_BYTES,
  heardIn,
  IPV4_BYTES,
  IPV6_BYTES,
  listening,
  question,
} from './neighbours.ts'
import type { PacketFlow } from './packet-flow.ts'
import { checkMac, checkRoom, FRAME_BYTES_MIN, frameBytesMax } from './settings.ts'

/** As long as Linux takes a neighbour for reachable. After it, it is asked again, and used meanwhile. */
const FRESH_MILLIS = 30_000
/** RFC 4861, section 10: RETRANS_TIMER. */
const AGAIN_MILLIS = 1_000
/** The host's own addresses change by hand and by router advertisements; so old a look is good enough. */
const LOOK_MILLIS = 1_000
/** Packets that wait for a neighbour, as in Linux; neighbours that are waited for, and that are known. */
const WAITING_PACKETS = 3
const WAITING_MAX = 64
const KNOWN_MAX = 1_024
/** Frames that nobody has read yet. Each answers one that came, and those are read between. */
const FRAMES_MAX = 256
/** Packets in one call that go nowhere. */
const READS_MAX = 64

interface Known {
  readonly mac: Mac
  readonly knownAt: number
  askedAt: number
}

interface Asked {
  askedAt: number
  readonly packets: Uint8Array[]
}

export interface Surroundings {
  readonly mac: Mac
  readonly mtu: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Those that the host has on the interface now. */
  readonly addresses: () => readonly InterfaceAddress[]
}

export class EmulatedEthernet implements Device {
  readonly name: string
  readonly fd: number
  readonly lost = 0
  readonly #flow: PacketFlow
  readonly #world: Surroundings
  readonly #frameMax: number
  /** Both by address in hex, the newest behind the others. */
  readonly #known = new Map<string, Known>()
  readonly #asked = new Map<string, Asked>()
  /** For the VLAN, and not from the host. */
  readonly #frames: Uint8Array[] = []
  #own: ReadonlyMap<string, Uint8Array> = new Map()
  #broadcasts: ReadonlySet<string> = new Set()
  /** The host's addresses, with the part of them that all of the link share. */
  #links: readonly InterfaceAddress[] = []
  #lookedAt = Number.NEGATIVE_INFINITY
  #mac: Mac
  #into: Uint8Array | undefined
  /** The part of it behind a header. */
  #room: Uint8Array = new Uint8Array(0)

  constructor(flow: PacketFlow, world: Surroundings) {
    this.name = flow.name
    this.fd = flow.fd
    this.#flow = flow
    this.#world = world
    this.#frameMax = frameBytesMax(world.mtu)
    this.#mac = world.mac
    this.#announce()
  }

  get holds(): boolean {
    return this.#frames.length > 0
  }

  read(into: Uint8Array): number {
    checkRoom(into, this.#frameMax)
    if (into !== this.#into) {
      this.#into = into
      this.#room = into.subarray(HEADER_BYTES)
    }
    // Also where nothing comes or goes: others may ask for an address that was given by hand.
    this.#look()
    for (let tries = 0; tries < READS_MAX; tries++) {
      const frame = this.#frames.shift()
      if (frame !== undefined) {
        into.set(frame)
        return frame.length
      }
      const length = this.#flow.read(this.#room)
      if (length <= 0) return length
      const packet = this.#room.subarray(0, length)
      // Larger where someone raised the MTU of the interface: the VLAN does not carry it.
      const isFit = HEADER_BYTES + length <= this.#frameMax && addressesIn(packet) !== undefined
      const mac = isFit ? this.#macFor(packet) : undefined
      if (mac === undefined) continue
      this.#head(into, mac, packet)
      return HEADER_BYTES + length
    }
    return DEVICE.nothing
  }

  write(frame: Uint8Array): number {
    if (frame.length < FRAME_BYTES_MIN || frame.length > this.#frameMax) return DEVICE.nothing
    const to = destinationOf(frame)
    // For another station, as frames to a bridge are: the host would not look at it.
    if ((to !== this.#mac && !isGroupMac(to)) || this.#hear(frame)) return frame.length
    const packet = packetIn(frame)
    if (packet === undefined) return frame.length
    const { source, target } = addressesIn(packet) as Addresses
    // RFC 1122, section 3.3.6: what went to all is for all, or nobody's.
    if (isGroupMac(to) && !isGroupAddress(target) && !this.#broadcasts.has(hex(target.slice())))
      return frame.length
    // The kernel answers for its own groups, and has none of these without Ethernet.
    if (snoop(frame)?.query === true) this.#listen(this.#own)
    // Stations of the link are asked where they are. Of others only the router is known that spoke for them.
    if (!this.#isOnLink(source)) this.#learn(source, sourceOf(frame), false)
    const length = this.#flow.write(packet)
    return length > 0 ? frame.length : length
  }

  /** Each packet is written at once. */
  flush(): number {
    return 0
  }

  /** It has none. */
  setOffload(): boolean {
    return true
  }

  setMac(mac: Mac): void {
    checkMac(mac)
    this.#mac = mac
    this.#announce()
  }

  close(): void {
    this.#flow.close()
  }

  #isOnLink(address: Uint8Array): boolean {
    return this.#links.some((link) => isIn(address, link))
  }

  /** Undefined while nobody has said where it is: then the packet waits. */
  #macFor(packet: Uint8Array): Mac | undefined {
    const { source, target } = addressesIn(packet) as Addresses
    if (isGroupAddress(target))
      return target.length === IPV6_BYTES ? ipv6GroupMac(target) : ipv4GroupMac(target)
    const key = hex(target.slice())
    if (this.#broadcasts.has(key)) return BROADCAST_MAC
    const now = this.#world.now()
    const known = this.#known.get(key)
    if (known === undefined) return this.#wait(key, packet, now)
    if (now - known.knownAt > FRESH_MILLIS && now - known.askedAt > AGAIN_MILLIS) {
      known.askedAt = now
      this.#ask(source, target)
    }
    return known.mac
  }

  #wait(key: string, packet: Uint8Array, now: number): undefined {
    const { source, target } = addressesIn(packet) as Addresses
    const asked = this.#asked.get(key) ?? { askedAt: Number.NEGATIVE_INFINITY, packets: [] }
    if (!this.#asked.has(key)) addTo(this.#asked, key, asked, WAITING_MAX)
    asked.packets.push(packet.slice())
    if (asked.packets.length > WAITING_PACKETS) asked.packets.shift()
    if (now - asked.askedAt < AGAIN_MILLIS) return
    asked.askedAt = now
    this.#ask(source, target)
  }

  /** As the host itself, also for what it passes on for others. */
  #ask(source: Uint8Array, target: Uint8Array): void {
    const own = this.#own.get(hex(source.slice()))
    const address = own ?? [...this.#own.values()].find(({ length }) => length === target.length)
    if (address !== undefined) this.#say(question({ mac: this.#mac, address }, target.slice()))
  }

  /** True for what neighbours ask and answer, which the host is not to see. */
  #hear(frame: Uint8Array): boolean {
    const heard = heardIn(frame)
    if (heard === undefined) return ethertypeOf(frame) === ETHERTYPE.arp
    this.#look()
    const own = this.#own.get(hex(heard.target))
    const { from } = heard
    if (from !== undefined) {
      const key = hex(from.address)
      const concerns = own !== undefined || this.#known.has(key) || this.#asked.has(key)
      if (concerns) this.#learn(from.address, from.mac, true)
    }
    if (heard.kind !== 'question' || own === undefined) return true
    const self = { mac: this.#mac, address: own }
    // Without an address it asks whether this one is free.
    this.#say(from === undefined ? announcement(self) : answer(self, from))
    return true
  }

  /** `isSaid`: by the station itself, where a packet alone may have come from beyond a router. */
  #learn(address: Uint8Array, mac: Mac, isSaid: boolean): void {
    const key = hex(address.slice())
    const known = this.#known.get(key)
    const isUsed = isGroupMac(mac) || mac === this.#mac || this.#own.has(key) || isNobody(address)
    if (isUsed || (!isSaid && known !== undefined && known.mac !== mac)) return
    const now = this.#world.now()
    this.#known.delete(key)
    addTo(this.#known, key, { mac, knownAt: now, askedAt: known?.askedAt ?? now }, KNOWN_MAX)
    const asked = this.#asked.get(key)
    this.#asked.delete(key)
    for (const packet of asked?.packets ?? []) {
      const frame = new Uint8Array(HEADER_BYTES + packet.length)
      frame.set(packet, HEADER_BYTES)
      this.#head(frame, mac, packet)
      this.#say(frame)
    }
  }

  #head(frame: Uint8Array, to: Mac, packet: Uint8Array): void {
    writeMac(frame, 0, to)
    writeMac(frame, 6, this.#mac)
    const type = (packet[0] as number) >> 4 === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6
    frame[12] = type >> 8
    frame[13] = type & 0xff
  }

  #announce(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY
    this.#own = new Map()
    this.#look()
    for (const address of this.#own.values()) this.#say(announcement({ mac: this.#mac, address }))
  }

  /** Has questions for IPv6 addresses sent here: they go to groups. */
  #listen(addresses: ReadonlyMap<string, Uint8Array>): void {
    for (const address of addresses.values())
      if (address.length === IPV6_BYTES) this.#say(listening({ mac: this.#mac, address }))
  }

  #say(frame: Uint8Array): void {
    if (this.#frames.length < FRAMES_MAX) this.#frames.push(frame)
  }

  #look(): void {
    const now = this.#world.now()
    if (now - this.#lookedAt < LOOK_MILLIS) return
    this.#lookedAt = now
    const all = this.#world.addresses()
    const before = this.#own
    this.#links = all
    this.#own = new Map(all.map(({ bytes }) => [hex(bytes), bytes]))
    this.#listen(new Map([...this.#own].filter(([key]) => !before.has(key))))
    const broadcasts = all.filter(({ bytes, prefix }) => bytes.length === IPV4_BYTES && prefix < 31)
    this.#broadcasts = new Set(['ffffffff', ...broadcasts.map(broadcastOf)])
  }
}

/** The oldest goes where there are too many. */
function addTo<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > most && oldest !== undefined) map.delete(oldest)
}

interface Addresses {
  readonly source: Uint8Array
  readonly target: Uint8Array
}

/** Undefined for what is no IP packet. */
function addressesIn(packet: Uint8Array): Addresses | undefined {
  const version = (packet[0] ?? 0) >> 4
  if (version === 4 && packet.length >= 20)
    return { source: packet.subarray(12, 16), target: packet.subarray(16, 20) }
  if (version === 6 && packet.length >= 40)
    return { source: packet.subarray(8, 24), target: packet.subarray(24, 40) }
  return undefined
}

/** The packet in a frame, without what fills a short frame up; undefined for a frame without one. */
function packetIn(frame: Uint8Array): Uint8Array | undefined {
  const type = ethertypeOf(frame)
  const packet = frame.subarray(HEADER_BYTES)
  const version = (packet[0] ?? 0) >> 4
  if (addressesIn(packet) === undefined) return undefined
  if (type !== (version === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6)) return undefined
  const at = version === 4 ? 2 : 4
  const said = ((packet[at] as number) << 8) | (packet[at + 1] as number)
  const length = version === 4 ? said : 40 + said
  return length > packet.length ? undefined : packet.subarray(0, length)
}

function broadcastOf({ bytes, prefix }: InterfaceAddress): string {
  const all = bytes.map((byte, at) => byte | (0xff >> Math.min(8, Math.max(0, prefix - 8 * at))))
  return hex(all)
}

function isIn(address: Uint8Array, { bytes, prefix }: InterfaceAddress): boolean {
  if (address.length !== bytes.length) return false
  return bytes.every((byte, at) => {
    const free = 0xff >> Math.min(8, Math.max(0, prefix - 8 * at))
    return (byte | free) === ((address[at] as number) | free)
  })
}

function isNobody(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0)
}
