/** Inviting: one text for each person, as a line to send and as a line for a QR code. */
import { UsageError } from '../../core/errors.ts'
import { hex } from '../../core/ids.ts'
import { type Micros, SECOND } from '../../core/io.ts'
import { invitationQrText, parseInvitation } from '../../core/ledger/invitation.ts'
import type { Tools } from './held.ts'
import { done, Pending, REFUSAL, refused } from './outcome.ts'

/** Invitations of one call: each is a Grant that all members keep. Guess. */
export const INVITATIONS_MAX = 64
/** They are made in the step in which they are asked for. */
const INVITE_WITHIN: Micros = 10 * SECOND

export interface InviteOrder {
  /** 1 to INVITATIONS_MAX. */
  readonly count: number
  readonly lifeMillis: number
}

export interface InvitationMade {
  /** `peertap:` and what the core writes after it: a secret until it is redeemed. */
  readonly url: string
  /** The same for the alphanumeric mode of a QR code. */
  readonly qr: string
  /** Of its Grant, in hex. */
  readonly serial: string
  /** Wall time in milliseconds. */
  readonly endsMillis: number
}

export interface Invited {
  readonly label: string
  readonly invitations: readonly InvitationMade[]
}

export function invite(
  { node, waits, held, issuer }: Tools,
  { count, lifeMillis }: InviteOrder,
): Pending<Invited> {
  if (!Number.isInteger(count) || count < 1 || count > INVITATIONS_MAX)
    throw new UsageError(`${count} invitations; ask for 1 to ${INVITATIONS_MAX} at a time`)
  const full = waits.full()
  if (full !== undefined) return Pending.of<Invited>(full)
  const { crypto } = node
  const { port, identity } = held.kept
  const invitations: InvitationMade[] = []
  const pending = waits.for<Invited>({
    port,
    within: INVITE_WITHIN,
    isAnswered: true,
    hear: (event) => {
      if (event.kind !== 'invitation') return undefined
      const said = parseInvitation(crypto, event.text)
      const { id, end: endsMillis } = said.grant
      invitations.push({ url: event.text, qr: invitationQrText(crypto, said), serial: hex(id), endsMillis })
      return invitations.length < count ? 'part' : done({ label: held.label, invitations })
    },
    late: () =>
      refused(REFUSAL.notInvited, `the node made ${invitations.length} of ${count} invitations; ask again`),
  })
  const { doorKey } = identity
  const contacts = node.contacts()
  for (let left = count; left > 0; left--)
    node.command({ kind: 'invite', port, issuer, doorKey, contacts, lifeMillis })
  return pending
}
