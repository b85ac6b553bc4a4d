/** What can be saved of a run that is shown, by the name that the page's menu gives it. */
import { save } from '../files.ts'
import { clock, titleOf } from '../model/text.ts'
import type { Scene } from '../paint/scene.ts'
import { svgOf } from '../paint/svg.ts'
import type { Stage } from '../parts/stage.ts'
import { summaryOf } from '../parts/tables.ts'
import type { Shown } from '../shown.ts'
import { csvOf } from './csv.ts'
import { dotOf, graphmlOf } from './graphs.ts'

/** Of a PNG: pixels for a unit of the scene. */
const PNG_SCALE = 2

/** Throws Error with what to do when there is no run. */
export async function exportRun(
  what: string,
  { picture, about, history }: Shown,
  scene: Scene | undefined,
  stage: Stage,
): Promise<void> {
  if (picture === undefined || about === undefined || scene === undefined)
    throw new Error('there is nothing to export yet; open a scenario first')
  const name = `${titleOf(about).replace(', seed ', '-')}-${picture.at.toFixed(3)}s`
  const title = `${titleOf(about)}, at ${clock(picture.at)}: ${summaryOf(picture, about)}`
  if (what === 'svg') save(`${name}.svg`, svgOf(scene, title), 'image/svg+xml')
  else if (what === 'png') save(`${name}.png`, await stage.png(scene, PNG_SCALE), 'image/png')
  else if (what === 'csv') save(`${name}.csv`, csvOf(history.samples), 'text/csv')
  else if (what === 'graphml') save(`${name}.graphml`, graphmlOf(picture, about), 'application/xml')
  else save(`${name}.dot`, dotOf(picture, about), 'text/vnd.graphviz')
}
