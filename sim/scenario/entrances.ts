/**
 * The part of a scenario that says who comes into a VLAN with an MLS group beside those who come and stay.
 */
import { z } from 'zod'
import { atLeastZero, positive } from './links.ts'

export const guests = z
  .strictObject({
    count: z.int().min(1).max(1_000).describe('How many of the members they are: the last ones.'),
    fromSeconds: atLeastZero.describe('When the first of them asks to be let in.'),
    everySeconds: positive.describe('And how long after it each of the others.'),
    staySeconds: positive.optional().describe('Revoked so long after they asked; without it, they stay.'),
  })
  .describe('Members that come in one by one, later than all others.')

export const twins = z
  .strictObject({
    pairs: z.int().min(1).max(1_000).describe('How many: of the last members that are no guests.'),
    atSeconds: atLeastZero.describe('When both of each pair ask to be let in, at the same instant.'),
  })
  .describe('Pairs of members of which both redeemed one invitation, each for a key of its own.')

type Guests = z.infer<typeof guests>

/** When the last guest has come and, if they do, gone. */
export function endOfGuests({ count, fromSeconds, everySeconds, staySeconds }: Guests): number {
  return fromSeconds + (count - 1) * everySeconds + (staySeconds ?? 0)
}
