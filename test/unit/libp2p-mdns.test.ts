/** Messages of multicast DNS: what is said is understood, and nothing that strangers say does harm. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mdnsAnswer, mdnsQuestion, readMdns } from '../../drivers/libp2p/mdns.ts'

const ADDRESSES = ['/ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooWA', '/ip6/fd00::1/tcp/4001/p2p/12D3KooWA']
const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)]
const label = (text: string): number[] => [text.length, ...utf8(text)]
const SERVICE = [...label('_peertap'), ...label('_udp'), ...label('local'), 0]

describe('a message', () => {
  test('of ours is read as it was meant', () => {
    expect(readMdns(mdnsQuestion())).toEqual({ kind: 'question' })
    expect(readMdns(mdnsAnswer('a'.repeat(32), ADDRESSES))).toEqual({ kind: 'answer', texts: ADDRESSES })
  })

  test('leaves out addresses that are too long, and is none without any', () => {
    const long = `/dns4/${'x'.repeat(260)}/tcp/1`
    expect(readMdns(mdnsAnswer('a', [long, ...ADDRESSES]))).toEqual({ kind: 'answer', texts: ADDRESSES })
    expect(readMdns(mdnsAnswer('a', []))).toBeUndefined()
  })

  test('of another implementation has its names cut short by pointers, and its texts among others', () => {
    const text = utf8('dnsaddr=/ip4/192.0.2.1/tcp/1')
    const other = utf8('something=else')
    const data = [other.length, ...other, text.length, ...text]
    const bytes = [
      ...[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1],
      // A pointer record: the service at 12 leads to an instance below it.
      ...[...SERVICE, 0, 12, 0, 1, 0, 0, 0, 120, 0, 6, ...label('abc'), 0xc0, 12],
      // The text record's name is the data of the one before.
      ...[0xc0, 12 + SERVICE.length + 10, 0, 16, 0x80, 1, 0, 0, 0, 120, 0, data.length, ...data],
    ]
    expect(readMdns(Uint8Array.from(bytes))).toEqual({ kind: 'answer', texts: ['/ip4/192.0.2.1/tcp/1'] })
  })

  test('about another service is nothing', () => {
    const other = [...label('_http'), ...label('_tcp'), ...label('local'), 0, 0, 12, 0, 1]
    expect(readMdns(Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...other))).toBeUndefined()
  })

  test('whose names never end is nothing', () => {
    const head = [0, 0, 0x84, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]
    expect(readMdns(Uint8Array.of(...head, 0xc0, 12))).toBeUndefined()
    expect(readMdns(Uint8Array.of(...head, 1, 97, 0xc0, 12))).toBeUndefined()
    expect(readMdns(Uint8Array.of(...head, 63, 97))).toBeUndefined()
  })

  test('of any bytes, and one of ours cut off or changed anywhere, throws nothing', () => {
    const ours = [mdnsQuestion(), mdnsAnswer('a'.repeat(32), ADDRESSES)]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        readMdns(bytes)
      }),
    )
    fc.assert(
      fc.property(fc.constantFrom(...ours), fc.nat(), fc.nat(255), fc.nat(), (message, at, value, end) => {
        const changed = message.slice(0, 1 + (end % message.length))
        changed[at % changed.length] = value
        readMdns(changed)
      }),
    )
  })
})
