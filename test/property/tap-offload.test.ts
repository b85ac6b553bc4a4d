/** Cutting and joining of frames: against frames made one by one, and each against the other. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Summable } from '../../drivers/tap/checksum.ts'
import { type CarriedFrame, FLAG, segmentsOf, sumOf, superFrame } from '../support/carried-frames.ts'
import { cut, JoiningHost } from '../support/offload-memory.ts'
import { byBudget } from '../support/requirements.ts'

const FRAME_MAX = 1_500 + 18
/** Of one frame that stands for many. */
const DATAGRAMS_MAX = 64
const RUNS = { numRuns: byBudget(100, 5_000) }

/** Said by its length and a number, so that a counterexample can be read. */
interface Filled {
  readonly length: number
  readonly seed: number
}

type Wish = Omit<CarriedFrame, 'payload'> & { readonly filled: Filled }

const filled = fc.record({ length: fc.integer({ min: 1, max: 9_000 }), seed: fc.nat(255) })

function carried({ filled: { length, seed }, ...wish }: Wish): CarriedFrame {
  return { ...wish, payload: Uint8Array.from({ length }, (_, at) => (at * at * 31 + at * 7 + seed) & 0xff) }
}

const common = {
  version: fc.constantFrom<4 | 6>(4, 6),
  filled,
  tagged: fc.boolean(),
  identity: fc.constantFrom(0, 7, 0xfffe),
  dontFragment: fc.boolean(),
  service: fc.constantFrom(0, 2, 0xb8),
}

const tcp = fc.record({
  ...common,
  protocol: fc.constant<'tcp'>('tcp'),
  sequence: fc.constantFrom(0, 5, 0xffff_ff00, 0x8000_0001),
  flags: fc.constantFrom(FLAG.ack, FLAG.ack | FLAG.psh, FLAG.ack | FLAG.ece),
  options: fc.constantFrom(new Uint8Array(0), Uint8Array.of(1, 1, 8, 10, 9, 8, 7, 6, 5, 4, 3, 2)),
})
const udp = fc.record({ ...common, protocol: fc.constant<'udp'>('udp'), dontFragment: fc.constant(true) })

/** Odd sizes too: then payloads do not lie at whole words. */
const size = fc.oneof(fc.constantFrom(1_208, 1_228, 1_400), fc.integer({ min: 100, max: 1_400 }))
const flow: fc.Arbitrary<Wish> = fc.oneof(tcp, udp)

describe('checksums', () => {
  it('are those of the words one by one, from any place and of any length', () => {
    const stretch = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(300), fc.nat(300))
    fc.assert(
      fc.property(stretch, ([bytes, from, length]) => {
        const buffer = new ArrayBuffer(304)
        new Uint8Array(buffer).set(bytes)
        const end = Math.min(from + length, bytes.length)
        const part = new Uint8Array(buffer).slice(from, end)
        expect(new Summable(buffer).sum(from, Math.max(0, end - from))).toBe(sumOf(part))
      }),
      RUNS,
    )
  })

  it('do not overflow', () => {
    const bytes = new Uint8Array(65_536).fill(0xff)
    expect(new Summable(bytes.buffer).sum(0, 65_536)).toBe(0xffff)
    expect(new Summable(bytes.buffer).sum(1, 65_535)).toBe(sumOf(bytes.subarray(1)))
  })
})

describe('segmentation', () => {
  it('gives the frames that the sender would have sent', () => {
    const flags = fc.nat(0xff).map((bits) => bits & ~FLAG.syn)
    const any = fc.oneof(
      fc.tuple(tcp, flags).map(([wish, bits]) => ({ ...wish, flags: bits })),
      udp,
    )
    fc.assert(
      fc.property(any, fc.boolean(), size, (wish, extension, bytes) => {
        const sent = carried({ ...wish, extension: extension && wish.version === 6 })
        const { frames, lost } = cut(superFrame(sent, bytes), FRAME_MAX)
        expect(lost).toBe(0)
        expect(frames.map(hex)).toEqual(segmentsOf(sent, bytes).map(hex))
      }),
      RUNS,
    )
  })

  it('counts what contradicts itself, throws nothing, and never gives too long a frame', () => {
    const change = fc.tuple(fc.nat(120), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x80, 0xff)))
    fc.assert(
      fc.property(
        flow,
        size,
        fc.array(change, { maxLength: 4 }),
        fc.nat(80),
        (wish, bytes, changes, less) => {
          const sent = superFrame(carried(wish), bytes)
          for (const [at, value] of changes) sent[at] = value
          const { frames, lost } = cut(sent.subarray(0, sent.length - less), FRAME_MAX)
          expect(lost).toBe(frames.length === 0 ? 1 : 0)
          for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(FRAME_MAX)
        },
      ),
      RUNS,
    )
  })

  it('throws at no bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { frames, lost } = cut(bytes, FRAME_MAX)
        expect(lost).toBe(frames.length === 0 ? 1 : 0)
      }),
      RUNS,
    )
  })
})

