/** All verbs that ask a running node, in the order in which somebody needs them. */
import type { Verb } from '../flags.ts'
import { downVerb, pingVerb, relayAclVerb, relayPolicyVerb, relayShowVerb, reloadVerb } from './act.ts'
import { captureVerb } from './capture.ts'
import { explainVerb, traceVerb } from './explain.ts'
import { eventsVerb, logsVerb, peersVerb, statusVerb, topologyVerb } from './show.ts'
import { vlanVerbs } from './vlan.ts'

export const NODE_VERBS: readonly Verb[] = [
  downVerb,
  statusVerb,
  peersVerb,
  topologyVerb,
  pingVerb,
  explainVerb,
  traceVerb,
  captureVerb,
  logsVerb,
  eventsVerb,
  reloadVerb,
  ...vlanVerbs,
  relayShowVerb,
  relayPolicyVerb,
  relayAclVerb,
]
