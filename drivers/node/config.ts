/**
 * The configuration of a node: from a file to values that fit together, or to every mistake in it at once.
 * It knows the file and its form; what becomes of the values is for whoever runs the node.
 */
import { readFileSync, statSync } from 'node:fs'
import type { z } from 'zod'
import { UsageError } from '../../core/errors.ts'
import type { RelayPolicy } from '../../core/io.ts'
import { explain, inputSchema, type JsonSchema, type Mistake, readJson } from '../../sim/reading.ts'
import { type Contact, readContact, readListen } from './addresses.ts'
import { checkTogether } from './config-check.ts'
import { type Path, SoundParts } from './config-parts.ts'
import { type Config, configSchema } from './config-schema.ts'

export type { Config, InterfaceConfig, LogConfig, LogLevel } from './config-schema.ts'

/** Ten times what the largest lists take; whatever is longer is something else. */
const CONFIG_BYTES_MAX = 1_048_576

const NEW_LINE = 0x0a

/** Keys that people look for in a place where they are not, and where they are. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['state', 'the state directory is named by --state or PEERTAP_STATE'],
  ['stateDirectory', 'the state directory is named by --state or PEERTAP_STATE'],
  ['identity', 'the key of the node is in its state directory: "peertap init" makes it'],
  ['privateKey', 'the key of the node is in its state directory: "peertap init" makes it'],
  [
    'vlans',
    'VLANs are created and joined by commands: peertap vlan --help; their interfaces are in interfaces',
  ],
  ['peers', 'contacts are called bootstrap'],
  ['port', 'ports are part of the addresses in listen'],
  ['policy', 'the policy of a relay is relay.policy'],
  ['socket', 'the socket for commands is control.socket'],
])

/** What a text says, or all that is wrong with it. */
export type CheckedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] }

/** JSON Schema (2020-12) of a configuration, for editors and other programs. */
export function publishedConfigSchema(): JsonSchema {
  return { title: 'PeerTap configuration', ...inputSchema(configSchema) } as JsonSchema
}

/** Every default, as of an empty file. */
export function defaultConfig(): Config {
  return configSchema.parse({ version: 1 })
}

/** Throws a UsageError with a line for each mistake, or that says why the file cannot be read. */
export function readConfig(path: string): Config {
  const checked = checkConfig(readConfigText(path))
  if (checked.ok) return checked.config
  throw new UsageError(checked.mistakes.map(({ message }) => `${path}: ${message}`).join('\n'))
}

/** The same for a text, with mistakes as values. */
export function checkConfig(text: string): CheckedConfig {
  const json = readJson(text)
  if (!json.ok) {
    const { line, column, message } = json.mistake
    return { ok: false, mistakes: [{ path: [], message: `line ${line}, column ${column}: ${message}` }] }
  }
  const { value } = json
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = 'the configuration is no object; it must be one with keys such as version; put it in { }'
    return { ok: false, mistakes: [{ path: [], message }] }
  }
  const listens = Object.hasOwn(value, 'listen')
  const parsed = configSchema.safeParse(value, { reportInput: true })
  if (!parsed.success) return { ok: false, mistakes: allMistakes(value, parsed.error.issues, listens) }
  const mistakes = checkTogether(parsed.data, listens)
  if (mistakes.length > 0) return { ok: false, mistakes }
  return { ok: true, config: { ...parsed.data, listen: listensOn(parsed.data) } }
}

/** What is wrong in form, and what is wrong in the rest. */
function allMistakes(value: object, issues: readonly z.core.$ZodIssue[], listens: boolean): Mistake[] {
  // One part can break two rules that are mended alike.
  const mistakes = explain(configSchema, value, issues, ELSEWHERE).filter(
    ({ message }, index, all) => all.findIndex((each) => each.message === message) === index,
  )
  const sound = new SoundParts(value, issues, standIn)
  const rest = configSchema.safeParse(sound.value)
  return rest.success ? [...mistakes, ...checkTogether(rest.data, listens, sound)] : mistakes
}

/** For the two keys that have no default. */
function standIn([first, index, last]: Path): unknown {
  if (first === 'version') return defaultConfig().version
  return first === 'interfaces' && last === 'vlan' ? `no VLAN is called so ${String(index)}` : undefined
}

/** The policy as the core takes it. */
export function relayPolicy({ relay: { policy } }: Config): RelayPolicy {
  const { mode, allow, deny } = policy
  return mode === 'patterns' ? { mode, allow, deny } : { mode }
}

/** The contacts of a configuration that was read. */
export function contactsOf({ bootstrap }: Config): Contact[] {
  return bootstrap.flatMap((text) => {
    const contact = readContact(text)
    return contact.ok ? [contact.value] : []
  })
}

/** Addresses of transports that are on. */
function listensOn({ listen, transports }: Config): string[] {
  return listen.filter((text) => {
    const transport = readListen(text)
    return transport.ok && transports[transport.value]
  })
}

/** Throws a UsageError that says why a file cannot be read. */
export function readConfigText(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > CONFIG_BYTES_MAX) {
      throw new UsageError(
        `${path} has ${size} bytes and a configuration at most ${CONFIG_BYTES_MAX}; name the right file`,
      )
    }
    return textOf(path, readFileSync(path))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path} cannot be read: ${whyNot(error)}`)
  }
}

/** With a byte order mark, if it has one: whoever reads JSON names that. */
function textOf(path: string, bytes: Uint8Array): string {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (isUtf16) throw new UsageError(`${path}: it is UTF-16; it must be UTF-8; save it as that`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new UsageError(`${path}: ${whereNoUtf8(bytes)}; it must be UTF-8; save it as that`)
  }
}

function whereNoUtf8(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let line = 1
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(NEW_LINE, from)
    const part = bytes.subarray(from, end < 0 ? bytes.length : end)
    try {
      decoder.decode(part)
    } catch {
      const begin = new TextDecoder().decode(part).split('\u{fffd}')[0] ?? ''
      const byte = part[new TextEncoder().encode(begin).length]?.toString(16)
      return `line ${line}, column ${begin.length + 1}: the byte 0x${byte} is no text`
    }
    from += part.length + 1
  }
  return 'it is no text'
}

const WHY_NOT: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; write one with "peertap init", or name another with --config',
  EACCES: 'its permissions forbid that; run as its owner, or permit it with chmod',
  EISDIR: 'it is a directory; name the file in it',
  ENOTDIR: 'what should be a directory on the way is none; correct the path',
}

function whyNot(error: unknown): string {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException
  return WHY_NOT[code] ?? `${message}; see to that, or name another with --config`
}
