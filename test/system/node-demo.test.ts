/** The demonstration shows what it promises and leaves nothing behind, however it ends. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { MAIN } from '../support/cli.ts'
import { byBudget, requires } from '../support/requirements.ts'

/** About twenty seconds on a machine that does nothing else. */
const TEST_MILLIS = byBudget(300_000, 600_000)

interface Demo {
  readonly pid: number
  readonly said: () => string
  readonly ended: Promise<unknown[]>
  kill(signal: NodeJS.Signals): void
}

function demo(): Demo {
  const child = spawn(process.execPath, [MAIN, 'demo'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const parts: string[] = []
  child.stdout.setEncoding('utf8').on('data', (part: string) => parts.push(part))
  return {
    pid: child.pid as number,
    said: () => parts.join(''),
    ended: once(child, 'close'),
    kill: (signal) => child.kill(signal),
  }
}

/** Namespaces and processes of one demonstration. */
function leftovers(pid: number): string[] {
  const namespaces = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.split('\n')
  const processes = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout.split('\n')
  return [...namespaces, ...processes].filter((line) => line.includes(`peertap-demo-${pid}-`))
}

describe.skipIf(!requires.namespaces())('the demonstration', () => {
  test(
    'shows members that talk through a relay which learns nothing',
    async () => {
      const { pid, said, ended } = demo()
      expect(await ended).toEqual([0, null])
      const story = said()
      expect(story.match(/: 3 of 3 came back/g)).toHaveLength(6)
      expect(story).toContain('Network is unreachable')
      expect(story).toMatch(/^anna\$ peertap status$/m)
      expect(story).toMatch(/ {2}pt-home +home +in +3 /)
      expect(story).toMatch(/^anna\$ peertap topology$/m)
      expect(story).toMatch(/^ {2}[0-9a-f]{32} {2}relayed, \d+ tokens/m)
      expect(story).toContain("cora's member key. Found: nothing.")
      expect(leftovers(pid)).toEqual([])
    },
    TEST_MILLIS,
  )

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'leaves nothing behind when it is ended by %s',
    async (signal) => {
      const { pid, said, ended, kill } = demo()
      while (!said().includes('Four hosts')) await new Promise((done) => setTimeout(done, 50))
      expect(leftovers(pid)).toHaveLength(4)
      kill(signal)
      expect(await ended).toEqual([signal === 'SIGINT' ? 130 : 143, null])
      expect(said()).toContain('Interrupted')
      expect(leftovers(pid)).toEqual([])
    },
    TEST_MILLIS,
  )
})

describe('the demonstration for those who are not root', () => {
  test.skipIf(process.getuid?.() !== 0)('says that root is needed', () => {
    const words = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, MAIN, 'demo']
    const { status, stderr } = spawnSync('setpriv', words, { encoding: 'utf8' })
    expect(stderr).toBe('the demo makes network namespaces, which takes root; write sudo npm run demo\n')
    expect(status).toBe(2)
  })
})
