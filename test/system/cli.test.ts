/**
 * The program as people and scripts call it: exit codes, what goes to stdout and stderr, files.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CliFolder, type Ended, MAIN, withSimulation } from '../support/cli.ts'
import { REPOSITORY, requires } from '../support/requirements.ts'

const cli = new CliFolder()
const { folder } = cli
const small = cli.scenario('small.json')

afterAll(() => cli.remove())

/** A module that makes a Node say that it is one on which only the launcher runs. */
const OLD_NODE = `data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } })",
)}`

const scenarioFile = (name: string, changes: object): string => cli.scenario(name, changes)
/** A program of its own: for exit codes, streams and signals. */
const peertap = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Ended =>
  cli.call(words, env)
/** Without the start of a program: for what it says of words and files. */
const perform = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  cli.perform(words, env)

describe('a run', () => {
  it('ends with 0 and one JSON object when all bounds hold', () => {
    const { code, out, err } = peertap(['sim', 'run', small, '--json', '--quiet'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out.trimEnd().split('\n')).toHaveLength(1)
    const result = JSON.parse(out)
    expect(result).toMatchObject({
      scenario: 'small',
      seed: 1,
      ok: true,
      violations: [],
      simulatedSeconds: 30,
    })
    expect(result.digest).toMatch(/^[0-9a-f]{16}$/)
    expect(result.bounds).toEqual([{ name: 'delivery', value: 1, limit: { min: 0.99 }, ok: true }])
    for (const name of ['events', 'messages', 'wallSeconds', 'messagesPerSecond', 'peakRssBytes']) {
      expect(result[name], name).toBeGreaterThan(0)
    }
    expect(result.metrics.delivery).toBe(1)
    expect(result.manifest).toMatchObject({
      scenario: 'small',
      seeds: [1],
      flags: [],
      dither: true,
      data: {},
    })
    expect(result.manifest.scenarioHash).toMatch(/^[0-9a-f]{64}$/)
  })

  it('ends with 1 when a bound fails, with the line that repeats it', () => {
    const { code, out } = peertap([
      ...['sim', 'run', small, '--quiet', '--seed', '41'],
      ...['--set', 'bounds={"latencyP99Millis":{"max":0.001}}'],
    ])
    expect(code).toBe(1)
    expect(out).toMatch(/FAILED {2}latencyP99Millis/)
    expect(out).toContain(
      `repeat  npx peertap sim run ${small} --seed 41 --set 'bounds={"latencyP99Millis":{"max":0.001}}'`,
    )
  })

  it('says in its object how to repeat it, from wherever one is', async () => {
    const bound = ['--set', 'bounds.latencyP99Millis.max=0.001']
    const one = await perform(['sim', 'run', 'small.json', '--json', '--quiet', ...bound])
    expect(one.code).toBe(1)
    expect(JSON.parse(one.out).repeat).toBe(`npx peertap sim run ${small} --seed 1 ${bound.join(' ')}`)
    const both = await perform(['sim', 'run', 'small.json', '--json', '--quiet', '--seeds', '2', ...bound])
    const two = JSON.parse(both.out)
    expect(two.repeat).toEqual(
      [1, 2].map((seed) => `npx peertap sim run ${small} --seed ${seed} ${bound.join(' ')}`),
    )
    const words = ['sim', 'verify', '--json', '--quiet', '--seconds', '2', '--data', '.']
    for (const name of ['steady-16', join(REPOSITORY, 'scenarios/steady-16.json')]) {
      expect(JSON.parse((await perform([...words, name])).out).repeat).toBe(
        `npx peertap sim verify steady-16 --seed 1 --data ${folder} --seconds 2`,
      )
    }
  })

  it('is repeated by its line, in another process too, and differs with another seed', async () => {
    const words = (seed: string) => ['sim', 'run', small, '--json', '--quiet', '--seed', seed]
    const digest = ({ out }: Ended): string => JSON.parse(out).digest
    const third = digest(await perform(words('3')))
    expect(digest(peertap(words('3')))).toBe(third)
    expect(digest(await perform(words('4')))).not.toBe(third)
  })

  it('tells its progress on stderr only, in lines where there is no terminal', () => {
    // Long enough to be told of: a run that is over in a fifth of a second says nothing on its way.
    const { out, err } = peertap([
      'sim',
      'run',
      'small.json',
      '--set',
      'seconds=4000',
      '--set',
      'nodes.count=20',
    ])
    expect(err).toMatch(
      /^small, seed 1: \d0 %, [\d,]+ of 4,000 s, [\d,.]+× real time, 20 nodes, [\d,]+ messages\/s$/m,
    )
    expect(out).not.toContain('real time, 20 nodes')
  })

  it('ends well when the reader has had enough', () => {
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${MAIN}" sim schema | head -1`],
      {
        encoding: 'utf8',
      },
    )
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })
})

