/**
 * The Ethernet interfaces of a node: one for each VLAN that it is in. They are opened when a port is up and
 * closed with it; one that cannot be had, or is taken away, is asked for again. Knows devices and what the
 * owner wants of them, and no protocol.
 */
import { UsageError } from '../../core/errors.ts'
import { unhex } from '../../core/ids.ts'
import { type Micros, NEVER, type PortId, SECOND } from '../../core/io.ts'
import { MTU_MAX, tooLarge } from '../control/mtu.ts'
import { short } from '../control/names.ts'
import { ulaOf } from '../tap/addresses.ts'
import { DEVICE, type Device, type DeviceKind, type DeviceOffload, type OpenDevice } from '../tap/device.ts'
import { IPV6_MTU_MIN, NAME_BYTES_MAX } from '../tap/settings.ts'
import type { InterfaceOrder, LogEntry } from './messages.ts'

/** How soon an interface that could not be had is tried again. Guess. */
const RETRY: Micros = 10 * SECOND
/** An Ethernet header with one tag (IEEE 802.1Q) before the largest payload. */
const FRAME_BYTES_MAX = 65_535 + 18

/** What is known of the VLAN at a port when it is up. */
export interface PortFacts {
  readonly port: PortId
  /** VLAN-ID and own member key, in hex. */
  readonly vlan: string
  readonly member: string
  readonly label: string
  readonly mac: number
  readonly mtu: number
}

export interface InterfaceView {
  readonly port: PortId
  readonly vlan: string
  readonly label: string
  readonly name: string | undefined
  readonly mtu: number
  readonly addresses: readonly string[]
  /** Why there is none. */
  readonly trouble: string | undefined
  /** What its owner should know of how it is configured. */
  readonly advice: string | undefined
  readonly framesIn: number
  readonly framesOut: number
  /** For which the interface had no room, that came while there was none, or that nobody can carry. */
  readonly framesLost: number
}

export type InterfaceLoss = 'dropNoInterface' | 'dropInterfaceFull' | 'dropInterfaceGone'

export interface InterfaceWorld {
  readonly open: OpenDevice
  now(): Micros
  log(entry: LogEntry): void
  /** The file of an interface is to be waited for, or no longer. */
  watch(fd: number): void
  unwatch(fd: number): void
  /** The system's names of all that are up. */
  changed(names: readonly string[]): void
}

export class Interfaces {
  readonly #world: InterfaceWorld
  readonly #held = new Map<PortId, Held>()
  /** In the order of their ports, for the loop that reads. */
  #open: Held[] = []
  #orders: readonly InterfaceOrder[]
  /** The earliest of those that are tried again. */
  #retryAt: Micros = NEVER
  /** By the system, that it had said it has. */
  #offloadsRefused = 0
  readonly #buffer = new Uint8Array(FRAME_BYTES_MAX)
  /** Views of the buffer by length, made once each. */
  readonly #views: (Uint8Array | undefined)[] = []

  constructor(world: InterfaceWorld, orders: readonly InterfaceOrder[]) {
    this.#world = world
    this.#orders = orders
  }

  /**
   * What the owner wants, anew: interfaces that are to be otherwise are opened again. One that is only to
   * have other offloads stays, and with it its bridge and all that others gave it, if it can have them.
   */
  order(orders: readonly InterfaceOrder[]): void {
    this.#orders = orders
    for (const held of this.#held.values()) {
      const wish = this.#wishOf(held.facts)
      if (isSame(wish, held.wish)) continue
      const isKept = isSame({ ...wish, offload: held.wish.offload }, held.wish)
      if (isKept && held.device?.setOffload(wish.offload)) {
        held.wish = wish
        continue
      }
      this.#shut(held)
      held.wish = wish
      this.#try(held)
    }
  }

  portUp(facts: PortFacts): void {
    const known = this.#held.get(facts.port)
    if (known !== undefined) {
      known.facts = facts
      this.#setMac(known)
      return
    }
    const held: Held = { facts, wish: this.#wishOf(facts), ...NOTHING_YET }
    this.#held.set(facts.port, held)
    this.#try(held)
  }

  macChanged(port: PortId, mac: number): void {
    const held = this.#held.get(port)
    if (held === undefined) return
    held.facts = { ...held.facts, mac }
    this.#setMac(held)
  }

  /** One that does not take it is made anew. */
  #setMac(held: Held): void {
    try {
      held.device?.setMac(held.facts.mac)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      this.#shut(held)
      held.trouble = error.message
      this.#retryLater(held)
    }
  }

