/** The benchmark beside other programs: what it reads, how it judges, and what it is told to do. */
import { describe, expect, test } from 'vitest'
import { orderOf } from '../bench/peers/order.ts'
import { bidirOf, pingOf, type Readings, tcpOf, udpOf } from '../bench/peers/readings.ts'
import { bestOf, CLEAN_AIMS, judge, type Kind, type Row, ratioOf, summaryOf } from '../bench/peers/verdict.ts'

const NAMES = ['link', 'peertap-datagram', 'tinc']

/** As iperf3 3.12 prints it, without what is not read. */
const sum = (bytes: number, more: object = {}) => ({
  seconds: 2,
  bytes,
  bits_per_second: bytes * 4,
  ...more,
})
const said = (end: object): string => JSON.stringify({ start: {}, intervals: [], end })

describe('what iperf3 and ping say', () => {
  test('of TCP one way, what came, and retransmissions of 30 s', () => {
    const text = said({ sum_sent: sum(2_500_000, { retransmits: 4 }), sum_received: sum(2_000_000) })
    expect(tcpOf(text)).toEqual({ mbits: 8, bytes: 2_000_000, retransmissions: 60 })
  })

  test('of both ways, the sum of what came at each end', () => {
    const ends = { sum_sent: sum(9), sum_received: sum(1_000_000) }
    expect(bidirOf(said({ ...ends, sum_received_bidir_reverse: sum(500_000) }))).toBe(6)
    expect(() => bidirOf(said(ends))).toThrow('3.7 or newer')
  })

  test('of UDP, packets that were lost behind the last one that came too', () => {
    const text = said({
      sum_sent: sum(1_200_000, { packets: 1_000, lost_packets: 0 }),
      sum_received: sum(960_000, { packets: 900, lost_packets: 100 }),
    })
    expect(udpOf(text).mbits).toBeCloseTo(3.84)
    expect(udpOf(text).lossPercent).toBeCloseTo(20)
    expect(udpOf(text).packetsPerSecond).toBe(400)
  })

  test('an error is said as it is', () => {
    expect(() => tcpOf(JSON.stringify({ start: {}, error: 'unable to connect' }))).toThrow(
      'unable to connect',
    )
    expect(() => tcpOf(said({}))).toThrow('nothing of its end')
    expect(() => tcpOf('iperf3: not JSON')).toThrow()
  })

  test('of pings, the mean, the 99th of a hundred and the worst', () => {
    const lines = Array.from(
      { length: 100 },
      (_, at) => `64 bytes from 10.8.0.2: icmp_seq=${at + 1} ttl=64 time=${((at * 7) % 100) + 1} ms`,
    )
    expect(pingOf(lines.join('\n'))).toEqual({ mean: 50.5, p99: 99, max: 100 })
    expect(pingOf(`PING\n${lines[0]}`)).toEqual({ mean: 1, p99: 1, max: 1 })
    expect(() => pingOf('3 packets transmitted, 0 received')).toThrow('no ping')
  })
})

function row(name: string, kind: Kind, ...rounds: Readings[]): Row {
  return { name, mode: 'some way', kind, rounds }
}

describe('what the readings come to', () => {
  const rows = [
    row('bare link', 'link', { tcp: 9_000, pingMean: 0.01 }),
    row('PeerTap', 'direct', { tcp: 800, pingMean: 0.3 }, { tcp: 1_000, pingMean: 0.2 }, { tcp: 900 }),
    row('tinc', 'layer2', { tcp: 300, pingMean: 0.4 }),
    row('fastd', 'layer2', { tcp: 450, pingMean: 0.25 }),
    row('nebula', 'layer3', { tcp: 600, pingMean: 0.5 }),
    row('n2n', 'layer2'),
  ]
  const own = rows[1] as Row

  test('medians of rates, the mean of retransmissions, the worst of memory', () => {
    expect(summaryOf(own, 'tcp')).toBe(900)
    const rounds = [1, 2, 6].map((value) => ({ retransmissions: value, memory: value, pingMax: value }))
    const other = row('PeerTap', 'direct', ...rounds)
    expect(summaryOf(other, 'retransmissions')).toBe(3)
    expect(summaryOf(other, 'memory')).toBe(6)
    expect(summaryOf(other, 'tcp')).toBeUndefined()
  })

  test('the best one is of the programs alone, and the least where less is better', () => {
    expect(bestOf(rows, 'tcp', 'layer2')).toEqual({ name: 'fastd', value: 450 })
    expect(bestOf(rows, 'tcp', 'all')).toEqual({ name: 'nebula', value: 600 })
    expect(bestOf(rows, 'pingMean', 'layer2')).toEqual({ name: 'fastd', value: 0.25 })
    expect(bestOf(rows, 'udp', 'all')).toBeUndefined()
    expect(ratioOf(rows, own, 'tcp', 'layer2')).toEqual({
      name: 'TCP one way, PeerTap (some way) / the best of layer 2 (fastd)',
      value: 2,
    })
  })

  test('aims are met or missed, and those without a reading are named', () => {
    const all = judge(rows, CLEAN_AIMS)
    const of = (reading: string, kind = 'direct') =>
      all.find(({ aim }) => aim.reading === reading && aim.kind === kind)
    expect(of('tcp')).toMatchObject({ value: 1.5, ok: false })
    expect(of('pingMean')).toMatchObject({ value: 1.2, ok: true })
    expect(of('tcp', 'relay')).toMatchObject({ lack: 'TCP one way, PeerTap relay / best of all' })
    expect(of('memory')).toMatchObject({ lack: 'memory, PeerTap direct' })
    expect(all).toHaveLength(CLEAN_AIMS.length)
  })

  test('an aim of the row itself is judged without any other', () => {
    const lone = [row('PeerTap', 'direct', { memory: 201, pingP99: 0.9 })]
    const judged = judge(lone, CLEAN_AIMS).filter((each) => 'ok' in each)
    expect(judged.map(({ name, ok }) => [name, ok])).toEqual([
      ['ping p99, PeerTap (some way)', true],
      ['memory, PeerTap (some way)', false],
    ])
  })
})

describe('the command line', () => {
  test('by itself asks for all of a clean link', () => {
    expect(orderOf([], NAMES)).toMatchObject({ rounds: 3, seconds: 5, only: [], aims: CLEAN_AIMS })
    expect(orderOf([], NAMES).impairment).toBeUndefined()
  })

  test('an impairment is of shares and microseconds, and only one is judged', () => {
    const words = ['--loss', '0.5', '--reorder', '1', '--delay', '4', '--only', 'tinc']
    const order = orderOf(words, NAMES)
    expect(order.impairment).toEqual({ loss: 0.005, reorder: 0.01, delayMicros: 4_000, seed: 1 })
    expect(order.only).toEqual(['tinc'])
    expect(order.aims).toHaveLength(1)
    expect(orderOf(['--loss', '1'], NAMES).aims).toHaveLength(0)
  })

  test.each([
    [['--only', 'tinc,wirguard'], '--only has "wirguard", and there are link, peertap-datagram, tinc alone'],
    [['--parts', 'speed'], '--parts has "speed"'],
    [['--loss', '101'], '--loss is "101", and has to be a number from 0 to 100'],
    [['--rounds', '0'], '--rounds is "0"'],
    [['--seconds', '1.5'], '--seconds is "1.5", and has to be whole'],
    [['--reorder', '1'], '--reorder is 1, and overtakes nothing without a delay; give --delay too'],
    [['--fast'], '--fast'],
  ])('%j is refused', (words, text) => {
    expect(() => orderOf(words, NAMES)).toThrow(text)
  })
})
