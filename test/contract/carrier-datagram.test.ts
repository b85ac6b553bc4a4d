/**
 * Trunks with datagrams beside their streams, held to what every carrier must do; with offloads and without.
 */
import { datagramGround } from '../support/datagram-ground.ts'
import { carrierContract } from './carrier.ts'

carrierContract('datagrams beside TCP', async () => datagramGround(false))
carrierContract('datagrams that the kernel cuts and joins', async () => datagramGround(true))
