/** What happened and the curves of some seconds as bytes: what a page shows of the whole way to a moment. */
import type { Micros } from '../../core/io.ts'
import { HAPPENING, type Happening, type HappeningKind, type Sample } from '../watch/seen.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { MOST } from './limits.ts'

export interface Story {
  readonly happenings: readonly Happening[]
  readonly samples: readonly Sample[]
}

/** In this order in files: add new ones at the end. */
const KINDS: readonly HappeningKind[] = [
  HAPPENING.start,
  HAPPENING.stop,
  HAPPENING.root,
  HAPPENING.cut,
  HAPPENING.heal,
  HAPPENING.epoch,
  HAPPENING.out,
  HAPPENING.fault,
  HAPPENING.violation,
  HAPPENING.linkUp,
  HAPPENING.linkDown,
]

export function writeStory(to: ByteWriter, { happenings, samples }: Story, from: Micros): void {
  let before = from
  const time = (at: number): void => {
    const micros = Math.round(at * 1e6)
    to.varint(Math.max(0, micros - before))
    before = Math.max(micros, before)
  }
  to.varint(samples.length)
  for (const { at, alive, attached, delivery, control, data } of samples) {
    time(at)
    to.varint(alive)
    to.f64(attached)
    for (const value of [delivery, control, data]) to.f64(value ?? Number.NaN)
  }
  before = from
  to.varint(happenings.length)
  for (const { at, kind, node, text } of happenings) {
    time(at)
    to.u8(KINDS.indexOf(kind))
    to.varint(node + 1)
    to.text(text.slice(0, MOST.text / 4))
  }
}

/** What is wrong is the reader's failure. */
export function readStory(reader: ByteReader, from: Micros, until: Micros, nodes: number): Story {
  let now = from
  const time = (): number => {
    now += reader.varint(until - now, 'the time to what is told')
    return now / 1e6
  }
  const samples: Sample[] = []
  const seconds = reader.varint(reader.left, 'the number of samples')
  for (let index = 0; index < seconds && reader.failure === undefined; index++) {
    samples.push({
      at: time(),
      alive: reader.varint(nodes, 'the number of living nodes'),
      attached: reader.f64(),
      delivery: measured(reader.f64()),
      control: measured(reader.f64()),
      data: measured(reader.f64()),
    })
  }
  now = from
  const happenings: Happening[] = []
  const count = reader.varint(reader.left, 'the number of happenings')
  for (let index = 0; index < count && reader.failure === undefined; index++) {
    const at = time()
    const kind = KINDS[reader.u8()]
    const node = reader.varint(nodes, 'the number of a node') - 1
    const text = reader.text(MOST.text, 'the text of a happening')
    if (kind === undefined) reader.fail('no kind of happening')
    else happenings.push({ at, kind, node, text })
  }
  if (reader.left > 0) reader.fail(`${reader.left} bytes follow the end`)
  return { samples, happenings }
}

function measured(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}
