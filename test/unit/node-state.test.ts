import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { type PeerHint, type PeerId, type PortId, REACHABILITY, type StoreId } from '../../core/io.ts'
import { recordOf } from '../../core/member/records.ts'
import { disclose, enclose } from '../../drivers/node/envelope.ts'
import { createState, type NodeState } from '../../drivers/node/state.ts'
import { keepVlans, keptVlans, StateFolder, someVlan, spoil } from '../support/state.ts'

const folder = new StateFolder()
afterAll(() => folder.remove())
beforeEach(() => {
  folder.reports.length = 0
})

const PORT = 1 as PortId
const HEAD = recordOf(PORT, 'head')
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A state with one VLAN and a record of it, closed. */
async function filled(): Promise<string> {
  const path = folder.make()
  const state = folder.open(path)
  keepVlans(state, { vlans: [someVlan()], nextPort: 2 })
  expect(await state.store(HEAD, bytesOf('a group'))).toBe(true)
  await folder.close(state)
  return path
}

function refusal(path: string): string {
  try {
    folder.open(path)
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return 'opened'
}

describe('the form of a file', () => {
  it('gives back what was put in, under the same name only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.string(), (body, name, other) => {
        const file = enclose(name, body)
        expect(disclose(name, file)).toEqual({ ok: true, body })
        if (other !== name) expect(disclose(other, file).ok).toBe(false)
      }),
    )
  })

  it('shows every cut and every changed bit', () => {
    const file = enclose('vlans', bytesOf('body'))
    for (let length = 0; length < file.length; length++)
      expect(disclose('vlans', file.subarray(0, length)).ok).toBe(false)
    for (let bit = 0; bit < file.length * 8; bit++) {
      const changed = file.slice()
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(disclose('vlans', changed).ok, `bit ${bit}`).toBe(false)
    }
  })
})

describe('a state', () => {
  it('is for its owner alone, and keeps its key', async () => {
    const path = folder.make()
    expect(statSync(path).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(path)) {
      const mode = statSync(join(path, name)).mode & 0o777
      expect(mode, name).toBe(name === 'records' ? 0o700 : 0o600)
    }
    const first = folder.open(path)
    const seed = first.seed.slice()
    expect(seed).toHaveLength(32)
    await folder.close(first)
    // Not left behind in memory.
    expect(first.seed).toEqual(new Uint8Array(32))
    const again = folder.open(path)
    expect(again.seed).toEqual(seed)
    await folder.close(again)
  })

  it('is made once', () => {
    const path = folder.make(new Uint8Array(32).fill(7))
    const before = readFileSync(join(path, 'node.key'))
    expect(createState(path)).toBe(false)
    expect(readFileSync(join(path, 'node.key'))).toEqual(before)
  })

  it('is made in an empty directory, and in none that holds something', () => {
    const path = join(folder.folder, 'given')
    mkdirSync(path, { mode: 0o700 })
    writeFileSync(join(path, 'letter'), 'to somebody', { mode: 0o600 })
    expect(() => createState(path)).toThrow(
      new UsageError(`${path} is not empty (it holds letter); name an empty or new directory with --state`),
    )
    expect(refusal(path)).toBe(
      `${path} holds no state of PeerTap (it holds letter); name another with --state`,
    )
    rmSync(join(path, 'letter'))
    expect(refusal(path)).toBe(`${path} is empty; run "peertap init" to make a state in it`)
    expect(createState(path)).toBe(true)
  })

  it('is refused where it is not there, not finished, or of another version', async () => {
    const absent = join(folder.folder, 'absent')
    expect(refusal(absent)).toBe(`${absent}: there is no such directory; run "peertap init"`)
    const path = folder.make()
    writeFileSync(join(path, 'version'), '2\n')
    expect(refusal(path)).toBe(
      `${join(path, 'version')} is "2"; this PeerTap reads version 1; ` +
        'use the PeerTap that wrote the state: nothing was changed',
    )
    rmSync(join(path, 'version'))
    expect(refusal(path)).toContain('holds a state that was not finished: version is missing')
  })

  it('is refused where others may read it', () => {
    const path = folder.make()
    chmodSync(path, 0o750)
    expect(refusal(path)).toBe(
      `${path} has mode 750, so that others may get at its secrets; ` +
        `it must be for its owner alone: run chmod -R go= ${path}`,
    )
    chmodSync(path, 0o700)
    chmodSync(join(path, 'node.key'), 0o640)
    expect(refusal(path)).toContain(`${join(path, 'node.key')} has mode 640`)
  })

  it('is had once at a time', async () => {
    const path = folder.make()
    const state = folder.open(path)
    expect(refusal(path)).toBe(
      `${path} is in use by process ${process.pid}; ` +
        'end that one first, or name another directory with --state',
    )
    await folder.close(state)
    expect(refusal(path)).toBe('opened')
  })
})

