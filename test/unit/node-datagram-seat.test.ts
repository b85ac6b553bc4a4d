/** Datagrams in a node's thread: whose data waits where a socket of the system has no room. */
import { afterEach, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { peerIdOf } from '../../core/ids.ts'
import { CHANNEL, type LinkId, type PeerId } from '../../core/io.ts'
import { ERRNO, type Libc, openLibc } from '../../drivers/linux/libc.ts'
import { Poller } from '../../drivers/linux/poller.ts'
import { type DatagramSeat, openDatagrams } from '../../drivers/node/datagram-seat.ts'
import { systemKeys } from '../../drivers/node/randomness.ts'

const BY_DATAGRAMS = 1 as LinkId
const BY_STREAM = 2 as LinkId
const PATIENCE_MILLIS = 10_000

const seats: DatagramSeat[] = []
afterEach(() => {
  for (const seat of seats.splice(0)) seat.close()
})

/** A seat on sockets of loopback; what it says on the control stream goes to `other`. */
class Node {
  readonly peer: PeerId
  /** Which links have room for data, as was told. */
  readonly told: string[] = []
  /** The kernel takes no datagram. */
  isFull = false
  other: Node | undefined
  readonly seat: DatagramSeat

  constructor(seed: Uint8Array) {
    this.peer = peerIdOf(noble.signatures.publicKey(seed))
    const libc = openLibc()
    let errno: number | undefined
    const narrow: Libc = {
      ...libc,
      sendmmsg: (...words) => {
        errno = this.isFull ? ERRNO.EAGAIN : undefined
        return this.isFull ? -1 : libc.sendmmsg(...words)
      },
      errno: () => errno ?? libc.errno(),
    }
    const seat = openDatagrams(
      { selfSeed: seed, datagrams: { port: 0, offload: true, announce: [] } },
      narrow,
      new Poller(libc),
      { crypto: noble, keys: systemKeys, wallMillis: () => Date.now() },
      {
        send: (link, channel, hop, bytes) => {
          expect(channel).toBe(CHANNEL.control)
          const copy = bytes.slice()
          queueMicrotask(() => this.other?.seat.controlled(now(), link, hop, copy))
        },
        hangUp: () => undefined,
        mail: () => undefined,
        log: () => undefined,
      },
      { packet: () => undefined, ready: (link, ready) => this.told.push(`${link} ${ready}`) },
    )
    if (seat === undefined) throw new Error('no UDP here')
    this.seat = seat
    seats.push(seat)
  }
}

const now = (): number => Math.round(performance.now() * 1_000)

test.skipIf(process.platform !== 'linux')(
  'data of the links alone that go by a full socket waits',
  async () => {
    const ends = [1, 2].map((fill) => new Node(new Uint8Array(32).fill(fill))) as [Node, Node]
    const [alice, bob] = ends
    const until = async (holds: () => boolean): Promise<void> => {
      for (const deadline = Date.now() + PATIENCE_MILLIS; !holds(); ) {
        expect(Date.now()).toBeLessThan(deadline)
        for (const { seat } of ends) {
          seat.receive(now())
          seat.settle(now())
        }
        await new Promise((done) => setTimeout(done, 1))
      }
    }
    for (const [end, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      end.other = other
      end.seat.linkUp(BY_DATAGRAMS, other.peer, end === alice)
      end.seat.linkUp(BY_STREAM, other.peer, end === alice)
    }
    for (const { seat } of ends) seat.remote(now(), BY_DATAGRAMS, '127.0.0.1')
    await until(() => ends.every(({ seat }) => seat.views().every(({ used }) => used)))
    const send = (link: LinkId): boolean => alice.seat.send(link, 0x11_0040, new Uint8Array(100))

    expect(alice.told).toEqual([])
    alice.isFull = true
    expect(send(BY_DATAGRAMS)).toBe(true)
    await until(() => alice.told.length > 0)
    expect(alice.told).toEqual([`${BY_DATAGRAMS} false`])
    // What the stream of that link says does not count now, and that of the other does.
    alice.seat.streamReady(BY_DATAGRAMS, true)
    alice.seat.streamReady(BY_STREAM, false)
    expect(send(BY_STREAM)).toBe(false)
    expect(alice.told.splice(0)).toEqual([`${BY_DATAGRAMS} false`, `${BY_STREAM} false`])

    alice.isFull = false
    await until(() => alice.told.length > 0)
    expect(alice.told).toEqual([`${BY_DATAGRAMS} true`])
  },
)
