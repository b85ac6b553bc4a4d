/**
 * Says in words what a place in a file takes, a scenario for instance, from its published schema, so that an
 * error, the schema and the check cannot disagree.
 */
import { z } from 'zod'

/** The part of JSON Schema that scenarios and configurations use. */
export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  /** What keys take that are not among the properties; false if there may be none. */
  readonly additionalProperties?: JsonSchema | boolean
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly oneOf?: readonly JsonSchema[]
  readonly anyOf?: readonly JsonSchema[]
  readonly enum?: readonly (string | number)[]
  readonly const?: string | number
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly pattern?: string
}

/** The schema of what people write, where every key with a default may be left out. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // Every whole number has this limit; as a rule it says nothing.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
    },
  }) as JsonSchema
}

/** The schema that applies at a path; of the branches of a union, the one that fits the value there. */
export function schemaAt(
  root: JsonSchema,
  value: unknown,
  path: readonly PropertyKey[],
): JsonSchema | undefined {
  let schema: JsonSchema | undefined = root
  let here = value
  for (const step of path) {
    schema = chosen(schema, here)
    if (typeof step === 'number') schema = schema.items
    else schema = propertyAt(schema, step)
    if (schema === undefined) return undefined
    here = valueAt(here, [step])
  }
  return schema
}

function propertyAt(schema: JsonSchema, key: PropertyKey): JsonSchema | undefined {
  if (Object.hasOwn(schema.properties ?? {}, key)) return schema.properties?.[String(key)]
  const { additionalProperties: others } = schema
  return typeof others === 'object' ? others : undefined
}

/** What stands at a path, or undefined. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    here = (here as Record<PropertyKey, unknown>)[step]
  }
  return here
}

/** The branch of a union that a value means: by its `kind`, or else by the keys it has. */
export function chosen(schema: JsonSchema, value: unknown): JsonSchema {
  const branches = schema.oneOf ?? schema.anyOf
  if (branches === undefined || typeof value !== 'object' || value === null) return schema
  const kind = (value as { kind?: unknown }).kind
  const byKind = branches.find((branch) => branch.properties?.kind?.const === kind && kind !== undefined)
  if (byKind !== undefined) return byKind
  const byKeys = branches.filter((branch) =>
    (branch.required ?? []).every((key) => key !== 'kind' && Object.hasOwn(value, key)),
  )
  return byKeys.length === 1 ? (byKeys[0] as JsonSchema) : schema
}

/** The keys that an object may have here. */
export function keysOf(schema: JsonSchema): string[] {
  return Object.keys(schema.properties ?? {})
}

/** `a whole number from 1 to 10000`, `one of a, b, c`: completes "it must be". */
export function ruleOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return oneOf(schema.enum.map(String))
  const branches = schema.oneOf ?? schema.anyOf
  if (branches !== undefined) return ruleOfUnion(branches)
  switch (schema.type) {
    case 'integer':
    case 'number':
      return ruleOfNumber(schema)
    case 'string':
      return ruleOfText(schema)
    case 'boolean':
      return 'true or false'
    case 'array':
      return ruleOfList(schema)
    default:
      return `an object with keys such as ${keysOf(schema).slice(0, 4).join(', ')}`
  }
}

function ruleOfNumber(schema: JsonSchema): string {
  const { minimum, maximum, exclusiveMinimum } = schema
  const noun = schema.type === 'integer' ? 'a whole number' : 'a number'
  if (schema.type === 'number' && minimum === 0 && maximum === 1) return 'a share from 0 to 1'
  if (minimum !== undefined && maximum !== undefined) return `${noun} from ${minimum} to ${maximum}`
  const low = minimum !== undefined ? ` of at least ${minimum}` : ''
  const above = exclusiveMinimum !== undefined ? ` above ${exclusiveMinimum}` : ''
  const high = maximum !== undefined ? `${low || above ? ' and' : ' of'} at most ${maximum}` : ''
  return noun + low + above + high
}

function ruleOfText(schema: JsonSchema): string {
  if (schema.pattern !== undefined)
    return 'a text of lower-case letters, digits and single hyphens between them'
  return (schema.minLength ?? 1) > 1
    ? `a text of at least ${schema.minLength} characters`
    : 'a text, not empty'
}

function ruleOfList(schema: JsonSchema): string {
  const { minItems, maxItems } = schema
  if (minItems !== undefined) return `a list of at least ${minItems}`
  return maxItems !== undefined ? `a list of at most ${maxItems}` : 'a list'
}

function ruleOfUnion(branches: readonly JsonSchema[]): string {
  const kinds = branches.map((branch) => branch.properties?.kind?.const)
  if (kinds.every((kind) => kind !== undefined))
    return `an object whose "kind" is ${oneOf(kinds.map(String))}`
  const keys = branches.flatMap((branch) => branch.required ?? [])
  return `an object with exactly one of the keys ${keys.join(', ')}`
}

function oneOf(names: readonly string[]): string {
  return names.length === 1 ? `"${names[0]}"` : `one of ${names.join(', ')}`
}