describe('many seeds', () => {
  it('have the results that each has alone, and a summary', async () => {
    const result = async (...flags: readonly string[]) =>
      JSON.parse((await perform(['sim', 'run', small, '--json', '--quiet', ...flags])).out)
    const [many, alone] = [await result('--seeds', '3'), await result('--seed', '2')]
    expect(many.seeds.map(({ seed }: { seed: number }) => seed)).toEqual([1, 2, 3])
    expect(many.seeds[1].digest).toBe(alone.digest)
    expect(many.seeds[1].metrics).toEqual(alone.metrics)
    expect(many.summary.delivery).toMatchObject({ seeds: 3, mean: 1, confidence95: 0, min: 1, max: 1 })
    expect(many.failingSeeds).toEqual([])
  })

  it('name those that fail, each with its line', async () => {
    const { code, out } = await perform([
      ...['sim', 'run', small, '--quiet', '--seeds', '2'],
      ...['--set', 'bounds.latencyP99Millis.max=0.001'],
    ])
    expect(code).toBe(1)
    expect(out).toContain('small, 2 seeds: 0 hold, 2 fail')
    expect(out).toContain(`    npx peertap sim run ${small} --seed 2 --set bounds.latencyP99Millis.max=0.001`)
  })
})

/** What the user did, and what is said about it; nothing goes to stdout, and the code is 2. */
const MISTAKES: readonly (readonly [words: string, message: string])[] = [
  [
    '',
    'peertap: say what to do: up, down, status, peers, topology, ping, explain, trace, capture, logs, ' +
      'events, reload, vlan, relay, init, backup, restore, doctor, demo, config, service, sim, ' +
      'view, completion; see peertap --help',
  ],
  ['simm run x', '"simm" is no verb of "peertap"; did you mean "peertap sim"?'],
  ['sim', 'peertap sim: say what to do: run, verify, shell, list, schema; see peertap sim --help'],
  ['sim rum x', '"rum" is no verb of "peertap sim"; did you mean "peertap sim run"?'],
  ['sim run', 'peertap sim run: scenario is missing; write peertap sim run SCENARIO'],
  [
    'sim run small.json other.json',
    '"other.json" is one argument too many for "peertap sim run"; remove it, or quote what belongs together',
  ],
  ['sim run small.json --sed 4', '--sed is no flag of "peertap sim run"; did you mean --seed?'],
  ['sim run small.json --seed', '--seed has no value; write the value after it'],
  [
    'sim run small.json --seed x',
    '--seed is "x"; it must be a whole number from 0 to 4294967295; ' +
      'write any of them, or leave it out for 1',
  ],
  ['sim run small.json --seed 1 --seed 2', '--seed is given 2 times; give it once'],
  ['sim run small.json --seed 1 --seeds 2', '--seed and --seeds exclude each other; give one of them'],
  [
    'sim run small.json --set nodes.cont=4',
    '--set nodes.cont=4: nodes.cont is not a known key; did you mean "count"?',
  ],
  [
    'sim run small.json --data nowhere',
    '--data nowhere: there is no such directory; name the directory that holds the data files',
  ],
  [
    'sim run small.json --data small.json',
    '--data small.json: this is a file; name the directory that holds the data files',
  ],
  [
    'sim run steady-61',
    'steady-61: there is no such scenario; did you mean "steady-16"? ' +
      '"peertap sim list" shows what comes with PeerTap',
  ],
  ['sim run .', '.: this is a directory; name a scenario file in it'],
  ['sim verify small.json --seconds 0', '--seconds is "0"; it must be a number above 0; write --seconds 60'],
  [
    'sim run small.json --json=maybe',
    '--json is "maybe"; it takes no value, or true or false; write --json alone',
  ],
  ['--version=x', '--version is "x"; it takes no value, or true or false; write --version alone'],
  ['sim run small.json --toString', '--toString is no flag of "peertap"; "peertap --help" lists its verbs'],
  ['sim list --jsn', '--jsn is no flag of "peertap sim list"; did you mean --json?'],
]

