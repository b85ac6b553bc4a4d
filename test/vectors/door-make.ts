/**
 * Writes door.json beside this file: `npx node test/vectors/door-make.ts`. Like the other vectors it is the
 * reference for other implementations: the door's token, one handshake with every key and byte of it, and
 * packets as they travel. A change in it is a change of the protocol.
 */
import { writeFileSync } from 'node:fs'
import { noble } from '../../core/crypto/noble.ts'
import type { Keys } from '../../core/dice.ts'
import { DOOR_KIND, Envelope } from '../../core/door/envelope.ts'
import {
  agree,
  encodeCall,
  type HandshakeKeys,
  makeAnswer,
  makeProof,
  openAnswer,
  openProof,
  sponsorSecret,
} from '../../core/door/handshake.ts'
import { encodeMessage } from '../../core/door/messages.ts'
import { doorRoute, routeOf, routeProof } from '../../core/door/token.ts'
import { hex } from '../../core/ids.ts'
import { encodeChain } from '../../core/ledger/certificate.ts'
import { Vlan } from '../support/ledger.ts'

/** `length` bytes that count up from `first`. */
function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff)
}

/** Random bytes of the packets: runs of one value, so that they are seen at once. */
const runs: Keys = { bytes: (length) => new Uint8Array(length).fill(length) }

const doorKey = counting(0x40, 32)
const callerSecret = counting(0x60, 32)
const vlan = new Vlan(noble)
const callerRoute = routeOf(noble, vlan.id, counting(0xa0, 32))
const sponsorRoute = routeOf(noble, vlan.id, counting(0xc0, 32))
const secret = counting(0xe0, 32)

function token(): object {
  const door = doorRoute(noble, vlan.id, doorKey)
  return {
    vlan: hex(vlan.id),
    doorKey: hex(doorKey),
    routeSeed: hex(door.seed),
    routeKey: hex(door.key),
    token: hex(door.token),
    registration: hex(routeProof(noble, vlan.id, door, 1_000)),
  }
}

function handshake(): object {
  const member = vlan.member()
  const invited = vlan.invitation()
  const joiner = vlan.redeemer(invited)
  const offered = encodeChain({ grant: member.grant, redemption: undefined, issuer: undefined })
  const shown = encodeChain({ grant: invited.grant, redemption: joiner.redemption, issuer: undefined })
  const ephemeral = noble.agreement.publicKey(callerSecret)
  const d1 = encodeCall({ ephemeral, route: callerRoute.key, purpose: 'join', head: counting(0, 16) })
  const offer = { chain: offered, route: sponsorRoute.key }
  const own = sponsorSecret(noble, secret, d1, offer)
  const sponsorKey = noble.agreement.publicKey(own)
  const keys = agree(noble, d1, sponsorKey, own, ephemeral) as HandshakeKeys
  const d2 = makeAnswer(noble, vlan.id, member.seed, { d1, sponsorKey, keys }, offer)
  const d3 = makeProof(noble, vlan.id, joiner.seed, { d1, d2, keys }, shown)
  const named = Object.entries(keys).map(([name, value]) => [name, hex(value as Uint8Array)])
  return {
    vlan: hex(vlan.id),
    callerSecret: hex(callerSecret),
    sponsor: { seed: hex(member.seed), chain: hex(offered), secret: hex(secret), route: hex(sponsorRoute.key) },
    caller: { seed: hex(joiner.seed), chain: hex(shown) },
    ephemeralSecret: hex(own),
    keys: Object.fromEntries(named),
    signatures: {
      answer: hex(openAnswer(noble, d2, keys)?.signature ?? new Uint8Array(0)),
      proof: hex(openProof(noble, d3.subarray(113), keys)?.signature ?? new Uint8Array(0)),
    },
    d1: hex(d1),
    d2: hex(d2),
    d3: hex(d3),
  }
}

function packets(): object {
  const envelope = new Envelope(noble, runs, vlan.id, doorKey)
  const door = doorRoute(noble, vlan.id, doorKey)
  return {
    vlan: hex(vlan.id),
    doorKey: hex(doorKey),
    token: hex(door.token),
    packets: [0, 81, 600, 1_340].map((length) => ({
      kind: DOOR_KIND.call,
      body: hex(counting(1, length)),
      packet: hex(envelope.seal(door.token, DOOR_KIND.call, counting(1, length))),
    })),
  }
}

function messages(): object {
  const entry = { parent: counting(1, 16), child: counting(2, 16), commit: counting(3, 5) }
  return {
    keyPackage: hex(encodeMessage({ kind: 'keyPackage', number: 258, keyPackage: counting(1, 4) })),
    welcome: hex(encodeMessage({ kind: 'welcome', numbers: [0, 258], welcome: counting(1, 4) })),
    notAdded: hex(encodeMessage({ kind: 'notAdded', number: 258, why: 7 })),
    logEntry: hex(encodeMessage({ kind: 'logEntry', entry })),
    logEnd: hex(encodeMessage({ kind: 'logEnd', head: counting(2, 16) })),
    lineage: hex(encodeMessage({ kind: 'lineage', ids: [counting(1, 16), counting(2, 16)] })),
  }
}

/** The content of door.json. */
export function doorVectors(): object {
  return { token: token(), handshake: handshake(), packets: packets(), messages: messages() }
}

if (import.meta.main) {
  const file = new URL('door.json', import.meta.url)
  writeFileSync(file, `${JSON.stringify(doorVectors(), null, 2)}\n`)
}
