/**
 * The verbs about a node's files, as people and scripts call them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { encodeLedger } from '../../core/group/record.ts'
import { hex } from '../../core/ids.ts'
import type { PortId } from '../../core/io.ts'
import { found } from '../../core/ledger/founding.ts'
import { recordOf } from '../../core/member/records.ts'
import { completionScript } from '../../drivers/cli/node/completion.ts'
import { allVerbs } from '../../drivers/cli/verbs.ts'
import { BookFile } from '../../drivers/node/book-file.ts'
import { BookKeeper } from '../../drivers/node/book-keeper.ts'
import { publishedConfigSchema, readConfig } from '../../drivers/node/config.ts'
import { writeDurable } from '../../drivers/node/durable.ts'
import { enclose } from '../../drivers/node/envelope.ts'
import { systemKeys } from '../../drivers/node/randomness.ts'
import { recordName } from '../../drivers/node/records.ts'
import { unitText, whyUnseen } from '../../drivers/node/service-unit.ts'
import { CliFolder } from '../support/cli.ts'
import { HOME } from '../support/live.ts'
import { someVlan } from '../support/state.ts'

const VERBS = await allVerbs()

const cli = new CliFolder()
afterAll(() => cli.remove())
const inFolder = (name: string): string => join(cli.folder, name)
/** A program of its own: for exit codes, streams and what is loaded. */
const program = (words: string, env: Readonly<Record<string, string>> = {}) => cli.call(words.split(' '), env)
/** Without the start of a program: for what it says of words and files. */
const peertap = (words: string, env: Readonly<Record<string, string>> = {}) =>
  cli.perform(words.split(' '), env)

describe('a new node', () => {
  it('is made once, and its parts are for whom they should be', async () => {
    const first = await peertap('init --state state --config etc/config.json')
    expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: '' })
    expect(first.out).toMatch(
      /^peer id +12D3KooW\w{44}\nstate +.*new\nconfiguration +.*new\n\n[\s\S]+\n\nHow to go on:\n/,
    )
    expect(statSync(inFolder('state')).mode & 0o777).toBe(0o700)
    const config = JSON.parse(readFileSync(inFolder('etc/config.json'), 'utf8'))
    expect(config).toMatchObject({ $schema: './config.schema.json', version: 1 })
    const schema = JSON.parse(readFileSync(inFolder('etc/config.schema.json'), 'utf8'))
    expect(schema).toEqual(JSON.parse(JSON.stringify(publishedConfigSchema())))
    expect(readConfig(inFolder('etc/config.json')).relay.enabled).toBe(true)

    const env = { PEERTAP_STATE: 'state', PEERTAP_CONFIG: 'etc/config.json' }
    const again = JSON.parse((await peertap('init --json', env)).out)
    expect(first.out).toContain(again.peer)
    expect(again).toMatchObject({ state: { made: false }, config: { made: false } })
    expect(again.key).toMatch(/^[0-9a-f]{64}$/)
  })

  it('is told how others find it, or what is missing for that', async () => {
    const init = async (config: object | string) => {
      cli.file('found.json', typeof config === 'string' ? config : JSON.stringify({ version: 1, ...config }))
      const words = 'init --state found --config found.json'
      const json = JSON.parse((await peertap(`${words} --json`)).out)
      return { json, out: (await peertap(words)).out }
    }
    const announced = await init({ announce: ['/dns4/relay.example/udp/4001/quic-v1'] })
    const contact = `/dns4/relay.example/udp/4001/quic-v1/p2p/${announced.json.peer}`
    expect(announced.json.contacts).toContain(contact)
    expect(announced.out).toMatch(/^What others write under "bootstrap" to find this node, one of:$/m)
    for (const text of announced.json.contacts) expect(announced.out).toContain(`\n  ${text}\n`)
    const alone = await init({ listen: ['/ip4/127.0.0.1/tcp/4001'] })
    expect(alone.json.contacts).toEqual([])
    expect(alone.out).toContain('No address is known that others could dial: this machine has none; write')
    const wrong = await init('{"version":1,"listn":[]}')
    expect(wrong.json).toMatchObject({ config: { made: false }, contacts: [] })
    expect(wrong.out).toContain('found.json is wrong, so that it is not known where others may dial')
  })

  it('has no key yet where its configuration cannot be read', async () => {
    const folder = inFolder('folder')
    mkdirSync(folder)
    expect(await peertap('init --state keyless --config folder')).toEqual({
      code: 2,
      out: '',
      err: `${folder} is a directory; name the file in it with --config ${join(folder, 'config.json')}\n`,
    })
    expect(existsSync(inFolder('keyless'))).toBe(false)
  })

  it('may be a public relay', async () => {
    expect((await peertap('init --state relay --config relay.json --relay')).code).toBe(0)
    const config = readConfig(inFolder('relay.json'))
    expect(config).toMatchObject({ reachability: 'public', circuitRelay: { serve: true }, mdns: false })
    expect((await peertap('init --state relay --config relay.json --relay')).code).toBe(0)
    expect((await peertap('init --state plain --config plain.json')).code).toBe(0)
    const late = await peertap('init --state plain --config plain.json --relay')
    expect(late).toMatchObject({ code: 2, err: expect.stringContaining("is no relay's, and would be kept") })
  })
})

