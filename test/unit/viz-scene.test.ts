/** What is drawn of a picture, and how much of it is in sight. */
import { describe, expect, it } from 'vitest'
import { DEFAULT_LAYERS } from '../../viz/model/address.ts'
import { extentOf, type Looks, type Scene, sceneOf, sightOf } from '../../viz/paint/scene.ts'
import { type About, NODE, type Picture } from '../../viz/source/source.ts'

const ABOUT: About = {
  name: 'three',
  question: 'Who is in sight?',
  seed: 1,
  nodes: 3,
  endsAt: 10,
  warmupSeconds: 0,
  vlans: [],
  planned: [],
}

/** Node 2 went down far away. */
const PICTURE: Picture = {
  at: 1,
  leap: false,
  states: Uint8Array.of(NODE.up, NODE.up, NODE.gone),
  uppers: Int32Array.of(-1, 0, -1),
  root: 0,
  sides: new Uint8Array(3),
  links: Int32Array.of(0, 1),
  cut: new Uint8Array(1),
  epochs: new Int32Array(3).fill(-1),
  epochNames: {},
  measures: undefined,
  digest: '',
  messages: 0,
}
const SPOTS = [
  { x: -60, y: 0 },
  { x: 60, y: 0 },
  { x: 900, y: 0 },
]

function sceneWith(layers: Looks['layers']): Scene {
  return sceneOf(PICTURE, SPOTS, ABOUT, { layers, colour: 'role', vlan: -1, node: -1 }, 'light')
}

describe('what is in sight', () => {
  it('does not shrink for a node that went down far away, which an export still has', () => {
    const scene = sceneWith(DEFAULT_LAYERS)
    expect(scene.dots.map(({ shape }) => shape)).toEqual(['diamond', 'circle', 'cross'])
    const right = ({ x, width }: { x: number; width: number }): number => x + width
    expect(right(sightOf(scene))).toBeLessThan(100)
    expect(right(extentOf(scene))).toBeGreaterThan(900)
  })

  it('holds all that are down when they are asked for', () => {
    const scene = sceneWith([...DEFAULT_LAYERS, 'down'])
    expect(sightOf(scene)).toEqual(extentOf(scene))
  })
})
