/** The player between a page and a run, driven by a clock of the test's own. */
import { describe, expect, it } from 'vitest'
import { Run, readScenario } from '../../sim/index.ts'
import { dotOf, graphmlOf } from '../../viz/export/graphs.ts'
import { Layout } from '../../viz/model/layout.ts'
import { Player } from '../../viz/source/player.ts'
import { type About, type Happening, type News, NODE, type Picture } from '../../viz/source/source.ts'
import { SMALL } from '../support/recordings.ts'

const TEXT = JSON.stringify(SMALL)

class Table {
  readonly news: News[] = []
  now = 0
  readonly player = new Player(
    (news) => this.news.push(news),
    () => this.now,
  )

  open(text = TEXT, seed = 1): void {
    this.player.order({ kind: 'open', opening: { text, name: 'small.json', seed, dither: true, data: {} } })
  }

  /** Works, drawing every picture, until there is nothing to do or `millis` are over. */
  work(millis = Number.POSITIVE_INFINITY): void {
    const until = this.now + millis
    let wait: number | undefined
    do {
      this.player.order({ kind: 'drawn' })
      wait = this.player.work()
      this.now += Math.max(1, wait ?? 0)
    } while (wait !== undefined && this.now < until)
  }

  seek(at: number): void {
    this.player.order({ kind: 'seek', at })
    this.work()
  }

  get picture(): Picture {
    const news = this.news.findLast((each) => each.kind === 'picture')
    if (news?.kind !== 'picture') throw new Error(`no picture came: ${JSON.stringify(this.news.at(-1))}`)
    return news.picture
  }

  get about(): About {
    const news = this.news.findLast((each) => each.kind === 'about')
    if (news?.kind !== 'about') throw new Error('nothing was opened')
    return news.about
  }

  get happenings(): Happening[] {
    return this.news.flatMap((each) => (each.kind === 'picture' ? each.happenings : []))
  }
}

function digestOf(at: number, seed = 1): string {
  const scenario = readScenario(TEXT, 'small.json', [])
  const data = { text: () => '' }
  const run = new Run(scenario, { seed, data })
  run.step(at)
  return run.digest
}

describe('a player', () => {
  it('leads to the digest of a run that nobody watches, whatever it is looked at by', () => {
    const table = new Table()
    table.open()
    table.player.order({ kind: 'focus', focus: { node: 3, vlan: 0, measures: true } })
    table.seek(31.25)
    expect(table.picture.at).toBe(31.25)
    expect(table.picture.digest).toBe(digestOf(31.25))
    const detail = table.news.findLast((each) => each.kind === 'detail')
    expect(detail?.kind === 'detail' && detail.detail.view?.links.length).toBeGreaterThan(0)
    expect(table.picture.measures?.latency.some((millis) => millis > 0)).toBe(true)
    expect(table.picture.measures?.carrying.length).toBeGreaterThan(0)
    expect(table.picture.epochs.filter((epoch) => epoch >= 0).length).toBeGreaterThan(1)
  })

  it('goes back by a run from the beginning', () => {
    const table = new Table()
    table.open()
    table.seek(30)
    table.seek(10)
    expect(table.picture.at).toBe(10)
    expect(table.picture.digest).toBe(digestOf(10))
    table.seek(1e9)
    expect(table.picture.digest).toBe(digestOf(1e9))
    expect(table.news.at(-1)?.kind).not.toBe('failed')
    expect(table.news.filter((each) => each.kind === 'ended')).toHaveLength(1)
  })

  it('plays as fast as it is told, and stands still when paused', () => {
    const table = new Table()
    table.open()
    table.player.order({ kind: 'play', speed: 5 })
    table.work(2_000)
    expect(table.picture.at).toBeGreaterThan(9.5)
    expect(table.picture.at).toBeLessThanOrEqual(10.1)
    table.player.order({ kind: 'pause' })
    table.work()
    const { at } = table.picture
    table.now += 5_000
    table.work()
    expect(table.picture.at).toBe(at)
  })

  it('sends no second picture before the first is drawn', () => {
    const table = new Table()
    table.open()
    table.player.order({ kind: 'play', speed: 5 })
    for (let turn = 0; turn < 50; turn++) {
      table.player.work()
      table.now += 10
    }
    expect(table.news.filter((each) => each.kind === 'picture')).toHaveLength(1)
  })

  it('shows partitions, crashes and epochs as they happen', () => {
    const table = new Table()
    table.open()
    table.seek(22)
    expect([...table.picture.sides]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    expect(table.picture.cut).toContain(1)
    table.seek(29)
    expect(table.picture.states[4]).toBe(NODE.gone)
    expect(table.picture.cut).not.toContain(1)
    table.seek(36)
    expect((table.picture.states[4] as number) & NODE.up).toBe(NODE.up)
    const kinds = table.happenings.map(({ kind }) => kind)
    for (const kind of ['start', 'stop', 'root', 'cut', 'heal', 'epoch', 'fault'])
      expect(kinds).toContain(kind)
    const stop = table.happenings.find(({ kind }) => kind === 'stop')
    expect(stop).toMatchObject({ at: 28, node: 4 })
  })

  it('samples every second what the curves show', () => {
    const table = new Table()
    table.open()
    table.seek(40)
    const samples = table.news.flatMap((each) => (each.kind === 'picture' ? each.samples : []))
    expect(samples.map(({ at }) => at)).toEqual(Array.from({ length: 41 }, (_, second) => second))
    expect(samples.at(15)).toMatchObject({ alive: 12, attached: 1 })
    expect(samples.at(15)?.control).toBeGreaterThan(0)
    expect(samples.at(3)?.control).toBeUndefined()
  })

  it('says what is wrong with a scenario, and goes on with the next', () => {
    const table = new Table()
    table.open(TEXT.replace('"count":12', '"count":"many"'))
    expect(table.news.at(-1)).toMatchObject({ kind: 'failed', fault: false })
    expect(table.news.at(-1)).toMatchObject({ message: expect.stringContaining('nodes.count') })
    table.open(TEXT.replace('"nodes"', '"churn":{"kind":"trace","file":"a.avt","format":"avt"},"nodes"'))
    expect(table.news.at(-1)).toMatchObject({ message: expect.stringContaining('churn.file: a.avt') })
    table.open(TEXT.replace('"nodes"', '"mls":"tsmls","crypto":"real","nodes"'))
    expect(table.news.at(-1)).toMatchObject({ message: expect.stringContaining('"standin"') })
    table.open()
    table.work()
    expect(table.picture.at).toBe(0)
  })
})

describe('what is made from a picture', () => {
  const table = new Table()
  table.open()
  table.seek(15)
  const { picture, about } = table

  it('is a topology with every node and trunk', () => {
    const graphml = graphmlOf(picture, about)
    expect(graphml.match(/<node /g)).toHaveLength(12)
    expect(graphml.match(/<edge /g)).toHaveLength(picture.cut.length)
    expect(graphml.match(/directed="true"/g)).toHaveLength(11)
    expect(dotOf(picture, about).match(/->/g)).toHaveLength(picture.cut.length)
  })

  it('is laid out in one way for one seed', () => {
    const places = (seed: number): string => {
      const layout = new Layout(about.nodes, seed)
      layout.show(picture)
      let isMoving = true
      while (isMoving) isMoving = layout.step(1_000)
      return JSON.stringify(layout.nodes.map(({ x, y }) => [x, y]))
    }
    expect(places(1)).toBe(places(1))
    expect(places(1)).not.toContain('null')
  })
})
