/**
 * The TAP of Linux: an Ethernet interface of the kernel whose other end is a file. Knows /dev/net/tun and
 * what the kernel says about it; nothing of VLANs, and it waits for nothing.
 *
 * The interface lives as long as the file is open, so that it goes with the process however that ends. It
 * is that of the network namespace in which it was made, also when someone moves it to another.
 *
 * Sources: the kernel's Documentation/networking/tuntap.rst, linux/if_tun.h, drivers/net/tun.c.
 */
import { UsageError } from '../../core/errors.ts'
import { type Mac, macText, writeMac } from '../../core/ids.ts'
import { ERRNO, errnoName, type Libc, type Pinned, refuse } from '../linux/libc.ts'
import { type InterfaceAddress, RouteSocket } from '../linux/netlink.ts'
import { formatIpv6, IPV6_BYTES } from './addresses.ts'
import { DEVICE, type Device, type DeviceOffload, type DeviceSettings, type OpenDevice } from './device.ts'
import { type FrameFile, isGone } from './frame-file.ts'
import { OffloadedFrames } from './offloaded-frames.ts'
import {
  checkMac,
  checkRoom,
  type DevicePlan,
  FRAME_BYTES_MIN,
  frameBytesMax,
  NAME_BYTES_MAX,
  planDevice,
} from './settings.ts'
import { IFF_VNET_HDR } from './virtio.ts'

const TUN_FILE = '/dev/net/tun'
// asm-generic/fcntl.h. Closed on exec: a child that held the file would keep the interface alive.
const O_RDWR_NONBLOCK_CLOEXEC = 0o2 | 0o4000 | 0o2000000

// linux/if_tun.h
const TUNSETIFF = 0x4004_54ca
const IFF_TAP = 0x0002
/** Frames and nothing before them. */
const IFF_NO_PI = 0x1000
/** A name that exists is refused, even if it is a TAP that someone made to stay and that nobody uses. */
const IFF_TUN_EXCL = 0x8000

// linux/sockios.h
const SIOCSIFHWADDR = 0x8924
const SIOCGIFINDEX = 0x8933
/** linux/if_arp.h */
const ARPHRD_ETHER = 1
// linux/socket.h
const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000

/** struct ifreq of a 64-bit system: the name in 16 bytes, then a union whose first bytes are used here. */
const IFREQ_BYTES = 40
const UNION_AT = NAME_BYTES_MAX + 1

/** Of an interface that is there for an instant. */
const PROBE_NAME = 'ptprobe%d'

/** `OpenDevice` for Linux, and for a TAP whatever kind is asked for. Needs CAP_NET_ADMIN. */
export function tapOpener(libc: Libc): OpenDevice {
  return (settings) => openTap(libc, settings)
}

function openTap(libc: Libc, settings: DeviceSettings): Device {
  const plan = planDevice(settings)
  const { segmentation, coalescing } = plan.offload
  const kinds = segmentation || coalescing ? [IFF_TAP | IFF_VNET_HDR, IFF_TAP] : [IFF_TAP]
  return openInterface(libc, plan, kinds, ({ fd, name, kind }, request) => {
    const frameMax = frameBytesMax(plan.mtu)
    const isPlain = (kind & IFF_VNET_HDR) === 0
    const refused = settings.refused ?? (() => undefined)
    const frames = isPlain
      ? new PlainFrames(libc, fd)
      : new OffloadedFrames(libc, fd, frameMax, plan.offload, refused)
    const tap = new Tap(libc, fd, name, frames, frameMax, request)
    tap.setMac(plan.mac)
    return tap
  })
}

/**
 * Why no interface can be had, undefined if one can: makes one that nobody sees up, and takes it away.
 * `makes`: false to look at the device alone, which tells less and leaves no trace in the system.
 */
export function tapTrouble(libc: Libc, makes: boolean): string | undefined {
  const fd = libc.open(TUN_FILE, O_RDWR_NONBLOCK_CLOEXEC)
  try {
    if (fd < 0) refuseToOpen(libc.errno())
    if (makes) attach(libc, fd, libc.pin(IFREQ_BYTES), PROBE_NAME, [IFF_TAP])
    return undefined
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  } finally {
    if (fd >= 0) libc.close(fd)
  }
}

/** The file of an interface, what the system called that, and of which kind it is. */
interface Attached {
  readonly fd: number
  readonly name: string
  readonly kind: number
}

