/**
 * Graph Modelling Language (Himsolt 1997) as the Internet Topology Zoo and Shadow write it: a list of
 * keys and values, values being numbers, quoted texts or lists in square brackets.
 */
import { refuse, shown } from './error.ts'
import { buildGraph, type Graph, plainText, type RawItem } from './graph.ts'

interface Token {
  readonly kind: 'word' | 'text' | '[' | ']'
  readonly text: string
  readonly line: number
}

const LEXEME = /"([^"]*)"|([[\]])|([^\s[\]"]+)/g

/** Reads the first graph of the text. Keys it does not know are passed over. Throws DataError. */
export function readGml(text: string, source: string): Graph {
  const tokens = tokenise(text, source)
  let at = 0
  while (at < tokens.length && tokens[at]?.text !== 'graph') at++
  const open = tokens[at + 1]
  if (open?.kind !== '[') {
    refuse({ source, line: tokens.at(-1)?.line ?? 1 }, 'holds no "graph [ … ]"; is it a GML file?')
  }
  const nodes: RawItem[] = []
  const edges: RawItem[] = []
  at += 2
  while (tokens[at]?.kind !== ']') {
    const key = wordAt(tokens, at, open, source)
    const value = tokens[at + 1]
    if (value?.kind === '[' && (key.text === 'node' || key.text === 'edge')) {
      const { fields, end } = readFields(tokens, at + 2, value, source)
      ;(key.text === 'node' ? nodes : edges).push({ line: key.line, fields })
      at = end
    } else at = afterValue(tokens, at + 1, key, source)
  }
  return buildGraph(source, nodes, edges)
}

function tokenise(text: string, source: string): Token[] {
  const tokens: Token[] = []
  let line = 1
  let from = 0
  for (const match of text.matchAll(LEXEME)) {
    // Between lexemes there are only blanks, and the quotes that find no partner.
    for (let at = from; at < match.index; at++) {
      if (text[at] === '\n') line++
      else if (text[at] === '"') refuse({ source, line }, 'opens a quoted text that never ends; close it')
    }
    from = match.index + match[0].length
    const [whole, quoted, bracket] = match
    if (quoted !== undefined) tokens.push({ kind: 'text', text: plainText(quoted), line })
    else tokens.push({ kind: bracket === undefined ? 'word' : (bracket as '[' | ']'), text: whole, line })
    for (const character of whole) if (character === '\n') line++
  }
  if (text.indexOf('"', from) >= 0) refuse({ source, line }, 'opens a quoted text that never ends; close it')
  return tokens
}

function wordAt(tokens: readonly Token[], at: number, opened: Token, source: string): Token {
  const token = tokens[at]
  if (token === undefined)
    refuse({ source, line: opened.line }, 'opens a list that never ends; close it with ]')
  if (token.kind !== 'word') {
    refuse({ source, line: token.line }, `${shown(token.text)} stands where a key must; mend the line`)
  }
  return token
}

/** The plain fields of a list, and where it ends; the first of a key counts. `from` is behind its bracket. */
function readFields(
  tokens: readonly Token[],
  from: number,
  opened: Token,
  source: string,
): { fields: Map<string, string>; end: number } {
  const fields = new Map<string, string>()
  let at = from
  while (tokens[at]?.kind !== ']') {
    const key = wordAt(tokens, at, opened, source)
    const value = tokens[at + 1]
    if (value !== undefined && value.kind !== '[' && !fields.has(key.text)) fields.set(key.text, value.text)
    at = afterValue(tokens, at + 1, key, source)
  }
  return { fields, end: at + 1 }
}

function afterValue(tokens: readonly Token[], at: number, key: Token, source: string): number {
  const value = tokens[at]
  if (value === undefined || value.kind === ']') {
    refuse({ source, line: key.line }, `the key ${shown(key.text)} has no value; give it one or remove it`)
  }
  if (value.kind !== '[') return at + 1
  let depth = 1
  let end = at + 1
  for (; depth > 0; end++) {
    const token = tokens[end]
    if (token === undefined)
      refuse({ source, line: value.line }, 'opens a list that never ends; close it with ]')
    if (token.kind === '[') depth++
    else if (token.kind === ']') depth--
  }
  return end
}
