/** What shapes and colours mean now, and only those that can be there. */
import { EPOCHS_SHOWN, newestEpochs } from '../model/epochs.ts'
import { plural } from '../model/text.ts'
import { epochColour, PALETTES, rampColour } from '../paint/palette.ts'
import { FULL, type Looks } from '../paint/scene.ts'
import { type About, NODE, type Picture } from '../source/source.ts'
import { make } from './elements.ts'

const RAMP = [0, 0.25, 0.5, 0.75, 1] as const

export function showLegend(
  place: HTMLElement,
  picture: Picture,
  about: About,
  looks: Looks,
  theme: 'light' | 'dark',
): void {
  const palette = PALETTES[theme]
  const items: HTMLElement[] = []
  const dot = (fill: string): string => `<circle cx="12" cy="8" r="5" fill="${fill}"/>`
  const line = (colour: string, width: number, more = ''): string =>
    `<line x1="1" y1="8" x2="23" y2="8" stroke="${colour}" stroke-width="${width}" ${more}/>`
  const isMeasured = looks.colour === 'latency' || looks.colour === 'loss'
  const ramp = (): string =>
    RAMP.map(
      (share, at) =>
        `<rect x="${at * 4.8}" y="3" width="4.8" height="10" fill="${rampColour(share, theme)}"/>`,
    ).join('')
  const say = (drawing: string, text: string): void => {
    const drawn = make('span', { 'aria-hidden': 'true' })
    drawn.innerHTML = `<svg viewBox="0 0 24 16">${drawing}</svg>`
    items.push(make('li', {}, drawn, text))
  }
  if (looks.colour === 'role' || isMeasured)
    say(`<path d="M12 1L19 8L12 15L5 8Z" fill="${palette.root}"/>`, 'root: the top of the tree')
  if (looks.vlan >= 0 && looks.colour !== 'epoch') say(dot(palette.member), `member of VLAN ${looks.vlan}`)
  else if (looks.colour === 'role') {
    say(dot(palette.relay), 'has nodes below it')
    say(dot(palette.node), 'has none')
  }
  say(
    `<rect x="7.5" y="3.5" width="9" height="9" fill="${palette.node}"/>`,
    'square: a contact that others begin with',
  )
  if (looks.layers.includes('down') || picture.states.some((state) => (state & NODE.gone) !== 0))
    say(
      `<path d="M8 4L16 12M16 4L8 12" stroke="${palette.down}" stroke-width="1.5"/>`,
      looks.layers.includes('down') ? 'down' : 'went down within 30 s',
    )
  if (looks.vlan >= 0) say(line(palette.member, 3), `carries VLAN ${looks.vlan}`)
  if (
    looks.layers.includes('tree') &&
    (looks.colour === 'role' || looks.colour === 'load' || looks.colour === 'epoch')
  )
    say(line(looks.vlan >= 0 ? palette.faint : palette.tree, 1.6), 'link of the tree')
  if (looks.layers.includes('trunks') && !isMeasured) say(line(palette.trunk, 1), 'other trunk')
  if (picture.cut.includes(1)) say(line(palette.alarm, 1.4, 'stroke-dasharray="4 3"'), 'cut by a partition')
  if (picture.sides.some((side) => side > 0))
    say(
      `${dot(palette.node)}<circle cx="12" cy="8" r="7" fill="none" stroke="${palette.alarm}"/>`,
      'on another side of a partition',
    )
  if (looks.colour === 'latency') say(ramp(), `round trip, 0 to ${FULL.latency} ms`)
  if (looks.colour === 'loss') say(ramp(), `loss, 0 to ${FULL.loss * 100} %`)
  if (looks.colour === 'load') say(ramp(), `load, 0 to ${FULL.load}`)
  if (looks.colour === 'epoch') {
    const epochs = newestEpochs(picture.epochs)
    for (const { epoch, members } of epochs.slice(0, EPOCHS_SHOWN))
      say(
        dot(epochColour(epoch)),
        `epoch ${picture.epochNames[epoch] ?? epoch}: ${plural(members, 'member')}`,
      )
    if (epochs.length > EPOCHS_SHOWN) say('', `and ${epochs.length - EPOCHS_SHOWN} more`)
    if (epochs.length === 0)
      say(
        '',
        about.vlans[looks.vlan]?.hasEpochs === true
          ? 'nobody is in an epoch'
          : 'choose a VLAN that has epochs',
      )
  }
  place.replaceChildren(...items)
}
