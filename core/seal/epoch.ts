/**
 * The keys of one MLS epoch, made from its exporter (sec:A1) and erased with it. Knows what is derived from
 * what and keeps every key that was sealed under, so that no counter of it starts twice; which epoch is
 * sealed or received under is told by epochs.ts.
 */
import type { Crypto } from '../crypto/ports.ts'
import { assert, UsageError } from '../errors.ts'
import { hex, sameBytes, VLAN_ID_BYTES } from '../ids.ts'
import type { Micros } from '../io.ts'
import { DATA_VERSION_TYPE } from '../wire/kinds.ts'
import { AAD_BYTES, MLS_OFFSET, VLAN_OFFSET } from '../wire/packet.ts'
import {
  channelKey,
  type DataKey,
  type Exporter,
  groupKey,
  maskKey,
  sessionKey,
  unicastSecret,
} from './derive.ts'
import { KeyTable, ReceiveKey } from './keytable.ts'
import { CHANNELS_MAX, type KeyLimits, MEMBERS_MAX } from './limits.ts'
import type { Roster, SendSession } from './peers.ts'
import { SendKey } from './sending.ts'

/** What the group's logic gives for an epoch that it has adopted. */
export interface EpochSource {
  /** 16 bytes. */
  readonly mlsId: Uint8Array
  /** All members by leaf index, this one too. */
  readonly roster: Roster
  /** Not asked any more once the event `epochErased` has named the epoch: then erase what is behind it. */
  readonly exporter: Exporter
  /** This member's leaf index. */
  readonly self: number
  /** The seed of this member's leaf key, 32 bytes. */
  readonly leafSeed: Uint8Array
  /**
   * `entered`: this process founded the group, or came in by a Welcome for a KeyPackage that it had made
   * itself. `child`: of an epoch adopted before. `restored`: an earlier process may have been in it.
   */
  readonly origin: 'entered' | 'child' | 'restored'
}

/** A token's channel key in one epoch, and how much of this member's was sealed under it. */
export interface ChannelKey {
  readonly key: Uint8Array
  sealed: number
}

const NO_EXPORTER: Exporter = () => {
  throw new UsageError('the keys of this epoch are erased; adopt another')
}

export class Epoch {
  /** Counts adopted epochs: the newer has the greater. */
  readonly serial: number
  readonly mlsId: Uint8Array
  readonly roster: Roster
  readonly self: number
  readonly leafSeed: Uint8Array
  /** This member's leaf key. */
  readonly leafKey: Uint8Array
  /** 32 bytes each (sec:A1). */
  readonly mask: Uint8Array
  readonly unicast: Uint8Array
  /** Version and type, VLAN-ID and MLS-ID stay; the token is written for each packet. */
  readonly aad = new Uint8Array(AAD_BYTES)
  readonly table = new KeyTable()
  /** Whether it was made after this member's life began: nothing under it is of before (contacts.ts). */
  isAfterStart = false
  /** Leaves that an epoch adopted after this one does not have: nothing of theirs is received. */
  readonly gone = new Set<number>()
  /** This member's group key, and which boot of its chain it is made of. */
  ownGroup: SendKey | undefined = undefined
  ownGeneration = -1
  #exporter: Exporter
  readonly #crypto: Crypto
  readonly #channels = new Map<string, ChannelKey>()
  readonly #sending = new Map<SendSession, SendKey>()

  /** A UsageError for a source that cannot be an epoch of this VLAN. */
  constructor(crypto: Crypto, vlan: Uint8Array, serial: number, source: EpochSource) {
    const own = source.roster.get(source.self)
    checkSource(crypto, source)
    assert(own !== undefined && vlan.length === VLAN_ID_BYTES, 'a checked source without oneself')
    this.#crypto = crypto
    this.#exporter = source.exporter
    this.serial = serial
    this.mlsId = source.mlsId.slice()
    this.roster = source.roster
    this.self = source.self
    this.leafSeed = source.leafSeed.slice()
    this.leafKey = own.leafKey
    this.mask = maskKey(source.exporter)
    this.unicast = unicastSecret(source.exporter)
    this.aad[0] = DATA_VERSION_TYPE
    this.aad.set(vlan, VLAN_OFFSET)
    this.aad.set(this.mlsId, MLS_OFFSET)
  }

