/**
 * Pings that go on while something happens to the network: which of them were answered, and how long none
 * was. By the program `ping`, whose clock does not wait for the thread of the tests; ask
 * `requires.pinging()` first.
 */
import type { ChildProcess } from 'node:child_process'
import type { Namespace } from './namespaces.ts'

const INTERVAL_MILLIS = 20
const ANSWER = /^\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+) .*time=([\d.]+) ms/gm
const LOOK_MILLIS = 20
const PATIENCE_MILLIS = 30_000

interface Echo {
  readonly number: number
  /** Wall time in milliseconds. */
  readonly sentAt: number
  readonly backAt: number
}

export interface Flowed {
  readonly sent: number
  readonly answered: number
  /** Not answered, though a later one was. */
  readonly lost: number
  /** The longest time between answers, or before the first. */
  readonly longestGapMillis: number
}

export class PingFlow {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #address: string
  readonly #parts: string[] = []

  constructor(host: Namespace, address: string, intervalMillis = INTERVAL_MILLIS) {
    this.#address = address
    const words = ['-D', '-O', '-n', '-i', `${intervalMillis / 1_000}`, address]
    this.#child = host.spawn('ping', words, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stdout?.setEncoding('utf8').on('data', (part: string) => this.#parts.push(part))
    this.#ended = new Promise((done) => this.#child.once('close', done))
  }

  get echoes(): Echo[] {
    return [...this.#text().matchAll(ANSWER)].map(([, back, number, took]) => {
      const backAt = Number(back) * 1_000
      return { number: Number(number), sentAt: backAt - Number(took), backAt }
    })
  }

  /**
   * Until one that was sent after a moment was answered, by default after now; milliseconds from that moment
   * to its answer.
   */
  async answeredAfter(moment = Date.now(), patience = PATIENCE_MILLIS): Promise<number> {
    for (;;) {
      const first = this.echoes.find(({ sentAt }) => sentAt > moment)
      if (first !== undefined) return first.backAt - moment
      if (Date.now() - moment > patience)
        throw new Error(
          `no ping of ${this.#address} was answered for ${patience} ms: ${this.#text().slice(-400)}`,
        )
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLIS))
    }
  }

  /** The longest time without an answer that ended after a moment. */
  longestGapAfter(moment: number): number {
    const back = this.echoes.map(({ backAt }) => backAt).sort((a, b) => a - b)
    const gaps = back.slice(1).map((at, index) => (at > moment ? at - (back[index] as number) : 0))
    return Math.max(0, ...gaps)
  }

  async end(): Promise<Flowed> {
    this.#child.kill('SIGINT')
    await this.#ended
    const sent = /^(\d+) packets transmitted, (\d+) received/m.exec(this.#text())
    if (sent === null) throw new Error(`ping ended in no good way: ${this.#text().slice(-400)}`)
    const last = Math.max(0, ...this.echoes.map(({ number }) => number))
    const answered = Number(sent[2])
    // Their numbers begin with 1.
    const lost = last - answered
    return { sent: Number(sent[1]), answered, lost, longestGapMillis: this.longestGapAfter(0) }
  }

  #text(): string {
    return this.#parts.join('')
  }
}
