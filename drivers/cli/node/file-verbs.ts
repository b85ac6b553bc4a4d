/** Verbs that need no running node: they make, check, keep and install its files, or show what nodes do. */
import { demoVerb } from '../demo.ts'
import type { Verb } from '../flags.ts'
import { nodeBackup, nodeRestore } from './backup.ts'
import { configCheck, configSchemaVerb } from './config.ts'
import { doctorVerb } from './doctor.ts'
import { nodeInit } from './init.ts'
import { serviceInstall, serviceShow, serviceUninstall } from './service.ts'

export const FILE_VERBS: readonly Verb[] = [
  nodeInit,
  nodeBackup,
  nodeRestore,
  doctorVerb,
  demoVerb,
  configCheck,
  configSchemaVerb,
  serviceInstall,
  serviceUninstall,
  serviceShow,
]
