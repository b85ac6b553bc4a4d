import { describe, expect, it } from 'vitest'
import { concat } from '../../core/ids.ts'
import { checkFormat, readCommitFraming, WIRE_FORMAT, writeCommitFraming } from '../../core/mls/framing.ts'

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

const framing = {
  groupId: filled(16, 1),
  epoch: 2 ** 40 + 3,
  authenticatedData: filled(100, 2),
  encryptedSenderData: filled(28, 3),
  ciphertext: filled(20_000, 4),
}

function whyOf(bytes: Uint8Array): string {
  const read = readCommitFraming(bytes)
  return read.ok ? 'read' : read.why
}

describe('the frame of a commit', () => {
  it('reads what it writes, with lengths of one, two and four bytes', () => {
    const bytes = writeCommitFraming(framing)
    expect(bytes).toHaveLength(2 + 2 + 17 + 8 + 1 + 102 + 29 + 20_004)
    expect(readCommitFraming(bytes)).toEqual({ ok: true, value: framing })
  })

  it('refuses every cut, and a byte too many by its own name', () => {
    const bytes = writeCommitFraming({ ...framing, ciphertext: filled(70, 4) })
    for (let length = 0; length < bytes.length; length++) {
      expect(whyOf(bytes.subarray(0, length))).toBe('undecodable')
    }
    expect(whyOf(concat(bytes, filled(1, 0)))).toBe('trailingBytes')
    expect(whyOf(filled(65_537, 0))).toBe('tooLarge')
  })

  it('tells a stranger in clear from a member in clear', () => {
    const open = (sender: number): Uint8Array =>
      concat(Uint8Array.of(0, 1, 0, 1, 16), filled(16, 1), filled(8, 0), Uint8Array.of(sender, 0, 0, 0, 0))
    expect(whyOf(open(1))).toBe('messageKind')
    for (const outside of [2, 3, 4]) expect(whyOf(open(outside))).toBe('externalCommit')
    expect(whyOf(open(1).subarray(0, 20))).toBe('undecodable')
  })

  it('refuses other content, other formats, other versions and needlessly long lengths', () => {
    const bytes = writeCommitFraming({ ...framing, ciphertext: filled(70, 4) })
    const changed = (at: number, value: number): Uint8Array => {
      const copy = bytes.slice()
      copy[at] = value
      return copy
    }
    const contentAt = 4 + 17 + 8
    for (const content of [0, 1, 2, 4]) expect(whyOf(changed(contentAt, content))).toBe('messageKind')
    for (const format of [3, 4, 5]) expect(whyOf(changed(3, format))).toBe('messageKind')
    for (const format of [0, 6]) expect(whyOf(changed(3, format))).toBe('undecodable')
    expect(whyOf(changed(1, 2))).toBe('undecodable')
    const long = concat(bytes.subarray(0, 4), Uint8Array.of(0x40, 16), bytes.subarray(5))
    expect(whyOf(long)).toBe('undecodable')
    expect(whyOf(changed(4, 0xc0))).toBe('undecodable')
  })

  it('refuses an epoch that no number holds exactly', () => {
    const bytes = writeCommitFraming(framing)
    bytes[21] = 1
    expect(whyOf(bytes)).toBe('undecodable')
  })

  it('knows the format of other messages', () => {
    expect(checkFormat(Uint8Array.of(0, 1, 0, 3), WIRE_FORMAT.welcome)).toBeUndefined()
    expect(checkFormat(Uint8Array.of(0, 1, 0, 4), WIRE_FORMAT.welcome)).toBe('messageKind')
    expect(checkFormat(Uint8Array.of(0, 1, 0), WIRE_FORMAT.welcome)).toBe('undecodable')
  })
})
