/** Verbs that have a running node do something: `ping`, `relay`, `reload`, `down`. */
import { readFileSync } from 'node:fs'
import { UsageError } from '../../../core/errors.ts'
import { formatNumber } from '../../../sim/reading.ts'
import { type ControlClient, NoNode } from '../../control/client.ts'
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN } from '../../control/echo.ts'
import { short } from '../../control/names.ts'
import { type Outcome, REFUSAL } from '../../control/outcome.ts'
import { ECHOES_MAX, type Pinged, type PingOrder } from '../../node/echoes.ts'
import type { Explanation } from '../../node/explain.ts'
import type { NodeStatus } from '../../node/views.ts'
import type { Verb } from '../flags.ts'
import { counted } from '../table.ts'
import { wayWords } from './explain.ts'
import { clientOf, NODE_FLAGS, show, showFailure, showOutcome } from './line.ts'
import { interfaceTroubles } from './status-lines.ts'

const STOP_LOOK_MILLIS = 20
const STOP_WITHIN_MILLIS = 15_000

export const pingVerb: Verb = {
  words: ['ping'],
  describe: 'Send echoes to a member of a VLAN, below IP, and time them',
  arguments: [{ name: 'member', describe: 'The first digits of its key, its MAC, or an IP address of it' }],
  flags: {
    ...NODE_FLAGS,
    vlan: { kind: 'text', describe: 'In which VLAN (default: the only one)' },
    count: { kind: 'text', describe: `How many, 1 to ${ECHOES_MAX} (default 5)` },
    bytes: { kind: 'text', describe: `Length of a frame (default ${FRAME_BYTES_MIN})` },
    interval: { kind: 'text', describe: 'Milliseconds from one to the next (default 200)' },
  },
  run: async (given) => {
    const order: PingOrder = {
      to: given.argument('member'),
      vlan: given.text('vlan'),
      count: given.whole('count', 1, ECHOES_MAX) ?? 5,
      bytes: given.whole('bytes', FRAME_BYTES_MIN, FRAME_BYTES_MAX) ?? FRAME_BYTES_MIN,
      intervalMillis: given.whole('interval', 1, 60_000) ?? 200,
    }
    const client = await clientOf(given)
    const outcome = (await client.ask('ping', [order])) as Outcome<Pinged>
    if (!outcome.ok) return showOutcome(given, outcome, () => [])
    const way = (await client.ask('explain', [outcome.value.member, order.vlan])) as Outcome<Explanation>
    const status = (await client.get('/v1/status')) as NodeStatus
    const path = way.ok ? wayWords(way.value, status) : []
    const lines = (value: Pinged): string[] => [...pingLines(value), `path: ${path.join('; ') || 'none'}`]
    return showOutcome(given, { ok: true, value: { ...outcome.value, path } }, lines)
  },
}

export const relayPolicyVerb: Verb = {
  words: ['relay', 'policy'],
  describe: 'Say which VLANs are carried for others, until the node is started again',
  arguments: [{ name: 'mode', describe: 'open, restricted (own VLANs only), or patterns' }],
  flags: {
    ...NODE_FLAGS,
    allow: { kind: 'list', describe: 'With patterns: VLAN-IDs that are carried; * stands for any digits' },
    deny: { kind: 'list', describe: 'With patterns: VLAN-IDs that are not; this wins' },
  },
  run: async (given) => {
    const mode = given.argument('mode')
    const policy = { mode, allow: given.list('allow'), deny: given.list('deny') }
    await (await clientOf(given)).post('/v1/policy', policy)
    return show(given, { ok: true, policy }, [`VLANs are carried by policy ${mode} from now on`])
  },
}

export const relayAclVerb: Verb = {
  words: ['relay', 'acl'],
  describe: 'Add patterns of VLAN-IDs to what is carried and what is not, until the node is started again',
  flags: {
    ...NODE_FLAGS,
    allow: { kind: 'list', describe: 'VLAN-IDs that are carried; * stands for any digits' },
    deny: { kind: 'list', describe: 'VLAN-IDs that are not; this wins' },
  },
  run: async (given) => {
    if (given.list('allow').length + given.list('deny').length === 0)
      throw new UsageError('relay acl: say what to add with --allow or --deny; "peertap relay show" shows it')
    const client = await clientOf(given)
    const { policy: before } = ((await client.get('/v1/status')) as NodeStatus).process
    // An open relay that denies one VLAN carries all others; a restricted one that allows some, only those.
    const present =
      before.mode === 'patterns' ? before : { allow: before.mode === 'open' ? ['*'] : [], deny: [] }
    const policy = {
      mode: 'patterns',
      allow: [...new Set([...present.allow, ...given.list('allow')])],
      deny: [...new Set([...present.deny, ...given.list('deny')])],
    } as const
    await client.post('/v1/policy', policy)
    return show(given, { ok: true, policy }, [`policy ${policyWords(policy)}`])
  },
}

