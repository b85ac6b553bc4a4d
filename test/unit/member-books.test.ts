/** Which tokens of the salt before a member sends to and listens to when it adopts an epoch (mesh:S5). */
import { describe, expect, test } from 'vitest'
import type { AdoptedEpoch } from '../../core/group/effects.ts'
import { Books, type BranchTokens } from '../../core/member/books.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { standInCrypto } from '../../sim/crypto.ts'

const WALL = 1_767_225_600_000
const salt = (number: number): Uint8Array => new Uint8Array(32).fill(number)

/** An epoch under the second salt, after the first. */
function epoch(number: number, changes: Partial<AdoptedEpoch> = {}): AdoptedEpoch {
  return {
    mlsId: new Uint8Array(16).fill(number),
    suite: SUITE.x25519,
    roster: new Map(),
    ownLeaf: 0,
    leafSeed: salt(0),
    exporterSecret: salt(number),
    salts: { current: salt(2), previous: salt(1), since: WALL },
    grace: false,
    isLate: false,
    origin: 'child',
    ...changes,
  }
}

const FIRST = { current: salt(1), previous: salt(1), since: WALL - 100_000 }
const OTHER = { current: salt(3), previous: salt(1), since: WALL - 1_000 }

/** From an epoch of these salts into the other one, so many seconds after its salt was made. */
function formersOf(before: AdoptedEpoch['salts'], ageSeconds: number, changes: Partial<AdoptedEpoch> = {}) {
  const books = new Books(standInCrypto, new Uint8Array(16), 'private')
  books.adopt(epoch(1, { salts: before }))
  const tokens = books.tokens as BranchTokens
  const next = epoch(2, changes)
  books.adopt(next)
  const { former, heard } = books.formers(tokens, next, WALL + ageSeconds * 1_000)
  const numberOf = (book: typeof former): number | undefined => book?.source.salt[0]
  return { former: numberOf(former), heard: numberOf(heard) }
}

describe('the tokens of the salt before', () => {
  test('are sent to by who followed its change, whatever the clock says, and by all while it is new', () => {
    for (const age of [0, 3_600]) expect(formersOf(FIRST, age)).toEqual({ former: 1 })
    for (const changes of [{ isLate: true }, { origin: 'entered' }, {}] as const)
      for (const before of [FIRST, OTHER]) expect(formersOf(before, 9, changes)).toEqual({ former: 1 })
  })

  test('are only listened to by who comes later, be it that it left the branch there', () => {
    for (const changes of [{ isLate: true }, { origin: 'entered' }] as const) {
      expect(formersOf(FIRST, 21, changes)).toEqual({ heard: 1 })
      expect(formersOf(OTHER, 21, changes)).toEqual({ heard: 1 })
    }
    expect(formersOf(OTHER, 21)).toEqual({ heard: 1 })
  })

  test('are nothing to who comes from elsewhere when nobody sends to them, nor where there are none', () => {
    expect(formersOf(OTHER, 31)).toEqual({})
    expect(formersOf(OTHER, 31, { origin: 'entered' })).toEqual({})
    const salts = { current: salt(1), previous: salt(1), since: WALL }
    expect(formersOf(FIRST, 0, { salts })).toEqual({})
  })
})
