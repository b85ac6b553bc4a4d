/**
 * The network preset of libp2p's test plans: eight regions, how many nodes live in each, and how far
 * they are apart. Facts of github.com/libp2p/test-plans, gossipsub-interop/network_graph.py at
 * 00f6cbdf (attestation studies use the same), so that results compare with theirs.
 */
import { REGION_NAMES } from '../scenario/links.ts'

export interface RegionPreset {
  readonly names: readonly string[]
  /** Relative numbers of nodes. */
  readonly weights: readonly number[]
  /** One-way delay in milliseconds, row by row from the sender's region. */
  readonly oneWayMillis: readonly (readonly number[])[]
}

/** South America to South Africa is 195 there, and 190 the other way; kept. */
export const LIBP2P_8: RegionPreset = {
  names: REGION_NAMES,
  weights: [5599, 2894, 1240, 1059, 290, 161, 47, 36],
  oneWayMillis: [
    [2, 70, 110, 125, 165, 60, 95, 140], // europe
    [70, 2, 60, 140, 150, 110, 130, 100], // na_east
    [110, 60, 2, 100, 110, 150, 160, 100], // na_west
    [125, 140, 100, 4, 110, 110, 175, 175], // east_asia
    [165, 150, 110, 110, 2, 180, 220, 190], // australia
    [60, 110, 150, 110, 180, 5, 110, 145], // west_asia
    [95, 130, 160, 175, 220, 110, 7, 190], // south_africa
    [140, 100, 100, 175, 190, 145, 195, 7], // south_america
  ],
}
