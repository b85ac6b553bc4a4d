/**
 * The parameters of a node, each with its source or the admission that it is a guess. A world may
 * override any of them; `checkConfig` refuses what cannot work.
 */
import { UsageError } from './errors.ts'
import { MILLISECOND, MINUTE, type Micros, type RelayPolicy, SECOND } from './io.ts'

export interface NodeConfig {
  /** Carries others' traffic. A leaf (false) has no rank and no lowers, and keeps two relays (mesh:M4). */
  readonly relay: boolean
  readonly policy: RelayPolicy
  /** Neighbours a node looks for (mesh:S11; HyParView used 5). */
  readonly activeTarget: number
  /** Links a node accepts: relays up to 64 (mesh text (c)). */
  readonly linkLimit: number
  readonly passiveLimit: number
  readonly activeWalk: number
  readonly passiveWalk: number
  readonly shufflePeriod: Micros
  readonly optimisePeriod: Micros
  readonly helloTreePeriod: Micros
  readonly helloOtherPeriod: Micros
  /** mesh:M18: data sent and nothing heard for this long starts probes. */
  readonly silence: Micros
  readonly probeSpacing: Micros
  readonly probeCount: number
  readonly beatPeriod: Micros
  readonly certificatePeriod: Micros
  readonly certificateLife: Micros
  readonly updatePace: Micros
  /** Longest wait of a detached node for voids to pass (R8). */
  readonly holdFloor: Micros
  readonly holdCeiling: Micros
  readonly detachedRoot: Micros
  /** Copies a second and bits a second of fan-out for a VLAN and ingress link (mesh:S6). */
  readonly stormPackets: number
  readonly stormBits: number
  /** A member's own broadcasts a second (mesh:S6). */
  readonly edgeBroadcasts: number
  readonly rootPriority: number
  /** Data packets a second that fill this node: load 50 (guess; a node that measures itself sets its own). */
  readonly loadPackets: number
}

const DEFAULT_CONFIG: NodeConfig = {
  relay: true,
  policy: { mode: 'open' },
  activeTarget: 6,
  linkLimit: 64,
  passiveLimit: 36,
  activeWalk: 6,
  passiveWalk: 3,
  shufflePeriod: 120 * SECOND,
  optimisePeriod: 120 * SECOND,
  helloTreePeriod: 5 * SECOND,
  helloOtherPeriod: 20 * SECOND,
  silence: 1_500 * MILLISECOND,
  probeSpacing: 250 * MILLISECOND,
  probeCount: 3,
  beatPeriod: 10 * SECOND,
  certificatePeriod: 5 * MINUTE,
  certificateLife: 10 * MINUTE,
  updatePace: 100 * MILLISECOND,
  holdFloor: 400 * MILLISECOND,
  holdCeiling: SECOND,
  detachedRoot: SECOND,
  stormPackets: 2_000,
  stormBits: 25_000_000,
  edgeBroadcasts: 500,
  // The middle of the range, so that an operator can rank a node better or worse.
  rootPriority: 32_768,
  loadPackets: 20_000,
}

const POSITIVE = [
  'activeTarget',
  'linkLimit',
  'passiveLimit',
  'shufflePeriod',
  'optimisePeriod',
  'helloTreePeriod',
  'helloOtherPeriod',
  'silence',
  'probeSpacing',
  'probeCount',
  'beatPeriod',
  'certificatePeriod',
  'certificateLife',
  'updatePace',
  'holdFloor',
  'holdCeiling',
  'detachedRoot',
  'stormPackets',
  'stormBits',
  'edgeBroadcasts',
  'loadPackets',
] as const satisfies readonly (keyof NodeConfig)[]

/** Fills in defaults and refuses values that cannot work, naming value, rule and mend. */
export function nodeConfig(changes: Partial<NodeConfig> = {}): NodeConfig {
  const config = { ...DEFAULT_CONFIG, ...changes }
  for (const name of POSITIVE) {
    const value = config[name]
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new UsageError(`${name} is ${value}; it must be a whole number of at least 1`)
    }
  }
  if (config.activeTarget > config.linkLimit) {
    throw new UsageError(
      `activeTarget ${config.activeTarget} exceeds linkLimit ${config.linkLimit}; ` +
        'raise linkLimit or lower activeTarget',
    )
  }
  if (config.linkLimit > 64)
    throw new UsageError(`linkLimit is ${config.linkLimit}; at most 64 links are kept`)
  if (config.certificatePeriod >= config.certificateLife) {
    throw new UsageError(
      'certificatePeriod must be shorter than certificateLife, or paths expire between renewals',
    )
  }
  return config
}