  macOf(port: PortId): number | undefined {
    return this.#held.get(port)?.facts.mac
  }

  portDown(port: PortId): void {
    const held = this.#held.get(port)
    if (held === undefined) return
    this.#shut(held)
    this.#held.delete(port)
  }

  closeAll(): void {
    for (const port of [...this.#held.keys()]) this.portDown(port)
  }

  nameOf(port: PortId): string | undefined {
    return this.#held.get(port)?.device?.name
  }

  // HOT PATH
  /** Reads at most so many frames of each; true if there may be more. Each is lent until `take` returns. */
  read(limit: number, take: (port: PortId, frame: Uint8Array) => void): boolean {
    let isMore = false
    for (let index = 0; index < this.#open.length; index++) {
      const held = this.#open[index] as Held
      let count = 0
      while (count < limit && held.device !== undefined) {
        const length = held.device.read(this.#buffer)
        if (length <= 0) {
          if (length === DEVICE.gone) this.#lost(held)
          break
        }
        count += 1
        held.framesIn += 1
        const view = this.#views[length] ?? this.#view(length)
        take(held.facts.port, view)
      }
      isMore ||= count === limit
    }
    return isMore
  }

  // HOT PATH
  /** Undefined if the interface has it, else why the frame is lost. */
  write(port: PortId, frame: Uint8Array): InterfaceLoss | undefined {
    const held = this.#held.get(port)
    if (held === undefined) return 'dropNoInterface'
    const written = held.device?.write(frame)
    if (written !== undefined && written > 0) {
      held.framesOut += 1
      return undefined
    }
    held.framesLost += 1
    if (written === undefined) return 'dropNoInterface'
    if (written !== DEVICE.gone) return 'dropInterfaceFull'
    this.#lost(held)
    return 'dropInterfaceGone'
  }

  // HOT PATH
  /** Gives hosts what their interfaces kept of the frames of this turn. */
  flush(): void {
    // One that is gone leaves another list behind it.
    const open = this.#open
    for (let index = 0; index < open.length; index++) {
      const held = open[index] as Held
      if (!flushOne(held)) this.#lost(held)
    }
  }

  /** Frames wait to be read that no wait for files tells of. */
  get holds(): boolean {
    return this.#open.some(({ device }) => device?.holds)
  }

  /** Files to wait for. */
  files(): readonly number[] {
    return this.#open.flatMap(({ device }) => (device !== undefined && device.fd >= 0 ? [device.fd] : []))
  }

  /** When `retry` has something to do. */
  nextRetry(): Micros {
    return this.#retryAt
  }

  retry(): void {
    const now = this.#world.now()
    this.#retryAt = NEVER
    for (const held of this.#held.values()) {
      if (held.retryAt <= now) this.#try(held)
      this.#retryAt = Math.min(this.#retryAt, held.retryAt)
    }
  }

  view(): InterfaceView[] {
    return [...this.#held.values()].map(({ facts, wish, device, trouble, ...counts }) => ({
      port: facts.port,
      vlan: facts.vlan,
      label: facts.label,
      name: device?.name,
      mtu: wish.mtu,
      addresses: wish.addresses,
      trouble,
      advice: wish.advice,
      framesIn: counts.framesIn,
      framesOut: counts.framesOut,
      framesLost: counts.framesLost + (device?.lost ?? 0),
    }))
  }

  counts(): Readonly<Record<string, number>> {
    return { interfaceOffloadsRefused: this.#offloadsRefused }
  }

  /** Names that orders give to VLANs of which none is among these. */
  unmatched(vlans: readonly Pick<PortFacts, 'label' | 'vlan'>[]): string[] {
    return this.#orders.filter((order) => !vlans.some((each) => isFor(order, each))).map(({ vlan }) => vlan)
  }

  #wishOf(facts: PortFacts): Wish {
    const order = this.#orders.find((each) => isFor(each, facts))
    const mtu = order?.mtu ?? Math.min(facts.mtu, MTU_MAX)
    const wrong = tooLarge(mtu, facts.label, facts.mtu)
    const wantsUla = (order === undefined || order.ula) && mtu >= IPV6_MTU_MIN
    const ula = wantsUla ? [ulaOf(unhex(facts.vlan), unhex(facts.member))] : []
    return {
      kind: order?.kind ?? 'tap',
      name: order?.name ?? defaultName(facts),
      mtu,
      addresses: [...(order?.addresses ?? []), ...ula],
      offload: order?.offload ?? ALL_OFFLOADS,
      ...(wrong !== undefined && { advice: `mtu of its interface ${wrong}` }),
    }
  }

  #try(held: Held): void {
    const { facts, wish } = held
    // Before it has addresses: whoever tells others of this machine's must not take these for some of them.
    this.#tell(wish.name)
    try {
      held.device = this.#world.open({ ...wish, mac: facts.mac, refused: (why) => this.#refused(held, why) })
      held.trouble = undefined
      held.retryAt = NEVER
      const details = { name: held.device.name, vlan: facts.label, addresses: wish.addresses, mtu: wish.mtu }
      this.#world.log({
        level: 'info',
        module: 'tap',
        message: `interface ${held.device.name} is up`,
        details,
      })
      if (wish.advice !== undefined)
        this.#world.log({ level: 'warn', module: 'tap', message: `${facts.label}: ${wish.advice}` })
      if (held.device.fd >= 0) this.#world.watch(held.device.fd)
      this.#reorder()
    } catch (error) {
      this.#tell()
      if (!(error instanceof UsageError)) throw error
      // The same trouble once, not every ten seconds.
      if (held.trouble !== error.message)
        this.#world.log({
          level: 'error',
          module: 'tap',
          message: error.message,
          details: { vlan: facts.label },
        })
      held.trouble = error.message
      this.#retryLater(held)
    }
  }

  #refused({ device, facts }: Held, why: string): void {
    this.#offloadsRefused += 1
    const message = `interface ${device?.name}: ${why}`
    this.#world.log({ level: 'warn', module: 'tap', message, details: { vlan: facts.label } })
  }

  #lost(held: Held): void {
    const name = held.device?.name
    const message = `interface ${name} was taken away; it is made again in ${RETRY / SECOND} s`
    this.#world.log({ level: 'warn', module: 'tap', message, details: { vlan: held.facts.label } })
    this.#shut(held)
    held.trouble = message
    this.#retryLater(held)
  }

  #retryLater(held: Held): void {
    held.retryAt = this.#world.now() + RETRY
    this.#retryAt = Math.min(this.#retryAt, held.retryAt)
  }

  #shut(held: Held): void {
    if (held.device !== undefined && held.device.fd >= 0) this.#world.unwatch(held.device.fd)
    flushOne(held)
    held.framesLost += held.device?.lost ?? 0
    held.device?.close()
    held.device = undefined
    this.#reorder()
  }

  #reorder(): void {
    this.#open = [...this.#held.values()].filter(({ device }) => device !== undefined)
    this.#tell()
  }

  /** Of which interfaces there are, and which one is about to be. */
  #tell(...coming: readonly string[]): void {
    this.#world.changed([...this.#open.flatMap(({ device }) => device?.name ?? []), ...coming])
  }

  #view(length: number): Uint8Array {
    const view = this.#buffer.subarray(0, length)
    this.#views[length] = view
    return view
  }
}

