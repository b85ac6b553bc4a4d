/** `peertap vlan ...`: the verbs of CryptoVLANs (vlan-words.ts) at the node that runs here. */
import { createInterface } from 'node:readline/promises'
import { verbsOver } from '../../control/asks.ts'
import type { ControlClient } from '../../control/client.ts'
import { type Outcome, REFUSAL } from '../../control/outcome.ts'
import type { Entered } from '../../control/vlans.ts'
import type { InterfaceView } from '../../node/interfaces.ts'
import type { NodeStatus } from '../../node/views.ts'
import type { Given, Verb } from '../flags.ts'
import { VLAN_WORDS, type VlanWord } from '../vlan-words.ts'
import { tellOfJoin } from './joining.ts'
import { clientOf, NODE_FLAGS, showOutcome } from './line.ts'

/** After these there is an interface. */
const ENTERING: readonly (string | undefined)[] = ['create', 'join']

export const vlanVerbs: readonly Verb[] = VLAN_WORDS.map((word) => ({
  ...word,
  flags: { ...word.flags, ...NODE_FLAGS },
  run: async (given) => {
    const client = await clientOf(given)
    const outcome = await (verbOf(word) === 'leave' ? leave(word, given, client) : ask(word, given, client))
    const lines = (value: object): readonly string[] => word.answer(value as never, given, () => '').lines
    if (!outcome.ok || !ENTERING.includes(verbOf(word))) return showOutcome(given, outcome, lines)
    const port = await interfaceOf(client, outcome.value as Entered)
    const value = { ...outcome.value, interface: port?.name }
    // Told to people, who think it is there.
    if (port?.trouble !== undefined && !given.on('json'))
      console.error(`${(outcome.value as Entered).label} has no interface yet: ${port.trouble}`)
    return showOutcome(given, { ok: true, value }, () => [...lines(value), ...interfaceLines(port)])
  },
}))

async function ask(word: VlanWord, given: Given, client: ControlClient): Promise<Outcome<object>> {
  let asked: Promise<unknown> = Promise.resolve()
  const verbs = verbsOver((name, args) => {
    const outcome = client.ask(name, args)
    asked = outcome
    return outcome
  })
  const pending = word.start(verbs, given)
  const stopTelling = verbOf(word) === 'join' ? tellOfJoin(given, client) : () => undefined
  await asked.finally(stopTelling)
  const { outcome } = pending
  if (outcome === undefined) throw new Error(`${word.words.join(' ')} has no outcome`)
  return outcome
}

/** Whoever sits at a terminal is asked where a script has to write --yes. */
async function leave(word: VlanWord, given: Given, client: ControlClient): Promise<Outcome<object>> {
  const outcome = await ask(word, given, client)
  const mayAsk = !given.on('json') && process.stdin.isTTY === true && process.stderr.isTTY === true
  if (outcome.ok || outcome.refusal !== REFUSAL.authorityHere || !mayAsk) return outcome
  const name = given.argument('vlan')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const said = await terminal.question(`${outcome.message}\nTo leave all the same, write ${name}: `)
    return said.trim() === name ? await client.ask('leave', [name, true]) : outcome
  } finally {
    terminal.close()
  }
}

/** What was asked for is done, whatever the node says now. */
async function interfaceOf(client: ControlClient, { port }: Entered): Promise<InterfaceView | undefined> {
  const status = (await client.get('/v1/status').catch(() => undefined)) as NodeStatus | undefined
  return status?.interfaces.find((each) => each.port === port)
}

/** Its name does not follow from every label. */
function interfaceLines(port: InterfaceView | undefined): string[] {
  if (port?.name === undefined) return []
  const { name, mtu, addresses } = port
  return [`its interface is ${name}, MTU ${mtu}${addresses.length === 0 ? '' : `, ${addresses.join(' ')}`}`]
}

function verbOf({ words }: VlanWord): string | undefined {
  return words[1]
}
