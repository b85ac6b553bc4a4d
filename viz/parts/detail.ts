/** One node as it sees itself: links, trees, VLANs, groups and counters of the core's own view. */
import type { LinkId, NodeView } from '../../core/io.ts'
import { percent, plural } from '../model/text.ts'
import type { Detail } from '../source/source.ts'
import { make, table } from './elements.ts'

const ROLES = ['', 'upper', 'lower'] as const

/** Digits of an id that tell it from others on one page. */
const SHORT = 8

export function showDetail(
  place: HTMLElement,
  detail: Detail | undefined,
  choose: (node: number) => void,
): void {
  if (detail === undefined) {
    place.replaceChildren(make('p', {}, 'Choose a node in the picture to see its tables.'))
    return
  }
  const { node, view, hidden = 'It is down. It has no tables until it starts again.' } = detail
  const close = make('button', { type: 'button' }, 'Close')
  close.addEventListener('click', () => choose(-1))
  const head = make('div', { class: 'head' }, make('h2', {}, `Node ${node}`), close)
  if (view === undefined) {
    place.replaceChildren(head, make('p', {}, hidden))
    return
  }
  const link = (id: LinkId | undefined): Node | string => {
    const peer = view.links.find((each) => each.link === id)?.peer
    const number = peer === undefined ? undefined : detail.numbers[peer]
    return number === undefined ? '' : nodeButton(number, choose)
  }
  const opened = new Set(
    [...place.querySelectorAll('details[open]')].map((each) => (each as HTMLElement).dataset['part']),
  )
  const part = (name: string, content: HTMLElement): HTMLElement => {
    const folded = make('details', { 'data-part': name }, make('summary', {}, name), content)
    folded.open = opened.has(name)
    return folded
  }
  const scroll = place.closest('aside')?.scrollTop
  place.replaceChildren(
    head,
    factsOf(detail, view),
    linksTable(detail, view, choose),
    table(
      'Trees',
      ['tree', 'root', 'upper', 'depth', 'metric', 'lowers'],
      view.trees.map((tree) => {
        const root = tree.root === undefined ? undefined : detail.numbers[tree.root]
        return [
          String(tree.tree),
          root === undefined ? (tree.root?.slice(0, SHORT) ?? 'none') : nodeButton(root, choose),
          tree.detached ? 'detached' : link(tree.upper),
          String(tree.depth),
          String(tree.metric),
          String(tree.lowers.length),
        ]
      }),
    ),
    table(
      'VLANs',
      ['id', 'member', 'upper', 'lowers', 'tokens'],
      view.vlans.map((vlan) => [
        vlan.vlan.slice(0, SHORT),
        vlan.member ? 'yes' : 'no',
        link(vlan.upper),
        String(vlan.lowers.length),
        String(vlan.tokens),
      ]),
    ),
    ...(view.memberships.length > 0 ? [groupsTable(view)] : []),
    part('Counters', countersTable(view)),
  )
  if (scroll !== undefined) place.closest('aside')?.scrollTo({ top: scroll })
}

function factsOf({ timerSeconds }: Detail, view: NodeView): HTMLElement {
  const facts: [string, string][] = [
    ['key', view.self.slice(0, 16)],
    ['passive peers', String(view.passivePeers)],
    ['next timer', timerSeconds === undefined ? 'none' : `in ${(timerSeconds * 1_000).toFixed(1)} ms`],
  ]
  return make('dl', {}, ...facts.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]))
}

function linksTable(detail: Detail, view: NodeView, choose: (node: number) => void): HTMLElement {
  return table(
    plural(view.links.length, 'link'),
    ['peer', 'is', 'round trip', 'jitter', 'loss', 'load'],
    view.links.map((each) => {
      const number = detail.numbers[each.peer]
      return [
        number === undefined ? each.peer.slice(0, SHORT) : nodeButton(number, choose),
        each.neighbour ? ROLES[each.role] || 'neighbour' : 'greeting',
        `${(each.rttMicros / 1_000).toFixed(1)} ms`,
        `${(each.jitterMicros / 1_000).toFixed(1)} ms`,
        percent(each.loss),
        String(each.load),
      ]
    }),
  )
}

function groupsTable(view: NodeView): HTMLElement {
  return table(
    'Groups',
    ['VLAN', 'is', 'epoch', 'MLS-ID', 'members'],
    view.memberships.map((each) => [
      each.vlan.slice(0, SHORT),
      each.phase,
      String(each.epoch),
      each.mlsId?.slice(0, SHORT) ?? 'none',
      String(each.members.length),
    ]),
  )
}

function countersTable(view: NodeView): HTMLElement {
  const rows = Object.entries(view.counters)
    .filter(([, value]) => value !== 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, String(value)])
  return table('Those above zero', ['counter', 'value'], rows)
}

export function nodeButton(node: number, choose: (node: number) => void): HTMLButtonElement {
  const button = make('button', { type: 'button', 'aria-label': `node ${node}` }, String(node))
  button.addEventListener('click', () => choose(node))
  return button
}
