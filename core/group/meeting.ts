/**
 * Members of two epochs that met in a door session and told each other where they stand (sec:B11, B12): one
 * is behind the other and follows its log, or their branches parted and one of them leads into the other.
 */
import { hex, sameBytes } from '../ids.ts'
import type { Micros } from '../io.ts'
import { stuck } from './entry.ts'
import { copyOf, evidenceOf, forkParent, prefers, sayFold } from './forks.ts'
import { CLEAN_WITHIN, LOGS_ASKED } from './limits.ts'
import { type DoorMessage, type Evidence, encodeDoor, type LogPart } from './messages.ts'
import type { GroupState, Session } from './state.ts'

function send(group: GroupState, session: Session, message: DoorMessage): void {
  group.out.doorSend(session.id, encodeDoor(message))
}

/** Both have told where they stand; true if that is the same place, and nothing is left to say. */
export function relate(group: GroupState, now: Micros, session: Session): boolean {
  const { head } = group
  const { theirs } = session
  if (head === undefined || theirs === undefined) return false
  const theirName = hex(theirs.head)
  // One in the very same epoch may have been away as long.
  if (theirName === head.name) return true
  // Who is behind commits nothing before it has followed.
  const isBehind = theirs.lineage.some((name) => hex(name) === head.name)
  if (!isBehind) group.cautiousUntil = 0
  if (group.lineage.includes(theirName)) serveLog(group, session, theirName)
  else if (!isBehind) {
    session.isParted = true
    // It removes who is refused before it is compared, and then says again where it stands.
    if (!isClean(group, now, session)) {
      session.sentBranch = false
      return false
    }
    session.sentEvidence = evidenceOf(group, now, head, forkParent(group, theirs.lineage))
    send(group, session, { kind: 'evidence', ...session.sentEvidence })
    decide(group, now, session)
  }
  return false
}

/** Whether the own branch may be compared: nobody refused is in it, or too long to wait for that. */
export function isClean(group: GroupState, now: Micros, session: Session): boolean {
  const { head } = group
  return head !== undefined && (!group.isDirty(head) || now >= session.openedAt + CLEAN_WITHIN)
}

/** The commits that lead from the other's head to the own one (sec:B12): to unrefused members only. */
export function serveLog(group: GroupState, session: Session, from: string): void {
  const first = group.log.findIndex(({ parent }) => hex(parent) === from)
  if (first < 0) {
    send(group, session, { kind: 'tooOld' })
    return
  }
  for (const { parent, child, message } of group.log.slice(first))
    send(group, session, { kind: 'log', parent, child, message })
}

/** The other member's log does not lead on from here. Another's may: a log begins where its owner came in. */
export function onTooOld(group: GroupState, now: Micros, session: Session): void {
  const { head } = group
  const { sentEvidence: ours, theirEvidence: theirs } = session
  if (session.leadsToWinner === true && ours !== undefined && theirs !== undefined) {
    sayFold(group, now, theirs, ours)
    return
  }
  if (head === undefined || session.isTooOld === true) return
  session.isTooOld = true
  const { name, count } = group.logless
  group.logless = { name: head.name, count: name === head.name ? count + 1 : 1 }
  if (group.logless.count >= LOGS_ASKED) stuck(group, now, 'catchUpFailed')
  else group.out.knock('catchUp', head.mlsId)
}

export function onEvidence(group: GroupState, now: Micros, session: Session, said: Evidence): void {
  session.theirEvidence = copyOf(said)
  decide(group, now, session)
}

/** Both sides of a fork are told: the less preferred goes over to the other. */
function decide(group: GroupState, now: Micros, session: Session): void {
  const { sentEvidence: ours, theirEvidence: theirs } = session
  if (ours === undefined || theirs === undefined || session.leadsToWinner === true) return
  const isStill = [ours.head, ours.child?.mlsId ?? ours.head].every((id) => group.lineage.includes(hex(id)))
  if (!isStill || group.lineage.includes(hex(theirs.head))) return
  if (!prefers(group, theirs, ours)) return
  session.leadsToWinner = true
  const parent = isParted(ours, theirs) ? group.kept(theirs.child.parent) : undefined
  if (parent === undefined) {
    sayFold(group, now, theirs, ours)
    return
  }
  // Where the branches parted can still be gone back to: the log is asked for as if this member were there.
  const lineage = [parent.mlsId]
  send(group, session, { kind: 'branch', head: parent.mlsId, digest: group.ledger.digest(), lineage })
}

type Parted = Evidence & { readonly child: NonNullable<Evidence['child']> }

function isParted(ours: Evidence, theirs: Evidence): theirs is Parted {
  const { child } = theirs
  return ours.child !== undefined && child !== undefined && sameBytes(ours.child.parent, child.parent)
}

/**
 * The commit by which the preferred branch parted has come: all who still have the parent's state go back and
 * follow it, and only those who have not are added anew.
 */
export function onLog(group: GroupState, now: Micros, session: Session, { child, message }: LogPart): void {
  const { sentEvidence: ours, theirEvidence: theirs } = session
  if (session.leadsToWinner !== true || ours === undefined || theirs?.child === undefined) return
  const parent = group.kept(theirs.child.parent)
  if (parent === undefined || !sameBytes(child, theirs.child.mlsId)) return
  sayFold(group, now, theirs, ours, message)
}
