/** The two forms that ask for a run beside the first one: a branch of it, or another run. */
import type { Change, ChangeKind } from '../model/change.ts'
import type { Second } from '../model/second.ts'
import { KNOWN } from '../scenarios.ts'
import { editText } from './editor.ts'
import { element, make } from './elements.ts'

/** Which fields a change needs. */
const FIELDS: Readonly<Record<ChangeKind, readonly ('node' | 'other' | 'loss')[]>> = {
  kill: ['node'],
  link: ['node', 'other'],
  apart: ['node'],
  heal: [],
  loss: ['loss'],
}

export interface Asking {
  /** Of the first run: its moment, the chosen node, and who is above that in the tree; −1 for none. */
  now(): { readonly at: number; readonly node: number; readonly upper: number; readonly nodes: number }
  /** The first run's scenario, and what it is called. */
  scenario(): { readonly name: string; readonly text: string; readonly seed: number }
  open(second: Second): void
}

export function listenToAsking(asking: Asking): void {
  listenToBranching(asking)
  listenToComparing(asking)
}

function listenToBranching(asking: Asking): void {
  const place = element('branching', HTMLDetailsElement)
  const kind = element('change', HTMLSelectElement)
  const fields = {
    node: element('changeNode', HTMLInputElement),
    other: element('changeOther', HTMLInputElement),
    loss: element('changeLoss', HTMLInputElement),
  }
  const show = (): void => {
    for (const [name, field] of Object.entries(fields)) {
      const isNeeded = FIELDS[kind.value as ChangeKind].some((each) => each === name)
      ;(field.parentElement as HTMLElement).hidden = !isNeeded
      field.disabled = !isNeeded
    }
  }
  kind.addEventListener('change', show)
  show()
  place.addEventListener('toggle', () => {
    const { node, upper, nodes } = asking.now()
    fields.node.max = String(nodes - 1)
    fields.other.max = String(nodes - 1)
    if (node >= 0) fields.node.value = String(node)
    if (upper >= 0) fields.other.value = String(upper)
  })
  place.querySelector('form')?.addEventListener('submit', (event) => {
    event.preventDefault()
    const change = changeOf(
      kind.value as ChangeKind,
      fields.node.valueAsNumber,
      fields.other.valueAsNumber,
      Math.round(fields.loss.valueAsNumber * 1e4) / 1e6,
    )
    asking.open({ kind: 'branch', at: asking.now().at, change })
  })
}

function changeOf(kind: ChangeKind, node: number, other: number, share: number): Change {
  switch (kind) {
    case 'kill':
    case 'apart':
      return { kind, node }
    case 'link':
      return { kind, a: node, b: other }
    case 'heal':
      return { kind }
    case 'loss':
      return { kind, share }
  }
}

function listenToComparing(asking: Asking): void {
  const place = element('comparing', HTMLDetailsElement)
  const scenario = element('compareScenario', HTMLSelectElement)
  const seed = element('compareSeed', HTMLInputElement)
  const SAME = 'this one'
  scenario.replaceChildren(
    ...[SAME, ...KNOWN.map(({ name }) => name)].map((name) => make('option', {}, name)),
  )
  const other = (name: string, edited: string | undefined): void =>
    asking.open({ kind: 'other', scenario: name, edited, seed: seed.valueAsNumber })
  place.querySelector('form')?.addEventListener('submit', (event) => {
    event.preventDefault()
    const first = asking.scenario()
    if (scenario.value !== SAME) other(scenario.value, undefined)
    else other(first.name, first.name === 'edited' ? first.text : undefined)
  })
  element('compareEdit', HTMLButtonElement).addEventListener('click', () => {
    const text = KNOWN.find(({ name }) => name === scenario.value)?.text ?? asking.scenario().text
    editText(text, (edited) => other('edited', edited))
  })
}
