import { afterEach, describe, expect, it, vi } from 'vitest'
import { GarbageMan } from '../../drivers/node/garbage.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('garbage', () => {
  it('is collected where nothing goes on, and left alone under traffic', () => {
    const collect = vi.fn()
    vi.stubGlobal('gc', collect)
    const man = new GarbageMan()
    man.look(1_000_000)
    expect(collect).not.toHaveBeenCalled()
    man.look(1_000_010)
    expect(collect).toHaveBeenCalledTimes(1)
  })

  it('is not looked for again before there is some', () => {
    const collect = vi.fn()
    vi.stubGlobal('gc', collect)
    let heap = 50_000_000
    const man = new GarbageMan(() => heap)
    man.look(0)
    man.look(0)
    heap = 55_000_000
    man.look(0)
    expect(collect).toHaveBeenCalledTimes(1)
    heap = 60_000_000
    man.look(0)
    expect(collect).toHaveBeenCalledTimes(2)
  })
})
