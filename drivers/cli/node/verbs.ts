/** All verbs of a running node, for the program. */
import type { Verb } from '../flags.ts'
import { downVerb, pingVerb, relayPolicyVerb, relayShowVerb, reloadVerb } from './act.ts'
import { captureVerb } from './capture.ts'
import { doctorVerb } from './doctor.ts'
import { explainVerb, traceVerb } from './explain.ts'
import { eventsVerb, logsVerb, peersVerb, statusVerb, topologyVerb } from './show.ts'
import { upVerb } from './up.ts'
import { vlanVerbs } from './vlan.ts'

/** In the order in which somebody needs them. */
export const NODE_VERBS: readonly Verb[] = [
  upVerb,
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
  doctorVerb,
]
export const VLAN_VERBS = vlanVerbs
export const RELAY_VERBS: readonly Verb[] = [relayShowVerb, relayPolicyVerb]
