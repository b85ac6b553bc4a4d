import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import { InvariantError, UsageError } from '../../core/errors.ts'
import { hex, unhex } from '../../core/ids.ts'
import type { VlanMembership } from '../../core/io.ts'
import { PAYLOAD_KIND, SENDERS_MAX, StaticGroup } from '../../core/vlan/group.ts'
import { PADDING_CLASSES, PAYLOAD_BYTES_MAX, type Padding, paddedLength } from '../../core/vlan/plaintext.ts'
import { REPLAY_WINDOW, ReplayWindow } from '../../core/vlan/replay.ts'
import {
  AAD_BYTES,
  CIPHER_OFFSET,
  idIs,
  NONCE_OFFSET,
  PACKET_BYTES_MAX,
  PACKET_OVERHEAD,
  TOKEN_OFFSET,
  TRUNK_PACKET_BYTES,
  vlanIs,
} from '../../core/wire/packet.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import vectors from '../vectors/packets.json' with { type: 'json' }

const token = Uint8Array.from({ length: 16 }, (_, index) => 200 + index)
const START = 1_000_000

/** Keys that count: every boot differs. */
function counter(): Keys {
  let drawn = 0
  return {
    bytes(length) {
      drawn++
      const bytes = new Uint8Array(length)
      bytes[0] = drawn
      bytes[1] = drawn >>> 8
      return bytes
    },
  }
}

const keys = counter()

function membership(member: number, changes: Partial<VlanMembership> = {}): VlanMembership {
  return {
    authorityKey: new Uint8Array(32),
    label: 'home',
    privacy: 'spec',
    groupKey: new Uint8Array(32).fill(7),
    salt: new Uint8Array(32).fill(3),
    memberKey: new Uint8Array(32).fill(member),
    ...changes,
  }
}

function member(
  number: number,
  options: { crypto?: Crypto; padding?: Padding; vlan?: Partial<VlanMembership> } = {},
): StaticGroup {
  const { crypto = standInCrypto, padding, vlan } = options
  return new StaticGroup({
    crypto,
    keys,
    membership: membership(number, vlan),
    now: START,
    ...(padding === undefined ? {} : { padding }),
  })
}

function sealed(group: StaticGroup, payload = Uint8Array.of(1, 2, 3), now = START): Uint8Array {
  return group.seal(now, PAYLOAD_KIND.frame, token, payload)
}

describe('vectors', () => {
  const { groupKey, memberKey, salt, boot, startMicros } = vectors
  const shared = {
    authorityKey: Uint8Array.from({ length: 32 }, (_, index) => index),
    label: 'home',
    privacy: 'private',
    groupKey: unhex(groupKey),
    salt: unhex(salt),
  } as const
  const sender = new StaticGroup({
    crypto: noble,
    keys: { bytes: () => unhex(boot) },
    membership: { ...shared, memberKey: unhex(memberKey) },
    now: startMicros,
  })
  const receiver = new StaticGroup({
    crypto: noble,
    keys,
    membership: { ...shared, memberKey: new Uint8Array(32) },
    now: 0,
  })

  test('ids', () => {
    expect(hex(sender.vlan)).toBe(vectors.vlan)
    expect(hex(sender.mlsId())).toBe(vectors.mlsId)
    expect(sender.firstHopLimit).toBe(vectors.firstHopLimit)
  })

  test.each(vectors.packets)('packet $sequence', ({ sequence, atMicros, payload, packet }) => {
    expect(hex(sender.seal(atMicros, PAYLOAD_KIND.frame, unhex(vectors.token), unhex(payload)))).toBe(packet)
    expect(receiver.open(unhex(packet))).toBe('opened')
    expect(hex(receiver.opened.payload)).toBe(payload)
    expect(receiver.opened).toMatchObject({
      kind: PAYLOAD_KIND.frame,
      sequence,
      firstHopLimit: vectors.firstHopLimit,
      sentMillis: Math.floor((atMicros - startMicros) / 1_000),
    })
  })
})

