/**
 * House rules that neither compiler nor linter can express, over the text of the whole tree. Run as a
 * script it prints what breaks them (`npm run lint` does); test/unit/tidy.test.ts tests the rules.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { REPOSITORY } from './requirements.ts'

/** Longest line of code, in characters; the formatter leaves comments and strings alone. */
export const LINE_COLUMNS = 110

export interface Finding {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly message: string
}

interface Rule {
  /** Which files, by their path from the root of the repository. */
  readonly applies: (file: string) => boolean
  /** Whether a line breaks the rule. */
  readonly broken: (line: string) => boolean
  /** What to do instead. */
  readonly message: string
}

const TEXT = new Set(['.ts', '.mjs', '.json', '.md', '.grit', '.html', '.css', '.yml', ''])
const FOLDERS = new Set(['core', 'drivers', 'scenarios', 'sim', 'test', 'viz'])
/** What git ignores, and git itself. */
const IGNORED = new Set(['.git', 'node_modules', 'runs'])

const isCode = (file: string): boolean => file.endsWith('.ts') || file.endsWith('.mjs')
const isText = (file: string): boolean => !file.startsWith('test/vectors/')
const isPure = (file: string): boolean => /^(core|sim)\/.*\.ts$/.test(file)
// ts-mls is asynchronous; its engine runs where waiting is allowed (core/mls/engine.ts).
const isWaitless = (file: string): boolean => /^core\/(?!mls\/tsmls).*\.ts$/.test(file)

/** The line without comments; string contents stay, which has not mattered. */
function codeOf(line: string): string {
  return /^\s*(\/?\*|\/\/)/.test(line) ? '' : line.replace(/\s\/\/.*$/, '')
}

const inCode = (pattern: RegExp) => (line: string) => pattern.test(codeOf(line))
const inText = (pattern: RegExp) => (line: string) => pattern.test(line)

// Assembled, so that this file does not break its own rule.
const LEFTOVER = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`)

const RULES: readonly Rule[] = [
  {
    // Known answers are copied as their sources print them.
    applies: (file) => isCode(file) && !file.startsWith('test/vectors/'),
    broken: (line) => [...line].length > LINE_COLUMNS && !line.includes('https://'),
    message: `longer than ${LINE_COLUMNS} columns; break the line or shorten the comment`,
  },
  {
    applies: isText,
    broken: inText(LEFTOVER),
    message: 'unfinished work: finish it, or say in a sentence what is missing and why that is right',
  },
  {
    applies: isText,
    broken: inText(/\bissues? #\d/i),
    message: 'a tracker number says nothing to a reader: give the reason itself',
  },
  {
    applies: isText,
    broken: inText(/(^|[\s'"`(=])\/(home|root|work|Users)\/\w/),
    message: 'a path of one machine: make it relative, or an argument',
  },
  {
    applies: isPure,
    broken: inCode(/\bMath\b(?!\.)/),
    message: 'Math as a value escapes the check of its functions: write Math.name, or use sim/math.ts',
  },
  {
    applies: isPure,
    broken: inCode(/\.toSorted\(\)/),
    message: 'toSorted() without a comparator sorts by text: pass one',
  },
  {
    applies: isWaitless,
    broken: inCode(/\basync\b|\bPromise\.|\bnew Promise\b/),
    message: 'the core never waits: start a job (core/io.ts) and go on in jobDone',
  },
]

/** Findings in one file; `file` is relative to the root of the repository, with forward slashes. */
export function checkText(file: string, text: string): Finding[] {
  const rules = RULES.filter((rule) => rule.applies(file))
  const findings: Finding[] = []
  for (const [index, line] of text.split('\n').entries()) {
    for (const rule of rules) {
      if (rule.broken(line)) findings.push({ file, line: index + 1, message: rule.message })
    }
  }
  if (/^(core|sim|drivers|viz)\/.*\.ts$/.test(file) && !text.startsWith('/**')) {
    findings.push({
      file,
      line: 1,
      message: 'open with a comment: what this knows and what it must not know',
    })
  }
  return findings
}

/** Where files may lie: fixed folders, and only data in scenarios. */
export function checkPath(file: string): Finding[] {
  const top = file.split('/')[0] as string
  if (file.includes('/') && !top.startsWith('.') && !FOLDERS.has(top)) {
    return [{ file, line: 1, message: `top-level folders are ${[...FOLDERS].join(', ')}; move it into one` }]
  }
  if (top === 'scenarios' && isCode(file)) {
    return [{ file, line: 1, message: 'scenarios holds data only; code belongs to sim' }]
  }
  return []
}

/** Dependencies are pinned: an update is a commit, not a surprise. */
export function checkManifest(text: string): Finding[] {
  const manifest = JSON.parse(text) as Record<'dependencies' | 'devDependencies', Record<string, string>>
  const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
  return all
    .filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => ({
      file: 'package.json',
      line: 1,
      message: `${name} is "${version}"; pin one version: npm install --save-exact ${name}`,
    }))
}

/** All findings of the tree. */
export function checkTree(): Finding[] {
  return filesBelow('').flatMap((file) => {
    if (!TEXT.has(extname(file)) || file === 'package-lock.json') return checkPath(file)
    const text = readFileSync(join(REPOSITORY, file), 'utf8')
    const manifest = file === 'package.json' ? checkManifest(text) : []
    return [...checkPath(file), ...checkText(file, text), ...manifest]
  })
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(REPOSITORY, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder ? `${folder}/${entry.name}` : entry.name
    // In a linked worktree .git is a file.
    if (IGNORED.has(path)) return []
    if (entry.isFile()) return [path]
    return entry.isDirectory() ? filesBelow(path) : []
  })
}

if (import.meta.main) {
  const findings = checkTree()
  for (const { file, line, message } of findings) console.error(`${file}:${line}: ${message}`)
  if (findings.length > 0) process.exitCode = 1
}