describe('the book of VLANs', () => {
  it('comes back as it was saved', async () => {
    const path = folder.make()
    let state = folder.open(path)
    expect(state.book.load()).toMatchObject({ vlans: [], nextPort: 1 })
    await fc.assert(
      fc.asyncProperty(keptVlans(), async (kept) => {
        keepVlans(state, kept)
        const { vlans, nextPort, redeemed } = state.book.load()
        expect({ vlans, nextPort, redeemed }).toEqual(kept)
        await folder.close(state)
        state = folder.open(path)
        expect(state.book.load().vlans).toEqual(kept.vlans)
      }),
      { numRuns: 25 },
    )
  })

  it('is read once at the start: what was checked is what the node goes on with', async () => {
    const path = folder.make()
    const first = folder.open(path)
    keepVlans(first, { vlans: [someVlan()], nextPort: 2 })
    await folder.close(first)
    const state = folder.open(path)
    spoil(join(path, 'vlans'), (bytes) => bytes.subarray(0, -1))
    expect(state.book.load().vlans).toEqual([someVlan()])
    // Whoever asks later asks the disk.
    expect(() => state.book.load()).toThrow('vlans is cut short')
  })

  it('gives nobody a port at which another group is kept', async () => {
    const path = folder.make()
    const state = folder.open(path)
    await state.store(recordOf(5 as PortId, 'ledger'), bytesOf('old'))
    expect(state.book.load().nextPort).toBe(6)
    // And never takes away what another book gave out.
    keepVlans(state, { vlans: [], nextPort: 9 })
    await folder.close(state)
    const again = folder.open(path)
    expect(again.stored(5 as PortId).ledger).toEqual(bytesOf('old'))
  })
})

