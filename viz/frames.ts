/**
 * A page of its own, for measurements: draws a mesh of any size as the application does, and says how long
 * each part of it takes.
 */
import { Layout } from './model/layout.ts'
import { sceneOf } from './paint/scene.ts'
import { Stage } from './parts/stage.ts'
import { type About, NODE, type Picture } from './source/source.ts'

/** Of a frame, as the application gives it to the layout. */
const LAYOUT_MILLIS = 9

/** Between two changes of the mesh. */
const CHANGE_FRAMES = 15
const SETTLE_MILLIS = 1_000

interface Frames {
  /** Frames a second while nodes still move, and when only the view does. */
  readonly moving: number
  readonly still: number
  /** Of one frame, in milliseconds of this thread: places of nodes, the scene from them, and its painting. */
  readonly layoutMillis: number
  readonly sceneMillis: number
  readonly paintMillis: number
  /** Until the first picture was on the screen, layout included. */
  readonly firstMillis: number
}

export async function frames(nodes: number, trunks: number, seconds: number): Promise<Frames> {
  document.body.style.margin = '0'
  const canvas = document.createElement('canvas')
  canvas.style.cssText = 'width: 1280px; height: 800px'
  document.body.replaceChildren(canvas)
  const began = performance.now()
  const stage = new Stage(
    canvas,
    () => undefined,
    () => undefined,
  )
  const picture = meshOf(nodes, trunks)
  const { links } = picture
  const about = aboutOf(nodes)
  const layout = new Layout(nodes, 1)
  layout.show(picture)
  const spent = { layout: 0, scene: 0, paint: 0, frames: 0 }
  const looks = { layers: ['trunks', 'tree'], colour: 'role', vlan: -1, node: -1 } as const
  let scene = sceneOf(picture, layout.nodes, about, looks, 'light')
  let version = layout.version
  const draw = (): void => {
    const from = performance.now()
    // As the application does (viz/shown.ts): while nodes stand still their scene stays.
    if (layout.version !== version) scene = sceneOf(picture, layout.nodes, about, looks, 'light')
    version = layout.version
    const between = performance.now()
    stage.draw(scene)
    spent.scene += between - from
    spent.paint += performance.now() - between
    spent.frames += 1
  }
  layout.step(LAYOUT_MILLIS)
  draw()
  await nextFrame()
  const firstMillis = performance.now() - began
  while (layout.step(SETTLE_MILLIS));
  let change = 0
  const moving = await rate(seconds, () => {
    const from = performance.now()
    // A trunk comes or goes twice a second or so, as while a mesh lives.
    if (change++ % CHANGE_FRAMES === 0)
      layout.show({ ...picture, leap: false, links: without(links, change) })
    layout.step(LAYOUT_MILLIS)
    spent.layout += performance.now() - from
    draw()
  })
  const movingFrames = spent.frames
  let turn = 0
  const still = await rate(seconds, () => {
    stage.zoomBy(turn++ % 60 < 30 ? 1.01 : 1 / 1.01)
    draw()
  })
  return {
    moving,
    still,
    layoutMillis: spent.layout / movingFrames,
    sceneMillis: spent.scene / movingFrames,
    paintMillis: spent.paint / spent.frames,
    firstMillis,
  }
}

/** All but the last, or but that before: each time another mesh. */
function without(links: Int32Array, turn: number): Int32Array {
  return links.slice(0, links.length - 2 * (1 + (turn % 2)))
}

/** How often a second the browser comes to draw when each frame does that. */
async function rate(seconds: number, frame: () => void): Promise<number> {
  const began = performance.now()
  let count = 0
  let now = began
  while (now - began < seconds * 1_000) {
    frame()
    await nextFrame()
    count += 1
    now = performance.now()
  }
  return (count * 1_000) / (now - began)
}

function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve))
}

/** A tree in which every sixth node has nodes below it, and other trunks between any two. */
function meshOf(nodes: number, links: number): Picture {
  const uppers = Int32Array.from({ length: nodes }, (_, node) =>
    node === 0 ? -1 : Math.floor((node - 1) / 6),
  )
  const pairs: number[] = []
  for (let node = 1; node < nodes; node++) pairs.push(uppers[node] as number, node)
  let state = 1
  const draw = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * nodes)
  }
  while (pairs.length < links * 2) {
    const [a, b] = [draw(), draw()]
    if (a !== b) pairs.push(Math.min(a, b), Math.max(a, b))
  }
  const states = new Uint8Array(nodes).fill(NODE.up)
  for (const upper of uppers) if (upper >= 0) states[upper] = NODE.up | NODE.relay
  return {
    at: 0,
    leap: true,
    states,
    uppers,
    root: 0,
    sides: new Uint8Array(nodes),
    links: Int32Array.from(pairs),
    cut: new Uint8Array(pairs.length / 2),
    epochs: new Int32Array(nodes).fill(-1),
    epochNames: {},
    measures: undefined,
    digest: '',
    messages: 0,
  }
}

function aboutOf(nodes: number): About {
  return {
    name: 'frames',
    question: '',
    seed: 1,
    nodes,
    endsAt: 1,
    warmupSeconds: 0,
    vlans: [],
    planned: [],
  }
}
