/**
 * The part of a scenario that breaks things, and whom it hits.
 */
import { z } from 'zod'
import { atLeastZero, conditionsChange, positive, REGION_NAMES, share } from './links.ts'

const who = z
  .union([
    z
      .strictObject({ nodes: z.array(z.int().min(0)).min(1) })
      .describe('These nodes, counted from 0; the contacts come first.'),
    z.strictObject({ share }).describe('This share of all nodes but the contacts, drawn by the seed.'),
    z
      .strictObject({ count: z.int().min(1) })
      .describe('So many nodes that are not contacts, drawn by the seed.'),
    z
      .strictObject({ role: z.enum(['root', 'relay', 'committer']) })
      .describe(
        'The present root, a relay with lowers but the root, by the seed, or who commits next in VLAN 0.',
      ),
    z
      .strictObject({ members: z.int().min(1) })
      .describe('So many members of VLAN 0, drawn by the seed: not its first, no guests, no twins.'),
    z
      .strictObject({ outsiders: z.int().min(1) })
      .describe('So many nodes that are members nowhere, those that relay most first.'),
    z.strictObject({ region: z.enum(REGION_NAMES) }).describe('All nodes of a region.'),
  ])
  .describe('Whom it hits.')

/** A year: all faults of a run together stay where microseconds are whole numbers. */
const SKEW_MAX_SECONDS = 31_536_000

const atSeconds = atLeastZero.describe('When it begins, in simulated seconds.')
const forSeconds = positive.describe('How long it lasts.')
const restartAfterSeconds = atLeastZero.optional().describe('Down for so long; without it, for good.')

export const fault = z
  .discriminatedUnion('kind', [
    z
      .strictObject({
        kind: z.literal('crash'),
        atSeconds,
        who,
        restartAfterSeconds,
        newIdentity: z.boolean().default(false).describe('They return under a new node key.'),
      })
      .describe('Nodes stop without a word.'),
    z
      .strictObject({
        kind: z.literal('revoke'),
        atSeconds,
        vlan: z
          .int()
          .min(0)
          .default(0)
          .describe('VLANs are numbered from 0 in the order of "vlans"; it must have an MLS group.'),
        count: z.int().min(1).default(1).describe('Members, drawn by the seed; never the first one.'),
        of: z
          .enum(['up', 'away', 'hostile'])
          .default('up')
          .describe('Of those whose machines are up, are down, or misbehave.'),
        hostile: z
          .boolean()
          .default(false)
          .describe('They do not go: they keep all states and release rival commits, some late.'),
      })
      .describe('The authority revokes members of an MLS group through its first member that is up.'),
    z
      .strictObject({
        kind: z.literal('resign'),
        atSeconds,
        vlan: z.int().min(0).default(0),
        count: z.int().min(1).default(1).describe('Members, drawn by the seed; never the first one.'),
      })
      .describe('Members of an MLS group leave it for good; their machines stay.'),
    z
      .strictObject({ kind: z.literal('rekey'), atSeconds, who })
      .describe('These members of MLS groups are told to renew their keys, all at once.'),
    z
      .strictObject({
        kind: z.literal('same-mac'),
        atSeconds,
        pairs: z.int().min(1).default(1).describe('How many, each of two members of VLAN 0.'),
        how: z
          .enum(['set', 'cloned', 'drawn'])
          .describe(
            'One machine is given the MAC of the other; both use a third one from one instant on; ' +
              'or the next guest to come draws the MAC of a member.',
          ),
        forSeconds,
      })
      .describe('Two members of an MLS group use one MAC.'),
    z
      .strictObject({ kind: z.literal('leave'), atSeconds, who, restartAfterSeconds })
      .describe('Nodes say goodbye and stop.'),
    z
      .strictObject({
        kind: z.literal('partition'),
        atSeconds,
        who,
        healAfterSeconds: positive,
        oneWay: z.boolean().default(false).describe('Only what goes towards them is lost.'),
      })
      .describe('These nodes on one side, everybody else on the other; nothing passes between.'),
    z
      .strictObject({ kind: z.literal('slow'), atSeconds, who, factor: positive, forSeconds })
      .describe('Work takes so many times longer.'),
    z
      .strictObject({ kind: z.literal('clog'), atSeconds, who, forSeconds })
      .describe('Their links take nothing more, as full sockets do.'),
    z
      .strictObject({
        kind: z.literal('clock'),
        atSeconds,
        who,
        skewSeconds: z
          .number()
          .min(-SKEW_MAX_SECONDS)
          .max(SKEW_MAX_SECONDS)
          .describe('The clock jumps by so much; a monotonic clock ignores a step back.'),
        driftPpm: z.number().min(-1_000).max(1_000).default(0).describe('And then runs fast by so much.'),
      })
      .describe('A clock goes wrong, for good.'),
    z
      .strictObject({ kind: z.literal('links'), atSeconds, forSeconds, conditions: conditionsChange })
      .describe('All trunks behave differently for a while.'),
    z
      .strictObject({ kind: z.literal('storm'), atSeconds, forSeconds, perSecond: positive.max(10_000) })
      .describe('Random crashes, restarts and link cuts, so many a second.'),
    z
      .strictObject({
        kind: z.literal('relay-crashes'),
        atSeconds,
        everySeconds: positive,
        times: z.int().min(1),
        restartAfterSeconds: positive,
        reported: z
          .boolean()
          .default(true)
          .describe('Neighbours are told by a reset; otherwise by silence only.'),
        target: z.enum(['relay', 'root']).default('relay'),
      })
      .describe('One relay (or the root) after another crashes, each with lowers: for measuring outages.'),
    z
      .strictObject({
        kind: z.literal('broadcast-storm'),
        atSeconds,
        who,
        forSeconds,
        perSecond: positive.max(100_000).describe('Broadcasts a second of each of them.'),
        bytes: z.int().min(60).max(1_500).default(300),
      })
      .describe('Stations with a loop behind them.'),
    z
      .strictObject({
        kind: z.literal('misbehave'),
        atSeconds,
        who,
        forSeconds,
        how: z.enum(['drop', 'corrupt', 'replay', 'hijack']),
      })
      .describe('Nodes drop, damage or repeat what they should relay, or claim the tokens of others.'),
  ])
  .describe('Something that goes wrong.')

export type Fault = z.infer<typeof fault>
export type Who = z.infer<typeof who>

/** When the last consequence of a fault is over and healing can begin; a clock stays wrong, but steadily. */
export function endOfFault(one: Fault): number {
  switch (one.kind) {
    case 'crash':
    case 'leave':
      return one.atSeconds + (one.restartAfterSeconds ?? 0)
    case 'partition':
      return one.atSeconds + one.healAfterSeconds
    case 'clock':
    case 'resign':
    case 'revoke':
    case 'rekey':
      return one.atSeconds
    case 'relay-crashes':
      return one.atSeconds + (one.times - 1) * one.everySeconds + one.restartAfterSeconds
    case 'same-mac':
    case 'slow':
    case 'clog':
    case 'links':
    case 'storm':
    case 'broadcast-storm':
    case 'misbehave':
      return one.atSeconds + one.forSeconds
  }
}
