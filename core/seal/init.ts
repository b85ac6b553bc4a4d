/**
 * The bytes of an INIT, which opens one direction of unicast (sec:A8, S6): made for one receiver's frame
 * key, signed once, its sender hidden inside. Pure: nothing here remembers anything.
 *
 *     e_pub 32 | AEAD(leaf index 4 | boot 16 | n 4 | t 6 | ack 16 | signature 64)
 */
import { type Crypto, NONCE_BYTES, SIGNATURE_BYTES, TAG_BYTES } from '../crypto/ports.ts'
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { concat } from '../ids.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import { ACK_BYTES } from './cards.ts'
import { BOOT_BYTES, initKey, sessionRoot } from './derive.ts'
import type { Epoch } from './epoch.ts'
import type { FrameKey } from './own.ts'

const EPHEMERAL_BYTES = 32
const FIELDS_BYTES = 4 + BOOT_BYTES + 4 + 6 + ACK_BYTES
const BOX_PLAIN_BYTES = FIELDS_BYTES + SIGNATURE_BYTES
/** Length of an INIT's payload: there is no other. */
export const INIT_BYTES = EPHEMERAL_BYTES + BOX_PLAIN_BYTES + TAG_BYTES
/** No INIT was heard yet. */
export const NO_ACK = new Uint8Array(ACK_BYTES)

const SIGNATURE_NAME = 'init'
/** A box has a key of its own, so its nonce may be the same for all. */
const BOX_NONCE = new Uint8Array(NONCE_BYTES)

/** What the sender says of itself inside. */
export interface InitFields {
  readonly leaf: number
  readonly boot: Uint8Array
  /** Rises with each INIT of a life (`n`). */
  readonly number: number
  /** Milliseconds since its life began (`t`). */
  readonly sentMillis: number
  /** H16 of the last ephemeral key from the receiver, or zeros. */
  readonly ack: Uint8Array
}

export interface MadeInit {
  readonly payload: Uint8Array
  /** H16 of e_pub. */
  readonly ephemeralHash: Uint8Array
  readonly root: Uint8Array
}

/**
 * An INIT in this epoch for the member with that leaf and frame key; the epoch's associated data has the
 * token that it goes to. `secret` is 32 fresh bytes, erased here. Undefined for a frame key of low order.
 */
export function makeInit(
  crypto: Crypto,
  vlan: Uint8Array,
  epoch: Epoch,
  receiver: { readonly leafKey: Uint8Array; readonly frameKey: Uint8Array },
  fields: InitFields,
  secret: Uint8Array,
): MadeInit | undefined {
  const ephemeral = crypto.agreement.publicKey(secret)
  const shared = crypto.agreement.shared(secret, receiver.frameKey)
  secret.fill(0)
  if (shared === undefined) return undefined
  const body = bodyOf(
    vlan,
    epoch.mlsId,
    epoch.leafKey,
    receiver.leafKey,
    receiver.frameKey,
    ephemeral,
    fields,
  )
  const to = new Writer(BOX_PLAIN_BYTES)
  to.u32(fields.leaf)
  writeFields(to, fields)
  to.put(signNamed(crypto.signatures, epoch.leafSeed, SIGNATURE_NAME, body))
  const key = initKey(crypto.kdf, epoch.unicast, shared, ephemeral, receiver.frameKey)
  const payload = new Uint8Array(INIT_BYTES)
  payload.set(ephemeral, 0)
  const header = concat(epoch.aad, ephemeral)
  crypto.aead.seal(key, BOX_NONCE, header, to.bytes, payload.subarray(EPHEMERAL_BYTES))
  const root = sessionRoot(crypto, shared, body)
  key.fill(0)
  shared.fill(0)
  return { payload, ephemeralHash: crypto.hash.hash16(ephemeral), root }
}

/** An INIT that fits one of our frame keys; its signature is not checked yet. */
export interface OpenedInit extends InitFields {
  /** 32 bytes, in memory of its own. */
  readonly ephemeral: Uint8Array
  readonly signature: Uint8Array
  readonly shared: Uint8Array
  /** The frame key that it was made for. */
  readonly frameKey: FrameKey
}

/** Opens the payload with this frame key; undefined if it was made for another. */
export function openInit(
  crypto: Crypto,
  epoch: Epoch,
  frameKey: FrameKey,
  payload: Uint8Array,
): OpenedInit | undefined {
  if (payload.length !== INIT_BYTES) return undefined
  const ephemeral = payload.slice(0, EPHEMERAL_BYTES)
  const shared = crypto.agreement.shared(frameKey.secret, ephemeral)
  if (shared === undefined) return undefined
  const key = initKey(crypto.kdf, epoch.unicast, shared, ephemeral, frameKey.publicKey)
  const plain = new Uint8Array(BOX_PLAIN_BYTES)
  const header = concat(epoch.aad, ephemeral)
  const opens = crypto.aead.open(key, BOX_NONCE, header, payload.subarray(EPHEMERAL_BYTES), plain)
  key.fill(0)
  if (!opens) return undefined
  const from = new Reader(plain)
  return {
    ephemeral,
    shared,
    frameKey,
    leaf: from.u32(),
    boot: from.take(BOOT_BYTES),
    number: from.u32(),
    sentMillis: from.u48(),
    ack: from.take(ACK_BYTES),
    signature: from.take(SIGNATURE_BYTES),
  }
}

/**
 * The root of the session if the INIT is signed by the sender's leaf key, for this receiver and epoch;
 * else undefined. Erases the shared secret either way.
 */
export function verifyInit(
  crypto: Crypto,
  vlan: Uint8Array,
  epoch: Epoch,
  senderLeafKey: Uint8Array,
  init: OpenedInit,
): Uint8Array | undefined {
  const { ephemeral, shared, frameKey, signature } = init
  const body = bodyOf(vlan, epoch.mlsId, senderLeafKey, epoch.leafKey, frameKey.publicKey, ephemeral, init)
  const good = verifyNamed(crypto.signatures, senderLeafKey, SIGNATURE_NAME, body, signature)
  const root = good ? sessionRoot(crypto, shared, body) : undefined
  shared.fill(0)
  return root
}

/** What is signed: VLAN-ID | MLS-ID | leaf_S | leaf_R | FK_R | e_pub | boot | n | t | ack. */
function bodyOf(
  vlan: Uint8Array,
  mlsId: Uint8Array,
  senderLeafKey: Uint8Array,
  receiverLeafKey: Uint8Array,
  frameKey: Uint8Array,
  ephemeral: Uint8Array,
  fields: InitFields,
): Uint8Array {
  const to = new Writer(FIELDS_BYTES - 4)
  writeFields(to, fields)
  return concat(vlan, mlsId, senderLeafKey, receiverLeafKey, frameKey, ephemeral, to.bytes)
}

/** All fields but the leaf index: the signature has the leaf's key instead. */
function writeFields(to: Writer, fields: InitFields): void {
  to.put(fields.boot)
  to.u32(fields.number)
  to.u48(fields.sentMillis)
  to.put(fields.ack)
}
