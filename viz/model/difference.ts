/** In what two runs differ: links and nodes at one moment, and the first effect that is not the same. */
import { NODE, type Picture } from '../source/source.ts'

/** Of two pictures of one moment. Links are pairs as in `Picture.links`; nodes ascend. */
export interface Differences {
  readonly onlyFirst: readonly (readonly [number, number])[]
  readonly onlySecond: readonly (readonly [number, number])[]
  /** Up in one and down in the other, or with another node above them in the tree. */
  readonly nodes: readonly number[]
}

export function differencesOf(first: Picture, second: Picture): Differences {
  const here = pairsOf(first)
  const there = pairsOf(second)
  const count = Math.max(first.states.length, second.states.length)
  const nodes: number[] = []
  for (let node = 0; node < count; node++) {
    const isOther = isUp(first, node) !== isUp(second, node)
    if (isOther || (first.uppers[node] ?? -1) !== (second.uppers[node] ?? -1)) nodes.push(node)
  }
  const missing = (from: Map<number, [number, number]>, in_: Map<number, unknown>): [number, number][] =>
    [...from].filter(([pair]) => !in_.has(pair)).map(([, ends]) => ends)
  return { onlyFirst: missing(here, there), onlySecond: missing(there, here), nodes }
}

/** Both at once, so that one layout serves both: links of either, and whoever is up in either. */
export function unionOf(first: Picture, second: Picture): Picture {
  const links = [...new Map([...pairsOf(first), ...pairsOf(second)]).values()].flat()
  const states = first.states.map((state, node) => state | ((second.states[node] ?? 0) & NODE.up))
  return { ...first, states, links: Int32Array.from(links) }
}

/** More nodes than any picture has. */
const STRIDE = 67_108_864

function pairsOf({ links }: Picture): Map<number, [number, number]> {
  const pairs = new Map<number, [number, number]>()
  for (let place = 0; place < links.length; place += 2) {
    const [a, b] = [links[place] as number, links[place + 1] as number]
    pairs.set(a * STRIDE + b, [a, b])
  }
  return pairs
}

function isUp({ states }: Picture, node: number): boolean {
  return ((states[node] ?? 0) & NODE.up) !== 0
}

/** The first effect that is not the same, as both runs have it; undefined: that one has not come so far. */
export interface FirstEffect {
  /** In seconds, the earlier of the two. */
  readonly at: number
  readonly lines: readonly [string | undefined, string | undefined]
}

/** Lines of one run that may wait for those of the other; as many come in a second of 2,000 nodes. */
const WAITING_MAX = 400_000

/** Compares effects of two runs, from a moment on at which they were the same, one by one as they come. */
export class FirstDifference {
  readonly #waiting: [string[], string[]] = [[], []]
  /** Of the two lists: how many were compared. */
  #compared = 0
  found: FirstEffect | undefined
  /** There were more effects than anybody keeps: it stays unknown. */
  isLost = false

  add(which: 0 | 1, lines: readonly string[]): void {
    if (this.found !== undefined || this.isLost) return
    const [first, second] = this.#waiting
    for (const line of lines) this.#waiting[which].push(line)
    const both = Math.min(first.length, second.length)
    for (; this.#compared < both; this.#compared++) {
      const pair = [first[this.#compared] as string, second[this.#compared] as string] as const
      if (pair[0] === pair[1]) continue
      this.#found(pair)
      return
    }
    if (this.#compared > 0) {
      first.splice(0, this.#compared)
      second.splice(0, this.#compared)
      this.#compared = 0
    }
    if (Math.max(first.length, second.length) > WAITING_MAX) this.isLost = true
  }

  /** Both runs stand at one moment, so that all effects until then are here. */
  settle(): void {
    const [first, second] = this.#waiting
    if (this.found !== undefined || first.length + second.length === 0) return
    this.#found([first[0], second[0]])
  }

  #found(lines: FirstEffect['lines']): void {
    const times = lines.flatMap((line) => (line === undefined ? [] : [Number.parseFloat(line)]))
    this.found = { at: Math.min(...times), lines }
    this.#waiting[0].length = 0
    this.#waiting[1].length = 0
  }
}

/** Of each run in words. A line's last word stands for contents, which nobody reads. */
export function saysEffects({ lines }: FirstEffect): readonly [string, string] {
  const [first, second] = lines.map((line) => line?.replace(/ detail \d+$/, '') ?? 'nothing by then')
  return first === second ? [`${first}`, 'the same with other content'] : [`${first}`, `${second}`]
}
