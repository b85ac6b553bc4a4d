/** What can be done with the keyboard alone. */
import type { Step } from './model/walk.ts'
import { element, make } from './parts/elements.ts'

export interface Actions {
  toggle(): void
  step(): void
  start(): void
  choose(to: Step): void
  clear(): void
  /** To the tables of the chosen node. */
  read(): void
  /** 0: as it was. */
  zoom(factor: number): void
  layer(name: string): void
  vlan(): void
}

/** As they are listed. */
const KEYS: readonly { readonly keys: string; readonly what: string }[] = [
  { keys: 'Space', what: 'play and pause' },
  { keys: '.', what: 'one step on' },
  { keys: 'Home', what: 'back to the beginning' },
  { keys: '← →', what: 'in the picture: the node before, the next one' },
  { keys: '↑ ↓', what: 'in the picture: the node above in the tree, one below' },
  { keys: 'Enter', what: 'in the picture: to the tables of the chosen node' },
  { keys: 'Esc', what: 'no node is chosen' },
  { keys: '+ - 0', what: 'larger, smaller, all of it' },
  { keys: 't u n d', what: 'tree, trunks, numbers, all that are down: on and off' },
  { keys: 'v', what: 'the next VLAN' },
]

export function listKeys(): void {
  const rows = KEYS.flatMap(({ keys, what }) => [
    make('dt', {}, ...keys.split(' ').flatMap((key) => [make('kbd', {}, key), ' '])),
    make('dd', {}, what),
  ])
  element('keys', HTMLElement)
    .querySelector('dl')
    ?.append(...rows)
}

export function keysOf(canvas: HTMLElement, actions: Actions): void {
  const inPicture: Record<string, () => void> = {
    ArrowRight: () => actions.choose('next'),
    ArrowLeft: () => actions.choose('previous'),
    ArrowUp: () => actions.choose('upper'),
    ArrowDown: () => actions.choose('lower'),
    Enter: () => actions.read(),
  }
  const anywhere: Record<string, () => void> = {
    ' ': () => actions.toggle(),
    '.': () => actions.step(),
    Home: () => actions.start(),
    Escape: () => actions.clear(),
    '+': () => actions.zoom(1.3),
    '-': () => actions.zoom(1 / 1.3),
    '0': () => actions.zoom(0),
    t: () => actions.layer('tree'),
    u: () => actions.layer('trunks'),
    n: () => actions.layer('numbers'),
    d: () => actions.layer('down'),
    v: () => actions.vlan(),
  }
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    const { target } = event
    // Whoever types, or is at something that has keys of its own, means that.
    if (target instanceof Element && target !== canvas) {
      if (target.closest('input, select, textarea, dialog') !== null) return
      if (event.key === ' ' && target.closest('button, summary') !== null) return
    }
    const act = (target === canvas ? inPicture[event.key] : undefined) ?? anywhere[event.key]
    if (act === undefined) return
    event.preventDefault()
    act()
  })
}
