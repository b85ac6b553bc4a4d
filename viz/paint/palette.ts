/**
 * Colours of the picture, light and dark. Those that mean something are Okabe and Ito's, which people
 * with any colour vision tell apart (2008); what they mean is also said by shape, width or text.
 */
import { interpolateCividis } from 'd3'

export interface Palette {
  readonly ground: string
  readonly ink: string
  readonly faint: string
  readonly trunk: string
  readonly tree: string
  readonly node: string
  readonly relay: string
  readonly root: string
  readonly down: string
  readonly member: string
  readonly alarm: string
  readonly chosen: string
  /** Of the run beside the first: its curves, and where the two differ. */
  readonly other: string
}

export const PALETTES: Readonly<Record<'light' | 'dark', Palette>> = {
  light: {
    ground: '#ffffff',
    ink: '#1b1f24',
    faint: '#d4d9df',
    trunk: '#c2c9d1',
    tree: '#0072b2',
    node: '#8a949f',
    relay: '#0072b2',
    root: '#d55e00',
    down: '#b3bac2',
    member: '#007a5a',
    alarm: '#c2410c',
    chosen: '#1b1f24',
    other: '#a3437c',
  },
  dark: {
    ground: '#12161b',
    ink: '#e8ebee',
    faint: '#2d343c',
    trunk: '#3c454f',
    tree: '#56b4e9',
    node: '#8994a0',
    relay: '#56b4e9',
    root: '#e69f00',
    down: '#59636e',
    member: '#2fc294',
    alarm: '#ff8a4c',
    chosen: '#ffffff',
    other: '#e29ac6',
  },
}

/** Epochs of a VLAN, in the order they were seen, over and over. */
const EPOCHS = ['#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#0072b2', '#d55e00', '#f0e442'] as const

export function epochColour(epoch: number): string {
  return EPOCHS[epoch % EPOCHS.length] as string
}

/** From little to much, 0 to 1, on either ground. */
export function rampColour(share: number, theme: 'light' | 'dark'): string {
  const within = Math.min(1, Math.max(0, share))
  // The end that would vanish in the ground is left out.
  return interpolateCividis(theme === 'dark' ? 0.3 + 0.7 * within : 0.85 * (1 - within))
}
