/**
 * The inside of a sealed packet (sec:A5), at fixed offsets:
 *
 *     kind 1 | flags 1 | first hop limit 1 | t 6 | length 4 | payload | zeros up to a padding class
 *
 * Knows the layout and no keys. One form for each content: unknown kinds, flags without a meaning, bytes
 * that are not zero behind the payload and a length that does not fit are refusals.
 */
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

const FLAGS_AT = 1
const FIRST_HOP_AT = 2
const TIME_AT = 3
const LENGTH_AT = 9
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

// HOT PATH
/** Fills all of `plain`: header, payload, zeros. `millis` is the sender's time since its start. */
export function writePlaintext(
  plain: Uint8Array,
  kind: PayloadKind,
  firstHopLimit: number,
  millis: number,
  payload: Uint8Array,
): void {
  const millisHigh = Math.floor(millis / TWO_TO_32)
  plain[0] = kind
  plain[FLAGS_AT] = 0
  plain[FIRST_HOP_AT] = firstHopLimit
  plain[TIME_AT] = millisHigh >>> 8
  plain[TIME_AT + 1] = millisHigh
  writeU32(plain, TIME_AT + 2, millis % TWO_TO_32)
  writeU32(plain, LENGTH_AT, payload.length)
  plain.set(payload, INNER_HEADER_BYTES)
  plain.fill(0, INNER_HEADER_BYTES + payload.length)
}

// HOT PATH
/** True if the bytes are of the only form there is; before that the readers below say nothing. */
export function isPlaintext(plain: Uint8Array): boolean {
  // Fragments and signatures come with MLS groups; until then their flags have no meaning either.
  if (plain.length < INNER_HEADER_BYTES || (plain[0] as number) > KIND_MAX || plain[FLAGS_AT] !== 0)
    return false
  const length = readU32(plain, LENGTH_AT)
  const end = INNER_HEADER_BYTES + length
  if (end > plain.length || length > PAYLOAD_BYTES_MAX) return false
  let rest = 0
  for (let at = end; at < plain.length; at++) rest |= plain[at] as number
  return rest === 0
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
/** A view of the payload. */
export function payloadOf(plain: Uint8Array): Uint8Array {
  return plain.subarray(INNER_HEADER_BYTES, INNER_HEADER_BYTES + readU32(plain, LENGTH_AT))
}
