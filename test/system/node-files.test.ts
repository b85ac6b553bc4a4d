/**
 * The state directory as the system treats it: other processes, those that are killed, full disks, others'
 * permissions.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import type { PortId } from '../../core/io.ts'
import { recordOf } from '../../core/member/records.ts'
import { readConfig } from '../../drivers/node/config.ts'
import { createState } from '../../drivers/node/state.ts'
import { REPOSITORY, requires } from '../support/requirements.ts'
import { keepVlans, StateFolder, someVlan } from '../support/state.ts'

const folder = new StateFolder()
afterAll(() => folder.remove())
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const PORT = 1 as PortId
const HEAD = recordOf(PORT, 'head')
const isRoot = process.geteuid?.() === 0
const mounting = requires.mounting()

/** Runs statements of a module with `NodeState` at hand, in another process. */
function elsewhere(statements: string, path: string, uid?: number): ChildProcess {
  const module = (name: string) => JSON.stringify(join(REPOSITORY, 'drivers/node', name))
  const source = `const { NodeState } = await import(${module('state.ts')})
    const { BookKeeper } = await import(${module('book-keeper.ts')})
    const { readConfig } = await import(${module('config.ts')})
    const path = process.argv[1]
    try { ${statements} } catch (error) { console.log(error.name + ': ' + error.message) }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  children.push(child)
  return child
}

/** The first line that it writes. */
async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout as NonNullable<ChildProcess['stdout']>) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return text.split('\n')[0] as string
}

function refusal(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return 'no refusal'
}

describe('another process', () => {
  it('that has the state is named, and nothing is read behind its back', async () => {
    const path = folder.make()
    const holder = elsewhere(
      'NodeState.open(path, console.error); console.log("open"); setInterval(() => {}, 1e6)',
      path,
    )
    expect(await firstLine(holder)).toBe('open')
    expect(refusal(() => folder.open(path))).toBe(
      `${path} is in use by process ${holder.pid}; ` +
        'end that one first, or name another directory with --state',
    )
  })

  it('that was killed leaves a state that is opened at once', async () => {
    const path = folder.make()
    const holder = elsewhere(
      'NodeState.open(path, console.error); console.log("open"); setInterval(() => {}, 1e6)',
      path,
    )
    expect(await firstLine(holder)).toBe('open')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    // Its number still stands in the file: it is the lock that counts.
    expect(readFileSync(join(path, 'lock'), 'utf8')).toBe(`${holder.pid}\n`)
    await folder.close(folder.open(path))
  })

  it('that is killed while it writes leaves what was there or what was to be there, whole', async () => {
    const path = folder.make()
    for (let round = 0; round < 5; round++) {
      const writer = elsewhere(
        `const state = NodeState.open(path, console.error)
         // The record is none of this book's, which knows no VLANs.
         const book = new BookKeeper(path, { ...state.book.load(), firstPort: 2 })
         for (let value = 1; ; value++) {
           const record = new Uint8Array(100_000).fill(value % 251)
           await state.store(${HEAD}, record)
           book.save({ vlans: [], nextPort: 2 + value })
           if (value === ${3 + round * 7}) console.log("writing")
         }`,
        path,
      )
      expect(await firstLine(writer)).toBe('writing')
      writer.kill('SIGKILL')
      await once(writer, 'exit')
      const state = folder.open(path)
      const head = state.stored(PORT).head as Uint8Array
      expect(head).toHaveLength(100_000)
      expect(new Set(head).size).toBe(1)
      expect(readdirSync(path).filter((name) => name.endsWith('.new'))).toEqual([])
      await folder.close(state)
    }
  })
})

describe.skipIf(mounting === undefined)('a full disk', () => {
  const mounts: string[] = []
  afterAll(() => {
    for (const path of mounts) spawnSync('umount', [path])
  })

  /** A state on a file system of so many KiB. */
  function small(kilobytes: number): string {
    const path = mkdtempSync(join(folder.folder, 'small-'))
    const { status, stderr } = spawnSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${kilobytes}k,mode=0700`, 'tmpfs', path],
      { encoding: 'utf8' },
    )
    if (status !== 0) throw new Error(stderr)
    mounts.push(path)
    createState(path)
    return path
  }

  it('leaves records as they were, and tells the core and, once, the user', async () => {
    const path = small(256)
    const state = folder.open(path)
    folder.reports.length = 0
    expect(await state.store(HEAD, new Uint8Array(1_000).fill(1))).toBe(true)
    for (let tries = 0; tries < 3; tries++)
      expect(await state.store(HEAD, new Uint8Array(400_000).fill(2))).toBe(false)
    expect(folder.reports).toHaveLength(1)
    expect(folder.reports[0]).toContain('cannot be written (ENOSPC: no space left on device')
    expect(state.stored(PORT).head).toEqual(new Uint8Array(1_000).fill(1))
    // Nothing half-written takes the room that is left.
    expect(readdirSync(join(path, 'records'))).toEqual([String(HEAD).padStart(6, '0')])
    expect(await state.store(HEAD, new Uint8Array(2_000).fill(3))).toBe(true)
    await folder.close(state)
    const again = folder.open(path)
    expect(again.stored(PORT).head).toEqual(new Uint8Array(2_000).fill(3))
    await folder.close(again)
  })

  it('leaves the book as it was, and says so', async () => {
    const path = small(256)
    const state = folder.open(path)
    keepVlans(state, { vlans: [someVlan()], nextPort: 2 })
    const before = readFileSync(join(path, 'vlans'))
    writeFileSync(join(path, 'filler'), new Uint8Array(8_192), { mode: 0o600 })
    const filler = spawnSync('dd', ['if=/dev/zero', `of=${join(path, 'filler')}`, 'bs=4096'])
    expect(filler.status).not.toBe(0)
    expect(refusal(() => keepVlans(state, { vlans: [someVlan(), someVlan(2)], nextPort: 3 }))).toBe(
      `${join(path, 'vlans')}: the disk is full: make room, and try again; what was there is untouched`,
    )
    expect(readFileSync(join(path, 'vlans'))).toEqual(before)
    expect(state.book.load().vlans).toEqual([someVlan()])
    rmSync(join(path, 'filler'))
    keepVlans(state, { vlans: [someVlan(), someVlan(2)], nextPort: 3 })
    expect(state.book.load().vlans).toHaveLength(2)
    await folder.close(state)
  })
})

