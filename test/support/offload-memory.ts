/** Cutting and joining without a kernel: memory that is not pinned, and a host that keeps all it is given. */
import { Coalescer } from '../../drivers/tap/coalescer.ts'
import { Segmenter } from '../../drivers/tap/segmenter.ts'

const MEMORY_BYTES = 66_000
/** Zeros: nothing is to be done. */
const NO_HEADER = new Uint8Array(10)

function pin(length: number) {
  const buffer = new ArrayBuffer(length)
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer) }
}

/** All frames that come of what a host sent with a virtio header before it, and how many were lost. */
export function cut(sent: Uint8Array, frameMax: number): { frames: Uint8Array[]; lost: number } {
  const { bytes } = pin(MEMORY_BYTES)
  bytes.set(sent)
  const segmenter = new Segmenter(bytes, frameMax)
  segmenter.take(sent.length)
  return { frames: all(segmenter, frameMax), lost: segmenter.lost }
}

function all(segmenter: Segmenter, frameMax: number): Uint8Array[] {
  const into = new Uint8Array(frameMax + 1)
  const frames: Uint8Array[] = []
  while (segmenter.holds) {
    into.fill(0xa5)
    const length = segmenter.next(into)
    if (!into.subarray(length).every((byte) => byte === 0xa5))
      throw new Error('bytes behind the frame changed')
    frames.push(into.slice(0, length))
  }
  return frames
}

/** A host that frames are joined for. */
export class JoiningHost {
  readonly coalescer: Coalescer
  /** With the virtio header before each. */
  readonly heard: Uint8Array[] = []

  constructor(joinsUdp = true) {
    const memories: Uint8Array[] = []
    this.coalescer = new Coalescer(
      {
        pin: (length) => {
          const memory = pin(length)
          return { ...memory, address: BigInt(memories.push(memory.bytes) - 1) }
        },
        write: (frame) => {
          this.heard.push(Uint8Array.of(...NO_HEADER, ...frame))
          return frame.length
        },
        writeMany: (address, length) => {
          this.heard.push((memories[Number(address)] as Uint8Array).slice(0, length))
        },
      },
      joinsUdp,
    )
  }

  /** Writes them in one turn: what the host got, with virtio headers. */
  turn(...frames: readonly Uint8Array[]): Uint8Array[] {
    for (const frame of frames) {
      // The bytes are lent until `write` returns.
      const lent = frame.slice()
      if (this.coalescer.write(lent) !== frame.length) throw new Error('a frame was not taken')
      lent.fill(0)
    }
    this.coalescer.flush()
    return this.heard.splice(0)
  }
}
