/** All that says in words, tables and curves what the picture shows. */
import { clock } from '../model/text.ts'
import type { Looks } from '../paint/scene.ts'
import type { Shown } from '../shown.ts'
import type { Happening } from '../source/source.ts'
import { showLegend } from './legend.ts'
import { page } from './page.ts'
import { showHappenings, showNodes, summaryOf } from './tables.ts'
import type { Beside, Timeline } from './timeline.ts'

export interface Reader {
  choose(node: number): void
  seek(happening: Happening): void
}

/** A table in which somebody is with the keyboard stays as it is. */
export function showReport(
  { picture, about, history }: Shown,
  timeline: Timeline,
  looks: Looks,
  theme: 'light' | 'dark',
  reader: Reader,
  beside?: Beside,
): void {
  if (picture === undefined || about === undefined) return
  page.clock.textContent = clock(picture.at)
  page.digest.textContent = picture.digest
  page.digest.dataset['at'] = String(picture.at)
  timeline.draw(about, history, picture.at, theme, beside)
  showLegend(page.legend, picture, about, looks, theme)
  page.summary.textContent = summaryOf(picture, about)
  page.mesh.setAttribute('aria-label', `The mesh at ${clock(picture.at)}`)
  const list = page.happenings.querySelector('ol') as HTMLElement
  if (page.happenings.open && !list.contains(document.activeElement))
    showHappenings(list, history, (happening) => reader.seek(happening))
  const rows = page.nodes.querySelector('.scroll') as HTMLElement
  if (page.nodes.open && !rows.contains(document.activeElement))
    showNodes(rows, picture, about, (node) => reader.choose(node))
}
