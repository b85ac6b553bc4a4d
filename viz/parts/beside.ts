/** The run beside the first one on the page: its source, its canvas, and what is said of the two. */
import { Duet } from '../duet.ts'
import type { Place } from '../model/address.ts'
import type { Differences } from '../model/difference.ts'
import type { Second } from '../model/second.ts'
import { markedScene } from '../paint/marks.ts'
import type { Scene } from '../paint/scene.ts'
import { Shown } from '../shown.ts'
import type { News, Opening, Order, Picture } from '../source/source.ts'
import { momentsOf, nameOf, showDifference } from './difference.ts'
import { element } from './elements.ts'
import { Stage } from './stage.ts'
import type { Beside } from './timeline.ts'

/** What the page does for it. */
export interface Around {
  choose(node: number): void
  /** To be drawn again. */
  redraw(): void
  /** Where the two are has changed, or whether they play. */
  played(): void
  failed(message: string): void
  close(): void
}

export class BesideRun {
  readonly #around: Around
  readonly #first: Shown
  readonly #place = element('secondStage', HTMLElement)
  readonly #said = element('difference', HTMLElement)
  readonly #stage: Stage
  #second: Second | undefined
  #duet: Duet | undefined
  /** Of two pictures. */
  #compared: { readonly pictures: readonly [Picture, Picture]; readonly found: Differences } | undefined

  constructor(first: Shown, around: Around) {
    this.#first = first
    this.#around = around
    this.#stage = new Stage(
      element('secondMesh', HTMLCanvasElement),
      (node) => around.choose(node),
      () => around.redraw(),
    )
  }

  /** Undefined: there is none. */
  get duet(): Duet | undefined {
    return this.#duet
  }

  /** Leads both to that moment. */
  open(second: Second, opening: Opening, at: number, focus: Order): void {
    this.close()
    this.#second = second
    const run = new Shown((news) => this.#heard(news))
    const branchAt = second.kind === 'branch' ? second.at : undefined
    this.#duet = new Duet(this.#first, run, branchAt, () => {
      this.#around.played()
      this.#around.redraw()
    })
    element('secondName', HTMLElement).textContent = nameOf(second)
    this.#show(true)
    const branching = second.kind === 'branch' ? { branching: second } : {}
    run.open({ kind: 'simulation', opening: { ...opening, ...branching } })
    run.order(focus)
    this.#duet.start(at)
  }

  close(): void {
    if (this.#duet === undefined) return
    this.#duet.second.close()
    this.#duet = undefined
    this.#compared = undefined
    this.#first.order({ kind: 'trace', on: false })
    this.#first.layOutWith(undefined)
    this.#show(false)
  }

  /** News of the first run. */
  heardFirst(news: News): void {
    this.#duet?.heard(0, news)
  }

  /** The first run's scene with what only it has; draws the second one. */
  draw(scene: Scene, place: Place, theme: 'light' | 'dark'): Scene {
    const duet = this.#duet
    if (duet === undefined) return scene
    const { second } = duet
    const found = this.#differences()
    const isAlike = second.about?.nodes === this.#first.about?.nodes
    const layout = isAlike ? this.#first.layout : second.layout
    const other = second.scene(place, theme, layout)
    if (other !== undefined) {
      const marks = { links: found?.onlySecond ?? [], nodes: found?.nodes ?? [] }
      this.#stage.draw(markedScene(other, layout?.nodes ?? [], marks, theme))
      second.drawn()
    }
    const marks = { links: found?.onlyFirst ?? [], nodes: found?.nodes ?? [] }
    return markedScene(scene, this.#first.layout?.nodes ?? [], marks, theme)
  }

  /** Lays the second run out where the first one's layout does not serve it; false when it stands still. */
  layOut(millis: number): boolean {
    const second = this.#duet?.second
    if (second === undefined || second.about?.nodes === this.#first.about?.nodes) return false
    return second.layOut(millis)
  }

  /** What is said of the two; what the timeline shows of the second. */
  say(): Beside | undefined {
    const [duet, second] = [this.#duet, this.#second]
    if (duet === undefined || second === undefined) return undefined
    showDifference(
      this.#said,
      duet,
      second,
      this.#differences(),
      (node) => this.#around.choose(node),
      () => this.#around.close(),
    )
    return { history: duet.second.history, moments: momentsOf(duet, second) }
  }

  #differences(): Differences | undefined {
    const duet = this.#duet
    const [first, second] = [this.#first.picture, duet?.second.picture]
    if (duet === undefined || first === undefined || second === undefined) return undefined
    const before = this.#compared
    if (before?.pictures[0] === first && before.pictures[1] === second) return before.found
    // Between two moments the last that was compared stays in sight.
    const found = duet.differences ?? before?.found
    if (duet.differences !== undefined && found !== undefined)
      this.#compared = { pictures: [first, second], found }
    return found
  }

  #heard(news: News): void {
    this.#duet?.heard(1, news)
    if (news.kind === 'picture') this.#around.redraw()
    else if (news.kind === 'failed') this.#around.failed(news.message)
  }

  #show(isShown: boolean): void {
    this.#place.hidden = !isShown
    element('firstName', HTMLElement).hidden = !isShown
    if (!isShown) {
      this.#said.hidden = true
      this.#said.replaceChildren()
    }
  }
}
