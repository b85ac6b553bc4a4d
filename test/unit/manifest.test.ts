import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../drivers/sim/manifest.ts'
import { REPOSITORY } from '../support/requirements.ts'

const root = mkdtempSync(join(tmpdir(), 'peertap-code-'))
afterAll(() => rmSync(root, { recursive: true }))

describe('the code that a manifest names', () => {
  it('is told apart by any source of the simulation, and by no other file', () => {
    for (const folder of ['core', 'sim'])
      cpSync(join(REPOSITORY, folder), join(root, folder), { recursive: true })
    const { codeHash, commit } = codeOf(root)
    expect(codeHash).toMatch(/^[0-9a-f]{64}$/)
    expect(commit).toBeUndefined()
    mkdirSync(join(root, 'test'))
    writeFileSync(join(root, 'test/a.test.ts'), '')
    expect(codeOf(root).codeHash).toBe(codeHash)
    const hashes = ['sim/links/more.ts', 'core/more.ts'].map((name) => {
      writeFileSync(join(root, name), '// More.')
      return codeOf(root).codeHash
    })
    expect(new Set([codeHash, ...hashes]).size).toBe(3)
  })
})