describe('records', () => {
  it('are there by slot after a restart, and gone when erased', async () => {
    const path = folder.make()
    const first = folder.open(path)
    keepVlans(first, { vlans: [someVlan(1), { ...someVlan(2) }], nextPort: 3 })
    const order = await Promise.all([
      first.store(HEAD, bytesOf('head')),
      first.store(recordOf(PORT, 'ledger'), bytesOf('ledger')),
      first.store(recordOf(2 as PortId, 'head'), bytesOf('other')),
    ])
    expect(order).toEqual([true, true, true])
    await folder.close(first)
    const second = folder.open(path)
    expect(second.stored(PORT)).toEqual({ head: bytesOf('head'), next: undefined, ledger: bytesOf('ledger') })
    second.erase(PORT)
    await folder.close(second)
    const third = folder.open(path)
    expect(third.stored(PORT)).toEqual({ head: undefined, next: undefined, ledger: undefined })
    expect(third.stored(2 as PortId).head).toEqual(bytesOf('other'))
  })

  it('of a VLAN that was removed go when the node stopped before it could erase them', async () => {
    const path = await filled()
    const state = folder.open(path)
    keepVlans(state, { vlans: [], nextPort: 2 })
    await folder.close(state)
    const again = folder.open(path)
    expect(again.stored(PORT).head).toBeUndefined()
  })

  it('are answered in the order of the calls, and the last one stays', async () => {
    const path = folder.make()
    const state = folder.open(path)
    const answers: number[] = []
    const all = Array.from({ length: 50 }, (_, index) =>
      state.store(HEAD, bytesOf(`version ${index}`)).then((ok) => {
        expect(ok).toBe(true)
        answers.push(index)
      }),
    )
    await Promise.all(all)
    expect(answers).toEqual(Array.from({ length: 50 }, (_, index) => index))
    expect(state.stored(PORT).head).toEqual(bytesOf('version 49'))
  })

  it('are copied at once: the caller may write over the bytes', async () => {
    const state = folder.open(folder.make())
    const record = Buffer.from('mine')
    const kept = state.store(HEAD, record)
    record.fill(0)
    await kept
    expect(state.stored(PORT).head).toEqual(bytesOf('mine'))
  })

  it('that cannot be written are answered with false, reported once, and written again later', async () => {
    const path = folder.make()
    const state = folder.open(path)
    await state.store(HEAD, bytesOf('first'))
    const records = join(path, 'records')
    renameSync(records, join(path, 'aside'))
    expect(await state.store(HEAD, bytesOf('second'))).toBe(false)
    expect(await state.store(HEAD, bytesOf('third'))).toBe(false)
    expect(folder.reports).toHaveLength(1)
    expect(folder.reports[0]).toContain(`error: ${join(records, '000019')} cannot be written (ENOENT`)
    renameSync(join(path, 'aside'), records)
    expect(state.stored(PORT).head).toEqual(bytesOf('first'))
    expect(await state.store(HEAD, bytesOf('fourth'))).toBe(true)
    expect(folder.reports.at(-1)).toBe(`info: ${path} can be written again`)
  })

  it('are not written after the state was closed', async () => {
    const path = folder.make()
    const state: NodeState = folder.open(path)
    await folder.close(state)
    expect(await state.store(HEAD, bytesOf('late'))).toBe(false)
    expect(existsSync(join(path, 'records', String(HEAD).padStart(6, '0')))).toBe(false)
  })

  it('behave as a map does, whatever is stored and erased in whatever order', async () => {
    const path = folder.make()
    let state = folder.open(path)
    const step = fc.oneof(
      fc.record({ id: fc.integer({ min: 16, max: 20 }), bytes: fc.uint8Array({ maxLength: 30 }) }),
      fc.constant('reopen' as const),
    )
    const model = new Map<number, Uint8Array>()
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        for (const each of steps) {
          if (each === 'reopen') {
            await folder.close(state)
            state = folder.open(path)
          } else {
            model.set(each.id, each.bytes)
            void state.store(each.id as StoreId, each.bytes)
          }
        }
        await state.flush()
        for (const port of [0, 1]) {
          const stored = state.stored(port as PortId)
          for (const slot of ['head', 'next', 'ledger'] as const) {
            const expected = model.get(recordOf(port as PortId, slot))
            expect(stored[slot]).toEqual(expected === undefined ? undefined : Uint8Array.from(expected))
          }
        }
      }),
      { numRuns: 20 },
    )
  })
})

