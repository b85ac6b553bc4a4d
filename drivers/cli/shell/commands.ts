/**
 * What a line of the shell asks for: at one node (`node3 vlan create home`, `node4 ping node3`), or of the
 * network (`crash node5`, `partition node4 node6`, `heal`, `status`). It begins things; the session waits.
 */
import { UsageError } from '../../../core/errors.ts'
import type { Mac } from '../../../core/ids.ts'
import { parseMac } from '../../../core/ids.ts'
import type { PortId } from '../../../core/io.ts'
import { formatNumber, type Live, nearestName } from '../../../sim/index.ts'
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN } from '../../control/echo.ts'
import { done, type Outcome, Pending, REFUSAL, type Refused, refused } from '../../control/outcome.ts'
import type { SimulatedNode } from '../../control/simulated.ts'
import type { Entered } from '../../control/vlans.ts'
import { type Given, givenBy, type Wording } from '../flags.ts'
import { WIDTH, wrapWords } from '../table.ts'
import { type Answer, VLAN_WORDS } from '../vlan-words.ts'
import { nameOf, nodeDown, type Pinged, type Said, type Station, type Stations } from './stations.ts'
import { type NodeStatus, nodeLines, nodeStatus, statusLines, statusOf } from './status.ts'

/** Something that was begun, and what is said of its result. */
export interface Action {
  readonly pending: Pending<object>
  readonly answer: (value: never) => Answer
}

const ECHOES_MAX = 1_000
const BEFORE = 'NODE'

const PING: Wording = {
  before: BEFORE,
  words: ['ping'],
  describe: 'Send echoes to a member and time them',
  arguments: [{ name: 'to', describe: 'A node, or the first digits of a member key' }],
  flags: {
    vlan: { kind: 'text', describe: 'In which VLAN (default: the only one)' },
    count: { kind: 'text', describe: 'How many, one a second (default 1)' },
    bytes: { kind: 'text', describe: `Length of a frame (default ${FRAME_BYTES_MIN})` },
  },
}
const SAY: Wording = {
  before: BEFORE,
  words: ['say'],
  describe: 'Send one broadcast, and see who hears it',
  arguments: [
    { name: 'vlan', describe: 'Its label, or the first digits of its VLAN-ID' },
    { name: 'text', describe: 'What is said' },
  ],
  flags: {},
}

/** Commands of the network, with what follows them. */
const NETWORK = {
  status: '[NODE]',
  crash: 'NODE...',
  start: 'NODE...',
  leave: 'NODE...',
  partition: 'NODE...',
  heal: '',
} as const

interface Known {
  readonly node: SimulatedNode
  readonly vlan: string
  readonly label: string
}

export class Commands {
  readonly #live: Live
  readonly #nodes: readonly SimulatedNode[]
  readonly #stations: Stations
  /** By the member keys with which nodes came in. */
  readonly #known = new Map<string, Known>()

  constructor(live: Live, nodes: readonly SimulatedNode[], stations: Stations) {
    this.#live = live
    this.#nodes = nodes
    this.#stations = stations
  }

  /** Begins what the words ask for; a UsageError for words that ask for nothing. */
  begin(words: readonly string[]): Action {
    const [first = '', ...rest] = words
    if (first in NETWORK && Object.hasOwn(NETWORK, first))
      return this.#network(first as keyof typeof NETWORK, rest)
    const node = this.#nodeNamed(first)
    if (node !== undefined) return this.#atNode(node, rest)
    const names = [...Object.keys(NETWORK), 'run', 'at', 'wait', 'expect', 'help', 'quit', 'node0']
    const meant = nearestName(first, names)
    throw new UsageError(
      `"${first}" is neither a command nor a node; ` +
        (meant === undefined ? '"help" lists the commands' : `did you mean "${meant}"?`),
    )
  }

  /** `node4` for a member key of that node. */
  nameOf(member: string): string {
    const known = this.#known.get(member)
    return known === undefined ? '' : nameOf(known.node)
  }

  // At a node.

