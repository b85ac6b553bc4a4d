/**
 * The door's vectors, computed a second time by node:crypto and by hand from the text of the protocol: the
 * code under test makes none of the expected bytes, but for BLAKE3, which node does not have.
 */
import {
  createCipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  verify,
} from 'node:crypto'
import { blake3 } from '@noble/hashes/blake3.js'
import { expect, test } from 'vitest'
import { decodeMessage, encodeMessage } from '../../core/door/messages.ts'
import { hex, unhex } from '../../core/ids.ts'
import vectors from '../vectors/door.json' with { type: 'json' }
import { doorVectors } from '../vectors/door-make.ts'

const text = (value: string): string => Buffer.from(value, 'utf8').toString('hex')
const bytes = (value: string): Buffer => Buffer.from(value, 'hex')
const h32 = (value: string): string => hex(blake3(bytes(value)))
const h16 = (value: string): string => hex(blake3(bytes(value), { dkLen: 16 }))
const hkdf = (salt: string, material: string, info: string, length: number): string =>
  Buffer.from(hkdfSync('sha256', bytes(material), bytes(salt), bytes(info), length)).toString('hex')

function seal(key: string, nonce: string, header: string, plain: string): string {
  const cipher = createCipheriv('aes-256-gcm', bytes(key), bytes(nonce))
  cipher.setAAD(bytes(header))
  return Buffer.concat([cipher.update(bytes(plain)), cipher.final(), cipher.getAuthTag()]).toString('hex')
}

const PKCS8 = { x25519: '302e020100300506032b656e04220420', ed25519: '302e020100300506032b657004220420' }
const SPKI = { x25519: '302a300506032b656e032100', ed25519: '302a300506032b6570032100' }
const privateKey = (kind: 'x25519' | 'ed25519', seed: string) =>
  createPrivateKey({ key: bytes(PKCS8[kind] + seed), format: 'der', type: 'pkcs8' })
const publicKey = (kind: 'x25519' | 'ed25519', key: string) =>
  createPublicKey({ key: bytes(SPKI[kind] + key), format: 'der', type: 'spki' })
const keyOf = (kind: 'x25519' | 'ed25519', seed: string): string =>
  createPublicKey(privateKey(kind, seed)).export({ format: 'der', type: 'spki' }).subarray(12).toString('hex')
const isSigned = (seed: string, name: string, body: string, signature: string): boolean =>
  verify(
    null,
    bytes(text(`peertap ${name} v1\0`) + body),
    publicKey('ed25519', keyOf('ed25519', seed)),
    bytes(signature),
  )

test('door.json is what the protocol computes now', () => {
  expect(doorVectors()).toEqual(vectors)
})

test('the token of a door', () => {
  const { vlan, doorKey, routeSeed, routeKey, token, registration } = vectors.token
  const input = text('peertap route v1\0') + text('PEERTAP-DOOR') + vlan
  expect(hex(blake3(bytes(input), { key: bytes(doorKey) }))).toBe(routeSeed)
  expect(keyOf('ed25519', routeSeed)).toBe(routeKey)
  expect(h16(text('peertap vft v1\0') + vlan + routeKey)).toBe(token)
  const body = registration.slice(0, 82)
  expect(body).toBe(`${routeKey}0000000003e8025800`)
  expect(isSigned(routeSeed, 'route', vlan + body, registration.slice(82))).toBe(true)
})

test('the keys of a handshake', () => {
  const { d1, d2, keys, sponsor, ephemeralSecret, callerSecret } = vectors.handshake
  const offer = h32(sponsor.chain + sponsor.route)
  const input = text('peertap door key v1\0') + d1 + offer
  expect(hex(blake3(bytes(input), { key: bytes(sponsor.secret) }))).toBe(ephemeralSecret)
  const sponsorKey = keyOf('x25519', ephemeralSecret)
  expect(d2.slice(0, 64)).toBe(sponsorKey)
  expect(d1.slice(0, 64)).toBe(keyOf('x25519', callerSecret))
  const shared = diffieHellman({
    privateKey: privateKey('x25519', callerSecret),
    publicKey: publicKey('x25519', sponsorKey),
  }).toString('hex')
  const salt = h32(d1 + sponsorKey)
  const names = { answer: 'D2', proof: 'D3', toR: 'to R', toI: 'to I' } as const
  for (const [name, info] of Object.entries(names))
    expect(keys[name as keyof typeof names], info).toBe(hkdf(salt, shared, text(info), 32))
  expect(keys.id).toBe(hkdf(salt, shared, text('id'), 16))
})

test('the parts of a handshake', () => {
  const { vlan, d1, d2, d3, keys, sponsor, caller } = vectors.handshake
  const nonce = '00'.repeat(12)
  const length = (chain: string): string => (chain.length / 2).toString(16).padStart(4, '0')
  const open = (key: string, sealed: string, plain: (signature: string) => string, signature: string): void =>
    expect(sealed).toBe(seal(key, nonce, '', plain(signature)))
  // Signatures of Ed25519 are a function of seed and message, so they can be read out of what was sealed.
  const answer = vectors.handshake.signatures.answer
  const proof = vectors.handshake.signatures.proof
  open(keys.answer, d2.slice(64), (by) => length(sponsor.chain) + sponsor.chain + sponsor.route + by, answer)
  open(keys.proof, d3.slice(226), (by) => length(caller.chain) + caller.chain + by, proof)
  expect(d3.slice(0, 226)).toBe(d1 + d2.slice(0, 64))
  const answered = vlan + h32(d1) + d2.slice(0, 64) + sponsor.route
  expect(isSigned(sponsor.seed, 'door R', answered, answer)).toBe(true)
  expect(isSigned(caller.seed, 'door I', vlan + h32(d1 + d2), proof)).toBe(true)
})

test('packets', () => {
  const { vlan, doorKey, token, packets } = vectors.packets
  const key = hkdf('', doorKey, text('door'), 32)
  const classes = [128, 256, 512, 1_024, 1_343]
  for (const { kind, body, packet } of packets) {
    const header = `11${vlan}${'10'.repeat(16)}${token}`
    const nonce = '0c'.repeat(12)
    const inside = kind.toString(16).padStart(2, '0') + (body.length / 2).toString(16).padStart(4, '0') + body
    const size = classes.find((each) => inside.length / 2 <= each) as number
    expect(packet).toBe(header + nonce + seal(key, nonce, header, inside.padEnd(2 * size, '0')))
  }
})

test('messages', () => {
  const { keyPackage, welcome, notAdded, logEntry, logEnd, lineage } = vectors.messages
  const id = (first: number): string =>
    Array.from({ length: 16 }, (_, at) => (first + at).toString(16).padStart(2, '0')).join('')
  expect(keyPackage).toBe('02010201020304')
  expect(welcome).toBe('03020000010201020304')
  expect(notAdded).toBe('04010207')
  expect(logEntry).toBe(`05${id(1)}${id(2)}0304050607`)
  expect(logEnd).toBe(`06${id(2)}`)
  expect(lineage).toBe(`070002${id(1)}${id(2)}`)
  for (const each of Object.values(vectors.messages)) {
    const read = decodeMessage(unhex(each))
    expect(read === undefined ? undefined : hex(encodeMessage(read))).toBe(each)
    expect(decodeMessage(unhex(each).subarray(0, 3))).toBeUndefined()
  }
})
