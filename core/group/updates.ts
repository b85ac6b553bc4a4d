/** When key updates are due: commits without proposals that leave older states behind (sec:B2, S19). */
import { unit } from '../dice.ts'
import { hex } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import type { Epoch } from './epoch.ts'
import { REFRESH_AFTER_ADDS, UPDATE_PERIOD, UPDATE_PERIOD_PER_MEMBER } from './limits.ts'
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
  }
  group.wakeBy(Math.min(group.refreshAt, group.updateAt))
}
