/**
 * What verbs of a running node share: how they find it, and how they show what came of it. They know words
 * and tables; the node is behind its control API.
 */

import { existsSync } from 'node:fs'
import { ControlClient } from '../../control/client.ts'
import type { Outcome } from '../../control/outcome.ts'
import { DEFAULT_PLACES, placesOf, SERVICE_SOCKET } from '../../node/places.ts'
import { EXIT, type ExitCode, errorJson } from '../exit.ts'
import type { Flag, Given } from '../flags.ts'
import { JSON_FLAG } from './places.ts'

export const SOCKET: Flag = {
  kind: 'text',
  describe: "Path of the node's control socket (default PEERTAP_SOCKET, or that of the configuration)",
}
/** Flags of every verb that asks a node. */
export const NODE_FLAGS = { socket: SOCKET, json: JSON_FLAG } as const

export async function clientOf(given: Given): Promise<ControlClient> {
  const { socket, config } = placesOf({ socket: given.text('socket') }, process.env)
  if (socket !== undefined) return new ControlClient(socket)
  const { path, doubt } = await configuredSocket(config)
  // Programs get one object, and what may be wrong beside it only if it is.
  if (doubt !== undefined && !given.on('json')) console.error(doubt)
  return new ControlClient(path, given.on('json') ? doubt : undefined)
}

interface Found {
  readonly path: string
  /** Why it may be the wrong one. */
  readonly doubt?: string
}

/** Where the configuration says, if there is one that may be read. */
async function configuredSocket(config: string): Promise<Found> {
  if (!existsSync(config)) return { path: serviceSocket() ?? DEFAULT_PLACES.socket }
  // Only where it is needed: it knows all of libp2p's addresses.
  const { readConfig } = await import('../../node/config.ts')
  const found = (path: string): string => (existsSync(path) ? path : (serviceSocket() ?? path))
  try {
    return { path: found(readConfig(config).control.socket) }
  } catch {
    // A node that runs can be asked all the same; all that is wrong is for those who want to know it.
    const doubt = `${config} is wrong, as "peertap config check" shows; the node is asked where most listen`
    return { path: found(DEFAULT_PLACES.socket), doubt }
  }
}

/** Where a node listens that systemd runs, if it does. */
function serviceSocket(): string | undefined {
  return existsSync(SERVICE_SOCKET) ? SERVICE_SOCKET : undefined
}

/** Prints lines for people or the value for a machine. */
export function show(given: Given, value: object, lines: readonly string[]): ExitCode {
  console.log(given.on('json') ? JSON.stringify(value) : lines.join('\n'))
  return EXIT.ok
}

/** Prints a result, or why there is none. */
export function showOutcome<T extends object>(
  given: Given,
  outcome: Outcome<T>,
  lines: (value: T) => readonly string[],
): ExitCode {
  if (outcome.ok) return show(given, outcome.value, lines(outcome.value))
  const { refusal, message } = outcome
  return showFailure(given, refusal, `refused (${refusal}): ${message}`, message)
}

/** Prints why something was not done: `message` to programs, which have the code apart, else `line`. */
export function showFailure(given: Given, code: string, line: string, message = line): ExitCode {
  if (given.on('json')) console.log(errorJson(code, message))
  else console.error(line)
  return EXIT.failed
}
