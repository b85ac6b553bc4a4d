/** A node's trunks in a process of their own, on loopback: says where it is dialled, and stays. */
import { randomBytes } from 'node:crypto'
import { Trunks } from '../../drivers/libp2p/trunks.ts'

const quiet = (): void => undefined

const trunks = new Trunks({
  seed: new Uint8Array(randomBytes(32)),
  transports: ['quic', 'tcp'],
  listen: ['/ip4/127.0.0.1/udp/0/quic-v1', '/ip4/127.0.0.1/tcp/0'],
})
await trunks.start({
  linkUp: quiet,
  linkDown: quiet,
  linkReady: quiet,
  dialFailed: quiet,
  addressesChanged: quiet,
  packet: quiet,
})
console.log(trunks.listening().join(' '))
