/** UDP in batches over loopback, with the kernel's cutting and joining and without. */
import { afterEach, describe, expect, test } from 'vitest'
import { openWire } from '../../drivers/datagram/wire.ts'
import { ERRNO, type Libc, openLibc } from '../../drivers/linux/libc.ts'
import { Poller } from '../../drivers/linux/poller.ts'
import {
  endpointAt,
  endpointOf,
  type Family,
  hostOf,
  openUdp,
  portOf,
  UdpInbox,
  UdpOutbox,
  type UdpSocket,
} from '../../drivers/linux/udp.ts'

const isLinux = process.platform === 'linux'
const LOOPBACK: Readonly<Record<Family, Uint8Array>> = {
  4: Uint8Array.of(127, 0, 0, 1),
  6: Uint8Array.from({ length: 16 }, (_, index) => Number(index === 15)),
}
const OWN = 100

describe.skipIf(!isLinux)('UDP', () => {
  let sockets: UdpSocket[] = []
  afterEach(() => {
    for (const socket of sockets) socket.close()
    sockets = []
  })

  function opened(libc: Libc, family: Family, isOffloaded: boolean, port = 0): UdpSocket {
    const socket = openUdp(libc, family, port, { segment: isOffloaded, gro: isOffloaded })
    if (socket === undefined || socket === 'taken') throw new Error(`no socket: ${socket}`)
    sockets.push(socket)
    return socket
  }

  test.each([
    [4, false],
    [4, true],
    [6, false],
    [6, true],
  ] as const)(
    'of family %d, offloads %s: all datagrams arrive whole, in order, from their sender',
    (family, offload) => {
      const libc = openLibc()
      const [from, to] = [opened(libc, family, offload), opened(libc, family, offload)]
      const outbox = new UdpOutbox(libc, from)
      const inbox = new UdpInbox(libc, OWN)
      const poller = new Poller(libc)
      poller.add(to.fd)
      const target = endpointOf(LOOPBACK[family], to.port)
      const sizes = Array.from({ length: 300 }, (_, index) =>
        index % 50 < 40 ? 1_452 : 1 + ((index * 37) % 1_452),
      )
      const heard: string[] = []
      let sent = 0
      while (heard.length < sizes.length) {
        for (; sent < sizes.length; sent++) {
          const size = sizes[sent] as number
          const at = outbox.place(size)
          if (at < 0) break
          outbox.memory.fill(sent, at, at + size)
          outbox.commit(target, size)
        }
        outbox.flush()
        if (poller.wait(1_000_000) === 0) break
        inbox.receive(to.fd, (at, length, name) => {
          const source = endpointAt(inbox.names, name)
          expect(source && [hostOf(source), portOf(source)]).toEqual([LOOPBACK[family], from.port])
          expect(at).toBeGreaterThanOrEqual(OWN)
          heard.push(`${length} of ${inbox.memory[at]} to ${inbox.memory[at + length - 1]}`)
        })
      }
      expect(heard).toEqual(sizes.map((size, index) => `${size} of ${index & 0xff} to ${index & 0xff}`))
      expect(outbox.counts).toEqual({ refused: 0, tooLong: 0 })
    },
  )

  test('a port that is taken is told, and a way that is none costs the datagram alone', () => {
    const libc = openLibc()
    const first = opened(libc, 4, true)
    expect(openUdp(libc, 4, first.port, { segment: false, gro: false })).toBe('taken')
    const outbox = new UdpOutbox(libc, first)
    // Without the right to broadcast.
    outbox.place(10)
    outbox.commit(endpointOf(Uint8Array.of(255, 255, 255, 255), 9), 10)
    outbox.place(20)
    outbox.commit(endpointOf(LOOPBACK[4], first.port), 20)
    expect(outbox.flush()).toBe(true)
    expect(outbox.counts.refused).toBe(1)
    const inbox = new UdpInbox(libc, OWN)
    const lengths: number[] = []
    inbox.receive(first.fd, (_, length) => lengths.push(length))
    expect(lengths).toEqual([20])
  })

  test('both families are had on ports that are free, or none where none is, and nothing stays open', () => {
    const libc = openLibc()
    const opened = new Set<number>()
    let mayBind = (_: number): number => ERRNO.EADDRINUSE
    let binds = 0
    let errno: number | undefined
    const strict: Libc = {
      ...libc,
      socket: (...words) => {
        const fd = libc.socket(...words)
        opened.add(fd)
        return fd
      },
      close: (fd) => {
        opened.delete(fd)
        return libc.close(fd)
      },
      bind: (...words) => {
        const no = mayBind(++binds)
        errno = no === 0 ? undefined : no
        return no === 0 ? libc.bind(...words) : -1
      },
      errno: () => errno ?? libc.errno(),
    }
    const options = { port: 4_003, segment: false, gro: false }
    expect(openWire(strict, options)).toBeUndefined()
    expect([binds, opened.size]).toEqual([4, 0])
    mayBind = (bind) => (bind === 5 ? 0 : ERRNO.EACCES)
    expect(() => openWire(strict, { ...options, port: 0 })).toThrow('may not be used')
    expect(opened.size).toBe(0)
  })

  test.each([
    ['the way has none', ERRNO.EIO, false],
    ['a piece is too long', ERRNO.EINVAL, true],
    ['a piece is longer than the way takes', ERRNO.EMSGSIZE, true],
  ] as const)('segmentation that the kernel refuses as %s is asked for again', (_, refusal, isLength) => {
    const libc = openLibc()
    const [from, to] = [opened(libc, 4, true), opened(libc, 4, false)]
    let isRefusing = true
    let errno: number | undefined
    const calls = { cut: 0, alone: 0 }
    const strict: Libc = {
      ...libc,
      sendmmsg: (...words) => {
        // One message for all three.
        const isCut = words[2] === 1
        if (isCut) calls.cut += 1
        errno = isRefusing && isCut ? refusal : undefined
        return errno === undefined ? libc.sendmmsg(...words) : -1
      },
      sendto: (...words) => {
        calls.alone += 1
        errno = isLength && calls.alone === 1 ? ERRNO.EMSGSIZE : undefined
        return errno === undefined ? libc.sendto(...words) : -1
      },
      errno: () => errno ?? libc.errno(),
    }
    const outbox = new UdpOutbox(strict, from)
    const inbox = new UdpInbox(libc, OWN)
    const target = endpointOf(LOOPBACK[4], to.port)
    const send = (): number => {
      for (let count = 0; count < 3; count++) {
        outbox.place(100)
        outbox.commit(target, 100)
      }
      outbox.flush()
      let heard = 0
      inbox.receive(to.fd, () => {
        heard += 1
      })
      return heard
    }
    expect(send()).toBe(isLength ? 2 : 3)
    expect(calls.alone).toBe(3)
    isRefusing = false
    const aloneAfter = calls.alone
    // It is asked again at once where a piece was at fault, else after 1,024 datagrams.
    let rounds = 0
    for (; calls.cut < 2 && rounds < 2_000; rounds++) expect(send()).toBe(3)
    expect(calls.alone).toBe(aloneAfter)
    expect(rounds).toBeGreaterThan(isLength ? 0 : 300)
    expect(rounds).toBeLessThan(isLength ? 2 : 400)
  })
})
