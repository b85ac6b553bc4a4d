/** The picture in words and tables, for whoever does not see it: and events, and what came of the run. */
import { formatLimit, formatNumber, type RunResult } from '../../sim/results.ts'
import type { History } from '../model/history.ts'
import { clock, plural } from '../model/text.ts'
import { type About, type Happening, NODE, type Picture } from '../source/source.ts'
import { make, table } from './elements.ts'
import { nodeButton } from './detail.ts'

/** Rows of a table that a person pages through. */
const ROWS_MAX = 1_000
/** Events that are listed; all that are kept are on the timeline. */
const EVENTS_SHOWN = 60

/** A sentence that says what the picture shows. */
export function summaryOf(picture: Picture, about: About): string {
  const up = picture.states.reduce((sum, state) => sum + (state & NODE.up), 0)
  const attached = picture.uppers.reduce((sum, upper) => sum + (upper >= 0 ? 1 : 0), 0)
  const cut = picture.cut.reduce((sum, each) => sum + each, 0)
  const root = picture.root < 0 ? 'no root' : `root ${picture.root}`
  const parts = [
    `${up} of ${about.nodes} nodes up`,
    plural(picture.cut.length, 'trunk'),
    `${attached} with an upper`,
    root,
  ]
  if (cut > 0) parts.push(`${plural(cut, 'trunk')} cut`)
  return `${parts.join(', ')}.`
}

export function showNodes(place: HTMLElement, picture: Picture, about: About, choose: (node: number) => void): void {
  const degree = new Int32Array(about.nodes)
  for (const node of picture.links) degree[node] = (degree[node] as number) + 1
  const rows = Array.from({ length: Math.min(ROWS_MAX, about.nodes) }, (_, node) => {
    const state = picture.states[node] as number
    const upper = picture.uppers[node] as number
    return [
      nodeButton(node, choose),
      stateOf(state, picture.root === node),
      upper < 0 ? '' : nodeButton(upper, choose),
      String(degree[node]),
    ]
  })
  const more = about.nodes > ROWS_MAX ? `, the first ${ROWS_MAX} of ${about.nodes}` : ''
  place.replaceChildren(table(`Nodes at ${clock(picture.at)}${more}`, ['node', 'is', 'upper', 'trunks'], rows))
}

function stateOf(state: number, isRoot: boolean): string {
  if ((state & NODE.up) === 0) return 'down'
  const words = [isRoot ? 'root' : (state & NODE.relay) !== 0 ? 'relay' : 'leaf']
  if ((state & NODE.contact) !== 0) words.push('contact')
  if ((state & NODE.leaving) !== 0) words.push('leaving')
  if ((state & NODE.hostile) !== 0) words.push('hostile')
  if ((state & NODE.slow) !== 0) words.push('slow')
  return words.join(', ')
}

/** The newest first. */
export function showHappenings(
  place: HTMLElement,
  history: History,
  seek: (happening: Happening) => void,
): void {
  const shown = history.happenings.slice(-EVENTS_SHOWN).toReversed()
  const items = shown.map((happening) => {
    const button = make('button', { type: 'button' }, make('b', {}, clock(happening.at)), ` ${happening.text}`)
    if (happening.kind === 'violation') button.classList.add('wrong')
    button.addEventListener('click', () => seek(happening))
    return make('li', {}, button)
  })
  const older = history.happenings.length + history.dropped - shown.length
  if (older > 0) items.push(make('li', {}, `and ${older} before`))
  if (items.length === 0) items.push(make('li', {}, 'Nothing has happened yet.'))
  place.replaceChildren(...items)
}

export function showResult(place: HTMLDetailsElement, result: RunResult): void {
  const failed = result.bounds.filter(({ ok }) => !ok).length
  const head = result.ok
    ? `Ended: ${result.bounds.length === 0 ? 'nothing wrong was seen' : 'all bounds hold'}`
    : `Ended: ${failed > 0 ? `${plural(failed, 'bound')} failed` : plural(result.violations.length, 'violation')}`
  const summary = place.querySelector('summary') as HTMLElement
  summary.textContent = head
  summary.className = result.ok ? 'right' : 'wrong'
  const rows = result.bounds.map(({ name, value, limit, ok }) => [
    ok ? 'holds' : 'FAILED',
    name,
    value === null ? 'not measured' : formatNumber(value),
    formatLimit(limit),
  ])
  const violations = result.violations
    .slice(0, 20)
    .map(({ atSeconds, kind, detail }) => make('li', {}, `${clock(atSeconds)} ${kind}: ${detail}`))
  ;(place.lastElementChild as HTMLElement).replaceChildren(
    make('p', {}, 'Digest ', make('code', { id: 'finalDigest' }, result.digest)),
    ...(rows.length > 0 ? [table('Bounds', ['', 'name', 'measured', 'limit'], rows)] : []),
    ...(violations.length > 0 ? [make('ul', {}, ...violations)] : []),
  )
  place.hidden = false
  place.open = true
}
