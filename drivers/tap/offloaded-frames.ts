/**
 * The file of a TAP that has offloads: one call of the kernel for many frames, which are cut and joined here.
 * Knows the file and the header before each frame (virtio.ts); what is in frames is known to segmenter.ts and
 * held-flow.ts.
 */
import { ERRNO, type Libc, type Pinned } from '../linux/libc.ts'
import { Coalescer } from './coalescer.ts'
import type { DeviceOffload } from './device.ts'
import { type FrameFile, isGone } from './frame-file.ts'
import { Segmenter } from './segmenter.ts'
import { OFFLOAD_STEPS, TUNSETOFFLOAD, TUNSETVNETHDRSZ, VIRTIO_BYTES } from './virtio.ts'

/** The longest that Linux hands over: 64 KiB, Ethernet's header and a tag. One byte more tells a longer. */
const READ_BYTES = VIRTIO_BYTES + 0x1_0000 + 18 + 1

const GONE = -1

export class OffloadedFrames implements FrameFile {
  readonly #libc: Libc
  readonly #fd: number
  readonly #read: Pinned
  readonly #write: Pinned
  readonly #segmenter: Segmenter
  readonly #coalescer: Coalescer
  readonly #refused: (why: string) => void
  #joins = false
  #lostInFlush = 0
  #isGone = false

  constructor(
    libc: Libc,
    fd: number,
    frameMax: number,
    offload: DeviceOffload,
    refused: (why: string) => void,
  ) {
    this.#libc = libc
    this.#fd = fd
    this.#read = libc.pin(READ_BYTES)
    this.#write = libc.pin(VIRTIO_BYTES + frameMax)
    this.#segmenter = new Segmenter(this.#read.bytes, frameMax)
    this.#refused = refused
    const world = {
      pin: (length: number) => libc.pin(length),
      write: (frame: Uint8Array) => this.#writeOne(frame),
      writeMany: (address: bigint, length: number, count: number) => this.#writeMany(address, length, count),
    }
    this.#coalescer = new Coalescer(world, false)
    setHeader(libc, fd)
    this.set(offload)
  }

  /** Offloads from now on. What the host has sent is cut as it was made. */
  set(offload: DeviceOffload): boolean {
    this.#coalescer.flush()
    const knowsUdp = ask(this.#libc, this.#fd, offload)
    this.#joins = offload.coalescing
    this.#coalescer.joinsUdp = offload.udp && knowsUdp
    return true
  }

  get holds(): boolean {
    return this.#segmenter.holds
  }

  get lost(): number {
    return this.#segmenter.lost + (this.#isGone ? this.#lostInFlush : 0)
  }

  // HOT PATH
  /** Allocates nothing. Nothing comes of a frame that was lost: the caller asks again. */
  read(into: Uint8Array): number {
    const segmenter = this.#segmenter
    if (!segmenter.holds) {
      const length = this.#libc.read(this.#fd, this.#read.address, READ_BYTES)
      if (length < 0) return length
      segmenter.take(length)
    }
    return segmenter.next(into)
  }

  // HOT PATH
  write(frame: Uint8Array): number {
    if (this.#joins) return this.#coalescer.write(frame)
    this.#coalescer.flush()
    return this.#writeOne(frame)
  }

  // HOT PATH
  flush(): number {
    this.#coalescer.flush()
    if (this.#isGone) return GONE
    const lost = this.#lostInFlush
    this.#lostInFlush = 0
    return lost
  }

  /** With a header of zeros before it, which says that nothing is to be done. */
  #writeOne(frame: Uint8Array): number {
    const { bytes, address } = this.#write
    bytes.set(frame, VIRTIO_BYTES)
    const length = this.#libc.write(this.#fd, address, VIRTIO_BYTES + frame.length)
    return length < 0 ? length : length - VIRTIO_BYTES
  }

  #writeMany(address: bigint, length: number, count: number): void {
    if (this.#libc.write(this.#fd, address, length) >= 0) return
    const errno = this.#libc.errno()
    this.#lostInFlush += count
    this.#isGone ||= isGone(errno)
    // A kernel that takes none joined would have the same segments sent, and refused, for ever.
    if (errno !== ERRNO.EINVAL || count === 1 || !this.#joins) return
    this.#joins = false
    this.#refused('the kernel takes no segments that were joined (EINVAL); each is given to it by itself')
  }
}

/** A kernel that is too old for this call has the length that is asked for. */
function setHeader(libc: Libc, fd: number): void {
  const size = libc.pin(Int32Array.BYTES_PER_ELEMENT)
  size.view.setInt32(0, VIRTIO_BYTES, true)
  libc.ioctl(fd, TUNSETVNETHDRSZ, size.address)
}

/**
 * The most that is wanted and that the kernel takes; with none of it, frames are read one at a time. True if
 * it knows joined datagrams of UDP, which it then takes too.
 */
function ask(libc: Libc, fd: number, { segmentation, udp }: DeviceOffload): boolean {
  const takes = (flags: number) => libc.ioctl(fd, TUNSETOFFLOAD, BigInt(flags)) === 0
  const knowsUdp = udp && takes(OFFLOAD_STEPS.udp)
  if (!segmentation) takes(0)
  else if (!knowsUdp) OFFLOAD_STEPS.tcp.some(takes)
  return knowsUdp
}
