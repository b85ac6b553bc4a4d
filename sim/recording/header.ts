/**
 * What a recording says of its run in words and numbers: what was run and by what, what came of it, the
 * tables of marked nodes. All of it is read strictly.
 */
import { z } from 'zod'
import type { RunResult } from '../results.ts'
import { explain } from '../scenario/explain.ts'
import { readJson } from '../scenario/json.ts'
import type { About, Detail } from '../watch/seen.ts'
import type { Json } from './delta.ts'
import type { Found } from './format.ts'
import { MARKS_MAX, MOST } from './limits.ts'

const count = z.int().min(0)
const seconds = z
  .number()
  .min(0)
  .max(MOST.micros / 1e6)
const node = count.max(MOST.nodes)

const headerSchema = z.strictObject({
  /** Of the program: versions with one name give one run for one scenario and seed. */
  version: z.string().max(MOST.name),
  /** The scenario file. */
  scenario: z.string().max(MOST.scenario),
  seed: count.max(4_294_967_295),
  /** False: the instants of a trace were taken as they stand. */
  dither: z.boolean(),
  /** Nodes whose tables are recorded. */
  marks: z.array(node).max(MARKS_MAX),
  budgetBytesPerHour: count,
  about: z.strictObject({
    name: z.string().max(MOST.name),
    question: z.string().max(MOST.question),
    seed: count.max(4_294_967_295),
    nodes: z.int().min(1).max(MOST.nodes),
    endsAt: seconds,
    warmupSeconds: seconds,
    vlans: z.array(z.strictObject({ members: z.array(node), hasEpochs: z.boolean() })).max(MOST.vlans),
    planned: z
      .array(z.strictObject({ kind: z.string().max(MOST.name), from: seconds, until: seconds }))
      .max(MOST.faults),
  }),
})
/** Read-only, as runs say it. */
export type Header = Readonly<Omit<z.infer<typeof headerSchema>, 'about' | 'marks'>> & {
  readonly about: About
  readonly marks: readonly number[]
}

export function headerText(header: Header): string {
  return JSON.stringify(header).toWellFormed()
}

export function readHeader(text: string): Found<Header> {
  const read = readJson(text)
  if (!read.ok) {
    const { line, column, message } = read.mistake
    return { wrong: `the header is no JSON: line ${line}, column ${column}: ${message}`, at: 0 }
  }
  const parsed = headerSchema.safeParse(read.value, { reportInput: true })
  if (!parsed.success) {
    const mistakes = explain(headerSchema, read.value, parsed.error.issues.slice(0, 1), new Map())
    return { wrong: `the header's ${mistakes[0]?.message}`, at: 0 }
  }
  const { about, marks } = parsed.data
  const isOf = (each: number): boolean => each < about.nodes
  if (!marks.every(isOf) || !about.vlans.every(({ members }) => members.every(isOf)))
    return { wrong: `the header names a node beyond its ${about.nodes}; record it again`, at: 0 }
  return parsed.data
}

const named = z.record(z.string(), z.number())
const text = z.string().max(MOST.text)

const resultSchema = z.object({
  scenario: text,
  seed: z.number(),
  digest: z.string().regex(/^[0-9a-f]{16}$/),
  ok: z.boolean(),
  violations: z.array(z.object({ kind: text, atSeconds: z.number(), node: z.number(), detail: z.string() })),
  bounds: z.array(
    z.object({
      name: text,
      value: z.number().nullable(),
      limit: z.object({ min: z.number().optional(), max: z.number().optional() }),
      ok: z.boolean(),
    }),
  ),
  metrics: z.record(z.string(), z.union([z.number(), named])),
  faults: z.array(z.object({ kind: text, atSeconds: z.number(), nodes: z.number() })),
  remarks: z.array(z.string()),
  events: z.number(),
  messages: z.number(),
  simulatedSeconds: z.number(),
})

/** Undefined for what is none. */
export function readResult(json: string): RunResult | undefined {
  const read = readJson(json)
  if (!read.ok) return undefined
  const parsed = resultSchema.safeParse(read.value)
  return parsed.success ? (parsed.data as RunResult) : undefined
}

const link = z.number()
const links = z.array(link)
const viewSchema = z.object({
  self: z.string(),
  links: z.array(
    z.object({
      link,
      peer: z.string(),
      neighbour: z.boolean(),
      rttMicros: z.number(),
      jitterMicros: z.number(),
      loss: z.number(),
      load: z.number(),
      role: z.number(),
    }),
  ),
  trees: z.array(
    z.object({
      tree: z.number(),
      root: z.string().optional(),
      detached: z.boolean(),
      depth: z.number(),
      metric: z.number(),
      upper: link.optional(),
      furtherUppers: links,
      lowers: links,
      generation: z.number(),
    }),
  ),
  vlans: z.array(
    z.object({
      vlan: z.string(),
      member: z.boolean(),
      upper: link.optional(),
      lowers: links,
      tokens: z.number(),
    }),
  ),
  memberships: z.array(
    z.object({
      port: z.number(),
      vlan: z.string(),
      self: z.string(),
      phase: z.string(),
      mlsId: z.string().optional(),
      epoch: z.number(),
      mac: z.number(),
      members: z.array(
        z.object({
          member: z.string(),
          joinedMillis: z.number(),
          mac: z.number().optional(),
          heardAt: z.number().optional(),
        }),
      ),
      facts: z.array(z.never()),
      counters: named,
    }),
  ),
  passivePeers: z.number(),
  counters: named,
})
const detailSchema = z.object({
  node: z.number(),
  at: z.number(),
  view: viewSchema.optional(),
  timerSeconds: z.number().optional(),
  numbers: named,
})

/** The tables of a node as they were recorded; undefined for what is none. */
export function readDetail(json: Json): Detail | undefined {
  const parsed = detailSchema.safeParse(json)
  return parsed.success ? (parsed.data as unknown as Detail) : undefined
}
