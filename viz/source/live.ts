/**
 * Running nodes as a source: they are asked now and then, and at once when one says that something happened.
 * What was seen is kept, as far as there is room, and can be gone back to; what is to come nobody knows.
 */
import type { NodeEvent, NodeView } from '../../core/io.ts'
import { KeptMoments } from './kept-moments.ts'
import { happeningOf } from './live-events.ts'
import { NodeApi, type NodePlace, NoEntry } from './node-api.ts'
import { type Moment, type Said, Sight } from './sight.ts'
import {
  type Focus,
  HAPPENING,
  type Happening,
  type News,
  type Order,
  type Sample,
  type Source,
} from './source.ts'
import type { Status } from './status.ts'

/** Between two looks while nothing happens. */
const LOOK_MILLIS = 1_000
/** What happens at once is looked at once. */
const SOON_MILLIS = 150
/** How soon the events of a node that ended them are asked for again. */
const AGAIN_MILLIS = 3_000
/** The strip of time is so long at first, and grows when it is full. */
const SECONDS_FIRST = 60
const GROWTH = 1.5
/** Between two pictures; a page that is not drawn asks for none. */
const HAPPENINGS_MAX = 5_000

export interface Watched {
  readonly token: string
  readonly nodes: readonly NodePlace[]
}

export class Live implements Source {
  readonly #tell: (news: News) => void
  readonly #apis: readonly NodeApi[]
  readonly #sight: Sight
  readonly #kept = new KeptMoments()
  readonly #end = new AbortController()
  readonly #began = performance.now()
  /** Whether a node answered last time; undefined before the first. */
  readonly #answers: (boolean | undefined)[]
  #happenings: Happening[] = []
  #samples: Sample[] = []
  #focus: Focus = { node: -1, vlan: -1, measures: false }
  /** What is shown, where it is not the newest. */
  #held: Moment | undefined
  /** What was said of the nodes last: its shape, and until when. */
  #said = { shape: '', endsAt: SECONDS_FIRST }
  #isDrawn = true
  #isOwed = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #isLooking = false
  #lookAgain = false

  constructor({ token, nodes }: Watched, tell: (news: News) => void) {
    this.#tell = tell
    this.#apis = nodes.map(({ base }) => new NodeApi(base, token))
    this.#answers = nodes.map(() => undefined)
    this.#sight = new Sight(nodes.map(({ name }) => name))
    for (const [node, api] of this.#apis.entries()) void this.#follow(node, api)
    void this.#look()
  }

  order(order: Order): void {
    switch (order.kind) {
      case 'play':
        this.#hold(undefined)
        break
      case 'pause':
        this.#hold(this.#held ?? this.#kept.newest)
        break
      case 'seek': {
        const newest = this.#kept.newest
        this.#hold(newest === undefined || order.at > newest.at ? undefined : this.#kept.until(order.at))
        break
      }
      case 'focus':
        this.#focus = order.focus
        this.#show(false)
        break
      case 'drawn':
        this.#isDrawn = true
        if (this.#isOwed) this.#show(false)
        break
      case 'open':
      case 'trace':
        break
    }
  }

  close(): void {
    this.#end.abort()
    clearTimeout(this.#timer)
  }

  get #now(): number {
    return (performance.now() - this.#began) / 1_000
  }

  // Asking.

  async #look(): Promise<void> {
    if (this.#isLooking) {
      this.#lookAgain = true
      return
    }
    clearTimeout(this.#timer)
    this.#isLooking = true
    this.#lookAgain = false
    const said = await Promise.all(this.#apis.map((api, node) => this.#ask(api, node)))
    this.#isLooking = false
    if (this.#end.signal.aborted) return
    const moment = this.#sight.take(this.#now, said)
    this.#kept.add(moment)
    const { alive, attached } = this.#sight.sample(moment)
    // Nobody told of it: what is owed, and which bytes are control.
    const unknown = { delivery: undefined, control: undefined, data: undefined }
    this.#samples.push({ at: moment.at, alive, attached, ...unknown })
    if (this.#samples.length > HAPPENINGS_MAX) this.#samples.shift()
    this.#show(false)
    this.#lookIn(this.#lookAgain ? SOON_MILLIS : LOOK_MILLIS)
  }

  #lookIn(millis: number): void {
    if (this.#end.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#look(), millis)
  }

  async #ask(api: NodeApi, node: number): Promise<Said | undefined> {
    try {
      const [status, core] = await Promise.all([
        api.get('/v1/status') as Promise<Status>,
        api.ask<{ view: NodeView; timerSeconds?: number }>('view'),
      ])
      if (this.#answers[node] !== true) this.#happened(HAPPENING.start, node, `node ${node} answers`)
      this.#answers[node] = true
      const { vlans, names } = status
      return { view: core.view, timerSeconds: core.timerSeconds, status: { vlans, names } }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (error instanceof NoEntry) {
        this.close()
        this.#tell({ kind: 'failed', message, fault: false })
      }
      if (this.#answers[node] !== false) this.#happened(HAPPENING.stop, node, `node ${node}: ${message}`)
      this.#answers[node] = false
      return undefined
    }
  }

  /** For as long as the page is open, over restarts of the node. */
  async #follow(node: number, api: NodeApi): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      await api.lines('/v1/events', signal, (line) => this.#noted(node, line)).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLIS))
    }
  }

  #noted(node: number, line: string): void {
    const event = JSON.parse(line) as NodeEvent
    const happening = happeningOf(event, this.#now, node, (peer) => this.#sight.numberOf(peer))
    if (happening === undefined) return
    this.#keep(happening)
    if (this.#isLooking) this.#lookAgain = true
    else this.#lookIn(SOON_MILLIS)
  }

  #happened(kind: Happening['kind'], node: number, text: string): void {
    this.#keep({ at: this.#now, kind, node, text })
  }

  #keep(happening: Happening): void {
    this.#happenings.push(happening)
    if (this.#happenings.length > HAPPENINGS_MAX) this.#happenings.shift()
  }

  // Showing.

  /** Undefined: what is now. */
  #hold(moment: Moment | undefined): void {
    const isOther = moment !== this.#held
    this.#held = moment
    if (isOther) this.#show(true)
    this.#sayPlaying()
  }

  #show(force: boolean): void {
    const moment = this.#held ?? this.#kept.newest
    if (moment === undefined) return
    if (!this.#isDrawn && !force) {
      this.#isOwed = true
      return
    }
    this.#isOwed = false
    this.#sayAbout()
    this.#isDrawn = false
    const picture = this.#sight.picture(moment, this.#focus.vlan, false)
    const [happenings, samples] = [this.#happenings, this.#samples]
    this.#happenings = []
    this.#samples = []
    this.#tell({ kind: 'picture', picture, happenings, samples })
    if (this.#focus.node >= 0)
      this.#tell({ kind: 'detail', detail: this.#sight.detail(moment, this.#focus.node) })
    this.#sayPlaying()
  }

  #sayAbout(): void {
    let { endsAt } = this.#said
    while (this.#now > endsAt) endsAt = Math.ceil(endsAt * GROWTH)
    const { shape } = this.#sight
    if (shape === this.#said.shape && endsAt === this.#said.endsAt) return
    this.#said = { shape, endsAt }
    this.#tell({ kind: 'about', about: this.#sight.about(endsAt) })
  }

  #sayPlaying(): void {
    const at = (this.#held ?? this.#kept.newest)?.at ?? 0
    this.#tell({
      kind: 'playing',
      playing: { playing: this.#held === undefined, at, seeking: undefined, done: false },
    })
  }
}
