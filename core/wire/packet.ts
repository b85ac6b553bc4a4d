/**
 * The end-to-end sealed data packet (sec:A3), read and written at fixed offsets: no object per packet.
 * Its bytes never change on the way; what changes from hop to hop travels beside it (trunk.ts).
 *
 *     version and type 1 | VLAN-ID 16 | MLS-ID 16 | VFT 16 | W 12 | ciphertext n | tag 16
 *
 * W is the nonce masked with one AES block over the tag. The first 49 bytes are the associated data. A
 * relay reads VLAN-ID and VFT and nothing else; what is inside stands in core/vlan/group.ts.
 *
 * Accessors cannot fail once `isDataPacket` has said yes; before that they may read undefined.
 */
import { TAG_BYTES } from '../crypto/ports.ts'
import { DATA_VERSION_TYPE } from './kinds.ts'

export const VLAN_OFFSET = 1
export const MLS_OFFSET = 17
export const TOKEN_OFFSET = 33
export const NONCE_OFFSET = 49
export const CIPHER_OFFSET = 61

/** Version and type, VLAN-ID, MLS-ID, VFT: what the tag covers in clear. */
export const AAD_BYTES = TOKEN_OFFSET + 16
/** What a packet has beyond its plaintext. */
export const PACKET_OVERHEAD = CIPHER_OFFSET + TAG_BYTES
/** kind 1, flags 1, first hop limit 1, time 6, length 4 (sec:A5): the shortest plaintext there is. */
export const INNER_HEADER_BYTES = 13
export const PACKET_BYTES_MIN = PACKET_OVERHEAD + INNER_HEADER_BYTES
/** End-to-end packets that every trunk carries in one piece (mesh:M10). */
export const TRUNK_PACKET_BYTES = 1_420
/** The largest payload, a super-frame of 65,600 bytes, padded to the next multiple of 4,096 (sec:A12). */
export const PACKET_BYTES_MAX = PACKET_OVERHEAD + 17 * 4_096

// HOT PATH
/** True for a packet of this version whose length allows all fixed fields and is not beyond the bound. */
export function isDataPacket(packet: Uint8Array): boolean {
  const length = packet.length
  return length >= PACKET_BYTES_MIN && length <= PACKET_BYTES_MAX && packet[0] === DATA_VERSION_TYPE
}

// HOT PATH
/** Compares sixteen bytes at an offset with a 16-byte id. Identifiers are public: no constant time. */
export function idIs(packet: Uint8Array, offset: number, id: Uint8Array): boolean {
  for (let index = 0; index < 16; index++) if (packet[offset + index] !== id[index]) return false
  return true
}

// HOT PATH
export function vlanIs(packet: Uint8Array, vlan: Uint8Array): boolean {
  return idIs(packet, VLAN_OFFSET, vlan)
}

// HOT PATH
export function mlsIdIs(packet: Uint8Array, mlsId: Uint8Array): boolean {
  return idIs(packet, MLS_OFFSET, mlsId)
}

/** Views, for tables and notes: borrowed like the packet. */
export function vlanOf(packet: Uint8Array): Uint8Array {
  return packet.subarray(VLAN_OFFSET, MLS_OFFSET)
}

export function tokenOf(packet: Uint8Array): Uint8Array {
  return packet.subarray(TOKEN_OFFSET, NONCE_OFFSET)
}