interface Wish {
  readonly kind: DeviceKind
  readonly name: string
  readonly mtu: number
  readonly addresses: readonly string[]
  readonly offload: DeviceOffload
  readonly advice?: string
}

interface Held {
  facts: PortFacts
  wish: Wish
  device: Device | undefined
  trouble: string | undefined
  retryAt: Micros
  framesIn: number
  framesOut: number
  framesLost: number
}

const ALL_OFFLOADS: DeviceOffload = { segmentation: true, coalescing: true, udp: true }

const NOTHING_YET = {
  device: undefined,
  trouble: undefined,
  retryAt: NEVER,
  framesIn: 0,
  framesOut: 0,
  framesLost: 0,
}

function isSame(one: Wish, other: Wish): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Gives the host what its device kept. False if the interface is gone. */
function flushOne(held: Held): boolean {
  const lost = held.device?.flush() ?? 0
  if (lost === DEVICE.gone) return false
  held.framesOut -= lost
  held.framesLost += lost
  return true
}

/** Whether a configuration means that VLAN: by its label, or by the first digits of its VLAN-ID. */
export function isFor(
  { vlan }: Pick<InterfaceOrder, 'vlan'>,
  facts: Pick<PortFacts, 'label' | 'vlan'>,
): boolean {
  const isId = /^[0-9a-f]{8,32}$/i.test(vlan) && facts.vlan.startsWith(vlan.toLowerCase())
  return vlan === facts.label || isId
}

/** The same at every start: `pt-` and the label, or the VLAN-ID where a label makes no name. */
function defaultName({ label, vlan }: PortFacts): string {
  const name = `pt-${label}`
  return /^[a-zA-Z0-9_.-]+$/.test(name) && name.length <= NAME_BYTES_MAX ? name : `pt-${short(vlan)}`
}
