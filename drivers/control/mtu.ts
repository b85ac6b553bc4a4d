/** What an interface may carry, beside what its VLAN was founded for. */
import { FRAME_BYTES_MAX } from '../../core/vlan/ethernet.ts'

/** An Ethernet header with one tag (IEEE 802.1Q). */
const HEADER_BYTES = 18
/** Payload of the longest frame that any VLAN carries, in bytes. */
export const MTU_MAX = FRAME_BYTES_MAX - HEADER_BYTES

/**
 * What is wrong with the MTU that a configuration gives an interface, as the rest of a sentence; undefined if
 * nothing is. `carried`: that of the VLAN, undefined where it is not known.
 */
export function tooLarge(mtu: number, label: string, carried: number | undefined): string | undefined {
  if (carried === undefined || mtu <= carried) return undefined
  const rule = 'members whose interfaces have that lose longer frames'
  const mend = `write ${carried} at most, or leave it out`
  return `is ${mtu}, and ${label} was founded with ${carried}: ${rule}; ${mend}`
}
