/**
 * The TUN of Linux: an interface of the kernel without Ethernet, whose other end is a file of IP packets. An
 * Ethernet is made around it (emulated.ts). It has no offloads: each packet is read and written by itself.
 * Sources: as for tap.ts.
 */
import { networkInterfaces } from 'node:os'
import { UsageError } from '../../core/errors.ts'
import type { Libc } from '../linux/libc.ts'
import type { InterfaceAddress } from '../linux/netlink.ts'
import { parseCidr } from './addresses.ts'
import { DEVICE, type Device, type DeviceSettings, type OpenDevice } from './device.ts'
import { EmulatedEthernet } from './emulated.ts'
import { isGone } from './frame-file.ts'
import type { PacketFlow } from './packet-flow.ts'
import { planDevice } from './settings.ts'
import { openInterface, tapOpener } from './tap.ts'

/** linux/if_tun.h */
const IFF_TUN = 0x0001

/** `OpenDevice` for Linux: a TAP, or a TUN where one is asked for. Needs CAP_NET_ADMIN. */
export function deviceOpener(libc: Libc): OpenDevice {
  const openTap = tapOpener(libc)
  return (settings) => (settings.kind === 'tun' ? openTun(libc, settings) : openTap(settings))
}

function openTun(libc: Libc, settings: DeviceSettings): Device {
  const plan = planDevice(settings)
  const tun = openInterface(libc, plan, [IFF_TUN], ({ fd, name }) => new Tun(libc, fd, name))
  return new EmulatedEthernet(tun, {
    mac: plan.mac,
    mtu: plan.mtu,
    now: () => performance.now(),
    addresses: () => addressesOf(tun.name),
  })
}

class Tun implements PacketFlow {
  readonly name: string
  readonly fd: number
  readonly #libc: Libc
  #open = true

  constructor(libc: Libc, fd: number, name: string) {
    this.name = name
    this.fd = fd
    this.#libc = libc
  }

  read(into: Uint8Array): number {
    return this.#done(this.#open ? this.#libc.read(this.fd, into, into.length) : undefined)
  }

  write(packet: Uint8Array): number {
    return this.#done(this.#open ? this.#libc.write(this.fd, packet, packet.length) : undefined)
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#libc.close(this.fd)
  }

  #done(length: number | undefined): number {
    if (length === undefined) return DEVICE.gone
    if (length >= 0) return length
    return isGone(this.#libc.errno()) ? DEVICE.gone : DEVICE.nothing
  }
}

/** Whoever gave them to the interface: this program, people, or the kernel. */
function addressesOf(name: string): InterfaceAddress[] {
  return (networkInterfaces()[name] ?? []).flatMap(({ cidr }) => {
    try {
      return cidr === null ? [] : [parseCidr(cidr)]
    } catch (error) {
      if (error instanceof UsageError) return []
      throw error
    }
  })
}
