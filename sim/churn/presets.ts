/**
 * Populations by name, each with its source. Hours unless said otherwise.
 *
 * Fits of the Failure Trace Archive (Javadi, Kondo, Iosup, Epema, "The Failure Trace Archive", Journal of
 * Parallel and Distributed Computing, 2013) are over all sessions of all nodes together. How nodes
 * differ, how they are born and die, and their day were measured here for Skype alone; the other
 * populations borrow how nodes differ from it, which is a guess, and have neither deaths nor days.
 */
import type { Distribution } from '../distributions.ts'
import type { ChurnModel } from './fitted.ts'

export interface ChurnPreset {
  /** What was measured, by whom, and what was added here. */
  readonly source: string
  readonly model: ChurnModel
}

const weibull = (shape: number, scale: number): Distribution => ({ kind: 'weibull', shape, scale })
const MINUTES = 1 / 60

/**
 * Chosen together so that a population of 2,081 nodes over 688 hours has the figures of the Skype trace:
 * share of time on mean 0.33, median 0.23, 95th percentile 0.97; 14 sessions a node; correlation of
 * successive lengths 0.45 and 0.30; swing of the number online 11 %.
 */
const SKYPE: ChurnModel = {
  // Log-normal rather than Weibull: the trace has 14 % of stays below an hour, Weibull's fit 20 %.
  on: { hours: { kind: 'lognormal', mu: 1.6, sigma: 1.57 }, nodeShare: 0.43, correlation: 0.47 },
  off: { hours: { kind: 'lognormal', mu: 1.4, sigma: 1.73 }, nodeShare: 0.28, correlation: 0.31 },
  balance: -0.5,
  alwaysShare: 0,
  onceShare: 0.18,
  onceHours: { kind: 'lognormal', mu: -0.75, sigma: 1 },
  bornShare: 0.05,
  spanHours: 688.4,
  lifetimeHours: 2_400,
  daily: { depth: 0.46, peakHour: 10 },
}

/** Pooled fits, with the differences between nodes as in Skype. Guess. */
function pooled(on: Distribution, off: Distribution): ChurnModel {
  return {
    on: { ...SKYPE.on, hours: on },
    off: { ...SKYPE.off, hours: off },
    balance: SKYPE.balance,
    alwaysShare: 0,
    onceShare: 0,
    onceHours: on,
    bornShare: 0,
    spanHours: 0,
    lifetimeHours: undefined,
    daily: undefined,
  }
}

/** Half of the stays end within 2 hours, four fifths within 8: the Weibull distribution through both. */
const IPFS_STAY = weibull(0.6077, 3.656)

export const CHURN_PRESETS = {
  'skype-2005': {
    source:
      'Skype super-peers, Guha, Daswani, Jain, IPTPS 2006; log-normal fits of the Failure Trace Archive ' +
      '(skype06), the rest measured on the trace itself',
    model: SKYPE,
  },
  'overnet-2003': {
    source:
      'Overnet, Bhagwan, Savage, Voelker, IPTPS 2003; Weibull fits of the Failure Trace Archive; ' +
      'differences between nodes as in Skype (guess)',
    model: pooled(weibull(0.85, 2.04), weibull(0.44, 2.98)),
  },
  'planetlab-2005': {
    source:
      'PlanetLab all-pairs pings; Weibull fits of the Failure Trace Archive; differences between nodes ' +
      'as in Skype (guess)',
    model: pooled(weibull(0.33, 19.35), weibull(0.36, 5.59)),
  },
  'microsoft-1999': {
    source:
      'Desktop machines of a company, Bolosky and others, SIGMETRICS 2000; Weibull fits of the Failure ' +
      'Trace Archive; differences between nodes as in Skype (guess), no day',
    model: pooled(weibull(0.55, 35.3), weibull(0.6, 9.34)),
  },
  'web-2002': {
    source:
      'Web servers, Bakkaloglu and others, 2002; Weibull fits of the Failure Trace Archive; differences ' +
      'between nodes as in Skype (guess)',
    model: pooled(weibull(0.46, 3.68), weibull(0.65, 0.61)),
  },
  'kad-2007': {
    source:
      'KAD, Steiner, En-Najjary, Biersack, IMC 2007; Weibull parameters in minutes as coded in ' +
      'PeerfactSim.KOM; differences between nodes as in Skype (guess)',
    model: pooled(weibull(0.615, 169.5 * MINUTES), weibull(0.476, 413.7 * MINUTES)),
  },
  'ipfs-like': {
    source:
      'IPFS DHT servers, ProbeLab, network measurement RFM 2, 2022: half leave within 2 hours, 80 % within ' +
      '8; of the peers ever reached in a week 46 % came and went, 36 % were seen once, 18 % always on. ' +
      'Absences as long as stays, and differences between nodes as in Skype (guesses)',
    model: {
      ...pooled(IPFS_STAY, IPFS_STAY),
      alwaysShare: 0.18,
      onceShare: 0.36,
      onceHours: IPFS_STAY,
      spanHours: 168,
    },
  },
} as const satisfies Record<string, ChurnPreset>

export type ChurnPresetName = keyof typeof CHURN_PRESETS
