/**
 * The many lines behind everything else, on a canvas of their own: while the view or the nodes move, what
 * was painted last is shown where it would be now, and painted anew bit by bit. A frame costs the same
 * however many trunks there are.
 */
import { paintLines, type View } from './canvas.ts'
import type { Line } from './scene.ts'

/** Painted in so many frames; eight thousand lines take two or three milliseconds of each. */
const TURNS = 10
/** What is shown in another size than it was painted in looks coarse beyond this. */
const STRETCH_MOST = 2

interface Layer {
  readonly canvas: HTMLCanvasElement
  readonly context: CanvasRenderingContext2D
  ground: string
  lines: readonly Line[]
  view: View
  /** Lines of it that are painted. */
  done: number
}

export class Backdrop {
  #shown = newLayer()
  #next = newLayer()

  /** Draws the lines, and goes on painting them; true when they are as they should be. */
  draw(context: CanvasRenderingContext2D, ground: string, lines: readonly Line[], view: View): boolean {
    const { width, height } = context.canvas
    const next = this.#next
    const isFresh = this.#shown.canvas.width === width && this.#shown.canvas.height === height
    if (!isFresh || !this.#isAlike(this.#shown, ground, lines, view)) {
      const isBegun = next.done > 0 && next.canvas.width === width && next.canvas.height === height
      if (!isBegun) begin(next, ground, lines, view, width, height)
      const until = Math.min(next.lines.length, next.done + Math.ceil(next.lines.length / TURNS))
      next.context.setTransform(next.view.k, 0, 0, next.view.k, next.view.x, next.view.y)
      paintLines(next.context, next.lines.slice(next.done, until))
      next.done = until
      if (until === next.lines.length) {
        this.#next = this.#shown
        this.#next.done = 0
        this.#shown = next
      }
    }
    this.#blit(context, view)
    return this.#isAlike(this.#shown, ground, lines, view)
  }

  #blit(context: CanvasRenderingContext2D, view: View): void {
    const { canvas, view: then } = this.#shown
    const k = view.k / then.k
    if (canvas.width === 0 || this.#shown.ground === '' || !(k < STRETCH_MOST && k > 1 / STRETCH_MOST)) return
    context.setTransform(k, 0, 0, k, view.x - then.x * k, view.y - then.y * k)
    // Whoever moves the view sees no pixels, and smooth ones take several times as long.
    context.imageSmoothingEnabled = false
    context.drawImage(canvas, 0, 0)
    context.imageSmoothingEnabled = true
  }

  #isAlike(layer: Layer, ground: string, lines: readonly Line[], { k, x, y }: View): boolean {
    const { view } = layer
    if (layer.ground !== ground || layer.lines !== lines) return false
    return view.k === k && view.x === x && view.y === y
  }
}

function newLayer(): Layer {
  const canvas = document.createElement('canvas')
  canvas.width = 0
  const context = canvas.getContext('2d', { alpha: false }) as CanvasRenderingContext2D
  return { canvas, context, ground: '', lines: [], view: { k: 1, x: 0, y: 0 }, done: 0 }
}

function begin(
  layer: Layer,
  ground: string,
  lines: readonly Line[],
  view: View,
  width: number,
  height: number,
): void {
  layer.ground = ground
  layer.lines = lines
  layer.view = view
  layer.done = 0
  const { canvas, context } = layer
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width
    canvas.height = height
  }
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.fillStyle = ground
  context.fillRect(0, 0, width, height)
}
