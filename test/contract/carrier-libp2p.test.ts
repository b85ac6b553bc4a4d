/** What trunks over libp2p do beyond what every carrier must: choice of transport, hostile ends, relays. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Connection, Stream, StreamMuxer } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p, type Libp2pOptions } from 'libp2p'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { type Address, CHANNEL, CLOSE, type LinkId, REACHABILITY } from '../../core/io.ts'
import { parseContact } from '../../drivers/libp2p/contact.ts'
import { HOST_CONNECTIONS_MAX } from '../../drivers/libp2p/crowd.ts'
import { createEngine, type Engine } from '../../drivers/libp2p/engine.ts'
import { FRAME_BYTES_MAX, HEADER_BYTES, wordBytes, writeFrame } from '../../drivers/libp2p/framing.ts'
import type { RelayOptions, TrunkOptions } from '../../drivers/libp2p/options.ts'
import { HOST_RELAY_PLACES_MAX } from '../../drivers/libp2p/relay-places.ts'
import type { TransportKind } from '../../drivers/libp2p/transports.ts'
import type { Trunks } from '../../drivers/libp2p/trunks.ts'
import { addressesOf, core, libp2pStation, randomPeer, silence } from '../support/libp2p-ground.ts'
import type { Station } from '../support/station.ts'

type Libp2pStation = Station & { readonly carrier: Trunks }

let stations: Libp2pStation[] = []
let closers: (() => unknown)[] = []

async function station(
  transports: readonly TransportKind[],
  options: Partial<TrunkOptions> = {},
): Promise<Libp2pStation> {
  const made = await libp2pStation(transports, options)
  stations.push(made)
  return made
}

afterEach(async () => {
  const faults = stations.flatMap((one) => one.faults)
  await Promise.all(stations.map((one) => one.carrier.stop()))
  for (const close of closers) await close()
  stations = []
  closers = []
  expect(faults).toEqual([])
})

test('a peer that is connected says where else it can be dialled', async () => {
  const said = new Map<string, readonly string[]>()
  const a = await station(['tcp'], { announced: (peer, addresses) => said.set(peer, addresses) })
  const b = await station(['tcp', 'ws'])
  a.dial(b.name, addressesOf(b).slice(0, 1))
  await a.up(b.name)
  const listening = b.carrier.listening().map((text) => text.slice(0, text.indexOf('/p2p/')))
  await expect.poll(() => said.get(b.name)).toEqual(expect.arrayContaining(listening))
})

describe('the way', () => {
  test('is QUIC where all three are there', async () => {
    const a = await station(['ws', 'tcp', 'quic'], { listen: [] })
    const b = await station(['ws', 'tcp', 'quic'])
    a.dial(b.name, addressesOf(b))
    await a.up(b.name)
    expect(a.carrier.view()[0]?.transport).toBe('quic-v1')
  })

  test('is TCP within about a second where QUIC packets are swallowed', async () => {
    const a = await station(['quic', 'tcp', 'ws'], { listen: [] })
    const b = await station(['tcp', 'ws'])
    const hole = await silence('quic')
    closers.push(hole.close)
    const c = await station(['tcp'])
    const begun = performance.now()
    a.dial(c.name, addressesOf(c))
    await a.up(c.name)
    const plain = performance.now() - begun
    a.hangUp(a.live(c.name)[0]?.link as LinkId, CLOSE.leaving)
    const before = performance.now()
    a.dial(b.name, [core(`/ip4/127.0.0.1/udp/${hole.port}/quic-v1`), ...addressesOf(b)])
    await a.up(b.name)
    // A busy machine is slow at both.
    expect(performance.now() - before).toBeLessThan(1_000 + 4 * plain)
    expect(a.carrier.view()[0]?.transport).toBe('tcp')
    expect(a.failed).toEqual([])
  })

  test('is WebSocket where TCP goes to somebody who never answers', async () => {
    const a = await station(['tcp', 'ws'], { listen: [] })
    const b = await station(['ws'])
    const hole = await silence('tcp')
    closers.push(hole.close)
    a.dial(b.name, [core(`/ip4/127.0.0.1/tcp/${hole.port}`), ...addressesOf(b)])
    await a.up(b.name)
    expect(a.carrier.view()[0]?.transport).toBe('ws')
  })

  test('leads past stale addresses and through names that are remembered', async () => {
    const a = await station(['tcp'], { listen: [] })
    const b = await station(['tcp'])
    const port = multiaddr(b.carrier.listening()[0]).getComponents()[1]?.value
    a.carrier.remember(b.name, [`/dns4/localhost/tcp/${port}`])
    a.dial(b.name, [core('/ip4/127.0.0.1/tcp/9'), core('/ip4/127.0.0.1/tcp/10')])
    await a.up(b.name)
  })

  test('leads nowhere any more once the addresses of a peer are forgotten', async () => {
    const a = await station(['tcp'], { listen: [] })
    const b = await station(['tcp'])
    a.carrier.remember(
      b.name,
      b.carrier.listening().map((text) => text.slice(0, text.indexOf('/p2p/'))),
    )
    a.carrier.remember(b.name, [])
    a.dial(b.name, [])
    await a.until('the failure', () => a.failed.length > 0)
    expect(b.links).toEqual([])
  })

  test('to a node without addresses leads through a relay, and has no limit', async () => {
    const relay = await station(['tcp'], { relay: { serve: true } })
    const hidden = await station(['tcp'], { listen: [], relay: { use: true } })
    const seeker = await station(['tcp'], { listen: [], relay: { use: true } })
    hidden.dial(relay.name, addressesOf(relay))
    seeker.dial(relay.name, addressesOf(relay))
    await hidden.up(relay.name)
    await seeker.up(relay.name)
    await hidden.until('a place at the relay', () => hidden.carrier.listening().length > 0)
    await seeker.until('the link', () => {
      if (seeker.live(hidden.name).length > 0) return true
      if (seeker.failed.length > 0 || seeker.carrier.dials === 0) seeker.dial(hidden.name, [])
      seeker.failed.length = 0
      return false
    })
    const link = await seeker.up(hidden.name)
    const far = await hidden.up(seeker.name)
    expect(seeker.carrier.view().find((one) => one.link === link.link)).toMatchObject({ relayed: true })
    // Twice what libp2p lets through a relay by default.
    for (let index = 0; index < 200; index++)
      seeker.send(link.link, CHANNEL.control, 0, new Uint8Array(1_400))
    await hidden.until('all of it', () => far.heard.length === 200)
  })
})

describe('a circuit relay', () => {
  const made = { transports: ['tcp'], listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'] } as const

  async function engine(relay: RelayOptions): Promise<Engine> {
    const one = await createEngine({ ...made, inboundPerSecond: 1_000, seed: randomBytes(32), relay })
    closers.push(() => one.node.stop())
    await one.node.start()
    return one
  }

  function placesAt(relay: Engine): ReadonlyMap<unknown, unknown> {
    return (relay.node.services['relay'] as { reservations: ReadonlyMap<unknown, unknown> }).reservations
  }

  test('forgets whoever has gone, and has their place free', async () => {
    const relay = await engine({ serve: true })
    const client = await engine({ use: true })
    await client.node.dial(relay.node.getMultiaddrs())
    await vi.waitFor(() => expect(placesAt(relay).size).toBe(1), 5_000)
    expect(await relay.node.peerStore.has(client.node.peerId)).toBe(true)
    await client.node.stop()
    await vi.waitFor(() => expect(placesAt(relay).size).toBe(0), 5_000)
    await vi.waitFor(
      async () => expect(await relay.node.peerStore.has(client.node.peerId)).toBe(false),
      5_000,
    )
  })

  test('has so many places for the keys of one host, and has them free again', async () => {
    const relay = await engine({ serve: true })
    const [here, elsewhere] = relay.node.getMultiaddrs() as [Multiaddr, Multiaddr]
    const connected = async (way = here): Promise<Connection> => (await stranger()).dial(way)
    const first = await connected()
    expect(await placeAsked(first)).toBe(PLACE_GIVEN)
    for (let more = 1; more < HOST_RELAY_PLACES_MAX; more++)
      expect(await placeAsked(await connected())).toBe(PLACE_GIVEN)
    expect(await placeAsked(await connected())).toBe(PLACE_DENIED)
    expect(placesAt(relay).size).toBe(HOST_RELAY_PLACES_MAX)
    expect(relay.places.refused).toBe(1)
    // Whoever has a place keeps it, and other hosts have theirs.
    expect(await placeAsked(first)).toBe(PLACE_GIVEN)
    expect(await placeAsked(await connected(elsewhere))).toBe(PLACE_GIVEN)
    await first.close()
    await vi.waitFor(async () => expect(await placeAsked(await connected())).toBe(PLACE_GIVEN), 5_000)
  })
})

/** Hex of the status with which an answer ends: OK, PERMISSION_DENIED (libp2p, circuit relay v2). */
const PLACE_GIVEN = '2864'
const PLACE_DENIED = '28ca01'

