/** What a running node notes, as happenings of the picture. */
import type { NodeEvent } from '../../core/io.ts'
import { HAPPENING, type Happening } from './source.ts'

/** `numberOf`: undefined of a peer that has none yet. Undefined for what the picture does not tell. */
export function happeningOf(
  event: NodeEvent,
  at: number,
  node: number,
  numberOf: (peer: string) => number | undefined,
): Happening | undefined {
  const of = (kind: Happening['kind'], text: string): Happening => ({ at, kind, node, text })
  const named = (peer: string): string => {
    const number = numberOf(peer)
    return number === undefined ? `peer ${peer.slice(0, 8)}` : `node ${number}`
  }
  switch (event.kind) {
    case 'neighbourUp':
      return of(HAPPENING.linkUp, `node ${node} has ${named(event.peer)} as a neighbour`)
    case 'neighbourDown':
      return of(HAPPENING.linkDown, `node ${node} has ${named(event.peer)} no more (${event.reason})`)
    case 'rootChanged':
      return of(HAPPENING.root, `node ${node} hangs below ${event.self ? 'itself' : named(event.root)}`)
    case 'detached':
      return of(HAPPENING.cut, `node ${node} has no way up`)
    case 'group':
      if (event.event.kind === 'epoch') {
        const { number, members } = event.event
        return of(HAPPENING.epoch, `node ${node} is in epoch ${number}, of ${members}`)
      }
      return event.event.kind === 'ended'
        ? of(HAPPENING.out, `node ${node} is out of a VLAN (${event.event.why})`)
        : undefined
    case 'vlanRefused':
      return of(HAPPENING.fault, `node ${node} was refused VLAN ${event.vlan.slice(0, 8)} (${event.reason})`)
    case 'versionRefused':
      return of(HAPPENING.fault, `node ${node} met a peer of another version`)
    default:
      return undefined
  }
}
