/** The canvas: fits, zooms, and finds the node under a pointer. What is drawn comes from elsewhere. */
import { select, type ZoomTransform, zoom, zoomIdentity } from 'd3'
import { Backdrop } from '../paint/backdrop.ts'
import { paint } from '../paint/canvas.ts'
import { extentOf, type Scene, sightOf } from '../paint/scene.ts'

/** A finger is no needle. */
const REACH_PIXELS = { mouse: 12, touch: 24 } as const
/** Fewer lines are painted in each frame at once. */
const BACKDROP_MIN = 1_500
/** A few nodes look lost on a large screen, and like a poster when they fill it. */
const FIT_MOST = 1.7
const ZOOM = { least: 0.05, most: 20 } as const

export class Stage {
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D
  #backdrop = new Backdrop()
  readonly #redraw: () => void
  /** What the person did beyond the fit. */
  #transform: ZoomTransform = zoomIdentity
  /** From the scene to the canvas, before that. */
  #fit = { k: 1, x: 0, y: 0 }
  #scene: Scene | undefined
  readonly #zoom = zoom<HTMLCanvasElement, unknown>().scaleExtent([ZOOM.least, ZOOM.most])

  constructor(canvas: HTMLCanvasElement, choose: (node: number) => void, redraw: () => void) {
    this.#canvas = canvas
    this.#redraw = redraw
    const context = canvas.getContext('2d', { alpha: false })
    if (context === null) throw new Error('this browser draws on no canvas')
    this.#context = context
    this.#zoom.on('zoom', ({ transform }: { transform: ZoomTransform }) => {
      this.#transform = transform
      redraw()
    })
    select(canvas).call(this.#zoom).on('dblclick.zoom', null)
    canvas.addEventListener('click', (event) => {
      const { left, top } = canvas.getBoundingClientRect()
      const reach = event instanceof PointerEvent && event.pointerType === 'touch' ? 'touch' : 'mouse'
      choose(this.#nodeAt(event.clientX - left, event.clientY - top, REACH_PIXELS[reach]))
    })
    new ResizeObserver(redraw).observe(canvas)
  }

  /** Forgets what the person zoomed to, and what was painted. */
  reset(): void {
    this.#backdrop = new Backdrop()
    select(this.#canvas).call(this.#zoom.transform, zoomIdentity)
  }

  zoomBy(factor: number): void {
    select(this.#canvas).call(this.#zoom.scaleBy, factor)
  }

  draw(scene: Scene): void {
    this.#scene = scene
    const canvas = this.#canvas
    const { width, height } = canvas.getBoundingClientRect()
    const ratio = devicePixelRatio
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)]
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w
      canvas.height = h
    }
    const room = sightOf(scene)
    const k = Math.min(FIT_MOST, width / room.width, height / room.height)
    this.#fit = {
      k,
      x: width / 2 - (room.x + room.width / 2) * k,
      y: height / 2 - (room.y + room.height / 2) * k,
    }
    const { k: scale, x, y } = this.#view()
    const view = { k: scale * ratio, x: x * ratio, y: y * ratio }
    if (scene.back.length < BACKDROP_MIN) paint(this.#context, scene, view)
    else
      paint(this.#context, scene, view, (lines) => {
        if (!this.#backdrop.draw(this.#context, scene.ground, lines, view)) this.#redraw()
      })
  }

  /** The whole scene as a PNG, whatever is zoomed to. */
  async png(scene: Scene, scale: number): Promise<Blob> {
    const room = extentOf(scene)
    const canvas = document.createElement('canvas')
    canvas.width = Math.ceil(room.width * scale)
    canvas.height = Math.ceil(room.height * scale)
    const context = canvas.getContext('2d') as CanvasRenderingContext2D
    paint(context, scene, { k: scale, x: -room.x * scale, y: -room.y * scale })
    return new Promise((resolve, reject) => {
      canvas.toBlob((blob) => {
        if (blob === null) reject(new Error('the picture is too large for a PNG; export it as SVG'))
        else resolve(blob)
      }, 'image/png')
    })
  }

  #view(): { k: number; x: number; y: number } {
    const { k, x, y } = this.#transform
    return { k: this.#fit.k * k, x: this.#fit.x * k + x, y: this.#fit.y * k + y }
  }

  #nodeAt(x: number, y: number, reach: number): number {
    const view = this.#view()
    let best = { node: -1, distance: reach }
    for (const dot of this.#scene?.dots ?? []) {
      const distance =
        Math.hypot(dot.x * view.k + view.x - x, dot.y * view.k + view.y - y) - dot.radius * view.k
      if (distance < best.distance) best = { node: dot.node, distance }
    }
    return best.node
  }
}
