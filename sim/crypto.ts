/**
 * A stand-in for cryptography in simulations: the same sizes and the same verdicts, a thousand times
 * faster. A wrong key or any changed byte fails as with the real thing, so lying and corrupting nodes are
 * caught; the counters of signatures and seals still charge a simulated processor for the real cost.
 *
 * What it does not give: secrecy, and unforgeability. A signature is a checksum under the public key, so
 * whoever has that key can make one; a sealed packet is masked, not encrypted; an agreed secret is a
 * checksum of both public keys. No simulated attacker makes use of that, because no code here asks for it.
 * Never to be used between real nodes.
 *
 * Everything is 32-bit integer arithmetic with bytes assembled by shifts: the same on every engine and
 * every byte order. Each step of the mixing is a bijection of the state for a given input word, so two
 * inputs that differ in one word never end in the same 128 bits.
 */
import {
  type Aead,
  AGREEMENT_BYTES,
  type Crypto,
  type Hash,
  type Kdf,
  type KeyAgreement,
  NONCE_BYTES,
  PSEUDORANDOM_KEY_BYTES,
  SIGNATURE_BYTES,
  type Signatures,
  TAG_BYTES,
} from '../core/crypto/ports.ts'
import { checkExpand, checkSecret } from '../core/crypto/rules.ts'

// Odd multipliers with well spread bits; those of xxHash and MurmurHash3.
const MIX_A = 0x9e3779b1 | 0
const MIX_B = 0x85ebca77 | 0
const MIX_C = 0xc2b2ae3d | 0
const MIX_D = 0x27d4eb2f | 0
const WEYL = 0x9e3779b9 | 0

/** One start value for each use, so that no output of one is an output of another. */
const USE = {
  hash: 1,
  keyed: 2,
  publicKey: 3,
  signature: 4,
  seal: 5,
  mask: 6,
  agreementKey: 7,
  agreement: 8,
  extract: 9,
  expand: 10,
} as const

const KEY_BYTES = 32

/** A state of four 32-bit lanes that takes in bytes and gives out words. One for the whole thread. */
class Mixer {
  #a = 0
  #b = 0
  #c = 0
  #d = 0
  // The stream that masks sealed bytes.
  #stream = 0
  #streamKey = 0

  begin(use: number): void {
    this.#a = use
    this.#b = MIX_B
    this.#c = MIX_C
    this.#d = MIX_D
  }

  // HOT PATH
  /** Takes in bytes and how many they were, so that two parts cannot trade bytes. */
  absorb(bytes: Uint8Array): void {
    const length = bytes.length
    const whole = length & ~3
    let a = this.#a
    let b = this.#b
    let c = this.#c
    let d = this.#d
    for (let at = 0; at < whole; at += 4) {
      a = Math.imul(a ^ word(bytes, at), MIX_A)
      a ^= a >>> 15
      b = Math.imul(((b << 13) | (b >>> 19)) + a, MIX_B)
      c = ((c << 7) | (c >>> 25)) ^ b ^ (b >>> 16)
      d = (Math.imul(d, 5) + c) | 0
    }
    a ^= lastWord(bytes, whole)
    this.#a = Math.imul(a, MIX_A)
    this.#b = b ^ length
    this.#c = c
    this.#d = d
  }