describe.each<[string, Crypto]>([
  ['noble', noble],
  ['stand-in', standInCrypto],
])('sealing and opening (%s)', (name, crypto) => {
  const runs = { numRuns: name === 'noble' ? 25 : 300 }
  const alice = member(1, { crypto })
  const bob = member(2, { crypto })

  test('what one member seals another opens', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2_500 }),
        fc.constantFrom(...Object.values(PAYLOAD_KIND)),
        fc.integer({ min: 0, max: 2 ** 50 }),
        (payload, kind, later) => {
          const packet = alice.seal(START + later, kind, token, payload)
          expect(vlanIs(packet, alice.vlan) && idIs(packet, TOKEN_OFFSET, token)).toBe(true)
          expect(bob.open(packet)).toBe('opened')
          expect(bob.opened.payload).toEqual(payload)
          expect(bob.opened.kind).toBe(kind)
          expect(bob.opened.sentMillis).toBe(Math.floor(later / 1_000))
          expect(bob.opened.firstHopLimit).toBe(alice.firstHopLimit)
          expect(bob.open(packet)).toBe('dropReplay')
        },
      ),
      runs,
    )
  })

  test('sequence numbers count, the sender stays the same', () => {
    const carol = member(3, { crypto })
    const seen: number[][] = []
    for (let count = 0; count < 3; count++) {
      bob.open(sealed(carol))
      seen.push([bob.opened.sender, bob.opened.sequence])
    }
    const first = (seen[0] as number[])[0] as number
    expect(seen).toEqual([
      [first, 0],
      [first, 1],
      [first, 2],
    ])
    bob.open(sealed(alice))
    expect(bob.opened.sender).not.toBe(first)
  })

  test('any changed byte is a refusal and leaves the window alone', () => {
    const dave = member(4, { crypto })
    const packet = sealed(dave)
    for (let at = 0; at < packet.length; at++) {
      const changed = packet.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(bob.open(changed)).not.toBe('opened')
    }
    expect(bob.open(packet)).toBe('opened')
  })

  test('another group key is another epoch, another VLAN too', () => {
    const stranger = member(5, { crypto, vlan: { groupKey: new Uint8Array(32).fill(8) } })
    expect(bob.open(sealed(stranger))).toBe('dropUnknownEpoch')
    const elsewhere = member(5, { crypto, vlan: { label: 'work' } })
    expect(bob.open(sealed(elsewhere))).toBe('dropUnknownEpoch')
  })
})

describe('nonces', () => {
  test('two starts of one member never share a key: the same counter gives another text', () => {
    const before = sealed(member(1))
    const after = sealed(member(1))
    expect(after.subarray(CIPHER_OFFSET)).not.toEqual(before.subarray(CIPHER_OFFSET))
  })

  test('on the wire they look random', () => {
    const alice = member(1)
    const wires = Array.from({ length: 500 }, () => hex(sealed(alice).subarray(NONCE_OFFSET, CIPHER_OFFSET)))
    expect(new Set(wires).size).toBe(500)
    const ones = wires
      .join('')
      .split('')
      .reduce((sum, digit) => sum + (Number.parseInt(digit, 16).toString(2).match(/1/g)?.length ?? 0), 0)
    expect(ones / (500 * 96)).toBeGreaterThan(0.47)
    expect(ones / (500 * 96)).toBeLessThan(0.53)
  })

  test('a sender id of index 0 is read as 1', () => {
    const crypto: Crypto = {
      ...standInCrypto,
      hash: {
        ...standInCrypto.hash,
        hash16: (input) => (input.length === 48 ? new Uint8Array(16) : standInCrypto.hash.hash16(input)),
      },
    }
    const alice = member(1, { crypto })
    const packet = sealed(alice)
    expect(member(2).open(packet)).toBe('opened')
  })
})

describe('refusals', () => {
  test('own packets that come back', () => {
    const alice = member(1)
    expect(alice.open(sealed(alice))).toBe('dropReplay')
  })

  test('what is no data packet', () => {
    const bob = member(2)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(bob.open(bytes)).not.toBe('opened')
      }),
    )
    expect(bob.open(new Uint8Array(0))).toBe('dropMalformed')
    expect(bob.open(new Uint8Array(PACKET_BYTES_MAX + 1))).toBe('dropMalformed')
    expect(bob.open(sealed(member(1)).subarray(0, 80))).toBe('dropMalformed')
  })

  test('junk behind a true header fills no table', () => {
    const bob = member(2)
    const junk = sealed(member(1)).slice()
    for (let count = 0; count < 100; count++) {
      junk[NONCE_OFFSET] = count
      junk[NONCE_OFFSET + 1] = 77
      expect(bob.open(junk)).toBe('dropBadTag')
    }
    expect(bob.senders).toBe(0)
  })

  test('senders beyond the bound, but not those known', () => {
    const bob = member(2)
    const first = member(1)
    expect(bob.open(sealed(first))).toBe('opened')
    for (let count = 1; count < SENDERS_MAX; count++) expect(bob.open(sealed(member(1)))).toBe('opened')
    expect(bob.senders).toBe(SENDERS_MAX)
    expect(bob.open(sealed(member(1)))).toBe('boundSenders')
    expect(bob.open(sealed(first))).toBe('opened')
  })

  test('a wrong call is named', () => {
    expect(() => member(1, { vlan: { groupKey: new Uint8Array(16) } })).toThrow(UsageError)
    expect(() => member(1).seal(START, PAYLOAD_KIND.frame, new Uint8Array(15), new Uint8Array(1))).toThrow(
      InvariantError,
    )
    expect(() => sealed(member(1), new Uint8Array(PAYLOAD_BYTES_MAX + 1))).toThrow(InvariantError)
  })
})

