import { noble } from '../../core/crypto/noble.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { cryptoContract } from './crypto.ts'

cryptoContract('noble', noble)
cryptoContract('stand-in', standInCrypto)