describe('a mistake', () => {
  it.each(MISTAKES)('is explained without a stack: peertap %s', async (words, message) => {
    const ended = await perform(words.split(' ').filter(Boolean))
    expect(ended).toEqual({ code: 2, out: '', err: `${message}\n` })
  })

  it('in a file is placed, and all are told at once', async () => {
    writeFileSync(join(folder, 'broken.json'), '{\n  "version": 1,\n}')
    // As the shell sees it: the exit code, and which stream.
    expect(peertap(['sim', 'run', 'broken.json'])).toEqual({
      code: 2,
      out: '',
      err: 'broken.json: line 2, column 15: a comma stands before }; remove the comma\n',
    })
    scenarioFile('wrong.json', { version: 7, nodes: { count: '6' } })
    expect((await perform(['sim', 'run', 'wrong.json'])).err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^wrong\.json: version is 7; it must be 1;/),
      expect.stringMatching(/^wrong\.json: nodes\.count is "6" \(a string\);.*remove the quotes$/),
    ])
  })

  it('about data says which file, where it was looked for, what to get and how to name it', async () => {
    const { code, err } = await perform(['sim', 'run', 'churn-skype'], { PEERTAP_DATA: folder })
    expect(code).toBe(2)
    expect(err).toContain(
      `churn.file is "churn-skype-2005/SKYPE.avt", and there is no such file in ${folder}`,
    )
    expect(err).toContain('it must be an availability trace in .avt form')
    expect(err).toContain('name the directory that holds it with --data DIRECTORY, or set PEERTAP_DATA')
    const set = 'churn={"kind":"trace","file":"a.avt"}'
    const { err: inFile } = await perform(['sim', 'run', small, '--set', set], { PEERTAP_DATA: small })
    expect(inFile).toContain(
      `--set ${set}: churn.file is "a.avt", and there is no such file in ${small} (which is a file)`,
    )
  })

  it('in a data file names scenario, key, file and line', async () => {
    writeFileSync(join(folder, 'a.avt'), '0a 1 5 3\n')
    const set = 'churn={"kind":"trace","file":"a.avt"}'
    expect(await perform(['sim', 'run', small, '--quiet', '--data', folder, '--set', set])).toEqual({
      code: 2,
      out: '',
      err:
        `small.json: churn.file: ${join(folder, 'a.avt')} line 1: on-interval 1 ends at 3 before it starts ` +
        'at 5; times must rise; remove or mend the line\n',
    })
  })

  const data = requires.data()
  it.skipIf(!data)('in the name of a data file gets a suggestion', async () => {
    const { err } = await perform([
      'sim',
      'run',
      'churn-skype',
      '--set',
      'churn.file=churn-skype-2005/SKYP.avt',
    ])
    expect(err).toContain('did you mean "churn-skype-2005/SKYPE.avt"?')
  })
})

describe('a fault of our own', () => {
  it('ends with 3, the line that repeats it and what to report', () => {
    const broken = withSimulation('export class Run { constructor() { throw new Error("the sky fell") } }')
    const { code, out, err } = peertap(['sim', 'run', small, '--quiet', '--seed', '5'], broken)
    expect({ code, out }).toEqual({ code: 3, out: '' })
    expect(err).toContain('This is a fault of PeerTap itself:\nError: the sky fell\n    at new Run')
    expect(err).toContain(`Repeat it with: npx peertap sim run ${small} --seed 5\n`)
    expect(err).toMatch(/Please report it with all of the above and with: PeerTap \d+\.\d+\.\d+, Node v\d+/)
    const asJson = peertap(['sim', 'run', small, '--quiet', '--json'], broken)
    expect({ code: asJson.code, err: asJson.err }).toEqual({ code: 3, err: '' })
    expect(JSON.parse(asJson.out).error).toMatchObject({
      code: 'internal',
      stack: expect.stringMatching(/^Error: the sky fell\n {4}at new Run/),
      repeat: `npx peertap sim run ${small} --seed 1`,
    })
  })
})