  /** The channel key of a token; the first time it costs a derivation. */
  channel(token: Uint8Array): ChannelKey {
    const name = hex(token)
    const known = this.#channels.get(name)
    if (known !== undefined) return known
    // Keys sealed under stay, with their counts; those that were only received under go, oldest first.
    if (this.#channels.size >= CHANNELS_MAX) this.#forgetChannel()
    const made = { key: channelKey(this.#exporter, token), sealed: 0 }
    this.#channels.set(name, made)
    return made
  }

  /** The group key of a member's boot. */
  groupKey(leafKey: Uint8Array, boot: Uint8Array): DataKey {
    return groupKey(this.#exporter, leafKey, boot)
  }

  /** The key of a session in this epoch, for receiving. */
  sessionKey(root: Uint8Array): DataKey {
    return sessionKey(this.#crypto.kdf, this.unicast, root, this.mlsId)
  }

  /** Takes this member's group key of another boot of its chain into use. */
  useGroup(key: SendKey, generation: number): void {
    assert(generation > this.ownGeneration, 'a group key came back')
    this.ownGroup?.erase()
    this.ownGroup = key
    this.ownGeneration = generation
    this.table.add(new ReceiveKey({ ...key.data, key: new Uint8Array(0) }, undefined, undefined, generation))
  }

  /** The key that a session seals under in this epoch: one for as long as the epoch lives. */
  sendKey(now: Micros, session: SendSession, limits: KeyLimits): SendKey {
    const known = this.#sending.get(session)
    if (known !== undefined) return known
    const made = new SendKey(now, this.sessionKey(session.root), limits)
    this.#sending.set(session, made)
    return made
  }

  /** Forgets the sending key of a session that is over. */
  dropSession(session: SendSession): void {
    this.#sending.get(session)?.erase()
    this.#sending.delete(session)
  }

  /** Forgets every data key, sent or received under, as a new start does. Channel keys stay. */
  forgetLives(): void {
    this.table.erase()
    for (const key of this.#sending.values()) key.erase()
    this.#sending.clear()
    this.ownGroup?.erase()
    this.ownGroup = undefined
    this.ownGeneration = -1
  }

  /** Zeroes all keys: nothing of this epoch can be sealed or opened any more. */
  erase(): void {
    this.forgetLives()
    this.mask.fill(0)
    this.unicast.fill(0)
    this.leafSeed.fill(0)
    for (const channel of this.#channels.values()) channel.key.fill(0)
    this.#channels.clear()
    this.#exporter = NO_EXPORTER
  }

  #forgetChannel(): void {
    for (const [name, channel] of this.#channels) {
      if (channel.sealed > 0) continue
      channel.key.fill(0)
      this.#channels.delete(name)
      return
    }
  }
}

/** The caller's mistakes, by name. */
function checkSource(crypto: Crypto, source: EpochSource): void {
  const { mlsId, roster, self, leafSeed } = source
  if (mlsId.length !== 16) throw new UsageError(`an MLS-ID of ${mlsId.length} bytes; it must have 16`)
  if (roster.size > MEMBERS_MAX) {
    throw new UsageError(`a roster of ${roster.size} members; at most ${MEMBERS_MAX} are kept`)
  }
  const own = roster.get(self)
  if (own === undefined) {
    throw new UsageError(`leaf ${self} is not in the roster; give this member's own leaf index`)
  }
  if (leafSeed.length !== 32 || !sameBytes(crypto.signatures.publicKey(leafSeed), own.leafKey)) {
    throw new UsageError(`the leaf seed is not that of leaf ${self}; give the seed of its leaf key`)
  }
}
