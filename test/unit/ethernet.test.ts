import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BROADCAST_MAC, macText, parseMac, unhex, writeMac } from '../../core/ids.ts'
import {
  destinationOf,
  ETHERTYPE,
  ethertypeOf,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MIN,
  frameLength,
  goesToAll,
  isGroupFrame,
  snoop,
  sourceOf,
} from '../../core/vlan/ethernet.ts'

const anyMac = fc.integer({ min: 0, max: BROADCAST_MAC })
const HOST = 0x0200_0000_0001

/** An Ethernet frame; `tag` puts an 802.1Q tag between the addresses and the type. */
function frame(destination: number, type: number, payload: Uint8Array, tag = false): Uint8Array {
  const head = tag ? 18 : 14
  const bytes = new Uint8Array(head + payload.length)
  writeMac(bytes, 0, destination)
  writeMac(bytes, 6, HOST)
  if (tag) bytes.set([0x81, 0x00, 0x00, 0x05], 12)
  bytes.set([type >> 8, type & 0xff], head - 2)
  bytes.set(payload, head)
  return bytes
}

/** An IPv4 packet with the router alert that IGMP carries. */
function igmp(body: Uint8Array): Uint8Array {
  const packet = new Uint8Array(24 + body.length)
  packet.set([
    0x46,
    0xc0,
    0,
    packet.length,
    0,
    0,
    0x40,
    0,
    1,
    2,
    0,
    0,
    10,
    0,
    0,
    1,
    224,
    0,
    0,
    22,
    0x94,
    4,
    0,
    0,
  ])
  packet.set(body, 24)
  return packet
}

/** An IPv6 packet with hop-by-hop router alert that MLD carries. */
function mld(body: Uint8Array): Uint8Array {
  const packet = new Uint8Array(48 + body.length)
  packet.set([0x60, 0, 0, 0, 0, 8 + body.length, 0, 1])
  packet.set(unhex('fe800000000000000000000000000001ff020000000000000000000000000016'), 8)
  packet.set([58, 0, 5, 2, 0, 0, 1, 0], 40)
  packet.set(body, 48)
  return packet
}

const igmpFrame = (body: string, tag = false): Uint8Array =>
  frame(0x0100_5e00_0016, ETHERTYPE.ipv4, igmp(unhex(body)), tag)
const mldFrame = (body: string, tag = false): Uint8Array =>
  frame(0x3333_0000_0016, ETHERTYPE.ipv6, mld(unhex(body)), tag)

function told(bytes: Uint8Array): { joins: string[]; leaves: string[]; query: boolean } | undefined {
  const found = snoop(bytes)
  if (found === undefined) return undefined
  return { joins: found.joins.map(macText), leaves: found.leaves.map(macText), query: found.query }
}

describe('header', () => {
  test('addresses and type', () => {
    fc.assert(
      fc.property(anyMac, (mac) => {
        const bytes = frame(mac, ETHERTYPE.arp, new Uint8Array(28))
        expect(destinationOf(bytes)).toBe(mac)
        expect(sourceOf(bytes)).toBe(HOST)
        expect(ethertypeOf(bytes)).toBe(0x0806)
        expect(isGroupFrame(bytes)).toBe((Number.parseInt(macText(mac).slice(0, 2), 16) & 1) === 1)
      }),
    )
  })

  test('lengths', () => {
    expect(
      [0, 13, FRAME_BYTES_MIN, 1_514, FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1].map((n) =>
        frameLength(new Uint8Array(n)),
      ),
    ).toEqual(['short', 'short', 'fits', 'fits', 'fits', 'long'])
    expect(FRAME_BYTES_MAX).toBe(9_234)
  })
})

