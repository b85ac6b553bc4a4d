/**
 * A picture as lines, dots and words: what is drawn where, in which colour. Whether that is a canvas or
 * an SVG file is no matter here.
 */
import type { Place } from '../model/address.ts'
import { type About, NODE, type Picture } from '../source/source.ts'
import { epochColour, PALETTES, rampColour } from './palette.ts'

export interface Line {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  readonly colour: string
  readonly width: number
  readonly isDashed: boolean
}

export type Shape = 'circle' | 'ring' | 'square' | 'diamond' | 'cross'

export interface Dot {
  readonly node: number
  readonly x: number
  readonly y: number
  readonly radius: number
  readonly shape: Shape
  readonly fill: string
  readonly edge: string
  readonly edgeWidth: number
}

export interface Words {
  readonly x: number
  readonly y: number
  readonly text: string
  readonly colour: string
}

export interface Scene {
  readonly ground: string
  /** Behind all others: there may be very many of them. */
  readonly back: readonly Line[]
  readonly lines: readonly Line[]
  readonly dots: readonly Dot[]
  readonly words: readonly Words[]
  /** All that are down are asked for, so they have to be in sight too. */
  readonly showsDown: boolean
}

export interface Room {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export type Looks = Pick<Place, 'layers' | 'colour' | 'vlan' | 'node'>

/** Beyond this everything looks as bad: milliseconds, share, and what core/links/load.ts says at most. */
export const FULL = { latency: 400, loss: 0.1, load: 50 } as const

/** Numbers are written on all nodes up to so many, beyond on those that matter. */
const NUMBERED_MAX = 150

export function sceneOf(
  picture: Picture,
  spots: readonly { readonly x: number; readonly y: number }[],
  about: About,
  looks: Looks,
  theme: 'light' | 'dark',
): Scene {
  const members = new Set(about.vlans[looks.vlan]?.members ?? [])
  const { back, lines } = linesOf(picture, spots, looks, theme)
  const dots: Dot[] = []
  for (const [node, spot] of spots.entries()) {
    const isSeen = looks.layers.includes('down') || (picture.states[node] as number) !== 0
    if ((picture.sides[node] as number) > 0 && (picture.states[node] as number) !== 0)
      dots.push(ringOf(node, spot, theme))
    if (isSeen || node === looks.node) dots.push(dotOf(picture, node, spot, looks, members, theme))
  }
  const words: Words[] = []
  const { ink } = PALETTES[theme]
  for (const { node, x, y, radius, shape } of dots) {
    if (shape === 'ring') continue
    const matters = node === looks.node || node === picture.root
    if (!matters && !(looks.layers.includes('numbers') && about.nodes <= NUMBERED_MAX)) continue
    words.push({ x: x + radius + 3, y: y + 3.5, text: String(node), colour: ink })
  }
  return {
    ground: PALETTES[theme].ground,
    back,
    lines,
    dots,
    words,
    showsDown: looks.layers.includes('down'),
  }
}

function linesOf(
  picture: Picture,
  spots: readonly { readonly x: number; readonly y: number }[],
  looks: Looks,
  theme: 'light' | 'dark',
): Pick<Scene, 'back' | 'lines'> {
  const palette = PALETTES[theme]
  const { links, uppers, cut } = picture
  const measured = looks.colour === 'latency' || looks.colour === 'loss' ? looks.colour : undefined
  const values = measured === undefined ? undefined : valuesOf(picture, measured)
  const count = uppers.length
  const carrying = carryingOf(picture, looks.vlan)
  const back: Line[] = []
  const front: Line[] = []
  for (let place = 0; place < cut.length; place++) {
    const [a, b] = [links[place * 2] as number, links[place * 2 + 1] as number]
    const [from, to] = [spots[a], spots[b]]
    if (from === undefined || to === undefined) continue
    const isCut = cut[place] === 1
    const isTree = uppers[a] === b || uppers[b] === a
    const isShown = isTree ? looks.layers.includes('tree') || carrying !== undefined : false
    if (!isShown && !looks.layers.includes('trunks')) continue
    const pair = a * count + b
    const ends = { x1: from.x, y1: from.y, x2: to.x, y2: to.y }
    const value = values?.get(pair)
    if (isCut) front.push({ ...ends, colour: palette.alarm, width: 1, isDashed: true })
    else if (measured !== undefined && value !== undefined) {
      const share = value / FULL[measured]
      const width = (isTree ? 2 : 1) + Math.min(1, share) * 1.5
      ;(isTree ? front : back).push({ ...ends, colour: rampColour(share, theme), width, isDashed: false })
    } else if (carrying?.has(pair) === true)
      front.push({ ...ends, colour: palette.member, width: 3, isDashed: false })
    else if (isTree && looks.layers.includes('tree'))
      front.push({
        ...ends,
        colour: carrying === undefined ? palette.tree : palette.faint,
        width: 1.6,
        isDashed: false,
      })
    else if (looks.layers.includes('trunks'))
      back.push({ ...ends, colour: palette.trunk, width: 0.6, isDashed: false })
  }
  return { back, lines: front }
}

/** Of each pair of nodes what its ends measured. */
function valuesOf({ measures, uppers }: Picture, which: 'latency' | 'loss'): Map<number, number> {
  const values = new Map<number, number>()
  if (measures === undefined) return values
  const { links } = measures
  for (let place = 0; place < links.length / 2; place++) {
    const value = measures[which][place] as number
    if (Number.isNaN(value)) continue
    values.set((links[place * 2] as number) * uppers.length + (links[place * 2 + 1] as number), value)
  }
  return values
}

/** Pairs that carry the chosen VLAN; undefined while none is chosen. */
function carryingOf({ measures, uppers }: Picture, vlan: number): Set<number> | undefined {
  if (vlan < 0) return undefined
  const pairs = new Set<number>()
  const carrying = measures?.carrying ?? []
  for (let place = 0; place < carrying.length; place += 2) {
    const [a, b] = [carrying[place] as number, carrying[place + 1] as number]
    pairs.add(Math.min(a, b) * uppers.length + Math.max(a, b))
  }
  return pairs
}

function dotOf(
  picture: Picture,
  node: number,
  { x, y }: { readonly x: number; readonly y: number },
  looks: Looks,
  members: ReadonlySet<number>,
  theme: 'light' | 'dark',
): Dot {
  const palette = PALETTES[theme]
  const state = picture.states[node] as number
  const isUp = (state & NODE.up) !== 0
  const isRoot = picture.root === node
  const isChosen = looks.node === node
  const isMember = members.has(node)
  const edge = isChosen ? palette.chosen : (state & NODE.hostile) !== 0 ? palette.alarm : palette.ground
  const edgeWidth = isChosen ? 2.5 : (state & NODE.hostile) !== 0 ? 2 : 1
  if (!isUp) {
    const colour = isChosen ? palette.chosen : palette.down
    return { node, x, y, radius: 3.5, shape: 'cross', fill: 'none', edge: colour, edgeWidth: 1.5 }
  }
  const shape: Shape = isRoot ? 'diamond' : (state & NODE.contact) !== 0 ? 'square' : 'circle'
  const radius = isRoot ? 9 : isMember ? 6.5 : (state & NODE.relay) !== 0 ? 5.5 : 4.5
  const fill = fillOf(picture, node, looks, isMember, isRoot, theme)
  return { node, x, y, radius, shape, fill, edge, edgeWidth }
}

/** Around whoever is on another side of a partition than the first node. */
function ringOf(
  node: number,
  { x, y }: { readonly x: number; readonly y: number },
  theme: 'light' | 'dark',
): Dot {
  const edge = PALETTES[theme].alarm
  return { node, x, y, radius: 9.5, shape: 'ring', fill: 'none', edge, edgeWidth: 1 }
}

function fillOf(
  picture: Picture,
  node: number,
  looks: Looks,
  isMember: boolean,
  isRoot: boolean,
  theme: 'light' | 'dark',
): string {
  const palette = PALETTES[theme]
  if (looks.colour === 'load') {
    const load = picture.measures?.load[node] ?? Number.NaN
    return Number.isNaN(load) ? palette.node : rampColour(load / FULL.load, theme)
  }
  if (looks.colour === 'epoch') {
    const epoch = picture.epochs[node] as number
    return epoch >= 0 ? epochColour(epoch) : isMember ? palette.ground : palette.node
  }
  if (isRoot) return palette.root
  if (looks.vlan >= 0) return isMember ? palette.member : palette.faint
  return ((picture.states[node] as number) & NODE.relay) !== 0 ? palette.relay : palette.node
}

/** The room that a whole scene needs, with a margin. */
export function extentOf({ dots }: Scene): Room {
  return roomOf(dots)
}

/** The room to be looked at: whoever went down, and is drawn for a while where it was, widens nothing. */
export function sightOf({ dots, showsDown }: Scene): Room {
  return roomOf(showsDown ? dots : dots.filter(({ shape }) => shape !== 'cross'))
}

function roomOf(dots: readonly Dot[]): Room {
  let [left, right, top, bottom] = [-50, 50, -50, 50]
  for (const { x, y, radius } of dots) {
    left = Math.min(left, x - radius)
    right = Math.max(right, x + radius)
    top = Math.min(top, y - radius)
    bottom = Math.max(bottom, y + radius)
  }
  const margin = 24
  return {
    x: left - margin,
    y: top - margin,
    width: right - left + 2 * margin,
    height: bottom - top + 2 * margin,
  }
}
