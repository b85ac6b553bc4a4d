/** `peertap view --node`: running nodes in the browser, theirs to see and to order about. */
import { ControlClient } from '../control/client.ts'
import { LiveServer, type ServedNode } from '../view/live-server.ts'
import { operatorPage } from '../view/operator.ts'
import type { Given } from './flags.ts'
import { untilSignal } from './interrupted.ts'
import { clientOf } from './node/line.ts'
import { openBrowser } from './open-browser.ts'

/** Serves until somebody ends the program. `sockets`: none for the node that runs here. */
export async function viewNodes(given: Given, sockets: readonly string[], port: number): Promise<void> {
  const nodes: ServedNode[] =
    sockets.length === 0
      ? [{ name: 'this node', client: await clientOf(given) }]
      : sockets.map((socket) => ({ name: socket, client: new ControlClient(socket) }))
  // Whoever cannot be asked now is named, before anything is built.
  const doors = await Promise.all(nodes.map(({ client }) => client.get('/v1/door')))
  console.error('building the page ...')
  const { buildPage } = await import('../view/page.ts')
  const [picture, operator] = await Promise.all([buildPage(), operatorPage()])
  const server = await LiveServer.listen(new Map([...picture, ...operator]), nodes, port)
  console.log(server.url)
  console.log(`operator's page: ${server.operatorUrl}`)
  for (const [index, door] of doors.entries()) {
    const { port: own, token } = door as { readonly port?: number; readonly token?: string }
    if (own === undefined) continue
    const which = nodes.length === 1 ? 'the node itself' : nodes[index]?.name
    console.log(`served by ${which}, without this program: http://127.0.0.1:${own}/#token=${token}`)
  }
  const forget = given.on('no-browser') ? undefined : openBrowser(server.url)
  console.error('Whoever knows these addresses has the node: keep them secret. Ctrl-C ends it')
  await untilSignal()
  forget?.()
  await server.close()
}
