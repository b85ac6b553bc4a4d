/**
 * The program behind its launcher (peertap.mjs, where the first Node that was found is too old). The launcher
 * passes signals on, all but the one that nobody can catch: then a pipe between them ends.
 */
import { Socket } from 'node:net'

/** Ends this process in good order, as the launcher would have, once that is gone. */
export function endWithLauncher(env: NodeJS.ProcessEnv): void {
  const file = env['PEERTAP_LAUNCHED']
  // Programs that are started from here have no such pipe.
  delete env['PEERTAP_LAUNCHED']
  if (file === undefined || !/^\d$/.test(file)) return
  const pipe = new Socket({ fd: Number(file), readable: true, writable: false })
  pipe.on('error', () => undefined)
  pipe.on('close', () => process.kill(process.pid, 'SIGTERM'))
  pipe.resume()
  pipe.unref()
}
