/**
 * Names of things and how they are computed: peers, VLANs, epochs, forwarding tokens and MAC addresses.
 * Every formula has vectors in test/vectors/ids.json. Nothing here is called per frame: tokens are cached
 * by TokenBook, and the data path compares bytes and numbers, never text.
 *
 * Concatenations need no separators because every part but the last has a fixed length; the label of a
 * VLAN, the only part that varies, stands last.
 */
import { type Hash, PUBLIC_KEY_BYTES } from './crypto/ports.ts'
import { UsageError } from './errors.ts'
import type { PeerId } from './io.ts'
import { readU32, writeU32 } from './wire/cursor.ts'

/** A MAC address as a number: 48 bits, exact in a double, so that tables need no strings. */
export type Mac = number

export const VLAN_ID_BYTES = 16
export const TOKEN_BYTES = 16
export const SALT_BYTES = 32
export const MAC_NONCE_BYTES = 16
export const BROADCAST_MAC: Mac = 0xffff_ffff_ffff

/** Longest label in bytes of UTF-8: fits a DNS label, and keeps the input of the VLAN-ID short. */
export const LABEL_BYTES_MAX = 63
/** Most keys of an m-of-n authority (sec:C1). */
export const AUTHORITY_KEYS_MAX = 16

const MAC_MAX = BROADCAST_MAC
const TWO_TO_32 = 4_294_967_296
const TWO_TO_40 = 1_099_511_627_776
/** 01:00:5e:00:00:00, before the low 23 bits of an IPv4 group (RFC 1112, section 6.4). */
const IPV4_GROUP_BASE: Mac = 0x0100_5e00_0000
/** 33:33:00:00:00:00, before the low 32 bits of an IPv6 group (RFC 2464, section 7). */
const IPV6_GROUP_BASE: Mac = 0x3333_0000_0000

const HEX_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/** ES2026, several times as fast as digit by digit; browsers of before 2025 lack it. */
const { toHex } = Uint8Array.prototype as { toHex?: (this: Uint8Array) => string }

/** Lower-case hex, two digits a byte. */
export function hex(bytes: Uint8Array): string {
  if (toHex !== undefined) return toHex.call(bytes)
  let text = ''
  for (let index = 0; index < bytes.length; index++) text += HEX_OF_BYTE[bytes[index] as number]
  return text
}

/** Bytes of an even number of hex digits of either case; a UsageError for anything else. */
export function unhex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new UsageError(`'${text}' is not hex; give an even number of the digits 0-9 and a-f`)
  }
  const bytes = new Uint8Array(text.length / 2)
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(text.slice(2 * index, 2 * index + 2), 16)
  }
  return bytes
}

/** UTF-8 of a well-formed string; a UsageError for a lone surrogate. The core has no TextEncoder. */
export function utf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new UsageError('a text with a lone surrogate has no UTF-8; remove it')
  const bytes: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0) as number
    if (point < 0x80) bytes.push(point)
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f))
    else if (point < 0x1_0000)
      bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f))
    else {
      bytes.push(
        0xf0 | (point >> 18),
        0x80 | ((point >> 12) & 0x3f),
        0x80 | ((point >> 6) & 0x3f),
        0x80 | (point & 0x3f),
      )
    }
  }
  return Uint8Array.from(bytes)
}

/** All parts in one fresh array. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** The PeerId of a 32-byte Ed25519 public key: 64 lower-case hex digits. */
export function peerIdOf(publicKey: Uint8Array): PeerId {
  checkLength('a public key', publicKey, PUBLIC_KEY_BYTES)
  return hex(publicKey) as PeerId
}

/** The 32 bytes of the public key that a PeerId names. */
export function peerKey(peer: PeerId): Uint8Array {
  return unhex(peer)
}

/** A PeerId written by a person or in a file; a UsageError unless it is 64 lower-case hex digits. */
export function parsePeerId(text: string): PeerId {
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new UsageError(`'${text}' is not a peer id; it must be 64 lower-case hex digits`)
  }
  return text as PeerId
}

/** A MAC address as the specification writes it: 12 upper-case hex digits without separators. */
export function macText(mac: Mac): string {
  if (!Number.isSafeInteger(mac) || mac < 0 || mac > MAC_MAX) {
    throw new UsageError(`${mac} is not a MAC address; it must be a whole number below 2^48`)
  }
  return mac.toString(16).toUpperCase().padStart(12, '0')
}

/** The inverse of `macText`; a UsageError for any other form. */
export function parseMac(text: string): Mac {
  if (!/^[0-9A-F]{12}$/.test(text)) {
    throw new UsageError(
      `'${text}' is not a MAC address; it must be 12 upper-case hex digits without separators`,
    )
  }
  return Number.parseInt(text, 16)
}

