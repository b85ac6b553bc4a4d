/** A scene as an SVG file. */
import { type Dot, extentOf, type Scene } from './scene.ts'

export function svgOf(scene: Scene, title: string): string {
  const { x, y, width, height } = extentOf(scene)
  const box = [x, y, width, height].map(short).join(' ')
  const size = `width="${short(width)}" height="${short(height)}"`
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}" ${size} role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect x="${short(x)}" y="${short(y)}" width="100%" height="100%" fill="${scene.ground}"/>`,
    '<g stroke-linecap="round">',
    ...[...scene.back, ...scene.lines].map((line) => {
      const from = `x1="${short(line.x1)}" y1="${short(line.y1)}"`
      const to = `x2="${short(line.x2)}" y2="${short(line.y2)}"`
      const dash = line.isDashed ? ' stroke-dasharray="4 4"' : ''
      return `<line ${from} ${to} stroke="${line.colour}" stroke-width="${short(line.width)}"${dash}/>`
    }),
    '</g>',
    ...scene.dots.map(dotOf),
    '<g font-family="system-ui, sans-serif" font-size="11">',
    ...scene.words.map(
      (word) =>
        `<text x="${short(word.x)}" y="${short(word.y)}" fill="${word.colour}">${escaped(word.text)}</text>`,
    ),
    '</g>',
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

function dotOf({ node, x, y, radius: r, shape, fill, edge, edgeWidth }: Dot): string {
  const look = `fill="${fill}" stroke="${edge}" stroke-width="${short(edgeWidth)}"`
  if (shape === 'ring') return `<circle cx="${short(x)}" cy="${short(y)}" r="${short(r)}" ${look}/>`
  const name = `<title>node ${node}</title>`
  if (shape === 'circle')
    return `<circle cx="${short(x)}" cy="${short(y)}" r="${short(r)}" ${look}>${name}</circle>`
  const at = (dx: number, dy: number): string => `${short(x + dx)} ${short(y + dy)}`
  const half = 0.9 * r
  const path =
    shape === 'square'
      ? `M${at(-half, -half)}L${at(half, -half)}L${at(half, half)}L${at(-half, half)}Z`
      : shape === 'diamond'
        ? `M${at(0, -r)}L${at(r, 0)}L${at(0, r)}L${at(-r, 0)}Z`
        : `M${at(-r, -r)}L${at(r, r)}M${at(r, -r)}L${at(-r, r)}`
  return `<path d="${path}" ${look}>${name}</path>`
}

function short(value: number): string {
  return value.toFixed(2).replace(/\.?0+$/, '')
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