describe('a file that was changed', () => {
  const cut = (bytes: Buffer): Uint8Array => bytes.subarray(0, bytes.length - 5)
  const flip = (bytes: Buffer): Uint8Array => bytes.fill(bytes[20] === 0 ? 1 : 0, 20, 21)

  it.each([
    ['node.key', cut, /node\.key is cut short: it has 73 of 78 bytes; restore a backup of the whole/],
    ['node.key', flip, /node\.key is damaged, or had another name: its checksum is wrong; restore a/],
    ['vlans', cut, /vlans is cut short: it has \d+ of \d+ bytes; restore a backup .*VLANs whose authority/],
    ['vlans', () => Buffer.alloc(0), /vlans is empty; restore/],
    ['vlans', () => Buffer.from('{"version":1,"vlans":[]}'), /vlans was not written by PeerTap; restore/],
    [
      'records/000019',
      flip,
      /records.000019 is damaged.*; move this file away: this node then asks its VLAN/,
    ],
  ] as const)(
    '%s is named with what is wrong and what mends it, and left as it is',
    async (name, change, says) => {
      const path = await filled()
      const file = join(path, name)
      spoil(file, change)
      const before = readFileSync(file)
      expect(refusal(path)).toMatch(says)
      expect(readFileSync(file)).toEqual(before)
    },
  )

  it('is named beside all others', async () => {
    const path = await filled()
    for (const name of ['node.key', 'vlans', 'records/000019']) spoil(join(path, name), cut)
    expect(refusal(path).split('\n')).toHaveLength(3)
  })

  it('is refused under the name of another', async () => {
    const path = await filled()
    renameSync(join(path, 'records/000019'), join(path, 'records/000020'))
    expect(refusal(path)).toContain('000020 is damaged, or had another name')
  })

  it('is one of another form', async () => {
    const path = await filled()
    spoil(join(path, 'vlans'), (bytes) => bytes.fill(9, 9, 10))
    expect(refusal(path)).toContain('vlans has form 9, and this PeerTap reads form 1;')
    const body = bytesOf('{"version":2,"firstPort":1,"nextPort":1,"vlans":[]}')
    writeFileSync(join(path, 'vlans'), enclose('vlans', body))
    expect(refusal(path)).toContain('vlans was written by another version of PeerTap (version:')
  })

  it('and was moved away costs what was said, and no more', async () => {
    const path = await filled()
    spoil(join(path, 'vlans'), (bytes) => bytes.subarray(0, -1))
    renameSync(join(path, 'vlans'), join(path, 'vlans.old'))
    const state = folder.open(path)
    expect(state.book.load()).toMatchObject({ vlans: [], nextPort: 2 })
    expect(state.stored(PORT).head).toEqual(bytesOf('a group'))
  })

  it('is no more once it is removed where a write was cut off', async () => {
    const path = await filled()
    writeFileSync(join(path, 'vlans.new'), 'half', { mode: 0o600 })
    writeFileSync(join(path, 'records/000019.new'), 'half', { mode: 0o600 })
    const state = folder.open(path)
    expect(readdirSync(path)).not.toContain('vlans.new')
    expect(state.stored(PORT).head).toEqual(bytesOf('a group'))
  })
})

describe('the cache of peers', () => {
  const peer = (index: number): PeerHint => ({
    peer: index.toString(16).padStart(64, '0') as PeerId,
    addresses: [Uint8Array.of(index & 255, 2), new Uint8Array(32)],
    reach: REACHABILITY.punchable,
  })

  it('comes back, bounded', async () => {
    const path = folder.make()
    const state = folder.open(path)
    expect(state.peers()).toEqual([])
    expect(await state.keepPeers(Array.from({ length: 300 }, (_, index) => peer(index)))).toBe(true)
    expect(state.peers()).toHaveLength(256)
    expect(state.peers()[255]).toEqual(peer(255))
  })

  it('is set aside where it cannot be read, and the node goes on', async () => {
    const path = folder.make()
    const state = folder.open(path)
    await state.keepPeers([peer(1)])
    spoil(join(path, 'peers'), (bytes) => bytes.subarray(1))
    expect(state.peers()).toEqual([])
    expect(folder.reports[0]).toContain('peers was not written by PeerTap; remove this file: it is a cache')
    expect(readdirSync(path)).toContain('peers.damaged')
    expect(await state.keepPeers([peer(2)])).toBe(true)
    expect(state.peers()).toEqual([peer(2)])
  })
})

describe('the token', () => {
  it('is made once and stays', async () => {
    const path = folder.make()
    const state = folder.open(path)
    const token = state.token()
    expect(token).toMatch(/^[0-9a-f]{64}$/)
    await folder.close(state)
    expect(folder.open(path).token()).toBe(token)
    expect(statSync(join(path, 'token')).mode & 0o777).toBe(0o600)
  })
})
