/** The thread that simulates: a player between the page's messages. */
import { Player } from './player.ts'
import type { News, Order } from './source.ts'

const player = new Player(
  (news: News) => postMessage(news),
  () => performance.now(),
)

/** A turn of the event loop without the four milliseconds that nested timers have to wait. */
const turn = new MessageChannel()
turn.port1.onmessage = () => work()

let timer: ReturnType<typeof setTimeout> | undefined
let isTurning = false

function work(): void {
  isTurning = false
  clearTimeout(timer)
  const wait = player.work()
  if (wait === undefined) return
  if (wait > 0) timer = setTimeout(work, wait)
  else turnOnce()
}

function turnOnce(): void {
  if (isTurning) return
  isTurning = true
  turn.port2.postMessage(undefined)
}

addEventListener('message', ({ data }: MessageEvent<Order>) => {
  player.order(data)
  turnOnce()
})
