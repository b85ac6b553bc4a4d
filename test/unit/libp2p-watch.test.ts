import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, it } from 'vitest'
import type { Trunk } from '../../drivers/libp2p/trunk.ts'
import { Watch } from '../../drivers/libp2p/watch.ts'

const servers: Server[] = []
const watches: Watch[] = []

afterEach(() => {
  for (const watch of watches.splice(0)) watch.stop()
  for (const server of servers.splice(0)) server.close()
})

type FakeTrunk = Trunk & { isUnanswered: boolean }

/** As much of a trunk over QUIC as is looked at. */
function trunk(): FakeTrunk {
  const remoteAddr = multiaddr('/ip4/127.0.0.1/udp/4001/quic-v1')
  return { connection: { remoteAddr }, isUnanswered: false } as FakeTrunk
}

/** Somebody's TCP port, as addresses name it. */
async function door(): Promise<{ readonly asked: () => number; readonly at: string; close(): void }> {
  const server = createServer()
  servers.push(server)
  let asked = 0
  server.on('connection', (socket) => {
    asked += 1
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const at = `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`
  return { asked: () => asked, at, close: () => server.close() }
}

function watch(): { readonly watch: Watch; readonly gone: Trunk[] } {
  const gone: Trunk[] = []
  const made = new Watch((one) => gone.push(one))
  watches.push(made)
  return { watch: made, gone }
}

const known =
  (...addresses: string[]) =>
  async () =>
    addresses.map((each) => multiaddr(each))

const PEER = '12D3KooWMuiNxsqHYR6qACEPVWN5guiGkXSrcdG9Cpkz7kVnPxmN'

describe('a trunk over QUIC', () => {
  it('is gone soon after its peer has closed its port, if data is unanswered', async () => {
    const { at, asked, close } = await door()
    const { watch: watching, gone } = watch()
    const [busy, quiet] = [trunk(), trunk()]
    for (const each of [busy, quiet]) watching.up(each, known('/ip4/127.0.0.2/tcp/9', at))
    await expect.poll(asked, { timeout: 5_000 }).toBe(2)
    close()
    busy.isUnanswered = true
    watching.sent()
    await expect.poll(() => gone, { timeout: 5_000 }).toEqual([busy])
  })

  it('is asked about at once when other ways have gone silent, and is gone if nobody listens', async () => {
    const [alive, dead] = [await door(), await door()]
    const { watch: watching, gone } = watch()
    const [there, away] = [trunk(), trunk()]
    watching.up(there, known(alive.at))
    watching.up(away, known(dead.at))
    await expect.poll(() => [alive.asked(), dead.asked()], { timeout: 5_000 }).toEqual([1, 1])
    dead.close()
    for (const each of [there, away]) watching.doubt(each)
    // Nothing was sent by its streams, and so nothing is unanswered there.
    await expect.poll(() => gone, { timeout: 5_000 }).toEqual([away])
    await expect.poll(alive.asked, { timeout: 5_000 }).toBe(2)
    expect(gone).toEqual([away])
  })

  it('stays while somebody listens, and is asked about again', async () => {
    const { at, asked } = await door()
    const { watch: watching, gone } = watch()
    const busy = trunk()
    watching.up(busy, known(at))
    await expect.poll(asked, { timeout: 5_000 }).toBe(1)
    busy.isUnanswered = true
    watching.sent()
    await expect.poll(asked, { timeout: 5_000 }).toBeGreaterThan(2)
    expect(gone).toEqual([])
  })

  it('stays if its port was refused from the beginning, as by a firewall', async () => {
    const { at: other, asked: others } = await door()
    const { at, close } = await door()
    close()
    const { watch: watching, gone } = watch()
    const [barred, open] = [trunk(), trunk()]
    watching.up(barred, known(at))
    watching.up(open, known(other))
    await expect.poll(others, { timeout: 5_000 }).toBe(1)
    for (const each of [barred, open]) each.isUnanswered = true
    watching.sent()
    await expect.poll(others, { timeout: 5_000 }).toBeGreaterThan(2)
    expect(gone).toEqual([])
  })

  it('takes no harm from what a stranger says of himself', async () => {
    const { watch: watching, gone } = watch()
    const busy = trunk()
    watching.up(busy, known(`/ip4/127.0.0.1/p2p/${PEER}/tcp/9`, '/ip4/127.0.0.1/tcp/0'))
    busy.isUnanswered = true
    await new Promise((met) => setTimeout(met, 1_300))
    watching.sent()
    watching.down(busy)
    expect(gone).toEqual([])
  })
})