/** An interface, of the first kind that there is, that is up, with all that was planned but a MAC. */
export function openInterface<T extends { readonly name: string }>(
  libc: Libc,
  plan: DevicePlan,
  kinds: readonly number[],
  wrap: (attached: Attached, request: Pinned) => T,
): T {
  const fd = libc.open(TUN_FILE, O_RDWR_NONBLOCK_CLOEXEC)
  if (fd < 0) refuseToOpen(libc.errno())
  const request = libc.pin(IFREQ_BYTES)
  try {
    const wrapped = wrap(attach(libc, fd, request, plan.name, kinds), request)
    configure(libc, wrapped.name, plan, request)
    return wrapped
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/** Makes the interface. A kernel that does not know a kind says EINVAL. */
function attach(libc: Libc, fd: number, request: Pinned, name: string, kinds: readonly number[]): Attached {
  const { bytes, view, address } = request
  let errno = 0
  for (const kind of kinds) {
    bytes.fill(0)
    bytes.set(Buffer.from(name, 'ascii'))
    view.setUint16(UNION_AT, kind | IFF_NO_PI | IFF_TUN_EXCL, true)
    if (libc.ioctl(fd, TUNSETIFF, address) === 0) {
      const called = Buffer.from(bytes.subarray(0, UNION_AT))
      return { fd, name: called.toString('ascii', 0, called.indexOf(0)), kind }
    }
    errno = libc.errno()
    if (errno !== ERRNO.EINVAL) break
  }
  refuseToAttach(errno, name)
}

/** MTU first: IPv6 is there only from a certain size on. Up last: nothing is sent before all is set. */
function configure(libc: Libc, name: string, plan: DevicePlan, request: Pinned): void {
  const index = indexOf(libc, name, request)
  const route = new RouteSocket(libc)
  try {
    refuseSetting(route.setMtu(index, plan.mtu), `the MTU ${plan.mtu}`, name)
    for (const address of plan.addresses) {
      refuseSetting(route.addAddress(index, address), `the address ${textOf(address)}`, name)
    }
    refuseSetting(route.setUp(index), 'its being up', name)
  } finally {
    route.close()
  }
}

/** By a socket: the file of the TAP itself does not tell. */
function indexOf(libc: Libc, name: string, request: Pinned): number {
  const socket = libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0)
  if (socket < 0) refuse('open a socket', libc.errno())
  const { bytes, view, address } = request
  bytes.fill(0)
  bytes.set(Buffer.from(name, 'ascii'))
  const errno = libc.ioctl(socket, SIOCGIFINDEX, address) === 0 ? 0 : libc.errno()
  libc.close(socket)
  refuseSetting(errno, 'its number', name)
  return view.getInt32(UNION_AT, true)
}

/** A frame for each call, with nothing before it. */
class PlainFrames implements FrameFile {
  readonly holds = false
  readonly lost = 0
  readonly #libc: Libc
  readonly #fd: number

  constructor(libc: Libc, fd: number) {
    this.#libc = libc
    this.#fd = fd
  }

  // HOT PATH
  read(into: Uint8Array): number {
    return this.#libc.read(this.#fd, into, into.length)
  }

  // HOT PATH
  write(frame: Uint8Array): number {
    return this.#libc.write(this.#fd, frame, frame.length)
  }

  flush(): number {
    return 0
  }

  /** Has no header before frames that would say of any. */
  set({ segmentation, coalescing }: DeviceOffload): boolean {
    return !segmentation && !coalescing
  }
}

class Tap implements Device {
  readonly name: string
  readonly fd: number
  readonly #libc: Libc
  readonly #frames: FrameFile
  readonly #frameMax: number
  readonly #request: Pinned
  #open = true
  #tooLong = 0

  constructor(libc: Libc, fd: number, name: string, frames: FrameFile, frameMax: number, request: Pinned) {
    this.name = name
    this.fd = fd
    this.#libc = libc
    this.#frames = frames
    this.#frameMax = frameMax
    this.#request = request
  }

  get holds(): boolean {
    return this.#open && this.#frames.holds
  }

  get lost(): number {
    return this.#tooLong + this.#frames.lost
  }

  // HOT PATH
  /** Allocates nothing. 2.3 µs without a frame, of which the kernel takes 2. */
  read(into: Uint8Array): number {
    checkRoom(into, this.#frameMax)
    if (!this.#open) return DEVICE.gone
    const length = this.#frames.read(into)
    if (length < 0) return this.#failed()
    if (length <= this.#frameMax) return length
    // Someone raised the MTU of the interface: the VLAN does not carry it.
    this.#tooLong += 1
    return DEVICE.nothing
  }

  // HOT PATH
  /** Allocates nothing. A frame that no Ethernet has is lost, for it came from a stranger. */
  write(frame: Uint8Array): number {
    if (!this.#open) return DEVICE.gone
    if (frame.length < FRAME_BYTES_MIN || frame.length > this.#frameMax) return DEVICE.nothing
    const length = this.#frames.write(frame)
    return length < 0 ? this.#failed() : length
  }

  // HOT PATH
  flush(): number {
    if (!this.#open) return DEVICE.gone
    const lost = this.#frames.flush()
    return lost < 0 ? DEVICE.gone : lost
  }

  setMac(mac: Mac): void {
    checkMac(mac)
    if (!this.#open) return
    const { bytes, view, address } = this.#request
    bytes.fill(0)
    view.setUint16(UNION_AT, ARPHRD_ETHER, true)
    writeMac(bytes, UNION_AT + 2, mac)
    // On the file and not by name: the interface may have been renamed or moved since.
    if (this.#libc.ioctl(this.fd, SIOCSIFHWADDR, address) === 0) return
    const errno = this.#libc.errno()
    if (!isGone(errno)) refuseSetting(errno, `the MAC ${macText(mac)}`, this.name)
  }

  setOffload(offload: DeviceOffload): boolean {
    return !this.#open || this.#frames.set(offload)
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#libc.close(this.fd)
  }

  /** Down is EIO for a write and no frame for a read: it may be up again. Any other reason costs a frame. */
  #failed(): number {
    return isGone(this.#libc.errno()) ? DEVICE.gone : DEVICE.nothing
  }
}

const MEND_PERMISSION = 'run as root, or give the program CAP_NET_ADMIN (setcap cap_net_admin+ep)'

function refuseToOpen(errno: number): never {
  if (errno === ERRNO.ENOENT || errno === ERRNO.ENODEV || errno === ERRNO.ENXIO) {
    throw new UsageError(
      `${TUN_FILE} is not there (${errnoName(errno)}); load the driver with modprobe tun, ` +
        `or start the container with --device ${TUN_FILE}`,
    )
  }
  if (errno === ERRNO.EPERM || errno === ERRNO.EACCES) {
    throw new UsageError(`${TUN_FILE} may not be opened (${errnoName(errno)}); ${MEND_PERMISSION}`)
  }
  refuse(`open ${TUN_FILE}`, errno)
}

function refuseToAttach(errno: number, name: string): never {
  switch (errno) {
    case ERRNO.EPERM:
    case ERRNO.EACCES:
      throw new UsageError(`no interface may be made (${errnoName(errno)}); ${MEND_PERMISSION}`)
    case ERRNO.EBUSY:
    case ERRNO.EEXIST:
      throw new UsageError(
        `there is an interface named '${name}' already; choose another name, or one with %d as in ` +
          'peertap%d, which takes the first number that is free',
      )
    case ERRNO.ENFILE:
      throw new UsageError(`no number is left for '${name}'; remove interfaces that nobody needs`)
    case ERRNO.EINVAL:
      throw new UsageError(`the kernel does not take the interface name '${name}'; choose another`)
    default:
      refuse(`make the interface '${name}'`, errno)
  }
}

/** Does nothing for zero, which is success. */
function refuseSetting(errno: number, what: string, name: string): void {
  switch (errno) {
    case 0:
      return
    case ERRNO.EEXIST:
      throw new UsageError(`'${name}' has ${what} already; leave it out`)
    case ERRNO.EPERM:
      throw new UsageError(`'${name}' may not be given ${what}; ${MEND_PERMISSION}`)
    case ERRNO.EACCES:
      // Linux says so of IPv6 where it is switched off.
      throw new UsageError(
        `'${name}' may not be given ${what}: IPv6 is switched off here; leave the address out, ` +
          'or switch it on with sysctl net.ipv6.conf.default.disable_ipv6=0',
      )
    default:
      throw new UsageError(
        `'${name}' cannot have ${what} (${errnoName(errno)}); give it another, and see dmesg for more`,
      )
  }
}

function textOf({ bytes, prefix }: InterfaceAddress): string {
  return `${bytes.length === IPV6_BYTES ? formatIpv6(bytes) : bytes.join('.')}/${prefix}`
}
