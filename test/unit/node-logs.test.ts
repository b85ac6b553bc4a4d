import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { LogConfig } from '../../drivers/node/config.ts'
import { publicFields, publicLine } from '../../drivers/node/log-fields.ts'
import { LogLimiter } from '../../drivers/node/log-limiter.ts'
import { prettyLine } from '../../drivers/node/log-pretty.ts'
import { Logs, prettyFor } from '../../drivers/node/logs.ts'
import { notifierOf, watchdogMillis } from '../../drivers/node/notify.ts'

const CONFIG: LogConfig = { level: 'info', modules: {}, trace: false }

function logged(config: Partial<LogConfig>, pretty?: 'plain') {
  const lines: string[] = []
  const logs = new Logs({ ...CONFIG, ...config }, { to: { write: (line) => lines.push(line) }, pretty })
  return { logs, lines }
}

describe('a log', () => {
  it('is a line of JSON for each entry', () => {
    const { logs, lines } = logged({})
    logs.of('trunks').info({ peer: 'ab', count: 3 }, 'link up')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/\}\n$/)
    const { time, ...rest } = JSON.parse(lines[0] as string)
    expect(rest).toEqual({ level: 'info', module: 'trunks', peer: 'ab', count: 3, msg: 'link up' })
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  it('has levels by module, which change while it runs', () => {
    const { logs, lines } = logged({ modules: { libp2p: 'warn' } })
    const [node, libp2p] = [logs.of('node'), logs.of('libp2p')]
    node.debug('unseen')
    libp2p.info('unseen')
    libp2p.warn('seen')
    expect(lines).toHaveLength(1)
    logs.configure({ level: 'error', modules: { libp2p: 'trace' }, trace: true })
    expect(logs.trace).toBe(true)
    node.warn('unseen')
    libp2p.trace('seen')
    expect(lines).toHaveLength(2)
    expect(logs.of('node')).toBe(node)
    logs.configure({ ...CONFIG, level: 'silent' })
    node.fatal('unseen')
    expect(lines).toHaveLength(2)
  })

  it('has a line for people', () => {
    const { logs, lines } = logged({}, 'plain')
    logs.of('trunks').warn({ peer: 'ab', why: 'two words', sizes: [1, 2] }, 'link down')
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}trunks {3}link down peer=ab why="two words" sizes=\[1,2\]\n$/,
    )
  })

  it('is for people where a terminal reads it', () => {
    expect(prettyFor(false, {})).toBeUndefined()
    expect(prettyFor(true, {})).toBe('coloured')
    expect(prettyFor(true, { NO_COLOR: '1' })).toBe('plain')
    expect(prettyLine('{"level":"warn","time":"2026-01-01T10:11:12.131Z","msg":"x"}', true)).toBe(
      '10:11:12.131 \u001b[33mWARN \u001b[0m          x\n',
    )
  })
})

describe('secrets', () => {
  const SECRET = 'c2VjcmV0'.repeat(4)
  it.each([
    'seed',
    'memberSeed',
    'doorKey',
    'groupKey',
    'group_key',
    'privateKey',
    'salt',
    'passphrase',
    'token',
    'invitation',
  ])('are left out under the name %s', (name) => {
    const { logs, lines } = logged({})
    logs.of('node').info({ [name]: SECRET, inner: { list: [{ [name]: { deep: SECRET } }] } }, 'here')
    expect(lines[0]).not.toContain(SECRET)
    expect(lines[0]).toContain('[secret]')
  })

  it('are left out in bytes, in errors and in messages', () => {
    const { logs, lines } = logged({})
    const log = logs.of('node')
    const invitation = `peertap:${SECRET}`
    log.info({ bytes: Uint8Array.of(250, 251, 252), buffer: Buffer.from('hidden') }, 'bytes')
    log.info({ err: new Error(`bad ${invitation}`) }, `text ${invitation} ${invitation.toUpperCase()}`)
    expect(JSON.parse(lines[0] as string)).toMatchObject({ bytes: '[3 bytes]', buffer: '[6 bytes]' })
    expect(lines[1]).not.toMatch(new RegExp(SECRET, 'i'))
    expect(JSON.parse(lines[1] as string)).toMatchObject({
      err: { type: 'Error', message: 'bad peertap:[secret]' },
      msg: 'text peertap:[secret] peertap:[secret]',
    })
  })

  it('are not what is counted', () => {
    expect(publicFields({ tokens: 12, peer: 'ab'.repeat(32) })).toEqual({ tokens: 12, peer: 'ab'.repeat(32) })
    expect(publicLine('peertap: started')).toBe('peertap: started')
  })

  it('or anything else make no entry too large, and none fails', () => {
    fc.assert(
      fc.property(
        fc.object({ withBigInt: true, withMap: true, withTypedArray: true, maxDepth: 8 }),
        (value) => {
          const { logs, lines } = logged({})
          logs.of('node').info(value, 'any')
          expect(() => JSON.parse(lines[0] as string)).not.toThrow()
        },
      ),
    )
    const endless: Record<string, unknown> = { text: 'x'.repeat(100_000) }
    endless.self = endless
    endless.list = Array.from({ length: 10_000 }, () => endless)
    expect(JSON.stringify(publicFields(endless)).length).toBeLessThan(50_000_000)
  })
})

