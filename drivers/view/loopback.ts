/** Servers of pages, for this machine alone, whoever else shares a network with it. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { UsageError } from '../../core/errors.ts'

export const HOST = '127.0.0.1'

/** `port`: 0 for any that is free. Throws UsageError for one that is taken. */
export async function listenHere(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const what = error.code === 'EADDRINUSE' ? 'another program has it' : error.message
      reject(new UsageError(`--port ${port}: ${what}; name another one, or leave it out for any`))
    })
    server.listen(port, HOST, resolve)
  })
}

/** Of one that listens. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

/** With all who are still connected. */
export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