  #atNode(node: SimulatedNode, words: readonly string[]): Action {
    const [verb = '', ...rest] = words
    if (verb === 'vlan') return this.#vlan(node, rest)
    if (verb === 'ping') return this.#guard(node, () => this.#ping(node, givenBy(PING, rest)))
    if (verb === 'say') return this.#guard(node, () => this.#say(node, givenBy(SAY, rest)))
    const what =
      verb === '' ? `${nameOf(node)}: say what to do there` : `"${verb}" is nothing that a node does`
    throw new UsageError(`${what}; write ${nameOf(node)} vlan ..., ${nameOf(node)} ping ..., or say ...`)
  }

  #vlan(node: SimulatedNode, words: readonly string[]): Action {
    const [name = '', ...rest] = words
    const names = VLAN_WORDS.map((word) => word.words[1] as string)
    const word = VLAN_WORDS.find((each) => each.words[1] === name)
    if (word === undefined) {
      const meant = nearestName(name, names)
      const mend = meant === undefined ? `it is one of ${names.join(', ')}` : `did you mean "vlan ${meant}"?`
      throw new UsageError(
        name === '' ? `vlan: say what to do: ${names.join(', ')}` : `"${name}" is no verb of vlan; ${mend}`,
      )
    }
    const isMember = word.arguments?.map((each) => each.name === 'member') ?? []
    const translated = rest.map((each, at) =>
      isMember[at] ? this.#memberNamed(each, rest[0] as string) : each,
    )
    const given = givenBy({ ...word, before: BEFORE }, translated)
    return this.#guard(node, () => {
      const pending = word.start(node.verbs, given)
      return {
        pending,
        answer: (value: never) =>
          this.#answered(
            node,
            word.answer(value, given, (key) => this.nameOf(key)),
          ),
      }
    })
  }

  /** Whose key it is, is known once it came in. */
  #answered(node: SimulatedNode, answer: Answer): Answer {
    const { member, port, vlan, label } = answer.value as Partial<Entered>
    if (member !== undefined && port !== undefined && vlan !== undefined && label !== undefined)
      this.#known.set(member, { node, vlan, label })
    return answer
  }

  /** The key of a node in that VLAN, its last one if it came in again; what is no node is a key itself. */
  #memberNamed(name: string, vlan: string): string {
    const node = this.#nodeNamed(name)
    if (node === undefined) return name
    const keys = [...this.#known].filter(([, known]) => {
      return known.node === node && (known.label === vlan || known.vlan.startsWith(vlan))
    })
    return keys.at(-1)?.[0] ?? name
  }

  #ping(node: SimulatedNode, given: Given): Action {
    const name = given.argument('to')
    const station = this.#stationAt(node, given.text('vlan'))
    if (!station.ok) return settled(station)
    const count = given.whole('count', 1, ECHOES_MAX) ?? 1
    const bytes = given.whole('bytes', FRAME_BYTES_MIN, FRAME_BYTES_MAX) ?? FRAME_BYTES_MIN
    const aim = (): Outcome<Mac> => this.#macOf(station.value, name)
    const pending = this.#stations.ping(station.value, name, aim, count, bytes)
    return { pending, answer: (value: Pinged) => ({ value, lines: pingLines(value) }) }
  }

  #say(node: SimulatedNode, given: Given): Action {
    const text = given.argument('text')
    const station = this.#stationAt(node, given.argument('vlan'))
    if (!station.ok) return settled(station)
    const pending = this.#stations.say(station.value, text)
    return { pending, answer: (value: Said) => ({ value, lines: saidLines(value) }) }
  }

  /** The node's port in that VLAN, or in its only one. */
  #stationAt(node: SimulatedNode, name: string | undefined): Outcome<Station> {
    const rows = node.verbs.list().outcome
    const vlans = rows?.ok ? rows.value.vlans : []
    if (name === undefined && vlans.length > 1) {
      const labels = vlans.map(({ label }) => label).join(', ')
      return refused(REFUSAL.ambiguous, `${nameOf(node)} is in ${labels}; say in which with --vlan`)
    }
    const shown = node.verbs.show(name ?? vlans[0]?.label ?? '').outcome
    if (shown === undefined || !shown.ok) return shown ?? nothingThere(node)
    const { vlan, label, phase, mac } = shown.value
    const port = vlans.find((each) => each.vlan === vlan)?.port as PortId
    if (mac !== undefined && phase === 'member') return done({ node, label, port, mac: macFrom(mac) })
    return phase === 'over'
      ? refused(REFUSAL.over, `${nameOf(node)} is out of ${label}; nothing leads there any more`)
      : refused(REFUSAL.notInYet, `${nameOf(node)} is not in ${label} yet; wait until it is`)
  }

  /** By the card of the member, as its node has it. */
  #macOf({ node, label }: Station, name: string): Outcome<Mac> {
    const rows = node.verbs.members(label).outcome
    const members = rows?.ok ? rows.value.members : []
    const key = this.#memberNamed(name, label)
    const found = members.filter(({ member }) => key.length >= 4 && member.startsWith(key))
    const [row] = found
    if (row === undefined || found.length > 1) {
      const message = `${nameOf(node)} knows no one member "${name}" of ${label}; see vlan members ${label}`
      return refused(REFUSAL.noSuchMember, message)
    }
    if (row.mac !== undefined) return done(macFrom(row.mac))
    return refused(
      REFUSAL.macUnknown,
      `no card of ${name} came to ${nameOf(node)} yet; let some seconds pass`,
    )
  }

  #guard(node: SimulatedNode, begin: () => Action): Action {
    return node.machine.isUp ? begin() : settled(nodeDown(node))
  }

  // Of the network.

  #network(name: keyof typeof NETWORK, words: readonly string[]): Action {
    const live = this.#live
    if (name === 'status') return this.#status(words)
    if (name === 'heal') {
      if (words.length > 0)
        throw new UsageError(`heal takes no more words, and ends all partitions; write heal`)
      const healed = live.heal()
      return said({ healed }, healed === 0 ? 'nothing was cut' : 'all nodes can reach each other again')
    }
    const nodes = this.#nodesNamed(name, words)
    const names = nodes.map(nameOf).join(', ')
    if (name === 'partition') {
      live.partition(nodes.map(({ index }) => index))
      return said({ cutOff: nodes.map(nameOf) }, `${names} cut off from all others`)
    }
    const changed = nodes.filter(({ index }) => live[name](index))
    const what = { crash: 'stopped at once', start: 'started', leave: 'says goodbye to its neighbours' }[name]
    const idle = nodes.length - changed.length
    const rest = idle === 0 ? '' : `; ${idle} ${name === 'start' ? 'up' : 'down'} already`
    return said(
      { [name]: changed.map(nameOf) },
      `${changed.map(nameOf).join(', ') || 'nobody'} ${what}${rest}`,
    )
  }

  #status(words: readonly string[]): Action {
    const [name, ...more] = words
    if (more.length > 0)
      throw new UsageError(`status of ${words.length} nodes; name one, or none for the network`)
    if (name === undefined) {
      const value = statusOf(this.#live, this.#nodes)
      return { pending: Pending.of(done(value)), answer: () => ({ value, lines: statusLines(value) }) }
    }
    const [node] = this.#nodesNamed('status', [name])
    return this.#guard(node as SimulatedNode, () => {
      const value: NodeStatus = nodeStatus(node as SimulatedNode, this.#nodes)
      return { pending: Pending.of(done(value)), answer: () => ({ value, lines: nodeLines(value) }) }
    })
  }

  #nodesNamed(command: string, words: readonly string[]): SimulatedNode[] {
    if (words.length === 0) throw new UsageError(`${command}: a node is missing; write ${command} node3`)
    return words.map((word) => {
      const node = this.#nodeNamed(word)
      if (node !== undefined) return node
      throw new UsageError(`"${word}" is no node; nodes are node0 to node${this.#nodes.length - 1}`)
    })
  }

  /** Undefined for what is no name of a node; a UsageError for one of a node that there is not. */
  #nodeNamed(name: string): SimulatedNode | undefined {
    const [, digits] = /^node(\d{1,9})$/.exec(name) ?? []
    if (digits === undefined) return undefined
    const node = this.#nodes[Number(digits)]
    if (node !== undefined) return node
    throw new UsageError(`there is no ${name}; nodes are node0 to node${this.#nodes.length - 1}`)
  }
}

