/**
 * What the jobs of the real engine cost, in microseconds of one core: fitted to ts-mls 1.6.4 as
 * core/mls/tsmls.ts runs it (plain-JavaScript Ed25519 and key schedule), at 2, 8, 32, 128 and 512 members
 * on the reference machine (2 shared cores, AMD EPYC, Node 26). Measured, in milliseconds of processor time:
 *
 * | members | empty commit, fresh | process it | Add of one | process it | join | encode | restore |
 * | ------: | ------------------: | ---------: | ---------: | ---------: | ---: | -----: | ------: |
 * |       2 |                 4.7 |        6.5 |        8.8 |        8.2 |   11 |    0.5 |     0.2 |
 * |       8 |                 7.7 |        8.9 |       16.5 |        9.5 |   24 |    0.3 |     1.4 |
 * |      32 |                  18 |        8.6 |         15 |        8.0 |   73 |    0.7 |     1.5 |
 * |     128 |                  93 |         30 |         38 |         22 |  240 |    6.4 |     2.6 |
 * |     512 |                 287 |         76 |        105 |         68 |  860 |     30 |      11 |
 *
 * With the key schedule in WebCrypto it was about 2 ms for each member and commit. A faster provider of
 * Ed25519 would take most of what joining and adding cost: two verifications for each leaf.
 */
import { type MlsJob, SUITE, type Suite } from '../../core/mls/engine.ts'

export interface CostShape {
  readonly suite: Suite
  /** Of the group; 0 where the job fails at once. */
  readonly members: number
  readonly adds: number
  readonly path: boolean
  /** To how many nodes a path that is made is sealed. */
  readonly ciphertexts: number
}

/** The hybrid suite against X25519: half as much again, and its encapsulations three times. */
const XWING_FACTOR = 1.5
const XWING_SEAL_FACTOR = 2

export function costMicros(kind: MlsJob['kind'], shape: CostShape): number {
  const { suite, members, adds, path, ciphertexts } = shape
  const hybrid = suite === SUITE.xwing
  const seals = 400 * ciphertexts * (hybrid ? XWING_SEAL_FACTOR : 1)
  const rest = (): number => {
    switch (kind) {
      case 'create':
      case 'keyPackage':
        return 3_500
      case 'inspect':
        return 4_500
      case 'commit':
        return 4_000 + (path ? 1_000 : 0) + 110 * members + adds * (5_000 + 5 * members) + seals
      case 'process':
        return 5_000 + (path ? 2_000 : 0) + 130 * members + 4_000 * adds
      case 'join':
        return 8_000 + 1_700 * members
      case 'encode':
        return 200 + 40 * members
      case 'restore':
        return 200 + 20 * members
      case 'export':
        return 100
      case 'drop':
        return 100
    }
  }
  return Math.round(rest() * (hybrid ? XWING_FACTOR : 1))
}
