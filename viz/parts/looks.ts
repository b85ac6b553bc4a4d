/** The form of layers, colours and VLAN: shows how things are looked at, and reads how they shall be. */
import { COLOURS, LAYERS, type Place } from '../model/address.ts'
import type { Looks } from '../paint/scene.ts'
import type { About } from '../source/source.ts'
import { make } from './elements.ts'
import { page } from './page.ts'

export function showLooks({ layers, colour }: Place): void {
  page.colour.value = colour
  for (const box of boxes()) box.checked = layers.some((layer) => layer === box.value)
}

export function showVlans(about: About, vlan: number): void {
  const options = about.vlans.map(({ members, hasEpochs, label }, index) =>
    make(
      'option',
      { value: String(index) },
      label ?? `${index}: ${members.length} members${hasEpochs ? ', MLS' : ''}`,
    ),
  )
  page.vlan.replaceChildren(make('option', { value: '-1' }, 'none'), ...options)
  page.vlan.value = String(vlan)
}

/** Whoever asks for epochs is given a VLAN that has them. */
export function readLooks(about: About | undefined): Omit<Looks, 'node'> {
  const on = boxes()
    .filter(({ checked }) => checked)
    .map(({ value }) => value)
  let vlan = Number(page.vlan.value)
  const colour = COLOURS.find((each) => each === page.colour.value) ?? 'role'
  if (colour === 'epoch' && about?.vlans[vlan]?.hasEpochs !== true) {
    const first = about?.vlans.findIndex(({ hasEpochs }) => hasEpochs) ?? -1
    if (first >= 0) vlan = first
    page.vlan.value = String(vlan)
  }
  return { layers: LAYERS.filter((layer) => on.includes(layer)), vlan, colour }
}

export function toggleLayer(name: string): void {
  page.looks.querySelector<HTMLInputElement>(`input[value="${name}"]`)?.click()
}

function boxes(): HTMLInputElement[] {
  return [...page.looks.querySelectorAll<HTMLInputElement>('input[name="layer"]')]
}