describe.skipIf(!isRoot)('permissions', () => {
  const NOBODY = 65_534

  it('keep others from the state, with a word on who may', async () => {
    const path = folder.make()
    chmodSync(folder.folder, 0o755)
    const line = await firstLine(elsewhere('NodeState.open(path, console.error)', path, NOBODY))
    expect(line).toMatch(
      /^UsageError: .* belongs to user 0 and this is user 65534; run as that one, or as root$/,
    )
  })

  it('of a service stay its own when root writes', async () => {
    const path = join(folder.folder, 'service')
    mkdirSync(path, { mode: 0o700 })
    chownSync(path, NOBODY, NOBODY)
    createState(path)
    const state = folder.open(path)
    keepVlans(state, { vlans: [], nextPort: 1 })
    await state.store(HEAD, new Uint8Array(1))
    await folder.close(state)
    const owners = ['', 'version', 'lock', 'node.key', 'vlans', 'records', 'records/000019'].map((name) => {
      return statSync(join(path, name)).uid
    })
    expect(new Set(owners)).toEqual(new Set([NOBODY]))
  })

  it('that forbid to read a configuration are named', async () => {
    const place = mkdtempSync(join(tmpdir(), 'peertap-config-'))
    const path = join(place, 'config.json')
    writeFileSync(path, '{"version":1}', { mode: 0o600 })
    chmodSync(place, 0o755)
    expect(readConfig(path).version).toBe(1)
    expect(await firstLine(elsewhere('readConfig(path)', path, NOBODY))).toBe(
      `UsageError: ${path} cannot be read: its permissions forbid that; ` +
        'run as its owner, or permit it with chmod',
    )
    rmSync(place, { recursive: true })
  })
})
