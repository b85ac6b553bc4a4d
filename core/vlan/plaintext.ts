/**
 * The inside of a sealed packet (sec:A5), at fixed offsets:
 *
 *     kind 1 | flags 1 | first hop limit 1 | t 6 | length 4
 *       | [fragment id 16 | offset 4 | total 4] | payload | [signature 64] | zeros up to a padding class
 *
 * `length` counts the payload alone, in a fragment the piece it carries. Knows the layout and no keys. One
 * form for each content: unknown kinds, flags without a meaning, bytes that are not zero behind the
 * signature (or the payload, without one) and a length that does not fit are refusals.
 */
import { SIGNATURE_BYTES } from '../crypto/ports.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { INNER_HEADER_BYTES, PACKET_OVERHEAD, TRUNK_PACKET_BYTES } from '../wire/packet.ts'

/** What a sealed packet carries. */
export const PAYLOAD_KIND = {
  frame: 0,
  superFrame: 1,
  card: 2,
  init: 3,
  handshake: 4,
  ledger: 5,
  probe: 6,
  control: 7,
} as const
export type PayloadKind = (typeof PAYLOAD_KIND)[keyof typeof PAYLOAD_KIND]
const KIND_MAX = PAYLOAD_KIND.control

/** Largest payload: a super-frame and the sum of all fragments (sec:A12). */
export const PAYLOAD_BYTES_MAX = 65_600

/**
 * Bits of the flags: what stands in the plaintext beside its payload. `parity` goes with `fragment` and is
 * beyond sec:A5: no piece of the whole but what mends a lost one (core/seal/parity.ts).
 */
export const FLAG = { none: 0, fragment: 1, signed: 2, parity: 4 } as const
/** Fragment id, offset and total: what a fragment has beyond its piece. */
const FRAGMENT_HEADER_BYTES = 24
export const FRAGMENT_ID_BYTES = 16

const FLAGS_AT = 1
const FIRST_HOP_AT = 2
const TIME_AT = 3
const LENGTH_AT = 9
const FRAGMENT_ID_AT = INNER_HEADER_BYTES
const OFFSET_AT = FRAGMENT_ID_AT + FRAGMENT_ID_BYTES
const TOTAL_AT = OFFSET_AT + 4
const TWO_TO_32 = 4_294_967_296

/** Which plaintexts are padded to a class: none, those of at most 256 bytes (sec:S14), or all. */
export type Padding = 'none' | 'small' | 'all'

const SMALL_BYTES = 256

/**
 * Padding classes of the plaintext (sec:A12), then multiples of 4,096. The fifth is 1,343 and not the
 * 1,345 of that text: with 77 bytes around it the packet is then exactly what every trunk carries
 * (1,420, mesh:M10) and not two bytes more, which would split every padded full frame.
 */
export const PADDING_CLASSES: readonly number[] = [128, 256, 512, 1_024, TRUNK_PACKET_BYTES - PACKET_OVERHEAD]
const PADDING_STEP = 4_096

/** The length that a plaintext of `length` bytes is padded to. */
export function paddedLength(length: number, padding: Padding): number {
  if (padding === 'none' || (padding === 'small' && length > SMALL_BYTES)) return length
  for (const size of PADDING_CLASSES) if (length <= size) return size
  return Math.ceil(length / PADDING_STEP) * PADDING_STEP
}

/** Bytes of a plaintext before its padding. */
export function plaintextLength(flags: number, payloadBytes: number): number {
  return (
    INNER_HEADER_BYTES +
    ((flags & FLAG.fragment) === 0 ? 0 : FRAGMENT_HEADER_BYTES) +
    payloadBytes +
    ((flags & FLAG.signed) === 0 ? 0 : SIGNATURE_BYTES)
  )
}

// HOT PATH
/** Fills all of `plain`: header, payload, zeros. `millis` is the sender's time since its start. */
export function writePlaintext(
  plain: Uint8Array,
  kind: PayloadKind,
  firstHopLimit: number,
  millis: number,
  payload: Uint8Array,
  flags: number = FLAG.none,
): void {
  writeHeader(plain, kind, flags, firstHopLimit, millis, payload.length)
  plain.set(payload, INNER_HEADER_BYTES)
  plain.fill(0, INNER_HEADER_BYTES + payload.length)
}

// HOT PATH
/**
 * Fills all of `plain` with one fragment: `piece`, which lies at `offset` of `total` bytes. The id, 16
 * bytes, names the whole among all that are cut under the same key.
 */
