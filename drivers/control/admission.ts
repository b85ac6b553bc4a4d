/** Why nobody let this node in, by what its door counted meanwhile: the caller cannot know more. */
import { type Micros, SECOND } from '../../core/io.ts'
import type { HeldVlan } from './held.ts'
import { short } from './names.ts'
import { REFUSAL, type Refused, refused } from './outcome.ts'

type Counts = Readonly<Record<string, number>>

/** What no time mends of what members say when they turn somebody away, and what that means. */
const FINAL: Readonly<Record<string, string>> = {
  revoked: 'the invitation or this member was revoked; ask for a new invitation',
  left: 'this member has left; ask for a new invitation',
  void: 'the admin who invited was revoked; ask for a new invitation',
  lost: 'the invitation is spent, it was redeemed before; ask for a new one',
  serialSpent: 'the invitation is spent, it was redeemed before; ask for a new one',
  grantOver: 'the time of the invitation is over, by the clock of a member; ask for a new one',
}
/** The rest of it. */
const BUSY = 'the members were busy; ask again'
const PASSING: Readonly<Record<string, string>> = { busy: BUSY, sessionsFull: BUSY }
/** Signs that somebody answered who has the door key. */
const ANSWERED =
  /^door(Silent|Shunned|Closed|NoWelcome|UnexpectedAnswer|NotAdded|NotOfSession|BadMessage|Uncertified)$/

/** Whether who is turned away for this need not ask again. */
export function isFinal(why: string): boolean {
  return Object.hasOwn(FINAL, why)
}

/** `why`: one of those that are final. */
export function turnedAway(label: string, why: string): Refused {
  const what = `${FINAL[why] ?? why}; nothing of it is kept here but the key, should it be asked again`
  const message = `members of ${label} refused to let this node in: ${what}`
  return refused(REFUSAL.notAdmitted, message)
}

/** `before`: counters of the membership when it began to ask. */
export function notLetIn(held: HeldVlan, before: Counts, within: Micros): Refused {
  const after: Counts = held.view()?.counters ?? {}
  const grown = Object.keys(after).filter((name) => (after[name] ?? 0) > (before[name] ?? 0))
  const seconds = within / SECOND
  const goesOn = `it goes on asking; "vlan leave ${short(held.kept.vlan)}" gives that up`
  if (held.welcomeRefused !== undefined) {
    const message = `the group of ${held.label} is not what was invited to: ${held.welcomeRefused}; ${goesOn}`
    return refused(REFUSAL.welcomeRefused, message)
  }
  for (const [why, what] of Object.entries({ ...FINAL, ...PASSING })) {
    if (!grown.includes(counted(why))) continue
    const message = `members of ${held.label} refused to let this node in: ${what}; ${goesOn}`
    return refused(REFUSAL.notAdmitted, message)
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

/** The name of its count. */
function counted(why: string): string {
  return `door${why.charAt(0).toUpperCase()}${why.slice(1)}`
}
