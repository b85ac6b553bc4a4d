/** The player between a page and a recording, driven by a clock of the test's own. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { RecordingBytes } from '../../sim/index.ts'
import { Player } from '../../viz/source/player.ts'
import { Replay } from '../../viz/source/replay.ts'
import type { News, Picture } from '../../viz/source/source.ts'
import { MemoryFile, record, SMALL } from '../support/recordings.ts'

const MARK = 5

class Table {
  readonly news: News[] = []
  now = 0
  #woken: () => void = () => undefined
  readonly replay = new Replay(
    (news) => this.news.push(news),
    () => this.now,
    () => this.#woken(),
  )

  /** Works, drawing every picture, until there is nothing to do or `millis` are over. */
  async work(millis = Number.POSITIVE_INFINITY): Promise<void> {
    const until = this.now + millis
    while (this.now < until) {
      this.replay.order({ kind: 'drawn' })
      const woken = new Promise<true>((resolve) => {
        this.#woken = () => resolve(true)
      })
      const wait = this.replay.work()
      if (wait === undefined) {
        const isIdle = new Promise<false>((resolve) => setTimeout(resolve, 20, false))
        if (!(await Promise.race([woken, isIdle]))) return
      }
      this.now += Math.max(1, wait ?? 0)
    }
  }

  async open(file: RecordingBytes, name = 'small.ptrec'): Promise<void> {
    await this.replay.open(file, name)
    await this.work()
  }

  async seek(at: number): Promise<Picture> {
    this.replay.order({ kind: 'seek', at })
    await this.work()
    return this.picture
  }

  of<Kind extends News['kind']>(kind: Kind): Extract<News, { kind: Kind }>[] {
    return this.news.filter((news): news is Extract<News, { kind: Kind }> => news.kind === kind)
  }

  get picture(): Picture {
    const news = this.of('picture').at(-1)
    if (news === undefined) throw new Error(`no picture came: ${JSON.stringify(this.news.at(-1))}`)
    return news.picture
  }
}

/** What the simulator in its place shows at whole seconds. */
function simulated(moments: readonly number[]): { pictures: Picture[]; news: News[] } {
  const news: News[] = []
  const player = new Player(
    (each) => news.push(each),
    () => 0,
  )
  const opening = { text: JSON.stringify(SMALL), name: 'small.json', seed: 1, dither: true, data: {} }
  player.order({ kind: 'open', opening })
  player.order({ kind: 'focus', focus: { node: MARK, vlan: 0, measures: true } })
  const pictures = moments.map((at) => {
    player.order({ kind: 'seek', at })
    do player.order({ kind: 'drawn' })
    while (player.work() !== undefined)
    const last = news.findLast((each) => each.kind === 'picture')
    if (last?.kind !== 'picture') throw new Error('no picture came')
    return last.picture
  })
  return { pictures, news }
}

describe('a replay', () => {
  let file: MemoryFile
  beforeAll(() => {
    ;({ file } = record(SMALL, 1, [MARK]))
  }, 120_000)

  it('says of the run what the simulator says, and shows the same', async () => {
    const moments = [1, 3, 10, 24, 28, 30, 44]
    const there = simulated(moments)
    const table = new Table()
    await table.open(file)
    table.replay.order({ kind: 'focus', focus: { node: MARK, vlan: 0, measures: true } })
    for (const [index, at] of moments.entries()) {
      const { measures, ...picture } = await table.seek(at)
      const { measures: _, ...other } = there.pictures[index] as Picture
      expect({ ...picture, leap: false }).toEqual({ ...other, leap: false })
      if (at >= 10) expect(measures?.latency.some((millis) => millis > 0)).toBe(true)
      const detail = table.of('detail').at(-1)?.detail
      const others = there.news.filter((each) => each.kind === 'detail' && each.detail.at === at)
      expect(detail).toEqual(JSON.parse(JSON.stringify((others.at(-1) as { detail: object }).detail)))
    }
    const about = there.news.find((each) => each.kind === 'about')
    expect(table.of('about')[0]).toEqual(about)
    const samples = (news: readonly News[]) =>
      news.flatMap((each) => (each.kind === 'picture' ? each.samples : []))
    expect(samples(table.news)).toEqual(samples(there.news))
  }, 120_000)

  it('is at a moment what it is when it plays there', async () => {
    const played = new Table()
    await played.open(file)
    played.replay.order({ kind: 'play', speed: 5 })
    await played.work(4_321)
    played.replay.order({ kind: 'pause' })
    await played.work()
    const { at } = played.picture
    expect(at).toBeGreaterThan(15)
    const leapt = new Table()
    await leapt.open(file)
    await leapt.seek(40)
    expect({ ...(await leapt.seek(at)), leap: false }).toEqual({ ...played.picture, leap: false })
    const happenings = played.of('picture').flatMap((each) => each.happenings)
    const since = leapt.news.slice(leapt.news.findLastIndex(({ kind }) => kind === 'about'))
    expect(since.flatMap((each) => (each.kind === 'picture' ? each.happenings : []))).toEqual(happenings)
  })

  it('ends as the run did, and begins again', async () => {
    const table = new Table()
    await table.open(file)
    table.replay.order({ kind: 'play', speed: null })
    await table.work()
    const { result } = table.of('ended')[0] ?? {}
    expect(result?.digest).toBe(table.picture.digest)
    expect(table.of('playing').at(-1)?.playing).toMatchObject({ playing: false, done: true })
    expect((await table.seek(0)).at).toBe(0)
    expect(table.picture.leap).toBe(true)
    expect(table.of('playing').at(-1)?.playing).toMatchObject({ at: 0, done: false, seeking: undefined })
  })

  it('says whose tables it has', async () => {
    const table = new Table()
    await table.open(file)
    for (const [node, isRecorded] of [
      [MARK, undefined],
      [MARK + 1, false],
    ] as const) {
      table.replay.order({ kind: 'focus', focus: { node, vlan: -1, measures: false } })
      await table.seek(12)
      const detail = table.of('detail').at(-1)?.detail
      expect([detail?.node, detail?.isRecorded, detail?.view === undefined]).toEqual([
        node,
        isRecorded,
        isRecorded === false,
      ])
    }
    expect(table.of('recorded')[0]?.recorded).toMatchObject({ marks: [MARK], seed: 1, version: 'here' })
  })

  it('asks for a block at once', async () => {
    const table = new Table()
    await table.open(file)
    for (const at of [33.3, 14.9, 44]) {
      const before = file.pieces
      await table.seek(at)
      expect(file.pieces - before).toBeLessThanOrEqual(1)
    }
  })

  it('says what is wrong with a file, and where', async () => {
    const table = new Table()
    await table.open(new MemoryFile(new TextEncoder().encode('{"question": "?"}')), 'x.ptrec')
    expect(table.of('failed')[0]).toMatchObject({ fault: false })
    expect(table.of('failed')[0]?.message).toMatch(
      /^x\.ptrec: byte 0: the file begins with 7b22.*choose another/,
    )
    await table.open(new MemoryFile(file.bytes.subarray(0, file.size / 2)), 'cut.ptrec')
    expect(table.of('recorded')[0]?.recorded.cutOff).toMatch(
      /cut off before its index; it is whole up to byte/,
    )
    const end = table.of('about').at(-1)?.about.endsAt
    expect((await table.seek(1_000)).at).toBe(end)
    expect(table.of('ended')).toEqual([])
  })
})
