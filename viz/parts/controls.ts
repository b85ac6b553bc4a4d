/** Play, step, speed and the rest of the player's row, and what it says while a run goes on to a moment. */
import { clock } from '../model/text.ts'
import type { Playing } from '../source/source.ts'
import { page } from './page.ts'

export function showPlaying({ playing, at, seeking, done }: Playing, isOpen: boolean): void {
  for (const each of [page.play, page.back, page.vlan]) each.disabled = !isOpen
  for (const each of page.export.querySelectorAll('button')) each.disabled = !isOpen
  page.play.textContent = playing || seeking !== undefined ? 'Pause' : done ? 'Play again' : 'Play'
  page.step.disabled = done || !isOpen
  page.clock.textContent = clock(at)
  page.busy.hidden = seeking === undefined || seeking >= 1
  if (seeking !== undefined) {
    ;(page.busy.firstElementChild as HTMLElement).textContent = `Going on to the moment, at ${clock(at)}`
    ;(page.busy.lastElementChild as HTMLProgressElement).value = seeking
  }
  page.summary.setAttribute('aria-live', playing ? 'off' : 'polite')
}

/** Simulated seconds a second; null for as fast as it goes. */
export function chosenSpeed(): number | null {
  const { value } = page.speed
  return value === 'max' ? null : Number(value)
}
