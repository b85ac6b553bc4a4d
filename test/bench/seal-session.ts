/**
 * What sealing costs a frame, as JSON on standard output: `node test/bench/seal-session.ts`. Two members
 * with an established session; each figure is one frame sealed by one and opened by the other, the Sealer
 * around it included. The ports are those of noble, or what `--provider FILE#EXPORT` names (a `Crypto`, or
 * a function that gives one).
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { noble } from '../../core/crypto/noble.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { type LinkId, SECOND } from '../../core/io.ts'
import { GROUP } from '../../core/seal/frames.ts'
import type { Sealer } from '../../core/seal/sealer.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { TRUNK_PACKET_BYTES } from '../../core/wire/packet.ts'
import { SealWorld, type TestMember, Watch } from '../support/seal-world.ts'
import { type Figure, printJson, thisMachine } from './figures.ts'

/** Largest packet here: a whole frame of 1,500 bytes, as on a direct trunk. */
const WHOLE_BYTES = 2_048
const LINK = 1 as LinkId
const TIMED_SECONDS = 2
const ROUND = 50

async function provider(wanted: string | undefined): Promise<{ name: string; crypto: Crypto }> {
  if (wanted === undefined) return { name: 'noble', crypto: noble }
  const [file = '', name = 'default'] = wanted.split('#')
  const found = (await import(pathToFileURL(resolve(file)).href))[name]
  if (found === undefined) throw new Error(`${file} exports no '${name}'`)
  return { name: wanted, crypto: typeof found === 'function' ? found() : found }
}

/** Two members that have met and talked, with nothing between the ports and the sealers. */
function pair(crypto: Crypto): [TestMember, TestMember, Uint8Array] {
  const watch = new Watch(crypto)
  const world = new SealWorld(2, { watch: Object.assign(watch, { crypto }) })
  world.adoptAll()
  world.runFor(3 * SECOND)
  const [alice, bob] = world.members as [TestMember, TestMember]
  alice.send(bob)
  bob.send(alice)
  world.runFor(3 * SECOND)
  if (world.deliveries.length !== 2) throw new Error('the two do not hear each other')
  return [alice, bob, world.broadcast]
}

/** Microseconds of a call, over some seconds, after as many to warm up in. */
function microseconds(call: () => void): number {
  let calls = 0
  const run = (seconds: number): number => {
    const start = process.hrtime.bigint()
    const end = start + BigInt(seconds * 1e9)
    calls = 0
    let now = start
    for (; now < end; now = process.hrtime.bigint()) {
      for (let count = 0; count < ROUND; count++) call()
      calls += ROUND
    }
    return Number(now - start) / 1e3
  }
  run(TIMED_SECONDS / 2)
  return run(TIMED_SECONDS) / calls
}

/** Collects what a sealer sends, reused from frame to frame. */
function collect(sealer: Sealer, now: number, into: Uint8Array[]): void {
  into.length = 0
  sealer.drain(now, { send: (packet) => into.push(packet), opened: () => {}, event: () => {} })
}

function measure(crypto: Crypto): Record<string, number> {
  const [alice, bob, broadcast] = pair(crypto)
  const frame = new Uint8Array(1_500).fill(7)
  const small = new Uint8Array(64).fill(7)
  const packets: Uint8Array[] = []
  const { token } = bob
  const { now } = alice
  const exchange = (leaf: number, to: Uint8Array, payload: Uint8Array, packetBytes: number): void => {
    alice.sealer.seal(now, PAYLOAD_KIND.frame, leaf, to, payload, packetBytes)
    collect(alice.sealer, now, packets)
    let outcome = ''
    for (const packet of packets) outcome = bob.sealer.open(bob.now, LINK, packet)
    if (outcome !== 'opened') throw new Error(`a frame was not opened: ${outcome}`)
  }
  const each = (leaf: number, to: Uint8Array, payload: Uint8Array, packetBytes: number): number =>
    microseconds(() => exchange(leaf, to, payload, packetBytes))
  return {
    'unicast 1,500 bytes, one packet': each(bob.number, token, frame, WHOLE_BYTES),
    'unicast 1,500 bytes, two packets of 1,420': each(bob.number, token, frame, TRUNK_PACKET_BYTES),
    'unicast 64 bytes': each(bob.number, token, small, TRUNK_PACKET_BYTES),
    'group 1,500 bytes, one packet, signed': each(GROUP, broadcast, frame, WHOLE_BYTES),
    'group 64 bytes, signed': each(GROUP, broadcast, small, TRUNK_PACKET_BYTES),
  }
}

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const wanted = args.includes('--provider') ? args[args.indexOf('--provider') + 1] : undefined
  const { name, crypto } = await provider(wanted)
  const figures: Figure[] = Object.entries(measure(crypto)).map(([what, value]) => ({
    name: `seal and open, ${what}`,
    value: Number(value.toPrecision(4)),
    unit: 'µs',
    target: null,
    ok: null,
  }))
  printJson(thisMachine({ provider: name }), figures)
}

await main()
