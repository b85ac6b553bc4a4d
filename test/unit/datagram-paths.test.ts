/** Addresses of a trunk's other end: how many are kept, and which are asked when, by one end alone. */
import { describe, expect, test } from 'vitest'
import { MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import { PAYLOAD_MAX } from '../../drivers/datagram/packet.ts'
import { CHALLENGE_BYTES, PATHS_MAX, type Path, Paths } from '../../drivers/datagram/paths.ts'
import { type Endpoint, hostOf } from '../../drivers/linux/udp.ts'
import { at } from '../support/datagram-world.ts'

interface Challenge {
  readonly to: Endpoint
  readonly token: Uint8Array
  readonly bytes: number
}

/** The paths of an end, and what it has sent since that was last looked at. */
class OneEnd {
  now: Micros = SECOND
  sent: Challenge[] = []
  /** Whether what went there comes back. */
  answers: (challenge: Challenge) => boolean = () => true
  readonly paths: Paths

  constructor(dialled = true) {
    let drawn = 0
    this.paths = new Paths(
      {
        challenge: ({ endpoint }: Path, token, bytes) => this.sent.push({ to: endpoint, token, bytes }),
        token: () => Uint8Array.of(1, 2, 3, 4, 5, 6, ++drawn >>> 8, drawn),
        used: () => undefined,
      },
      dialled,
      this.now,
    )
  }

  /** Returns what was sent meanwhile. */
  run(millis: number, each: () => void = () => undefined): Challenge[] {
    const all: Challenge[] = []
    for (const end = this.now + millis * MILLISECOND; this.now < end; ) {
      this.now += MILLISECOND
      each()
      this.paths.tend(this.now)
      const sent = this.sent.splice(0)
      for (const challenge of sent)
        if (this.answers(challenge)) this.paths.answered(this.now, challenge.token)
      all.push(...sent)
    }
    return all
  }
}

const bytesOf = (challenges: readonly Challenge[]): number =>
  challenges.reduce((sum, { bytes }) => sum + bytes, 0)
const hostsOf = (challenges: readonly Challenge[]): string[] => [
  ...new Set(challenges.map(({ to }) => hostOf(to).join('.'))),
]

describe('addresses that a peer names and that answer', () => {
  test('are kept within a bound, those of the last offer among them', () => {
    const end = new OneEnd()
    for (let offer = 0; offer < 100; offer++) {
      const told = Array.from({ length: 9 }, (_, index) => at(`10.1.${offer}.${index + 1}`))
      end.paths.offer(end.now, told)
      end.run(20)
      expect(end.paths.all.length).toBeLessThanOrEqual(PATHS_MAX)
      for (const each of told) expect(end.paths.find(each)?.hasAnswered).toBe(true)
    }
    // The one in use is among them all the same.
    expect(hostOf(end.paths.used?.endpoint as Endpoint).join('.')).toBe('10.1.0.1')
  })

  test('are asked with long datagrams one at a time', () => {
    const end = new OneEnd()
    const told = Array.from({ length: 9 }, (_, index) => at(`10.1.0.${index + 1}`))
    end.paths.offer(end.now, told)
    const isLong = ({ bytes }: Challenge): boolean => bytes > CHALLENGE_BYTES
    expect(hostsOf(end.run(20).filter(isLong))).toEqual(['10.1.0.1'])
    // It is lost: the next are tried, each alone, until one holds.
    end.answers = ({ to }) => (hostOf(to)[3] as number) > 3
    end.run(580, () => end.paths.sent(end.now, 100))
    expect(hostOf(end.paths.used?.endpoint as Endpoint).join('.')).toBe('10.1.0.1')
    const perTurn: number[] = []
    const tried = new Set<string>()
    for (let millis = 0; millis < 5_000 && (end.paths.used === undefined || millis < 400); millis++) {
      const sent = end.run(1, () => end.paths.missed(end.now))
      perTurn.push(bytesOf(sent))
      for (const host of hostsOf(sent.filter(isLong))) tried.add(host)
    }
    expect(Math.max(...perTurn)).toBeLessThan(2 * PAYLOAD_MAX + PATHS_MAX * CHALLENGE_BYTES)
    expect(end.paths.used).toBeDefined()
    expect(tried.size).toBeLessThanOrEqual(4)
  })
})

test('a second path is used after a rest in which the first was lost', () => {
  const end = new OneEnd()
  end.paths.offer(end.now, [at('10.1.0.1'), at('10.1.0.2')])
  end.run(20)
  end.run(130_000)
  expect(end.paths.used).toBeUndefined()
  end.answers = ({ to }) => hostOf(to)[3] === 2
  end.run(2_000, () => {
    if (end.paths.used === undefined) end.paths.missed(end.now)
    else end.paths.sent(end.now, 100)
  })
  expect(hostOf((end.paths.used as Path).endpoint).join('.')).toBe('10.1.0.2')
})
