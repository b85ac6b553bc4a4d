/**
 * Lines of the shell at random, by many people who do not know of each other: whatever they do, nothing
 * breaks that must not, and nobody is told of a fault of ours. That all members end in one epoch is not asked
 * here.
 */
import { describe, expect, test } from 'vitest'
import { byBudget } from '../support/requirements.ts'
import { Shell } from '../support/shell.ts'
import { Stream } from '../support/vlan-node.ts'

const NODES = 8
const LINES = 60
const VLANS = ['home', 'work'] as const

/** The next line; `invitations` so far, by VLANs of node0 and node1. */
function lineAt(draw: Stream, invitations: number): string {
  const pick = <T>(list: readonly T[]): T => list[draw.below(list.length)] as T
  const node = (): string => `node${draw.below(NODES)}`
  const guest = (): number => VLANS.length + draw.below(NODES - VLANS.length)
  const alone = pick(['', ' &'])
  const founder = draw.below(VLANS.length)
  const own = VLANS[founder] as string
  const vlan = pick(VLANS)
  switch (draw.below(15)) {
    case 0:
    case 1:
    case 2:
      return `$u${invitations + 1} = node${founder} vlan invite ${own}`
    case 3:
    case 4:
    case 5:
      return `${node()} vlan join $u${1 + draw.below(invitations)} --within ${pick([5, 20])}${alone}`
    case 6:
      return `${node()} vlan leave ${vlan}${alone}`
    case 7:
      return `node${founder} vlan evict ${own} ${node()}${alone}`
    case 8:
      return `crash ${node()}`
    case 9:
      return `start ${node()} ${node()}`
    case 10:
      return pick([`partition ${node()} ${node()}`, 'heal'])
    case 11:
      return `${node()} ping node${founder} --vlan ${own}`
    case 12:
      return `node${founder} vlan ${pick(['admin', 'renew'])} ${own} ${node()}`
    case 13:
      return `node${guest()} vlan remove ${vlan} ${pick(['', '--force'])}`
    default:
      return `${node()} say ${vlan} hello`
  }
}

function swarm(seed: number): { readonly shell: Shell; readonly verbs: ReadonlyMap<string, number> } {
  const shell = new Shell(seed, { seconds: 20_000, nodes: { count: NODES, joinSeconds: 1 } })
  const draw = new Stream(seed)
  const verbs = new Map<string, number>()
  let invitations = 0
  shell.perform('run 10', 'node0 vlan create home', 'node1 vlan create work')
  shell.perform('$u1 = node0 vlan invite home')
  invitations = 1
  for (let left = LINES; left > 0; left--) {
    const line = lineAt(draw, invitations)
    const performed = shell.perform(line)
    if (performed === 'done') {
      if (line.startsWith('$')) invitations += 1
      const verb = (/vlan \w+|ping|say/.exec(line) ?? /^\w+/.exec(line))?.[0] ?? ''
      verbs.set(verb, (verbs.get(verb) ?? 0) + 1)
    }
    if (draw.below(3) === 0) shell.perform(`run ${1 + draw.below(10)}`)
  }
  shell.perform('heal', ...Array.from({ length: NODES }, (_, node) => `start node${node}`))
  shell.session.finish()
  shell.perform('run 60', 'status')
  return { shell, verbs }
}

describe('people who do not know of each other', () => {
  test('break nothing, whatever they ask for', () => {
    const all = new Map<string, number>()
    for (let seed = 1; seed <= byBudget(8, 200); seed++) {
      const { shell, verbs } = swarm(seed)
      expect(shell.live.violations, `seed ${seed}`).toEqual([])
      expect(shell.said().at(-1), `seed ${seed}`).toBeDefined()
      for (const [verb, count] of verbs) all.set(verb, (all.get(verb) ?? 0) + count)
    }
    // Each was done, and not only refused.
    expect([...all.keys()].sort()).toEqual([
      'crash',
      'heal',
      'partition',
      'ping',
      'say',
      'start',
      'vlan admin',
      'vlan evict',
      'vlan invite',
      'vlan join',
      'vlan leave',
      'vlan remove',
      'vlan renew',
    ])
  })

  test('are the same people for the same seed', () => {
    expect(swarm(3).shell.live.digest).toBe(swarm(3).shell.live.digest)
  })
})
