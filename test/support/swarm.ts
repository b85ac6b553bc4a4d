/**
 * Scenarios drawn from a seed: sizes, distances, loss, churn of every kind, faults, policies, traffic.
 * What comes out is an ordinary scenario, so a failing one is written to a file and repeated by hand.
 */
import { Streams } from '../../sim/random.ts'
import { type Scenario, scenarioSchema } from '../../sim/scenario.ts'

type Draft = Record<string, unknown>
type Random = ReturnType<Streams['stream']>

/** The scenario of a seed. Small on purpose: many seeds find more than one large run. */
export function swarmScenario(seed: number): Scenario {
  const random = new Streams(`swarm/${seed}`).stream('shape')
  const count = 8 + random.below(40)
  const faults = drawFaults(random)
  const end = faults.reduce((latest, fault) => Math.max(latest, fault.end), 20)
  return scenarioSchema.parse({
    version: 1,
    name: `swarm-${seed}`,
    question: 'Does everything hold under what this seed drew?',
    seconds: end + 35,
    warmupSeconds: 15,
    healSeconds: 30,
    nodes: {
      count,
      contacts: 1 + random.below(3),
      joinSeconds: random.below(10),
      leafShare: random.chance(0.3) ? 0.3 : 0,
      reach: random.chance(0.3) ? { public: 0.5, punchable: 0.3, private: 0.2 } : undefined,
      restrictedShare: random.chance(0.2) ? 0.2 : 0,
    },
    latency: drawLatency(random),
    conditions: drawConditions(random),
    vlans: [
      {
        count: 1 + random.below(3),
        members: 2 + random.below(Math.min(8, count - 2)),
        privacy: random.chance(0.5) ? 'spec' : 'private',
      },
    ],
    traffic: [
      { kind: 'unicast', perMemberPerSecond: 0.5 },
      { kind: 'request', perMemberPerSecond: 0.2 },
      { kind: 'broadcast', perMemberPerSecond: 0.2 },
      { kind: 'multicast', perMemberPerSecond: 0.2 },
    ],
    faults: faults.map(({ fault }) => fault),
  })
}

function drawLatency(random: Random): Draft {
  const kinds: Draft[] = [
    { kind: 'constant', oneWayMillis: 1 + random.below(100) },
    { kind: 'regions', preset: 'libp2p-8' },
    { kind: 'distribution', roundTripMillis: { kind: 'weibull', shape: 1.45, scale: 159 } },
    {
      kind: 'coordinates',
      spanMillis: 50 + random.below(250),
      accessMillis: { kind: 'exponential', mean: 5 },
    },
  ]
  return kinds[random.below(kinds.length)] as Draft
}

function drawConditions(random: Random): Draft {
  const loss: Draft[] = [
    { kind: 'none' },
    { kind: 'bernoulli', probability: 0.002 + 0.02 * random.unit() },
    { kind: 'gilbert-elliott', goodMillis: 10_000, badMillis: 300, goodLoss: 0.001, badLoss: 0.3 },
  ]
  return {
    loss: loss[random.below(loss.length)],
    jitter: { share: 0.3 * random.unit(), correlation: 0.9 * random.unit() },
    reorder: random.chance(0.4) ? 0.02 : 0,
    duplicate: random.chance(0.4) ? 0.02 : 0,
    corrupt: random.chance(0.4) ? 0.01 : 0,
    data: random.chance(0.25) ? 'stream' : 'datagram',
    reportsLoss: random.chance(0.7),
  }
}

interface Drawn {
  readonly fault: Draft
  /** Seconds. */
  readonly end: number
}

function drawFaults(random: Random): Drawn[] {
  const faults: Drawn[] = []
  let at = 20
  for (let left = random.below(4); left > 0; left--) {
    const drawn = drawFault(random, at)
    faults.push(drawn)
    at = drawn.end + random.below(5)
  }
  return faults
}

function drawFault(random: Random, atSeconds: number): Drawn {
  const forSeconds = 3 + random.below(12)
  const who = { share: 0.1 + 0.6 * random.unit() }
  const faults: Draft[] = [
    { kind: 'crash', who, restartAfterSeconds: forSeconds, newIdentity: random.chance(0.3) },
    { kind: 'leave', who, restartAfterSeconds: forSeconds },
    { kind: 'crash', who: { role: 'root' }, restartAfterSeconds: forSeconds },
    { kind: 'partition', who, healAfterSeconds: forSeconds, oneWay: random.chance(0.3) },
    { kind: 'slow', who, factor: 20, forSeconds },
    { kind: 'clog', who, forSeconds },
    { kind: 'clock', who, skewSeconds: 86_400, driftPpm: 200 },
    { kind: 'storm', perSecond: 1 + random.below(20), forSeconds },
    { kind: 'misbehave', who: { count: 1 + random.below(2) }, how: 'replay', forSeconds },
  ]
  const fault = faults[random.below(faults.length)] as Draft
  return { fault: { ...fault, atSeconds }, end: atSeconds + (fault['kind'] === 'clock' ? 0 : forSeconds) }
}
