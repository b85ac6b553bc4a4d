/** Texts as parts of an address: deflated (RFC 1951) and written in base64url (RFC 4648, 5). */
import { concat } from '../../core/ids.ts'

/** An address longer than this is not taken by everything that addresses pass through. */
const EDITED_CHARACTERS_MAX = 100_000
/** Unpacked: beyond any scenario that somebody edits in a page. */
const EDITED_BYTES_MAX = 2_000_000

export async function pack(text: string): Promise<string> {
  const packed = await through(new TextEncoder().encode(text), new CompressionStream('deflate-raw'))
  let binary = ''
  for (const byte of packed) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** `name`: what the address calls it. Throws Error with what is wrong and how to mend it. */
export async function unpack(text: string, name: string): Promise<string> {
  if (text.length > EDITED_CHARACTERS_MAX)
    throw new Error(
      `${name} has ${text.length} characters in this address and may have ${EDITED_CHARACTERS_MAX}; ` +
        'drop the scenario file on the page instead',
    )
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    const packed = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    return new TextDecoder().decode(await through(packed, new DecompressionStream('deflate-raw')))
  } catch (error) {
    throw new Error(`${name} is damaged in this address; ask for the whole address`, { cause: error })
  }
}

/** Fails for what becomes too long. */
async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter()
  // What is wrong with the bytes is told by the reading end.
  const written = writer
    .write(bytes)
    .then(() => writer.close())
    .catch(() => undefined)
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = (stream.readable as ReadableStream<Uint8Array>).getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length
    if (length > EDITED_BYTES_MAX) {
      await reader.cancel()
      throw new Error(`more than ${EDITED_BYTES_MAX} bytes`)
    }
    chunks.push(next.value)
  }
  await written
  return concat(...chunks)
}
