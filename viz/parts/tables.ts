/** The picture in words and tables, for whoever does not see it: and events, and what came of the run. */
import { formatLimit, formatNumber, type RunResult } from '../../sim/results.ts'
import type { Recorded } from '../files.ts'
import type { History } from '../model/history.ts'
import { clock, plural } from '../model/text.ts'
import { type About, HAPPENING, type Happening, NODE, type Picture } from '../source/source.ts'
import { nodeButton } from './detail.ts'
import { make, table } from './elements.ts'

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
    about.live === undefined ? `${up} of ${about.nodes} nodes up` : `${plural(up, 'node')} in sight`,
    plural(picture.cut.length, 'trunk'),
    `${attached} with an upper`,
    root,
  ]
  if (cut > 0) parts.push(`${plural(cut, 'trunk')} cut`)
  return `${parts.join(', ')}.`
}

export function showNodes(
  place: HTMLElement,
  picture: Picture,
  about: About,
  choose: (node: number) => void,
): void {
  const names = about.live?.names
  const degree = new Int32Array(about.nodes)
  for (const node of picture.links) degree[node] = (degree[node] as number) + 1
  const rows = Array.from({ length: Math.min(ROWS_MAX, about.nodes) }, (_, node) => {
    const state = picture.states[node] as number
    const upper = picture.uppers[node] as number
    return [
      nodeButton(node, choose),
      ...(names === undefined ? [] : [names[node] ?? '']),
      names !== undefined && (state & NODE.up) === 0 ? 'out of sight' : stateOf(state, picture.root === node),
      upper < 0 ? '' : nodeButton(upper, choose),
      String(degree[node]),
    ]
  })
  const more = about.nodes > ROWS_MAX ? `, the first ${ROWS_MAX} of ${about.nodes}` : ''
  place.replaceChildren(
    table(
      `Nodes at ${clock(picture.at)}${more}`,
      ['node', ...(names === undefined ? [] : ['name']), 'is', 'upper', 'trunks'],
      rows,
    ),
  )
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
  const groups = newest(history.happenings)
  const items = groups.map(({ happening, count }) => {
    const text = count === 1 ? happening.text : `${count} nodes ${happening.kind}`
    const button = make('button', { type: 'button' }, make('b', {}, clock(happening.at)), ` ${text}`)
    if (happening.kind === 'violation') button.classList.add('wrong')
    button.addEventListener('click', () => seek(happening))
    return make('li', {}, button)
  })
  const listed = groups.reduce((sum, { count }) => sum + count, 0)
  const older = history.happenings.length + history.dropped - listed
  if (older > 0) items.push(make('li', {}, `and ${older} before`))
  if (items.length === 0) items.push(make('li', {}, 'Nothing has happened yet.'))
  place.replaceChildren(...items)
}

function recordedLine(digest: string, recorded: Recorded): HTMLElement {
  if (digest === recorded.digest)
    return make('p', { class: 'right' }, 'This is the recorded run, effect for effect.')
  return make(
    'p',
    { class: 'wrong' },
    `The recorded run ended with ${recorded.digest}: PeerTap ${recorded.version} ran it, and this version ` +
      'runs it otherwise.',
  )
}

/** The newest first; nodes that start one after another are one line, as are those that stop. */
function newest(
  happenings: readonly Happening[],
): { readonly happening: Happening; readonly count: number }[] {
  const groups: { happening: Happening; count: number }[] = []
  for (const happening of happenings.toReversed()) {
    const last = groups.at(-1)
    const isMany = happening.kind === HAPPENING.start || happening.kind === HAPPENING.stop
    if (isMany && last?.happening.kind === happening.kind) {
      last.count += 1
      last.happening = happening
    } else {
      if (groups.length === EVENTS_SHOWN) break
      groups.push({ happening, count: 1 })
    }
  }
  return groups
}

/** `recorded`: what came of the same run elsewhere. */
export function showResult(
  place: HTMLDetailsElement,
  result: RunResult,
  recorded: Recorded | undefined,
): void {
  const failed = result.bounds.filter(({ ok }) => !ok).length
  const faults =
    failed > 0 ? `${plural(failed, 'bound')} failed` : plural(result.violations.length, 'violation')
  const head = result.ok
    ? `Ended: ${result.bounds.length === 0 ? 'nothing wrong was seen' : 'all bounds hold'}`
    : `Ended: ${faults}`
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
    ...(recorded === undefined ? [] : [recordedLine(result.digest, recorded)]),
    ...(rows.length > 0 ? [table('Bounds', ['verdict', 'name', 'measured', 'limit'], rows)] : []),
    ...(violations.length > 0 ? [make('ul', {}, ...violations)] : []),
  )
  place.hidden = false
  place.open = true
}
