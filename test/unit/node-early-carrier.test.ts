/** A core that runs before trunks can be dialled: nothing that it asks for is lost, and its order is kept. */
import { expect, test } from 'vitest'
import { CHANNEL, CLOSE, type Hop, type LinkId, type PeerId } from '../../core/io.ts'
import { EarlyCarrier } from '../../drivers/node/early-carrier.ts'

test('dials wait until the carrier has started; links that others open meanwhile are served', () => {
  const early = new EarlyCarrier()
  const asked: string[] = []
  const carrier = {
    dial: (peer: PeerId) => asked.push(`dial ${peer}`),
    hangUp: (link: LinkId) => asked.push(`hang up ${link}`),
    send: (link: LinkId) => asked.push(`send ${link}`),
    doubt: (link: LinkId) => asked.push(`doubt ${link}`),
  }
  early.dial('a' as PeerId, [])
  early.dial('b' as PeerId, [])
  early.starts(carrier)
  early.send(1 as LinkId, CHANNEL.control, 0 as Hop, new Uint8Array(1))
  early.dial('c' as PeerId, [])
  early.hangUp(1 as LinkId, CLOSE.leaving)
  expect(asked).toEqual(['send 1', 'hang up 1'])
  early.started(carrier)
  expect(asked.slice(2)).toEqual(['dial a', 'dial b', 'dial c'])
  early.started(carrier)
  expect(asked).toHaveLength(5)
})
