/** Recordings under any input: what is written is read again, and what is broken is an error or shorter. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { Recording } from '../../sim/index.ts'
import { ByteReader, ByteWriter, crc32, textOf } from '../../sim/recording/bytes.ts'
import { ChangeReader, ChangeWriter, readCheckpoint, writeCheckpoint } from '../../sim/recording/codec.ts'
import { deltaOf, type Json, patched } from '../../sim/recording/delta.ts'
import { Drawn } from '../../sim/recording/drawn.ts'
import { frameBytes, HEAD_BYTES, PREAMBLE_BYTES, writeHead } from '../../sim/recording/format.ts'
import { readStory, writeStory } from '../../sim/recording/story.ts'
import { HAPPENING, NODE } from '../../sim/watch/seen.ts'
import { drawnAt, MemoryFile, record, SMALL } from '../support/recordings.ts'
import { byBudget } from '../support/requirements.ts'

const NODES = 20
const VLANS = 3
const COUNTS = { nodes: NODES, vlans: VLANS }
const MARK = 3
const RUNS = byBudget(150, 5_000)

const node = fc.nat(NODES - 1)
const vlan = fc.nat(VLANS - 1)
/** Of any 16 bits, lone surrogates too. */
const text16 = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 50 })
const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as Json)

/** A change, as a recorder makes it: carried out, and written if it changes anything. */
type Step = (drawn: Drawn, to: ChangeWriter, at: number) => void
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(node, fc.constantFrom(0, NODE.up, NODE.up | NODE.slow)).map(
    ([who, state]): Step =>
      (drawn, to, at) => {
        if (drawn.setState(at, who, state)) to.state(at, who, state)
      },
  ),
  fc.tuple(node, node, fc.boolean()).map(
    ([a, b, is]): Step =>
      (drawn, to, at) => {
        if (drawn.setLink(a, b, is)) to.link(at, a, b, is)
      },
  ),
  fc.tuple(node, fc.integer({ min: -1, max: NODES - 1 })).map(
    ([who, upper]): Step =>
      (drawn, to, at) => {
        if (drawn.setUpper(who, upper)) to.upper(at, who, upper)
      },
  ),
  fc.tuple(node, fc.nat(9)).map(
    ([who, side]): Step =>
      (drawn, to, at) => {
        if (drawn.setSide(who, side)) to.side(at, who, side)
      },
  ),
  fc.tuple(vlan, node, fc.integer({ min: -1, max: 200 })).map(
    ([which, who, epoch]): Step =>
      (drawn, to, at) => {
        if (drawn.setEpoch(which, who, epoch)) to.epoch(at, which, who, epoch)
      },
  ),
  fc.tuple(vlan, fc.nat(200), fc.string({ unit: 'grapheme' })).map(
    ([which, epoch, name]): Step =>
      (drawn, to, at) => {
        drawn.nameEpoch(which, epoch, name.toWellFormed())
        to.name(at, which, epoch, name)
      },
  ),
  fc.tuple(node, json).map(
    ([who, detail]): Step =>
      (drawn, to, at) => {
        const delta = deltaOf(drawn.details.get(who), detail)
        drawn.details.set(who, detail)
        if (delta !== undefined) to.detail(at, who, delta)
      },
  ),
  fc.tuple(fc.nat(), fc.stringMatching(/^[0-9a-f]{16}$/)).map(
    ([messages, digest]): Step =>
      (drawn, to, at) => {
        drawn.told = { at, messages, digest }
        to.told(at, messages, digest)
      },
  ),
)
const steps = fc.array(fc.tuple(fc.nat(100_000_000), step), { maxLength: 60 })

function carriedOut(all: readonly (readonly [number, Step])[]): {
  drawn: Drawn
  bytes: Uint8Array
  at: number
} {
  const drawn = new Drawn(NODES)
  const to = new ChangeWriter(0)
  let at = 0
  for (const [gap, change] of all) {
    at += gap
    change(drawn, to, at)
  }
  return { drawn, bytes: to.take(), at }
}

/** All that is drawn, as plain data. */
function plain(drawn: Drawn): unknown {
  const members = [...drawn.members].filter(([, each]) => each.size > 0)
  return {
    states: drawn.states,
    uppers: drawn.uppers,
    sides: drawn.sides,
    // Of those that are down: nobody asks of others.
    stoppedAt: drawn.stoppedAt.map((at, who) => (drawn.isUp(who) ? 0 : at)),
    links: [...drawn.links].sort((a, b) => a - b),
    members: new Map(members.map(([which, each]) => [which, new Map(each)])),
    names: drawn.epochNames,
    details: drawn.details,
    told: drawn.told,
    looks: drawn.looks,
  }
}