describe('verify', () => {
  it('finds the same twice in two processes', async () => {
    const { code, out } = await perform(['sim', 'verify', small, '--quiet', '--json', '--seconds', '20'])
    expect(code).toBe(0)
    const verdict = JSON.parse(out)
    expect(verdict).toMatchObject({ scenario: 'small', seed: 1, ok: true, same: true })
    // Fewer than a chunk, and compared all the same.
    expect(verdict.effects).toBeGreaterThan(100)
  })

  it('names the first effect that differs', () => {
    // A simulation that depends on the time zone: the two processes have different ones.
    const unlike = withSimulation(`export class Run {
      digests = []
      get digest() { return process.env.TZ === 'UTC' ? 'aaaaaaaaaaaaaaaa' : 'bbbbbbbbbbbbbbbb' }
      done = true
      step() {}
      record() {
        const zone = process.env.TZ.length
        return ['0.1 s node 1 send link 2 length 3', '0.2 s node 1 send link 2 length ' + zone]
      }
    }`)
    const { code, out } = peertap(['sim', 'verify', small, '--quiet'], unlike)
    expect(code).toBe(1)
    expect(out).toContain('the first effect that differs is number 1; before it both did')
    expect(out).toContain('  both    0.1 s node 1 send link 2 length 3')
    expect(out).toContain('  first   0.2 s node 1 send link 2 length 3')
    expect(out).toMatch(/ {2}second {2}0\.2 s node 1 send link 2 length \d\d/)
    expect(out).toContain(`npx peertap sim verify ${small} --seed 1`)
  })
})

describe('--out', () => {
  it('writes result, scenario and manifest, and nothing else', async () => {
    const out = join(folder, 'out')
    const json = JSON.parse((await perform(['sim', 'run', small, '--json', '--quiet', '--out', out])).out)
    expect(readdirSync(out).sort()).toEqual(['manifest.json', 'result.json', 'scenario.json'])
    const read = (file: string) => JSON.parse(readFileSync(join(out, file), 'utf8'))
    expect(read('result.json')).toEqual(json)
    expect(read('manifest.json')).toEqual(json.manifest)
    expect(read('scenario.json')).toMatchObject({ name: 'small', warmupSeconds: 10, crypto: 'standin' })
  })

  it('refuses to overwrite another run before it starts one, unless forced', async () => {
    const words = ['sim', 'run', small, '--quiet', '--out', 'kept']
    expect((await perform(words)).code).toBe(0)
    // The same run may be written again.
    expect((await perform(words)).code).toBe(0)
    expect(await perform([...words, '--seed', '9'])).toEqual({
      code: 2,
      out: '',
      err:
        '--out kept: the results of another run are there; name another directory, ' +
        'or overwrite with --force\n',
    })
    expect((await perform([...words, '--seed', '9', '--force'])).code).toBe(0)
  })

  it('refuses a place where nothing can be written at once, and leaves nothing behind', async () => {
    writeFileSync(join(folder, 'a-file'), '')
    mkdirSync(join(folder, 'occupied'))
    writeFileSync(join(folder, 'occupied', 'diary.txt'), '')
    writeFileSync(join(folder, 'occupied', 'letter.txt'), '')
    const before = readdirSync(folder)
    const long = 'x'.repeat(5_000)
    const refused: [out: string, message: string][] = [
      ['a-file', 'this is a file; name a directory'],
      ['a-file/runs', 'this is no place for a directory (ENOTDIR: not a directory); name another'],
      [`new/${long}`, 'this is no place for a directory (ENAMETOOLONG: name too long); name another'],
      [
        'occupied',
        'other files are there ("diary.txt" and 1 more); name a new or an empty directory, ' +
          'or write among them with --force',
      ],
    ]
    if (existsSync('/proc/self/status')) {
      const mend = 'name a directory where you may write and that has room'
      const cannot = '/proc/x cannot be made (ENOENT: no such file or directory)'
      refused.push(
        ['/dev/null', 'this is no directory; name a directory'],
        ['/proc/x/y', `${cannot}; name a directory that can be made`],
      )
      expect((await perform(['sim', 'run', small, '--out', '/proc', '--force'])).err).toBe(
        `--out /proc: no file can be written there (ENOENT: no such file or directory); ${mend}\n`,
      )
    }
    for (const [out, message] of refused) {
      // Nothing on standard output: a run would have shown its results.
      const ended = await perform(['sim', 'run', small, '--quiet', '--out', out])
      expect(ended).toEqual({ code: 2, out: '', err: `--out ${out}: ${message}\n` })
    }
    expect(readdirSync(folder)).toEqual(before)
  })

  it('prints the results even if the place is gone when they are there', () => {
    const gone = join(folder, 'gone')
    const removes = withSimulation(`import { rmSync } from 'node:fs'
      export class Run {
        done = true
        result() {
          rmSync(${JSON.stringify(gone)}, { recursive: true })
          return { ok: true, bounds: [], violations: [], metrics: {}, digest: 'd' }
        }
      }`)
    const { code, out, err } = peertap(['sim', 'run', small, '--quiet', '--json', '--out', 'gone'], removes)
    expect(code).toBe(2)
    expect(JSON.parse(out).digest).toBe('d')
    expect(err).toMatch(/^--out gone: no file can be written there \(ENOENT: no such file or directory\);/)
  })

  it('can be run again from what it wrote', async () => {
    const again = JSON.parse((await perform(['sim', 'run', 'out/scenario.json', '--json', '--quiet'])).out)
    const first = JSON.parse(readFileSync(join(folder, 'out/result.json'), 'utf8'))
    expect(again.digest).toBe(first.digest)
    expect(again.manifest.scenarioHash).toBe(first.manifest.scenarioHash)
  })
})

