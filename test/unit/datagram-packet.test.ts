/** The bytes of datagrams and of what is said about them: known answers, and what no honest end writes. */
import { createCipheriv, createHash, createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { concat, hex, peerIdOf, unhex, utf8 } from '../../core/ids.ts'
import { openNodeCrypto } from '../../drivers/crypto/node-crypto.ts'
import { isAdmissible, ownCandidates, withRemote } from '../../drivers/datagram/candidates.ts'
import { agreeOnKeys, CARRIER_HOP, readOffer, SAID, writeOffer } from '../../drivers/datagram/offer.ts'
import { Bench, counterAt, DATAGRAM, indexAt, PAYLOAD_MAX } from '../../drivers/datagram/packet.ts'
import { Joiner, writePiece } from '../../drivers/datagram/pieces.ts'
import { endpointOf, hostOf, portOf } from '../../drivers/linux/udp.ts'

const key = Uint8Array.from({ length: 32 }, (_, index) => index)

describe('a datagram', () => {
  test('is sealed as another implementation seals it', () => {
    const bench = new Bench(noble.aead, new Uint8Array(4 * PAYLOAD_MAX))
    const plain = concat(unhex('110040'), utf8('a packet'))
    bench.plain.set(plain)
    const into = new Uint8Array(100)
    const length = bench.seal(key, DATAGRAM.data, 0x8123_4567, 0x0102_0304, plain.length, into, 5)
    const header = unhex('01812345670000000001020304')
    const cipher = createCipheriv('aes-256-gcm', key, unhex('000000000000000001020304'))
    cipher.setAAD(header)
    const text = cipher.update(plain)
    cipher.final()
    const expected = concat(header, text, cipher.getAuthTag())
    expect(hex(into.subarray(5, 5 + length))).toBe(hex(expected))
    // Fixed, so that no change of it goes unseen.
    expect(hex(expected)).toBe(
      '01812345670000000001020304ee518a6f7e36158f37a604a112b67619ec5e5621e9d007784fbaf1',
    )
  })

  test('opens with its key alone, and any changed bit shows', () => {
    const memory = new Uint8Array(4 * PAYLOAD_MAX)
    const bench = new Bench(openNodeCrypto().aead, memory)
    for (const size of [3, 64, 65, 1_423]) {
      const plain = Uint8Array.from({ length: size }, (_, index) => index * 7)
      bench.plain.set(plain)
      const at = 2 * PAYLOAD_MAX
      const length = bench.seal(key, DATAGRAM.data, 77, 4_294_967_295, size, memory, at)
      expect([indexAt(memory, at), counterAt(memory, at)]).toEqual([77, 4_294_967_295])
      expect(bench.open(key, at, length)).toBe(true)
      expect(bench.openedOf(size)).toEqual(plain)
      expect(bench.packetOf(size)).toEqual(plain.subarray(3))
      for (const place of [0, 4, 12, 13, length - 17, length - 1]) {
        memory[at + place] = (memory[at + place] as number) ^ 4
        expect(bench.open(key, at, length)).toBe(false)
        memory[at + place] = (memory[at + place] as number) ^ 4
      }
      expect(
        bench.open(
          key.map((byte) => byte ^ 1),
          at,
          length,
        ),
      ).toBe(false)
    }
  })

  test('has no counter beyond 2^32', () => {
    expect(counterAt(unhex('0100000001000000010000000000'), 0)).toBe(-1)
  })
})

describe('an offer', () => {
  const offer = {
    version: 1,
    ephemeral: noble.agreement.publicKey(key),
    nonce: new Uint8Array(16).fill(9),
    index: 0x8000_0401,
    candidates: [
      endpointOf(Uint8Array.of(192, 0, 2, 1), 4_003),
      endpointOf(unhex('20010db8000000000000000000000001'), 443),
    ],
  }
  test('reads as it was written', () => {
    const bytes = writeOffer(SAID.offer, offer)
    expect(readOffer(bytes)).toEqual(offer)
    expect(bytes.length).toBe(55 + 7 + 19)
    expect(hex(bytes.slice(55))).toBe('04c00002010fa3' + '0620010db800000000000000000000000101bb')
  })

  test('that no honest end writes is refused', () => {
    const bytes = writeOffer(SAID.offer, offer)
    for (let length = 0; length < bytes.length; length++)
      expect(readOffer(bytes.subarray(0, length))).toBeUndefined()
    expect(readOffer(concat(bytes, Uint8Array.of(0)))).toBeUndefined()
    for (const [place, value] of [
      [54, 9],
      [54, 1],
      [55, 5],
    ] as const) {
      const changed = bytes.slice()
      changed[place] = value
      expect(readOffer(changed)).toBeUndefined()
    }
    const noPort = writeOffer(SAID.offer, {
      ...offer,
      candidates: [endpointOf(Uint8Array.of(1, 1, 1, 1), 0)],
    })
    expect(readOffer(noPort)).toBeUndefined()
  })

  test('is of a kind that the core passes over', () => {
    expect(CARRIER_HOP >>> 16).toBe(0x12)
  })

  test('leads to the keys of sec:S11, one for each direction, the same at both ends', () => {
    const [dialler, listener] = [1, 2].map((fill) =>
      peerIdOf(noble.signatures.publicKey(key.map((byte) => byte ^ fill))),
    ) as [ReturnType<typeof peerIdOf>, ReturnType<typeof peerIdOf>]
    const [ours, theirs] = [key, key.map((byte) => byte + 1)]
    const [asked, answered] = [utf8('the offer'), utf8('the answer')]
    const pair = agreeOnKeys(
      noble,
      ours,
      noble.agreement.publicKey(theirs),
      dialler,
      listener,
      asked,
      answered,
    )
    expect(
      agreeOnKeys(
        openNodeCrypto(),
        theirs,
        noble.agreement.publicKey(ours),
        dialler,
        listener,
        asked,
        answered,
      ),
    ).toEqual(pair)
    // By RFC 5869, written out.
    const salt = noble.hash.hash32(
      concat(utf8('peertap trunk v1'), Uint8Array.of(0), unhex(dialler), unhex(listener), asked, answered),
    )
    const shared = noble.agreement.shared(ours, noble.agreement.publicKey(theirs)) as Uint8Array
    const hmac = (secret: Uint8Array, ...parts: Uint8Array[]): Uint8Array =>
      new Uint8Array(
        createHmac('sha256', secret)
          .update(concat(...parts))
          .digest(),
      )
    const pseudorandom = hmac(salt, shared)
    const first = hmac(pseudorandom, utf8('keys'), Uint8Array.of(1))
    const second = hmac(pseudorandom, first, utf8('keys'), Uint8Array.of(2))
    expect([hex(pair?.fromDialler ?? key), hex(pair?.fromListener ?? key)]).toEqual([hex(first), hex(second)])
    const digest = createHash('sha256').update(concat(first, second)).digest('hex')
    expect(digest).toBe('8ae4463fde7f4c8d9e8529f164420cfe85de3eba34e8ead020ac529ac72899de')
    const small = new Uint8Array(32)
    expect(agreeOnKeys(noble, ours, small, dialler, listener, asked, answered)).toBeUndefined()
  })
})

describe('candidates', () => {
  const hosts = ['10.0.0.5', '127.0.0.1', 'fe80::1', '2a00::5', '169.254.7.7', '5.51.100.7', '10.0.0.5']
  const ports = new Map([
    [4, 4_003],
    [6, 4_004],
  ] as const)
  const texts = (remote: string | undefined): string[] =>
    ownCandidates(hosts, ports, remote).map((each) => `${hostOf(each).join('.')} ${portOf(each)}`)

  test('are this machine’s addresses, public ones first, loopback for a peer on it alone', () => {
    expect(texts('10.0.0.9')).toEqual([
      `${[...unhex('2a000000000000000000000000000005')].join('.')} 4004`,
      '5.51.100.7 4003',
      '10.0.0.5 4003',
    ])
    expect(texts('127.0.0.1')).toEqual(['127.0.0.1 4003'])
    expect(texts(undefined).length).toBe(3)
    expect(texts('169.254.1.1')).toContain('169.254.7.7 4003')
  })

  test('of the peer are taken at the address of its stream too', () => {
    const told = [endpointOf(Uint8Array.of(10, 0, 0, 5), 4_003)]
    const both = withRemote(told, '198.51.100.7').map((each) => `${hostOf(each).join('.')}:${portOf(each)}`)
    expect(both).toEqual(['10.0.0.5:4003', '198.51.100.7:4003'])
    expect(withRemote(told, '10.0.0.5').length).toBe(1)
    expect(withRemote(told, undefined)).toEqual(told)
  })

  test.each([
    ['0.1.2.3', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['127.0.0.1', false],
    ['169.254.169.254', false],
    ['192.0.0.8', false],
    ['192.0.2.1', false],
    ['198.51.100.1', false],
    ['203.0.113.1', false],
    ['240.0.0.1', false],
    ['10.7.0.1', false],
    ['10.8.0.1', true],
    ['100.64.0.1', true],
    ['172.16.0.1', true],
    ['192.168.1.1', true],
    ['198.18.0.1', true],
    ['223.255.255.1', true],
  ])('%s may be asked: %s', (host, expected) => {
    const endpoint = endpointOf(Uint8Array.from(host.split('.').map(Number)), 1)
    for (const remote of ['10.0.0.1', '169.254.1.1', undefined])
      expect(isAdmissible(endpoint, remote, (each) => each.startsWith('10.7.'))).toBe(expected)
    if (host === '169.254.169.254') expect(isAdmissible(endpoint, host, () => false)).toBe(true)
  })

  test.each([
    ['00000000000000000000000000000000', false],
    ['00000000000000000000000000000001', false],
    ['00000000000000000000ffff0a000001', false],
    ['fe800000000000000000000000000001', false],
    ['ff020000000000000000000000000001', false],
    ['01000000000000000000000000000001', false],
    ['20010db8000000000000000000000001', false],
    ['20010010000000000000000000000001', false],
    ['3fff0000000000000000000000000001', false],
    ['40000000000000000000000000000001', false],
    ['fd000000000000000000000000000001', true],
    ['2a000000000000000000000000000001', true],
    ['0064ff9b0000000000000000c6336501', true],
    ['0064ff9b0000000000000000c0000201', false],
    ['0064ff9b00000000000000007f000001', false],
    ['0064ff9b0000000000000000a9fea9fe', false],
    ['20027f00000100000000000000000001', false],
  ])('of IPv6, %s may be asked: %s', (host, expected) => {
    expect(isAdmissible(endpointOf(unhex(host), 1), '10.0.0.1', () => false)).toBe(expected)
  })
})

describe('pieces', () => {
  const piece = (
    number: number,
    index: number,
    count: number,
    bytes: Uint8Array,
    hop = 0x11_0040,
  ): Uint8Array => {
    const whole = new Uint8Array(7 + bytes.length)
    writePiece(whole, hop, number, index, count)
    whole.set(bytes, 7)
    return whole
  }

  test('that no honest end cuts are refused, and take no memory for long', () => {
    const joiner = new Joiner()
    const some = new Uint8Array(100)
    expect(joiner.take(piece(1, 0, 1, some))).toBe('wrong')
    expect(joiner.take(piece(1, 2, 2, some))).toBe('wrong')
    expect(joiner.take(piece(1, 0, 161, some))).toBe('wrong')
    expect(joiner.take(piece(1, 0, 2, new Uint8Array(0)))).toBe('wrong')
    expect(joiner.take(piece(2, 0, 3, some))).toBe('more')
    expect(joiner.take(piece(2, 1, 3, some.subarray(1)))).toBe('wrong')
    expect(joiner.take(piece(3, 0, 2, some))).toBe('more')
    expect(joiner.take(piece(3, 1, 2, new Uint8Array(101)))).toBe('wrong')
    expect(joiner.take(piece(4, 1, 2, new Uint8Array(101)))).toBe('more')
    expect(joiner.take(piece(4, 0, 2, some))).toBe('wrong')
    expect(joiner.take(piece(5, 0, 2, some))).toBe('more')
    expect(joiner.take(piece(5, 1, 2, some, 7))).toBe('wrong')
  })

  test('take memory for the longest packet that there is, once, and for what was announced before', () => {
    const joiner = new Joiner()
    joiner.take(piece(0, 0, 2, new Uint8Array(1_000)))
    expect(joiner.memoryBytes).toBeLessThan(10_000)
    for (let number = 0; number < 10_000; number++) joiner.take(piece(number, 0, 49, new Uint8Array(1_400)))
    expect(joiner.memoryBytes).toBeLessThan(4 * 75_000)
    expect(joiner.take(piece(10_001, 0, 64, new Uint8Array(1_400)))).toBe('wrong')
    expect(joiner.memoryBytes).toBeLessThan(4 * 75_000)
  })

  test('make no garbage for each packet', () => {
    const joiner = new Joiner()
    const some = piece(0, 0, 49, new Uint8Array(1_400))
    const before = process.memoryUsage().arrayBuffers
    for (let number = 0; number < 20_000; number++) {
      some[4] = number
      some[3] = number >>> 8
      joiner.take(some)
    }
    // 68,600 bytes for each would be 1.4 GB.
    expect(joiner.lost).toBe(20_000 - 4)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000)
  })

  test('of more packets than are put together at once push out the oldest', () => {
    const joiner = new Joiner()
    const half = new Uint8Array(10)
    for (let number = 0; number < 6; number++) joiner.take(piece(number, 0, 2, half))
    expect(joiner.lost).toBe(2)
    expect(joiner.take(piece(5, 1, 2, half))).toBe('done')
    expect(joiner.take(piece(0, 1, 2, half))).toBe('more')
  })
})