/** Everything that can be asked, for `help`; or one verb in full. */
export function helpLines(words: readonly string[]): string[] {
  if (words[0] === 'expect') return wrapWords(['expect one of', ...Object.keys(REFUSAL)], WIDTH - 2, 2)
  const named = [...VLAN_WORDS.map((each) => ({ ...each, before: BEFORE })), PING, SAY]
  const one = named.find((each) => each.words.join(' ') === words.join(' ') || each.words.at(-1) === words[0])
  if (words.length > 0 && one !== undefined) {
    return [
      writtenOf(one),
      one.describe,
      ...(one.arguments ?? []).map(({ name, describe }) => `  ${name.toUpperCase()}  ${describe}`),
      ...Object.entries(one.flags).map(([name, { describe }]) => `  --${name}  ${describe}`),
    ]
  }
  return [
    'run SECONDS              let time pass',
    'at SECONDS COMMAND       let time pass until then, and do it',
    'COMMAND &                do not wait for it;  wait: wait for all of them',
    '$name = COMMAND          keep the invitation; $name.2 is the second of several',
    'expect REFUSAL COMMAND   it must be refused, and so ("help expect": how)',
    ...Object.entries(NETWORK).map(([name, rest]) => `${name} ${rest}`.trimEnd()),
    ...named.map((each) => `${writtenOf(each).padEnd(40)} ${each.describe}`),
    'help [VERB]              this, or the flags of one verb',
    'quit                     the end',
  ]
}

