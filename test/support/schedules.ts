/**
 * Random histories of a VLAN with an MLS group, as ordinary scenarios: members come in one by one while
 * others leave, are put out, crash, come back with or without their disks, and the network parts and heals.
 */
import fc from 'fast-check'
import { type Scenario, scenarioSchema } from '../../sim/scenario.ts'

/** What happens so many seconds after what happened before. */
export interface Act {
  readonly kind: 'crash' | 'wipe' | 'say-goodbye' | 'partition' | 'evict' | 'resign'
  readonly afterSeconds: number
  /** How long a machine is down or the network in parts. */
  readonly forSeconds: number
  /** A bit for each node: who is hit. */
  readonly mask: number
}

export interface Schedule {
  readonly seed: number
  readonly members: number
  readonly privacy: 'spec' | 'private'
  readonly enterSeconds: number
  readonly loss: number
  readonly acts: readonly Act[]
}

const CONTACTS = 2
/** Nodes that are no members, contacts among them. */
const OTHERS = 3
const ENTER_FROM_SECONDS = 5
const FIRST_ACT_SECONDS = 12
/** For a merge, a few retries, and members that meet a wall of refusals first: far from the 30 s aimed at. */
const HEAL_SECONDS = 150

const act: fc.Arbitrary<Act> = fc.record({
  kind: fc.constantFrom('crash', 'wipe', 'say-goodbye', 'partition', 'partition', 'evict', 'evict', 'resign'),
  afterSeconds: fc.integer({ min: 1, max: 20 }),
  forSeconds: fc.integer({ min: 1, max: 45 }),
  mask: fc.integer({ min: 1, max: 0x1fff }),
})

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  members: fc.integer({ min: 4, max: 10 }),
  privacy: fc.constantFrom('spec' as const, 'private' as const),
  enterSeconds: fc.integer({ min: 2, max: 60 }),
  loss: fc.constantFrom(0, 0.01),
  acts: fc.array(act, { minLength: 1, maxLength: 9 }),
})

export function scenarioOf({ members, privacy, enterSeconds, loss, acts }: Schedule): Scenario {
  const count = members + OTHERS
  let at = FIRST_ACT_SECONDS
  let end = ENTER_FROM_SECONDS + enterSeconds
  // Two stay, so that somebody can talk to somebody.
  let removals = members - 2
  const faults = acts.flatMap((one) => {
    at += one.afterSeconds
    const isRemoval = one.kind === 'evict' || one.kind === 'resign'
    if (isRemoval && removals-- <= 0) return []
    end = Math.max(end, at + (isRemoval ? 0 : one.forSeconds))
    return [faultOf(one, at, count)]
  })
  return scenarioSchema.parse({
    version: 1,
    name: 'schedule',
    question: 'Does a group hold what it promises, whatever happens?',
    seconds: end + HEAL_SECONDS + 1,
    warmupSeconds: 5,
    healSeconds: HEAL_SECONDS,
    nodes: { count, contacts: CONTACTS },
    conditions: loss === 0 ? {} : { loss: { kind: 'bernoulli', probability: loss } },
    vlans: [{ count: 1, members, group: 'mls', privacy, enterFromSeconds: ENTER_FROM_SECONDS, enterSeconds }],
    traffic: [
      { kind: 'unicast', perMemberPerSecond: 0.5, untilSeconds: end + 30 },
      { kind: 'broadcast', perMemberPerSecond: 0.5, untilSeconds: end + 30 },
    ],
    faults,
  })
}

function faultOf({ kind, forSeconds, mask }: Act, atSeconds: number, count: number): object {
  const hit = Array.from({ length: count - CONTACTS }, (_, index) => CONTACTS + index).filter(
    (_, index) => ((mask >> index) & 1) === 1,
  )
  // One machine at a time, but for the parts of a network.
  const one = { nodes: [CONTACTS + (mask % (count - CONTACTS))] }
  switch (kind) {
    case 'evict':
      return { kind: 'revoke', atSeconds }
    case 'resign':
      return { kind: 'resign', atSeconds }
    case 'partition':
      return {
        kind: 'partition',
        atSeconds,
        who: hit.length > 0 ? { nodes: hit } : one,
        healAfterSeconds: forSeconds,
      }
    case 'say-goodbye':
      return { kind: 'leave', atSeconds, who: one, restartAfterSeconds: forSeconds }
    default:
      return {
        kind: 'crash',
        atSeconds,
        who: one,
        restartAfterSeconds: forSeconds,
        newIdentity: kind === 'wipe',
      }
  }
}
