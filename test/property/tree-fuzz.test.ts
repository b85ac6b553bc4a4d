/** Whatever bytes a neighbour sends: nothing throws, and the tree still works afterwards. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MILLISECOND, SECOND, TREE_ROLE } from '../../core/io.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { byBudget } from '../support/requirements.ts'
import {
  type Actor,
  actor,
  attachMessage,
  beatMessage,
  beatOf,
  type Claimed,
  certificate,
  certificateMessage,
  detachMessage,
  pathMessage,
  requestMessage,
  TreeBench,
  updateOf,
  voidOf,
  voidPacket,
} from '../support/tree-bench.ts'

const ROOT = actor(1)
const ANN = actor(2)
const BOB = actor(3)
const FAR = actor(5)
const RUNS = byBudget(150, 5_000)

const kind = fc.integer({ min: KIND.linkCertificate, max: KIND.void })
const bytes = fc.uint8Array({ maxLength: 300 })

/** Messages that a correct or a lying neighbour may well send, with small numbers so that they meet. */
const claim = fc
  .record({
    root: fc.constantFrom(ROOT, FAR, actor(0)),
    through: fc.array(fc.constantFrom(ROOT, ANN, BOB, FAR, actor(0)), { maxLength: 4 }),
    seq: fc.integer({ min: 65_536, max: 65_540 }),
    serial: fc.integer({ min: 1, max: 3 }),
    metric: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
  })
  .map(({ root, through, seq, serial, metric }): Claimed => {
    const claimed = { beat: beatOf(root, { seq }), path: [root, ...through, BOB], serial }
    return metric === undefined ? claimed : { ...claimed, metric }
  })

const message = fc.oneof(
  claim.map((claimed) => updateOf({ claimed })),
  claim.map((claimed) => updateOf({ claimed, certificates: [], beat: undefined })),
  claim.map(pathMessage),
  fc.record({ generation: fc.nat(3), flags: fc.nat(3) }).map((options) => updateOf(options)),
  fc.nat(3).map(attachMessage),
  fc.nat(3).map(detachMessage),
  fc.nat(7).map(requestMessage),
  fc.nat(100).map((count) => beatMessage(beatOf(ROOT, { seq: 65_537 + (count & 3), count }))),
  fc
    .constantFrom(voidOf(ROOT, FAR), voidOf(FAR, BOB), voidOf(ROOT, BOB, 3), voidOf(BOB, actor(0), 9))
    .map(voidPacket),
  fc
    .record({ serial: fc.nat(5), cost: fc.nat(70), signer: fc.constantFrom<Actor>(BOB, FAR) })
    .map((options) => certificateMessage(certificate(BOB, actor(0), options))),
)

/** After all that an honest neighbour still takes the tree in. */
function stillWorks(bench: TreeBench): void {
  bench.wait(3 * SECOND)
  expect(bench.crst.view().detached).toBe(false)
  bench.meet(ANN)
  bench.from(
    ANN,
    updateOf({ claimed: { beat: beatOf(ROOT, { seq: 70_000, priority: 0 }), path: [ROOT, ANN], serial: 9 } }),
  )
  expect(bench.role(ANN)).toBe(TREE_ROLE.upper)
}

describe('a tree under arbitrary input', () => {
  it('survives random bytes in every kind of message', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(kind, bytes), { maxLength: 30 }), (packets) => {
        const bench = new TreeBench()
        bench.meet(BOB)
        for (const [number, body] of packets) bench.from(BOB, Uint8Array.of(0x10, number, 0, ...body))
        stillWorks(bench)
      }),
      { numRuns: RUNS },
    )
  })

  it('survives good messages with changed bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(message, fc.nat(), fc.nat(255)), { maxLength: 20 }), (changes) => {
        const bench = new TreeBench()
        bench.meet(BOB)
        for (const [packet, at, value] of changes) {
          const changed = packet.slice()
          changed[3 + (at % Math.max(1, changed.length - 3))] = value
          bench.from(BOB, changed)
        }
        stillWorks(bench)
      }),
      { numRuns: RUNS },
    )
  })

  it('survives any sequence of well-formed messages, links that come and go, and time', () => {
    const step = fc.oneof(
      message.map((packet) => (bench: TreeBench) => bench.from(BOB, packet)),
      fc.integer({ min: 1, max: 40_000 }).map((time) => (bench: TreeBench) => bench.wait(time * MILLISECOND)),
      fc.constant((bench: TreeBench) => {
        bench.part(BOB)
        bench.meet(BOB, { certified: false })
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const bench = new TreeBench()
        bench.meet(BOB)
        for (const take of steps) take(bench)
        bench.part(BOB)
        stillWorks(bench)
      }),
      { numRuns: RUNS },
    )
  })
})
