/**
 * All verbs of the program, in the order in which they are shown: those of one word stand alone, the others
 * in a group that their first word names.
 */
import { demoVerb } from './demo.ts'
import type { Verb } from './flags.ts'
import { nodeBackup, nodeRestore } from './node/backup.ts'
import { completionVerb } from './node/completion.ts'
import { configCheck, configSchemaVerb } from './node/config.ts'
import { nodeInit } from './node/init.ts'
import { serviceInstall, serviceShow, serviceUninstall } from './node/service.ts'
import { NODE_VERBS, RELAY_VERBS, VLAN_VERBS } from './node/verbs.ts'
import { simList } from './sim-list.ts'
import { simRun } from './sim-run.ts'
import { simSchema } from './sim-schema.ts'
import { simShell } from './sim-shell.ts'
import { simVerify } from './sim-verify.ts'

/** What the first words of groups stand for. */
export const GROUPS: Readonly<Record<string, string>> = {
  config: 'The configuration file of a node: check, schema',
  vlan: 'CryptoVLANs: create, invite, join, leave, members, evict, ...',
  relay: 'What this node carries for others: show, policy',
  service: 'The node as a service of systemd: install, uninstall, show',
  sim: 'Simulate: run, verify, shell, list, schema',
}

export const VERBS: readonly Verb[] = [
  nodeInit,
  ...NODE_VERBS,
  nodeBackup,
  nodeRestore,
  demoVerb,
  completionVerb(() => VERBS),
  ...VLAN_VERBS,
  ...RELAY_VERBS,
  configCheck,
  configSchemaVerb,
  serviceInstall,
  serviceUninstall,
  serviceShow,
  simRun,
  simVerify,
  simShell,
  simList,
  simSchema,
]

/** The verbs of a group. */
export function verbsOf(group: string): Verb[] {
  return VERBS.filter(({ words }) => words.length > 1 && words[0] === group)
}
