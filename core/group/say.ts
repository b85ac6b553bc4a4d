/**
 * What may be said under which epoch (sec:B3, B9): the one gate through which channel packets leave. While
 * an epoch's roster has a refused member, only the commit that removes it, acks and facts go out under it,
 * and the names of children that are asked for, without which a lost removal could not be had again.
 */
import { hex } from '../ids.ts'
import type { Micros } from '../io.ts'
import { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import type { Whom } from './effects.ts'
import type { Epoch } from './epoch.ts'
import {
  COMMIT_BYTES_PER_MEMBER,
  HANDSHAKE_BYTES_MAX,
  SAY_MANY_FROM,
  SAY_PACED_FROM,
  SAY_PER_BYTE,
  SAY_PER_BYTE_MANY,
} from './limits.ts'
import { encodeHandshake, type Handshake } from './messages.ts'
import type { GroupState } from './state.ts'

/** A commit in the handshake in which it travels. */
interface Announced {
  readonly removes: readonly number[]
  readonly message: Uint8Array
}

/** Answers whether it may be said. */
export function say(group: GroupState, epoch: Epoch, message: Handshake, to: Whom = 'all'): boolean {
  if (group.phase === 'over') return false
  if (message.kind !== 'ack' && message.kind !== 'want' && group.isDirty(epoch)) {
    group.ports.counts.add('withheld')
    return false
  }
  const payload = encodeHandshake(message)
  if (payload.length > HANDSHAKE_BYTES_MAX) {
    group.ports.counts.add('sayTooLong')
    return false
  }
  group.out.send(epoch.mlsId, to, PAYLOAD_KIND.handshake, payload)
  return true
}

/** A commit under its parent: while that is frozen, only if it removes all who are refused. */
export function sayCommit(group: GroupState, parent: Epoch, commit: Announced, to: Whom = 'all'): boolean {
  if (group.phase === 'over') return false
  const removes = new Set(commit.removes)
  for (const member of group.refused.keys()) {
    const leaf = parent.leafOf.get(member)
    if (leaf !== undefined && !removes.has(leaf)) {
      group.ports.counts.add('withheld')
      return false
    }
  }
  group.out.send(parent.mlsId, to, PAYLOAD_KIND.handshake, commit.message)
  return true
}

/** How long so many bytes to all take to leave: where many are members their packets are paced. */
export function timeToSay({ head }: GroupState, bytes: number): Micros {
  const members = head?.roster.size ?? 0
  if (members <= SAY_PACED_FROM) return 0
  return bytes * (members > SAY_MANY_FROM ? SAY_PER_BYTE_MANY : SAY_PER_BYTE)
}

/** About how long a commit takes to leave that nobody here has seen. */
export function timeOfCommit(group: GroupState): Micros {
  return timeToSay(group, COMMIT_BYTES_PER_MEMBER * (group.head?.roster.size ?? 0))
}

/** Facts and exchanges of ledgers; `under` may be any epoch that is still received under. */
export function sayFacts(group: GroupState, under: Uint8Array, payload: Uint8Array, to: Whom = 'all'): void {
  group.out.send(under, to, PAYLOAD_KIND.ledger, payload)
}

/** The key of an unrefused member at that leaf of a kept epoch, by which its packets are judged. */
export function senderAt(group: GroupState, epoch: Epoch, leaf: number): Uint8Array | undefined {
  const sender = epoch.roster.get(leaf)
  if (sender === undefined) {
    group.ports.counts.add('senderUnknown')
    return undefined
  }
  const { memberKey } = sender.identity
  if (group.isRefused(hex(memberKey))) {
    group.ports.counts.add('senderRefused')
    return undefined
  }
  return memberKey
}