// HOT PATH
/** Six bytes at `offset`; the caller has checked that they are there. */
export function readMac(bytes: Uint8Array, offset: number): Mac {
  return (
    (((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)) * TWO_TO_32 +
    readU32(bytes, offset + 2)
  )
}

export function writeMac(bytes: Uint8Array, offset: number, mac: Mac): void {
  const high = Math.floor(mac / TWO_TO_32)
  bytes[offset] = high >>> 8
  bytes[offset + 1] = high
  writeU32(bytes, offset + 2, mac % TWO_TO_32)
}

// HOT PATH
/** True for multicast and broadcast: the lowest bit of the first byte on the wire. */
export function isGroupMac(mac: Mac): boolean {
  return (Math.floor(mac / TWO_TO_40) & 1) === 1
}

/** VLAN-ID: BLAKE3-128(authority key ‖ label in UTF-8), 16 bytes. */
export function vlanId(hash: Hash, authority: Uint8Array, label: string): Uint8Array {
  checkLength('an authority key', authority, PUBLIC_KEY_BYTES)
  const text = utf8(label)
  if (text.length < 1 || text.length > LABEL_BYTES_MAX) {
    throw new UsageError(
      `the label '${label}' has ${text.length} bytes; it must have 1 to ${LABEL_BYTES_MAX}`,
    )
  }
  // Two spellings of one word would be two VLANs that nobody can tell apart by eye.
  if (label.normalize('NFC') !== label) {
    throw new UsageError(`the label '${label}' is not in Unicode form NFC; write it composed`)
  }
  return hash.hash16(concat(authority, text))
}

/**
 * The authority key of an m-of-n policy: BLAKE3-256("peertap authority v1" ‖ m ‖ n ‖ keys), 32 bytes. The
 * keys must be strictly ascending, so that no signer counts twice and one set has one name (sec:S9).
 */
export function authorityKey(hash: Hash, needed: number, keys: readonly Uint8Array[]): Uint8Array {
  const count = keys.length
  if (count < 1 || count > AUTHORITY_KEYS_MAX) {
    throw new UsageError(`an authority of ${count} keys; it must have 1 to ${AUTHORITY_KEYS_MAX}`)
  }
  if (!Number.isInteger(needed) || needed < 1 || needed > count) {
    throw new UsageError(`an authority needs ${needed} of ${count} keys; it must need 1 to ${count}`)
  }
  let previous: Uint8Array | undefined
  for (const key of keys) {
    checkLength('an authority key', key, PUBLIC_KEY_BYTES)
    if (previous !== undefined && compareBytes(previous, key) >= 0) {
      throw new UsageError(
        'the keys of an authority are not strictly ascending; sort them and drop duplicates',
      )
    }
    previous = key
  }
  return hash.hash32(concat(utf8('peertap authority v1'), Uint8Array.of(needed, count), ...keys))
}

/** MLS-ID: BLAKE3-128(GroupInitKey), 16 bytes, new in every epoch. */
export function mlsId(hash: Hash, groupInitKey: Uint8Array): Uint8Array {
  checkLength('a GroupInitKey', groupInitKey, 32)
  return hash.hash16(groupInitKey)
}

/** Unicast token of a `spec` VLAN: BLAKE3-128(MAC text ‖ VLAN-ID ‖ salt). */
export function unicastToken(hash: Hash, mac: Mac, vlan: Uint8Array, salt: Uint8Array): Uint8Array {
  checkLength('a VLAN-ID', vlan, VLAN_ID_BYTES)
  checkLength('a salt', salt, SALT_BYTES)
  return hash.hash16(concat(utf8(macText(mac)), vlan, salt))
}

/**
 * Multicast or broadcast token of a `spec` VLAN: BLAKE3-128(MAC text ‖ VLAN-ID). Anyone who knows the
 * VLAN-ID can compute it: that is why `private` VLANs have tokens of their own (tokens.ts).
 */
export function groupToken(hash: Hash, mac: Mac, vlan: Uint8Array): Uint8Array {
  checkLength('a VLAN-ID', vlan, VLAN_ID_BYTES)
  return hash.hash16(concat(utf8(macText(mac)), vlan))
}

/** The MAC of an IPv4 multicast group of 4 bytes: its low 23 bits, so 32 groups share one MAC. */
export function ipv4GroupMac(address: Uint8Array, offset = 0): Mac {
  return IPV4_GROUP_BASE + (readU32(address, offset) & 0x7f_ffff)
}

/** The MAC of an IPv6 multicast group of 16 bytes: its low 32 bits. */
export function ipv6GroupMac(address: Uint8Array, offset = 0): Mac {
  return IPV6_GROUP_BASE + readU32(address, offset + 12)
}

/**
 * A member's own MAC: the last 6 bytes of BLAKE3-256(member key ‖ VLAN-ID ‖ nonce), local bit set,
 * multicast bit cleared (sec:S7). The member key and not the node's: neighbours know that one.
 */
export function ownMac(hash: Hash, memberKey: Uint8Array, vlan: Uint8Array, nonce: Uint8Array): Mac {
  checkLength('a member key', memberKey, PUBLIC_KEY_BYTES)
  checkLength('a VLAN-ID', vlan, VLAN_ID_BYTES)
  checkLength('a MAC nonce', nonce, MAC_NONCE_BYTES)
  const digest = hash.hash32(concat(memberKey, vlan, nonce))
  digest[26] = ((digest[26] as number) | 0x02) & 0xfe
  return readMac(digest, 26)
}

/** Names a salt without telling it: BLAKE3-128("peertap salt id v1" ‖ 0x00 ‖ salt) (sec:M11). */
export function saltId(hash: Hash, salt: Uint8Array): Uint8Array {
  checkLength('a salt', salt, SALT_BYTES)
  return hash.hash16(concat(utf8('peertap salt id v1\0'), salt))
}

/** Whether both are the same bytes. Not in constant time: for what is public. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}

/** Lexicographic order of byte strings: negative, zero or positive. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length)
  for (let index = 0; index < shared; index++) {
    const difference = (left[index] as number) - (right[index] as number)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

function checkLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length)
    throw new UsageError(`${what} of ${bytes.length} bytes; it must have ${length}`)
}
