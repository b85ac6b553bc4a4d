/** A scene on a canvas: what is on the screen, and what a PNG is made from. */
import type { Dot, Line, Scene } from './scene.ts'

export interface View {
  /** Canvas pixels for each unit of the scene. */
  readonly k: number
  readonly x: number
  readonly y: number
}

/** Beyond so many, dots are stamped: a picture of each kind is painted once and copied to whole pixels. */
const STAMPED_MIN = 400
const DASHED = [4, 4]
const WHOLE: number[] = []

/** `back`: paints the lines behind all others, where somebody else does that. */
export function paint(
  context: CanvasRenderingContext2D,
  scene: Scene,
  view: View,
  back = (lines: readonly Line[]): void => paintLines(context, lines),
): void {
  const { canvas } = context
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.fillStyle = scene.ground
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.setTransform(view.k, 0, 0, view.k, view.x, view.y)
  back(scene.back)
  context.setTransform(view.k, 0, 0, view.k, view.x, view.y)
  paintLines(context, scene.lines)
  if (scene.dots.length < STAMPED_MIN) for (const dot of scene.dots) paintDot(context, dot)
  else stampDots(context, scene.dots, view)
  context.setTransform(view.k, 0, 0, view.k, view.x, view.y)
  context.font = '11px system-ui, sans-serif'
  context.lineWidth = 3
  context.strokeStyle = scene.ground
  for (const { x, y, text, colour } of scene.words) {
    context.strokeText(text, x, y)
    context.fillStyle = colour
    context.fillText(text, x, y)
  }
}

/** Each by itself: one path of many wide lines takes software several times as long. */
export function paintLines(context: CanvasRenderingContext2D, lines: readonly Line[]): void {
  context.lineCap = 'round'
  let before: Line | undefined
  for (const line of lines) {
    if (line.colour !== before?.colour) context.strokeStyle = line.colour
    if (line.width !== before?.width) context.lineWidth = line.width
    if (line.isDashed !== before?.isDashed) context.setLineDash(line.isDashed ? DASHED : WHOLE)
    before = line
    context.beginPath()
    context.moveTo(line.x1, line.y1)
    context.lineTo(line.x2, line.y2)
    context.stroke()
  }
  context.setLineDash(WHOLE)
}

function stampDots(context: CanvasRenderingContext2D, dots: readonly Dot[], view: View): void {
  context.setTransform(1, 0, 0, 1, 0, 0)
  const stamps = new Map<string, HTMLCanvasElement>()
  for (const dot of dots) {
    const key = `${dot.shape} ${dot.radius} ${dot.fill} ${dot.edge} ${dot.edgeWidth}`
    let stamp = stamps.get(key)
    if (stamp === undefined) {
      stamp = stampOf(dot, view.k)
      stamps.set(key, stamp)
    }
    const half = stamp.width / 2
    context.drawImage(
      stamp,
      Math.round(dot.x * view.k + view.x - half),
      Math.round(dot.y * view.k + view.y - half),
    )
  }
}

function stampOf(dot: Dot, k: number): HTMLCanvasElement {
  const stamp = document.createElement('canvas')
  const size = 2 * Math.ceil((dot.radius + dot.edgeWidth) * k + 1)
  stamp.width = size
  stamp.height = size
  const context = stamp.getContext('2d') as CanvasRenderingContext2D
  context.setTransform(k, 0, 0, k, size / 2, size / 2)
  paintDot(context, { ...dot, x: 0, y: 0 })
  return stamp
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
