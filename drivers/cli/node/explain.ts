/** `peertap explain` and `peertap trace`: why frames go where they go, and why some go nowhere. */
import { createInterface } from 'node:readline'
import { short } from '../../control/names.ts'
import type { Outcome } from '../../control/outcome.ts'
import type { Explanation } from '../../node/explain.ts'
import { carriedBy, type NodeStatus } from '../../node/views.ts'
import { EXIT } from '../exit.ts'
import type { Verb } from '../flags.ts'
import { tableLines } from '../table.ts'
import { clientOf, NODE_FLAGS, showOutcome } from './line.ts'
import { nameOf } from './status-lines.ts'

export const explainVerb: Verb = {
  words: ['explain'],
  describe: 'Say where a frame to a member or a group goes from here, and why, or what would drop it',
  arguments: [
    { name: 'to', describe: 'A MAC, the first digits of a member key, or an IP address, of a group too' },
  ],
  flags: { ...NODE_FLAGS, vlan: { kind: 'text', describe: 'In which VLAN (default: the only one)' } },
  run: async (given) => {
    const client = await clientOf(given)
    const outcome = (await client.ask('explain', [
      given.argument('to'),
      given.text('vlan'),
    ])) as Outcome<Explanation>
    const status = (await client.get('/v1/status')) as NodeStatus
    return showOutcome(given, outcome, (value) => explainLines(value, status))
  },
}

export const traceVerb: Verb = {
  words: ['trace'],
  describe: 'Name the reason of each frame and packet that is dropped here, until interrupted',
  flags: { socket: NODE_FLAGS.socket },
  run: async (given) => {
    const client = await clientOf(given)
    const stream = await client.stream('/v1/logs?follow=1&recent=0')
    await client.post('/v1/trace', { on: true })
    const lines = createInterface({ input: stream })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => lines.close())
    for await (const line of lines) if (isTrace(line)) console.log(line)
    stream.destroy()
    await client.post('/v1/trace', { on: false })
    return EXIT.ok
  },
}

function isTrace(line: string): boolean {
  try {
    return (JSON.parse(line) as { module?: unknown }).module === 'trace'
  } catch {
    return false
  }
}

/** The peers that get a copy of a frame, and how. */
export function wayWords({ next }: Explanation, status: NodeStatus): string[] {
  return next.map(({ link, peer, way }) => {
    const view = status.links.find((each) => each.link === link)
    const trunk = status.trunks.find((each) => each.link === link)
    const name = peer === undefined ? `link ${link}` : nameOf(status, peer)
    const rtt = view === undefined ? '' : `, ${(view.rttMicros / 1_000).toFixed(2)} ms away`
    const how = trunk === undefined ? '' : ` by ${carriedBy(trunk)}${trunk.relayed ? ', relayed' : ''}`
    return `${way} to ${name}${how}${rtt}`
  })
}

function explainLines(value: Explanation, status: NodeStatus): string[] {
  const { label, vlan, group, member, mac, token, epoch, mtu, why, drop } = value
  const ways = wayWords(value, status)
  const rows = [
    ['vlan', `${label} ${short(vlan)}, epoch ${epoch}`],
    ['to', group ? `${mac}, a group` : member === undefined ? mac : `${mac}, member ${short(member)}`],
    ['interface', value.interface === undefined ? 'none' : `${value.interface}, MTU ${mtu}`],
    ['token', token ?? 'none yet'],
    ['next', ways.length === 0 ? 'nobody' : ways.join('; ')],
    ['why', why],
    ['drops', drop ?? 'no rule here'],
  ]
  return tableLines(rows, ['left', 'left'], 0)
}
