/** The shell as a program: files and pipes in, exit codes, what goes to stdout and stderr. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, it } from 'vitest'
import { CliFolder, withSimulation } from '../support/cli.ts'
import { REPOSITORY } from '../support/requirements.ts'

const cli = new CliFolder()
cli.scenario('mesh.json', {
  seconds: 300,
  nodes: { count: 8, joinSeconds: 1 },
  vlans: [],
  traffic: [],
  bounds: {},
})

afterAll(() => cli.remove())

const DEMO = [
  '# An invitation, a join, a ping, an eviction.',
  'at 10 node1 vlan create home',
  '$url = node1 vlan invite home',
  'node2 vlan join $url',
  'node2 ping node1',
  'node1 vlan evict home node2',
  'expect over node2 ping node1',
].join('\n')

const shell = (lines: string, ...flags: readonly string[]) => {
  cli.file('lines.txt', lines)
  return cli.call(['sim', 'shell', 'mesh.json', '--script', 'lines.txt', ...flags])
}

describe('a script', () => {
  it('ends with 0 when all was done, and says the same again with its digest', () => {
    const { code, out, err } = shell(DEMO)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^ +0\.00 s> at 10 node1 vlan create home\n {2}VLAN home [0-9a-f]{8} is founded; /)
    expect(out).toMatch(/\n {2}peertap:[\w-]+\n/)
    expect(out).toMatch(
      /\n {2}node1 in home, 64 bytes, echo 1: there after [\d.]+ ms, back after [\d.]+ ms\n/,
    )
    expect(out).toMatch(/\n {2}refused \(over\): node2 is out of home; /)
    expect(out).toMatch(
      /\ndigest {2}[0-9a-f]{16}, after [\d.]+ simulated s\nrepeat {2}npx peertap sim shell /,
    )
    expect(shell(DEMO).out).toBe(out)
    expect(shell(DEMO, '--seed', '2').out).not.toBe(out)
  })

  it('is what the README shows', () => {
    const shown = readFileSync(join(REPOSITORY, 'README.md'), 'utf8').matchAll(/^ +[\d.]+ s> (.+)$/gm)
    const lines = [...shown].map(([, line]) => line as string)
    expect(lines.length).toBeGreaterThan(8)
    cli.file('lines.txt', lines.join('\n'))
    const { code, out } = cli.call(['sim', 'shell', 'steady-16', '--script', 'lines.txt'])
    expect(code).toBe(0)
    expect(out).toMatch(/heard in home by 1: node5 /)
  })

  it('ends with 1 at the first line that is refused', () => {
    const { code, out } = shell('run 5\nnode1 vlan leave home\nnode1 vlan create home')
    expect(code).toBe(1)
    expect(out).toContain("  refused (noSuchVlan): this node has no VLAN 'home'; it has none\ndigest")
    expect(out).not.toContain('founded')
  })

  it('ends with 2 at a mistake, whose line is named', () => {
    expect(shell('run 5\n\nnode1 vlan crate home')).toMatchObject({
      code: 2,
      err: 'lines.txt: line 3: "crate" is no verb of vlan; did you mean "vlan create"?\n',
    })
    expect(cli.call(['sim', 'shell', 'mesh.json', '--script', 'nowhere'])).toEqual({
      code: 2,
      out: '',
      err:
        '--script nowhere: there is no such file; it must be a text file, a command a line; ' +
        'name one, or leave out --script and type the lines\n',
    })
  })

  it('ends with 3 at a fault of our own', () => {
    const falling = `export class Run {
      world = { now: 0, nodes: [] }
      violations = []
      endsAtSeconds = 10
      step() { throw new Error('the sky fell') }
    }`
    cli.file('lines.txt', 'run 5')
    const words = ['sim', 'shell', 'mesh.json', '--script', 'lines.txt']
    const { code, err } = cli.call(words, withSimulation(falling))
    expect(code).toBe(3)
    expect(err).toContain('the sky fell')
    const [mesh, lines] = ['mesh.json', 'lines.txt'].map((name) => join(cli.folder, name))
    expect(err).toContain(`Repeat it with: npx peertap sim shell ${mesh} --seed 1 --script ${lines}\n`)
  })
})

describe('a program at the other end of a pipe', () => {
  it('gets an object for each line as soon as it is done, and one at the end', async () => {
    const child = cli.start(['sim', 'shell', 'mesh.json', '--json'], {}, true)
    const answers = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
    const ask = async (line: string): Promise<Record<string, unknown>> => {
      child.stdin?.write(`${line}\n`)
      return JSON.parse((await answers.next()).value as string)
    }
    expect(await ask('at 10 node1 vlan create home')).toMatchObject({ kind: 'answer', line: 1, ok: true })
    const { result } = (await ask('node1 vlan invite home')) as never as {
      result: { invitations: { url: string }[] }
    }
    expect(await ask(`node2 vlan join ${result.invitations[0]?.url}`)).toMatchObject({
      ok: true,
      result: { label: 'home', members: 2, mac: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/) },
    })
    expect(await ask('expect stillIn node2 vlan remove home')).toMatchObject({ ok: true, refusal: 'stillIn' })
    child.stdin?.end()
    expect(JSON.parse((await answers.next()).value as string)).toMatchObject({
      kind: 'end',
      seed: 1,
      violations: 0,
      digest: expect.stringMatching(/^[0-9a-f]{16}$/),
    })
    expect((await once(child, 'close'))[0]).toBe(0)
  })
})
