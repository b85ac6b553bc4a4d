/** From one node of a picture to another, by keys. */
import { NODE, type Picture } from '../source/source.ts'

export type Step = 'next' | 'previous' | 'upper' | 'lower'

/** The next node that is up, or the one above or below; undefined if there is none. `node`: −1 for none. */
export function nodeFrom(picture: Picture, node: number, to: Step): number | undefined {
  const count = picture.states.length
  if (to === 'upper' || to === 'lower') {
    const found = to === 'upper' ? picture.uppers[node] : picture.uppers.indexOf(node)
    return found !== undefined && found >= 0 && node >= 0 ? found : undefined
  }
  const direction = to === 'next' ? 1 : count - 1
  let at = node < 0 ? (to === 'next' ? count - 1 : 0) : node
  for (let tries = 0; tries < count; tries++) {
    at = (at + direction) % count
    if (((picture.states[at] as number) & NODE.up) !== 0) return at
  }
  return undefined
}
