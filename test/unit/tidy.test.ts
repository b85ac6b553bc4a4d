import { describe, expect, it } from 'vitest'
import { checkManifest, checkPath, checkText, checkTree, LINE_COLUMNS } from '../support/tidy.ts'

const HEAD = '/** What this knows. */\n'

/** Messages for one line in a file that is otherwise in order. */
function messages(file: string, line: string): string[] {
  return checkText(file, HEAD + line).map((finding) => finding.message)
}

describe('the tree', () => {
  it('keeps the house rules', () => {
    const listed = checkTree().map(({ file, line, message }) => `${file}:${line}: ${message}`)
    expect(listed).toEqual([])
  })
})

describe('house rules for text', () => {
  it('limits lines of code', () => {
    expect(messages('drivers/a.ts', 'x'.repeat(LINE_COLUMNS))).toEqual([])
    expect(messages('drivers/a.ts', 'x'.repeat(LINE_COLUMNS + 1))).toHaveLength(1)
    expect(messages('README.md', 'x'.repeat(LINE_COLUMNS + 1))).toEqual([])
  })

  it('counts characters, not code units', () => {
    expect(messages('drivers/a.ts', '𝄞'.repeat(LINE_COLUMNS))).toEqual([])
  })

  it.each([
    ['unfinished work', `// ${'TO'}DO later`],
    ['tracker numbers', `// see ${'issue'} #12`],
    ['paths of one machine', `const file = '${'/ho'}me/someone/trace.avt'`],
  ])('refuses %s', (_what, line) => {
    expect(messages('drivers/a.ts', line)).toHaveLength(1)
  })

  it.each(['const { sin } = Math', 'const m = Math', 'items.toSorted()'])('refuses in sim: %s', (line) => {
    expect(messages('sim/a.ts', line)).toHaveLength(1)
    expect(messages('drivers/a.ts', line)).toEqual([])
  })

  it.each(['async function f() {}', 'new Promise(run)', 'Promise.all(jobs)'])(
    'refuses in core: %s',
    (line) => {
      expect(messages('core/a.ts', line)).toHaveLength(1)
      expect(messages('core/mls/tsmls.ts', line)).toEqual([])
      expect(messages('sim/a.ts', line)).toEqual([])
    },
  )

  it('reads code, not comments', () => {
    expect(messages('core/a.ts', ' * async work is a job')).toEqual([])
    expect(messages('core/a.ts', 'start() // never async')).toEqual([])
  })

  it('wants a head comment in modules of the program', () => {
    expect(checkText('core/a.ts', 'export const a = 1')).toHaveLength(1)
    expect(checkText('test/unit/a.test.ts', 'export const a = 1')).toEqual([])
  })
})

describe('house rules for places', () => {
  it('knows the top-level folders', () => {
    expect(checkPath('src/a.ts')).toHaveLength(1)
    expect(checkPath('core/a.ts')).toEqual([])
    expect(checkPath('.config/a.ts')).toEqual([])
    expect(checkPath('README.md')).toEqual([])
  })

  it('keeps code out of scenarios', () => {
    expect(checkPath('scenarios/a.ts')).toHaveLength(1)
    expect(checkPath('scenarios/a.json')).toEqual([])
  })
})

describe('house rules for dependencies', () => {
  it('wants one version each', () => {
    const manifest = { dependencies: { a: '1.2.3', b: 'npm:c@1.0.0-rc.1' }, devDependencies: { d: '^1.2.3' } }
    const findings = checkManifest(JSON.stringify(manifest))
    expect(findings.map((finding) => finding.message)).toEqual([
      'd is "^1.2.3"; pin one version: npm install --save-exact d',
    ])
  })
})
