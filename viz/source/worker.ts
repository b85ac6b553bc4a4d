/** The thread that simulates: a player between the page's messages. */
import { Player } from './player.ts'
import type { News, Order } from './source.ts'
import { takeTurns } from './turns.ts'

const player = new Player(
  (news: News) => postMessage(news),
  () => performance.now(),
)
const wake = takeTurns(() => player.work())

addEventListener('message', ({ data }: MessageEvent<Order>) => {
  player.order(data)
  wake()
})
