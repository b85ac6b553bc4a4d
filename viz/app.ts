/**
 * The application: what somebody does becomes orders to a source, what the source tells becomes what is
 * seen. It knows sources by their interface alone.
 */

import { csvOf } from './export/csv.ts'
import { dotOf, graphmlOf } from './export/graphs.ts'
import { type Asked, askedOf, dataOf, type Recorded, save, textOf } from './files.ts'
import { KEYS, keysOf } from './keys.ts'
import {
  COLOURS,
  DEFAULT_LAYERS,
  EDITED,
  LAYERS,
  type Place,
  readPlace,
  writePlace,
} from './model/address.ts'
import { History } from './model/history.ts'
import { Layout } from './model/layout.ts'
import { clock } from './model/text.ts'
import { PALETTES } from './paint/palette.ts'
import { type Scene, sceneOf } from './paint/scene.ts'
import { svgOf } from './paint/svg.ts'
import { showDetail } from './parts/detail.ts'
import { element, make } from './parts/elements.ts'
import { showLegend } from './parts/legend.ts'
import { page } from './parts/page.ts'
import { Stage } from './parts/stage.ts'
import { showHappenings, showNodes, showResult, summaryOf } from './parts/tables.ts'
import { Timeline } from './parts/timeline.ts'
import { KNOWN } from './scenarios.ts'
import { Simulator } from './source/simulator.ts'
import { type About, type News, NODE, type Picture, type Playing, type Source } from './source/source.ts'
import { Theme } from './theme.ts'

/** The layout may have so much of a frame. */
const LAYOUT_MILLIS = 9
/** Curves, tables and the address change no faster while it plays. */
const SLOW_MILLIS = 300
/** Of an exported PNG: pixels for a unit of the scene. */
const PNG_SCALE = 2
const FIRST_SCENARIO = 'steady-16'