function writtenOf(wording: Wording): string {
  return [
    wording.before,
    ...wording.words,
    ...(wording.arguments ?? []).map(({ name }) => name.toUpperCase()),
  ].join(' ')
}

function settled(outcome: Refused): Action {
  return { pending: Pending.of<object>(outcome), answer: (value: never) => ({ value, lines: [] }) }
}

function said(value: object, line: string): Action {
  return { pending: Pending.of(done(value)), answer: () => ({ value, lines: [line] }) }
}

function nothingThere(node: SimulatedNode): Refused {
  return refused(REFUSAL.noSuchVlan, `${nameOf(node)} has no VLAN; let it join one`)
}

function macFrom(text: string): Mac {
  return parseMac(text.replaceAll(':', '').toUpperCase())
}

function pingLines({ label, to, bytes, echoes }: Pinged): string[] {
  const ms = (millis: number): string => `${formatNumber(Math.round(millis * 1_000) / 1_000)} ms`
  const lines = echoes.map(({ thereMillis, backMillis }, index) => {
    const head = `${to} in ${label}, ${bytes} bytes, echo ${index + 1}:`
    if (thereMillis === undefined) return `${head} lost on its way there`
    if (backMillis === undefined) return `${head} there after ${ms(thereMillis)}, lost on its way back`
    return `${head} there after ${ms(thereMillis)}, back after ${ms(backMillis)}`
  })
  const back = echoes.filter(({ backMillis }) => backMillis !== undefined).length
  return echoes.length === 1 ? lines : [...lines, `${back} of ${echoes.length} came back`]
}

function saidLines({ label, heard }: Said): string[] {
  if (heard.length === 0) return [`nobody in ${label} heard it`]
  // A no-break space keeps a node and its time on one line.
  const each = heard.map(
    ({ node, afterMillis }) =>
      `${node}\u00a0${formatNumber(Math.round(afterMillis * 1_000) / 1_000)}\u00a0ms`,
  )
  const words = [`heard in ${label} by ${heard.length}:`, ...each]
  return wrapWords(words, WIDTH - 2, 2).map((line) => line.replaceAll('\u00a0', ' '))
}
