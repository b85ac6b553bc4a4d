/**
 * Named counts of one group: every refusal and every bound has its own name, so that nothing disappears in
 * silence. Names are for people; no logic reads them.
 */

/** A closed set: add a line, never reuse one for another meaning. */
export const GROUP_COUNTS = [
  // What was done.
  'commitsMade',
  'commitsSent',
  'commitsResent',
  'commitsRepaired',
  'epochsAdopted',
  'switches',
  'acksSent',
  'welcomesSent',
  'foldsSaid',
  'foldsFollowed',
  'foldsBack',
  'foldsCalledOff',
  'factsAdded',
  // What peers sent and nothing came of.
  'malformed',
  'unknownEpoch',
  'senderUnknown',
  'senderRefused',
  'commitKnown',
  'commitTooLate',
  'commitRefused',
  'commitUnjustified',
  'claimsFalse',
  'ackRefused',
  'offerRefused',
  'offerUnmade',
  'welcomeUnexpected',
  'welcomeRefused',
  'foldRefused',
  'factRefused',
  'logRefused',
  // What was withheld or given up on this side.
  'withheld',
  'commitTooLarge',
  'sayTooLong',
  'jobFailed',
  'jobUnwanted',
  'storeFailed',
  // Bounds.
  'boundRivals',
  'boundOffers',
  'boundUnseen',
  'boundAnswers',
  'boundRepeats',
  'boundSessions',
  'boundEvents',
] as const
export type GroupCount = (typeof GROUP_COUNTS)[number]

export class GroupCounts {
  readonly #values = new Map<GroupCount, number>()

  add(name: GroupCount, amount = 1): void {
    this.#values.set(name, this.get(name) + amount)
  }

  get(name: GroupCount): number {
    return this.#values.get(name) ?? 0
  }

  /** All that are not zero, in the order of the list. */
  view(): Partial<Record<GroupCount, number>> {
    const result: Partial<Record<GroupCount, number>> = {}
    for (const name of GROUP_COUNTS) if (this.get(name) !== 0) result[name] = this.get(name)
    return result
  }
}
