/** The verbs of the simulator. */
import type { Verb } from './flags.ts'
import { simList } from './sim-list.ts'
import { simRun } from './sim-run.ts'
import { simSchema } from './sim-schema.ts'
import { simShell } from './sim-shell.ts'
import { simVerify } from './sim-verify.ts'

export const SIM_VERBS: readonly Verb[] = [simRun, simVerify, simShell, simList, simSchema]
