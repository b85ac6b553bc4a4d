/**
 * The application: what somebody does becomes orders to a run, what the run tells becomes what is seen.
 * It knows where runs come from no more than the runs' interface says.
 */

import type { Duet } from './duet.ts'
import { exportRun } from './export/exports.ts'
import {
  type Asked,
  type AskedRecording,
  askedOf,
  dataOf,
  isRecordingFile,
  type Recorded,
  textOf,
} from './files.ts'
import { keysOf, listKeys } from './keys.ts'
import { DEFAULT_LAYERS, EDITED, type Place, readPlace } from './model/address.ts'

import type { Second } from './model/second.ts'
import { titleOf } from './model/text.ts'

import { nodeFrom, type Step } from './model/walk.ts'
import { Openings } from './opening.ts'
import { PALETTES } from './paint/palette.ts'
import { listenToAsking } from './parts/asking.ts'
import { BesideRun } from './parts/beside.ts'
import { chosenSpeed, showPlaying } from './parts/controls.ts'
import { showDetail } from './parts/detail.ts'
import { listenToDrops } from './parts/drops.ts'
import { editText, listenToEditor } from './parts/editor.ts'
import { element, make } from './parts/elements.ts'
import { readLooks, showLooks, showVlans, toggleLayer } from './parts/looks.ts'
import { faultText, hush, listenToNotice, say } from './parts/notice.ts'
import { page } from './parts/page.ts'
import { showReport } from './parts/report.ts'
import { Sharing } from './parts/sharing.ts'
import { Stage } from './parts/stage.ts'
import { showResult } from './parts/tables.ts'
import { Timeline } from './parts/timeline.ts'
import { takeToken } from './parts/token.ts'
import { showUnrecorded } from './parts/unrecorded.ts'
import { KNOWN } from './scenarios.ts'
import { Shown } from './shown.ts'
import { nodesOf } from './source/node-api.ts'
import type { About, Detail, Happening, News, Order, RecordedRun } from './source/source.ts'
import { Theme } from './theme.ts'

/** The layout may have so much of a frame. */
const LAYOUT_MILLIS = 9
/** Curves, tables and the address change no faster while it plays. */
const SLOW_MILLIS = 300
const FIRST_SCENARIO = 'steady-16'

