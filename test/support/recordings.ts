/** Recordings in memory: of small runs, and opened again. */
import { Recorder, type Recording, type RecordingBytes, readScenario, type Sink } from '../../sim/index.ts'
import type { Drawn } from '../../sim/recording/drawn.ts'
import type { Loaded } from '../../sim/recording/reader.ts'

/** Members of an MLS group, a partition with its epochs, a crash; all in 45 s. */
export const SMALL = {
  version: 1,
  name: 'small',
  question: 'Is it all seen as it happened?',
  seconds: 45,
  warmupSeconds: 5,
  healSeconds: 10,
  nodes: { count: 12, joinSeconds: 1 },
  vlans: [{ count: 1, members: 6, group: 'mls', enterFromSeconds: 5, enterSeconds: 5 }],
  traffic: [{ kind: 'unicast', perMemberPerSecond: 1 }],
  faults: [
    { kind: 'partition', atSeconds: 20, who: { nodes: [7, 8, 9, 10, 11] }, healAfterSeconds: 5 },
    { kind: 'crash', atSeconds: 28, who: { nodes: [4] }, restartAfterSeconds: 4 },
  ],
}

export const NO_DATA = {
  text: (name: string): string => {
    throw new Error(`there is no data file ${name}`)
  },
}

/** A file in memory. */
export class MemoryFile implements Sink, RecordingBytes {
  bytes = new Uint8Array(0)
  /** Pieces that were asked for so far. */
  pieces = 0

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.bytes = Uint8Array.from(bytes)
  }

  get size(): number {
    return this.bytes.length
  }

  append(bytes: Uint8Array): void {
    const longer = new Uint8Array(this.bytes.length + bytes.length)
    longer.set(this.bytes)
    longer.set(bytes, this.bytes.length)
    this.bytes = longer
  }

  rewrite(bytes: Uint8Array): void {
    this.bytes.set(bytes)
  }

  read(from: number, length: number): Promise<Uint8Array> {
    this.pieces += 1
    return Promise.resolve(this.bytes.slice(from, from + length))
  }
}

/** `at`: told after every step, with what has been recorded. */
export function record(
  scenario: object = SMALL,
  seed = 1,
  marks: readonly number[] = [],
  at: (recorder: Recorder, file: MemoryFile) => void = () => undefined,
): { readonly file: MemoryFile; readonly recorder: Recorder } {
  const file = new MemoryFile()
  const text = JSON.stringify(scenario)
  const options = { seed, data: NO_DATA }
  const recorder = new Recorder(readScenario(text, 'small.json'), options, {
    text,
    version: 'here',
    marks,
    sink: file,
  })
  while (!recorder.run.done) {
    recorder.step()
    at(recorder, file)
  }
  recorder.finish()
  return { file, recorder }
}

/** What is drawn at a moment, by way of the checkpoint before it. */
export async function drawnAt(recording: Recording, at: number): Promise<Drawn> {
  let index = recording.baseOf(at)
  let loaded: Loaded = await recording.load(index)
  const drawn = loaded.checkpoint()
  for (;;) {
    loaded.changes.apply(drawn, at)
    loaded.check()
    const next = recording.frames[index + 1]
    if (next === undefined || next.from > at) return drawn
    index += 1
    loaded = await recording.load(index)
  }
}