/** The end of a relay's answer to `RESERVE`, which stands alone in its HopMessage. */
async function placeAsked(connection: Connection): Promise<string> {
  const stream = await connection.newStream('/libp2p/circuit/relay/0.2.0/hop')
  const answer = new Promise<string>((resolve) => {
    stream.addEventListener('message', ({ data }) => {
      const text = Buffer.from(data.subarray()).toString('hex')
      resolve(text.slice(text.lastIndexOf('28')))
    })
  })
  stream.send(Uint8Array.of(2, 8, 0))
  return answer
}

describe('a full channel', () => {
  test.each(['tcp', 'quic'] as const)('over %s says so, and says when there is room again', async (kind) => {
    const a = await station([kind])
    const b = await station([kind])
    b.keepBytes = false
    a.dial(b.name, addressesOf(b))
    const link = await a.up(b.name)
    const far = await b.up(a.name)
    const waits = (): boolean | undefined => link.ready.at(-1)?.ready
    let sent = 0
    for (; waits() !== false && sent < 100_000; sent++) {
      a.send(link.link, CHANNEL.data, sent & 0xffff, new Uint8Array(1_400))
      if (sent % 200 === 0) await new Promise((resolve) => queueMicrotask(() => resolve(undefined)))
    }
    expect(waits()).toBe(false)
    await a.until('room', () => waits() === true)
    a.send(link.link, CHANNEL.data, 0xfffff, Uint8Array.of(1))
    await b.until('the last packet', () => far.heard.at(-1)?.hop === 0xfffff)
    expect(far.heard.length + (a.carrier.view()[0]?.dropped ?? 0)).toBe(sent + 1)
  })

  test('of control that nobody empties ends the link: clogged', async () => {
    const a = await station(['tcp'])
    const b = await station(['tcp'])
    a.dial(b.name, addressesOf(b))
    const link = await a.up(b.name)
    for (let sent = 0; sent < 200_000 && link.down === undefined; sent++) {
      a.send(link.link, CHANNEL.control, 0, new Uint8Array(8_000))
      if (sent % 2_000 === 1_999) await Promise.resolve()
    }
    expect(await a.down(link)).toBe(CLOSE.clogged)
  })
})