export class App {
  readonly #version = document.querySelector<HTMLMetaElement>('meta[name="peertap-version"]')?.content ?? ''
  readonly #theme = new Theme(element('theme', HTMLSelectElement), () => this.#dirty())
  readonly #stage = new Stage(
    page.mesh,
    (node) => this.#choose(node),
    () => this.#dirty(),
  )
  readonly #timeline = new Timeline(element('timeline', HTMLDivElement), (at) => this.#driven.seek(at))
  readonly #run = new Shown((news) => this.#hear(news))
  readonly #beside = new BesideRun(this.#run, {
    choose: (node) => this.#choose(node),
    redraw: () => this.#dirty(),
    played: () => this.#showPlaying(),
    failed: (message) => {
      this.#closeSecond()
      this.#fail(new Error(`The second run: ${message}`))
    },
    close: () => this.#closeSecond(),
  })
  readonly #sharing = new Sharing(
    () => this.#seen,
    () => void this.#go(),
  )
  readonly #openings = new Openings()
  #place: Place = {
    scenario: FIRST_SCENARIO,
    edited: undefined,
    seed: 1,
    dither: true,
    isRecorded: false,
    at: 0,
    layers: DEFAULT_LAYERS,
    colour: 'role',
    vlan: -1,
    node: -1,
    second: undefined,
    version: this.#version,
  }
  /** Of the run that is open, if it was kept. */
  #recorded: Recorded | undefined
  /** Of the run that is open, if a recording of it is. */
  #recording: RecordedRun | undefined
  /** Of the run before. */
  #shape: Pick<About, 'name' | 'nodes'> | undefined
  #frame = 0
  #slowAt = 0
  #slowTimer: ReturnType<typeof setTimeout> | undefined

  async start(): Promise<void> {
    element('version', HTMLElement).textContent = this.#version
    page.scenario.replaceChildren(...KNOWN.map(({ name }) => make('option', { value: name }, name)))
    listKeys()
    this.#listen()
    this.#showPlaying()
    showDetail(page.detail, undefined, () => undefined)
    await this.#go()
  }

  /** What is seen now. */
  get #seen(): Place {
    return { ...this.#place, at: this.#run.picture?.at ?? 0 }
  }

  /** Opens what the address says, or else what the server was asked to show, or else the first scenario. */
  async #go(): Promise<void> {
    try {
      const token = takeToken()
      const place = await readPlace(location.hash)
      const asked = place?.isRecorded === false ? undefined : await askedOf()
      if (place !== undefined) {
        this.#place = { ...place, version: this.#version }
        if (asked !== undefined && asked !== 'live' && 'recording' in asked) {
          this.#openRecording(asked, place.at)
          return
        }
        this.#place = { ...this.#place, isRecorded: false }
        if (place.version !== '' && place.version !== this.#version) {
          say(
            `This address was made by PeerTap ${place.version}, and this page is ` +
              `${this.#version}. The same scenario and seed may go another way here.`,
          )
        }
        await this.#open(place.at)
        return
      }
      if (asked === 'live') await this.#watch(token)
      else if (asked !== undefined) await this.#take(asked)
      else {
        await this.#open(0)
        this.#play()
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  async #take(asked: Asked | AskedRecording): Promise<void> {
    if ('recording' in asked) {
      this.#openRecording(asked)
      return
    }
    const { text, seed, dither, data, recorded } = asked
    for (const each of data) this.#openings.keep(each, await dataOf(each))
    this.#place = { ...this.#place, ...scenarioOf(text), seed, dither }
    await this.#open(0, recorded)
    this.#play()
  }

  /** Running nodes, which the page goes on to show as they are. */
  async #watch(token: string | undefined): Promise<void> {
    if (token === undefined)
      throw new Error('a token is needed: open the address that "peertap view --node" says')
    this.#run.open({ kind: 'live', watched: { token, nodes: await nodesOf(token) } })
    this.#focus()
    this.#play()
  }

  /** Opens what `#place` says and goes to that moment. */
  async #open(at: number, recorded?: Recorded): Promise<void> {
    this.#recorded = recorded
    this.#recording = undefined
    this.#beside.close()
    this.#showForm()
    page.result.hidden = true
    this.#run.open({ kind: 'simulation', opening: await this.#openings.of(this.#place) })
    this.#focus()
    if (this.#place.second !== undefined) await this.#openSecond(this.#place.second, at)
    else if (at > 0) this.#run.order({ kind: 'seek', at })
  }

  /** Of a recording its run is made again first, which is what can be changed. */
  async #goOnBeside(second: Second, at: number): Promise<void> {
    if (this.#run.about?.live !== undefined)
      throw new Error('Only simulated runs can be changed and compared; these nodes run.')
    if (this.#recording === undefined) {
      await this.#openSecond(second, at)
      return
    }
    this.#place = { ...this.#place, isRecorded: false, second }
    await this.#open(at)
  }

  /** Beside the first run, both of them at that moment. */
  async #openSecond(second: Second, at: number): Promise<void> {
    this.#place = { ...this.#place, second }
    const { dither } = this.#place
    const opening = await this.#openings.of(second.kind === 'branch' ? this.#place : { ...second, dither })
    this.#beside.open(second, opening, at, this.#focused)
  }

  #closeSecond(): void {
    this.#beside.close()
    this.#place = { ...this.#place, second: undefined }
    this.#looked()
  }

  /** What heeds whoever plays and seeks: the run, or the two in step. */
  get #driven(): Shown | Duet {
    return this.#beside.duet ?? this.#run
  }

  /** `at`: where to stay; without it, it plays from its beginning. */
  #openRecording(
    { name, recording }: { readonly name: string; readonly recording: Blob | string },
    at?: number,
  ): void {
    this.#recorded = undefined
    this.#recording = undefined
    this.#beside.close()
    this.#place = { ...this.#place, second: undefined }
    page.result.hidden = true
    this.#run.open({ kind: 'recording', name, from: recording })
    this.#focus()
    if (at === undefined) this.#play()
    else this.#run.order({ kind: 'seek', at })
  }

  #showForm(): void {
    const { scenario, edited, seed } = this.#place
    const old = page.scenario.querySelector(`option[value="${EDITED}"]`)
    if (edited !== undefined && old === null)
      page.scenario.prepend(make('option', { value: EDITED }, 'edited scenario'))
    page.scenario.value = scenario
    page.seed.value = String(seed)
    showLooks(this.#place)
  }

  // What somebody does.

  #listen(): void {
    page.run.addEventListener('submit', (event) => {
      event.preventDefault()
      const { value } = page.scenario
      this.#begin(value, value === EDITED ? this.#place.edited : undefined)
    })
    page.play.addEventListener('click', () => this.#toggle())
    page.back.addEventListener('click', () => this.#driven.seek(0))
    page.step.addEventListener('click', () => this.#stepOn())
    page.speed.addEventListener('change', () => {
      if (this.#driven.playing.playing) this.#play()
    })
    page.looks.addEventListener('change', () => this.#look())
    listenToNotice()
    listenToEditor()
    element('edit', HTMLButtonElement).addEventListener('click', () =>
      editText(this.#text(), (text) => this.#begin(EDITED, text)),
    )
    listenToAsking({
      now: () => ({
        at: this.#seen.at,
        node: this.#place.node,
        upper: this.#run.picture?.uppers[this.#place.node] ?? -1,
        nodes: this.#run.about?.nodes ?? 0,
      }),
      scenario: () => ({ name: this.#place.scenario, text: this.#text(), seed: this.#place.seed }),
      open: (second) => void this.#goOnBeside(second, this.#seen.at).catch((error) => this.#fail(error)),
    })
    for (const button of page.export.querySelectorAll<HTMLButtonElement>('[data-export]'))
      button.addEventListener('click', () => {
        page.export.open = false
        const scene = this.#run.scene(this.#place, this.#theme.now)
        void exportRun(button.dataset['export'] ?? '', this.#run, scene, this.#stage).catch((error) =>
          this.#fail(error),
        )
      })
    page.nodes.addEventListener('toggle', () => this.#slowly(true))
    this.#listenToKeys()
    listenToDrops((files) => void this.#dropped(files).catch((error) => this.#fail(error)))
  }

  #listenToKeys(): void {
    keysOf(page.mesh, {
      toggle: () => this.#toggle(),
      step: () => this.#stepOn(),
      start: () => this.#driven.seek(0),
      choose: (to) => this.#walk(to),
      clear: () => this.#choose(-1),
      read: () => page.detail.focus(),
      zoom: (factor) => (factor === 0 ? this.#stage.reset() : this.#stage.zoomBy(factor)),
      layer: toggleLayer,
      vlan: () => {
        page.vlan.selectedIndex = (page.vlan.selectedIndex + 1) % page.vlan.options.length
        this.#look()
      },
    })
  }

  /** A recording or a scenario is opened; all else is data, and what waited for it is tried again. */
  async #dropped(files: readonly File[]): Promise<void> {
    let scenario: string | undefined
    for (const file of files) {
      if (await isRecordingFile(file)) {
        hush()
        this.#place = { ...this.#place, node: -1, vlan: -1 }
        this.#openRecording({ name: file.name, recording: file })
        return
      }
      const { name, text } = await textOf(file)
      if (name.endsWith('.json') && /"question"\s*:/.test(text)) scenario = text
      else this.#openings.keep(name, text)
    }
    if (scenario !== undefined) this.#begin(EDITED, scenario)
    else if (files.length > 0) {
      hush()
      await this.#open(0)
      this.#play()
    }
  }

  /** Of the scenario that is chosen, to edit it. */
  #text(): string {
    const { scenario, edited } = this.#place
    const chosen = page.scenario.value
    const text = chosen === EDITED || chosen === scenario ? edited : undefined
    return text ?? KNOWN.find(({ name }) => name === chosen)?.text ?? ''
  }

  /** Another run, from its beginning. */
  #begin(scenario: string, edited: string | undefined): void {
    const seed = page.seed.valueAsNumber
    this.#place = {
      ...this.#place,
      scenario,
      edited,
      seed,
      isRecorded: false,
      node: -1,
      vlan: -1,
      second: undefined,
    }
    hush()
    void this.#open(0).then(
      () => this.#play(),
      (error) => this.#fail(error),
    )
  }

  #toggle(): void {
    const { playing, seeking, done } = this.#driven.playing
    if (playing || seeking !== undefined) this.#driven.pause()
    else {
      if (done) this.#driven.seek(0)
      this.#play()
    }
  }

  #play(): void {
    this.#driven.play(chosenSpeed())
  }

  #stepOn(): void {
    this.#driven.seek(this.#driven.playing.at + Number(page.stepSize.value))
  }

  #choose(node: number): void {
    this.#place = { ...this.#place, node }
    if (node < 0) showDetail(page.detail, undefined, () => undefined)
    this.#looked()
  }

  /** To another node from the chosen one. */
  #walk(to: Step): void {
    const { picture } = this.#run
    const found = picture === undefined ? undefined : nodeFrom(picture, this.#place.node, to)
    if (found !== undefined) this.#choose(found)
  }

  #look(): void {
    this.#place = { ...this.#place, ...readLooks(this.#run.about) }
    this.#looked()
  }

  #looked(): void {
    this.#focus()
    this.#dirty()
    this.#slowly(true)
  }

  #focus(): void {
    this.#run.order(this.#focused)
    this.#beside.duet?.second.order(this.#focused)
  }

  get #focused(): Order {
    const { node, vlan, colour } = this.#place
    const measures = colour === 'latency' || colour === 'loss' || colour === 'load'
    return { kind: 'focus', focus: { node, vlan, measures } }
  }

  // What the run tells.

  #hear(news: News): void {
    this.#beside.heardFirst(news)
    switch (news.kind) {
      case 'about':
        this.#began(news.about)
        break
      case 'picture':
        page.empty.hidden = true
        this.#dirty()
        break
      case 'detail':
        if (news.detail.node === this.#place.node) this.#showDetail(news.detail)
        break
      case 'recorded':
        this.#toRecording(news.recorded)
        break
      case 'playing':
        this.#showPlaying()
        break
      case 'ended':
        showResult(page.result, news.result, this.#recorded)
        break
      case 'effects':
        break
      case 'failed':
        this.#closed()
        this.#fail(new Error(news.fault ? faultText(news.message) : news.message))
    }
  }

  #showDetail(detail: Detail): void {
    if (detail.isRecorded !== false || this.#recording === undefined) {
      showDetail(page.detail, detail, (node) => this.#choose(node))
      return
    }
    showUnrecorded(page.detail, detail.node, this.#recording, this.#version, {
      close: () => this.#choose(-1),
      rerun: () => {
        this.#place = { ...this.#place, isRecorded: false }
        void this.#open(detail.at).catch((error) => this.#fail(error))
      },
    })
  }

  /** What is shown is a recording of that run. */
  #toRecording(recorded: RecordedRun): void {
    const { scenario, seed, dither, cutOff } = recorded
    this.#recording = recorded
    this.#place = { ...this.#place, ...scenarioOf(scenario), seed, dither, isRecorded: true }
    this.#showForm()
    if (cutOff !== undefined) say(`The recording ends before the run did: ${cutOff}.`)
  }

  #began(about: About): void {
    const isSame = this.#shape?.name === about.name
    const isOther = !isSame || (about.live === undefined && this.#shape?.nodes !== about.nodes)
    this.#shape = about
    page.result.hidden = true
    page.question.replaceChildren(about.question, ...(about.live === undefined ? [] : operatorLink()))
    document.title = `${titleOf(about)} – PeerTap`
    // What is seen of running nodes cannot be opened again by its address.
    page.share.hidden = about.live !== undefined
    const { node, vlan } = this.#place
    this.#place = {
      ...this.#place,
      node: node < about.nodes ? node : -1,
      vlan: vlan < about.vlans.length ? vlan : -1,
    }
    showVlans(about, this.#place.vlan)
    if (isOther) this.#stage.reset()
    if (this.#place.node < 0) showDetail(page.detail, undefined, () => undefined)
  }

  /** There is no run any more, and nothing to do with one. */
  #closed(): void {
    this.#shape = undefined
    this.#beside.close()
    page.empty.hidden = false
    page.question.textContent = ''
    page.legend.replaceChildren()
    page.vlan.replaceChildren()
    const { ground } = PALETTES[this.#theme.now]
    this.#stage.draw({ ground, back: [], lines: [], dots: [], words: [], showsDown: false })
  }

  #showPlaying(): void {
    const { playing } = this.#driven
    showPlaying(playing, this.#run.about !== undefined)
    if (!playing.playing && playing.seeking === undefined) this.#slowly(true)
  }

  // What is seen.

  #dirty(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    this.#frame = 0
    const theme = this.#theme.now
    const isMoving = [this.#run.layOut(LAYOUT_MILLIS), this.#beside.layOut(LAYOUT_MILLIS)].includes(true)
    const scene = this.#run.scene(this.#place, theme)
    if (scene !== undefined) this.#stage.draw(this.#beside.draw(scene, this.#place, theme))
    this.#run.drawn()
    this.#beside.duet?.drawn()
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
    if (this.#run.picture === undefined) return
    const reader = {
      choose: (node: number) => this.#choose(node),
      seek: ({ at, node }: Happening) => {
        if (node >= 0) this.#choose(node)
        this.#driven.seek(at)
      },
    }
    const beside = this.#beside.say()
    showReport(this.#run, this.#timeline, this.#place, this.#theme.now, reader, beside)
    if (this.#run.about?.live === undefined) void this.#sharing.write(this.#seen)
  }

  // What is wrong.

  #fail(error: unknown): void {
    say(error instanceof Error ? error.message : String(error))
    this.#run.halt()
    this.#showPlaying()
  }
}

/** To the page by which the same nodes are run. */
function operatorLink(): readonly (Node | string)[] {
  return [' ', make('a', { href: './operator/' }, 'Run them')]
}

/** A scenario that comes with PeerTap by its name; any other one as a file. */
function scenarioOf(text: string): Pick<Place, 'scenario' | 'edited'> {
  const known = KNOWN.find((each) => each.text === text)
  return known === undefined
    ? { scenario: EDITED, edited: text }
    : { scenario: known.name, edited: undefined }
}