describe('a line for people', () => {
  it('steers no terminal, whatever others sent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, value) => {
        const line = prettyLine(JSON.stringify({ level: 'info', time: '', msg: value, [name]: value }), false)
        expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      }),
    )
    expect(prettyLine('{"level":"info","msg":"a\\u001b[2Jb\\nc"}', false)).toContain('a\\u001b[2Jb\\u000ac')
  })
})

describe('a limiter', () => {
  it('lets a few of a kind through, and says how many it did not', () => {
    const limiter = new LogLimiter()
    const answers = Array.from({ length: 8 }, () => limiter.allow('bad packet', 0))
    expect(answers).toEqual([0, 0, 0, 0, 0, undefined, undefined, undefined])
    expect(limiter.allow('another', 0)).toBe(0)
    expect(limiter.allow('bad packet', 9_999)).toBeUndefined()
    expect(limiter.allow('bad packet', 10_000)).toBe(4)
    expect(limiter.allow('bad packet', 10_000)).toBe(0)
  })

  it('takes all kinds there may be, and tells only some apart', () => {
    const limiter = new LogLimiter()
    let allowed = 0
    for (let kind = 0; kind < 10_000; kind++) if (limiter.allow(`kind ${kind}`, 0) !== undefined) allowed += 1
    expect(allowed).toBeLessThanOrEqual(256 + 5)
    // Kinds that are quiet make room.
    expect(limiter.allow('new', 10_000)).toBe(0)
    for (let index = 0; index < 4; index++) expect(limiter.allow('new', 10_000)).toBe(0)
    expect(limiter.allow('new', 10_000)).toBeUndefined()
  })
})

const RECEIVER = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind("\\0" + path[1:] if path[0] == "@" else path)
s.settimeout(20)
print("bound", flush=True)
for _ in range(int(sys.argv[2])): print(repr(s.recv(4096).decode()), flush=True)`

describe.skipIf(process.platform !== 'linux')('a service manager', () => {
  const folder = mkdtempSync(join(tmpdir(), 'peertap-notify-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([join(folder, 'notify'), `@peertap-test-${process.pid}`])('hears at %s', async (path) => {
    const receiver = spawn('python3', ['-c', RECEIVER, path, '5'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    const bound = Promise.withResolvers<void>()
    receiver.stdout.on('data', (chunk) => {
      text += chunk
      if (text.startsWith('bound')) bound.resolve()
    })
    const ended = once(receiver, 'exit')
    await bound.promise
    const notifier = notifierOf({ NOTIFY_SOCKET: path })
    expect(notifier.ready('2 VLANs')).toBe(true)
    expect(notifier.reloading()).toBe(true)
    expect(notifier.status('one\nline')).toBe(true)
    expect(notifier.watchdog()).toBe(true)
    expect(notifier.stopping()).toBe(true)
    await ended
    expect(text.trimEnd().split('\n').slice(1)).toEqual([
      String.raw`'READY=1\nSTATUS=2 VLANs'`,
      expect.stringMatching(/^'RELOADING=1\\nMONOTONIC_USEC=\d+'$/),
      "'STATUS=one line'",
      "'WATCHDOG=1'",
      "'STOPPING=1'",
    ])
  })

  it.each([undefined, '', 'relative', '/', join(folder, 'absent'), `/${'x'.repeat(200)}`])(
    'may be away: %s',
    (path) => {
      const notifier = notifierOf({ NOTIFY_SOCKET: path })
      expect(notifier.ready('')).toBe(false)
      expect(notifier.watchdog()).toBe(false)
    },
  )

  it('says how often it wants to hear', () => {
    expect(watchdogMillis({ WATCHDOG_USEC: '30000000' }, 1)).toBe(15_000)
    expect(watchdogMillis({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '2' }, 1)).toBeUndefined()
    expect(watchdogMillis({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }, 1)).toBe(15_000)
    for (const wrong of [undefined, '', '0', '-5', 'x']) {
      expect(watchdogMillis({ WATCHDOG_USEC: wrong }, 1)).toBeUndefined()
    }
  })
})