export const relayShowVerb: Verb = {
  words: ['relay', 'show'],
  describe: 'Show the policy, and the VLANs that pass here',
  flags: NODE_FLAGS,
  run: async (given) => {
    const { process: node, carried } = (await (await clientOf(given)).get('/v1/status')) as NodeStatus
    const lines = carried.map(({ vlan, member, tokens, lowers }) => {
      const below = `${counted(lowers.length, 'link')} below`
      return `${vlan}  ${member ? 'member' : 'relayed'}, ${counted(tokens, 'token')}, ${below}`
    })
    return show(given, { policy: node.policy, carried }, [`policy ${policyWords(node.policy)}`, ...lines])
  },
}

export const reloadVerb: Verb = {
  words: ['reload'],
  describe: 'Read the configuration again; frames go on meanwhile',
  flags: NODE_FLAGS,
  run: async (given) => {
    const client = await clientOf(given)
    const said = (await client.post('/v1/reload', {})) as {
      readonly changed: readonly string[]
      readonly needRestart: readonly string[]
    }
    // It is read all the same, and whoever mistook a name in it has lost an interface.
    const troubles = interfaceTroubles((await client.get('/v1/status')) as NodeStatus)
    const lines = [said.changed.length === 0 ? 'nothing changed' : `changed: ${said.changed.join(', ')}`]
    if (said.needRestart.length > 0) lines.push(`only after a restart: ${said.needRestart.join(', ')}`)
    lines.push(...troubles.map((trouble) => `! ${trouble}`))
    return show(given, { ...said, troubles }, lines)
  },
}

export const downVerb: Verb = {
  words: ['down'],
  describe: 'Stop the node: it takes leave of its neighbours first',
  flags: NODE_FLAGS,
  run: async (given) => {
    const client = await clientOf(given)
    const { pid } = (await client.post('/v1/stop', {})) as { readonly pid: number }
    const giveUpAt = Date.now() + STOP_WITHIN_MILLIS
    while (Date.now() < giveUpAt) {
      // Until then its state is in use.
      if (!isThere(pid) && !(await answers(client)))
        return show(given, { ok: true }, ['the node has stopped'])
      await new Promise((done) => setTimeout(done, STOP_LOOK_MILLIS))
    }
    const seconds = STOP_WITHIN_MILLIS / 1_000
    const message = `the node has not stopped within ${seconds} s; "peertap logs" may tell why`
    return showFailure(given, REFUSAL.notStopped, message)
  },
}

/** The file that a node runs, however its command was called. */
const OWN_PROGRAM = /(^|[/])(peertap(\.mjs)?|main\.ts)$/

/** linux/sched.h: one that ends has given up its arguments, and still holds files and interfaces. */
const PF_EXITING = 4
/** Of what follows the name in proc_pid_stat(5). */
const STATE_AT = 0
const FLAGS_AT = 6

/**
 * Is seen from here, and has not ended yet; one whose exit code nobody took has (proc_pid_stat(5)). A node in
 * a container has another number here, and this may be that of any other program.
 */
function isThere(pid: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[STATE_AT] === 'Z') return false
    if (words.join('') === '') return (Number(fields[FLAGS_AT]) & PF_EXITING) !== 0
    return words.includes('up') && words.some((word) => OWN_PROGRAM.test(word))
  } catch {
    return false
  }
}

async function answers(client: ControlClient): Promise<boolean> {
  try {
    await client.get('/health')
    return true
  } catch (error) {
    return !(error instanceof NoNode)
  }
}

function pingLines({ label, member, mac, bytes, millis }: Pinged): string[] {
  const known = millis.filter((each) => each !== undefined)
  const rounded = (value: number): string => formatNumber(Math.round(value * 1_000) / 1_000)
  const each = millis.map((value, index) =>
    value === undefined ? `echo ${index + 1}: lost` : `echo ${index + 1}: ${rounded(value)} ms`,
  )
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length
  const times = `${rounded(Math.min(...known))} / ${rounded(mean)} / ${rounded(Math.max(...known))} ms`
  return [
    `${short(member)} (${mac}) in ${label}, ${bytes} bytes`,
    ...(each.length <= SHOWN_MAX ? each : []),
    `${known.length} of ${millis.length} came back; least / mean / most ${times}`,
  ]
}

const SHOWN_MAX = 20

function policyWords(policy: NodeStatus['process']['policy']): string {
  if (policy.mode !== 'patterns') return policy.mode
  return `patterns, allow ${policy.allow.join(' ') || 'none'}, deny ${policy.deny.join(' ') || 'none'}`
}