  /** A round in which every lane reaches those after it; two of them, and it reaches all. */
  #stir(): void {
    const a = (Math.imul(this.#a ^ this.#d, MIX_A) + WEYL) | 0
    this.#a = a ^ (a >>> 16)
    const b = Math.imul(this.#b ^ this.#a, MIX_B)
    this.#b = b ^ (b >>> 15)
    const c = Math.imul(this.#c ^ this.#b, MIX_C)
    this.#c = c ^ (c >>> 16)
    const d = Math.imul(this.#d ^ this.#c, MIX_D)
    this.#d = d ^ (d >>> 15)
  }

  /** Fills `out` between two offsets that lie a multiple of 4 apart. */
  squeeze(out: Uint8Array, from: number, to: number): void {
    this.#stir()
    for (let at = from; at < to; at += 16) {
      this.#stir()
      put(out, at, this.#a)
      if (at + 4 < to) put(out, at + 4, this.#b)
      if (at + 8 < to) put(out, at + 8, this.#c)
      if (at + 12 < to) put(out, at + 12, this.#d)
    }
  }

  /** True if `squeeze` would give exactly these bytes; as long as their number is a multiple of 16. */
  matches(bytes: Uint8Array, from: number, to: number): boolean {
    let difference = 0
    this.#stir()
    for (let at = from; at < to; at += 16) {
      this.#stir()
      difference |= this.#a ^ word(bytes, at)
      difference |= this.#b ^ word(bytes, at + 4)
      difference |= this.#c ^ word(bytes, at + 8)
      difference |= this.#d ^ word(bytes, at + 12)
    }
    return difference === 0
  }

  /** The state so far decides the stream; what is taken in later does not. */
  beginStream(): void {
    this.#stir()
    this.#stir()
    this.#stream = this.#b
    this.#streamKey = this.#d
  }

  // HOT PATH
  /** Masks `length` bytes of `from` into `out` and takes in the plain side of them. */
  cross(from: Uint8Array, out: Uint8Array, length: number, sealing: boolean): void {
    const whole = length & ~3
    const streamKey = this.#streamKey
    let stream = this.#stream
    let a = this.#a
    let b = this.#b
    let c = this.#c
    let d = this.#d
    for (let at = 0; at < whole; at += 4) {
      stream = (stream + WEYL) | 0
      const input = word(from, at)
      const output = input ^ spread(stream, streamKey)
      put(out, at, output)
      a = Math.imul(a ^ (sealing ? input : output), MIX_A)
      a ^= a >>> 15
      b = Math.imul(((b << 13) | (b >>> 19)) + a, MIX_B)
      c = ((c << 7) | (c >>> 25)) ^ b ^ (b >>> 16)
      d = (Math.imul(d, 5) + c) | 0
    }
    let rest = spread((stream + WEYL) | 0, streamKey)
    for (let at = whole; at < length; at++, rest >>>= 8) out[at] = (from[at] as number) ^ rest
    a ^= lastWord(sealing ? from : out, whole, length)
    this.#a = Math.imul(a, MIX_A)
    this.#b = b ^ length
    this.#c = c
    this.#d = d
  }
}

function spread(stream: number, streamKey: number): number {
  const mixed = Math.imul(stream ^ (stream >>> 16), MIX_B) ^ streamKey
  return mixed ^ (mixed >>> 13)
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** The one to three bytes behind the last whole word, or zero. */
function lastWord(bytes: Uint8Array, from: number, to = bytes.length): number {
  let value = 0
  for (let at = to - 1; at >= from; at--) value = (value << 8) | (bytes[at] as number)
  return value
}

function put(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

const mixer = new Mixer()

function digest(use: number, length: number, first: Uint8Array, second?: Uint8Array): Uint8Array {
  const out = new Uint8Array(length)
  mixer.begin(use)
  mixer.absorb(first)
  if (second !== undefined) mixer.absorb(second)
  mixer.squeeze(out, 0, length)
  return out
}

const hash: Hash = {
  hash16: (input) => digest(USE.hash, 16, input),
  hash32: (input) => digest(USE.hash, 32, input),
  keyed32: (key, input) => digest(USE.keyed, 32, key, input),
}

const ownKey = new Uint8Array(KEY_BYTES)

const signatures: Signatures = {
  publicKey: (seed) => digest(USE.publicKey, KEY_BYTES, seed),
  sign(seed, message) {
    mixer.begin(USE.publicKey)
    mixer.absorb(seed)
    mixer.squeeze(ownKey, 0, KEY_BYTES)
    return digest(USE.signature, SIGNATURE_BYTES, ownKey, message)
  },
  verify(publicKey, message, signature) {
    if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
    mixer.begin(USE.signature)
    mixer.absorb(publicKey)
    mixer.absorb(message)
    return mixer.matches(signature, 0, SIGNATURE_BYTES)
  },
}

const aead: Aead = {
  seal(key, nonce, header, plain, out) {
    beginSeal(key, nonce, header)
    mixer.cross(plain, out, plain.length, true)
    mixer.squeeze(out, plain.length, plain.length + TAG_BYTES)
  },
  open(key, nonce, header, sealed, out) {
    const length = sealed.length - TAG_BYTES
    if (length < 0) return false
    beginSeal(key, nonce, header)
    mixer.cross(sealed, out, length, false)
    if (mixer.matches(sealed, length, sealed.length)) return true
    // As with the real thing, nobody gets to see what did not open.
    out.fill(0)
    return false
  },
  mask(key, block, out) {
    mixer.begin(USE.mask)
    mixer.absorb(key)
    mixer.absorb(block)
    mixer.squeeze(out, 0, NONCE_BYTES)
  },
}

function beginSeal(key: Uint8Array, nonce: Uint8Array, header: Uint8Array): void {
  mixer.begin(USE.seal)
  mixer.absorb(key)
  mixer.absorb(nonce)
  mixer.beginStream()
  mixer.absorb(header)
}

const agreement: KeyAgreement = {
  publicKey(secret) {
    checkSecret(secret)
    return digest(USE.agreementKey, AGREEMENT_BYTES, secret)
  },
  /** Over both public keys in the order of their bytes, so that either side gets the same. */
  shared(secret, publicKey) {
    checkSecret(secret)
    if (publicKey.length !== AGREEMENT_BYTES || isZero(publicKey)) return undefined
    const own = digest(USE.agreementKey, AGREEMENT_BYTES, secret)
    return comesFirst(own, publicKey)
      ? digest(USE.agreement, AGREEMENT_BYTES, own, publicKey)
      : digest(USE.agreement, AGREEMENT_BYTES, publicKey, own)
  },
}

/** Stands for all public keys of low order. */
function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false
  return true
}

function comesFirst(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = 0; at < left.length; at++) {
    const difference = (left[at] as number) - (right[at] as number)
    if (difference !== 0) return difference < 0
  }
  return true
}

const kdf: Kdf = {
  extract: (salt, keyMaterial) => digest(USE.extract, PSEUDORANDOM_KEY_BYTES, salt, keyMaterial),
  expand(pseudorandomKey, info, length) {
    checkExpand(pseudorandomKey, length)
    return digest(USE.expand, (length + 3) & ~3, pseudorandomKey, info).subarray(0, length)
  },
}

export const standInCrypto: Crypto = { hash, signatures, aead, agreement, kdf }
