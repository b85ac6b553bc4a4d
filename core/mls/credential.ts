/**
 * The MLS credential of a member (sec:C1), always of MLS type `basic`: ts-mls can decode no other (R14).
 *
 *   member key 32 ‖ serial 16 ‖ join number 6 ‖ signature 64
 *
 * The signature is the member's over VLAN-ID ‖ serial ‖ join number ‖ leaf key, so nobody can bring a leaf
 * into a group in another member's name. Whether that member may be there is told by the ledger, not here.
 */
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type Signatures } from '../crypto/ports.ts'
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { assert } from '../errors.ts'
import { concat, VLAN_ID_BYTES } from '../ids.ts'
import { Reader, Writer } from '../wire/cursor.ts'
import { CREDENTIAL_BYTES } from './limits.ts'

const SERIAL_BYTES = 16
const JOIN_NUMBER_BYTES = 6
const SIGNED_NAME = 'leaf'

export interface Credential {
  /** Ed25519 key of the member in this VLAN, 32 bytes. */
  readonly memberKey: Uint8Array
  /** Of the Grant that admits the member, 16 bytes. */
  readonly serial: Uint8Array
  /** Milliseconds, rising with each join, below 2^48: an old KeyPackage cannot displace a newer leaf. */
  readonly joinNumber: number
  readonly signature: Uint8Array
}

/** What a member says of itself when it makes a leaf. */
export interface CredentialClaim {
  readonly vlan: Uint8Array
  readonly serial: Uint8Array
  readonly joinNumber: number
  readonly leafKey: Uint8Array
}

/** The 118 bytes of a credential, signed by the member's 32-byte seed. */
export function makeCredential(
  signatures: Signatures,
  memberSeed: Uint8Array,
  claim: CredentialClaim,
): Uint8Array {
  const { vlan, serial, joinNumber, leafKey } = claim
  assert(vlan.length === VLAN_ID_BYTES && leafKey.length === PUBLIC_KEY_BYTES, 'a claim of wrong lengths')
  assert(serial.length === SERIAL_BYTES, 'the serial of a Grant has 16 bytes')
  const to = new Writer(CREDENTIAL_BYTES)
  to.put(signatures.publicKey(memberSeed))
  to.put(serial)
  to.u48(joinNumber)
  const claimed = to.bytes.subarray(PUBLIC_KEY_BYTES, to.offset)
  to.put(signNamed(signatures, memberSeed, SIGNED_NAME, concat(vlan, claimed, leafKey)))
  return to.bytes
}

/** The fields, as views; undefined unless there are exactly 118 bytes. */
export function readCredential(bytes: Uint8Array): Credential | undefined {
  if (bytes.length !== CREDENTIAL_BYTES) return undefined
  const from = new Reader(bytes)
  return {
    memberKey: from.take(PUBLIC_KEY_BYTES),
    serial: from.take(SERIAL_BYTES),
    joinNumber: from.u48(),
    signature: from.take(SIGNATURE_BYTES),
  }
}

/** True if the credential binds this leaf key to its member key in this VLAN; never throws. */
export function verifyCredential(
  signatures: Signatures,
  vlan: Uint8Array,
  credential: Uint8Array,
  leafKey: Uint8Array,
): boolean {
  const read = readCredential(credential)
  if (read === undefined) return false
  const claimedEnd = PUBLIC_KEY_BYTES + SERIAL_BYTES + JOIN_NUMBER_BYTES
  const claimed = credential.subarray(PUBLIC_KEY_BYTES, claimedEnd)
  return verifyNamed(signatures, read.memberKey, SIGNED_NAME, concat(vlan, claimed, leafKey), read.signature)
}