type Encrypter = NonNullable<Libp2pOptions['connectionEncrypters']>[number]

/** libp2p alone, with which a test says what it likes. */
async function stranger(encrypter: Encrypter = noise()): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  closers.push(() => node.stop())
  return node
}

async function streams(node: Libp2p, to: Libp2pStation): Promise<{ control: Stream; data: Stream }> {
  const connection = await node.dial(multiaddr(to.carrier.listening()[0]))
  return {
    control: await connection.newStream('/peertap/1.0.0/control'),
    data: await connection.newStream('/peertap/1.0.0/data'),
  }
}

const packet = new Uint8Array(HEADER_BYTES + 3)
writeFrame(packet, 0, 7, Uint8Array.of(1, 2, 3))

describe('another implementation', () => {
  test.each([
    ['Noise', noise()],
    ['TLS', tls()],
  ] as const)('that speaks %s is understood', async (_, encrypter) => {
    const b = await station(['tcp'])
    const both = await streams(await stranger(encrypter), b)
    both.data.send(packet)
    const link = await b.until('the link', () => b.links[0])
    await b.until('a packet', () => link.heard.length === 1)
  })

  test('that begins with a narrow window is soon far ahead, and told of room seldom', async () => {
    const b = await station(['tcp'])
    b.keepBytes = false
    const { data } = await streams(await stranger(), b)
    const told = updatesOf(data)
    const page = new Uint8Array(64 * (HEADER_BYTES + 1_400))
    let end = 0
    while (end < page.length) end = writeFrame(page, end, 7, new Uint8Array(1_400))
    const pages = 100
    for (let sent = 0; sent < pages; sent++) if (!data.send(page)) await data.onDrain()
    const link = await b.until('the link', () => b.links[0])
    await b.until('all of it', () => link.heard.length === pages * 64)
    expect(Math.min(...told)).toBeGreaterThan(2_000_000)
  })
})

/** The room that a stream is told of from now on, in bytes. */
function updatesOf(stream: Stream): number[] {
  const yamuxStream = stream as Stream & { handleWindowUpdate(frame: { header: { length: number } }): void }
  const told: number[] = []
  const handle = yamuxStream.handleWindowUpdate.bind(stream)
  yamuxStream.handleWindowUpdate = (frame) => {
    told.push(frame.header.length)
    handle(frame)
  }
  return told
}