function outcomeOf(error: unknown): string {
  if (error instanceof UsageError) return error.message
  throw error
}

describe('what a recording consists of', () => {
  it('is read as it was written, whatever changes', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { drawn, bytes, at } = carriedOut(all)
        const again = new Drawn(NODES)
        const changes = new ChangeReader(bytes, COUNTS, 0, at)
        changes.apply(again, at)
        expect(changes.failure).toBeUndefined()
        expect(plain(again)).toEqual(plain(drawn))
        const reader = new ByteReader(writeCheckpoint(drawn))
        const checked = readCheckpoint(reader, COUNTS)
        expect(reader.failure).toBeUndefined()
        expect(plain(checked)).toEqual(plain(drawn))
      }),
      { numRuns: RUNS },
    )
  })

  it('has the same in parts as at once', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (all, stops) => {
        const { drawn, bytes, at } = carriedOut(all)
        const inParts = new Drawn(NODES)
        const changes = new ChangeReader(bytes, COUNTS, 0, at)
        for (const stop of stops.sort((a, b) => a - b)) changes.apply(inParts, stop * at)
        changes.apply(inParts, at)
        expect(plain(inParts)).toEqual(plain(drawn))
      }),
      { numRuns: RUNS },
    )
  })

  it('keeps tables by what changes in them', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const delta = deltaOf(before, after)
        expect(delta === undefined ? before : patched(before, delta)).toEqual(after)
      }),
      { numRuns: RUNS * 2 },
    )
  })

  it('keeps texts and numbers', () => {
    fc.assert(
      fc.property(text16, fc.maxSafeNat(), fc.double(), (text, whole, number) => {
        const to = new ByteWriter()
        to.text(text)
        to.varint(whole)
        to.f64(number)
        const from = new ByteReader(to.take())
        expect(from.text(10_000, 'text')).toBe(text.toWellFormed())
        expect(from.varint(Number.MAX_SAFE_INTEGER, 'number')).toBe(whole)
        expect(from.f64()).toBe(number)
        expect(from.failure).toBeUndefined()
        expect(from.left).toBe(0)
      }),
      { numRuns: RUNS },
    )
  })

  it('takes as UTF-8 what a decoder takes', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
        let expected: string | undefined
        try {
          expected = decoder.decode(bytes)
        } catch {
          expected = undefined
        }
        expect(textOf(bytes)).toBe(expected)
      }),
      { numRuns: RUNS * 10 },
    )
  })

  it('keeps what happened', () => {
    const at = fc.nat(5_000_000).map((micros) => micros / 1e6)
    const share = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined })
    const sample = fc.record({
      at,
      alive: fc.nat(NODES),
      attached: fc.double({ min: 0, max: 1, noNaN: true }),
      delivery: share,
      control: share,
      data: share,
    })
    const happening = fc.record({
      at,
      kind: fc.constantFrom(...Object.values(HAPPENING)),
      node: fc.integer({ min: -1, max: NODES - 1 }),
      text: fc.string(),
    })
    fc.assert(
      fc.property(fc.array(sample), fc.array(happening), (samples, happenings) => {
        const story = {
          samples: samples.toSorted((a, b) => a.at - b.at),
          happenings: happenings.toSorted((a, b) => a.at - b.at),
        }
        const to = new ByteWriter()
        writeStory(to, story, 0)
        const reader = new ByteReader(to.take())
        expect(readStory(reader, 0, 5_000_000, NODES)).toEqual(story)
        expect(reader.failure).toBeUndefined()
      }),
      { numRuns: RUNS },
    )
  })
})

