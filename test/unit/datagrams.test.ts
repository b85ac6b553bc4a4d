/**
 * Datagrams of a trunk as its two ends see them: when they are used, what ends that, and what changes
 * nothing.
 */
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { SECOND } from '../../core/io.ts'
import { type Offer, readOffer, SAID, writeOffer } from '../../drivers/datagram/offer.ts'
import { DATAGRAM, PAYLOAD_MAX } from '../../drivers/datagram/packet.ts'
import { hostOf } from '../../drivers/linux/udp.ts'
import { at, DatagramWorld, type End, type Flying, LINK } from '../support/datagram-world.ts'

const packetOf = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill)
const cut = (): undefined => undefined
/** Milliseconds in a mixed order. */
function lateness(factor: number, modulus: number): () => number {
  let late = 1
  return () => {
    late = (late * factor) % modulus
    return 1_000 * late
  }
}
const isFrom =
  (end: End) =>
  ({ from }: Flying): boolean =>
    from.bytes.join() === at(end.host).bytes.join()

describe('datagrams', () => {
  test('are used by both ends as soon as both directions are proven, and not before', () => {
    const world = new DatagramWorld().linkUp()
    const { dialler, listener } = world
    dialler.send(packetOf(100, 1))
    expect(dialler.byStream.length).toBe(1)
    world.run(50)
    expect(world.ends.map(({ view }) => view.used)).toEqual([true, true])
    expect(dialler.view).toMatchObject({
      remote: '/ip4/198.18.2.2/udp/4003',
      payload: PAYLOAD_MAX,
      losses: 0,
    })
    dialler.send(packetOf(1_420, 2), 0x11_4047)
    listener.send(packetOf(0, 3), 0)
    world.run(5)
    expect(listener.came).toEqual([{ hop: 0x11_4047, bytes: packetOf(1_420, 2) }])
    expect(dialler.came).toEqual([{ hop: 0, bytes: packetOf(0, 3) }])
  })

  test('are not used where one direction is closed, whichever it is', () => {
    for (const closed of ['dialler', 'listener'] as const) {
      const world = new DatagramWorld().linkUp()
      const isClosed = isFrom(world[closed])
      world.fate = (flying) => (isClosed(flying) ? undefined : 0)
      world.run(5_000)
      expect(world.ends.map(({ turns }) => turns)).toEqual([[], []])
    }
  })

  test('probe an address that never answers three times, a second apart', () => {
    const world = new DatagramWorld().linkUp()
    const times: number[] = []
    const isOurs = isFrom(world.dialler)
    world.fate = (flying) => {
      if (isOurs(flying)) times.push(world.now)
      return undefined
    }
    world.run(30_000)
    expect(times.length).toBe(3)
    expect(times.map((time) => Math.round((time - (times[0] as number)) / SECOND))).toEqual([0, 1, 2])
  })

  test.each(['both', 'dialler', 'listener'] as const)(
    'give way to the stream within a second when what %s says is lost, and come back',
    (which) => {
      const world = new DatagramWorld().linkUp().untilUsed()
      const talk = (): void => {
        for (const end of world.ends) end.send(packetOf(200, 1))
      }
      world.run(500, talk)
      const cutAt = world.now
      const isCut = which === 'both' ? () => true : isFrom(world[which])
      world.fate = (flying) => (isCut(flying) ? undefined : 0)
      world.run(1_500, talk)
      for (const end of world.ends) {
        const lost = end.turns.find(({ byDatagrams, at: when }) => !byDatagrams && when > cutAt)
        expect(((lost?.at ?? Number.MAX_SAFE_INTEGER) - cutAt) / SECOND).toBeLessThan(0.9)
      }
      world.fate = () => 0
      const mendedAt = world.now
      world.run(6_000, talk)
      for (const end of world.ends) {
        expect(end.view.used).toBe(true)
        const back = end.turns.at(-1)?.at as number
        // Not at once: a path that comes and goes would take data with it each time.
        expect((back - mendedAt) / SECOND).toBeGreaterThan(0.9)
      }
    },
  )

  test('wait longer with each loss of a path that comes and goes', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler } = world
    const talk = (): void => dialler.send(packetOf(200, 1))
    const waits: number[] = []
    for (let round = 0; round < 4; round++) {
      world.fate = cut
      world.run(1_500, talk)
      expect(dialler.view.used).toBe(false)
      world.fate = () => 0
      const from = world.now
      while (!dialler.view.used) world.run(10, talk)
      waits.push((world.now - from) / SECOND)
      world.run(1_000, talk)
    }
    expect(waits[3] as number).toBeGreaterThan(3 * (waits[0] as number))
  })

  test('stay in use at 10 % loss and reordering, and lose only what the network lost', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    let random = 1
    const draw = (): number => {
      random = (random * 16_807) % 2_147_483_647
      return random / 2_147_483_647
    }
    let lost = 0
    world.fate = ({ bytes }) => {
      if (draw() >= 0.1) return Math.floor(draw() * 5_000)
      if (bytes[0] === DATAGRAM.data) lost += 1
      return undefined
    }
    let sent = 0
    world.run(15_000, () => {
      dialler.send(packetOf(100, 1))
      sent += 1
    })
    world.run(20)
    expect(dialler.view.losses).toBe(0)
    expect(listener.came.length).toBe(sent - lost)
  })

  test('carry what is longer than a path in pieces, in any order', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    world.fate = lateness(7, 11)
    const whole = Uint8Array.from({ length: 69_709 }, (_, index) => index * 31)
    dialler.send(whole, 0x11_0041)
    dialler.send(whole.subarray(0, 1_421), 0x11_0042)
    world.run(50)
    expect(listener.came.map(({ hop, bytes }) => [hop, bytes.length]).sort()).toEqual([
      [0x11_0041, 69_709],
      [0x11_0042, 1_421],
    ])
    expect(listener.came.find(({ bytes }) => bytes.length === 69_709)?.bytes).toEqual(whole)
  })

  test.each([600, 1_300, 1_400, 1_445])('find how much a path of %d bytes carries', (limit) => {
    const world = new DatagramWorld().linkUp()
    world.fate = ({ bytes }) => (bytes.length > limit ? undefined : 0)
    // Used before the search is over, and it goes on without a loss.
    world.untilUsed()
    const { dialler, listener } = world
    let sent = 0
    world.run(10_000, () => {
      dialler.send(packetOf(1_420, 1))
      sent += 1
    })
    world.run(10)
    for (const { view } of world.ends) {
      expect(view.payload).toBeLessThanOrEqual(limit)
      expect(view.payload).toBeGreaterThan(limit - 9)
      expect(view.losses).toBe(0)
    }
    expect(listener.came.length).toBe(sent)
    const begun = world.seen.length
    world.run(60_000)
    expect(world.seen.slice(begun).filter(({ bytes }) => bytes.length > limit)).toEqual([])
  })

  test('notice within a second when a path becomes narrow, and are back in another', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    const talk = (): void => dialler.send(packetOf(1_420, 1))
    world.run(500, talk)
    world.fate = ({ bytes }) => (bytes.length > 1_400 ? undefined : 0)
    world.run(1_000, talk)
    expect(dialler.view).toMatchObject({ used: false, why: 'long datagrams do not get through any more' })
    // What comes is not narrowed, and is not given up.
    expect(listener.view.used).toBe(true)
    world.run(1_500, talk)
    expect(dialler.view.used).toBe(true)
    world.run(10_000, talk)
    expect(dialler.view.payload).toBeGreaterThan(1_392)
  })

  test('look after ten minutes whether a path has become wider', () => {
    const world = new DatagramWorld().linkUp()
    world.fate = ({ bytes }) => (bytes.length > 1_400 ? undefined : 0)
    world.untilUsed().run(5_000)
    world.fate = () => 0
    const talk = (): void => {
      if (world.now % SECOND === 0) world.dialler.send(packetOf(100, 1))
    }
    world.run(300_000, talk)
    expect(world.dialler.view.payload).toBeLessThan(1_401)
    world.run(310_000, talk)
    expect(world.dialler.view.payload).toBe(PAYLOAD_MAX)
  }, 60_000)

  test('rest while there is no data, and cost nothing then', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    world.run(200_000)
    expect(world.ends.map(({ view }) => view.used)).toEqual([false, false])
    const before = world.seen.length
    world.run(200_000)
    expect(world.seen.length).toBe(before)
    world.dialler.send(packetOf(10, 1))
    expect(world.dialler.byStream.length).toBe(1)
    world.run(20)
    expect(world.dialler.view.used).toBe(true)
  }, 60_000)
})

