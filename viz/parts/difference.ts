/** In words and tables: in what two runs differ, since when, and what was the first that differed. */
import type { Duet } from '../duet.ts'
import { saysBranching } from '../model/change.ts'
import { type Differences, saysEffects } from '../model/difference.ts'
import type { Second } from '../model/second.ts'
import { clock, percent, plural } from '../model/text.ts'
import type { Shown } from '../shown.ts'
import { NODE, type Sample } from '../source/source.ts'
import { nodeButton } from './detail.ts'
import { make, table } from './elements.ts'
import type { Beside } from './timeline.ts'

/** Of links and nodes so many are named. */
const NAMED_MAX = 12

export function nameOf(second: Second): string {
  if (second.kind === 'branch') return `Branch: ${saysBranching(second)}`
  return `Second: ${second.scenario}, seed ${second.seed}`
}

/** Moments at which the two part. */
export function momentsOf({ parting }: Duet, second: Second): Beside['moments'] {
  const { effect, otherAt } = parting
  const moments = second.kind === 'branch' ? [{ at: second.at, text: saysBranching(second) }] : []
  if (effect !== undefined) moments.push({ at: effect.at, text: 'the first difference' })
  else if (otherAt !== undefined) moments.push({ at: otherAt, text: 'here they differ' })
  return moments
}

export function showDifference(
  place: HTMLElement,
  duet: Duet,
  second: Second,
  differences: Differences | undefined,
  choose: (node: number) => void,
  close: () => void,
): void {
  const button = make('button', { type: 'button', id: 'closeSecond' }, 'Close')
  button.addEventListener('click', close)
  const isFocused = document.activeElement?.id === 'closeSecond'
  place.hidden = false
  place.replaceChildren(
    make('div', { class: 'head' }, make('h2', {}, 'Two runs'), button),
    make('p', { class: 'name' }, nameOf(second)),
    make('p', {}, 'Trunks that only one has are thick there; nodes that differ have a ring.'),
    ...partingOf(duet),
    ...(differences === undefined ? [] : topology(differences, choose)),
    figures(duet),
  )
  if (isFocused) button.focus()
}

function partingOf({ parting }: Duet): HTMLElement[] {
  const { past, sameAt, otherAt, effect } = parting
  const lines: HTMLElement[] = []
  if (past?.isSame === true) {
    const text = `One past: at ${clock(past.at)} both have the digest `
    lines.push(make('p', { class: 'right', id: 'past' }, text, make('code', {}, past.digest), '.'))
  } else if (past !== undefined) {
    const text = `The pasts differ: at ${clock(past.at)} the digests are not the same.`
    lines.push(make('p', { class: 'wrong', id: 'past' }, text))
  }
  const first = { id: 'firstDifference' }
  if (effect !== undefined) {
    lines.push(
      make('p', first, `The first difference is at ${effect.at.toFixed(6)} s:`),
      make(
        'dl',
        {},
        ...(['first', 'second'] as const).flatMap((name, index) => [
          make('dt', {}, name),
          make('dd', {}, saysEffects(effect)[index] ?? ''),
        ]),
      ),
    )
  } else if (otherAt !== undefined) {
    const since = sameAt === undefined || sameAt > otherAt ? '' : `after ${clock(sameAt)} and `
    lines.push(make('p', first, `The first difference is ${since}not later than ${clock(otherAt)}.`))
  } else if (sameAt !== undefined) lines.push(make('p', first, `No difference up to ${clock(sameAt)}.`))
  return lines
}

function topology(differences: Differences, choose: (node: number) => void): HTMLElement[] {
  const { onlyFirst, onlySecond, nodes } = differences
  const links = (name: string, pairs: Differences['onlyFirst']): HTMLElement =>
    make(
      'p',
      { id: name === 'first' ? 'onlyFirst' : 'onlySecond' },
      `${plural(pairs.length, 'trunk')} only in the ${name}`,
      pairs.length === 0 ? '.' : `: ${listed(pairs.map(([a, b]) => `${a} – ${b}`))}`,
    )
  const buttons = nodes.slice(0, NAMED_MAX).flatMap((node) => [' ', nodeButton(node, choose)])
  const rest = nodes.length > NAMED_MAX ? [` and ${nodes.length - NAMED_MAX} more`] : []
  return [
    links('first', onlyFirst),
    links('second', onlySecond),
    make(
      'p',
      { id: 'otherNodes' },
      `${plural(nodes.length, 'node')} up, down or attached otherwise`,
      ...buttons,
      ...rest,
    ),
  ]
}

function listed(names: readonly string[]): string {
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : '.'
  return names.slice(0, NAMED_MAX).join(', ') + more
}

function figures({ first, second }: Duet): HTMLElement {
  const row = (name: string, say: (run: Shown) => string): string[] => [name, say(first), say(second)]
  const last = (run: Shown, of: (sample: Sample) => number | undefined): number | undefined => {
    const at = run.picture?.at ?? 0
    const sample = run.history.samples.findLast((each) => each.at <= at && of(each) !== undefined)
    return sample === undefined ? undefined : of(sample)
  }
  const up = (run: Shown): number =>
    run.picture?.states.reduce((sum, state) => sum + (state & NODE.up), 0) ?? 0
  const share = (value: number | undefined): string => (value === undefined ? 'not measured' : percent(value))
  return table(
    'Now',
    ['what', 'first', 'second'],
    [
      row('at', (run) => clock(run.picture?.at ?? 0)),
      row('nodes up', (run) => String(up(run))),
      row('trunks', (run) => String((run.picture?.links.length ?? 0) / 2)),
      row('delivery', (run) => share(last(run, ({ delivery }) => delivery))),
      row('attached', (run) => share(last(run, ({ attached }) => attached))),
      row('control, B/s per node', (run) => String(Math.round(last(run, ({ control }) => control) ?? 0))),
      row('digest', (run) => run.picture?.digest ?? ''),
    ],
  )
}
