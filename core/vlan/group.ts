/**
 * What a VLAN's members share: keys to seal and open packets (sec:A). It knows keys and senders, and
 * nothing of trees, tokens or ports. `Group` is the seam behind which MLS will stand; `StaticGroup` fills
 * it from one pre-shared 32-byte key.
 *
 * Derivations of a static group, in place of the MLS exporter:
 *
 *     E(label, context) = BLAKE3-keyed(group key, label | 0x00 | VLAN-ID | context), 32 bytes
 *     GroupInitKey = E("peertap group init", "")      MLS-ID = BLAKE3-128(GroupInitKey)
 *     mask key     = E("peertap mask", "")
 *     sender       = first 8 bytes of BLAKE3-128(member key | boot), a first half of 0 read as 1
 *     sender's key = E("peertap group key", sender)
 *     nonce N      = sender 8 | counter 4             W = N xor AES-256-ECB(mask key, tag)[0..11]
 *
 * The nonce is the index 4 and counter 8 of sec:A3 with a counter that starts at a multiple of 2^32 drawn
 * with the boot. An index of 32 bits alone would do for MLS, where every epoch has new keys; a static key
 * sees every boot there ever was, and two boots on one index would repeat a nonce under one key. A key
 * retires at 2^32 packets anyway (sec:A10), so the counter keeps all it needs.
 *
 * What a static group does not give: forward secrecy, eviction, and proof of the sender among members
 * (frames are not signed: whoever holds the group key can speak as anyone who does).
 */
import { type Crypto, NONCE_BYTES, TAG_BYTES } from '../crypto/ports.ts'
import type { Keys } from '../dice.ts'
import { assert, InvariantError, UsageError } from '../errors.ts'
import { concat, mlsId, TOKEN_BYTES, utf8, vlanId } from '../ids.ts'
import type { Micros, VlanMembership } from '../io.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { DATA_VERSION_TYPE } from '../wire/kinds.ts'
import {
  AAD_BYTES,
  CIPHER_OFFSET,
  INNER_HEADER_BYTES,
  isDataPacket,
  MLS_OFFSET,
  mlsIdIs,
  NONCE_OFFSET,
  PACKET_OVERHEAD,
  TOKEN_OFFSET,
  VLAN_OFFSET,
  vlanIs,
} from '../wire/packet.ts'
import { packetSlab, Scratch } from '../wire/slab.ts'
import {
  firstHopLimitOf,
  isPlaintext,
  kindOf,
  PAYLOAD_BYTES_MAX,
  PAYLOAD_KIND,
  type Padding,
  type PayloadKind,
  paddedLength,
  payloadOf,
  sentMillisOf,
  writePlaintext,
} from './plaintext.ts'
import { ReplayWindow } from './replay.ts'

export { PAYLOAD_KIND, type PayloadKind }

/** Why a packet was not opened: the name of its counter, or `opened`. */
export type OpenOutcome =
  | 'opened'
  | 'dropMalformed'
  | 'dropUnknownEpoch'
  | 'dropReplay'
  | 'boundSenders'
  | 'dropBadTag'
  | 'dropPlaintext'

/** What the last opened packet held. One record for each group, overwritten by the next. */
export interface Opened {
  readonly kind: PayloadKind
  /** Fresh bytes that nobody writes again; copy what goes into a table, it keeps a slab alive. */
  readonly payload: Uint8Array
  /** A small number that names the sender, the same for all its packets of one start. */
  readonly sender: number
  /** The sender's packet count, from 0; with the sender it names the packet within the epoch. */
  readonly sequence: number
  /** The hop limit the packet set out with: less the one it came with, the hops it made (mesh:M9). */
  readonly firstHopLimit: number
  /** Milliseconds since the sender's start. */
  readonly sentMillis: number
}

