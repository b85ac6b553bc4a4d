/**
 * The trunk header: three bytes that travel beside a packet on one link and change at each hop
 * (mesh:M9). Carried across the seam as one integer so that forwarding copies nothing.
 *
 *     version 4 bits, kind 4 bits | tree 2 bits, class 6 bits | hop limit 8 bits
 */
import type { Hop } from '../io.ts'

export const TRUNK_VERSION = 1
export const TRUNK_KIND = { control: 0, data: 1 } as const
/** IPv4 20, UDP 8, trunk header and tag 24: what a packet costs beyond its bytes (mesh text (c)). */
export const WIRE_OVERHEAD_BYTES = 52

export const CONTROL_HOP: Hop = trunkHop(TRUNK_KIND.control, 0, 0)

export function trunkHop(kind: number, tree: number, limit: number): Hop {
  return (((TRUNK_VERSION << 4) | kind) << 16) | ((tree & 3) << 14) | (limit & 0xff)
}

export function hopVersion(hop: Hop): number {
  return (hop >> 20) & 0xf
}

export function hopKind(hop: Hop): number {
  return (hop >> 16) & 0xf
}

export function hopTree(hop: Hop): number {
  return (hop >> 14) & 3
}

export function hopLimit(hop: Hop): number {
  return hop & 0xff
}

/** The same header one hop further. The caller has checked that the limit is at least 1. */
export function hopNext(hop: Hop): Hop {
  return hop - 1
}