describe('a recording of a run', () => {
  let whole: Uint8Array
  let recording: Recording
  /** At the end of every frame. */
  let ends: unknown[]

  /** Goes through all of it. */
  async function played(opened: Recording): Promise<unknown[]> {
    const result: unknown[] = []
    let drawn: Drawn | undefined
    for (const index of opened.frames.keys()) {
      const loaded = await opened.load(index)
      drawn ??= loaded.checkpoint()
      loaded.changes.apply(drawn, loaded.frame.until)
      loaded.check()
      result.push(structuredClone(plain(drawn)))
    }
    return result
  }

  beforeAll(async () => {
    whole = record(SMALL, 2, [MARK]).file.bytes
    recording = await Recording.open(new MemoryFile(whole), 'whole')
    ends = await played(recording)
  }, 120_000)

  it('is drawn the same by way of a checkpoint as from its beginning', async () => {
    const drawn = (await recording.load(0)).checkpoint()
    const moments = fc.sample(fc.nat(recording.until), { numRuns: RUNS, seed: 1 }).sort((a, b) => a - b)
    let index = 0
    let loaded = await recording.load(0)
    for (const at of moments) {
      for (loaded.changes.apply(drawn, at); (recording.frames[index + 1]?.from ?? at + 1) <= at; ) {
        index += 1
        loaded = await recording.load(index)
        loaded.changes.apply(drawn, at)
      }
      const leapt = await drawnAt(recording, at)
      for (const which of [-1, 0])
        expect(leapt.picture(at, which, true, false)).toEqual(drawn.picture(at, which, true, false))
      expect(leapt.details).toEqual(drawn.details)
    }
    expect(drawn.details.has(MARK)).toBe(true)
  })

  it('is as much shorter as was cut off, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        try {
          const cut = await Recording.open(new MemoryFile(whole.subarray(0, length)), 'cut')
          expect(cut.cutOff).toMatch(/^the file is cut off/)
          expect(cut.result).toBeUndefined()
          expect(await played(cut)).toEqual(ends.slice(0, cut.frames.length))
          expect(cut.samples).toEqual(recording.samples.slice(0, cut.samples.length))
        } catch (error) {
          expect(outcomeOf(error)).toMatch(/^cut: byte \d+: .*(again|file|left)$/)
          expect(length).toBeLessThan((recording.frames[1]?.offset ?? 0) + 1)
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('is never taken for another one when a bit is flipped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = Uint8Array.from(whole)
        bytes[at] = (bytes[at] as number) ^ (1 << bit)
        try {
          const flipped = await Recording.open(new MemoryFile(bytes), 'flipped')
          expect(flipped.header).toEqual(recording.header)
          expect(await played(flipped)).toEqual(ends.slice(0, flipped.frames.length))
        } catch (error) {
          expect(outcomeOf(error)).toMatch(/^flipped: byte \d+: /)
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('that was forged is refused or drawn, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 6 }),
        async (pick, where, put) => {
          const bytes = Uint8Array.from(whole)
          const frame = recording.frames[pick % recording.frames.length]
          if (frame === undefined) return
          const body = frame.offset + HEAD_BYTES
          const state = frame.checkpoint + frame.changes
          bytes.set(put, body + (where % Math.max(1, state + frame.story - put.length)))
          const end = body + state
          // With checksums that are right; the index is the old one, so it goes.
          const sealed = {
            ...frame,
            stateCrc: crc32(bytes.subarray(body, end)),
            storyCrc: crc32(bytes.subarray(end, end + frame.story)),
          }
          bytes.set(writeHead(sealed), frame.offset)
          const forged = new MemoryFile(
            bytes.subarray(
              0,
              (recording.frames.at(-1)?.offset ?? 0) + frameBytes(recording.frames.at(-1) ?? frame),
            ),
          )
          try {
            const opened = await Recording.open(forged, 'forged')
            await played(opened)
            for (const index of opened.frames.keys()) {
              const loaded = await opened.load(index)
              if (loaded.frame.checkpoint > 0) loaded.checkpoint().picture(loaded.frame.from, 0, true, true)
            }
          } catch (error) {
            expect(outcomeOf(error)).toMatch(/^forged: byte \d+: /)
          }
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('that claims to be huge takes no memory for it', async () => {
    const bytes = Uint8Array.from(whole)
    const text = textOf(bytes.subarray(PREAMBLE_BYTES, recording.frames[0]?.offset)) ?? ''
    for (const [from, to] of [
      ['"nodes":12', '"nodes":1000001'],
      ['"marks":[3]', '"marks":[12]'],
      ['"seed":2', '"seed":-2'],
      ['"dither":true', '"dither":7'],
    ] as const) {
      const header = new TextEncoder().encode(text.replace(from, to))
      const forged = new ByteWriter()
      forged.put(bytes.subarray(0, 12))
      forged.u32(header.length)
      forged.u32(crc32(header))
      forged.put(new Uint8Array(PREAMBLE_BYTES - 4 - 20))
      forged.u32(crc32(forged.bytes))
      forged.put(header)
      forged.put(bytes.subarray(recording.frames[0]?.offset ?? 0))
      await expect(Recording.open(new MemoryFile(forged.take()), 'forged')).rejects.toThrow(
        /^forged: byte 80: the header/,
      )
    }
  })
})
