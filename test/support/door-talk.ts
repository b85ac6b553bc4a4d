/** Two ends of a stream and a path between them that loses, doubles and overtakes. */
import { Stream } from '../../core/door/stream.ts'
import { MILLISECOND, type Micros } from '../../core/io.ts'
import { Streams } from '../../sim/random.ts'

export interface Path {
  readonly seed: number
  readonly loss: number
  readonly double: number
  /** Delays are 10 ms and up to so much more. */
  readonly spread: Micros
}

export interface Talk {
  readonly received: { readonly left: Uint8Array[]; readonly right: Uint8Array[] }
  readonly time: Micros
  readonly isLost: boolean
  readonly frames: number
}

const PIECE = 1_290
const LIMIT: Micros = 600_000_000

/** Says everything from both ends and runs until all has arrived or an end gives up. */
export function talk(path: Path, left: readonly Uint8Array[], right: readonly Uint8Array[]): Talk {
  const dice = new Streams(path.seed).stream('path')
  const ends = [new Stream(PIECE, 1_100_000), new Stream(PIECE, 1_100_000)] as const
  const received: [Uint8Array[], Uint8Array[]] = [[], []]
  const flying: { at: Micros; to: 0 | 1; frame: Uint8Array }[] = []
  for (const message of left) ends[0].push(message)
  for (const message of right) ends[1].push(message)
  let now = 0
  let frames = 0
  const send = (): void => {
    for (const from of [0, 1] as const) {
      for (let frame = ends[from].nextFrame(now); frame !== undefined; frame = ends[from].nextFrame(now)) {
        frames += 1
        const copies = dice.unit() < path.double ? 2 : 1
        for (let copy = 0; copy < copies; copy++) {
          if (dice.unit() < path.loss) continue
          const at = now + 10 * MILLISECOND + dice.below(path.spread + 1)
          flying.push({ at, to: from === 0 ? 1 : 0, frame })
        }
      }
    }
  }
  const isLost = (): boolean => ends.some((end) => end.isLost)
  send()
  while (!isLost() && !(ends[0].isDone && ends[1].isDone) && now < LIMIT) {
    flying.sort((a, b) => a.at - b.at)
    const next = flying[0]
    const wake = Math.min(ends[0].nextDeadline(), ends[1].nextDeadline())
    now = Math.max(now, Math.min(next?.at ?? wake, wake))
    if (next !== undefined && next.at <= now) {
      flying.shift()
      if (ends[next.to].receive(now, next.frame) === 'malformed')
        throw new Error('an honest frame was refused')
      received[next.to].push(...ends[next.to].takeMessages())
    }
    send()
  }
  return { received: { left: received[0], right: received[1] }, time: now, isLost: isLost(), frames }
}