describe('what goes to everybody', () => {
  test.each([
    ['broadcast', 'FFFFFFFFFFFF', true],
    ['224.0.0.1', '01005E000001', true],
    ['224.0.0.251', '01005E0000FB', true],
    ['224.0.1.0, just beyond', '01005E000100', false],
    ['239.255.255.250', '01005E7FFFFA', true],
    ['239.255.255.251', '01005E7FFFFB', false],
    ['ff02::1', '333300000001', true],
    ['ff02::2', '333300000002', true],
    ['ff02::fb', '3333000000FB', true],
    ['ff02::16', '333300000016', false],
    ['a solicited-node group', '3333FF123456', false],
    ['spanning tree', '0180C2000000', true],
    ['01:00:5e beyond the IPv4 half', '01005E800001', true],
    ['a host', '020000000001', false],
  ])('%s: %s %s', (_, mac, all) => {
    expect(goesToAll(parseMac(mac))).toBe(all)
  })

  test('never a unicast address', () => {
    fc.assert(
      fc.property(anyMac, (mac) => {
        if (goesToAll(mac)) expect(isGroupFrame(frame(mac, 0, new Uint8Array(0)))).toBe(true)
      }),
    )
  })
})

const GROUP = '01005E010203'
const none = { joins: [], leaves: [], query: false }

describe('IGMP', () => {
  test('reports of version 1 and 2, and a leave', () => {
    expect(told(igmpFrame('12000000e8010203'))).toEqual({ ...none, joins: [GROUP] })
    expect(told(igmpFrame('16000000e8010203'))).toEqual({ ...none, joins: [GROUP] })
    expect(told(igmpFrame('17000000e8010203'))).toEqual({ ...none, leaves: [GROUP] })
  })

  test('a query tells of a querier', () => {
    expect(told(igmpFrame('1164000000000000'))).toEqual({ ...none, query: true })
  })

  test.each([
    ['is exclude nothing: all sources', '02', '0000', '', [GROUP], []],
    ['to exclude nothing: join', '04', '0000', '', [GROUP], []],
    ['to exclude some', '04', '0001', '0a000001', [GROUP], []],
    ['to include nothing: leave', '03', '0000', '', [], [GROUP]],
    ['to include some', '03', '0002', '0a0000010a000002', [GROUP], []],
    ['is include some', '01', '0001', '0a000001', [GROUP], []],
    ['allow new sources', '05', '0001', '0a000001', [GROUP], []],
    ['block old sources', '06', '0001', '0a000001', [], []],
    ['an unknown type', '09', '0000', '', [], []],
  ])('version 3: %s', (_, type, sources, list, joins, leaves) => {
    expect(told(igmpFrame(`2200000000000001${type}00${sources}e8010203${list}`))).toEqual({
      joins,
      leaves,
      query: false,
    })
  })

  test('version 3: several records, with auxiliary data between', () => {
    const body =
      '2200000000000003' + '04010000e8010203' + 'aabbccdd' + '03000000e8010204' + '04000000e8010205'
    expect(told(igmpFrame(body))).toEqual({
      joins: [GROUP, '01005E010205'],
      leaves: ['01005E010204'],
      query: false,
    })
    expect(told(igmpFrame(body, true))).toEqual(told(igmpFrame(body)))
  })

  test('groups that go to everybody are not to be joined', () => {
    expect(told(igmpFrame('16000000e00000fb'))).toBeUndefined()
    expect(told(igmpFrame('220000000000000104000000effffffa'))).toEqual(none)
  })

  test.each([
    ['an address that is no group', '160000000a000001'],
    ['a record cut off', '2200000000000002' + '04000000e8010203'],
    ['more sources than there are', '2200000000000001' + '04000005e8010203' + '0a000001'],
    ['auxiliary data beyond the end', '2200000000000001' + '04020000e8010203'],
    ['an unknown message', '99000000e8010203'],
    ['too short', '16000000'],
  ])('refused: %s', (_, body) => {
    expect(told(igmpFrame(body))).toBeUndefined()
  })

  test('the total length counts, not the padding of a short frame', () => {
    const bytes = igmpFrame('2200000000000001')
    const padded = new Uint8Array(64)
    padded.set(bytes)
    padded.set(unhex('04000000e8010203'), bytes.length)
    expect(told(padded)).toBeUndefined()
  })

  test('fragments, other protocols, other versions and unicast say nothing', () => {
    const good = igmpFrame('16000000e8010203')
    for (const [at, value] of [
      [14 + 6, 0x20],
      [14 + 7, 1],
      [14 + 9, 17],
      [14, 0x56],
      [14, 0x44],
      [0, 2],
      [13, 6],
    ] as const) {
      const changed = good.slice()
      changed[at] = value
      expect(told(changed)).toBeUndefined()
    }
  })
})

