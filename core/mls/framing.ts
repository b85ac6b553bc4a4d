/**
 * What an MLS message shows without any key (RFC 9420, sections 6 and 6.3): its kind, and for a message
 * inside a group the group, the epoch and the authenticated data (R15). Groups read it to fetch missing
 * facts before they have a commit processed (sec:B3); engines read it to refuse early and by name. Nothing
 * here is authentic until the commit has been processed.
 */
import { type Reader as Cursor, Reader, Writer } from '../wire/cursor.ts'
import { COMMIT_BYTES_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'

/** ProtocolVersion mls10. */
const MLS_VERSION = 1
/** WireFormat values of RFC 9420, section 17.2. */
export const WIRE_FORMAT = {
  publicMessage: 1,
  privateMessage: 2,
  welcome: 3,
  groupInfo: 4,
  keyPackage: 5,
} as const
/** ContentType commit. */
const CONTENT_COMMIT = 3
/** SenderType member. */
const SENDER_MEMBER = 1

const TWO_TO_32 = 4_294_967_296
/** Beyond this an epoch number is not exact in a double; nobody gets there honestly. */
const EPOCH_MAX = Number.MAX_SAFE_INTEGER

export interface CommitFraming {
  readonly groupId: Uint8Array
  readonly epoch: number
  readonly authenticatedData: Uint8Array
  /** The sealed part, for an engine that reads it itself. */
  readonly encryptedSenderData: Uint8Array
  readonly ciphertext: Uint8Array
}

export type Framed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: MlsRefusal }

const refused = (why: MlsRefusal): { readonly ok: false; readonly why: MlsRefusal } => ({ ok: false, why })

/** Reads the frame of a commit; views of `bytes`. Refused unless it is a PrivateMessage of that content. */
export function readCommitFraming(bytes: Uint8Array): Framed<CommitFraming> {
  if (bytes.length > COMMIT_BYTES_MAX) return refused(MLS_REFUSAL.tooLarge)
  const from = new Reader(bytes)
  const format = readHeader(from)
  if (format === WIRE_FORMAT.publicMessage) return refused(whyPublic(from))
  if (format !== WIRE_FORMAT.privateMessage) return refused(whyNot(format))
  const groupId = takeVector(from)
  const epoch = readEpoch(from)
  const contentType = from.u8()
  const authenticatedData = takeVector(from)
  const encryptedSenderData = takeVector(from)
  const ciphertext = takeVector(from)
  if (from.failed) return refused(MLS_REFUSAL.undecodable)
  if (!from.finished) return refused(MLS_REFUSAL.trailingBytes)
  if (contentType !== CONTENT_COMMIT) return refused(MLS_REFUSAL.messageKind)
  return { ok: true, value: { groupId, epoch, authenticatedData, encryptedSenderData, ciphertext } }
}

/** Refused unless the bytes begin as an MLS message of that format. */
export function checkFormat(bytes: Uint8Array, format: number): MlsRefusal | undefined {
  const found = readHeader(new Reader(bytes))
  return found === format ? undefined : whyNot(found)
}

/** A PublicMessage shows its sender: one from outside is what M8 forbids, a member's is only in clear. */
function whyPublic(from: Cursor): MlsRefusal {
  takeVector(from)
  readEpoch(from)
  const sender = from.u8()
  if (from.failed) return MLS_REFUSAL.undecodable
  return sender === SENDER_MEMBER ? MLS_REFUSAL.messageKind : MLS_REFUSAL.externalCommit
}

function whyNot(format: number): MlsRefusal {
  return format === 0 ? MLS_REFUSAL.undecodable : MLS_REFUSAL.messageKind
}

/** The wire format, or 0 if this is no MLS message. */
function readHeader(from: Cursor): number {
  const version = from.u16()
  const format = from.u16()
  return version === MLS_VERSION && format >= WIRE_FORMAT.publicMessage && format <= WIRE_FORMAT.keyPackage
    ? format
    : 0
}

function readEpoch(from: Cursor): number {
  const epoch = from.u32() * TWO_TO_32 + from.u32()
  if (epoch > EPOCH_MAX) from.fail()
  return epoch
}

/** A variable-size vector of bytes (RFC 9420, section 2.1.2); its length must take the fewest bytes. */
function takeVector(from: Cursor): Uint8Array {
  const first = from.u8()
  const rest = first & 0x3f
  switch (first >> 6) {
    case 0:
      return from.take(rest)
    case 1: {
      const length = rest * 256 + from.u8()
      if (length < 64) from.fail()
      return from.take(length)
    }
    case 2: {
      const length = rest * 16_777_216 + from.u8() * 65_536 + from.u16()
      if (length < 16_384) from.fail()
      return from.take(length)
    }
    default:
      from.fail()
      return from.take(0)
  }
}

/** Bytes that `putVector` writes for a vector of so many bytes. */
export function vectorBytes(length: number): number {
  return length + (length < 64 ? 1 : length < 16_384 ? 2 : 4)
}

export function putVector(to: Writer, bytes: Uint8Array): void {
  const { length } = bytes
  if (length < 64) to.u8(length)
  else if (length < 16_384) to.u16(0x4000 | length)
  else to.u32(0x8000_0000 + length)
  to.put(bytes)
}

/** A whole PrivateMessage with a commit in it: the frame of an engine that seals the inside itself. */
export function writeCommitFraming(value: CommitFraming): Uint8Array {
  const { groupId, epoch, authenticatedData, encryptedSenderData, ciphertext } = value
  const vectors = [groupId, authenticatedData, encryptedSenderData, ciphertext]
  let length = 2 + 2 + 8 + 1
  for (const vector of vectors) length += vectorBytes(vector.length)
  const to = new Writer(length)
  to.u16(MLS_VERSION)
  to.u16(WIRE_FORMAT.privateMessage)
  putVector(to, groupId)
  to.u32(Math.floor(epoch / TWO_TO_32))
  to.u32(epoch % TWO_TO_32)
  to.u8(CONTENT_COMMIT)
  putVector(to, authenticatedData)
  putVector(to, encryptedSenderData)
  putVector(to, ciphertext)
  return to.bytes
}
