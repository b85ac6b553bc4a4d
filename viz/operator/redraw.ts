/** Puts what changed in the place of what was, and leaves the keyboard where it is. */
import { make } from '../parts/elements.ts'

const drawn = new WeakMap<HTMLElement, string>()

/** A button that goes between the press and the release is never clicked: whoever presses is waited for. */
let isPressed = false
const press = (to: boolean) => (): void => {
  isPressed = to
}
document.addEventListener('pointerdown', press(true), true)
for (const end of ['pointerup', 'pointercancel']) document.addEventListener(end, press(false), true)

/**
 * `from`: what it is drawn from; nothing happens while that is the same, or somebody presses a button: the
 * next look at the node comes soon.
 */
export function redraw(place: HTMLElement, from: unknown, draw: () => Node): void {
  const key = JSON.stringify(from)
  if ((isPressed || drawn.get(place) === key) && place.hasChildNodes()) return
  drawn.set(place, key)
  const focused = place.contains(document.activeElement)
    ? (document.activeElement as HTMLElement).dataset['key']
    : undefined
  place.replaceChildren(draw())
  if (focused !== undefined) place.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus()
}

/** A button of a row: `key` names it among all of the place. */
export function rowButton(text: string, key: string, says: string, pressed: () => void): HTMLButtonElement {
  const button = make('button', { type: 'button', 'data-key': key, 'aria-label': says }, text)
  button.addEventListener('click', pressed)
  return button
}
