/** Why nobody let this node in, by what its door counted meanwhile: the caller cannot know more. */
import { type Micros, SECOND } from '../../core/io.ts'
import type { HeldVlan } from './held.ts'
import { REFUSAL, type Refused, refused } from './outcome.ts'

type Counts = Readonly<Record<string, number>>

/** What members say when they turn somebody away, by the count, and what that means. */
const TURNED_AWAY: Readonly<Record<string, string>> = {
  doorRevoked: 'the invitation or this member was revoked; ask for a new invitation',
  doorLeft: 'this member has left; ask for a new invitation',
  doorVoid: 'the admin who invited was revoked; ask for a new invitation',
  doorLost: 'the invitation is spent, it was redeemed before; ask for a new one',
  doorSerialSpent: 'the invitation is spent, it was redeemed before; ask for a new one',
  doorGrantOver: 'the time of the invitation is over, by the clock of a member; ask for a new one',
  doorBusy: 'the members were busy; ask again',
  doorSessionsFull: 'the members were busy; ask again',
}
/** Signs that somebody answered who has the door key. */
const ANSWERED =
  /^door(Silent|Shunned|Closed|NoWelcome|UnexpectedAnswer|NotAdded|NotOfSession|BadMessage|Uncertified)$/

/** `before`: counters of the membership when it began to ask. */
export function notLetIn(held: HeldVlan, before: Counts, within: Micros): Refused {
  const after: Counts = held.view()?.counters ?? {}
  const grown = Object.keys(after).filter((name) => (after[name] ?? 0) > (before[name] ?? 0))
  const seconds = within / SECOND
  const goesOn = 'it goes on asking until it is removed'
  if (held.welcomeRefused !== undefined) {
    const message = `the group of ${held.label} is not what was invited to: ${held.welcomeRefused}; ${goesOn}`
    return refused(REFUSAL.welcomeRefused, message)
  }
  for (const [name, what] of Object.entries(TURNED_AWAY)) {
    if (grown.includes(name))
      return refused(REFUSAL.notAdmitted, `members of ${held.label} refused to let this node in: ${what}`)
  }
  if (grown.some((name) => ANSWERED.test(name))) {
    const message = `members of ${held.label} answered, and none let it in within ${seconds} s; ${goesOn}`
    return refused(REFUSAL.notAdmitted, message)
  }
  const message =
    `no member of ${held.label} answered in ${seconds} s: ` +
    `none is there, or none can be reached; ${goesOn}`
  return refused(REFUSAL.noDoor, message)
}
