/**
 * Which of several branches everybody prefers (sec:B11), whoever looks and however it came in: the same of
 * any two, never both, and of three never each more than the next. Members know their own branch's way only.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GroupCounts } from '../../core/group/counts.ts'
import { evidenceOf, forkParent, prefers } from '../../core/group/forks.ts'
import type { Evidence, Way } from '../../core/group/messages.ts'
import { GroupState } from '../../core/group/state.ts'
import { followWay } from '../../core/group/way.ts'
import { hex } from '../../core/ids.ts'
import { Ledger } from '../../core/ledger/ledger.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { keysFrom, Streams } from '../../sim/random.ts'

/** An epoch of a tree of epochs, and how it came from its parent. */
interface Node {
  readonly parent: Node | undefined
  readonly mlsId: Uint8Array
  readonly step: Way['steps'][number]
}

const step = fc.record({
  committer: fc.nat(3).map((which) => new Uint8Array(32).fill(which)),
  proposals: fc.nat(1),
  commitHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  acks: fc.nat(16),
})
/** Each epoch hangs on one before it. */
const tree = fc.array(fc.record({ on: fc.nat(100), step }), { minLength: 3, maxLength: 12 }).map((given) => {
  const nodes: Node[] = []
  for (const [index, { on, step: how }] of given.entries()) {
    const parent = index === 0 ? undefined : nodes[on % index]
    nodes.push({ parent, mlsId: standInCrypto.hash.hash16(Uint8Array.of(index)), step: how })
  }
  return nodes
})

function wayTo(head: Node): Way {
  const nodes: Node[] = []
  for (let at: Node | undefined = head; at !== undefined; at = at.parent) nodes.unshift(at)
  return { lineage: nodes.map(({ mlsId }) => mlsId), steps: nodes.slice(1).map((node) => node.step) }
}

/** A member that was let in at that epoch and has heard so many others. */
function member(head: Node, heard: number): GroupState {
  const crypto = standInCrypto
  const stream = new Streams('branches').stream(`${hex(head.mlsId)}/${heard}`)
  const ledger = new Ledger(crypto, { policy: { kind: 'one', key: new Uint8Array(32) }, label: 'test' })
  const ports = {
    crypto,
    dice: stream,
    keys: keysFrom(stream),
    wall: { millis: () => 0 },
    counts: new GroupCounts(),
    reaches: () => false,
  }
  const own = { seed: new Uint8Array(32).fill(heard), serial: new Uint8Array(16) }
  const group = new GroupState(ports, ledger, own, 1, {
    floor: { authority: 0, issuer: 0 },
    issuer: undefined,
  })
  followWay(group, wayTo(head), hex(head.mlsId))
  for (let other = 0; other < heard; other++) group.heard.set(`${other}`, 0)
  return group
}

function evidence(of: Node, group: GroupState, to: Node): Evidence {
  const epoch = { mlsId: of.mlsId, leafOf: new Map<string, number>() } as never
  return evidenceOf(group, 0, epoch, forkParent(group, wayTo(to).lineage))
}

test('of branches that parted all members prefer the same', () => {
  fc.assert(
    fc.property(tree, fc.array(fc.nat(9), { minLength: 6, maxLength: 6 }), (nodes, heard) => {
      const leaves = nodes.filter((node) => !nodes.some(({ parent }) => parent === node)).slice(0, 3)
      const members = leaves.flatMap((head, at) => [
        { head, group: member(head, heard[2 * at] ?? 0) },
        { head, group: member(head, heard[2 * at + 1] ?? 0) },
      ])
      /** Whether the left branch is preferred to the right one, as each pair of their members sees it. */
      const isBefore = (left: Node, right: Node): boolean => {
        const seen = new Set<boolean>()
        for (const a of members.filter(({ head }) => head === left))
          for (const b of members.filter(({ head }) => head === right)) {
            const sides = [evidence(left, a.group, right), evidence(right, b.group, left)] as const
            seen.add(prefers(a.group, sides[0], sides[1]))
            seen.add(prefers(b.group, sides[0], sides[1]))
            seen.add(!prefers(a.group, sides[1], sides[0]))
          }
        expect(seen.size).toBe(1)
        return seen.has(true)
      }
      const [one, two, three] = leaves
      if (one === undefined || two === undefined) return
      const first = isBefore(one, two)
      if (three === undefined) return
      const second = isBefore(two, three)
      if (first === second) expect(isBefore(one, three)).toBe(first)
    }),
    { numRuns: 300 },
  )
})
