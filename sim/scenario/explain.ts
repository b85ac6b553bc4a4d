/**
 * Turns what the schema refuses into sentences: where, what was found, the rule, the mend.
 */
import type { z } from 'zod'
import { nearestName } from './names.ts'
import { chosen, inputSchema, type JsonSchema, keysOf, ruleOf, schemaAt, valueAt } from './rules.ts'

/** One thing that is wrong in a scenario. */
export interface Mistake {
  readonly path: readonly PropertyKey[]
  /** The path and all that follows it. */
  readonly message: string
  /** Other places that it comes from: they could be changed instead. */
  readonly others?: readonly (readonly PropertyKey[])[]
}

type Problem = z.core.$ZodIssue

/** Longer texts are cut in messages. */
const SHOWN_CHARACTERS = 40

/** Keys that people look for in a place where they are not, and where they are. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['nodes.config.relay', 'the share of nodes that are no relays is nodes.leafShare'],
  ['nodes.config.policy', 'the share of relays with a policy is nodes.restrictedShare'],
  ['seed', 'the seed is not part of a scenario: give it with --seed'],
  ['duration', 'the length of a run is called "seconds"'],
])

/** What the schema has against a value, in the order of the text; `elsewhere` has hints on misplaced keys. */
export function explain(
  schema: z.ZodType,
  value: unknown,
  problems: readonly Problem[],
  elsewhere: ReadonlyMap<string, string> = ELSEWHERE,
): Mistake[] {
  const root = inputSchema(schema)
  return problems.flatMap((problem) => explainOne(root, value, problem, elsewhere))
}

function explainOne(
  root: JsonSchema,
  value: unknown,
  problem: Problem,
  elsewhere: ReadonlyMap<string, string>,
): Mistake[] {
  const { path } = problem
  if (problem.code === 'unrecognized_keys') {
    return problem.keys.map((key) => unknownKey(root, value, [...path, key], elsewhere))
  }
  if (problem.code === 'invalid_union' && problem.errors.length > 0) {
    const inner = innerProblems(problem.errors)
    if (inner !== undefined) {
      return inner.flatMap((one) => {
        return explainOne(root, value, { ...one, path: [...path, ...one.path] }, elsewhere)
      })
    }
  }
  if (problem.code === 'invalid_union' && problem.discriminator !== undefined) {
    return [{ path, message: wrongKind(root, value, path) }]
  }
  return [{ path, message: wrongValue(root, value, path) }]
}

/** The complaints of the one branch of a union that was meant; undefined if that cannot be told. */
function innerProblems(branches: readonly (readonly Problem[])[]): readonly Problem[] | undefined {
  const meant = branches.filter(
    (problems) =>
      problems.length > 0 && problems.every((one) => one.path.length > 0 && one.input !== undefined),
  )
  return meant.length === 1 ? meant[0] : undefined
}

function unknownKey(
  root: JsonSchema,
  value: unknown,
  full: readonly PropertyKey[],
  hints: ReadonlyMap<string, string>,
): Mistake {
  const path = full.slice(0, -1)
  const schema = schemaAt(root, value, path)
  const keys = keysOf(schema === undefined ? root : chosen(schema, valueAt(value, path)))
  const elsewhere = hints.get(pathText(full))
  const meant = nearestName(String(full.at(-1)), keys)
  const known = `the keys here are ${keys.join(', ') || 'none'}`
  const mend = elsewhere ?? (meant === undefined ? known : `did you mean "${meant}"?`)
  return { path: full, message: `${pathText(full)} is not a known key; ${mend}` }
}

function wrongValue(root: JsonSchema, value: unknown, path: readonly PropertyKey[]): string {
  const schema = schemaAt(root, value, path)
  const found = valueAt(value, path)
  const where = pathText(path)
  if (schema === undefined) return `${where} is ${shown(found)}; it has no place here; remove it`
  const meant = chosen(schema, found)
  if (found === undefined) return missing(path, meant)
  const type = found === null || rightType(meant, found) ? '' : ` (${typeName(found)})`
  return `${where} is ${shown(found)}${type}; it must be ${ruleOf(meant)}; ${mend(meant, found, path)}`
}

function missing(path: readonly PropertyKey[], schema: JsonSchema): string {
  return `${pathText(path)} is missing; it must be ${ruleOf(schema)}; add "${String(path.at(-1))}"`
}

