/** Every carrier there is, held to the same behaviour. */
import { libp2pGround } from '../support/libp2p-ground.ts'
import { simulatedGround } from '../support/simulated-carrier.ts'
import { carrierContract } from './carrier.ts'

carrierContract('simulated links', simulatedGround)
carrierContract('libp2p in memory', () => libp2pGround('memory'))
carrierContract('libp2p over TCP', () => libp2pGround('tcp'))
carrierContract('libp2p over QUIC', () => libp2pGround('quic'))
carrierContract('libp2p over WebSocket', () => libp2pGround('ws'))
