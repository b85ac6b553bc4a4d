import { noble } from '../../core/crypto/noble.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { TsMlsEngine } from '../../core/mls/tsmls.ts'
import { mlsContract } from './mls.ts'

mlsContract({ name: 'ts-mls', crypto: noble, suite: SUITE.x25519, engine: () => new TsMlsEngine(noble) })