/** Environment in which whoever loads such a module fails, and not with a mistake of the user. */
function without(modules: RegExp): Record<string, string> {
  const hook = `import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => {
      if (${modules}.test(url)) throw new Error('it was loaded')
      return next(url, context)
    } })`
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(hook)}` }
}

describe('a node that is to run', () => {
  it('says what is wrong before it loads what trunks are made of', async () => {
    const env = without(/node_modules\/(libp2p|@libp2p\/tcp|koffi)\/|sim\/run\.ts/)
    cli.file('lisen.json', '{"version":1,"lisen":[]}')
    cli.file('fine.json', '{"version":1}')
    expect(program('up --config lisen.json --state absent', env)).toEqual({
      code: 2,
      out: '',
      err: expect.stringContaining('did you mean "listen"?'),
    })
    expect(program('up --config fine.json --state absent', env)).toEqual({
      code: 2,
      out: '',
      err: `${inFolder('absent')}: there is no such directory; run "peertap init"\n`,
    })
    await peertap('init --state found --config fine.json')
    expect(program('up --config fine.json --state found', env).err).toContain('it was loaded')
  })
})

describe('a configuration', () => {
  it('is compared with the VLANs of the node, which may have them later', async () => {
    await peertap('init --state known --config known.json')
    const book = { ...new BookFile(inFolder('known')).load(), vlans: [someVlan()], nextPort: 2 }
    new BookKeeper(inFolder('known'), book).save(book)
    const { vlan, identity } = someVlan()
    const interfaces = [{ vlan: identity.label }, { vlan: vlan.slice(0, 8) }, { vlan: 'hmoe' }]
    cli.file('lan.json', JSON.stringify({ version: 1, interfaces }))
    const mend = 'correct it, or let the node join it'
    const message = `interfaces[2].vlan is "hmoe", and this node has ${identity.label}; ${mend}`
    expect(await peertap('config check lan.json --state known')).toEqual({
      code: 0,
      out: `lan.json: ${message}\nlan.json is all right otherwise\n`,
      err: '',
    })
    const { out } = await peertap('config check lan.json --json', { PEERTAP_STATE: 'known' })
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      unknownVlans: [{ path: ['interfaces', 2, 'vlan'], message }],
    })
    expect((await peertap('config check lan.json --state nowhere')).out).toBe(
      `VLANs were not compared: ${inFolder('nowhere')} holds no state\nlan.json is all right\n`,
    )
  })

  it('is compared with what VLANs were founded for, and with the node itself', async () => {
    const made = JSON.parse((await peertap('init --state large --config large.json --json')).out)
    const crypto = noble
    const terms = { ...HOME, mtu: 1_400 }
    const founding = found(crypto, systemKeys, { terms, now: Date.now() })
    const { doorKey, memberSeed, grant, charter } = founding
    const identity = { policy: charter.policy, label: 'home', doorKey, memberSeed, serial: grant.id }
    const kept = { vlan: hex(founding.vlan), authority: undefined, over: undefined }
    const guest = {
      ...kept,
      port: 1 as PortId,
      identity: { ...identity, facts: [] },
      entered: 'invited' as const,
    }
    const book = { ...new BookFile(inFolder('large')).load(), vlans: [guest], nextPort: 2 }
    new BookKeeper(inFolder('large'), book).save(book)
    const self = `/ip4/203.0.113.7/tcp/4001/p2p/${made.peer}`
    const interfaces = [{ vlan: 'home', mtu: 1_401 }]
    cli.file('wide.json', JSON.stringify({ version: 1, bootstrap: [self], interfaces }))
    const own = `bootstrap[0] is "${self}", which is this node itself; contacts are others; remove it here`
    const check = async () => (await peertap('config check wide.json --state large')).out
    // Nobody has shown it the charter yet.
    expect(await check()).toBe(`wide.json: ${own}\nwide.json is all right otherwise\n`)
    const record = recordName(recordOf(guest.port, 'ledger'))
    writeDurable(join(inFolder('large'), record), enclose(record, encodeLedger([charter, grant])), undefined)
    const wide =
      'interfaces[0].mtu is 1401, and home was founded with 1400: members whose interfaces have that lose ' +
      'longer frames; write 1400 at most, or leave it out'
    expect(await check()).toBe(`wide.json: ${own}\nwide.json: ${wide}\nwide.json is all right otherwise\n`)
    const { out } = await peertap('config check wide.json --state large --json')
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      unknownVlans: [],
      remarks: [
        { path: ['bootstrap', 0], message: own },
        { path: ['interfaces', 0, 'mtu'], message: wide },
      ],
    })
    cli.file('wide.json', JSON.stringify({ version: 1, interfaces: [{ vlan: 'home', mtu: 1_400 }] }))
    expect(await check()).toBe('wide.json is all right\n')
  })

  it('is text in UTF-8, and it is said where it is not', async () => {
    const latin = Buffer.from('{"version":1,\n "notes":["für"]}', 'latin1')
    cli.file('latin.json', latin)
    expect(await peertap('config check latin.json')).toEqual({
      code: 2,
      out: '',
      err: 'latin.json: line 2, column 13: the byte 0xfc is no text; it must be UTF-8; save it as that\n',
    })
    cli.file('wide.json', Buffer.from('\u{feff}{"version":1}', 'utf16le'))
    expect((await peertap('config check wide.json')).err).toBe(
      'wide.json: it is UTF-16; it must be UTF-8; save it as that\n',
    )
  })

  it('that is wrong is told in the one object of --json, where no node answers', async () => {
    cli.file('broken.json', '{"version":1,')
    const env = { PEERTAP_CONFIG: 'broken.json' }
    const words = await peertap('status', env)
    expect(words).toMatchObject({
      code: 4,
      err: expect.stringMatching(/broken.json is wrong.*\nno node runs/),
    })
    const json = await peertap('status --json', env)
    expect(json).toMatchObject({ code: 4, err: '' })
    const { error } = JSON.parse(json.out)
    expect(error).toEqual({
      code: 'noNode',
      message: expect.stringMatching(/^no node runs.*broken.json is wrong/),
    })
  })

  it('is checked, with a line for each mistake and an exit code', async () => {
    cli.file('good.json', '{"version":1}')
    cli.file('bad.json', '{"version":1,"mdns":"no","lisen":[]}')
    expect(await peertap('config check good.json')).toEqual({
      code: 0,
      out: 'good.json is all right\n',
      err: '',
    })
    expect(program('config check bad.json')).toEqual({
      code: 2,
      out: '',
      err:
        'bad.json: mdns is "no" (a string); it must be true or false; write true or false\n' +
        'bad.json: lisen is not a known key; did you mean "listen"?\n',
    })
    const { code, out } = await peertap('config check --json', { PEERTAP_CONFIG: 'bad.json' })
    expect(code).toBe(2)
    expect(JSON.parse(out)).toMatchObject({
      file: inFolder('bad.json'),
      ok: false,
      mistakes: [{ path: ['mdns'] }, { path: ['lisen'] }],
    })
    expect((await peertap('config chek')).err).toContain('did you mean "peertap config check"?')
    expect((await peertap('config check absent.json')).err).toContain(
      'absent.json cannot be read: there is no such ' + 'file',
    )
  })
})

describe('a backup', () => {
  it('goes to a file and back, encrypted by what standard input says', async () => {
    const made = JSON.parse((await peertap('init --state old --config old.json --json')).out)
    const shell = cli.shell(
      'echo "open sesame" | peertap backup saved --state old --passphrase-stdin --json && ' +
        'echo "open sesame" | peertap restore saved --state new --passphrase-stdin && ' +
        'peertap init --state new --config old.json --json',
    )
    expect({ code: shell.code, err: shell.err }).toEqual({ code: 0, err: '' })
    const [saved, ...rest] = shell.out.trimEnd().split('\n')
    expect(JSON.parse(saved as string)).toMatchObject({ file: 'saved', encrypted: true, vlans: 0 })
    expect(JSON.parse(rest.at(-1) as string).peer).toBe(made.peer)
    const refused = await peertap('restore saved --state other')
    expect(refused.code).toBe(2)
    expect(refused.err).toContain('saved is encrypted; give its passphrase with --passphrase-file FILE or')
    expect(existsSync(inFolder('other'))).toBe(false)
    const nowhere = await peertap('backup no/such/place --state old')
    expect(nowhere).toMatchObject({ code: 2, err: expect.stringMatching(/^\S*no\/such\/place: there is no/) })
    expect((await peertap('restore old --state other')).err).toBe('old: it is a directory: name a file\n')
  })
})

describe('a capture', () => {
  it('is not written over a file that is there', async () => {
    cli.file('kept.pcapng', 'kept')
    const env = { PEERTAP_SOCKET: inFolder('nowhere.sock') }
    const { code, err } = await peertap('capture --write kept.pcapng', env)
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/is there already.*--force/) })
    expect((await peertap('capture --write kept.pcapng --force', env)).code).toBe(4)
  })
})

describe('a failure under --json', () => {
  const failure = async (words: string, env = {}) => {
    const { code, out, err } = await peertap(words, env)
    return { code, err, ...JSON.parse(out) }
  }

  it('is one object on standard output, with the exit code that it has in words', async () => {
    const env = { PEERTAP_SOCKET: inFolder('nowhere.sock') }
    // Nor need it wait for the simulator to be loaded.
    const { code, err } = program('status', { ...env, ...without(/sim\/run\.ts/) })
    expect({ code, err }).toEqual({ code: 4, err: expect.stringContaining('no node runs here') })
    expect(await failure('status --json', env)).toEqual({
      code: 4,
      err: '',
      error: { code: 'noNode', message: err.trimEnd() },
    })
    expect(await failure('vlan show home --json --sockt x')).toEqual({
      code: 2,
      err: '',
      error: {
        code: 'usage',
        message: '--sockt is no flag of "peertap vlan show"; did you mean --socket?',
      },
    })
    expect(await failure('config check absent.json --json')).toMatchObject({
      code: 2,
      error: { code: 'usage' },
    })
  })
})

describe('help', () => {
  it('shows which arguments may be left out, and what the exit codes of such verbs mean', async () => {
    const group = await peertap('vlan --help')
    expect(group.code).toBe(0)
    expect(group.out).toMatch(/^ {2}peertap vlan evict <vlan> <member> {2}Put/m)
    expect(group.out).toMatch(
      /^Exit codes:\n {2}0 {2}done\n {2}1 {2}refused.*\n {2}2 .*\n {2}3 .*\n {2}4 {2}no node/m,
    )
    const check = (await peertap('config check --help')).out
    expect(check).toMatch(/^peertap config check \[FILE\] \[flags\]$/m)
    expect(check).not.toContain('a bound')
    expect((await peertap('config --help')).out).toMatch(/^ {2}peertap config check \[file\] {2}Say/m)
    expect((await peertap('vlan evict home')).err).toBe(
      'peertap vlan evict: member is missing; write peertap vlan evict VLAN MEMBER\n',
    )
  })
})

describe('a service', () => {
  const HARDENED = [
    'Type=notify',
    'CapabilityBoundingSet=CAP_NET_ADMIN',
    'AmbientCapabilities=CAP_NET_ADMIN',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'StateDirectory=peertap',
    'RuntimeDirectory=peertap',
    'MemoryMax=512M',
    'WatchdogSec=30',
    'RestartPreventExitStatus=2',
    'StartLimitIntervalSec=0',
    'WantedBy=multi-user.target',
  ]

  it('has a unit with no more rights than it needs, and each setting once', () => {
    const lines = unitText({ command: ['/usr/bin/node', '/opt/main.ts', 'up'], config: '/etc/c.json' }).split(
      '\n',
    )
    for (const line of HARDENED) expect(lines).toContain(line)
    expect(lines).toContain('ProtectHome=yes')
    expect(lines).toContain('ExecStart="/usr/bin/node" "/opt/main.ts" "up" "--config" "/etc/c.json"')
    const keys = lines.flatMap((line) => (/^[A-Z]/.test(line) ? [line.split('=')[0]] : []))
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('is called by the words that were given, whatever is in them', () => {
    const text = unitText({ command: ['/opt/100% "node"', '/a$b\\c'], config: '/etc/c.json' })
    expect(text).toContain(String.raw`ExecStart="/opt/100%% \"node\"" "/a$$b\\c" "--config" "/etc/c.json"`)
  })

  it('is not written for a program or a configuration that it cannot see', async () => {
    const modes: Readonly<Record<string, number>> = { '/closed': 0o700, '/opt': 0o755, '/opt/shut': 0o640 }
    const why = (path: string) => whyUnseen(path, (at) => modes[at])
    expect(why('/tmp/clone/peertap.mjs')).toContain('each service has one of its own')
    expect(why('/closed/clone/peertap.mjs')).toBe('/closed is closed to other users than its own')
    expect(why('/opt/shut')).toBe('/opt/shut is closed to other users than its own')
    expect(why('/opt/open/peertap.mjs')).toBeUndefined()
    const { code, err } = await peertap('service install --unit unseen.service --config /tmp/c.json')
    expect(code).toBe(2)
    expect(err).toMatch(/^the service cannot .*--force\n$/)
    expect(existsSync(inFolder('unseen.service'))).toBe(false)
  })

  it('is written, kept if it is another, and removed', async () => {
    const install = 'service install --unit peertap.service'
    const first = await peertap(`${install} --force`)
    expect(first.code).toBe(0)
    // By its name systemd would not find it there.
    expect(first.out).toContain(`systemctl enable --now ${inFolder('peertap.service')}\n`)
    expect((await peertap('service show')).out).toBe(readFileSync(inFolder('peertap.service'), 'utf8'))
    expect((await peertap(`${install} --config other.json`)).err).toContain('is there already and is another')
    expect(await peertap(`${install} --config other.json --force`)).toMatchObject({
      code: 0,
      err: expect.stringMatching(/other\.json is not there yet, .*; run "peertap init"\n$/),
    })
    expect(readFileSync(inFolder('peertap.service'), 'utf8')).toContain(
      `"--config" "${inFolder('other.json')}"`,
    )
    expect((await peertap('service uninstall --unit peertap.service')).code).toBe(0)
    expect(existsSync(inFolder('peertap.service'))).toBe(false)
    const json = async (words: string) => JSON.parse((await peertap(`service ${words} --json`)).out)
    const again = await json('install --unit peertap.service --force')
    expect(again).toMatchObject({ ok: true, unit: inFolder('peertap.service'), configured: false })
    expect(again.next.at(-1)).toBe(`systemctl enable --now ${inFolder('peertap.service')}`)
    expect((await json('show')).unit).toBe(readFileSync(inFolder('peertap.service'), 'utf8'))
    expect(await json('uninstall --unit peertap.service')).toEqual({
      ok: true,
      unit: inFolder('peertap.service'),
      next: ['systemctl stop peertap', 'systemctl daemon-reload'],
    })
    expect(await json('uninstall --unit peertap.service')).toMatchObject({ error: { code: 'usage' } })
    cli.file('foreign.service', '[Unit]\n')
    expect(await peertap('service uninstall --unit foreign.service')).toMatchObject({
      code: 2,
      err: 'foreign.service was not written by PeerTap; remove it yourself if it is to go\n',
    })
    expect(existsSync(inFolder('foreign.service'))).toBe(true)
  })
})

describe('completion', () => {
  /** What bash offers behind these words, the last of which is not finished. */
  function offered(...words: readonly string[]): string[] {
    const script = `${completionScript('bash', VERBS)}
      COMP_WORDS=(peertap "$@"); COMP_CWORD=$#; _peertap; printf '%s\\n' "\${COMPREPLY[@]}"`
    return spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n')
  }

  /** The same for many at once, none of whose words is empty. */
  function offeredToEach(lines: readonly (readonly string[])[]): string[][] {
    const script = `${completionScript('bash', VERBS)}
      while IFS=$'\\t' read -r -a words; do
        COMP_WORDS=(peertap "\${words[@]}"); COMP_CWORD=\${#words[@]}; COMPREPLY=(); _peertap
        printf '%s\\t' "\${COMPREPLY[@]}"; echo
      done`
    const input = lines.map((words) => `${words.join('\t')}\n`).join('')
    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8', input })
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'))
  }

  it('knows all verbs and flags', () => {
    expect(offered('s')).toEqual(['status', 'service', 'sim'])
    expect(offered('config', '')).toEqual(['check', 'schema', '--help'])
    expect(offered('sim', 'run', 'x.json', '--se')).toEqual(['--seed', '--set', '--seeds'])
    expect(offered('completion', '')).toContain('fish')
    const wanted = VERBS.flatMap(({ words, flags }) =>
      Object.keys(flags).map((flag) => [...words, `--${flag}`]),
    )
    const all = offeredToEach(wanted)
    expect(all).toHaveLength(wanted.length)
    for (const [index, words] of wanted.entries()) expect(all[index]).toContain(words.at(-1))
  })

  it('is written for other shells too', () => {
    const fish = completionScript('fish', VERBS)
    for (const { words } of VERBS) expect(fish).toContain(` -a ${words.at(-1)} `)
    expect(completionScript('zsh', VERBS)).toContain('bashcompinit')
    expect(cli.call(['completion', 'tcsh'])).toMatchObject({
      code: 2,
      err: '"tcsh" is no shell that is known; write one of bash, zsh, fish\n',
    })
  })
})
