import { noble } from '../../core/crypto/noble.ts'
import { SUITE, type Suite } from '../../core/mls/engine.ts'
import { TsMlsEngine } from '../../core/mls/tsmls.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { StandInEngine } from '../../sim/mls/standin.ts'
import type { AttackedKit } from '../support/mls-forge.ts'
import { standInForge } from '../support/mls-forge-standin.ts'
import { tsMlsForge } from '../support/mls-forge-tsmls.ts'
import { mlsContract } from './mls.ts'
import { mlsAttacks } from './mls-attacks.ts'
import { sameLengths } from './mls-lengths.ts'

const tsMls = (suite: Suite): AttackedKit => ({
  name: 'ts-mls',
  crypto: noble,
  suite,
  forge: tsMlsForge,
  engine: () => new TsMlsEngine(noble),
})
const standIn = (suite: Suite): AttackedKit => ({
  name: 'stand-in',
  crypto: standInCrypto,
  suite,
  forge: standInForge,
  engine: () => new StandInEngine(standInCrypto),
})

for (const kit of [tsMls(SUITE.x25519), standIn(SUITE.x25519)]) {
  mlsContract(kit)
  mlsAttacks(kit)
}

for (const suite of [SUITE.x25519, SUITE.xwing]) sameLengths(tsMls(suite), standIn(suite))