describe('keys', () => {
  const limits = { packets: 2_000, blocks: 1e9, age: 1e12 }

  test('change at half of a limit, with no packet lost, reordered or not', () => {
    const world = new DatagramWorld({ limits }).linkUp().untilUsed()
    const { dialler, listener } = world
    world.fate = lateness(5, 7)
    let sent = 0
    // An offer may be made each five seconds: half of the limit takes longer.
    world.run(60_000, () => {
      if (sent % 2 === 0) {
        dialler.send(packetOf(50, sent))
        listener.send(packetOf(50, sent))
      }
      sent += 1
    })
    world.run(50)
    expect(dialler.count('datagramKeys')).toBeGreaterThan(3)
    for (const end of world.ends) {
      expect(end.byStream).toEqual([])
      expect(end.came.length).toBe(6_000)
      expect(end.count('dropDatagramIndex')).toBe(0)
    }
  }, 60_000)

  test('are agreed on though an answer comes only after the next offer was said', () => {
    const world = new DatagramWorld()
    world.streamDelay = 4 * SECOND
    world.linkUp().run(1_000)
    // Other addresses, of which a second offer tells.
    world.dialler.hosts = ['198.18.2.1', '198.18.2.77']
    world.run(20_000)
    expect(world.dialler.count('datagramOffersRefused')).toBe(1)
    expect(world.ends.map(({ view }) => view.used)).toEqual([true, true])
  })

  test('are asked for again where an offer was passed over in silence', () => {
    const world = new DatagramWorld().linkUp()
    world.run(100_000, () => {
      if (world.now < 20 * SECOND) for (const end of world.ends) end.said.length = 0
    })
    expect(world.ends.map(({ view }) => view.used)).toEqual([true, true])
  })

  test.each(['dialler', 'listener'] as const)(
    'are agreed on in the end though the other end would hear no more of a %s with ever new lives',
    (which) => {
      const world = new DatagramWorld().linkUp().untilUsed()
      const other = which === 'dialler' ? world.listener : world.dialler
      while (other.count('datagramOffersRefused') === 0) {
        world[which].wallAheadMillis += 3_600_000
        world.run(5_500)
      }
      world.run(200_000, () => world.dialler.send(packetOf(50, 1)))
      expect(world.ends.map(({ view }) => view.used)).toEqual([true, true])
    },
  )

  test.each(['open', 'closed'] as const)(
    'that changed in a rest, with the path %s meanwhile, are known to the end that sends first after it',
    (path) => {
      const world = new DatagramWorld({ limits: { ...limits, age: 100 * SECOND } }).linkUp().untilUsed()
      const { listener } = world
      world.run(125_000)
      expect(listener.view.used).toBe(false)
      if (path === 'closed') world.fate = cut
      world.run(150_000)
      world.fate = () => 0
      expect(listener.count('datagramKeys')).toBeGreaterThan(4)
      world.run(500, () => listener.send(packetOf(50, 1)))
      expect(listener.view.used).toBe(true)
      expect(listener.byStream.length).toBeLessThan(20)
    },
  )

  test('that reached a limit seal nothing more: data goes by the stream', () => {
    const world = new DatagramWorld({ limits: { ...limits, packets: 300 } }).linkUp().untilUsed()
    const { dialler } = world
    // The other end says nothing more.
    const silent = (): void => {
      world.listener.said.length = 0
      dialler.said.length = 0
    }
    world.run(5_000, () => {
      silent()
      dialler.send(packetOf(50, 1))
    })
    expect(dialler.byStream.length).toBeGreaterThan(600)
  })

  test.each(['dialler', 'listener'] as const)(
    'of before are not used by the %s when it was copied or stood still, and others are agreed on',
    (which) => {
      for (const what of ['copied', 'stood still'] as const) {
        const world = new DatagramWorld().linkUp().untilUsed()
        const [end, other] = [world[which], which === 'dialler' ? world.listener : world.dialler]
        world.run(1_000)
        const indexOf = ({ bytes }: Flying): string => bytes.slice(1, 5).join()
        const isFromEnd = isFrom(end)
        const before = new Set(world.seen.filter(isFromEnd).map(indexOf))
        const begun = world.seen.length
        if (what === 'copied') end.wallAheadMillis += 10_000
        else world.now += 10 * SECOND
        world.run(10)
        expect(end.view.used).toBe(false)
        world.run(7_000, () => {
          for (const each of world.ends) each.send(packetOf(100, 1))
        })
        for (const each of world.seen.slice(begun).filter(isFromEnd))
          expect(before).not.toContain(indexOf(each))
        expect(world.ends.map(({ view }) => view.used)).toEqual([true, true])
        expect(other.view.losses).toBeLessThan(2)
      }
    },
  )

  test('are gone with the trunk: nothing that comes after opens', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    world.dialler.send(packetOf(50, 1))
    world.listener.datagrams.linkDown(LINK)
    world.run(10)
    expect(world.listener.came).toEqual([])
    expect(world.listener.count('dropDatagramIndex')).toBeGreaterThan(0)
  })
})

