/** Marks on a scene where it differs from the one beside it. */
import type { Spot } from '../model/layout.ts'
import { PALETTES } from './palette.ts'
import type { Dot, Line, Scene } from './scene.ts'

/** Links and nodes beyond so many are no longer told apart by anybody. */
const MARKS_MAX = 2_000

export interface Marks {
  /** That only this one has. */
  readonly links: readonly (readonly [number, number])[]
  readonly nodes: readonly number[]
}

export function markedScene(
  scene: Scene,
  spots: readonly Spot[],
  marks: Marks,
  theme: 'light' | 'dark',
): Scene {
  const { other } = PALETTES[theme]
  const lines: Line[] = []
  for (const [a, b] of marks.links.slice(0, MARKS_MAX)) {
    const [from, to] = [spots[a], spots[b]]
    if (from === undefined || to === undefined) continue
    const ends = { x1: from.x, y1: from.y, x2: to.x, y2: to.y }
    lines.push({ ...ends, colour: other, width: 3.5, isDashed: false })
  }
  const dots: Dot[] = []
  for (const node of marks.nodes.slice(0, MARKS_MAX)) {
    const spot = spots[node]
    if (spot === undefined) continue
    const look = { shape: 'ring', fill: 'none', edge: other, edgeWidth: 2 } as const
    dots.push({ node, x: spot.x, y: spot.y, radius: 11, ...look })
  }
  return { ...scene, lines: [...scene.lines, ...lines], dots: [...scene.dots, ...dots] }
}
