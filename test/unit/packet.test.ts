import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DATA_VERSION_TYPE } from '../../core/wire/kinds.ts'
import {
  AAD_BYTES,
  CIPHER_OFFSET,
  INNER_HEADER_BYTES,
  idIs,
  isDataPacket,
  MLS_OFFSET,
  mlsIdIs,
  NONCE_OFFSET,
  PACKET_BYTES_MAX,
  PACKET_BYTES_MIN,
  PACKET_OVERHEAD,
  TOKEN_OFFSET,
  tokenOf,
  VLAN_OFFSET,
  vlanIs,
  vlanOf,
} from '../../core/wire/packet.ts'
import { Scratch, Slab } from '../../core/wire/slab.ts'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 })

function packetOf(vlan: Uint8Array, mls: Uint8Array, token: Uint8Array): Uint8Array {
  const packet = new Uint8Array(PACKET_BYTES_MIN)
  packet[0] = DATA_VERSION_TYPE
  packet.set(vlan, VLAN_OFFSET)
  packet.set(mls, MLS_OFFSET)
  packet.set(token, TOKEN_OFFSET)
  return packet
}

describe('layout', () => {
  test('fields stand where the security protocol puts them', () => {
    expect([VLAN_OFFSET, MLS_OFFSET, TOKEN_OFFSET, NONCE_OFFSET, CIPHER_OFFSET]).toEqual([1, 17, 33, 49, 61])
    expect(AAD_BYTES).toBe(49)
    expect(PACKET_OVERHEAD).toBe(77)
    expect(INNER_HEADER_BYTES).toBe(13)
  })

  test('only whole packets of this version pass', () => {
    const packet = new Uint8Array(PACKET_BYTES_MIN)
    packet[0] = DATA_VERSION_TYPE
    expect(isDataPacket(packet)).toBe(true)
    expect(isDataPacket(packet.subarray(0, PACKET_BYTES_MIN - 1))).toBe(false)
    expect(isDataPacket(new Uint8Array(0))).toBe(false)
    packet[0] = DATA_VERSION_TYPE + 0x10
    expect(isDataPacket(packet)).toBe(false)
    const longest = new Uint8Array(PACKET_BYTES_MAX + 1)
    longest[0] = DATA_VERSION_TYPE
    expect(isDataPacket(longest)).toBe(false)
    expect(isDataPacket(longest.subarray(0, PACKET_BYTES_MAX))).toBe(true)
  })

  test('ids are read back and one changed byte is another id', () => {
    fc.assert(
      fc.property(id, id, id, fc.integer({ min: 0, max: 15 }), (vlan, mls, token, at) => {
        const packet = packetOf(vlan, mls, token)
        expect(vlanIs(packet, vlan) && mlsIdIs(packet, mls) && idIs(packet, TOKEN_OFFSET, token)).toBe(true)
        expect(vlanOf(packet)).toEqual(vlan)
        expect(tokenOf(packet)).toEqual(token)
        const other = token.slice()
        other[at] = (other[at] as number) ^ 0x40
        expect(idIs(packet, TOKEN_OFFSET, other)).toBe(false)
        expect(idIs(other, 0, token)).toBe(false)
      }),
    )
  })
})

describe('slab', () => {
  test('pieces are zero, of the length asked, and never overlap', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 60 }), (lengths) => {
        const slab = new Slab()
        const pieces = lengths.map((length) => slab.take(length))
        pieces.forEach((piece, index) => {
          expect(piece).toHaveLength(lengths[index] as number)
          expect(piece.every((byte) => byte === 0)).toBe(true)
          piece.fill(index + 1)
        })
        pieces.forEach((piece, index) => {
          expect(piece.every((byte) => byte === index + 1)).toBe(true)
        })
      }),
      { numRuns: 20 },
    )
  })

  test('pieces share memory, but for very small and very large ones', () => {
    const slab = new Slab()
    expect(slab.take(100).buffer).toBe(slab.take(100).buffer)
    expect(slab.take(64).buffer.byteLength).toBe(64)
    expect(slab.take(20_000).buffer.byteLength).toBe(20_000)
  })

  test('scratch is handed out again by length, and beyond its capacity apart', () => {
    const scratch = new Scratch(100)
    expect(scratch.take(50)).toBe(scratch.take(50))
    expect(scratch.take(50).buffer).toBe(scratch.take(100).buffer)
    expect(scratch.take(101)).not.toBe(scratch.take(101))
    expect(scratch.take(101)).toHaveLength(101)
  })
})
