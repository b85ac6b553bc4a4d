/**
 * A look into every node as bytes. Round trips are kept to a tenth of a millisecond, losses to a thousandth:
 * finer than any colour.
 */
import type { Micros } from '../../core/io.ts'
import { linksOf } from '../watch/look.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import type { Drawn } from './drawn.ts'

/** Steps of a millisecond, and of a loss from 0 to 1. */
const LATENCY_STEPS = 10
const LOSS_STEPS = 1_000
const LATENCY_MOST = 100_000_000
const LOAD_MOST = 255

type Looked = NonNullable<Drawn['looks']>

export function writeLooks(to: ByteWriter, looks: Looked, nodes: number): void {
  const { links, latency, loss, load, carrying } = looks
  const pairs = new Float64Array(latency.length)
  for (let place = 0; place < pairs.length; place++)
    pairs[place] = (links[place * 2] as number) * nodes + (links[place * 2 + 1] as number)
  writePairs(to, pairs)
  for (let place = 0; place < pairs.length; place++) {
    writeMeasured(to, latency[place] as number, LATENCY_STEPS, LATENCY_MOST)
    writeMeasured(to, loss[place] as number, LOSS_STEPS, LOSS_STEPS)
  }
  for (const each of load) writeMeasured(to, each, 1, LOAD_MOST)
  to.varint(carrying.size)
  for (const [vlan, pairsOfTree] of carrying) {
    to.varint(vlan)
    to.varint(pairsOfTree.length / 2)
    for (const node of pairsOfTree) to.varint(node)
  }
}

/** What is wrong is the reader's failure. */
export function readLooks(from: ByteReader, at: Micros, nodes: number, vlans: number): Looked {
  const pairs = readPairs(from, nodes)
  const latency = new Float32Array(pairs.length)
  const loss = new Float32Array(pairs.length)
  for (let place = 0; place < pairs.length && from.failure === undefined; place++) {
    latency[place] = readMeasured(from, LATENCY_STEPS, LATENCY_MOST, 'a round trip')
    loss[place] = readMeasured(from, LOSS_STEPS, LOSS_STEPS, 'a loss')
  }
  const load = new Float32Array(nodes)
  for (let node = 0; node < nodes && from.failure === undefined; node++)
    load[node] = readMeasured(from, 1, LOAD_MOST, 'a load')
  const carrying = new Map<number, Int32Array>()
  const trees = from.varint(vlans, 'the number of VLANs that are carried')
  for (let index = 0; index < trees && from.failure === undefined; index++) {
    const vlan = from.varint(vlans - 1, 'a VLAN that is carried')
    // Of two bytes at least, so that what is reserved for them is there to fill it.
    const tree = new Int32Array(from.varint(from.left / 2, 'the number of links of a VLAN') * 2)
    for (let place = 0; place < tree.length; place++)
      tree[place] = from.varint(nodes - 1, 'a node that carries a VLAN')
    carrying.set(vlan, tree)
  }
  return { at: at / 1e6, links: linksOf(pairs, nodes), latency, loss, load, carrying }
}

/** `pairs`: ascending. */
export function writePairs(to: ByteWriter, pairs: Float64Array): void {
  to.varint(pairs.length)
  let before = 0
  for (const pair of pairs) {
    to.varint(pair - before)
    before = pair
  }
}

export function readPairs(from: ByteReader, nodes: number): Float64Array {
  const pairs = new Float64Array(from.varint(from.left, 'the number of links'))
  let before = 0
  for (let place = 0; place < pairs.length && from.failure === undefined; place++) {
    const gap = from.varint(nodes * nodes, 'a link')
    const pair = before + gap
    const [a, b] = [Math.floor(pair / nodes), pair % nodes]
    if (!(a < b && b < nodes) || (gap === 0 && place > 0)) from.fail(`${a} to ${b} is no link here`)
    pairs[place] = pair
    before = pair
  }
  return pairs
}

/** Zero says that there is no measure. */
function writeMeasured(to: ByteWriter, value: number, steps: number, most: number): void {
  to.varint(Number.isNaN(value) ? 0 : 1 + Math.min(most, Math.max(0, Math.round(value * steps))))
}

function readMeasured(from: ByteReader, steps: number, most: number, what: string): number {
  const value = from.varint(most + 1, what)
  return value === 0 ? Number.NaN : (value - 1) / steps
}
