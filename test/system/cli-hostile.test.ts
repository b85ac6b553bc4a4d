/**
 * The program in a world that means it no good: streams that end, processes that are killed, files that
 * never answer.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CliFolder, withSimulation } from '../support/cli.ts'

const cli = new CliFolder()
const small = cli.scenario('small.json')

afterAll(() => cli.remove())

/** A simulation that never ends and tells its progress all the time. */
const ENDLESS = `export class Run {
  constructor(scenario, options) { this.options = options }
  done = false
  step() {
    for (;;) {
      const progress = { simulatedSeconds: 3, totalSeconds: 10, messages: 1, aliveNodes: 1 }
      this.options.onProgress(progress)
    }
  }
}`

describe('streams that take nothing', () => {
  it.skipIf(!existsSync('/dev/full'))('on stderr cost the progress and not the run', () => {
    const long = '--set seconds=600 --set nodes.count=20'
    const { code, out } = cli.shell(`peertap sim run small.json --json ${long} 2>/dev/full`)
    expect({ code, ok: JSON.parse(out).ok }).toEqual({ code: 0, ok: true })
  })

  it.skipIf(!existsSync('/dev/full'))('on stdout are a mistake that is named', () => {
    expect(cli.shell('peertap sim list >/dev/full')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^standard output cannot be written: ENOSPC/),
    })
  })
})

describe('two processes of one verification', () => {
  it('end with the one that was killed', () => {
    const killed = `process.env.TZ === 'UTC' ? process.kill(process.pid, 'SIGKILL') : 0\n${ENDLESS}`
    expect(cli.call(['sim', 'verify', small, '--quiet'], withSimulation(killed))).toEqual({
      code: 2,
      out: '',
      err:
        'the process of the simulation was ended from outside with SIGKILL, as systems do when memory runs ' +
        'out; run fewer nodes, or on a machine with more memory\n',
    })
  })

  it('end with the one whose simulation fails', () => {
    const failing = `${ENDLESS}
      if (process.env.TZ === 'UTC') Run.prototype.step = () => { throw new Error('the sky fell') }`
    const { code, err } = cli.call(['sim', 'verify', small, '--quiet'], withSimulation(failing))
    expect(code).toBe(3)
    expect(err).toContain('the sky fell')
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
    'end with their parent: %s',
    async (signal) => {
      const child = cli.start(['sim', 'verify', small], withSimulation(ENDLESS))
      // The first line of progress: both simulate, or will see on their own that nobody waits.
      await once(child.stderr ?? child, 'data')
      const closed = once(child, 'close')
      child.kill(signal)
      // The streams close when the last process that has them is gone.
      const [code, by] = await closed
      const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGKILL: null }
      expect({ code, by }).toEqual({ code: codes[signal], by: signal === 'SIGKILL' ? 'SIGKILL' : null })
    },
  )
})

describe('threads of many seeds', () => {
  it('give up at the first that fails', () => {
    const failing = ENDLESS.replace(
      'this.options = options',
      "this.options = options; if (options.seed === 1) throw new Error('the sky fell')",
    )
    const { code, err } = cli.call(['sim', 'run', small, '--quiet', '--seeds', '9'], withSimulation(failing))
    expect(code).toBe(3)
    expect(err).toContain('the sky fell')
    expect(err).toContain(`Repeat it with: npx peertap sim run ${cli.folder}/small.json --seed 1\n`)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('are ended by %s', async (signal) => {
    const child = cli.start(['sim', 'run', small, '--seeds', '4'], withSimulation(ENDLESS))
    const closed = once(child, 'close')
    await Promise.race([once(child.stderr ?? child, 'data'), closed])
    child.kill(signal)
    expect(await closed).toEqual([null, signal])
  })
})

describe('a directory for results', () => {
  const MANIFEST = ['manifest.json', 'result.json', 'scenario.json']
  const at = (name: string): string => join(cli.folder, name)
  /** Begins a run that writes there and waits until its progress says so. */
  async function startInto(name: string, source: string, progress = '%'): Promise<ChildProcess> {
    const words = ['sim', 'run', small, '--seeds', '4', '--out', name]
    const child = cli.start(words, withSimulation(source))
    for (let said = ''; !said.includes(progress); ) said += (await once(child.stderr ?? child, 'data'))[0]
    return child
  }
  async function end(child: ChildProcess): Promise<string> {
    let said = ''
    child.stderr?.on('data', (data) => (said += data))
    const closed = once(child, 'close')
    child.kill('SIGINT')
    expect(await closed).toEqual([null, 'SIGINT'])
    return said
  }

  it("is one run's at a time, and free again when that was killed", async () => {
    const child = await startInto('shared', ENDLESS)
    expect(cli.call(['sim', 'run', small, '--quiet', '--out', 'shared', '--force'])).toEqual({
      code: 2,
      out: '',
      err:
        `--out shared: the run of process ${child.pid} writes there now; name another directory, ` +
        'or wait for its end\n',
    })
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
    expect(cli.call(['sim', 'run', small, '--quiet', '--out', 'shared']).code).toBe(0)
    expect(readdirSync(at('shared')).sort()).toEqual(MANIFEST)
  })

  it('that was made for nothing is removed when the run is interrupted', async () => {
    await end(await startInto('new/empty', ENDLESS))
    expect(existsSync(at('new'))).toBe(false)
  })

  it('gets the results of the seeds that had ended by then', async () => {
    const half = ENDLESS.replace('done = false', '').replace(
      'constructor(scenario, options) { this.options = options }',
      `constructor(scenario, options) { this.options = options; this.done = options.seed < 3 }
      result() {
        const { seed } = this.options
        return { seed, ok: true, bounds: [], violations: [], remarks: [], metrics: {}, messages: 1 }
      }`,
    )
    const said = await end(await startInto('half', half, '2 of 4 seeds'))
    expect(said).toContain('interrupted; written: the results of 2 of 4 seeds')
    expect(readdirSync(at('half')).sort()).toEqual(MANIFEST)
    const { seeds } = JSON.parse(readFileSync(join(at('half'), 'manifest.json'), 'utf8'))
    expect(seeds).toEqual([1, 2])
  })
})

describe('a name that leads nowhere good', () => {
  const long = 'x'.repeat(5_000)

  it.each([
    [long, `${long}: there is no such scenario; "peertap sim list" shows what comes with PeerTap`],
    [
      'small.json/x',
      'small.json/x: there is no such scenario; "peertap sim list" shows what comes with PeerTap',
    ],
    [
      'huge.json',
      'huge.json: this has 16777217 bytes and a scenario at most 16777216; ' +
        'name recorded data in a scenario, with --data for where it lies',
    ],
  ])('is a mistake of the user, in case %#', (name, message) => {
    cli.file('huge.json', new Uint8Array(16_777_217))
    expect(cli.call(['sim', 'run', name])).toEqual({ code: 2, out: '', err: `${message}\n` })
  })

  it.skipIf(!existsSync('/proc/kmsg'))('does not make the program wait for ever', () => {
    expect(cli.call(['sim', 'run', '/proc/kmsg'])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^\/proc\/kmsg/),
    })
  })
})

describe('a time that is no decimal number', () => {
  it.each(['0x10', ' 5'])('is refused: %j', (text) => {
    expect(cli.call(['sim', 'verify', small, '--seconds', text]).err).toBe(
      `--seconds is "${text}"; it must be a number above 0; write --seconds 60\n`,
    )
  })
})
