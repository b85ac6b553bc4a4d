/**
 * What a device may be asked for, whatever it is made of: the rules of Linux for interfaces, checked before
 * anything is made. Knows nothing of how a device comes to be.
 */
import { assert, UsageError } from '../../core/errors.ts'
import { isGroupMac, type Mac, macText } from '../../core/ids.ts'
import type { InterfaceAddress } from '../linux/netlink.ts'
import { formatIpv6, IPV6_BYTES, parseCidr } from './addresses.ts'
import type { DeviceOffload, DeviceSettings } from './device.ts'

/** IFNAMSIZ of linux/if.h less the zero at the end. */
export const NAME_BYTES_MAX = 15
/** Destination, source and type: no frame is shorter. */
export const FRAME_BYTES_MIN = 14
/** The header and one 802.1Q tag, which an MTU does not count. */
const OVERHEAD_BYTES = FRAME_BYTES_MIN + 4

/** ETH_MIN_MTU of linux/if_ether.h. */
const MTU_MIN = 68
/** The largest of Linux's TAP: 65,535 less the header. */
const MTU_MAX = 65_521
/** RFC 8200, section 5; Linux takes IPv6 away from an interface with less. */
export const IPV6_MTU_MIN = 1_280
const MAC_MAX = 0xffff_ffff_ffff

/** What the settings say, understood. */
export interface DevicePlan {
  readonly name: string
  readonly mac: Mac
  readonly mtu: number
  readonly addresses: readonly InterfaceAddress[]
  readonly offload: DeviceOffload
}

const ALL_OFFLOADS: DeviceOffload = { segmentation: true, coalescing: true, udp: true }

/** A UsageError names the first setting that cannot be had. */
export function planDevice(settings: DeviceSettings): DevicePlan {
  const { name, mac, mtu, addresses, offload = ALL_OFFLOADS } = settings
  checkName(name)
  checkMac(mac)
  if (!Number.isInteger(mtu) || mtu < MTU_MIN || mtu > MTU_MAX) {
    throw new UsageError(`the MTU ${mtu}; it must be a whole number from ${MTU_MIN} to ${MTU_MAX}`)
  }
  const plans = addresses.map(parseCidr)
  const seen = new Map<string, string>()
  for (const [at, { bytes }] of plans.entries()) {
    const text = addresses[at] as string
    const earlier = seen.get(bytes.join())
    if (earlier !== undefined) {
      throw new UsageError(`'${text}' is the same address as '${earlier}'; leave one of them out`)
    }
    seen.set(bytes.join(), text)
    if (bytes.length === IPV6_BYTES && mtu < IPV6_MTU_MIN) {
      throw new UsageError(
        `${formatIpv6(bytes)} with an MTU of ${mtu}; IPv6 needs ${IPV6_MTU_MIN}: raise the MTU to that`,
      )
    }
  }
  return { name, mac, mtu, addresses: plans, offload }
}

/** The address of one station; a UsageError for a group's, for none and for what is no number of 48 bits. */
export function checkMac(mac: Mac): void {
  const isNumber = Number.isSafeInteger(mac) && mac > 0 && mac <= MAC_MAX
  if (!isNumber) throw new UsageError(`the MAC ${mac}; it must be a whole number from 1 to 2^48 − 1`)
  if (isGroupMac(mac)) {
    throw new UsageError(`the MAC ${macText(mac)} is that of a group; its first byte must be even`)
  }
}

/** The longest frame of an interface, in bytes: its payload, the header and one 802.1Q tag. */
export function frameBytesMax(mtu: number): number {
  return mtu + OVERHEAD_BYTES
}

/**
 * How large the array must be at least that a frame is read into: one byte more than a frame, so that one
 * that was cut, since someone raised the MTU of the interface, can be told from one that fits.
 */
export function readBytesMin(mtu: number): number {
  return frameBytesMax(mtu) + 1
}

// HOT PATH
/** Asserts that a frame and one byte more fit. */
export function checkRoom(into: Uint8Array, frameMax: number): void {
  if (into.length > frameMax) return
  assert(false, `a frame is read into ${into.length} bytes; it needs ${frameMax + 1}`)
}

/** dev_valid_name() of Linux, and one `%d` at most. */
function checkName(name: string): void {
  const length = Buffer.byteLength(name)
  if (length < 1 || length > NAME_BYTES_MAX) {
    throw new UsageError(
      `the interface name '${name}' has ${length} bytes; it must have 1 to ${NAME_BYTES_MAX}`,
    )
  }
  // The kernel allows more, but programs that read names by lines and words do not.
  if (!/^[!-~]+$/.test(name) || /[/:]/.test(name) || name === '.' || name === '..') {
    throw new UsageError(
      `the interface name '${name}'; it must be of visible ASCII without blanks, / and :, as in peertap%d`,
    )
  }
  if (!/^[^%]*(%d[^%]*)?$/.test(name)) {
    throw new UsageError(
      `the interface name '${name}'; % must be followed by d, and there may be one of them`,
    )
  }
}
