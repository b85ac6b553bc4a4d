/**
 * The verbs that may be asked for from outside, by name, and their shape at the caller's side: whoever has a
 * line to a node has an object with the same verbs, whose outcomes come later.
 */
import { checkArguments } from './arguments.ts'
import { type Outcome, Pending } from './outcome.ts'
import type { VlanVerbs } from './vlans.ts'

/** A closed set: what a VLAN's owner may ask. */
export const VLAN_VERBS = [
  'create',
  'join',
  'leave',
  'switchOff',
  'switchOn',
  'remove',
  'invite',
  'evict',
  'revokeGrant',
  'certify',
  'list',
  'show',
  'members',
  'grants',
] as const satisfies readonly (keyof VlanVerbs)[]
export type VlanVerb = (typeof VLAN_VERBS)[number]
export type Verbs = Pick<VlanVerbs, VlanVerb>

export function isVlanVerb(name: string): name is VlanVerb {
  return (VLAN_VERBS as readonly string[]).includes(name)
}

/** Calls a verb by its name. A UsageError for arguments that it cannot take. */
export function callVerb(verbs: Verbs, name: VlanVerb, args: readonly unknown[]): Pending<object> {
  checkArguments(name, args)
  const verb = verbs[name] as (...given: readonly unknown[]) => Pending<object>
  return verb.apply(verbs, args as unknown[])
}

/** Verbs whose outcomes `ask` brings. Where it fails nothing comes of them: who made it has its promise. */
export function verbsOver(
  ask: (name: VlanVerb, args: readonly unknown[]) => Promise<Outcome<object>>,
): Verbs {
  const entries = VLAN_VERBS.map((name) => [
    name,
    (...args: readonly unknown[]): Pending<object> => {
      const pending = new Pending<object>()
      void ask(name, args).then(
        (outcome) => pending.settle(outcome),
        () => undefined,
      )
      return pending
    },
  ])
  return Object.fromEntries(entries) as Verbs
}
