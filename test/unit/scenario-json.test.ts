import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson } from '../../sim/scenario/json.ts'

const BROKEN: readonly (readonly [text: string, message: string])[] = [
  ['', '1:1 the file is empty; it must hold one object'],
  ['\uFFFD\uFFFD{}', '1:1 this is no text in UTF-8; save it as UTF-8 (some shells write UTF-16)'],
  ['{"a": 1,}', '1:8 a comma stands before }; remove the comma'],
  ['[1, 2,]', '1:6 a comma stands before ]; remove the comma'],
  ['{\n  "a": 1\n  "b": 2\n}', '3:3 found "b" where a comma or } must follow; put a comma before it'],
  ['{"a": [1, 2}', '1:12 found "}" where a comma or ] must follow; put ] before it'],
  ['{"a": 1', '1:8 found the end of the text where a comma or } must follow; put } before it'],
  ['{a: 1}', '1:2 found a where a key in double quotes must stand; put it in double quotes'],
  ["{'a': 1}", `1:2 found "'" where a key in double quotes must stand; put it in double quotes`],
  ['{"a" 1}', '1:6 found 1 where a colon must follow the key; put : there'],
  ['{\n  // why\n}', '2:3 JSON has no comments; remove it, or put the words into "notes"'],
  ['{"a": yes}', '1:7 found yes where a value must stand; put text in double quotes'],
  ['{"a": \'x\'}', `1:7 found "'" where a value must stand; put text in double quotes`],
  ['{"a": .5}', '1:7 found "." where a value must stand; write a zero before the point'],
  ['{"a": 01}', '1:7 this is not a number as JSON writes it; write digits such as 20, 0.5 or 1e6'],
  ['{"a": 1e999}', '1:7 1e999 is beyond what a number can hold (1.8e308); write a smaller one'],
  [
    '{"a": "x\ny"}',
    '1:7 this text has no closing quote on its line; close it with ", and write \\n for a new line',
  ],
  ['{"a": "\\x"}', '1:8 this is no escape of JSON; write \\\\ for a backslash'],
  ['{"a": 1, "a": 2}', '1:10 the key "a" stands twice in one object; remove one of the two'],
  ['{"a": 1}}', '1:9 found "}" after the end; remove what follows the last bracket'],
]

describe('broken JSON', () => {
  it.each(BROKEN)('is placed and explained: %j', (text, expected) => {
    const result = readJson(text)
    if (result.ok) throw new Error('accepted')
    const { line, column, message } = result.mistake
    expect(`${line}:${column} ${message}`).toBe(expected)
  })

  it('is refused however deep it nests', () => {
    expect(readJson('['.repeat(1e6))).toMatchObject({ ok: false })
  })
})

describe('JSON', () => {
  it('is read as the engine reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value)
        const result = readJson(text)
        expect(result).toEqual({ ok: true, value: JSON.parse(text) })
      }),
    )
  })

  it('is refused or accepted as by the engine, but for double keys and huge numbers', () => {
    const characters = fc.constantFrom(...'{}[],:"\\0123456789.-+eE truefalsn\n\t\'/ab')
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 12 }), (text) => {
        const result = readJson(text)
        let accepted = true
        try {
          JSON.parse(text)
        } catch {
          accepted = false
        }
        if (!result.ok && /stands twice|beyond what a number/.test(result.mistake.message)) return
        expect(result.ok).toBe(accepted)
      }),
      { numRuns: 5_000 },
    )
  })

  it('may begin with a byte order mark', () => {
    expect(readJson('\uFEFF{}')).toEqual({ ok: true, value: {} })
  })
})
