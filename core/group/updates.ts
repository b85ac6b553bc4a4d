/**
 * When key updates are due: commits without proposals that leave older states behind (sec:B2, S19). An update
 * is its member's own, so nobody waits for it, and many may be due at once, as when machines wake that slept
 * over it. Beyond sec:B2 each then takes its turn: at a random time, so many seconds long for each member,
 * and not while the last epoch is still on its way. Whose turn another came before draws again.
 */
import { below, unit } from '../dice.ts'
import { hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import type { Epoch } from './epoch.ts'
import {
  REFRESH_AFTER_ADDS,
  UPDATE_LATE,
  UPDATE_PERIOD,
  UPDATE_PERIOD_PER_MEMBER,
  UPDATE_QUIET,
  UPDATE_TURN,
} from './limits.ts'
import type { GroupState } from './state.ts'

/** Plans after an epoch was adopted. */
export function planUpdate(group: GroupState, now: Micros, epoch: Epoch): void {
  const { step } = epoch
  if (step?.addsOnly) group.refreshAt = now + REFRESH_AFTER_ADDS
  else group.refreshAt = NEVER
  const isOwn = step !== undefined && hex(step.committer) === group.keyName && !step.addsOnly
  if (isOwn || step === undefined || group.updateAt === NEVER) {
    const period = Math.max(UPDATE_PERIOD, UPDATE_PERIOD_PER_MEMBER * epoch.roster.size)
    // Spread, or those who were added together would update together for ever.
    group.updateAt = now + Math.round(period * (0.5 + unit(group.ports.dice)))
  } else if (group.updateAt <= now + UPDATE_QUIET) updateSoon(group, now)
  group.wakeBy(Math.min(group.refreshAt, group.updateAt))
}

/** The next update is due as soon as it is this member's turn. */
export function updateSoon(group: GroupState, now: Micros): void {
  const members = group.head?.roster.size ?? 1
  group.updateAt = now + UPDATE_QUIET + below(group.ports.dice, members * UPDATE_TURN)
  group.wakeBy(group.updateAt)
}

/** When the own update is to be made, NEVER for not now: one that was slept over has lost its turn. */
export function updateDue(group: GroupState, now: Micros, head: Epoch): Micros {
  if (group.updateAt + UPDATE_LATE < now || group.updateAt < head.adoptedAt + UPDATE_QUIET)
    if (group.updateAt <= now) updateSoon(group, now)
  return group.updateAt > now ? NEVER : group.updateAt
}
