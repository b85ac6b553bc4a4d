/**
 * Plain tables and wrapped text that fit a terminal of 80 to 100 columns.
 */

/** Widest line of human output. */
export const WIDTH = 96

export type Align = 'left' | 'right'

/** Lines of a table: columns as wide as their widest cell, two spaces between, nothing after the last. */
export function tableLines(
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
  indent = 2,
): string[] {
  const widths = aligns.map((_, column) => Math.max(0, ...rows.map((row) => lengthOf(row[column] ?? ''))))
  return rows.map((row) => {
    const cells = aligns.map((align, column) => padded(row[column] ?? '', widths[column] as number, align))
    return (' '.repeat(indent) + cells.join('  ')).trimEnd()
  })
}

/** Words in lines of at most `width`, the later ones indented by `indent`. */
export function wrapWords(words: readonly string[], width: number, indent = 0): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    if (line !== '' && lengthOf(line) + 1 + lengthOf(word) > width) {
      lines.push(line)
      line = ' '.repeat(indent) + word
    } else line = line === '' ? word : `${line} ${word}`
  }
  if (line !== '') lines.push(line)
  return lines
}

/** `1 member`, `2 members`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function padded(text: string, width: number, align: Align): string {
  const space = ' '.repeat(Math.max(0, width - lengthOf(text)))
  return align === 'left' ? text + space : space + text
}

function lengthOf(text: string): number {
  return [...text].length
}
