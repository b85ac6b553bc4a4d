/**
 * All verbs of the program, in the order in which they are shown: those of one word stand alone, the others
 * in a group that their first word names. Only those are loaded that may be meant: a node need not carry the
 * simulator along, and who asks for its status need not wait for libp2p.
 */
import type { Verb } from './flags.ts'
import { completionVerb } from './node/completion.ts'
import { upVerb } from './node/up.ts'

/** What the first words of groups stand for. */
export const GROUPS: Readonly<Record<string, string>> = {
  config: 'The configuration file of a node: check, schema',
  vlan: 'CryptoVLANs: create, invite, join, leave, members, evict, ...',
  relay: 'What this node carries for others: show, policy, acl',
  service: 'The node as a service of systemd: install, uninstall, show',
  sim: 'Simulate: run, verify, shell, list, schema',
}

/** All of them, for whoever wants to see what there is. */
export async function allVerbs(): Promise<Verb[]> {
  const [files, node, sim, view] = await Promise.all([
    import('./node/file-verbs.ts'),
    import('./node/verbs.ts'),
    import('./sim-verbs.ts'),
    import('./view.ts'),
  ])
  const rest = [...node.NODE_VERBS, ...files.FILE_VERBS, ...sim.SIM_VERBS, view.viewVerb]
  const completion = completionVerb(() => [upVerb, completion, ...rest])
  return [upVerb, ...rest, completion]
}

/** Those that a line which begins so may mean; all of them if that is none of their first words. */
export async function verbsFor(word: string | undefined): Promise<readonly Verb[]> {
  if (word === 'up') return [upVerb]
  if (word === 'sim') return (await import('./sim-verbs.ts')).SIM_VERBS
  if (word === 'view') return [(await import('./view.ts')).viewVerb]
  const { NODE_VERBS } = await import('./node/verbs.ts')
  if (NODE_VERBS.some(({ words: [first] }) => first === word)) return NODE_VERBS
  return allVerbs()
}
