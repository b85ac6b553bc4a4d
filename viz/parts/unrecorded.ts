/** In the place of a node's tables: a recording does not have them, and how they are to be seen. */
import type { RecordedRun } from '../source/source.ts'
import { make } from './elements.ts'

export interface Wishes {
  close(): void
  /** Runs it again, to this moment. */
  rerun(): void
}

/** `version`: of this page. */
export function showUnrecorded(
  place: HTMLElement,
  node: number,
  { marks, version: made }: RecordedRun,
  version: string,
  wishes: Wishes,
): void {
  const has = marks.length === 0 ? 'no tables' : `those of ${marks.join(', ')} alone`
  const parts: HTMLElement[] = [
    make('div', { class: 'head' }, make('h2', {}, `Node ${node}`), button('Close', wishes.close)),
    make('p', {}, `Its tables are not in the recording, which has ${has} (sim run --mark).`),
  ]
  if (made === version) {
    parts.push(
      make('p', {}, 'Run again from its beginning, it goes the same way, and shows all tables.'),
      button('Run it again to this moment', wishes.rerun),
    )
  } else {
    parts.push(
      make('p', {}, `PeerTap ${made} recorded it; this page is ${version} and may not run it the same way.`),
    )
  }
  place.replaceChildren(...parts)
}

function button(text: string, pressed: () => void): HTMLButtonElement {
  const made = make('button', { type: 'button' }, text)
  made.addEventListener('click', pressed)
  return made
}
