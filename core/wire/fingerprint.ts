/**
 * 32 bits of what bytes say, to notice that they differ: FNV-1a over words of four bytes, then over the rest.
 * A signed 32-bit integer. Whoever wants another text of the same fingerprint finds one, so no secret and no
 * proof hangs on it. HOT PATH.
 */
export function fingerprint(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  const words = bytes.length & ~3
  let offset = 0
  for (; offset < words; offset += 4) {
    const word =
      (bytes[offset] as number) |
      ((bytes[offset + 1] as number) << 8) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 3] as number) << 24)
    hash = Math.imul(hash ^ word, 0x01000193)
    hash ^= hash >>> 15
  }
  for (; offset < bytes.length; offset++) hash = Math.imul(hash ^ (bytes[offset] as number), 0x01000193)
  return hash | 0
}
