/** Whether a camera reads what the terminal shows. */
import decodeQr from 'qr/decode.js'
import { describe, expect, it } from 'vitest'
import { qrLines } from '../../drivers/cli/qr.ts'

/** Pixels on each side of a module. */
const SCALE = 4

/** The code as a picture: in each character an upper and a lower module, light where there is ink. */
function photograph(lines: readonly string[]): { width: number; height: number; data: Uint8Array } {
  const columns = lines[0]?.length ?? 0
  const isLight = (x: number, y: number): boolean => {
    const character = lines[y >> 1]?.[x] ?? ' '
    return character === '█' || character === (y % 2 === 0 ? '▀' : '▄')
  }
  const width = columns * SCALE
  const height = lines.length * 2 * SCALE
  const data = new Uint8Array(width * height * 4)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const shade = isLight(Math.floor(x / SCALE), Math.floor(y / SCALE)) ? 255 : 0
      data.fill(shade, (y * width + x) * 4, (y * width + x) * 4 + 3)
      data[(y * width + x) * 4 + 3] = 255
    }
  }
  return { width, height, data }
}

describe('a QR code on a terminal', () => {
  it.each([40, 482, 1_200])('is read as the text it was made of, of %i characters', (length) => {
    const text = `PEERTAP:${'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.repeat(40)}`.slice(0, length)
    const lines = qrLines(text)
    expect(new Set(lines.map((line) => line.length)).size).toBe(1)
    expect(decodeQr(photograph(lines))).toBe(text)
  })
})
