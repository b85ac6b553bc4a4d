/**
 * What datagrams go out and come in by: sockets of the system, or whatever a test has in place of them. It
 * lends its memory, so that nothing is made for a datagram.
 */
import type { Libc } from '../linux/libc.ts'
import { type Endpoint, type Family, openUdp, UdpInbox, UdpOutbox, type UdpSocket } from '../linux/udp.ts'
import { PAYLOAD_MAX } from './packet.ts'

export interface Wire {
  /** Of the families that this machine has. */
  readonly ports: ReadonlyMap<Family, number>
  /**
   * Where received datagrams lie, behind PAYLOAD_MAX bytes that are the reader's own; their senders'
   * addresses.
   */
  readonly memory: Uint8Array
  readonly names: Uint8Array
  /** Undefined for a family that is not there. */
  outgoing(family: Family): Outgoing | undefined
  /** Takes what has come, some of it; true if there may be more. */
  receive(take: (at: number, length: number, name: number) => void): boolean
  /** False while the system has no room. */
  flush(): boolean
}

export interface Outgoing {
  readonly memory: Uint8Array
  /** Where so many bytes may be written; −1 while there is no room. */
  place(length: number): number
  commit(to: Endpoint, length: number): void
}

export interface WireOptions {
  readonly port: number
  readonly segment: boolean
  readonly gro: boolean
}

export class UdpWire implements Wire {
  readonly ports: ReadonlyMap<Family, number>
  readonly memory: Uint8Array
  readonly names: Uint8Array
  readonly #inbox: UdpInbox
  readonly #outboxes: ReadonlyMap<Family, UdpOutbox>
  readonly #all: readonly UdpOutbox[]

  constructor(libc: Libc, sockets: readonly UdpSocket[]) {
    this.#inbox = new UdpInbox(libc, PAYLOAD_MAX)
    this.memory = this.#inbox.memory
    this.names = this.#inbox.names
    this.ports = new Map(sockets.map(({ family, port }) => [family, port]))
    this.#all = sockets.map((socket) => new UdpOutbox(libc, socket))
    this.#outboxes = new Map(this.#all.map((outbox) => [outbox.socket.family, outbox]))
  }

  /** What a thread waits for. */
  get files(): readonly number[] {
    return this.#all.map(({ socket }) => socket.fd)
  }

  /** Whether what goes out by that family waits for room in its socket. */
  isFull(family: Family): boolean {
    return this.#outboxes.get(family)?.isFull === true
  }

  /** Files of sockets that wait for room. */
  get fullFiles(): readonly number[] {
    return this.#all.filter(({ isFull }) => isFull).map(({ socket }) => socket.fd)
  }

  get counts(): { readonly refused: number; readonly tooLong: number; readonly truncated: number } {
    const sum = (which: 'refused' | 'tooLong'): number =>
      this.#all.reduce((all, { counts }) => all + counts[which], 0)
    return { refused: sum('refused'), tooLong: sum('tooLong'), truncated: this.#inbox.truncated }
  }

  get offloads(): readonly string[] {
    return this.#all.flatMap(({ socket: { offloads } }) => [
      ...(offloads.segment ? ['segment'] : []),
      ...(offloads.gro ? ['gro'] : []),
    ])
  }

  outgoing(family: Family): UdpOutbox | undefined {
    return this.#outboxes.get(family)
  }

  // HOT PATH
  receive(take: (at: number, length: number, name: number) => void): boolean {
    let isMore = false
    for (const { socket } of this.#all) if (this.#inbox.receive(socket.fd, take)) isMore = true
    return isMore
  }

  // HOT PATH
  flush(): boolean {
    let isDone = true
    for (const outbox of this.#all) if (!outbox.isEmpty && !outbox.flush()) isDone = false
    return isDone
  }

  close(): void {
    for (const outbox of this.#all) outbox.close()
  }
}

/**
 * Both families on one port where it is free, else on ports that are; undefined if the machine has neither
 * family or no port is free. Leaves nothing open where it throws, as openUdp does.
 */
export function openWire(libc: Libc, options: WireOptions): UdpWire | undefined {
  const sockets: UdpSocket[] = []
  try {
    for (const family of [4, 6] as const) {
      const wanted = sockets[0]?.port ?? options.port
      const opened = openUdp(libc, family, wanted, options)
      const socket = opened === 'taken' && wanted !== 0 ? openUdp(libc, family, 0, options) : opened
      if (socket !== undefined && socket !== 'taken') sockets.push(socket)
    }
  } catch (error) {
    for (const socket of sockets) socket.close()
    throw error
  }
  return sockets.length === 0 ? undefined : new UdpWire(libc, sockets)
}
