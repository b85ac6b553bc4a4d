/**
 * What witnesses say about the children of an epoch, for as long as it may decide something: while the
 * parent's state is kept, and afterwards as evidence for a merge (sec:B5, B6, B11).
 */
import { hex, unhex } from '../ids.ts'
import type { Micros } from '../io.ts'
import { type Ack, AckTally, makeAck, verifyAck } from '../ledger/acks.ts'
import { supportClass } from '../ledger/preference.ts'
import { witnessesOf } from '../ledger/rank.ts'
import type { Epoch } from './epoch.ts'
import { FORKS_MAX } from './limits.ts'
import { isThere } from './presence.ts'
import { say } from './say.ts'
import type { Fork, GroupState } from './state.ts'
import { acksOf } from './way.ts'

/** What is remembered of an epoch as a parent; begins with its roster's witnesses. */
export function forkOf(group: GroupState, epoch: Epoch): Fork {
  const known = group.forks.get(epoch.name)
  if (known !== undefined) return known
  const keys = [...epoch.roster.values()].map(({ identity }) => identity.memberKey)
  const chosen = witnessesOf(group.ports.crypto.hash, epoch.mlsId, keys)
  const witnesses = new Map<string, Uint8Array>()
  for (const member of chosen) {
    const name = hex(member)
    const leaf = epoch.roster.get(epoch.leafOf.get(name) as number)
    if (leaf !== undefined) witnesses.set(name, leaf.leafKey)
  }
  const { mlsId: parent } = epoch
  const nothing = { acks: new Map(), child: undefined, told: 0 }
  const fork: Fork = { parent, witnesses, tally: new AckTally(chosen), ...nothing }
  group.forks.set(epoch.name, fork)
  for (const oldest of group.forks.keys()) {
    if (group.forks.size <= FORKS_MAX) break
    group.forks.delete(oldest)
  }
  return fork
}

/** Takes in a witness's word on a child; the ack if it was good, new or not. */
export function takeAck(group: GroupState, fork: Fork, witness: string, bytes: Uint8Array): Ack | undefined {
  const leafKey = fork.witnesses.get(witness)
  const place = { vlan: group.ledger.vlan, parent: fork.parent }
  const signer = leafKey && { leafKey, memberKey: unhex(witness) }
  const ack = signer && verifyAck(group.ports.crypto.signatures, place, signer, bytes)
  if (ack === undefined) {
    group.ports.counts.add('ackRefused')
    return undefined
  }
  if (fork.tally.add(ack)) fork.acks.set(witness, { bytes: bytes.slice(), ack })
  return ack
}

/** Says which child was adopted, if this member is a witness of the parent. */
export function acknowledge(group: GroupState, parent: Epoch, child: Epoch): void {
  const fork = forkOf(group, parent)
  if (!fork.witnesses.has(group.keyName)) return
  group.ackCounter += 1
  const place = { vlan: group.ledger.vlan, parent: parent.mlsId }
  const { signatures } = group.ports.crypto
  const ack = makeAck(signatures, place, parent.leafSeed, child.mlsId, group.ackCounter)
  takeAck(group, fork, group.keyName, ack)
  if (say(group, parent, { kind: 'ack', ack })) group.ports.counts.add('acksSent')
}

/**
 * Whether no other child can be preferred to it any more, whoever made that one (sec:B6), unless witnesses
 * change their minds: it has more support in powers of two than if all who are left went to the other.
 */
export function isDecided(group: GroupState, now: Micros, parent: Epoch, child: Epoch): boolean {
  const fork = forkOf(group, parent)
  let there = 0
  for (const witness of fork.witnesses.keys()) if (isThere(group, now, witness)) there += 1
  const acks = acksOf(group, fork, child.mlsId)
  return supportClass(acks) > supportClass(Math.max(0, there - acks))
}

/** Whether more than half of the witnesses that are there went that way (sec:B6). */
export function isSettled(group: GroupState, now: Micros, parent: Epoch, child: Epoch): boolean {
  const fork = forkOf(group, parent)
  const there: Uint8Array[] = []
  for (const witness of fork.witnesses.keys()) if (isThere(group, now, witness)) there.push(unhex(witness))
  return fork.tally.isSettled(child.mlsId, there, (member) => group.isRefused(hex(member)))
}
