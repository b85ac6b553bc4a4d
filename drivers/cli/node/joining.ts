/** What is said to somebody who waits to be let in to a VLAN: for what, and what goes on without waiting. */
import { noble } from '../../../core/crypto/noble.ts'
import { hex } from '../../../core/ids.ts'
import { type Invitation, parseInvitation } from '../../../core/ledger/invitation.ts'
import type { ControlClient } from '../../control/client.ts'
import { short } from '../../control/names.ts'
import type { NodeStatus } from '../../node/views.ts'
import type { Given } from '../flags.ts'
import { beforeSignals } from '../interrupted.ts'
import { counted } from '../table.ts'

/** Most are in by then, and need not be told. */
const FIRST_LOOK_MILLIS = 3_000

/** Until the result is called. Of a text that is no invitation nothing is said: the node does that. */
export function tellOfJoin(given: Given, client: ControlClient): () => void {
  const invitation = invitationOf(given.argument('url'))
  if (invitation === undefined) return () => undefined
  const { label } = invitation
  const id = short(hex(invitation.vlan))
  const stopWatching = beforeSignals(() => {
    console.error(
      `the node goes on asking to be let in to ${label}; ` +
        `"peertap vlan leave ${id}" gives that up, and the same join waits again`,
    )
  })
  let before: string | undefined
  const look = async (): Promise<void> => {
    const said = waitWords(label, (await client.get('/v1/status')) as NodeStatus)
    if (said !== before) console.error(said)
    before = said
  }
  // A node that ends is told of by the answer.
  const timer = given.on('json')
    ? undefined
    : setInterval(() => void look().catch(() => undefined), FIRST_LOOK_MILLIS)
  return () => {
    clearInterval(timer)
    stopWatching()
  }
}

function invitationOf(text: string): Invitation | undefined {
  try {
    return parseInvitation(noble, text)
  } catch {
    return undefined
  }
}

function waitWords(label: string, { links }: NodeStatus): string {
  const count = links.filter(({ neighbour }) => neighbour).length
  return count === 0
    ? `waiting for the mesh: none of the contacts of this node and of the invitation to ${label} answers`
    : `waiting for a member of ${label} to let this node in; ${counted(count, 'neighbour')} in the mesh`
}
