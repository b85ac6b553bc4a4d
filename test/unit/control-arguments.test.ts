/** Arguments of verbs as they come over a line. */
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { checkArguments } from '../../drivers/control/arguments.ts'

const ORDER = {
  label: 'home',
  privacy: 'private',
  mtu: 1_280,
  suite: SUITE.xwing,
  sign: 'group',
  padding: 'small',
} as const
const PING = { to: 'ff', count: 1, bytes: 64, intervalMillis: 1 }

describe('arguments of verbs', () => {
  it.each([
    ['create', [ORDER]],
    ['create', [{ ...ORDER, signers: { needed: 2, of: 3 } }]],
    ['create', [{ ...ORDER, signers: null }]],
    ['join', ['peertap:x']],
    ['join', ['peertap:x', 1_000_000]],
    ['remove', ['home', null]],
    ['invite', ['home', { count: 2, lifeMillis: 1 }]],
    ['certify', ['home', 'ff', { role: 'admin', lifeMillis: 1 }]],
    ['list', []],
    ['ping', [{ ...PING, vlan: null }]],
    ['explain', ['ff', null]],
    ['status', []],
  ])('%s takes %j', (verb, args) => {
    expect(() => checkArguments(verb, args)).not.toThrow()
  })

  it.each([
    ['create', []],
    ['create', [null]],
    ['create', [{ ...ORDER, privacy: undefined }]],
    ['create', [{ ...ORDER, mtu: 65_536 }]],
    ['create', [{ ...ORDER, suite: '1' }]],
    ['create', [{ ...ORDER, signers: { needed: 0.5, of: 3 } }]],
    ['join', ['peertap:x', null]],
    ['remove', ['home', 'yes']],
    ['invite', ['home', { count: 1, lifeMillis: Number.MAX_VALUE }]],
    ['invite', [['home'], { count: 1, lifeMillis: 1 }]],
    ['certify', ['home', 'ff', { role: 'king', lifeMillis: 1 }]],
    ['ping', [null]],
    ['ping', [{ ...PING, to: 7 }]],
    ['explain', []],
  ])('%s does not take %j, and says what it takes', (verb, args) => {
    expect(() => checkArguments(verb, args)).toThrow(UsageError)
    expect(() => checkArguments(verb, args)).toThrow(new RegExp(`^${verb}: argument [123] must be `))
  })

  it('are not looked up where there is no such verb', () => {
    for (const verb of ['__proto__', 'toString', 'dance'])
      expect(() => checkArguments(verb, [])).not.toThrow()
  })
})
