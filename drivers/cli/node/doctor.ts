/**
 * `peertap doctor`: what a node needs of its machine, and what it has, one line each with the mend. Works
 * whether or not a node runs.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { type ControlClient, NoNode } from '../../control/client.ts'
import { readConfig } from '../../node/config.ts'
import { placesOf } from '../../node/places.ts'
import type { NodeStatus } from '../../node/views.ts'
import { EXIT } from '../exit.ts'
import type { Verb } from '../flags.ts'
import { counted } from '../table.ts'
import { clientOf, NODE_FLAGS } from './line.ts'
import { STATE_FLAG } from './places.ts'

const TUN_FILE = '/dev/net/tun'
/** linux/capability.h */
const CAP_NET_ADMIN = 12n
/** Buffers of UDP sockets below this lose packets at speed. */
const SOCKET_BUFFER_MIN = 2_500_000
const CLOCK_SET_MILLIS = 1_735_689_600_000

interface Finding {
  readonly what: string
  readonly state: 'good' | 'warn' | 'bad'
  readonly said: string
}

export const doctorVerb: Verb = {
  words: ['doctor'],
  describe: 'Check what a node needs: TAP, rights, files, clock, contacts; and say what mends it',
  flags: { ...NODE_FLAGS, config: { kind: 'text', describe: 'The configuration' }, state: STATE_FLAG },
  run: async (given) => {
    const named = { config: given.text('config'), socket: given.text('socket'), state: given.text('state') }
    const places = placesOf(named, process.env)
    const findings = [
      ...machineFindings(await lookForTap()),
      configFinding(places.config),
      stateFinding(places.state),
    ]
    findings.push(...(await nodeFindings(await clientOf(given))))
    const isGood = findings.every(({ state }) => state !== 'bad')
    const marks = { good: 'ok  ', warn: 'warn', bad: 'BAD ' }
    if (given.on('json')) console.log(JSON.stringify({ ok: isGood, findings }))
    else console.log(findings.map(({ what, state, said }) => `${marks[state]}  ${what}: ${said}`).join('\n'))
    return isGood ? EXIT.ok : EXIT.failed
  },
}

/** Whether an interface can be made is known once one was; not where it may not, which the rights say. */
async function lookForTap(): Promise<string | undefined> {
  const [{ openLibc }, { tapTrouble }] = await Promise.all([
    import('../../linux/libc.ts'),
    import('../../tap/tap.ts'),
  ])
  try {
    return tapTrouble(openLibc(), hasNetAdmin())
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function machineFindings(tapTrouble: string | undefined): Finding[] {
  return [
    finding(
      'TAP',
      tapTrouble === undefined,
      `${TUN_FILE} ${hasNetAdmin() ? 'makes interfaces' : 'opens'}`,
      String(tapTrouble),
    ),
    finding(
      'rights',
      hasNetAdmin(),
      'this process may make interfaces',
      'this process has no CAP_NET_ADMIN; run the node as root or by its service',
    ),
    finding(
      'clock',
      Date.now() > CLOCK_SET_MILLIS,
      new Date().toISOString(),
      'the clock is not set, and grants have an end; set it',
    ),
    {
      what: 'socket buffers',
      ...(bufferMax() >= SOCKET_BUFFER_MIN
        ? { state: 'good', said: `up to ${bufferMax()} bytes` }
        : {
            state: 'warn',
            said: `at most ${bufferMax()} bytes, packets are lost at speed; sysctl net.core.rmem_max=7500000`,
          }),
    },
  ]
}

function configFinding(path: string): Finding {
  if (!existsSync(path))
    return { what: 'configuration', state: 'bad', said: `${path} is missing; "peertap init"` }
  try {
    const { bootstrap } = readConfig(path)
    if (bootstrap.length > 0) return { what: 'configuration', state: 'good', said: `${path} is right` }
    const said = `${path} has no contact in bootstrap: only nodes nearby, or that dial this one, are met`
    return { what: 'configuration', state: 'warn', said }
  } catch (error) {
    return {
      what: 'configuration',
      state: 'bad',
      said: error instanceof Error ? error.message : String(error),
    }
  }
}

function stateFinding(path: string): Finding {
  const what = 'state'
  if (!existsSync(path)) return { what, state: 'bad', said: `${path} is missing; "peertap init"` }
  const others = statSync(path).mode & 0o077
  if (others !== 0) return { what, state: 'bad', said: `others may read ${path}; run "chmod 700 ${path}"` }
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return { what, state: 'good', said: `${path} is for its owner alone` }
  } catch {
    return { what, state: 'warn', said: `${path} belongs to another user; ask as that user to see more` }
  }
}

async function nodeFindings(client: ControlClient): Promise<Finding[]> {
  let status: NodeStatus
  try {
    status = (await client.get('/v1/status')) as NodeStatus
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return [{ what: 'node', state: error instanceof NoNode ? 'warn' : 'bad', said }]
  }
  const neighbours = status.links.filter(({ neighbour }) => neighbour)
  const relayed = status.trunks.filter((trunk) => trunk.relayed).length
  const findings: Finding[] = [
    {
      what: 'node',
      state: 'good',
      said: `${status.process.peer} runs, up ${Math.round(status.process.upSeconds)} s`,
    },
    finding(
      'mesh',
      neighbours.length > 0,
      `${counted(neighbours.length, 'neighbour')}, ${relayed} of them through a relay`,
      'no neighbour; check that a contact in bootstrap runs and that its port is open, UDP and TCP',
    ),
    {
      what: 'reachability',
      state: status.process.reachability === 'private' ? 'warn' : 'good',
      said: `${status.process.reachability}: ${status.process.contacts.join(', ') || 'no address'}`,
    },
    {
      what: 'cryptography',
      state: /by openssl/.test(status.process.crypto) ? 'good' : 'warn',
      said: status.process.crypto,
    },
  ]
  for (const { label, trouble, name } of status.interfaces)
    findings.push(finding(`interface of ${label}`, trouble === undefined, String(name), String(trouble)))
  for (const error of status.process.errors) findings.push({ what: 'trouble', state: 'bad', said: error })
  return findings
}

function finding(what: string, isGood: boolean, good: string, bad: string): Finding {
  return { what, state: isGood ? 'good' : 'bad', said: isGood ? good : bad }
}

function hasNetAdmin(): boolean {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n
}

function bufferMax(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'))
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
