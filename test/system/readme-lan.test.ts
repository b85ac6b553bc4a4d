/** What README.md says of how to make a private LAN, typed on fresh hosts to the letter. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ControlClient } from '../../drivers/control/client.ts'
import { Lab, type Namespace } from '../support/namespaces.ts'
import { commandsOf, shellBlocks } from '../support/readme.ts'
import { byBudget, REPOSITORY, requires } from '../support/requirements.ts'

const LAN = shellBlocks('## A private LAN in five minutes')
const RELAY = shellBlocks('### If nobody has a public address')
/** Two programs at a time are many for a machine that does much else. */
const TEST_MILLIS = byBudget(300_000, 600_000)
/** As the text has it. */
const PUBLIC = '203.0.113.7'
const START_MILLIS = 90_000
const LOOK_MILLIS = 100

interface Typed {
  readonly code: number | null
  readonly out: string
}

/** A machine: its network, and the places of its files, which are where they are on any. */
class Machine {
  readonly host: Namespace
  readonly #folder: string

  constructor(host: Namespace, folder: string) {
    this.host = host
    this.#folder = folder
    for (const name of ['etc', 'lib', 'run', 'bin']) mkdirSync(join(folder, name), { recursive: true })
    // What `npm link` does.
    symlinkSync(join(REPOSITORY, 'drivers/cli/peertap.mjs'), join(folder, 'bin/peertap'))
  }

  begin(commands: string, env: Readonly<Record<string, string>>, log: 'inherit' | 'ignore'): ChildProcess {
    const places = { etc: '/etc/peertap', lib: '/var/lib', run: '/run' }
    const mounts = Object.entries(places).map(
      ([name, place]) => `mount --bind ${join(this.#folder, name)} ${place}\n`,
    )
    return this.host.spawn('sh', ['-e', '-c', `${mounts.join('')}cd ${this.#folder}\n${commands}`], {
      env: { ...process.env, PATH: `${join(this.#folder, 'bin')}:${process.env.PATH}`, ...env },
      stdio: ['ignore', 'pipe', log],
    })
  }

  async type(commands: string, env: Readonly<Record<string, string>> = {}): Promise<Typed> {
    const child = this.begin(commands, env, 'inherit')
    const out: string[] = []
    child.stdout?.setEncoding('utf8').on('data', (part: string) => out.push(part))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, out: out.join('') }
  }

  /** Types what does not end by itself, until a node answers; what was said until then. */
  async start(commands: string): Promise<string> {
    const child = this.begin(commands, {}, 'ignore')
    const out: string[] = []
    child.stdout?.setEncoding('utf8').on('data', (part: string) => out.push(part))
    const giveUpAt = Date.now() + START_MILLIS
    const client = new ControlClient(join(this.#folder, 'run/peertap.sock'))
    const answers = (): Promise<boolean> =>
      client.get('/v1/status').then(
        () => true,
        () => false,
      )
    while (!(await answers())) {
      if (child.exitCode !== null)
        throw new Error(`${commands} ended with ${child.exitCode}: ${out.join('')}`)
      if (Date.now() > giveUpAt) throw new Error(`no node answers after ${commands}`)
      await new Promise((done) => setTimeout(done, LOOK_MILLIS))
    }
    return out.join('')
  }

  /** Ends all that runs on it. */
  end(): void {
    const { stdout } = spawnSync('ip', ['netns', 'pids', this.host.name], { encoding: 'utf8' })
    for (const pid of stdout.split('\n').filter(Boolean)) spawnSync('kill', ['-9', pid])
  }
}

describe.skipIf(!requires.namespaces() || !requires.pinging() || !requires.mounting())('README.md', () => {
  let lab: Lab
  let folder: string
  let machines: Machine[]
  /** Where the configuration lies on any machine; made to be mounted over. */
  const isOurs = !existsSync('/etc/peertap')

  beforeEach(() => {
    lab = new Lab()
    folder = mkdtempSync(join(tmpdir(), 'peertap-readme-'))
    machines = []
    mkdirSync('/etc/peertap', { recursive: true })
  })
  afterEach(() => {
    for (const machine of machines) machine.end()
    lab.close()
    rmSync(folder, { recursive: true, force: true })
    if (isOurs) rmSync('/etc/peertap', { recursive: true })
  })

  function machine(name: string): Machine {
    const made = new Machine(lab.namespace(name), join(folder, name))
    machines.push(made)
    return made
  }

  function cable(left: Machine, leftAddress: string, right: Machine, rightAddress: string): void {
    const [leftName, rightName] = [`e-${rightAddress}`, `e-${leftAddress}`]
    lab.veth(left.host, leftName, right.host, rightName)
    left.host.ip('addr', 'add', `${leftAddress}/24`, 'dev', leftName)
    right.host.ip('addr', 'add', `${rightAddress}/24`, 'dev', rightName)
  }

  /** From the VLAN's founding on. */
  async function meet(anna: Machine, ben: Machine): Promise<void> {
    const invited = await anna.type(commandsOf(LAN, 'anna'))
    expect(invited.code).toBe(0)
    const [invitation = ''] = /^peertap:\S+$/m.exec(invited.out) ?? []
    expect(invitation).not.toBe('')
    const joined = await ben.type(commandsOf(LAN, 'ben'), { INVITATION: invitation })
    // While members make each other's acquaintance the first may be lost.
    expect(joined).toEqual({
      code: 0,
      out: expect.stringMatching(/3 packets transmitted, [123] received/),
    })
    expect(joined.out).toMatch(/pt-home +home +in +2 /)
    expect((await anna.type('ping -c 1 -W 5 10.7.0.2')).code).toBe(0)
  }

  test(
    'makes a private LAN of two machines',
    async () => {
      const [anna, ben] = [machine('anna'), machine('ben')]
      cable(anna, '10.90.0.1', ben, '10.90.0.2')
      const blocks = LAN.map(({ who }) => who)
      expect(blocks).toEqual(['both', 'anna', 'ben'])
      await Promise.all([anna, ben].map((each) => each.start(commandsOf(LAN, 'both'))))
      await meet(anna, ben)
      expect((await anna.type('peertap down')).code).toBe(0)
    },
    TEST_MILLIS,
  )

  test(
    'makes one through a relay for two who cannot reach each other',
    async () => {
      const [relay, anna, ben] = [machine('relay'), machine('anna'), machine('ben')]
      cable(relay, '10.90.1.1', anna, '10.90.1.2')
      cable(relay, '10.90.2.1', ben, '10.90.2.2')
      // Its public address, which both reach; it forwards nothing for them.
      relay.host.ip('addr', 'add', `${PUBLIC}/32`, 'dev', 'lo')
      anna.host.ip('route', 'add', PUBLIC, 'via', '10.90.1.1')
      ben.host.ip('route', 'add', PUBLIC, 'via', '10.90.2.1')
      const said = await relay.start(commandsOf(RELAY, 'relay'))
      const [, address = ''] =
        new RegExp(`^ +(/ip4/${PUBLIC}/udp/.*/p2p/12D3KooW\\w+)$`, 'm').exec(said) ?? []
      await Promise.all([anna, ben].map((each) => each.start(commandsOf(LAN, 'both'))))
      const reloaded = await anna.type(commandsOf(RELAY, 'anna, before she founds the VLAN'), {
        RELAY: address,
      })
      expect(reloaded).toEqual({ code: 0, out: 'changed: bootstrap\n' })
      await meet(anna, ben)
    },
    TEST_MILLIS,
  )
})
