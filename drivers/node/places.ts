/**
 * Where the files of a node lie: its configuration, its state and the socket that commands come in by. A flag
 * wins over the environment, and that over the default, which is what the service uses.
 */
import { resolve } from 'node:path'

export interface Places {
  readonly config: string
  readonly state: string
  readonly socket: string
}

/** A Unix socket's path must fit `sun_path` with a zero at the end (unix(7)). */
export const SOCKET_BYTES_MAX = 107

/** The variables of the environment that name them, in containers for instance. */
export const PLACE_VARIABLES = {
  config: 'PEERTAP_CONFIG',
  state: 'PEERTAP_STATE',
  socket: 'PEERTAP_SOCKET',
} as const satisfies Readonly<Record<keyof Places, string>>

export const DEFAULT_PLACES: Places = {
  config: '/etc/peertap/config.json',
  state: '/var/lib/peertap',
  socket: '/run/peertap.sock',
}

/**
 * Where the service has its socket: a directory that systemd makes for it, since it may write nowhere else
 * below. For whoever gives commands to try too, where nobody named another.
 */
export const SERVICE_SOCKET = '/run/peertap/peertap.sock'

/**
 * Absolute paths; `given` are flags, where there were any. The socket that a configuration names is for its
 * reader to prefer: `socket` is undefined here where neither flag nor environment name one.
 */
export function placesOf(
  given: Partial<Record<keyof Places, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
): Omit<Places, 'socket'> & { readonly socket: string | undefined } {
  const named = (place: keyof Places): string | undefined => {
    // An empty variable is how shells and units write "not set".
    const path = given[place] ?? (env[PLACE_VARIABLES[place]] || undefined)
    return path === undefined ? undefined : resolve(path)
  }
  return {
    config: named('config') ?? DEFAULT_PLACES.config,
    state: named('state') ?? DEFAULT_PLACES.state,
    socket: named('socket'),
  }
}
