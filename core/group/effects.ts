/**
 * What a group's logic asks of its surroundings, in the order asked: a closed list, collected during a step
 * and carried out after it. It knows the shapes and nothing of why.
 */
import { assert } from '../errors.ts'
import type { Roster } from '../ledger/judgement.ts'
import type { MlsJob, Suite } from '../mls/engine.ts'
import type { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import type { GroupEvent } from './events.ts'
import { EFFECTS_MAX } from './limits.ts'

/** The kinds of channel packets that groups send. */
export type ChannelKind = typeof PAYLOAD_KIND.handshake | typeof PAYLOAD_KIND.ledger

/** The secret on which a branch's tokens depend, and the one before it (sec:M11, B10). 32 bytes each. */
export interface Salts {
  readonly current: Uint8Array
  readonly previous: Uint8Array
  /** Wall time, in milliseconds, since which the current one is. */
  readonly since: number
}

/** All that sealing needs of an epoch. */
export interface AdoptedEpoch {
  /** 16 bytes. */
  readonly mlsId: Uint8Array
  readonly suite: Suite
  /** By leaf index, this member too. */
  readonly roster: Roster
  readonly ownLeaf: number
  /** Of this member's leaf key, 32 bytes. */
  readonly leafSeed: Uint8Array
  /** Root of all exports (core/mls/exporter.ts), handed over: to be zeroed with the epoch's keys. */
  readonly exporterSecret: Uint8Array
  readonly salts: Salts
  /** Whether frames may go under the parent for 300 ms more: its commit removed nobody (sec:B10). */
  readonly grace: boolean
  /** Whether others were there long before, so that what was said on the way here reached nobody. */
  readonly isLate: boolean
  /** How this process came into it (core/seal/epoch.ts). */
  readonly origin: 'entered' | 'child' | 'restored'
}

/** Why a door is knocked at (sec:C4). */
export type Purpose = 'join' | 'rejoin' | 'catchUp' | 'merge'

/** What is stored, each slot as a whole and atomically. */
export type Slot = 'head' | 'next' | 'ledger'

/** All members, by the broadcast token; those that keep the door, by its token; the member of a key alone. */
export type Whom = 'all' | 'keepers' | Uint8Array

export interface GroupEffects {
  /**
   * Seals a channel packet under an epoch that is received under. What may be sent under which epoch was
   * decided here (sec:B3, B9).
   */
  send(mlsId: Uint8Array, to: Whom, kind: ChannelKind, payload: Uint8Array): void
  /** At most one job of a group is in flight. */
  start(job: number, work: MlsJob): void
  store(id: number, slot: Slot, record: Uint8Array): void
  adopt(epoch: AdoptedEpoch): void
  /** Refuse this key's frames, cards, INITs and door sessions from now on (sec:B9). */
  refuse(memberKey: Uint8Array): void
  /** No epoch is left: all keys of the group are to be erased. */
  end(): void
  /** A Welcome is likely to follow for the joiner whose door gave this route: it may be called at already. */
  expectWelcome(route: Uint8Array): void
  /** A Welcome (messages.ts) for the joiner whose door gave this route: said once, the door sees to it. */
  welcome(route: Uint8Array, message: Uint8Array): void
  /** `head`: the branch that is to answer, where it is known. */
  knock(purpose: Purpose, head: Uint8Array | undefined): void
  doorSend(session: number, message: Uint8Array): void
  doorClose(session: number): void
  event(event: GroupEvent): void
}

type Call = {
  readonly [Name in keyof GroupEffects]: readonly [Name, ...Parameters<GroupEffects[Name]>]
}[keyof GroupEffects]

/** Effects of one step, in order. */
export class GroupOutbox implements GroupEffects {
  #calls: Call[] = []

  send(mlsId: Uint8Array, to: Whom, kind: ChannelKind, payload: Uint8Array): void {
    this.#push(['send', mlsId, to, kind, payload])
  }

  start(job: number, work: MlsJob): void {
    this.#push(['start', job, work])
  }

  store(id: number, slot: Slot, record: Uint8Array): void {
    this.#push(['store', id, slot, record])
  }

  adopt(epoch: AdoptedEpoch): void {
    this.#push(['adopt', epoch])
  }

  refuse(memberKey: Uint8Array): void {
    this.#push(['refuse', memberKey])
  }

  end(): void {
    this.#push(['end'])
  }

  expectWelcome(route: Uint8Array): void {
    this.#push(['expectWelcome', route])
  }

  welcome(route: Uint8Array, message: Uint8Array): void {
    this.#push(['welcome', route, message])
  }

  knock(purpose: Purpose, head: Uint8Array | undefined): void {
    this.#push(['knock', purpose, head])
  }

  doorSend(session: number, message: Uint8Array): void {
    this.#push(['doorSend', session, message])
  }

  doorClose(session: number): void {
    this.#push(['doorClose', session])
  }

  event(event: GroupEvent): void {
    this.#push(['event', event])
  }

  /** Carries out everything and leaves the outbox empty. */
  drain(effects: GroupEffects): void {
    const calls = this.#calls
    this.#calls = []
    for (const [name, ...given] of calls) (effects[name] as (...given: unknown[]) => void)(...given)
  }

  #push(call: Call): void {
    assert(this.#calls.length < EFFECTS_MAX, `more than ${EFFECTS_MAX} effects of a group in one step`)
    this.#calls.push(call)
  }
}