describe('a hostile end', () => {
  const tooLong = wordBytes(FRAME_BYTES_MAX + 1)

  test.each([
    ['garbage on control', 'control', Uint8Array.from({ length: 2_000 }, (_, at) => 0x80 + (at % 7))],
    ['a length beyond the greatest on data', 'data', tooLong],
    ['a word on data', 'data', wordBytes(0xffff01)],
    ['an answer that nobody asked for', 'control', wordBytes(0xffff00)],
  ] as const)('that sends %s is counted and hung up', async (_, channel, bytes) => {
    const b = await station(['tcp'])
    const both = await streams(await stranger(), b)
    const link = await b.until('the link', () => b.links[0])
    both[channel].send(packet)
    await b.until('a packet', () => link.heard.length === 1)
    both[channel].send(bytes)
    expect(await b.down(link)).toBe(CLOSE.misbehaved)
    expect(b.carrier.counts()['trunkViolations']).toBe(1)
    expect(link.heard.length).toBe(1)
    expect(b.carrier.view()).toEqual([])
  })

  test('that opens streams again ends its first link and begins another', async () => {
    const b = await station(['tcp'])
    const node = await stranger()
    await streams(node, b)
    const first = await b.until('the link', () => b.links[0])
    const again = await streams(node, b)
    const second = await b.until('another link', () => b.links[1])
    expect(await b.down(first)).toBe(CLOSE.lost)
    again.data.send(packet)
    await b.until('a packet', () => second.heard.length === 1)
  })

  test('that opens streams without end is counted and loses its connection', async () => {
    const b = await station(['tcp'])
    const node = await stranger()
    const connection = await node.dial(multiaddr(b.carrier.listening()[0]))
    for (let trunk = 0; trunk < 20 && connection.status === 'open'; trunk++) {
      await streams(node, b).catch(() => {})
    }
    await b.until('the end', () => connection.status !== 'open')
    expect(b.carrier.counts()['boundTrunkStreams']).toBe(1)
    // Sixteen streams, two for each.
    expect(b.links.length).toBe(8)
    await b.until('no link', () => b.carrier.view().length === 0)
  })

  test('that begins and never goes on is cut off after a while', async () => {
    const b = await station(['tcp'])
    const [half, mute] = [await stranger(), await stranger()]
    const to = multiaddr(b.carrier.listening()[0])
    const connection = await half.dial(to)
    await connection.newStream('/peertap/1.0.0/control')
    // Streams that never say what they are for, more than one connection may have.
    const dialled = await mute.dial(to)
    // What comes before the other end has the connection ends all of it.
    await dialled.newStream('/ipfs/id/1.0.0')
    const { muxer } = dialled as unknown as { readonly muxer: StreamMuxer }
    const opened = await Promise.all(Array.from({ length: 40 }, () => muxer.createStream()))
    const open = (): number => opened.filter(({ status }) => status === 'open').length
    await b.until('those beyond the bound are refused', () => open() <= 16)
    expect(open()).toBeGreaterThan(0)
    await b.until('the end of half a trunk', () => connection.status !== 'open')
    expect(b.carrier.counts()['halfTrunks']).toBe(1)
    await b.until('the end of all streams', () => open() === 0)
    expect(b.links).toEqual([])
  })

  test('that takes all connections which one host may have keeps nobody else out for long', async () => {
    const b = await station(['tcp'], { inboundPerSecond: 1_000 })
    const port = Number(multiaddr(b.carrier.listening()[0]).getComponents()[1]?.value)
    const sockets = Array.from({ length: HOST_CONNECTIONS_MAX + 1 }, () => connect(port, '127.0.0.1'))
    for (const socket of sockets) {
      socket.on('error', () => {})
      closers.push(() => socket.destroy())
    }
    await b.until('one too many', () => sockets.filter(({ closed }) => closed).length === 1)
    expect(b.carrier.counts()['boundHostConnections']).toBe(1)
    // They never say who they are.
    const a = await station(['tcp'], { listen: [] })
    await b.until('room', () => sockets.every(({ closed }) => closed))
    a.dial(b.name, addressesOf(b))
    await a.up(b.name)
  })

  test('that takes the streams and never answers makes a dial fail, once', async () => {
    const a = await station(['tcp'], { listen: [] })
    const node = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
    })
    closers.push(() => node.stop())
    for (const name of ['control', 'data']) await node.handle(`/peertap/1.0.0/${name}`, () => {})
    const { peer, bytes } = contactOf(node)
    a.dial(peer, [bytes])
    await a.until('the failure', () => a.failed.length > 0)
    expect(a.links).toEqual([])
  })
})

