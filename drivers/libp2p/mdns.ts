/**
 * Messages of multicast DNS (RFC 6762) as libp2p's discovery specification has them: a question for a service
 * and the answer of one node, with its addresses as text records `dnsaddr=/ip4/…/p2p/…`. No sockets here.
 *
 * Whoever is in the local network writes what is read here: all of it may be nonsense, none of it throws, and
 * the work is bounded by the length of the message.
 */

/** A name of our own: what answers is a node of PeerTap. */
const SERVICE = ['_peertap', '_udp', 'local'] as const
const ADDRESS_PREFIX = 'dnsaddr='

// RFC 1035, sections 3.2.2, 3.2.4, 4.1.1 and 4.1.4.
const TYPE = { ptr: 12, txt: 16 } as const
const CLASS_IN = 1
const HEADER_BYTES = 12
const RESPONSE = 0x8000
const AUTHORITATIVE = 0x0400
const POINTER = 0xc0
const RECORD_BYTES = 10
const LABEL_BYTES_MAX = 63
/** A string in a text record: its length is a byte. */
const TEXT_BYTES_MAX = 255
/** RFC 6762, section 10: "other" records. */
const LIFE_SECONDS = 4_500
/** One more than a name of ours has. */
const LABELS_KEPT = SERVICE.length + 2

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export type MdnsMessage =
  | { readonly kind: 'question' }
  | { readonly kind: 'answer'; readonly texts: string[] }

export function mdnsQuestion(): Uint8Array {
  return Uint8Array.of(...header(0, 1, 0), ...nameBytes(SERVICE), ...u16(TYPE.ptr), ...u16(CLASS_IN))
}

/** `instance`: one label, other at each start. Addresses that are too long are left out. */
export function mdnsAnswer(instance: string, addresses: readonly string[]): Uint8Array {
  const own = [instance, ...SERVICE]
  const texts = addresses
    .map((address) => encoder.encode(ADDRESS_PREFIX + address))
    .filter(({ length }) => length <= TEXT_BYTES_MAX)
  const records = [
    recordBytes(SERVICE, TYPE.ptr, nameBytes(own)),
    ...texts.map((text) => recordBytes(own, TYPE.txt, [text.length, ...text])),
  ]
  return Uint8Array.of(...header(RESPONSE | AUTHORITATIVE, 0, records.length), ...records.flat())
}

/** Undefined for what is neither a question for our service nor an answer of one of our nodes. */
export function readMdns(bytes: Uint8Array): MdnsMessage | undefined {
  const reader = new Reader(bytes)
  const head = reader.words(HEADER_BYTES / 2)
  if (head === undefined) return undefined
  const [, flags = 0, questions = 0, ...counts] = head
  const records = counts.reduce((sum, count) => sum + count, 0)
  if ((flags & RESPONSE) === 0) return isAsked(reader, questions) ? { kind: 'question' } : undefined
  for (let question = 0; question < questions; question++) {
    if (reader.name() === undefined || reader.words(2) === undefined) return undefined
  }
  return answerOf(reader, records)
}

function isAsked(reader: Reader, questions: number): boolean {
  for (let question = 0; question < questions; question++) {
    const name = reader.name()
    const words = reader.words(2)
    if (name === undefined || words === undefined) return false
    if (words[0] === TYPE.ptr && isService(name)) return true
  }
  return false
}

function answerOf(reader: Reader, records: number): MdnsMessage | undefined {
  const texts: string[] = []
  for (let record = 0; record < records; record++) {
    const name = reader.name()
    const fixed = reader.words(RECORD_BYTES / 2)
    const data = fixed === undefined ? undefined : reader.bytes(fixed[4] as number)
    // What came before a record that is cut off is as good as it was.
    if (name === undefined || fixed === undefined || data === undefined) break
    if (fixed[0] === TYPE.txt && isService(name.slice(1))) texts.push(...textsIn(data))
  }
  return texts.length === 0 ? undefined : { kind: 'answer', texts }
}

/** Addresses of a text record, which is strings with their lengths before them. */
function textsIn(data: Uint8Array): string[] {
  const texts: string[] = []
  for (let at = 0; at < data.length; at += 1 + (data[at] as number)) {
    const text = decoder.decode(data.subarray(at + 1, at + 1 + (data[at] as number)))
    if (text.startsWith(ADDRESS_PREFIX)) texts.push(text.slice(ADDRESS_PREFIX.length))
  }
  return texts
}

function isService(labels: readonly string[]): boolean {
  return labels.length === SERVICE.length && labels.every((label, at) => label.toLowerCase() === SERVICE[at])
}

function header(flags: number, questions: number, answers: number): number[] {
  return [0, flags, questions, answers, 0, 0].flatMap(u16)
}

function recordBytes(name: readonly string[], type: number, data: readonly number[]): number[] {
  const life = [...u16(LIFE_SECONDS >>> 16), ...u16(LIFE_SECONDS & 0xffff)]
  return [...nameBytes(name), ...u16(type), ...u16(CLASS_IN), ...life, ...u16(data.length), ...data]
}

function nameBytes(labels: readonly string[]): number[] {
  const parts = labels.map((label) => encoder.encode(label).subarray(0, LABEL_BYTES_MAX))
  return [...parts.flatMap((part) => [part.length, ...part]), 0]
}

function u16(value: number): number[] {
  return [value >>> 8, value & 0xff]
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  words(count: number): number[] | undefined {
    const part = this.bytes(2 * count)
    if (part === undefined) return undefined
    return Array.from(
      { length: count },
      (_, at) => ((part[2 * at] as number) << 8) | (part[2 * at + 1] as number),
    )
  }

  bytes(length: number): Uint8Array | undefined {
    const end = this.#at + length
    if (end > this.#bytes.length) return undefined
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }

  /**
   * Its labels, or the first of them where it has more than any name of ours. What stands elsewhere in the
   * message is followed backwards only, so that it comes to an end.
   */
  name(): string[] | undefined {
    const labels: string[] = []
    let at = this.#at
    let floor = at
    let end: number | undefined
    for (;;) {
      const length = this.#bytes[at]
      if (length === undefined) return undefined
      if (length === 0 || (end !== undefined && labels.length === LABELS_KEPT)) {
        this.#at = end ?? at + 1
        return labels
      }
      if (length >= POINTER) {
        const low = this.#bytes[at + 1]
        if (low === undefined) return undefined
        end ??= at + 2
        at = ((length & ~POINTER) << 8) | low
        if (at >= floor) return undefined
        floor = at
      } else {
        const label = this.#bytes.subarray(at + 1, at + 1 + length)
        if (length > LABEL_BYTES_MAX || label.length < length) return undefined
        if (labels.length < LABELS_KEPT) labels.push(decoder.decode(label))
        at += 1 + length
      }
    }
  }
}
