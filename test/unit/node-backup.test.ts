import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import type { PortId } from '../../core/io.ts'
import { recordOf } from '../../core/member/records.ts'
import { readBackup, readPassphrase, restoreBackup, writeBackup } from '../../drivers/node/backup.ts'
import { createState } from '../../drivers/node/state.ts'
import { keepVlans, keptVlans, StateFolder, someVlan, spoil } from '../support/state.ts'

const folder = new StateFolder()
afterAll(() => folder.remove())

const NOW = 1_760_000_000_000
const PORT = 1 as PortId
const PASSPHRASE = 'correct horse battery'
let files = 0
const fresh = (): string => join(folder.folder, `file-${++files}`)

async function filled(): Promise<string> {
  const path = folder.make()
  const state = folder.open(path)
  keepVlans(state, { vlans: [someVlan(), someVlan(2)], nextPort: 3 })
  await state.store(recordOf(PORT, 'head'), new TextEncoder().encode('a group'))
  await folder.close(state)
  return path
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return 'no refusal'
}

describe('a backup', () => {
  it.each([undefined, PASSPHRASE])('gives back all of the node (passphrase: %s)', async (passphrase) => {
    const path = await filled()
    const file = fresh()
    const made = writeBackup(path, file, { passphrase, nowMillis: NOW })
    expect(made).toMatchObject({ createdMillis: NOW, encrypted: passphrase !== undefined, vlans: 2 })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const restored = fresh()
    expect(restoreBackup(file, restored, passphrase).vlans).toBe(2)
    const before = folder.open(path)
    const after = folder.open(restored)
    expect(after.seed).toEqual(before.seed)
    expect(after.book.load()).toEqual(before.book.load())
    expect(after.stored(PORT)).toEqual(before.stored(PORT))
  })

  it('is made while the node runs', async () => {
    const path = await filled()
    const state = folder.open(path)
    const file = fresh()
    writeBackup(path, file, { nowMillis: NOW })
    expect(readBackup(file, undefined).seed).toEqual(state.seed)
  })

  it('holds any VLANs', async () => {
    const path = folder.make()
    const state = folder.open(path)
    fc.assert(
      fc.property(keptVlans(), (kept) => {
        keepVlans(state, kept)
        const file = fresh()
        writeBackup(path, file, { nowMillis: NOW })
        expect(readBackup(file, undefined).vlans).toBe(kept.vlans.length)
      }),
      { numRuns: 15 },
    )
  })

  it('shows nothing of itself where it is encrypted', async () => {
    const path = folder.make()
    const state = folder.open(path)
    keepVlans(state, {
      vlans: [{ ...someVlan(), identity: { ...someVlan().identity, label: 'office' } }],
      nextPort: 2,
    })
    const [plain, sealed] = [fresh(), fresh()]
    writeBackup(path, plain, { nowMillis: NOW })
    writeBackup(path, sealed, { passphrase: PASSPHRASE, nowMillis: NOW })
    const texts = [plain, sealed].map((file) => {
      const text = readFileSync(file, 'latin1')
      const { content } = JSON.parse(text.slice(14, -32))
      return Buffer.from(content, 'base64').toString('latin1')
    })
    expect(texts[0]).toContain('node.key')
    expect(texts[1]).not.toContain('node.key')
  })

  it('is written over nothing', async () => {
    const path = await filled()
    const file = fresh()
    writeFileSync(file, 'mine')
    expect(refusal(() => writeBackup(path, file, { nowMillis: NOW }))).toBe(
      `${file} is there already; name another file, or move it away`,
    )
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  it('is not made of a state that is broken, nor with a passphrase that is nothing', async () => {
    const path = await filled()
    const file = fresh()
    expect(refusal(() => writeBackup(path, file, { passphrase: 'short', nowMillis: NOW }))).toBe(
      'the passphrase has 5 characters; it must have at least 8',
    )
    spoil(join(path, 'vlans'), (bytes) => bytes.subarray(0, 30))
    expect(refusal(() => writeBackup(path, file, { nowMillis: NOW }))).toContain('vlans is cut short')
    expect(existsSync(file)).toBe(false)
  })
})

describe('restoring', () => {
  it('is refused where a state is, which stays as it is', async () => {
    const path = await filled()
    const file = fresh()
    writeBackup(path, file, { nowMillis: NOW })
    const other = folder.make()
    const before = readFileSync(join(other, 'node.key'))
    expect(refusal(() => restoreBackup(file, other, undefined))).toBe(
      `${other} holds a state already, and nothing is written over; move it away, ` +
        'or name another directory with --state',
    )
    expect(readFileSync(join(other, 'node.key'))).toEqual(before)
    const strange = fresh()
    mkdirSync(strange, { mode: 0o700 })
    writeFileSync(join(strange, 'letter'), '', { mode: 0o600 })
    expect(refusal(() => restoreBackup(file, strange, undefined))).toContain('is not empty (it holds letter)')
    expect(readdirSync(strange)).toEqual(['letter'])
  })

  it.runIf(process.platform === 'linux')('is not restored to where nobody can make files', async () => {
    const file = fresh()
    writeBackup(await filled(), file, { nowMillis: NOW })
    const place = '/proc/self/peertap/state'
    const none = `the system lets nobody make files in /proc/self; name a directory on a disk`
    expect(refusal(() => restoreBackup(file, place, undefined))).toBe(
      `/proc/self/peertap cannot be made: ${none}`,
    )
    expect(refusal(() => createState(place))).toBe(`/proc/self/peertap cannot be made: ${none}`)
    // Its file "version" is no state's, and its mode is nobody's to change.
    expect(refusal(() => restoreBackup(file, '/proc', undefined))).toMatch(/^\/proc is not empty/)
    expect(refusal(() => restoreBackup(file, '/dev/null/state', undefined))).toMatch(
      /^\/dev\/null: it is a file/,
    )
    expect(refusal(() => restoreBackup(file, file, undefined))).toBe(
      `${file}: it is a file, where a directory is to be made: name another place`,
    )
  })

  it('needs the passphrase, and the right one', async () => {
    const path = await filled()
    const file = fresh()
    writeBackup(path, file, { passphrase: PASSPHRASE, nowMillis: NOW })
    const target = fresh()
    expect(refusal(() => restoreBackup(file, target, undefined))).toBe(
      `${file} is encrypted; give its passphrase with --passphrase-file FILE or --passphrase-stdin`,
    )
    expect(refusal(() => restoreBackup(file, target, `${PASSPHRASE}!`))).toBe(
      `${file} does not open with this passphrase; give the one it was made with`,
    )
    expect(existsSync(target)).toBe(false)
  })

  it('is refused for a file that was cut or changed, or is none', async () => {
    const path = await filled()
    const file = fresh()
    writeBackup(path, file, { nowMillis: NOW })
    const target = fresh()
    const whole = readFileSync(file)
    for (const length of [0, 10, 100, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length))
      expect(refusal(() => restoreBackup(file, target, undefined))).toMatch(
        /(is empty|is cut short).*; use another backup: nothing was restored$/,
      )
    }
    spoil(file, () => Buffer.from(whole).fill(0, 40, 41))
    expect(refusal(() => restoreBackup(file, target, undefined))).toContain('is damaged')
    writeFileSync(file, 'a letter, long enough to be one')
    expect(refusal(() => restoreBackup(file, target, undefined))).toContain('was not written by PeerTap')
    expect(refusal(() => restoreBackup(join(path, 'node.key'), target, undefined))).toContain(
      'is damaged, or had another name',
    )
    expect(refusal(() => restoreBackup(fresh(), target, undefined))).toContain('there is no such file')
    expect(existsSync(target)).toBe(false)
  })
})

describe('a passphrase', () => {
  it('is the first line of a file', () => {
    const file = fresh()
    writeFileSync(file, 'open sesame\r\nand more')
    expect(readPassphrase(file)).toBe('open sesame')
    writeFileSync(file, '\n')
    expect(refusal(() => readPassphrase(file))).toBe(
      `${file} holds no passphrase; write it into the first line`,
    )
    const absent = fresh()
    expect(refusal(() => readPassphrase(absent))).toBe(
      `${absent}: there is no such file; name one with a passphrase in it`,
    )
  })
})
