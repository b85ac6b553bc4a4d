/**
 * A run that is shown: where it comes from, what it is, its picture and where that is drawn, and what has
 * happened in it. It knows no page, so that two of them can stand side by side.
 */
import type { Place } from './model/address.ts'
import { unionOf } from './model/difference.ts'
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
  /** The picture of the run beside it, for which there is room in the layout too. */
  #beside: Picture | undefined
  /** The scene that was made last, and of what: while only the view moves it stays. */
  #last: { readonly key: readonly unknown[]; readonly scene: Scene } | undefined
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

  /** Simulated seconds a second; null for as fast as it goes. */
  play(speed: number | null): void {
    this.order({ kind: 'play', speed })
  }

  pause(): void {
    this.order({ kind: 'pause' })
  }

  /** Undefined: there is no run beside it any more. Nothing happens if that has other nodes. */
  layOutWith(beside: Picture | undefined): void {
    this.#beside = beside?.states.length === this.#about?.nodes ? beside : undefined
    if (this.#picture !== undefined) this.#layOutAnew({ ...this.#picture, leap: false })
  }

  #layOutAnew(picture: Picture): void {
    this.#layout?.show(this.#beside === undefined ? picture : unionOf(picture, this.#beside))
  }

  close(): void {
    this.#source?.close()
  }

  /** It plays no more, whatever its source may say. */
  halt(): void {
    this.#playing = { ...this.#playing, playing: false, seeking: undefined }
  }

  /** Where its nodes are drawn. */
  get layout(): Layout | undefined {
    return this.#layout
  }

  /** Undefined while there is no picture. `layout`: where nodes are drawn, if not where they are here. */
  scene(place: Place, theme: 'light' | 'dark', layout = this.#layout): Scene | undefined {
    const [picture, about] = [this.#picture, this.#about]
    if (picture === undefined || about === undefined || layout === undefined) return undefined
    const { layers, colour, vlan, node } = place
    const key = [picture, layout, layout.version, layers, colour, vlan, node, theme]
    const last = this.#last
    if (last !== undefined && key.every((each, index) => each === last.key[index])) return last.scene
    const scene = sceneOf(picture, layout.nodes, about, place, theme)
    this.#last = { key, scene }
    return scene
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

  /** What is live goes on with what was seen before. */
  #begin(about: About): void {
    const goesOn = about.live !== undefined && this.#about?.live !== undefined
    this.#about = about
    if (!goesOn) this.#history = new History()
    if (!goesOn || this.#layout?.nodes.length !== about.nodes)
      this.#layout = new Layout(about.nodes, about.seed, goesOn ? this.#layout : undefined)
  }

  #hear(news: News): void {
    switch (news.kind) {
      case 'about':
        this.#begin(news.about)
        break
      case 'picture':
        this.#picture = news.picture
        this.#history.add(news.happenings, news.samples)
        this.#layOutAnew(news.picture)
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
      case 'effects':
        break
    }
    this.#heard(news)
  }
}