describe('what needs no run', () => {
  it('lists the scenarios', async () => {
    const { code, out } = await perform(['sim', 'list'])
    expect(code).toBe(0)
    expect(out).toMatch(/^steady-16 +16 nodes +1,800 simulated s {2}takes seconds$/m)
    expect(out).toMatch(
      /^churn-skype +2,081 nodes +21,600 simulated s {2}takes minutes +needs recorded data$/m,
    )
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
    const list = JSON.parse((await perform(['sim', 'list', '--json'])).out)
    const names = list.map(({ name }: { name: string }) => name)
    expect(names).toEqual(
      readdirSync(join(REPOSITORY, 'scenarios'))
        .map((file) => file.replace('.json', ''))
        .filter((name) => name !== 'schema')
        .sort(),
    )
  })

  it('prints the schema that is published', async () => {
    const published = readFileSync(join(REPOSITORY, 'scenarios/schema.json'), 'utf8')
    expect(JSON.parse((await perform(['sim', 'schema'])).out)).toEqual(JSON.parse(published))
  })

  it('says its version and explains its exit codes', async () => {
    const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'))
    expect(await perform(['--version'])).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' })
    for (const words of [['--help'], ['sim', 'run', '--help']]) {
      const { code, out } = await perform(words)
      expect(code).toBe(0)
      expect(out).toMatch(
        /Exit codes:\n {2}0 {2}done.*\n {2}1 {2}a bound.*\n {2}2 {2}a mistake.*\n {2}3 {2}a fault/,
      )
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
    }
  })

  it('does not outlive a launcher that is killed, which can pass nothing on', async () => {
    const launcher = join(REPOSITORY, 'drivers/cli/peertap.mjs')
    const words = [
      '--import',
      OLD_NODE,
      launcher,
      'sim',
      'shell',
      join(REPOSITORY, 'scenarios/steady-16.json'),
    ]
    // Somebody who says a line and then nothing for longer than this test may take.
    const person = spawn('sh', ['-c', 'echo status; exec sleep 100'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const child = spawn(process.execPath, words, { stdio: [person.stdout, 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    // The program has it too, and keeps it open for as long as it lives.
    await once(child.stdout.resume(), 'close')
    person.kill()
  }, 60_000)

  it('ends with 2 and the mend where no Node that is new enough can be started', () => {
    const elsewhere = join(folder, 'installed')
    mkdirSync(elsewhere)
    const launcher = join(elsewhere, 'peertap.mjs')
    copyFileSync(join(REPOSITORY, 'drivers/cli/peertap.mjs'), launcher)
    const launch = () =>
      spawnSync(process.execPath, ['--import', OLD_NODE, launcher], {
        encoding: 'utf8',
      })
    const missing = launch()
    expect(missing.stderr).toMatch(/^peertap needs Node 26 or newer and this is v.*Run "npm install"/)
    expect(missing.status).toBe(2)
    mkdirSync(join(elsewhere, 'node_modules/node/bin'), { recursive: true })
    const name = process.platform === 'win32' ? 'node.exe' : 'node'
    writeFileSync(join(elsewhere, 'node_modules/node/bin', name), '', { mode: 0o600 })
    const broken = launch()
    expect(broken.stderr).toMatch(/^peertap: could not start .*; run "npm ci" in the project\n$/)
    expect(broken.status).toBe(2)
  })

  it('is reached by the launcher too', () => {
    const launcher = join(REPOSITORY, 'drivers/cli/peertap.mjs')
    expect(existsSync(launcher)).toBe(true)
    const { status, stdout } = spawnSync(process.execPath, [launcher, '--version'], { encoding: 'utf8' })
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
  })
})
