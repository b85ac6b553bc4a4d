/**
 * A run that is shown: where it comes from, what it is, its picture and where that is drawn, and what has
 * happened in it. It knows no page, so that two of them can stand side by side.
 */
import type { Place } from './model/address.ts'
import { History } from './model/history.ts'
import { Layout } from './model/layout.ts'
import { type Scene, sceneOf } from './paint/scene.ts'
import { type Opened, openSource } from './source/open.ts'
import type { About, News, Order, Picture, Playing, Source } from './source/source.ts'

const STOPPED: Playing = { playing: false, at: 0, seeking: undefined, done: false }

export class Shown {
  readonly #heard: (news: News) => void
  #source: Source | undefined
  #about: About | undefined
  #picture: Picture | undefined
  #layout: Layout | undefined
  #history = new History()
  #playing = STOPPED
  #isDrawn = true

  /** `heard`: there is news, which this has taken in already. */
  constructor(heard: (news: News) => void) {
    this.#heard = heard
  }

  /** Undefined: there is no run. */
  get about(): About | undefined {
    return this.#about
  }

  get picture(): Picture | undefined {
    return this.#picture
  }

  get history(): History {
    return this.#history
  }

  get playing(): Playing {
    return this.#playing
  }

  open(opened: Opened): void {
    this.#source = openSource(opened, this.#source, (news) => this.#hear(news))
  }

  order(order: Order): void {
    this.#source?.order(order)
  }

  seek(at: number): void {
    // What follows from here may be seen to grow; only a leap is laid out anew.
    if (this.#about !== undefined) this.order({ kind: 'seek', at: Math.round(at * 1e6) / 1e6 })
  }

  /** It plays no more, whatever its source may say. */
  halt(): void {
    this.#playing = { ...this.#playing, playing: false, seeking: undefined }
  }

  /** Undefined while there is no picture. */
  scene(place: Place, theme: 'light' | 'dark'): Scene | undefined {
    if (this.#picture === undefined || this.#about === undefined || this.#layout === undefined)
      return undefined
    return sceneOf(this.#picture, this.#layout.nodes, this.#about, place, theme)
  }

  /** Lays nodes out for about so long; false when they stand still. */
  layOut(millis: number): boolean {
    return this.#layout?.step(millis) ?? false
  }

  /** Its picture is on the screen: the next one may come. */
  drawn(): void {
    if (this.#isDrawn) return
    this.#isDrawn = true
    this.order({ kind: 'drawn' })
  }

  #hear(news: News): void {
    switch (news.kind) {
      case 'about':
        this.#about = news.about
        this.#history = new History()
        this.#layout = new Layout(news.about.nodes, news.about.seed)
        break
      case 'picture':
        this.#picture = news.picture
        this.#history.add(news.happenings, news.samples)
        this.#layout?.show(news.picture)
        this.#isDrawn = false
        break
      case 'playing':
        this.#playing = news.playing
        break
      case 'failed':
        this.#about = undefined
        this.#picture = undefined
        this.#layout = undefined
        break
      case 'recorded':
      case 'detail':
      case 'ended':
        break
    }
    this.#heard(news)
  }
}
