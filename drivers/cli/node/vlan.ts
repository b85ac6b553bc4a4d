/** `peertap vlan ...`: the verbs of CryptoVLANs (vlan-words.ts) at the node that runs here. */
import { verbsOver } from '../../control/asks.ts'
import type { Pending } from '../../control/outcome.ts'
import type { Verb } from '../flags.ts'
import { VLAN_WORDS, type VlanWord } from '../vlan-words.ts'
import { tellOfJoin } from './joining.ts'
import { clientOf, NODE_FLAGS, showOutcome } from './line.ts'

export const vlanVerbs: readonly Verb[] = VLAN_WORDS.map((word) => ({
  ...word,
  flags: { ...word.flags, ...NODE_FLAGS },
  run: async (given) => {
    const client = await clientOf(given)
    const stopTelling = isJoin(word) ? tellOfJoin(given, client) : () => undefined
    let asked: Promise<unknown> = Promise.resolve()
    const verbs = verbsOver((name, args) => {
      const outcome = client.ask(name, args)
      asked = outcome
      return outcome
    })
    const pending: Pending<object> = word.start(verbs, given)
    await asked.finally(stopTelling)
    const { outcome } = pending
    if (outcome === undefined) throw new Error(`${word.words.join(' ')} has no outcome`)
    return showOutcome(given, outcome, (value) => word.answer(value as never, given, () => '').lines)
  },
}))

function isJoin({ words }: VlanWord): boolean {
  return words[1] === 'join'
}