describe('coalescing', () => {
  it('gives back the frame that was cut, byte for byte', () => {
    fc.assert(
      fc.property(flow, size, (wish, bytes) => {
        const { length } = wish.filled
        fc.pre(length > bytes && (wish.protocol === 'tcp' || length <= bytes * DATAGRAMS_MAX))
        const frame = carried(wish)
        const heard = new JoiningHost().turn(...segmentsOf(frame, bytes))
        expect(heard.map(hex)).toEqual([hex(superFrame(frame, bytes))])
      }),
      RUNS,
    )
  })

  it('joins no segments so short that who cuts again would not take them', () => {
    const payload = new Uint8Array(70).fill(1)
    const frame: CarriedFrame = { version: 4, protocol: 'tcp', flags: FLAG.ack, payload }
    for (const bytes of [1, 7, 8]) {
      const sent = segmentsOf(frame, bytes)
      const heard = new JoiningHost().turn(...sent)
      expect(heard.flatMap((each) => cut(each, FRAME_MAX).frames)).toHaveLength(sent.length)
    }
  })

  it('loses and reorders nothing of a flow, whatever comes', () => {
    const step = fc.record({
      flow: fc.nat(11),
      segment: fc.nat(8),
      count: fc.integer({ min: 1, max: 6 }),
      broken: fc.option(fc.nat(1_000), { nil: undefined, freq: 4 }),
      flush: fc.boolean(),
    })
    const flows = fc.array(fc.oneof(tcp, udp), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(flows, size, fc.array(step, { maxLength: 30 }), (wishes, bytes, steps) => {
        const host = new JoiningHost()
        const sent: Uint8Array[] = []
        for (const { flow: which, segment, count, broken, flush } of steps) {
          const port = which % wishes.length
          const wish = carried({ ...(wishes[port] as Wish), port })
          for (const frame of segmentsOf(wish, bytes).slice(segment, segment + count)) {
            if (broken !== undefined) damage(frame, broken)
            sent.push(frame)
            host.coalescer.write(frame)
          }
          if (flush) host.coalescer.flush()
        }
        host.coalescer.flush()
        const heard = host.heard.flatMap((frame) => cut(frame, FRAME_MAX).frames)
        expect(byFlow(heard)).toEqual(byFlow(sent))
      }),
      RUNS,
    )
  })
})

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A bit of the payload or its checksum, of options or numbers: never of what tells flows apart. */
function damage(frame: Uint8Array, seed: number): void {
  const at = frame.length - 1 - (seed % Math.min(frame.length - 60, 40))
  frame[at] = (frame[at] as number) ^ (1 << (seed & 7))
}

/** By version, protocol and port, in their order. */
function byFlow(frames: readonly Uint8Array[]): Map<string, string[]> {
  const flows = new Map<string, string[]>()
  for (const frame of frames) {
    const network = frame[12] === 0x81 ? 18 : 14
    const isIpv4 = (frame[network] as number) >> 4 === 4
    const protocol = frame[network + (isIpv4 ? 9 : 6)]
    const port = frame[network + (isIpv4 ? 20 : 40) + 1]
    const key = `${isIpv4} ${protocol} ${port}`
    const text = hex(isIpv4 ? withoutIdentity(frame, network) : frame)
    flows.set(key, [...(flows.get(key) ?? []), text])
  }
  return flows
}

/** Where nobody may cut them, packets have identities that mean nothing (RFC 6864, section 4.1). */
function withoutIdentity(frame: Uint8Array, network: number): Uint8Array {
  const isAtomic = ((frame[network + 6] as number) & 0x40) !== 0
  return isAtomic
    ? frame
        .with(network + 4, 0)
        .with(network + 5, 0)
        .with(network + 10, 0)
        .with(network + 11, 0)
    : frame
}
