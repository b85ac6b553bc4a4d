/**
 * What a network interface does for many packets at once, turned off, so that each packet passes alone and
 * with its checksums, as on a wire. By ioctl(2), since not every machine has the program `ethtool`.
 * Sources: linux/ethtool.h, linux/sockios.h, netdevice(7).
 */
import { errnoName, openLibc } from '../../drivers/linux/libc.ts'
import type { Namespace } from './namespaces.ts'

const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const SIOCETHTOOL = 0x8946
/** struct ifreq of a 64-bit system: name (16), a pointer, and more for others. */
const REQUEST_BYTES = 40
const POINTER_AT = 16
/** struct ethtool_value: command and data, 4 bytes each. */
const VALUE_BYTES = 8

/** The command that asks whether it is on; the one that sets it is the next. */
const KINDS = {
  'receive checksums': 0x14,
  'transmit checksums': 0x16,
  'segmentation of TCP': 0x1e,
  'segmentation by the kernel': 0x23,
  'joining by the kernel': 0x2b,
} as const

/** Of an interface of the host; throws where one of them stays on. */
export function turnOffloadsOff(host: Namespace, name: string): void {
  const libc = openLibc()
  const fd = host.inside(() => libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0))
  const [request, value] = [libc.pin(REQUEST_BYTES), libc.pin(VALUE_BYTES)]
  const ask = (command: number): number => {
    request.bytes.fill(0)
    request.bytes.set(new TextEncoder().encode(name))
    request.view.setBigUint64(POINTER_AT, value.address, true)
    value.view.setUint32(0, command, true)
    if (libc.ioctl(fd, SIOCETHTOOL, request.address) === 0) return 0
    return libc.errno()
  }
  try {
    for (const [kind, get] of Object.entries(KINDS)) {
      value.view.setUint32(4, 0, true)
      const errno = ask(get + 1)
      if (errno !== 0 && errno !== EOPNOTSUPP) throw new Error(trouble(host, name, kind, errnoName(errno)))
      if (ask(get) === 0 && value.view.getUint32(4, true) !== 0)
        throw new Error(trouble(host, name, kind, 'it stays on'))
    }
  } finally {
    libc.close(fd)
  }
}

function trouble({ name: host }: Namespace, name: string, kind: string, why: string): string {
  return `${kind} of ${name} in ${host} cannot be turned off: ${why}`
}

/** asm-generic/errno.h: what the interface does not have is off. */
const EOPNOTSUPP = 95
