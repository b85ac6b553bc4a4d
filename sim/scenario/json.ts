/**
 * Reads JSON and says where and why it is broken. Engines word their errors differently, some without a
 * place, and all of them take a key that stands twice without a word; so the text is scanned here first.
 */

/** What is wrong with a text that should be JSON. Lines and columns count from 1. */
export interface JsonMistake {
  readonly line: number
  readonly column: number
  /** What was found and how to mend it. */
  readonly message: string
}

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly mistake: JsonMistake }

/** Deeper nesting than any scenario has; keeps a hostile text from filling the stack. */
const DEPTH_MAX = 64

export function readJson(text: string): JsonResult {
  // A byte order mark is what some editors put before everything.
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text
  try {
    new Scanner(body).document()
    return { ok: true, value: JSON.parse(body) }
  } catch (error) {
    if (error instanceof Broken) return { ok: false, mistake: placed(body, error) }
    // Not foreseen by the scanner; the engine's own words are better than none.
    const message = error instanceof Error ? error.message : String(error)
    return { ok: false, mistake: { line: 1, column: 1, message } }
  }
}

class Broken extends Error {
  readonly at: number

  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

function placed(text: string, broken: Broken): JsonMistake {
  const before = text.slice(0, broken.at).split('\n')
  const last = before.at(-1) as string
  return { line: before.length, column: [...last].length + 1, message: broken.message }
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /[A-Za-z_$][\w$]*/y
const SPACE = /[ \t\r\n]*/y

class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    this.#space()
    // What is left of an encoding that is not UTF-8 begins with these.
    if (this.#text[0] === '\uFFFD') {
      throw new Broken(0, 'this is no text in UTF-8; save it as UTF-8 (some shells write UTF-16)')
    }
    if (this.#at === this.#text.length)
      throw new Broken(this.#at, 'the file is empty; it must hold one object')
    this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) {
      throw new Broken(this.#at, `found ${this.#found()} after the end; remove what follows the last bracket`)
    }
  }

  #value(depth: number): void {
    if (depth > DEPTH_MAX) throw new Broken(this.#at, `nested more than ${DEPTH_MAX} deep; flatten it`)
    const start = this.#text[this.#at]
    if (start === '{') this.#object(depth)
    else if (start === '[') this.#array(depth)
    else if (start === '"') this.#string()
    else this.#plain()
  }

  #object(depth: number): void {
    const keys = new Set<string>()
    this.#at += 1
    this.#space()
    if (this.#skip('}')) return
    for (;;) {
      this.#key(keys)
      this.#space()
      if (!this.#skip(':')) {
        throw new Broken(this.#at, `found ${this.#found()} where a colon must follow the key; put : there`)
      }
      this.#space()
      this.#value(depth + 1)
      this.#space()
      if (this.#skip('}')) return
      this.#comma('}')
    }
  }

  #key(keys: Set<string>): void {
    const at = this.#at
    if (this.#text[at] !== '"') {
      const found = this.#found()
      const mend = /^[A-Za-z_']/.test(this.#text.slice(at)) ? 'put it in double quotes' : 'write "key": value'
      throw new Broken(at, `found ${found} where a key in double quotes must stand; ${mend}`)
    }
    const key = JSON.parse(this.#string()) as string
    if (keys.has(key))
      throw new Broken(at, `the key "${key}" stands twice in one object; remove one of the two`)
    keys.add(key)
  }

  #array(depth: number): void {
    this.#at += 1
    this.#space()
    if (this.#skip(']')) return
    for (;;) {
      this.#value(depth + 1)
      this.#space()
      if (this.#skip(']')) return
      this.#comma(']')
    }
  }

  /** After a value: a comma, and something after it. */
  #comma(close: string): void {
    const at = this.#at
    if (!this.#skip(',')) {
      const next = this.#text[at] ?? ''
      const mend =
        next === '' || next === '}' || next === ']' ? `put ${close} before it` : 'put a comma before it'
      throw new Broken(at, `found ${this.#found()} where a comma or ${close} must follow; ${mend}`)
    }
    this.#space()
    if (this.#text[this.#at] === close)
      throw new Broken(at, `a comma stands before ${close}; remove the comma`)
  }

  #string(): string {
    const start = this.#at
    this.#at += 1
    for (;;) {
      const next = this.#text[this.#at] ?? '\n'
      if (next === '"') break
      if (next === '\\') {
        if (this.#match(ESCAPE) !== '') continue
        throw new Broken(this.#at, 'this is no escape of JSON; write \\\\ for a backslash')
      }
      if (next < ' ') {
        throw new Broken(
          start,
          'this text has no closing quote on its line; close it with ", and write \\n for a new line',
        )
      }
      this.#at += 1
    }
    this.#at += 1
    return this.#text.slice(start, this.#at)
  }

  #plain(): void {
    const at = this.#at
    const next = this.#text[at] ?? ''
    if (/[-\d]/.test(next)) {
      const number = this.#match(NUMBER)
      if (number !== '' && !/[\w.]/.test(this.#text[this.#at] ?? '')) {
        if (Number.isFinite(Number(number))) return
        // JSON.parse would make Infinity of it, which nothing can print again.
        throw new Broken(at, `${number} is beyond what a number can hold (1.8e308); write a smaller one`)
      }
      throw new Broken(at, 'this is not a number as JSON writes it; write digits such as 20, 0.5 or 1e6')
    }
    const word = this.#match(WORD)
    if (word === 'true' || word === 'false' || word === 'null') return
    if (word !== '') throw new Broken(at, `found ${word} where a value must stand; put text in double quotes`)
    throw new Broken(at, `found ${this.#found()} where a value must stand; ${this.#mendValue(next)}`)
  }

  #mendValue(next: string): string {
    if (next === "'") return 'put text in double quotes'
    if (next === '.') return 'write a zero before the point'
    if (next === '+') return 'write the number without the plus'
    return 'write a value'
  }

  #space(): void {
    SPACE.lastIndex = this.#at
    SPACE.exec(this.#text)
    this.#at = SPACE.lastIndex
    const next = this.#text.slice(this.#at, this.#at + 2)
    if (next === '//' || next === '/*') {
      throw new Broken(this.#at, 'JSON has no comments; remove it, or put the words into "notes"')
    }
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  /** What stands here, for a message. */
  #found(): string {
    const rest = this.#text.slice(this.#at)
    if (rest === '') return 'the end of the text'
    const word = /^[\w$]+|^"[^"\n]{0,30}"?/.exec(rest)?.[0]
    return word ?? `"${[...rest][0]}"`
  }
}