export interface Group {
  /** 16 bytes. */
  readonly vlan: Uint8Array
  /** What to put into the trunk header of own packets: the same for all of them (mesh:M9). */
  readonly firstHopLimit: number
  readonly opened: Opened
  /** The epoch that is sealed under, 16 bytes. */
  mlsId(): Uint8Array
  /** A whole packet to a token, in fresh bytes. Throws nothing but InvariantError. */
  seal(now: Micros, kind: PayloadKind, token: Uint8Array, payload: Uint8Array): Uint8Array
  /** Fills `opened` if it says so; otherwise nothing is changed but scratch. */
  open(packet: Uint8Array): OpenOutcome
}

/** Senders known at a time. Beyond it new ones are refused: to forget one lets its packets be replayed. */
export const SENDERS_MAX = 4_096
/** Senders that share an index; a fifth is refused, so that no look-up is long (sec:A4). */
const BUCKET_MAX = 4

/** How much one sending key may seal. */
export interface KeyLimits {
  readonly packets: number
  /** Of 16 bytes. */
  readonly blocks: number
}

/**
 * When a sending key retires (sec:A10, S4). Its age of one hour is not asked: without cards each change
 * costs every receiver a new sender, and a static key has no forward secrecy to gain.
 */
const KEY_LIMITS: KeyLimits = { packets: 4_294_967_295, blocks: 34_359_738_368 }
/** Blocks of GCM beside those of the text: the header's four, the lengths, and the mask of the tag. */
const EXTRA_BLOCKS = 6
/** The range from which each member draws its first hop limit (mesh:M9). */
const FIRST_HOP_MIN = 64
const FIRST_HOP_RANGE = 64
const BOOT_BYTES = 16

// Labels of the derivations above, each with the zero byte that ends it.
const GROUP_INIT = utf8('peertap group init\0')
const MASK = utf8('peertap mask\0')
const GROUP_KEY = utf8('peertap group key\0')
const FIRST_HOP = utf8('peertap first hop v1\0')
const NO_CONTEXT = new Uint8Array(0)

// Scratch of the whole thread: the core runs one step at a time and nothing here outlives a call.
const nonce = new Uint8Array(NONCE_BYTES)
const mask = new Uint8Array(NONCE_BYTES)
const tag = new Uint8Array(TAG_BYTES)
const SCRATCH_BYTES = 2_048
const scratch = new Scratch(SCRATCH_BYTES)

interface Sender {
  readonly ordinal: number
  /** The second half of its id; the first is the key of the table. */
  readonly high: number
  readonly key: Uint8Array
  readonly window: ReplayWindow
}

export interface StaticGroupOptions {
  readonly crypto: Crypto
  readonly keys: Keys
  readonly membership: VlanMembership
  /** The start of this member's life, from which `t` counts. */
  readonly now: Micros
  /** By default `small` in private VLANs, else `none` (sec:S14). */
  readonly padding?: Padding
  /** By default KEY_LIMITS; there to be lowered where the end of a key is what is looked at. */
  readonly keyLimits?: KeyLimits
}

export class StaticGroup implements Group {
  readonly vlan: Uint8Array
  readonly firstHopLimit: number
  readonly opened: { -readonly [Field in keyof Opened]: Opened[Field] } = {
    kind: PAYLOAD_KIND.frame,
    payload: scratch.take(0),
    sender: 0,
    sequence: 0,
    firstHopLimit: 0,
    sentMillis: 0,
  }

  readonly #crypto: Crypto
  readonly #keys: Keys
  readonly #membership: VlanMembership
  readonly #padding: Padding
  readonly #limits: KeyLimits
  readonly #mlsId: Uint8Array
  readonly #maskKey: Uint8Array
  /** Version and type, VLAN-ID and MLS-ID stay; the token is written for each packet. */
  readonly #aad = new Uint8Array(AAD_BYTES)

  // This member as a sender.
  #index = 0
  #high = 0
  #key: Uint8Array = this.#aad
  #counter = 0
  #blocks = 0
  #bootAt: Micros = 0

  /** By the first half of the sender's id. */
  readonly #senders = new Map<number, Sender[]>()
  #senderCount = 0