/** Seals a plaintext as given, by way of crypto ports that swap it in. */
function sealedPlain(change: (plain: Uint8Array) => void): Uint8Array {
  const crypto: Crypto = {
    ...standInCrypto,
    aead: {
      ...standInCrypto.aead,
      seal(key, nonce, header, plain, out) {
        const copy = plain.slice()
        change(copy)
        standInCrypto.aead.seal(key, nonce, header, copy, out)
      },
    },
  }
  return sealed(member(1, { crypto, padding: 'all' }))
}

describe('plaintext that an insider malformed', () => {
  test.each<[string, (plain: Uint8Array) => void]>([
    [
      'an unknown kind',
      (plain) => {
        plain[0] = 8
      },
    ],
    [
      'the fragment flag, which a static group has no use for',
      (plain) => {
        plain[1] = 1
      },
    ],
    [
      'the signed flag',
      (plain) => {
        plain[1] = 2
      },
    ],
    [
      'a flag without meaning',
      (plain) => {
        plain[1] = 0x80
      },
    ],
    [
      'a length beyond the end',
      (plain) => {
        plain[12] = 116
      },
    ],
    [
      'a huge length',
      (plain) => {
        plain[9] = 0xff
      },
    ],
    [
      'a length that leaves payload in the padding',
      (plain) => {
        plain[12] = 2
      },
    ],
    [
      'padding that is not zero',
      (plain) => {
        plain[127] = 1
      },
    ],
  ])('%s', (_, change) => {
    const bob = member(2)
    expect(bob.open(sealedPlain(change))).toBe('dropPlaintext')
    expect(bob.senders).toBe(0)
  })

  test('unchanged it opens', () => {
    expect(member(2).open(sealedPlain(() => {}))).toBe('opened')
  })
})

describe('padding', () => {
  test('classes', () => {
    expect([...PADDING_CLASSES]).toEqual([128, 256, 512, 1_024, 1_343])
    expect([13, 128, 129, 1_000, 1_343, 1_344, 5_000].map((length) => paddedLength(length, 'all'))).toEqual([
      128, 128, 256, 1_024, 1_343, 4_096, 8_192,
    ])
    expect([13, 256, 257, 1_300].map((length) => paddedLength(length, 'small'))).toEqual([
      128, 256, 257, 1_300,
    ])
    expect(paddedLength(77, 'none')).toBe(77)
  })

  // Two bytes more, as in the text it departs from, and each padded full frame would be split on the trunk.
  test('a full frame of an MTU of 1,280 stays within what every trunk carries', () => {
    const packet = sealed(member(1, { padding: 'all' }), new Uint8Array(1_280 + 18))
    expect(packet).toHaveLength(TRUNK_PACKET_BYTES)
  })

  test('private VLANs pad small packets, spec VLANs none', () => {
    expect(sealed(member(1, { vlan: { privacy: 'private' } }))).toHaveLength(PACKET_OVERHEAD + 128)
    expect(sealed(member(1))).toHaveLength(PACKET_OVERHEAD + 13 + 3)
  })

  test('the largest payload passes with and without', () => {
    for (const padding of ['none', 'all'] as const) {
      const bob = member(2)
      const payload = new Uint8Array(PAYLOAD_BYTES_MAX).fill(5)
      const packet = sealed(member(1, { padding }), payload)
      expect(packet.length).toBeLessThanOrEqual(PACKET_BYTES_MAX)
      expect(bob.open(packet)).toBe('opened')
      expect(bob.opened.payload).toEqual(payload)
    }
  })
})

describe('first hop limit', () => {
  test('is drawn once for a member and salt, from 64 to 127', () => {
    const limits = Array.from({ length: 200 }, (_, number) => member(number).firstHopLimit)
    expect(Math.min(...limits)).toBeGreaterThanOrEqual(64)
    expect(Math.max(...limits)).toBeLessThanOrEqual(127)
    expect(new Set(limits).size).toBeGreaterThan(40)
    expect(member(7).firstHopLimit).toBe(member(7).firstHopLimit)
  })
})

