/** A scene on a canvas: what is on the screen, and what a PNG is made from. */
import type { Dot, Scene } from './scene.ts'

export interface View {
  /** Canvas pixels for each unit of the scene. */
  readonly k: number
  readonly x: number
  readonly y: number
}

export function paint(context: CanvasRenderingContext2D, scene: Scene, view: View): void {
  const { canvas } = context
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.fillStyle = scene.ground
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.setTransform(view.k, 0, 0, view.k, view.x, view.y)
  context.lineCap = 'round'
  for (const { x1, y1, x2, y2, colour, width, isDashed } of scene.lines) {
    context.beginPath()
    context.strokeStyle = colour
    context.lineWidth = width
    context.setLineDash(isDashed ? [4, 4] : [])
    context.moveTo(x1, y1)
    context.lineTo(x2, y2)
    context.stroke()
  }
  context.setLineDash([])
  for (const dot of scene.dots) paintDot(context, dot)
  context.font = '11px system-ui, sans-serif'
  context.lineWidth = 3
  context.strokeStyle = scene.ground
  for (const { x, y, text, colour } of scene.words) {
    context.strokeText(text, x, y)
    context.fillStyle = colour
    context.fillText(text, x, y)
  }
}

function paintDot(context: CanvasRenderingContext2D, dot: Dot): void {
  const { x, y, radius, shape, fill, edge, edgeWidth } = dot
  context.beginPath()
  if (shape === 'circle' || shape === 'ring') context.arc(x, y, radius, 0, 2 * Math.PI)
  else if (shape === 'square') context.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8)
  else if (shape === 'diamond') {
    context.moveTo(x, y - radius)
    context.lineTo(x + radius, y)
    context.lineTo(x, y + radius)
    context.lineTo(x - radius, y)
    context.closePath()
  } else {
    context.moveTo(x - radius, y - radius)
    context.lineTo(x + radius, y + radius)
    context.moveTo(x + radius, y - radius)
    context.lineTo(x - radius, y + radius)
  }
  if (fill !== 'none') {
    context.fillStyle = fill
    context.fill()
  }
  context.strokeStyle = edge
  context.lineWidth = edgeWidth
  context.stroke()
}
