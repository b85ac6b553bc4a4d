/** How the files of the page travel. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { packedFile } from '../../drivers/view/packed.ts'

const file = { type: 'text/plain', bytes: Buffer.from('the same words again and again, '.repeat(100)) }

describe('files of the page', () => {
  it('are packed by the best way that the browser takes', () => {
    const br = packedFile(file, 'gzip, deflate, br')
    expect([br.encoding, brotliDecompressSync(br.bytes)]).toEqual(['br', file.bytes])
    const gzip = packedFile(file, 'gzip')
    expect([gzip.encoding, gunzipSync(gzip.bytes)]).toEqual(['gzip', file.bytes])
    expect(packedFile(file, 'identity')).toEqual({ encoding: undefined, bytes: file.bytes })
  })

  it('are packed once, whoever asks', () => {
    for (const accepted of ['br', 'gzip'])
      expect(packedFile(file, accepted).bytes).toBe(packedFile(file, accepted).bytes)
    const other = { ...file, bytes: Buffer.from('other words') }
    expect(brotliDecompressSync(packedFile(other, 'br').bytes).toString()).toBe('other words')
  })
})