export function writeFragment(
  plain: Uint8Array,
  kind: PayloadKind,
  flags: number,
  firstHopLimit: number,
  millis: number,
  id: Uint8Array,
  offset: number,
  total: number,
  piece: Uint8Array,
): void {
  writeHeader(plain, kind, flags | FLAG.fragment, firstHopLimit, millis, piece.length)
  plain.set(id, FRAGMENT_ID_AT)
  writeU32(plain, OFFSET_AT, offset)
  writeU32(plain, TOTAL_AT, total)
  const start = INNER_HEADER_BYTES + FRAGMENT_HEADER_BYTES
  plain.set(piece, start)
  plain.fill(0, start + piece.length)
}

// HOT PATH
function writeHeader(
  plain: Uint8Array,
  kind: PayloadKind,
  flags: number,
  firstHopLimit: number,
  millis: number,
  length: number,
): void {
  const millisHigh = Math.floor(millis / TWO_TO_32)
  plain[0] = kind
  plain[FLAGS_AT] = flags
  plain[FIRST_HOP_AT] = firstHopLimit
  plain[TIME_AT] = millisHigh >>> 8
  plain[TIME_AT + 1] = millisHigh
  writeU32(plain, TIME_AT + 2, millis % TWO_TO_32)
  writeU32(plain, LENGTH_AT, length)
}

// HOT PATH
/**
 * True if the bytes are of the only form there is; before that the readers below say nothing. Flags
 * outside of `allowed` have no meaning to the caller: by default none has one. `prefix`: bytes at the start
 * of each fragment's payload that are not part of the piece.
 */
export function isPlaintext(plain: Uint8Array, allowed: number = FLAG.none, prefix = 0): boolean {
  if (plain.length < INNER_HEADER_BYTES || (plain[0] as number) > KIND_MAX) return false
  const flags = plain[FLAGS_AT] as number
  if ((flags & ~allowed) !== 0) return false
  if ((flags & FLAG.parity) !== 0 && (flags & FLAG.fragment) === 0) return false
  const length = readU32(plain, LENGTH_AT)
  if (length > PAYLOAD_BYTES_MAX) return false
  const end = plaintextLength(flags, length)
  if (end > plain.length) return false
  let rest = 0
  for (let at = end; at < plain.length; at++) rest |= plain[at] as number
  return rest === 0 && ((flags & FLAG.fragment) === 0 || isPiece(plain, length - prefix))
}

// HOT PATH
/** Whether a fragment lies within its total. A fragment that is the whole has no need to be one. */
function isPiece(plain: Uint8Array, length: number): boolean {
  const total = fragmentTotalOf(plain)
  if (total > PAYLOAD_BYTES_MAX) return false
  return length > 0 && length < total && fragmentOffsetOf(plain) + length <= total
}

// HOT PATH
export function kindOf(plain: Uint8Array): PayloadKind {
  return plain[0] as PayloadKind
}

// HOT PATH
export function firstHopLimitOf(plain: Uint8Array): number {
  return plain[FIRST_HOP_AT] as number
}

// HOT PATH
/** Milliseconds since the sender's start. */
export function sentMillisOf(plain: Uint8Array): number {
  const high = ((plain[TIME_AT] as number) << 8) | (plain[TIME_AT + 1] as number)
  return high * TWO_TO_32 + readU32(plain, TIME_AT + 2)
}

// HOT PATH
export function flagsOf(plain: Uint8Array): number {
  return plain[FLAGS_AT] as number
}

// HOT PATH
/** Where the payload ends: what a signature covers, and where it stands. */
export function payloadEndOf(plain: Uint8Array): number {
  return payloadStartOf(plain) + readU32(plain, LENGTH_AT)
}

// HOT PATH
function payloadStartOf(plain: Uint8Array): number {
  return INNER_HEADER_BYTES + ((flagsOf(plain) & FLAG.fragment) === 0 ? 0 : FRAGMENT_HEADER_BYTES)
}

// HOT PATH
/** A view of the payload. */
export function payloadOf(plain: Uint8Array): Uint8Array {
  return plain.subarray(payloadStartOf(plain), payloadEndOf(plain))
}

/** A view of the 64 bytes of a signed plaintext. */
export function signatureOf(plain: Uint8Array): Uint8Array {
  const start = payloadEndOf(plain)
  return plain.subarray(start, start + SIGNATURE_BYTES)
}

/** A view of a fragment's id. */
export function fragmentIdOf(plain: Uint8Array): Uint8Array {
  return plain.subarray(FRAGMENT_ID_AT, OFFSET_AT)
}

// HOT PATH
export function fragmentOffsetOf(plain: Uint8Array): number {
  return readU32(plain, OFFSET_AT)
}

// HOT PATH
/** Bytes of the whole that a fragment is a piece of. */
export function fragmentTotalOf(plain: Uint8Array): number {
  return readU32(plain, TOTAL_AT)
}
