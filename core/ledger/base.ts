/**
 * Bytes as text that people copy and cameras read: base64url and base32 (RFC 4648, sections 5 and 6),
 * without padding characters. Strict: bits left over at the end must be zero, so a text has one form.
 */

export interface Base {
  readonly name: string
  /** Bits that one character stands for. */
  readonly bits: number
  readonly digits: string
}

export const BASE64URL: Base = {
  name: 'base64url',
  bits: 6,
  digits: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
}
/** Its characters are among the 45 that QR codes pack into 5.5 bits each. */
export const BASE32: Base = { name: 'base32', bits: 5, digits: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567' }

export function toText(base: Base, bytes: Uint8Array): string {
  const mask = (1 << base.bits) - 1
  let text = ''
  let held = 0
  let heldBits = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    heldBits += 8
    while (heldBits >= base.bits) {
      heldBits -= base.bits
      text += base.digits[(held >> heldBits) & mask]
    }
    held &= 0xff
  }
  return heldBits > 0 ? text + base.digits[(held << (base.bits - heldBits)) & mask] : text
}

/** The bytes; or the place from 0 of the first wrong character, which for a wrong end is the length. */
export function fromText(base: Base, text: string): Uint8Array | number {
  const bytes: number[] = []
  let held = 0
  let heldBits = 0
  for (let at = 0; at < text.length; at++) {
    const digit = base.digits.indexOf(text[at] as string)
    if (digit < 0) return at
    held = ((held << base.bits) | digit) & 0xfff
    heldBits += base.bits
    if (heldBits >= 8) {
      heldBits -= 8
      bytes.push((held >> heldBits) & 0xff)
    }
  }
  const rest = held & ((1 << heldBits) - 1)
  // A whole character of rest, or bits in it, come from no bytes.
  return heldBits >= base.bits || rest !== 0 ? text.length : Uint8Array.from(bytes)
}
