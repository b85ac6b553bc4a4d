/**
 * The form of every file in the state directory: what it is, how long, and a checksum, so that a file that
 * was cut, changed or given another's name is told from one that can be relied on.
 *
 *     magic 8, "peertap\n" | version 2 | length of the body 4 | body | SHA-256 32
 *
 * The checksum is over the name of the file, a zero and all before it. It is against accidents: whoever may
 * write the file may write the checksum. SHA-256 as OpenSSL has it, because a large record would take BLAKE3
 * in JavaScript a third of a second.
 */
import { createHash } from 'node:crypto'
import { concat, sameBytes, utf8 } from '../../core/ids.ts'
import { readU32, writeU32 } from '../../core/wire/cursor.ts'

const MAGIC = utf8('peertap\n')
const VERSION = 1
const HEADER_BYTES = MAGIC.length + 2 + 4
const CHECKSUM_BYTES = 32

/** Of a body. Far more than the state of the largest group takes. */
export const BODY_BYTES_MAX = 67_108_864
export const FILE_BYTES_MAX = HEADER_BYTES + BODY_BYTES_MAX + CHECKSUM_BYTES

export type Opened =
  | { readonly ok: true; readonly body: Uint8Array }
  /** What is wrong, as the end of "this file". */
  | { readonly ok: false; readonly wrong: string }

/** `name`: of the file, relative to the state directory. The body has at most BODY_BYTES_MAX bytes. */
export function enclose(name: string, body: Uint8Array): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES)
  header.set(MAGIC)
  header[MAGIC.length + 1] = VERSION
  writeU32(header, MAGIC.length + 2, body.length)
  return concat(header, body, checksum(name, header, body))
}

/** The body is a view of the bytes. */
export function disclose(name: string, bytes: Uint8Array): Opened {
  const wrong = (what: string): Opened => ({ ok: false, wrong: what })
  if (bytes.length === 0) return wrong('is empty')
  if (bytes.length < HEADER_BYTES) return wrong(`is cut short: it has ${bytes.length} bytes`)
  if (!sameBytes(bytes.subarray(0, MAGIC.length), MAGIC)) return wrong('was not written by PeerTap')
  const version = ((bytes[MAGIC.length] as number) << 8) | (bytes[MAGIC.length + 1] as number)
  if (version !== VERSION) return wrong(`has form ${version}, and this PeerTap reads form ${VERSION}`)
  const length = readU32(bytes, MAGIC.length + 2)
  const whole = HEADER_BYTES + length + CHECKSUM_BYTES
  if (bytes.length < whole) return wrong(`is cut short: it has ${bytes.length} of ${whole} bytes`)
  if (bytes.length > whole) return wrong(`has ${bytes.length - whole} bytes behind its end`)
  const body = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)
  const expected = checksum(name, bytes.subarray(0, HEADER_BYTES), body)
  if (!sameBytes(bytes.subarray(HEADER_BYTES + length), expected))
    return wrong('is damaged, or had another name: its checksum is wrong')
  return { ok: true, body }
}

function checksum(name: string, header: Uint8Array, body: Uint8Array): Uint8Array {
  return createHash('sha256').update(`${name}\0`).update(header).update(body).digest()
}
