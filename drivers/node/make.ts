/**
 * A new node on the disk: its key and state, and a configuration to begin with.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { noble } from '../../core/crypto/noble.ts'
import { UsageError } from '../../core/errors.ts'
import { peerIdOf, utf8 } from '../../core/ids.ts'
import { peerText } from './addresses.ts'
import { checkConfig, defaultConfig, publishedConfigSchema, readConfigText } from './config.ts'
import { makeDirectories } from './directories.ts'
import { DEFAULT_PLACES, type Places, SOCKET_BYTES_MAX } from './places.ts'
import { createState } from './state.ts'
import { checkAccess, checkForm, readSeed, systemMistake } from './state-files.ts'

export interface MadeNode {
  /** As libp2p writes it: what stands behind `/p2p/` in addresses. */
  readonly peer: string
  /** Its Ed25519 public key: 64 hex digits. */
  readonly key: string
  readonly state: { readonly path: string; readonly made: boolean }
  readonly config: { readonly path: string; readonly made: boolean }
}

/** Makes what is missing and changes nothing that is there. Throws UsageError. */
export function makeNode({ state, config }: Pick<Places, 'state' | 'config'>, relay: boolean): MadeNode {
  // Before a key is made: no program could read it, and it would be kept.
  if (statSync(config, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new UsageError(
      `${config} is a directory; name the file in it with --config ${join(config, 'config.json')}`,
    )
  if (relay && existsSync(config) && !isRelay(config)) {
    throw new UsageError(
      `${config} is there, is no relay's, and would be kept: move it away, and run this again; ` +
        'or write into it "reachability": "public" and "circuitRelay": { "serve": true, "use": false }',
    )
  }
  const made = createState(state)
  checkAccess(state)
  checkForm(state, 'complete')
  const key = noble.signatures.publicKey(readSeed(state))
  return {
    peer: peerText(key),
    key: peerIdOf(key),
    state: { path: state, made },
    config: { path: config, made: makeConfig(config, state, relay) },
  }
}

/** One that is wrong is none. */
function isRelay(path: string): boolean {
  const checked = checkConfig(readConfigText(path))
  return checked.ok && checked.config.circuitRelay.serve && checked.config.reachability === 'public'
}

function makeConfig(path: string, state: string, relay: boolean): boolean {
  try {
    if (existsSync(path)) return false
    const folder = dirname(path)
    makeDirectories(folder)
    const schema = `${basename(path, '.json')}.schema.json`
    writeFileSync(join(folder, schema), printed(publishedConfigSchema()))
    // No secret is in it, and whoever asks a node for its state wants to know its socket.
    writeFileSync(path, printed({ ...firstConfig(`./${schema}`, relay), ...ownSocket(state) }), {
      flag: 'wx',
    })
    return true
  } catch (error) {
    throw systemMistake(path, error)
  }
}

/** A node whose state is somewhere of its own is one of several, or one of a user: so is its socket. */
function ownSocket(state: string): object {
  const socket = join(state, 'control.sock')
  return state === DEFAULT_PLACES.state || utf8(socket).length > SOCKET_BYTES_MAX
    ? {}
    : { control: { socket } }
}

/** What people change first; all else has its defaults. */
function firstConfig(schema: string, relay: boolean): object {
  const { listen } = defaultConfig()
  const common = { $schema: schema, version: 1 }
  const log = { level: 'info' }
  if (!relay) return { ...common, bootstrap: [], listen, relay: { enabled: true }, interfaces: [], log }
  return {
    ...common,
    notes: ['A public relay: others find the mesh by it. It carries all VLANs and is in none.'],
    bootstrap: [],
    listen,
    announce: [],
    reachability: 'public',
    mdns: false,
    circuitRelay: { serve: true, use: false },
    relay: { enabled: true, policy: { mode: 'open' }, links: 64 },
    log,
  }
}

function printed(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