const GROUP_V6 = '333300010003'
const ADDRESS_V6 = 'ff050000000000000000000000010003'

describe('MLD', () => {
  test('version 1: report, done, query', () => {
    expect(told(mldFrame(`8300000000000000${ADDRESS_V6}`))).toEqual({ ...none, joins: [GROUP_V6] })
    expect(told(mldFrame(`8400000000000000${ADDRESS_V6}`))).toEqual({ ...none, leaves: [GROUP_V6] })
    expect(told(mldFrame(`8200000000000000${'00'.repeat(16)}`))).toEqual({ ...none, query: true })
  })

  test('version 2: records', () => {
    const source = '20010db8000000000000000000000001'
    const second = `03000001ff3e0000000000000000000012345678${source}`
    const body = `8f0000000000000204000000${ADDRESS_V6}${second}`
    expect(told(mldFrame(body))).toEqual({ joins: [GROUP_V6, '333312345678'], leaves: [], query: false })
    expect(told(mldFrame(body, true))).toEqual(told(mldFrame(body)))
    expect(told(mldFrame(`8f0000000000000103000000${ADDRESS_V6}`))).toEqual({ ...none, leaves: [GROUP_V6] })
  })

  test.each([
    ['a record cut off', `8f0000000000000204000000${ADDRESS_V6}`],
    ['more sources than there are', `8f0000000000000104000001${ADDRESS_V6}`],
    ['an address that is no group', `8300000000000000${'20'.repeat(16)}`],
    ['a report without address', '8300000000000000'],
    ['another ICMPv6 message', `8700000000000000${ADDRESS_V6}`],
  ])('refused: %s', (_, body) => {
    expect(told(mldFrame(body))).toBeUndefined()
  })

  test('from beyond the link, or with another header in the way: nothing', () => {
    const good = mldFrame(`8300000000000000${ADDRESS_V6}`)
    for (const [at, value] of [
      [14 + 7, 64],
      [14 + 6, 17],
      [14 + 40, 17],
      [14 + 41, 9],
      [14 + 5, 200],
      [14, 0x40],
    ] as const) {
      const changed = good.slice()
      changed[at] = value
      expect(told(changed)).toBeUndefined()
    }
  })
})

describe('hostile frames', () => {
  const valid = [
    igmpFrame('2200000000000002' + '04000000e8010203' + '03000001e80102040a000001'),
    mldFrame(`8f0000000000000104000000${ADDRESS_V6}`),
  ]

  test('any cut and any changed byte is read within bounds', () => {
    for (const bytes of valid) {
      for (let length = FRAME_BYTES_MIN; length < bytes.length; length++)
        expect(told(bytes.subarray(0, length))).toBeUndefined()
      for (let at = 0; at < bytes.length; at++) {
        for (const value of [0, 1, 0x7f, 0xff]) {
          const changed = bytes.slice()
          changed[at] = value
          const found = snoop(changed)
          for (const mac of [...(found?.joins ?? []), ...(found?.leaves ?? [])]) {
            expect(Number.isSafeInteger(mac) && goesToAll(mac)).toBe(false)
            expect(macText(mac)).toMatch(/^(01005E|3333)/)
          }
        }
      }
    }
  })

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 14, maxLength: 120 }),
        fc.constantFrom('ipv4', 'ipv6'),
        (bytes, kind) => {
          bytes[0] = 1
          bytes.set(
            kind === 'ipv4'
              ? [0x08, 0x00, 0x45].slice(0, bytes.length - 12)
              : [0x86, 0xdd, 0x60].slice(0, bytes.length - 12),
            12,
          )
          snoop(bytes)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
