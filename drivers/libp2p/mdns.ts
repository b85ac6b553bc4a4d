/**
 * Messages of multicast DNS (RFC 6762) as libp2p's discovery specification has them: a question for a service
 * and the answer of one node, with its addresses as text records `dnsaddr=/ip4/…/p2p/…`. No sockets here.
 *
 * Whoever is in the local network writes what is read here: all of it may be nonsense, and none of it throws.
 */
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet } from '@dnsquery/dns-packet'

/** A name of our own: what answers is a node of PeerTap. */
const SERVICE = '_peertap._udp.local'
const ADDRESS_PREFIX = 'dnsaddr='
/** A string in a text record: its length is a byte. */
const TEXT_BYTES_MAX = 255
/** RFC 6762, section 10: "other" records. */
const LIFE_SECONDS = 4_500

/** RFC 1035, section 4.1: an empty name is one byte. */
const HEADER_BYTES = 12
const COUNTS_AT = [4, 6, 8, 10] as const
const QUESTION_BYTES_MIN = 5
const RECORD_BYTES_MIN = 11

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export type MdnsMessage =
  | { readonly kind: 'question' }
  | { readonly kind: 'answer'; readonly texts: string[] }

export function mdnsQuestion(): Uint8Array {
  return encode({ type: 'query', questions: [{ name: SERVICE, type: 'PTR' }] })
}

/** `instance`: one label, other at each start. Addresses that are too long are left out. */
export function mdnsAnswer(instance: string, addresses: readonly string[]): Uint8Array {
  const own = `${instance}.${SERVICE}`
  const texts = addresses
    .map((address) => encoder.encode(ADDRESS_PREFIX + address))
    .filter(({ length }) => length <= TEXT_BYTES_MAX)
  const records = texts.map((text): Answer => ({ name: own, type: 'TXT', ttl: LIFE_SECONDS, data: [text] }))
  return encode({
    type: 'response',
    flags: AUTHORITATIVE_ANSWER,
    answers: [{ name: SERVICE, type: 'PTR', ttl: LIFE_SECONDS, data: own }, ...records],
  })
}

/** Undefined for what is neither a question for our service nor an answer of one of our nodes. */
export function readMdns(bytes: Uint8Array): MdnsMessage | undefined {
  const { type, questions = [], answers = [], additionals = [] } = packetOf(bytes) ?? {}
  if (type === 'query') {
    const isOurs = questions.some((question) => question.type === 'PTR' && isService(question.name))
    return isOurs ? { kind: 'question' } : undefined
  }
  const texts = [...answers, ...additionals].flatMap(textsOf)
  return texts.length === 0 ? undefined : { kind: 'answer', texts }
}

function packetOf(bytes: Uint8Array): Packet | undefined {
  try {
    return isPossible(bytes) ? decode(bytes) : undefined
  } catch {
    return undefined
  }
}

/** Room is made for as many as the header says before there is a look at any. */
function isPossible(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const [questions, ...records] = COUNTS_AT.map((at) => view.getUint16(at)) as [number, ...number[]]
  const least = records.reduce((sum, count) => sum + count * RECORD_BYTES_MIN, questions * QUESTION_BYTES_MIN)
  return HEADER_BYTES + least <= bytes.length
}

/** Addresses of a record of one of our nodes. */
function textsOf(record: Answer): string[] {
  if (record.type !== 'TXT' || !isService(record.name.slice(record.name.indexOf('.') + 1))) return []
  return [record.data]
    .flat()
    .map((text) => (typeof text === 'string' ? text : decoder.decode(text)))
    .filter((text) => text.startsWith(ADDRESS_PREFIX))
    .map((text) => text.slice(ADDRESS_PREFIX.length))
}

function isService(name: string): boolean {
  return name.toLowerCase() === SERVICE
}