/** `path` leads to the `kind` that chooses among the branches of a union. */
function wrongKind(root: JsonSchema, value: unknown, path: readonly PropertyKey[]): string {
  const union = schemaAt(root, value, path.slice(0, -1))
  const kinds = (union?.oneOf ?? []).flatMap((branch) => branch.properties?.kind?.const ?? []).map(String)
  const found = valueAt(value, path)
  const meant = typeof found === 'string' ? nearestName(found, kinds) : undefined
  const rule = `it must be one of ${kinds.join(', ')}`
  if (found === undefined) return `${pathText(path)} is missing; ${rule}; add "kind"`
  const mend = meant === undefined ? 'write one of these' : `did you mean "${meant}"?`
  return `${pathText(path)} is ${shown(found)}; ${rule}; ${mend}`
}

/** What to do about it. */
function mend(schema: JsonSchema, found: unknown, path: readonly PropertyKey[]): string {
  if (found === null) return schema.default === undefined ? 'write a value' : 'remove it for the default'
  if (schema.enum !== undefined || schema.const !== undefined) return mendChoice(schema, found, path)
  if (schema.oneOf !== undefined || schema.anyOf !== undefined) return mendUnion(schema, found)
  switch (schema.type) {
    case 'integer':
    case 'number':
      return mendNumber(schema, found)
    case 'string':
      return mendText(schema, found)
    case 'boolean':
      return found === 'true' || found === 'false' ? 'remove the quotes' : 'write true or false'
    case 'array':
      return Array.isArray(found) ? mendLength(schema, found) : 'put it in [ ]'
    default:
      return 'write an object in { }'
  }
}

function mendChoice(schema: JsonSchema, found: unknown, path: readonly PropertyKey[]): string {
  if (path.length === 1 && path[0] === 'version') {
    return `this PeerTap reads no other: write "version": ${schema.const} and mend what it then refuses`
  }
  const choices = (schema.enum ?? [schema.const]).map(String)
  const meant = typeof found === 'string' ? nearestName(found, choices) : undefined
  return meant === undefined ? 'write one of these' : `did you mean "${meant}"?`
}

function mendUnion(schema: JsonSchema, found: unknown): string {
  const kinds = (schema.oneOf ?? []).flatMap((branch) => branch.properties?.kind?.const ?? []).map(String)
  const meant = typeof found === 'string' ? nearestName(found, kinds) : undefined
  if (meant !== undefined) return `did you mean { "kind": "${meant}" }?`
  return kinds.length > 0 ? 'write { "kind": ... } and its parameters' : 'choose one and write it in { }'
}

function mendNumber(schema: JsonSchema, found: unknown): string {
  if (typeof found === 'string') {
    return found.trim() !== '' && Number.isFinite(Number(found)) ? 'remove the quotes' : 'write a number'
  }
  if (typeof found !== 'number') return 'write a number'
  const { minimum, maximum, exclusiveMinimum } = schema
  if (maximum === 1 && minimum === 0 && found > 1 && found <= 100) {
    return `for ${found} % write ${Number((found / 100).toFixed(6))}`
  }
  if (maximum !== undefined && found > maximum) return `lower it to at most ${maximum}`
  if (minimum !== undefined && found < minimum) return `raise it to at least ${minimum}`
  if (exclusiveMinimum !== undefined && found <= exclusiveMinimum) return `raise it above ${exclusiveMinimum}`
  return `write ${Math.floor(found)} or ${Math.ceil(found)}`
}

function mendText(schema: JsonSchema, found: unknown): string {
  if (typeof found !== 'string') return typeof found === 'object' ? 'write a text' : 'put it in double quotes'
  if (schema.pattern === undefined) return 'write more'
  const clean = found
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  return clean === '' ? 'write a name' : `write "${clean}"`
}

function mendLength(schema: JsonSchema, found: readonly unknown[]): string {
  const excess = schema.maxItems === undefined ? 0 : found.length - schema.maxItems
  return excess > 0 ? `remove ${excess}` : 'add one'
}

function rightType(schema: JsonSchema, found: unknown): boolean {
  if (schema.enum !== undefined || schema.const !== undefined) {
    return typeof found === typeof (schema.enum?.[0] ?? schema.const)
  }
  if (schema.type === 'integer' || schema.type === 'number') return typeof found === 'number'
  if (schema.type === 'array') return Array.isArray(found)
  return schema.type === typeof found
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** A value as a message shows it. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) {
    const kind = (value as { kind?: unknown }).kind
    if (kind !== undefined) return `{ kind: ${JSON.stringify(kind)} }`
    return `{ ${Object.keys(value).join(', ')} }`.replace('{  }', '{ }')
  }
  const text = JSON.stringify(value) ?? 'missing'
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}

/** `vlans[0].members`; the whole is called `the scenario`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? String(step) : `.${String(step)}`
  }
  return text === '' ? 'the scenario' : text
}
