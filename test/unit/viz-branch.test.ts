/** Branches of a run, and what is found of where two runs part. */
import { describe, expect, it } from 'vitest'
import type { Change } from '../../viz/model/change.ts'
import { differencesOf, FirstDifference } from '../../viz/model/difference.ts'
import { Player } from '../../viz/source/player.ts'
import { type News, NODE, type Picture } from '../../viz/source/source.ts'

/** The last fault is over at 12 s: whoever adds one later must not move what comes after that one. */
const TEXT = JSON.stringify({
  version: 1,
  name: 'small',
  question: 'Where do two futures part?',
  seconds: 60,
  warmupSeconds: 5,
  healSeconds: 20,
  nodes: { count: 12, joinSeconds: 1 },
  vlans: [{ count: 1, members: 6 }],
  traffic: [{ kind: 'unicast', perMemberPerSecond: 1 }],
  faults: [{ kind: 'partition', atSeconds: 10, who: { nodes: [7, 8, 9, 10, 11] }, healAfterSeconds: 15 }],
})

class Table {
  readonly news: News[] = []
  readonly #player = new Player(
    (news) => this.news.push(news),
    () => this.#now++,
  )
  #now = 0

  constructor(at?: number, change?: Change) {
    const branching = at === undefined || change === undefined ? {} : { branching: { at, change } }
    const opening = { text: TEXT, name: 'small.json', seed: 1, dither: true, data: {}, ...branching }
    this.#player.order({ kind: 'open', opening })
  }

  seek(at: number): Picture {
    this.#player.order({ kind: 'seek', at })
    do this.#player.order({ kind: 'drawn' })
    while (this.#player.work() !== undefined)
    const news = this.news.findLast((each) => each.kind === 'picture')
    if (news?.kind !== 'picture') throw new Error(`no picture came: ${JSON.stringify(this.news.at(-1))}`)
    return news.picture
  }

  trace(): void {
    this.#player.order({ kind: 'trace', on: true })
  }

  get effects(): string[] {
    return this.news.flatMap((each) => (each.kind === 'effects' ? each.lines : []))
  }
}

function isUp({ states }: Picture, node: number): boolean {
  return ((states[node] as number) & NODE.up) !== 0
}

describe('a branch', { timeout: 120_000 }, () => {
  const cases: readonly (readonly [number, Change])[] = [
    [30.25, { kind: 'kill', node: 3 }],
    [15.5, { kind: 'heal' }],
    [36, { kind: 'apart', node: 0 }],
    [33, { kind: 'loss', share: 0.3 }],
  ]
  for (const [at, change] of cases) {
    it(`has the past of its run, and another future: ${change.kind}`, () => {
      const [run, branch] = [new Table(), new Table(at, change)]
      const past = run.seek(at)
      expect(branch.seek(at)).toEqual(past)
      const [one, other] = [run.seek(at + 6), branch.seek(at + 6)]
      expect(other.digest).not.toBe(one.digest)
      // Back and there again it is the same branch, in whatever steps it gets there.
      branch.seek(at - 1)
      branch.seek(at + 3)
      expect(branch.seek(at + 6).digest).toBe(other.digest)
    })
  }

  it('changes what it says', () => {
    expect(isUp(new Table(30, { kind: 'kill', node: 3 }).seek(31), 3)).toBe(false)
    expect(isUp(new Table().seek(31), 3)).toBe(true)
    expect(new Table().seek(16).sides.some((side) => side > 0)).toBe(true)
    expect(new Table(15.5, { kind: 'heal' }).seek(16).sides.some((side) => side > 0)).toBe(false)
    const { links, root, uppers } = new Table().seek(30)
    const below = uppers.findIndex((upper) => upper >= 0)
    const apart = new Table(30, { kind: 'apart', node: below }).seek(30.5)
    expect(apart.sides[below]).not.toBe(apart.sides[root])
    const [a, b] = [links[0] as number, links[1] as number]
    const broken = new Table(30, { kind: 'link', a, b }).seek(30.3)
    expect(differencesOf(new Table().seek(30.3), broken).onlyFirst).toContainEqual([a, b])
  })

  it('that changes nothing there is goes on as its run does', () => {
    const digest = new Table().seek(34).digest
    for (const change of [
      { kind: 'kill', node: 999 },
      { kind: 'link', a: 3, b: 999 },
      { kind: 'heal' },
    ] as const)
      expect(new Table(30, change).seek(34).digest).toBe(digest)
  })

  it('tells effects from which the first that differs is found', () => {
    const at = 30
    const [run, branch] = [new Table(), new Table(at, { kind: 'kill', node: 3 })]
    const difference = new FirstDifference()
    for (const [which, table] of [run, branch].entries()) {
      table.seek(at)
      table.trace()
      table.seek(at + 5)
      expect(table.effects.length).toBeGreaterThan(10)
      difference.add(which as 0 | 1, table.effects)
    }
    difference.settle()
    const { found } = difference
    expect(found?.at).toBeGreaterThanOrEqual(at)
    expect(found?.at).toBeLessThan(at + 5)
    expect(found?.lines[0]).not.toBe(found?.lines[1])
    expect(run.effects.indexOf(found?.lines[0] ?? '')).toBe(branch.effects.indexOf(found?.lines[1] ?? ''))
  })
})

describe('the first difference', () => {
  const line = (at: number, node: number): string => `${at.toFixed(6)} s node ${node} deliver`

  it('is found however the effects come', () => {
    const difference = new FirstDifference()
    difference.add(0, [line(1, 1), line(2, 2)])
    difference.add(1, [line(1, 1)])
    expect(difference.found).toBeUndefined()
    difference.add(1, [line(2, 2), line(3, 3)])
    difference.add(0, [line(4, 4)])
    expect(difference.found).toEqual({ at: 3, lines: [line(4, 4), line(3, 3)] })
  })

  it('can be that one run does something and the other nothing', () => {
    const difference = new FirstDifference()
    difference.add(0, [line(1, 1), line(2, 2)])
    difference.add(1, [line(1, 1)])
    difference.settle()
    expect(difference.found).toEqual({ at: 2, lines: [line(2, 2), undefined] })
  })

  it('is none where nothing differs', () => {
    const difference = new FirstDifference()
    for (const which of [0, 1] as const) difference.add(which, [line(1, 1)])
    difference.settle()
    expect(difference.found).toBeUndefined()
  })
})
