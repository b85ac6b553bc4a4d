/**
 * One case of `npm run bench:sim`, in a process of its own: prints its values by figure name as JSON.
 * The messages counted are calls of `Host.packet`: full-protocol messages taken in by full nodes.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { WIRE_OVERHEAD_BYTES } from '../../core/wire/trunk.ts'
import { Run } from '../../sim/run.ts'
import { type Scenario, scenarioSchema } from '../../sim/scenario.ts'
import { REPOSITORY } from '../support/requirements.ts'
import { queueFigures } from './queue.ts'

type Values = Record<string, number>

const DATA = process.env['PEERTAP_DATA'] ?? join(REPOSITORY, '../shared/data')

const data = {
  text: (name: string): string => {
    const bytes = readFileSync(join(DATA, name))
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  },
}

function fileScenario(name: string): Scenario {
  return scenarioSchema.parse(JSON.parse(readFileSync(join(REPOSITORY, 'scenarios', `${name}.json`), 'utf8')))
}

/** A mesh under churn in which most messages are control: what a network mostly does. */
function churning(count: number, seconds: number, vlans: number, traffic: object): Scenario {
  return scenarioSchema.parse({
    version: 1,
    name: `bench-${count}`,
    question: 'How many messages a second does one core take in?',
    seconds,
    warmupSeconds: 30,
    nodes: { count, contacts: 8, joinSeconds: 20 },
    churn: { kind: 'fitted', preset: 'microsoft-1999', compress: 10 },
    vlans: [{ count: vlans, members: 20 }],
    traffic: [{ kind: 'unicast', ...traffic }],
  })
}

interface Timed {
  readonly run: Run
  readonly seconds: number
  readonly messages: number
  readonly rss: number
}

/** Runs to the end; the first simulated seconds, in which code warms up and nodes start, are not timed. */
function timed(scenario: Scenario, fromSeconds: number): Timed {
  const run = new Run(scenario, { seed: 1, data })
  run.step(fromSeconds)
  const before = run.world.messages
  const start = process.hrtime.bigint()
  let rss = 0
  while (!run.done) {
    run.step(run.world.now / 1e6 + 5)
    rss = Math.max(rss, process.memoryUsage.rss())
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  for (const violation of run.result().violations)
    process.stderr.write(`${violation.kind}: ${violation.detail}\n`)
  return { run, seconds, messages: run.world.messages - before, rss }
}

/** Heap per node of a mesh that has formed and has nothing to do. */
function idleMemory(): Values {
  const count = 4_000
  const scenario = scenarioSchema.parse({
    version: 1,
    name: 'bench-idle',
    question: 'How much memory does an idle node take?',
    seconds: 120,
    warmupSeconds: 60,
    nodes: { count, contacts: 8, joinSeconds: 20 },
  })
  globalThis.gc?.()
  const before = process.memoryUsage()
  const run = new Run(scenario, { seed: 1, data })
  run.step(100)
  globalThis.gc?.()
  const after = process.memoryUsage()
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  if (run.world.nodes.length !== count) throw new Error('the mesh lost nodes')
  return { 'memory of an idle node': bytes / count / 1_000 }
}

function messages1000(): Values {
  // So that a fifth of the messages is data and the mean message has 200 bytes.
  const traffic = { perMemberPerSecond: 0.058, bytes: 600 }
  const { run, seconds, messages } = timed(churning(1_000, 900, 40, traffic), 60)
  const { dataPackets, controlMessages, dataBytes, controlBytes } = run.meter
  const sent = dataPackets + controlMessages
  return {
    'messages, 1,000 nodes with churn': messages / seconds,
    'share of data, 1,000 nodes': dataPackets / sent,
    'mean message, 1,000 nodes': (dataBytes + controlBytes) / sent - WIRE_OVERHEAD_BYTES,
  }
}

function nodes10000(): Values {
  const start = process.hrtime.bigint()
  // 500 VLANs of 20 members: each of 10,000 nodes is in one on average and sends 0.02 frames a second.
  const { seconds, messages, rss } = timed(churning(10_000, 600, 500, { perMemberPerSecond: 0.02 }), 60)
  return {
    'messages, 10,000 nodes with churn': messages / seconds,
    '10,000 nodes for 10 minutes': Number(process.hrtime.bigint() - start) / 1e9,
    'memory of 10,000 nodes': rss / 1e9,
  }
}

function churnSkype(): Values {
  const start = process.hrtime.bigint()
  timed(fileScenario('churn-skype'), 0)
  return { 'churn-skype, 6 hours': Number(process.hrtime.bigint() - start) / 1e9 }
}

function nodes100000(): Values {
  const start = process.hrtime.bigint()
  const scenario = scenarioSchema.parse({
    version: 1,
    name: 'bench-100000',
    question: 'Does one mesh form of 100,000 nodes that join within a minute?',
    seconds: 90,
    warmupSeconds: 60,
    nodes: { count: 100_000, contacts: 32, joinSeconds: 60 },
  })
  const run = new Run(scenario, { seed: 1, data })
  let rss = 0
  while (!run.done && run.world.now < 90e6) {
    run.step(run.world.now / 1e6 + 1)
    rss = Math.max(rss, process.memoryUsage.rss())
  }
  return {
    '100,000 nodes form one mesh: share attached': run.stage.attachedShare(),
    '100,000 nodes: time': Number(process.hrtime.bigint() - start) / 1e9,
    '100,000 nodes: memory': rss / 1e9,
  }
}

const CASES: Record<string, () => Values> = {
  queue: queueFigures,
  'idle-memory': idleMemory,
  'messages-1000': messages1000,
  'nodes-10000': nodes10000,
  'churn-skype': churnSkype,
  'nodes-100000': nodes100000,
}

const wanted = process.argv[2] ?? ''
const run = CASES[wanted]
if (run === undefined)
  throw new Error(`there is no case '${wanted}'; cases are ${Object.keys(CASES).join(', ')}`)
process.stdout.write(`${JSON.stringify(run())}\n`)
