/** Puts what changed in the place of what was, and leaves the keyboard where it is. */
import { make } from '../parts/elements.ts'

const drawn = new WeakMap<HTMLElement, string>()

/** `from`: what it is drawn from; nothing happens while that is the same. */
export function redraw(place: HTMLElement, from: unknown, draw: () => Node): void {
  const key = JSON.stringify(from)
  if (drawn.get(place) === key && place.hasChildNodes()) return
  drawn.set(place, key)
  const focused = place.contains(document.activeElement)
    ? (document.activeElement as HTMLElement).dataset['key']
    : undefined
  place.replaceChildren(draw())
  if (focused !== undefined) place.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus()
}

/** A button of a row: `key` names it among all of the place. */
export function rowButton(text: string, key: string, says: string, press: () => void): HTMLButtonElement {
  const button = make('button', { type: 'button', 'data-key': key, 'aria-label': says }, text)
  button.addEventListener('click', press)
  return button
}