describe('limits of a key', () => {
  const limited = (packets: number, blocks: number): StaticGroup =>
    new StaticGroup({
      crypto: standInCrypto,
      keys,
      membership: membership(1),
      now: START,
      keyLimits: { packets, blocks },
    })
  const names = (group: StaticGroup, count: number): string[] => {
    const bob = member(2)
    return Array.from({ length: count }, (_, second) => {
      expect(bob.open(sealed(group, new Uint8Array(100), START + second * 1_000_000))).toBe('opened')
      return `${bob.opened.sender}:${bob.opened.sequence}:${bob.opened.sentMillis}`
    })
  }

  test('after so many packets a new boot is drawn and receivers follow', () => {
    expect(names(limited(2, 2 ** 35), 5)).toEqual(['0:0:0', '0:1:1000', '1:0:0', '1:1:1000', '2:0:0'])
  })

  test('after so many blocks too: 113 bytes are 8 and 6 more', () => {
    expect(names(limited(100, 28), 3)).toEqual(['0:0:0', '0:1:1000', '1:0:0'])
  })
})

describe('packet bytes', () => {
  test('the associated data is in clear and covered', () => {
    const alice = member(1)
    const packet = sealed(alice)
    expect(packet.subarray(1, 17)).toEqual(alice.vlan)
    expect(packet.subarray(17, 33)).toEqual(alice.mlsId())
    expect(packet.subarray(33, AAD_BYTES)).toEqual(token)
  })
})

describe('replay window', () => {
  /** What the window must do, the simple way. */
  class Model {
    readonly #seen = new Set<number>()
    #top: number
    readonly #first: number

    constructor(first: number) {
      this.#first = first
      this.#top = first
      this.#seen.add(first)
    }

    accepts(counter: number): boolean {
      if (this.#seen.has(counter)) return false
      if (counter <= this.#top - REPLAY_WINDOW) return false
      // Before the first counter heard only 64 are looked for, see the window's own text.
      return counter >= this.#first || counter > this.#top - 64
    }

    mark(counter: number): void {
      this.#seen.add(counter)
      this.#top = Math.max(this.#top, counter)
    }
  }

  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 3 }) },
    { weight: 4, arbitrary: fc.integer({ min: -80, max: 80 }) },
    { weight: 1, arbitrary: fc.integer({ min: -9_000, max: 9_000 }) },
  )

  test('agrees with a set of all counters ever seen', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.array(step, { maxLength: 400 }), (first, steps) => {
        const window = new ReplayWindow(first)
        const model = new Model(first)
        let at = first
        for (const distance of steps) {
          const counter = Math.max(0, at + distance)
          expect(window.accepts(counter)).toBe(model.accepts(counter))
          if (model.accepts(counter)) {
            window.mark(counter)
            model.mark(counter)
            expect(window.accepts(counter)).toBe(false)
          }
          at = Math.max(at, counter)
        }
        for (let counter = Math.max(0, at - REPLAY_WINDOW - 70); counter < at + 3; counter += 1) {
          expect(window.accepts(counter)).toBe(model.accepts(counter))
        }
      }),
      { numRuns: 150 },
    )
  })

  test('keeps nothing while packets come in order', () => {
    const window = new ReplayWindow(0)
    for (let counter = 1; counter < 20_000; counter++) window.mark(counter)
    expect(window.windowBytes).toBe(0)
    expect(window.accepts(19_999)).toBe(false)
    expect(window.accepts(20_000)).toBe(true)
  })

  test('a late joiner stays at 64 bits', () => {
    const window = new ReplayWindow(1_000_000)
    for (let counter = 1_000_001; counter < 1_020_000; counter++) window.mark(counter)
    expect(window.windowBytes).toBe(8)
  })

  test('a lost packet is awaited for 8,192 counters and at most 1 kB', () => {
    const window = new ReplayWindow(0)
    for (let counter = 2; counter <= REPLAY_WINDOW; counter++) window.mark(counter)
    expect(window.accepts(1)).toBe(true)
    window.mark(REPLAY_WINDOW + 1)
    expect(window.accepts(1)).toBe(false)
    expect(window.windowBytes).toBe(1_024)
  })

  test('works at the end of the range', () => {
    const window = new ReplayWindow(2 ** 32 - 10)
    for (const counter of [2 ** 32 - 8, 2 ** 32 - 9, 2 ** 32 - 2]) {
      expect(window.accepts(counter)).toBe(true)
      window.mark(counter)
      expect(window.accepts(counter)).toBe(false)
    }
    expect(window.accepts(2 ** 32 - 3)).toBe(true)
  })
})
