/** A context for one part of a node, with dice that are enough for a test. */
import { type NodeConfig, nodeConfig } from '../../core/config.ts'
import { type Context, Deadline } from '../../core/context.ts'
import { Counters } from '../../core/counters.ts'
import type { Dice } from '../../core/dice.ts'
import { peerIdOf } from '../../core/ids.ts'
import { Outbox } from '../../core/outbox.ts'
import { standInCrypto } from '../../sim/crypto.ts'

/** A small multiplicative generator (Park and Miller 1988): repeatable, and enough for jitter in tests. */
function testDice(seed: number): Dice {
  let state = (seed % 2_147_483_646) + 1
  return {
    u32: () => {
      state = (state * 48_271) % 2_147_483_647
      return (state * 2) >>> 0
    },
    fork: (label) => testDice(seed * 31 + [...label].reduce((sum, c) => sum + c.charCodeAt(0), 7)),
  }
}

export function testContext(seed: number, config: Partial<NodeConfig> = {}): Context {
  const selfSeed = new Uint8Array(32).fill(seed)
  const selfKey = standInCrypto.signatures.publicKey(selfSeed)
  return {
    self: peerIdOf(selfKey),
    selfKey,
    selfSeed,
    boot: 1,
    config: nodeConfig(config),
    crypto: standInCrypto,
    dice: testDice(seed),
    keys: { bytes: (length) => new Uint8Array(length).fill(seed) },
    counters: new Counters(),
    out: new Outbox(),
    deadline: new Deadline(),
  }
}