function contactOf(node: Libp2p) {
  const { peer, bytes } = parseContact(String(node.getMultiaddrs()[0]))
  if (bytes === undefined) throw new Error('a loopback address fits')
  return { peer, bytes }
}

describe('a process', () => {
  test('over QUIC that is killed loses its link soon where data is sent to it', async () => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../support/trunk-child.ts', import.meta.url))],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    closers.push(() => child.kill('SIGKILL'))
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const contacts = line.split(' ').map(parseContact)
    const { peer } = contacts[0] as (typeof contacts)[number]
    const a = await station(['quic', 'tcp'], { listen: [] })
    a.dial(
      peer,
      contacts.map(({ bytes }) => bytes as Address),
    )
    const link = await a.up(peer)
    expect(a.carrier.view()[0]?.transport).toBe('quic-v1')
    // Its port is asked after while it is there.
    await new Promise((asked) => setTimeout(asked, 1_500))
    child.kill('SIGKILL')
    a.send(link.link, CHANNEL.data, 1, Uint8Array.of(1))
    expect(await a.down(link)).toBe(CLOSE.lost)
  })
})

describe('a carrier', () => {
  test('tells its addresses at the start, and what reach it has', async () => {
    const a = await station(['tcp', 'quic'])
    const told = await a.until('addresses', () => a.announced[0])
    expect(told.reach).toBe(REACHABILITY.punchable)
    expect(told.addresses).toEqual(expect.arrayContaining([...addressesOf(a)]))
    const b = await station(['tcp'], { reachability: 'private' })
    expect((await b.until('addresses', () => b.announced[0])).reach).toBe(REACHABILITY.private)
    // Looks again every few seconds: what has not changed is not told again.
    expect(a.announced.length).toBe(1)
  })

  test('loses a link at once whose address the machine has lost, and tells its addresses anew', async () => {
    let hosts = ['127.0.0.1', '10.0.0.1']
    const a = await station(['tcp'], { hosts: () => hosts })
    const b = await station(['tcp'])
    a.dial(b.name, addressesOf(b))
    const link = await a.up(b.name)
    const far = await b.up(a.name)
    hosts = ['10.0.0.1']
    expect(await a.down(link)).toBe(CLOSE.lost)
    expect(await b.down(far)).toBe(CLOSE.lost)
    expect((await a.until('no addresses', () => a.announced[1])).addresses).toEqual([])
  })

  test('tells nobody the addresses in networks that trunks carry', async () => {
    const avoids = (host: string): boolean => host === '127.0.0.1'
    const a = await station(['tcp'], { listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'], avoids })
    expect(a.carrier.listening().join()).toMatch(/\/ip6\/::1\//)
    expect(a.carrier.listening().join()).not.toMatch(/127\.0\.0\.1|fe80/)
  })

  test('that cannot listen says where, why and what to do', async () => {
    const a = await station(['tcp'])
    const taken = a.carrier.listening()[0]?.replace(/\/p2p.*/, '') as string
    await expect(libp2pStation(['tcp'], { listen: [taken] })).rejects.toThrow(UsageError)
    await expect(libp2pStation(['tcp'], { listen: [taken] })).rejects.toThrow(/another port/)
    await expect(libp2pStation(['tcp'], { listen: ['/ip4/1.2.3.4/tcp/0'] })).rejects.toThrow(
      /no such address/,
    )
    await expect(libp2pStation(['tcp'], { listen: ['tcp:77'] })).rejects.toThrow(/multiaddr/)
  })

  test('that has stopped leaves its port to others', async () => {
    const a = await station(['tcp'])
    const port = Number(multiaddr(a.carrier.listening()[0]).getComponents()[1]?.value)
    await a.carrier.stop()
    const server = createServer()
    closers.push(() => server.close())
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  })

  test('fails a dial beyond those that it makes at once, and all after its stop say nothing', async () => {
    const a = await station(['tcp'], { listen: [] })
    const hole = await silence('tcp')
    closers.push(hole.close)
    const where = [core(`/ip4/127.0.0.1/tcp/${hole.port}`)]
    for (let count = 0; count < 65; count++) a.dial(randomPeer(), where)
    await a.until('the one too many', () => a.failed.length > 0)
    expect(a.failed.length).toBe(1)
    await a.carrier.stop()
    a.dial(randomPeer(), where)
    expect(a.failed.length).toBe(1)
  })
})