describe('a stream', () => {
  test('that died ends the trunk, though datagrams get through; one that is silent does not', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    const talk = (): void => {
      for (const end of world.ends) end.send(packetOf(100, 1))
    }
    world.run(10_000, talk)
    expect(world.ends.map(({ deaths }) => deaths)).toEqual([[], []])
    world.isStreamDead = true
    const diedAt = world.now
    world.run(14_000, talk)
    for (const { deaths } of [dialler, listener]) {
      expect(deaths).toHaveLength(1)
      expect(((deaths[0] as number) - diedAt) / SECOND).toBeLessThan(13)
    }
  })

  test('that is late by some seconds does not end the trunk while datagrams get through', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const talk = (): void => {
      for (const end of world.ends) end.send(packetOf(100, 1))
    }
    world.run(5_000, talk)
    world.streamDelay = 4 * SECOND
    world.run(30_000, talk)
    expect(world.ends.map(({ deaths }) => deaths)).toEqual([[], []])
    expect(world.ends.map(({ view }) => view.used)).toEqual([true, true])
  })

  test('is not asked while nothing goes by datagrams', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    world.run(1_000)
    world.isStreamDead = true
    world.run(60_000)
    expect(world.ends.map(({ deaths }) => deaths)).toEqual([[], []])
  })
})