  constructor(options: StaticGroupOptions) {
    const { crypto, membership } = options
    if (membership.groupKey.length !== 32) {
      throw new UsageError(`a group key of ${membership.groupKey.length} bytes; it must have 32`)
    }
    this.#crypto = crypto
    this.#keys = options.keys
    this.#membership = membership
    this.#padding = options.padding ?? (membership.privacy === 'private' ? 'small' : 'none')
    this.#limits = options.keyLimits ?? KEY_LIMITS
    this.vlan = vlanId(crypto.hash, membership.authorityKey, membership.label)
    this.#mlsId = mlsId(crypto.hash, this.#export(GROUP_INIT))
    this.#maskKey = this.#export(MASK)
    this.#aad[0] = DATA_VERSION_TYPE
    this.#aad.set(this.vlan, VLAN_OFFSET)
    this.#aad.set(this.#mlsId, MLS_OFFSET)
    this.firstHopLimit = firstHopLimit(crypto, membership)
    this.#startSending(options.now)
  }

  mlsId(): Uint8Array {
    return this.#mlsId
  }

  // HOT PATH
  seal(now: Micros, kind: PayloadKind, token: Uint8Array, payload: Uint8Array): Uint8Array {
    if (payload.length > PAYLOAD_BYTES_MAX || token.length !== TOKEN_BYTES) refuseToSeal(token, payload)
    const plain = scratch.take(paddedLength(INNER_HEADER_BYTES + payload.length, this.#padding))
    this.#spend(now, plain.length)
    const millis = Math.floor((now - this.#bootAt) / 1_000)
    writePlaintext(plain, kind, this.firstHopLimit, millis, payload)

    writeU32(nonce, 0, this.#index)
    writeU32(nonce, 4, this.#high)
    writeU32(nonce, 8, this.#counter++)
    this.#aad.set(token, TOKEN_OFFSET)
    const packet = packetSlab.take(PACKET_OVERHEAD + plain.length)
    packet.set(this.#aad, 0)
    this.#crypto.aead.seal(this.#key, nonce, this.#aad, plain, packet.subarray(CIPHER_OFFSET))
    this.#maskOf(packet)
    for (let at = 0; at < NONCE_BYTES; at++)
      packet[NONCE_OFFSET + at] = (nonce[at] as number) ^ (mask[at] as number)
    return packet
  }

  // HOT PATH
  /** In the order of sec:A4: look-up, window (asked only), open, plaintext, and only then the mark. */
  open(packet: Uint8Array): OpenOutcome {
    if (!isDataPacket(packet)) return 'dropMalformed'
    if (!mlsIdIs(packet, this.#mlsId) || !vlanIs(packet, this.vlan)) return 'dropUnknownEpoch'
    this.#maskOf(packet)
    for (let at = 0; at < NONCE_BYTES; at++)
      nonce[at] = (packet[NONCE_OFFSET + at] as number) ^ (mask[at] as number)
    const index = readU32(nonce, 0)
    const high = readU32(nonce, 4)
    const counter = readU32(nonce, 8)
    // An own packet that came back is a loop or a replay; there is nothing in it for this member.
    if (index === this.#index && high === this.#high) return 'dropReplay'
    const known = this.#find(index, high)
    if (known === undefined) {
      if (this.#full(index)) return 'boundSenders'
    } else if (!known.window.accepts(counter)) return 'dropReplay'

    const key = known === undefined ? this.#senderKey(index, high) : known.key
    for (let at = TOKEN_OFFSET; at < AAD_BYTES; at++) this.#aad[at] = packet[at] as number
    const plain = packetSlab.take(packet.length - PACKET_OVERHEAD)
    const opens = this.#crypto.aead.open(key, nonce, this.#aad, packet.subarray(CIPHER_OFFSET), plain)
    if (!opens) return 'dropBadTag'
    if (!isPlaintext(plain)) return 'dropPlaintext'
    if (known !== undefined) known.window.mark(counter)
    const sender = known ?? this.#learn(index, high, key, counter)
    this.#fill(plain, sender.ordinal, counter)
    return 'opened'
  }

  /** Known senders: for views and tests. */
  get senders(): number {
    return this.#senderCount
  }

  #fill(plain: Uint8Array, sender: number, counter: number): void {
    const { opened } = this
    opened.kind = kindOf(plain)
    opened.firstHopLimit = firstHopLimitOf(plain)
    opened.sentMillis = sentMillisOf(plain)
    opened.payload = payloadOf(plain)
    opened.sender = sender
    opened.sequence = counter
  }

  /** One AES block over the packet's tag, into the shared `mask`. */
  #maskOf(packet: Uint8Array): void {
    const from = packet.length - TAG_BYTES
    for (let at = 0; at < TAG_BYTES; at++) tag[at] = packet[from + at] as number
    this.#crypto.aead.mask(this.#maskKey, tag, mask)
  }

  #find(index: number, high: number): Sender | undefined {
    const bucket = this.#senders.get(index)
    if (bucket === undefined) return undefined
    for (const sender of bucket) if (sender.high === high) return sender
    return undefined
  }

  #full(index: number): boolean {
    return this.#senderCount >= SENDERS_MAX || (this.#senders.get(index)?.length ?? 0) >= BUCKET_MAX
  }

  /** Only for a packet that opened: outsiders cannot fill the table. */
  #learn(index: number, high: number, key: Uint8Array, counter: number): Sender {
    const sender = { ordinal: this.#senderCount++, high, key, window: new ReplayWindow(counter) }
    const bucket = this.#senders.get(index)
    if (bucket === undefined) this.#senders.set(index, [sender])
    else bucket.push(sender)
    return sender
  }

  /** Counts a packet against the limits of the key and takes another where they are reached. */
  #spend(now: Micros, plainBytes: number): void {
    const blocks = Math.ceil(plainBytes / 16) + EXTRA_BLOCKS
    if (this.#counter >= this.#limits.packets || this.#blocks + blocks > this.#limits.blocks)
      this.#startSending(now)
    this.#blocks += blocks
  }

  /** A new sender id and key from a fresh boot, never stored: no restart repeats a nonce (sec:A2). */
  #startSending(now: Micros): void {
    const boot = this.#keys.bytes(BOOT_BYTES)
    assert(boot.length === BOOT_BYTES, `a boot of ${boot.length} bytes`)
    const id = this.#crypto.hash.hash16(concat(this.#membership.memberKey, boot))
    this.#index = readU32(id, 0) || 1
    this.#high = readU32(id, 4)
    this.#key = this.#senderKey(this.#index, this.#high)
    this.#counter = 0
    this.#blocks = 0
    this.#bootAt = now
  }

  #senderKey(index: number, high: number): Uint8Array {
    const id = new Uint8Array(8)
    writeU32(id, 0, index)
    writeU32(id, 4, high)
    return this.#export(GROUP_KEY, id)
  }

  #export(label: Uint8Array, context: Uint8Array = NO_CONTEXT): Uint8Array {
    return this.#crypto.hash.keyed32(this.#membership.groupKey, concat(label, this.vlan, context))
  }
}

/**
 * Drawn once for a member and salt, not per packet: the highest of many draws would tell a relay its
 * distance to the sender (mesh:M9). From the salt, so that no relay can compute it.
 */
function firstHopLimit(crypto: Crypto, membership: VlanMembership): number {
  const draw = crypto.hash.keyed32(membership.salt, concat(FIRST_HOP, membership.memberKey))
  return FIRST_HOP_MIN + ((draw[0] as number) % FIRST_HOP_RANGE)
}

/** Apart from the hot path, which must not build a message for an error that does not happen. */
function refuseToSeal(token: Uint8Array, payload: Uint8Array): never {
  throw new InvariantError(`asked to seal ${payload.length} bytes to a token of ${token.length}`)
}