export class App {
  readonly #version = document.querySelector<HTMLMetaElement>('meta[name="peertap-version"]')?.content ?? ''
  readonly #theme = new Theme(element('theme', HTMLSelectElement), () => this.#dirty())
  readonly #stage = new Stage(
    page.mesh,
    (node) => this.#choose(node),
    () => this.#dirty(),
  )
  readonly #timeline = new Timeline(element('timeline', HTMLDivElement), (at) => this.#seek(at))
  readonly #source: Source = new Simulator((news) => this.#hear(news))
  /** Recorded data that came so far, by name without folders. */
  readonly #data = new Map<string, string>()
  #place: Place = {
    scenario: FIRST_SCENARIO,
    edited: undefined,
    seed: 1,
    dither: true,
    at: 0,
    layers: DEFAULT_LAYERS,
    colour: 'role',
    vlan: -1,
    node: -1,
    version: this.#version,
  }
  /** Of the run that is open, if it was kept. */
  #recorded: Recorded | undefined
  #about: About | undefined
  #picture: Picture | undefined
  #layout: Layout | undefined
  #history = new History()
  #playing: Playing = { playing: false, at: 0, seeking: undefined, done: false }
  #frame = 0
  #isDrawn = true
  #slowAt = 0
  #slowTimer: ReturnType<typeof setTimeout> | undefined
  /** The address that this page wrote last. */
  #hash = ''

  async start(): Promise<void> {
    element('version', HTMLElement).textContent = this.#version
    page.scenario.replaceChildren(...KNOWN.map(({ name }) => make('option', { value: name }, name)))
    element('keys', HTMLElement)
      .querySelector('dl')
      ?.append(
        ...KEYS.flatMap(({ keys, what }) => [
          make('dt', {}, ...keys.split(' ').flatMap((key) => [make('kbd', {}, key), ' '])),
          make('dd', {}, what),
        ]),
      )
    this.#listen()
    this.#showPlaying()
    showDetail(page.detail, undefined, () => undefined)
    addEventListener('hashchange', () => {
      if (location.hash.slice(1) !== this.#hash) void this.#go()
    })
    await this.#go()
  }

  /** Opens what the address says, or else what the server was asked to show, or else the first scenario. */
  async #go(): Promise<void> {
    try {
      const place = await readPlace(location.hash)
      if (place !== undefined) {
        this.#place = { ...place, version: this.#version }
        if (place.version !== '' && place.version !== this.#version) {
          this.#say(
            `This address was made by PeerTap ${place.version}, and this page is ` +
              `${this.#version}. The same scenario and seed may go another way here.`,
          )
        }
        await this.#open(place.at)
        return
      }
      const asked = await askedOf()
      if (asked !== undefined) await this.#take(asked)
      else {
        await this.#open(0)
        this.#play()
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  async #take({ name, text, seed, dither, data, recorded }: Asked): Promise<void> {
    for (const each of data) this.#data.set(baseOf(each), await dataOf(each))
    const known = KNOWN.find((each) => each.name === name && each.text === text)
    this.#place = {
      ...this.#place,
      scenario: known === undefined ? EDITED : name,
      edited: known === undefined ? text : undefined,
      seed,
      dither,
    }
    await this.#open(0, recorded)
    this.#play()
  }

  /** Opens what `#place` says and goes to that moment. */
  async #open(at: number, recorded?: Recorded): Promise<void> {
    this.#recorded = recorded
    const { scenario, edited, seed, dither } = this.#place
    const text = edited ?? KNOWN.find(({ name }) => name === scenario)?.text
    if (text === undefined)
      throw new Error(`there is no scenario "${scenario}" in this version; choose another one and open it`)
    this.#showForm()
    page.result.hidden = true
    const data: Record<string, string> = {}
    for (const need of text.matchAll(/"file"\s*:\s*"([^"]+)"/g)) {
      const name = need[1] as string
      const found = this.#data.get(baseOf(name)) ?? (await dataOf(name).catch(() => undefined))
      if (found !== undefined) data[name] = found
    }
    const name = edited === undefined ? `${scenario}.json` : 'the scenario'
    this.#source.order({ kind: 'open', opening: { text, name, seed, dither, data } })
    this.#focus()
    if (at > 0) this.#source.order({ kind: 'seek', at })
  }

  #showForm(): void {
    const { scenario, edited, seed, layers, colour } = this.#place
    const old = page.scenario.querySelector(`option[value="${EDITED}"]`)
    if (edited !== undefined && old === null)
      page.scenario.prepend(make('option', { value: EDITED }, 'edited scenario'))
    page.scenario.value = scenario
    page.seed.value = String(seed)
    page.colour.value = colour
    for (const box of page.looks.querySelectorAll<HTMLInputElement>('input[name="layer"]'))
      box.checked = layers.some((layer) => layer === box.value)
  }

  // What somebody does.

  #listen(): void {
    page.run.addEventListener('submit', (event) => {
      event.preventDefault()
      const { value } = page.scenario
      this.#begin(value, value === EDITED ? this.#place.edited : undefined)
    })
    page.play.addEventListener('click', () => this.#toggle())
    page.back.addEventListener('click', () => this.#seek(0))
    page.step.addEventListener('click', () => this.#stepOn())
    page.speed.addEventListener('change', () => {
      if (this.#playing.playing) this.#play()
    })
    page.looks.addEventListener('change', () => this.#look())
    page.share.addEventListener('click', () => void this.#share())
    element('dismiss', HTMLButtonElement).addEventListener('click', () => this.#hush())
    element('edit', HTMLButtonElement).addEventListener('click', () => this.#edit())
    page.editor.addEventListener('close', () => {
      if (page.editor.returnValue === 'open') this.#openText(page.text.value)
    })
    for (const button of page.export.querySelectorAll<HTMLButtonElement>('[data-export]'))
      button.addEventListener('click', () => {
        page.export.open = false
        void this.#export(button.dataset['export'] ?? '').catch((error) => this.#fail(error))
      })
    page.nodes.addEventListener('toggle', () => this.#slowly(true))
    keysOf(page.mesh, {
      toggle: () => this.#toggle(),
      step: () => this.#stepOn(),
      start: () => this.#seek(0),
      choose: (to) => this.#walk(to),
      clear: () => this.#choose(-1),
      read: () => page.detail.focus(),
      zoom: (factor) => (factor === 0 ? this.#stage.reset() : this.#stage.zoomBy(factor)),
      layer: (name) => {
        const box = page.looks.querySelector<HTMLInputElement>(`input[value="${name}"]`)
        box?.click()
      },
      vlan: () => {
        page.vlan.selectedIndex = (page.vlan.selectedIndex + 1) % page.vlan.options.length
        this.#look()
      },
    })
    this.#listenToDrops()
  }

  #listenToDrops(): void {
    const { classList } = document.body
    addEventListener('dragover', (event) => {
      event.preventDefault()
      classList.add('dropping')
    })
    addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) classList.remove('dropping')
    })
    addEventListener('drop', (event) => {
      event.preventDefault()
      classList.remove('dropping')
      const files = [...(event.dataTransfer?.files ?? [])]
      void this.#dropped(files).catch((error) => this.#fail(error))
    })
  }

  /** A scenario is opened; anything else is recorded data, and what waited for it is tried again. */
  async #dropped(files: readonly File[]): Promise<void> {
    let scenario: string | undefined
    for (const file of files) {
      const { name, text } = await textOf(file)
      if (name.endsWith('.json') && /"question"\s*:/.test(text)) scenario = text
      else this.#data.set(name, text)
    }
    if (scenario !== undefined) this.#openText(scenario)
    else if (files.length > 0) {
      this.#hush()
      await this.#open(0)
      this.#play()
    }
  }

  #edit(): void {
    const { scenario, edited } = this.#place
    const chosen = page.scenario.value
    const text = chosen === EDITED || chosen === scenario ? edited : undefined
    page.text.value = text ?? KNOWN.find(({ name }) => name === chosen)?.text ?? ''
    page.mistake.textContent = ''
    page.editor.returnValue = ''
    page.editor.showModal()
  }

  #openText(text: string): void {
    this.#begin(EDITED, text)
  }

  /** Another run, from its beginning. */
  #begin(scenario: string, edited: string | undefined): void {
    const seed = page.seed.valueAsNumber
    this.#place = { ...this.#place, scenario, edited, seed, node: -1, vlan: -1 }
    this.#hush()
    void this.#open(0).then(
      () => this.#play(),
      (error) => this.#fail(error),
    )
  }

  #toggle(): void {
    if (this.#playing.playing || this.#playing.seeking !== undefined) this.#source.order({ kind: 'pause' })
    else if (this.#playing.done) {
      this.#source.order({ kind: 'seek', at: 0 })
      this.#play()
    } else this.#play()
  }

  #play(): void {
    const { value } = page.speed
    this.#source.order({ kind: 'play', speed: value === 'max' ? null : Number(value) })
  }

  #stepOn(): void {
    this.#seek(this.#playing.at + Number(page.stepSize.value))
  }

  #seek(at: number): void {
    if (this.#about === undefined) return
    // What follows from here may be seen to grow; only a leap is laid out anew.
    this.#source.order({ kind: 'seek', at: Math.round(at * 1e6) / 1e6 })
  }

  #choose(node: number): void {
    this.#place = { ...this.#place, node }
    if (node < 0) showDetail(page.detail, undefined, () => undefined)
    this.#focus()
    this.#dirty()
    this.#slowly(true)
  }

  /** To another node from the chosen one. */
  #walk(to: 'next' | 'previous' | 'upper' | 'lower'): void {
    const picture = this.#picture
    if (picture === undefined) return
    const { node } = this.#place
    const count = picture.states.length
    if (to === 'upper' || to === 'lower') {
      const found = to === 'upper' ? picture.uppers[node] : picture.uppers.indexOf(node)
      if (found !== undefined && found >= 0 && node >= 0) this.#choose(found)
      return
    }
    const direction = to === 'next' ? 1 : count - 1
    let at = node < 0 ? (to === 'next' ? count - 1 : 0) : node
    for (let tries = 0; tries < count; tries++) {
      at = (at + direction) % count
      if (((picture.states[at] as number) & NODE.up) === 0) continue
      this.#choose(at)
      return
    }
  }

  #look(): void {
    const boxes = [...page.looks.querySelectorAll<HTMLInputElement>('input[name="layer"]')]
    const on = boxes.filter(({ checked }) => checked).map(({ value }) => value)
    let vlan = Number(page.vlan.value)
    const colour = COLOURS.find((each) => each === page.colour.value) ?? 'role'
    if (colour === 'epoch' && this.#about?.vlans[vlan]?.hasEpochs !== true) {
      const first = this.#about?.vlans.findIndex(({ hasEpochs }) => hasEpochs) ?? -1
      if (first >= 0) vlan = first
      page.vlan.value = String(vlan)
    }
    this.#place = { ...this.#place, layers: LAYERS.filter((layer) => on.includes(layer)), vlan, colour }
    this.#focus()
    this.#dirty()
    this.#slowly(true)
  }

  #focus(): void {
    const { node, vlan, colour } = this.#place
    const measures = colour === 'latency' || colour === 'loss' || colour === 'load'
    this.#source.order({ kind: 'focus', focus: { node, vlan, measures } })
  }

  async #share(): Promise<void> {
    await this.#address()
    try {
      await navigator.clipboard.writeText(location.href)
      page.share.textContent = 'Copied'
    } catch {
      page.share.textContent = 'Copy it from the address bar'
    }
    setTimeout(() => {
      page.share.textContent = 'Copy address'
    }, 2_500)
  }

  async #export(what: string): Promise<void> {
    const [picture, about] = [this.#picture, this.#about]
    const scene = this.#scene()
    if (picture === undefined || about === undefined || scene === undefined)
      throw new Error('there is nothing to export yet; open a scenario first')
    const name = `${about.name}-${about.seed}-${picture.at.toFixed(3)}s`
    const title = `${about.name}, seed ${about.seed}, at ${clock(picture.at)}: ${summaryOf(picture, about)}`
    if (what === 'svg') save(`${name}.svg`, svgOf(scene, title), 'image/svg+xml')
    else if (what === 'png') save(`${name}.png`, await this.#stage.png(scene, PNG_SCALE), 'image/png')
    else if (what === 'csv') save(`${name}.csv`, csvOf(this.#history.samples), 'text/csv')
    else if (what === 'graphml') save(`${name}.graphml`, graphmlOf(picture, about), 'application/xml')
    else save(`${name}.dot`, dotOf(picture, about), 'text/vnd.graphviz')
  }

  // What the source tells.

  #hear(news: News): void {
    switch (news.kind) {
      case 'about':
        this.#began(news.about)
        break
      case 'picture':
        this.#picture = news.picture
        this.#history.add(news.happenings, news.samples)
        this.#layout?.show(news.picture)
        page.empty.hidden = true
        this.#isDrawn = false
        this.#dirty()
        break
      case 'detail':
        if (news.detail.node === this.#place.node)
          showDetail(page.detail, news.detail, (node) => this.#choose(node))
        break
      case 'playing':
        this.#playing = news.playing
        this.#showPlaying()
        break
      case 'ended':
        showResult(page.result, news.result, this.#recorded)
        break
      case 'failed':
        this.#closed()
        this.#fail(new Error(news.fault ? faultText(news.message) : news.message))
    }
  }

  #began(about: About): void {
    const isOther = this.#about?.name !== about.name || this.#about.nodes !== about.nodes
    this.#about = about
    this.#history = new History()
    this.#layout = new Layout(about.nodes, about.seed)
    page.result.hidden = true
    page.question.textContent = about.question
    document.title = `${about.name}, seed ${about.seed} – PeerTap`
    const { node, vlan } = this.#place
    this.#place = {
      ...this.#place,
      node: node < about.nodes ? node : -1,
      vlan: vlan < about.vlans.length ? vlan : -1,
    }
    const options = about.vlans.map(({ members, hasEpochs }, index) =>
      make(
        'option',
        { value: String(index) },
        `${index}: ${members.length} members${hasEpochs ? ', MLS' : ''}`,
      ),
    )
    page.vlan.replaceChildren(make('option', { value: '-1' }, 'none'), ...options)
    page.vlan.value = String(this.#place.vlan)
    if (isOther) this.#stage.reset()
    if (this.#place.node < 0) showDetail(page.detail, undefined, () => undefined)
  }

  /** There is no run any more, and nothing to do with one. */
  #closed(): void {
    this.#about = undefined
    this.#picture = undefined
    this.#layout = undefined
    page.empty.hidden = false
    page.question.textContent = ''
    page.legend.replaceChildren()
    page.vlan.replaceChildren()
    this.#stage.draw({ ground: PALETTES[this.#theme.now].ground, lines: [], dots: [], words: [] })
  }

  #showPlaying(): void {
    const { playing, at, seeking, done } = this.#playing
    const isOpen = this.#about !== undefined
    for (const each of [page.play, page.back, page.vlan]) each.disabled = !isOpen
    for (const each of page.export.querySelectorAll('button')) each.disabled = !isOpen
    page.play.textContent = playing || seeking !== undefined ? 'Pause' : done ? 'Play again' : 'Play'
    page.step.disabled = done || !isOpen
    page.clock.textContent = clock(at)
    page.busy.hidden = seeking === undefined || seeking >= 1
    if (seeking !== undefined) {
      ;(page.busy.firstElementChild as HTMLElement).textContent = `Going on to the moment, at ${clock(at)}`
      ;(page.busy.lastElementChild as HTMLProgressElement).value = seeking
    }
    page.summary.setAttribute('aria-live', playing ? 'off' : 'polite')
    if (!playing && seeking === undefined) this.#slowly(true)
  }

  // What is seen.

  #scene(): Scene | undefined {
    if (this.#picture === undefined || this.#about === undefined || this.#layout === undefined)
      return undefined
    return sceneOf(this.#picture, this.#layout.nodes, this.#about, this.#place, this.#theme.now)
  }

  #dirty(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    this.#frame = 0
    const isMoving = this.#layout?.step(LAYOUT_MILLIS) ?? false
    const scene = this.#scene()
    if (scene !== undefined) this.#stage.draw(scene)
    if (!this.#isDrawn) {
      this.#isDrawn = true
      this.#source.order({ kind: 'drawn' })
    }
    this.#slowly(false)
    if (isMoving) this.#dirty()
  }

  /** What costs more than a frame can give, now and then. */
  #slowly(now: boolean): void {
    clearTimeout(this.#slowTimer)
    const wait = this.#slowAt + SLOW_MILLIS - performance.now()
    if (!now && wait > 0) {
      this.#slowTimer = setTimeout(() => this.#slowly(true), wait)
      return
    }
    this.#slowAt = performance.now()
    const [picture, about] = [this.#picture, this.#about]
    if (picture === undefined || about === undefined) return
    const theme = this.#theme.now
    page.clock.textContent = clock(picture.at)
    page.digest.textContent = picture.digest
    page.digest.dataset['at'] = String(picture.at)
    this.#timeline.draw(about, this.#history, picture.at, theme)
    showLegend(page.legend, picture, about, this.#place, theme)
    const summary = summaryOf(picture, about)
    page.summary.textContent = summary
    page.mesh.setAttribute('aria-label', `The mesh at ${clock(picture.at)}`)
    const list = page.happenings.querySelector('ol') as HTMLElement
    if (page.happenings.open && !list.contains(document.activeElement))
      showHappenings(list, this.#history, ({ at, node }) => {
        if (node >= 0) this.#choose(node)
        this.#seek(at)
      })
    const rows = page.nodes.querySelector('.scroll') as HTMLElement
    if (page.nodes.open && !rows.contains(document.activeElement))
      showNodes(rows, picture, about, (node) => this.#choose(node))
    void this.#address()
  }

  /** The address says what is seen. */
  async #address(): Promise<void> {
    const at = this.#picture?.at ?? 0
    const hash = await writePlace({ ...this.#place, at })
    if (hash === this.#hash) return
    this.#hash = hash
    history.replaceState(null, '', `#${hash}`)
  }

  // What is wrong.

  #fail(error: unknown): void {
    this.#say(error instanceof Error ? error.message : String(error))
    this.#playing = { ...this.#playing, playing: false, seeking: undefined }
    this.#showPlaying()
  }

  #say(text: string): void {
    ;(page.notice.querySelector('pre') as HTMLElement).textContent = text
    page.notice.hidden = false
  }

  #hush(): void {
    page.notice.hidden = true
  }
}

function faultText(message: string): string {
  return `This is a fault of PeerTap itself: ${message}\nPlease report it with the address of this page.`
}

function baseOf(name: string): string {
  return name.split('/').at(-1) as string
}
