/** Files as they travel: packed once by each way that browsers take, and kept for whoever asks next. */
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** The best takes ten times as long for a twentieth less. */
const BROTLI_QUALITY = 9

export interface PageFile {
  readonly type: string
  readonly bytes: Uint8Array
}

export interface Packed {
  /** Undefined: as it is. */
  readonly encoding: 'br' | 'gzip' | undefined
  readonly bytes: Uint8Array
}

/** As many as a page has files, twice. */
const kept = new WeakMap<PageFile, Map<Packed['encoding'], Packed>>()

/** By the best way that the browser takes; `accepted` is its Accept-Encoding (RFC 9110, 12.5.3). */
export function packedFile(file: PageFile, accepted: string): Packed {
  const encoding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : undefined
  const ways = kept.get(file) ?? new Map<Packed['encoding'], Packed>()
  kept.set(file, ways)
  const found = ways.get(encoding) ?? { encoding, bytes: pack(file.bytes, encoding) }
  ways.set(encoding, found)
  return found
}

function pack(bytes: Uint8Array, encoding: Packed['encoding']): Uint8Array {
  if (encoding === 'gzip') return gzipSync(bytes)
  const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY }
  return encoding === 'br' ? brotliCompressSync(bytes, { params }) : bytes
}
