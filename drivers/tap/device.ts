/**
 * The seam between a port of a VLAN and the host's own network: an Ethernet interface that frames are read
 * from and written to, one at a time, without waiting. Used in the thread of the node's core alone.
 */

/** `tun`: the host has IP packets alone, and an Ethernet is made around it (emulated.ts). */
export type DeviceKind = 'tap' | 'tun'

export interface DeviceSettings {
  /** `tap` if not given. */
  readonly kind?: DeviceKind
  /** At most 15 bytes; `%d` in it is replaced by the first free number. */
  readonly name: string
  /** 12 hex digits as a number, as the core says it. */
  readonly mac: number
  /** Bytes of an Ethernet payload. */
  readonly mtu: number
  /** In CIDR notation, `10.7.0.1/24` or `fd00::1/64`. */
  readonly addresses: readonly string[]
  /** All of them if not given; what the system does not have is done without. */
  readonly offload?: DeviceOffload
  /** Called once for each offload that the system has and then does not take after all; with why. */
  readonly refused?: (why: string) => void
}

/** What a host may leave to its network card, and get from it: one frame in place of many. */
export interface DeviceOffload {
  /** Segments of TCP that the host sends come from it as one (TSO), and checksums are made here. */
  readonly segmentation: boolean
  /** Segments of TCP that the host gets come to it as one, if they come at one time (GRO). */
  readonly coalescing: boolean
  /** Both for datagrams of UDP too (USO). */
  readonly udp: boolean
}

/** What `read` and `write` say instead of a number of bytes. */
export const DEVICE = { nothing: 0, gone: -1 } as const

export interface Device {
  /** As the system calls it. */
  readonly name: string
  /** To wait for with `ppoll`; −1 for a device that is no file. */
  readonly fd: number
  /** Frames are in the device already, which no wait for `fd` tells. */
  readonly holds: boolean
  /** Frames of the host that nobody can carry: longer than an MTU that somebody raised, or nonsense. */
  readonly lost: number
  /** One frame, from the Ethernet header on: its bytes, `DEVICE.nothing`, or `DEVICE.gone` for good. */
  read(into: Uint8Array): number
  /** Bytes taken, `DEVICE.nothing` if there was no room and the frame is lost, or `DEVICE.gone`. */
  write(frame: Uint8Array): number
  /**
   * To be called after each turn of frames, for `write` may keep them until then. How many of those that it
   * took are lost after all, for want of room, or `DEVICE.gone`.
   */
  flush(): number
  /** The interface goes by another MAC from now on. */
  setMac(mac: number): void
  /** Other offloads from now on, without a frame lost. False if the interface must be made anew for that. */
  setOffload(offload: DeviceOffload): boolean
  /** Removes the interface; twice does no harm. */
  close(): void
}

/** Makes a device; a UsageError says what is the matter and what mends it. */
export type OpenDevice = (settings: DeviceSettings) => Device
