/**
 * Devices that are no interfaces, for tests: what the host would send is injected, what it would receive is
 * taken. They keep to the same rules as a TAP (test/contract/device.ts), bounds included.
 */
import { UsageError } from '../../core/errors.ts'
import type { Mac } from '../../core/ids.ts'
import type { Doorbell } from '../linux/doorbell.ts'
import { DEVICE, type Device, type DeviceSettings } from './device.ts'
import { checkMac, checkRoom, FRAME_BYTES_MIN, frameBytesMax, planDevice } from './settings.ts'

/** Frames that wait in either direction. As many as a TAP of Linux keeps for its reader. */
const ROOM_FRAMES = 500

/** A host with no interfaces but these, whose names it keeps apart. */
export class MemoryHost {
  readonly #names = new Set<string>()
  readonly #makeBell: (() => Doorbell) | undefined

  /** With bells, devices can be waited for like files; without, their fd is −1. */
  constructor(makeBell?: () => Doorbell) {
    this.#makeBell = makeBell
  }

  /** `OpenDevice` with more to it. */
  open(settings: DeviceSettings): MemoryDevice {
    const { name, mac, mtu } = planDevice(settings)
    let number = 0
    while (name.includes('%d') && this.#names.has(name.replace('%d', String(number)))) number += 1
    const called = name.replace('%d', String(number))
    if (this.#names.has(called)) {
      throw new UsageError(`there is an interface named '${called}' already; choose another name`)
    }
    this.#names.add(called)
    return new MemoryDevice(called, mac, mtu, this.#makeBell?.(), () => this.#names.delete(called))
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }
}

export class MemoryDevice implements Device {
  readonly name: string
  readonly fd: number
  readonly holds = false
  readonly lost = 0
  readonly #frameMax: number
  readonly #bell: Doorbell | undefined
  readonly #forget: () => void
  /** From the host, to be read. */
  readonly #injected: Uint8Array[] = []
  /** Written, for the host. */
  #written: Uint8Array[] = []
  #mac: Mac
  #state: 'up' | 'down' | 'gone' = 'up'

  constructor(name: string, mac: Mac, mtu: number, bell: Doorbell | undefined, forget: () => void) {
    this.name = name
    this.fd = bell?.fd ?? -1
    this.#frameMax = frameBytesMax(mtu)
    this.#bell = bell
    this.#forget = forget
    this.#mac = mac
  }

  get mac(): Mac {
    return this.#mac
  }

  read(into: Uint8Array): number {
    checkRoom(into, this.#frameMax)
    if (this.#state === 'gone') return DEVICE.gone
    const frame = this.#injected.shift()
    if (this.#injected.length === 0) this.#bell?.clear()
    if (frame === undefined) return DEVICE.nothing
    into.set(frame)
    return frame.length
  }

  write(frame: Uint8Array): number {
    if (this.#state === 'gone') return DEVICE.gone
    if (this.#state === 'down' || !this.#fits(frame) || this.#written.length === ROOM_FRAMES) {
      return DEVICE.nothing
    }
    this.#written.push(frame.slice())
    return frame.length
  }

  flush(): number {
    return this.#state === 'gone' ? DEVICE.gone : 0
  }

  /** It has none. */
  setOffload(): boolean {
    return true
  }

  setMac(mac: Mac): void {
    checkMac(mac)
    if (this.#state !== 'gone') this.#mac = mac
  }

  close(): void {
    this.vanish()
    this.#bell?.close()
  }

  /** The host sends a frame. False if it is lost: there is no room, it is no frame, or not up. */
  inject(frame: Uint8Array): boolean {
    if (this.#state !== 'up' || !this.#fits(frame) || this.#injected.length === ROOM_FRAMES) return false
    this.#injected.push(frame.slice())
    this.#bell?.ring()
    return true
  }

  /** What was written since the last time, in its order. */
  taken(): readonly Uint8Array[] {
    const frames = this.#written
    this.#written = []
    return frames
  }

  /** Someone sets the interface up or down. */
  setUp(up: boolean): void {
    if (this.#state !== 'gone') this.#state = up ? 'up' : 'down'
  }

  /** Someone deletes the interface: readable for ever, as a file without its interface is. */
  vanish(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#injected.length = 0
    this.#bell?.ring()
    this.#forget()
  }

  #fits(frame: Uint8Array): boolean {
    return frame.length >= FRAME_BYTES_MIN && frame.length <= this.#frameMax
  }
}
