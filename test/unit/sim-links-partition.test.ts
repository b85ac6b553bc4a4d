import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { latencyModel } from '../../sim/links/latency.ts'
import { Partition } from '../../sim/links/partition.ts'
import { Streams } from '../../sim/random.ts'

/** Ordered pairs that are cut, as text. */
function cuts(partition: Partition, nodes: number): string[] {
  const result: string[] = []
  for (let a = 0; a < nodes; a++) {
    for (let b = 0; b < nodes; b++) if (partition.cut(a, b)) result.push(`${a}>${b}`)
  }
  return result
}

describe('a partition', () => {
  it('cuts nothing at first', () => {
    const partition = new Partition(4)
    expect(partition.active).toBe(false)
    expect(cuts(partition, 4)).toEqual([])
  })

  it('cuts both ways, and within a side nothing', () => {
    const partition = new Partition(4)
    const split = partition.split([0, 1])
    expect(partition.active).toBe(true)
    expect(cuts(partition, 4)).toEqual(['0>2', '0>3', '1>2', '1>3', '2>0', '2>1', '3>0', '3>1'])
    partition.heal(split)
    expect(cuts(partition, 4)).toEqual([])
    expect(partition.active).toBe(false)
  })

  it('cuts the way in only', () => {
    const partition = new Partition(3)
    partition.split([2], true)
    expect(cuts(partition, 3)).toEqual(['0>2', '1>2'])
  })

  it('overlaps: a path is open when no split cuts it', () => {
    const partition = new Partition(4)
    const first = partition.split([0, 1])
    const second = partition.split([1, 2], true)
    expect(partition.cut(0, 1)).toBe(true)
    expect(partition.cut(1, 0)).toBe(false)
    expect(partition.cut(2, 3)).toBe(false)
    partition.heal(first)
    expect(cuts(partition, 4)).toEqual(['0>1', '0>2', '3>1', '3>2'])
    partition.heal(second)
    expect(cuts(partition, 4)).toEqual([])
  })

  it('heals by number, so that healing again does not open a later split', () => {
    const partition = new Partition(2)
    const first = partition.split([0])
    partition.heal(first)
    const second = partition.split([0])
    expect(second).not.toBe(first)
    partition.heal(first)
    expect(partition.cut(0, 1)).toBe(true)
    partition.heal(second)
    expect(partition.cut(0, 1)).toBe(false)
  })

  it('cuts a region off', () => {
    const nodes = 300
    const latency = latencyModel({ kind: 'regions', preset: 'libp2p-8' }, nodes, new Streams(2))
    const inside = Array.from({ length: nodes }, (_, node) => node).filter(
      (node) => latency.region(node) === 'east_asia',
    )
    const partition = new Partition(nodes)
    partition.split(inside)
    for (let a = 0; a < nodes; a++) {
      for (let b = 0; b < nodes; b += 11) {
        expect(partition.cut(a, b)).toBe(
          (latency.region(a) === 'east_asia') !== (latency.region(b) === 'east_asia'),
        )
      }
    }
  })

  it('refuses a node that does not exist, and leaves nothing behind', () => {
    const partition = new Partition(3)
    expect(() => partition.split([1, 3])).toThrow(UsageError)
    partition.split([0])
    expect(partition.cut(1, 2)).toBe(false)
  })

  it('takes 31 splits at once, and a 32nd after healing one', () => {
    const partition = new Partition(40)
    const splits = Array.from({ length: 31 }, (_, node) => partition.split([node]))
    expect(() => partition.split([35])).toThrow(UsageError)
    expect(partition.cut(30, 31)).toBe(true)
    partition.heal(splits[30] as number)
    expect(partition.cut(30, 31)).toBe(false)
    partition.split([35], true)
    expect([partition.cut(36, 35), partition.cut(35, 36)]).toEqual([true, false])
  })
})
