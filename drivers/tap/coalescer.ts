/**
 * Frames for the host that came in one turn of the loop, joined where they follow each other: the host's
 * stack then does for many at once what it would do for each. Knows which frames wait and for how long; which
 * may be joined is known to held-flow.ts.
 *
 * No frame overtakes another of its flow. One that is of no flow that could be told goes after all that wait.
 */
import type { Pinned } from '../linux/libc.ts'
import { FLOW_BYTES, HeldFlow, isPushed, isTooShort, mayBeHeld } from './held-flow.ts'
import { PacketHeaders, PROTOCOL } from './packet-headers.ts'

/** As many as the kernel's GRO has in a bucket (MAX_GRO_SKBS of net/core/gro.c); then the oldest goes. */
const FLOWS_MAX = 8

export interface CoalescerWorld {
  pin(length: number): Pinned
  /** The frame alone. Bytes taken, or less than 0. */
  write(frame: Uint8Array): number
  /** A virtio header and a frame, from the address on, that stands for so many. */
  writeMany(address: bigint, length: number, count: number): void
}

export class Coalescer {
  readonly #world: CoalescerWorld
  /** Datagrams of UDP too. */
  joinsUdp: boolean
  readonly #headers = new PacketHeaders()
  /** Made when there are as many flows: each has 64 KiB. */
  readonly #flows: HeldFlow[] = []
  /** Flows that wait. */
  #waiting = 0
  #age = 0

  constructor(world: CoalescerWorld, joinsUdp: boolean) {
    this.#world = world
    this.joinsUdp = joinsUdp
  }

  // HOT PATH
  /** Bytes taken, whether they wait or not, or less than 0. */
  write(frame: Uint8Array): number {
    const headers = this.#headers
    if (!headers.read(frame, 0, frame.length)) {
      this.flush()
      return this.#world.write(frame)
    }
    const isUnfit = headers.protocol === PROTOCOL.udp && !this.joinsUdp
    const mayWait = !isUnfit && mayBeHeld(frame, headers)
    const flow = this.#flowOf(frame)
    if (flow !== undefined) {
      if (mayWait && flow.follow(frame, headers)) {
        if (flow.isComplete) this.#give(flow)
        return frame.length
      }
      this.#give(flow)
    }
    if (!mayWait || isPushed(frame, headers) || isTooShort(headers)) return this.#world.write(frame)
    this.#age += 1
    this.#waiting += 1
    this.#free().begin(frame, headers, this.#age)
    return frame.length
  }

  // HOT PATH
  /** All that waits, the oldest flow first. */
  flush(): void {
    while (this.#waiting > 0) this.#give(this.#oldest())
  }

  #flowOf(frame: Uint8Array): HeldFlow | undefined {
    if (this.#waiting === 0) return undefined
    for (let index = 0; index < this.#flows.length; index++) {
      const flow = this.#flows[index] as HeldFlow
      if (flow.isOf(frame, this.#headers)) return flow
    }
    return undefined
  }

  #give(flow: HeldFlow): void {
    const { count } = flow
    flow.close()
    flow.count = 0
    this.#waiting -= 1
    this.#world.writeMany(flow.address, flow.length, count)
  }

  #free(): HeldFlow {
    for (let index = 0; index < this.#flows.length; index++) {
      const flow = this.#flows[index] as HeldFlow
      if (flow.count === 0) return flow
    }
    if (this.#flows.length === FLOWS_MAX) {
      const oldest = this.#oldest()
      this.#give(oldest)
      return oldest
    }
    const flow = new HeldFlow(this.#world.pin(FLOW_BYTES))
    this.#flows.push(flow)
    return flow
  }

  #oldest(): HeldFlow {
    let oldest: HeldFlow | undefined
    for (let index = 0; index < this.#flows.length; index++) {
      const flow = this.#flows[index] as HeldFlow
      if (flow.count > 0 && (oldest === undefined || flow.age < oldest.age)) oldest = flow
    }
    return oldest as HeldFlow
  }
}