describe('a hostile neighbour', () => {
  test('that floods the stream with questions hears a few answers, and later again', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { listener } = world
    world.run(1_000)
    const ask = (times: number): number => {
      for (let time = 0; time < times; time++)
        listener.datagrams.said(world.now, LINK, Uint8Array.of(SAID.ping))
      return listener.said.splice(0).filter(([kind]) => kind === SAID.pong).length
    }
    expect(ask(10_000)).toBeLessThan(10)
    expect(listener.count('dropDatagramPing')).toBeGreaterThan(9_990)
    world.run(2_000)
    expect(ask(1)).toBe(1)
  })
})

describe('a hostile sender', () => {
  test('of garbage changes nothing but counters, and hears nothing', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    listener.send(packetOf(40, 1))
    const sample = world.seen.at(-1)?.bytes as Uint8Array
    world.run(10)
    const before = [dialler.came.length, world.seen.length]
    const view = dialler.view
    const from = at('198.19.113.9', 9)
    const changed = (place: number, value: number): Uint8Array => {
      const bytes = sample.slice()
      bytes[place] = value
      return bytes
    }
    for (const [bytes, counter] of [
      [new Uint8Array(0), 'dropDatagramLength'],
      [sample.slice(0, 31), 'dropDatagramLength'],
      [new Uint8Array(1_453).fill(1), 'dropDatagramLength'],
      [changed(0, 0), 'dropDatagramType'],
      [changed(0, 6), 'dropDatagramType'],
      [changed(1, (sample[1] as number) ^ 1), 'dropDatagramIndex'],
      [changed(4, (sample[4] as number) ^ 1), 'dropDatagramIndex'],
      [sample, 'dropDatagramReplay'],
      [changed(5, 1), 'dropDatagramReplay'],
      [changed(12, 200), 'dropDatagramSeal'],
      [Uint8Array.of(...changed(12, 200).slice(0, -1), 0), 'dropDatagramSeal'],
    ] as const) {
      const was = dialler.count(counter)
      world.inject(dialler, bytes, from)
      world.run(1)
      expect([counter, dialler.count(counter)]).toEqual([counter, was + 1])
    }
    expect([dialler.came.length, world.seen.length]).toEqual(before)
    expect(dialler.view).toEqual(view)
  })

  test('that copies a datagram from elsewhere, sooner, gets a challenge and no data', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    world.run(300)
    const thief = at('198.19.113.9', 9)
    const isOurs = isFrom(dialler)
    // What the dialler sends comes from the thief's address from now on.
    world.fate = (flying) => {
      if (!isOurs(flying)) return 0
      world.inject(listener, flying.bytes, thief)
      return undefined
    }
    const begun = world.seen.length
    world.run(3_000, () => {
      dialler.send(packetOf(400, 1))
      listener.send(packetOf(400, 2))
    })
    const toThief = world.seen.slice(begun).filter(({ to }) => to.bytes.join() === thief.bytes.join())
    expect(toThief.length).toBeGreaterThan(0)
    for (const { bytes } of toThief) expect([DATAGRAM.challenge, DATAGRAM.answer]).toContain(bytes[0])
  })

  test('that sends from ever new addresses has few of them asked', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    world.run(300)
    const isOurs = isFrom(dialler)
    let number = 0
    world.fate = (flying) => {
      if (!isOurs(flying)) return 0
      number += 1
      world.inject(listener, flying.bytes, at(`198.19.${number >> 8}.${number & 0xff}`, 9))
      return undefined
    }
    const begun = world.seen.length
    world.run(10_000, () => dialler.send(packetOf(400, 1)))
    // It has no answers, and goes by the stream in between.
    expect(number).toBeGreaterThan(100)
    const asked = new Set(
      world.seen
        .slice(begun)
        .map(({ to }) => hostOf(to).join('.'))
        .filter((host) => host.startsWith('198.19.')),
    )
    expect(asked.size).toBeGreaterThan(8)
    expect(asked.size).toBeLessThanOrEqual(8 + 10)
    expect(listener.count('dropDatagramLearned')).toBeGreaterThan(80)
  })

  test('that lets a challenge come late, and from where nothing may be sent, gets no answer', () => {
    const world = new DatagramWorld().linkUp().untilUsed()
    const { dialler, listener } = world
    let kept: Uint8Array | undefined
    const isOurs = isFrom(dialler)
    world.fate = (flying) => {
      if (kept !== undefined || flying.bytes[0] !== DATAGRAM.challenge || !isOurs(flying)) return 0
      kept = flying.bytes
      return undefined
    }
    world.run(1_000, () => dialler.send(packetOf(10, 1)))
    const inside = at('10.7.0.9')
    const was = listener.count('dropDatagramSource')
    world.inject(listener, kept as Uint8Array, inside)
    world.run(100)
    expect(world.seen.filter(({ to }) => to.bytes.join() === inside.bytes.join())).toEqual([])
    expect(listener.count('dropDatagramSource')).toBe(was + 1)
  })

  test('an address that a peer names is not asked if no host has it, or trunks carry it', () => {
    const world = new DatagramWorld().linkUp()
    const { nonce } = readOffer(world.dialler.said.splice(0)[0] as Uint8Array) as Offer
    const named = ['224.0.0.1', '255.255.255.255', '0.0.0.0', '127.0.0.1', '10.7.0.2', '198.18.2.2']
    const candidates = named.map((host) => at(host))
    const ephemeral = noble.agreement.publicKey(new Uint8Array(32).fill(1))
    const answer = writeOffer(SAID.answer, { version: 1, ephemeral, nonce, index: 5, candidates })
    world.dialler.datagrams.said(world.now, LINK, answer)
    world.run(20)
    expect(world.dialler.count('datagramCandidatesRefused')).toBe(5)
    const asked = new Set(
      world.seen.filter(isFrom(world.dialler)).map(({ to }) => to.bytes.slice(4, 8).join('.')),
    )
    expect([...asked]).toEqual(['198.18.2.2'])
  })
})

describe('an end that moves', () => {
  test.each(['dialler', 'listener'] as const)(
    'the %s, is followed without a loss of more than a second',
    (which) => {
      const world = new DatagramWorld().linkUp().untilUsed()
      const other = which === 'dialler' ? world.listener : world.dialler
      const talk = (): void => {
        for (const end of world.ends) end.send(packetOf(100, 1))
      }
      world.run(1_000, talk)
      world[which].host = '198.18.100.77'
      world[which].hosts = ['198.18.100.77']
      world.run(8_000, talk)
      expect(other.view).toMatchObject({ used: true, remote: '/ip4/198.18.100.77/udp/4003' })
      expect(world.ends.every(({ view }) => view.used)).toBe(true)
    },
  )
})
