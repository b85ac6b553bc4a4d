/**
 * What every part of a sealed membership is given, and where its packets and events go. Parts talk to each
 * other through what is passed to them; this knows none of them.
 */
import type { Deadline } from '../context.ts'
import type { Counters } from '../counters.ts'
import type { Crypto } from '../crypto/ports.ts'
import type { Dice, Keys } from '../dice.ts'
import { assert } from '../errors.ts'
import type { Mac } from '../ids.ts'
import type { Padding, PayloadKind } from '../vlan/plaintext.ts'
import type { Card } from './cards.ts'
import type { Epochs } from './epochs.ts'
import type { ReassemblyPool } from './fragments.ts'
import type { KeyLimits } from './limits.ts'
import type { OwnMember } from './own.ts'
import type { Peers } from './peers.ts'

/** Where signatures stand: under group and channel keys only, or in every packet (sec:A6, N9). */
export type SignPolicy = 'session' | 'all'

export interface SealContext {
  readonly crypto: Crypto
  readonly keys: Keys
  readonly dice: Dice
  readonly counters: Counters
  /** VLAN-ID, 16 bytes. */
  readonly vlan: Uint8Array
  readonly sign: SignPolicy
  readonly padding: Padding
  readonly keyLimits: KeyLimits
  readonly firstHopLimit: number
  readonly own: OwnMember
  readonly epochs: Epochs
  readonly peers: Peers
  readonly pool: ReassemblyPool
  readonly out: SealOutbox
  readonly deadline: Deadline
  /** What the last opened packet held: overwritten by the next. */
  readonly opened: OpenedRecord
}

/** How a packet was sealed: to all, to this member alone, or under a key that names no sender. */
export type Way = 'group' | 'session' | 'channel'

/** What the last opened packet held. One record for each membership, overwritten by the next. */
export interface Opened {
  readonly kind: PayloadKind
  /** Fresh bytes that nobody writes again; copy what goes into a table, it keeps a slab alive. */
  readonly payload: Uint8Array
  readonly way: Way
  /** The sender's leaf index in the epoch of the packet; of a session too. */
  readonly leaf: number
  /** The packet's counter under its key; 0 under a channel key. Of a reassembled frame, the last piece's. */
  readonly sequence: number
  /** The hop limit the packet set out with: less the one it came with, the hops it made (mesh:M9). */
  readonly firstHopLimit: number
  /** Milliseconds since the sender's life began. */
  readonly sentMillis: number
  /** The epoch of the packet, 16 bytes. */
  readonly mlsId: Uint8Array
}
export type OpenedRecord = { -readonly [Field in keyof Opened]: Opened[Field] }

/** What the group's logic, the port or the operator may want to know. `leaf` is an index of the roster. */
export type SealEvent =
  /** A new life of this member: at the first epoch, after a jump of the clock, or when keys demand it. */
  | { readonly kind: 'lifeStarted' }
  /** No key of that epoch is left: what is behind its exporter can be erased too. */
  | { readonly kind: 'epochErased'; readonly mlsId: Uint8Array }
  /** Packets of this epoch waited in vain: nobody here has it. One of several is told at a time. */
  | { readonly kind: 'foreignEpoch'; readonly mlsId: Uint8Array }
  /** A verified card of a member's present life. */
  | { readonly kind: 'card'; readonly leaf: number; readonly card: Card }
  /** Two live processes speak for one member key (sec:M13). */
  | { readonly kind: 'identityTwice'; readonly leaf: number }
  /** A card claims a MAC that another live member claimed first; it is ignored for that MAC (sec:S7). */
  | { readonly kind: 'macConflict'; readonly mac: Mac; readonly holder: number; readonly claimant: number }
  /** A bridged machine is behind another member than before. */
  | { readonly kind: 'macMoved'; readonly mac: Mac; readonly from: number; readonly to: number }
  /** This member lost a conflict and has another MAC now. */
  | { readonly kind: 'ownMac'; readonly mac: Mac }

/** To how many something goes, which is how many copies relays make of it; `few`: who keeps the door. */
export type Reach = 'all' | 'few' | 'one'

/** What a step may leave in the outbox: the flush of waiting frames is the most, eight of 58 pieces. */
const PACKETS_MAX = 4_096
/** Events are for people: more in one step says nothing more. Guess. */
const EVENTS_MAX = 1_024

/** Packets and events of one step, in order. */
export class SealOutbox {
  readonly packets: Uint8Array[] = []
  /** Packets that leave by and by (mesh:M15), by how many they go to. */
  readonly paced: Readonly<Record<Reach, Uint8Array[]>> = { all: [], few: [], one: [] }
  readonly events: SealEvent[] = []

  // HOT PATH
  send(packet: Uint8Array): void {
    assert(this.packets.length < PACKETS_MAX, TOO_MANY)
    this.packets.push(packet)
  }

  note(event: SealEvent): void {
    if (this.events.length < EVENTS_MAX) this.events.push(event)
  }
}

const TOO_MANY = `more than ${PACKETS_MAX} packets in one step`
