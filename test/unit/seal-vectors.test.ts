/**
 * The vectors of sealing, recomputed from their parts by Node's own cryptography and by hand: nothing of
 * core/seal is asked but for the opening of whole packets at the end.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  sign,
  verify,
} from 'node:crypto'
import { blake3 } from '@noble/hashes/blake3.js'
import { describe, expect, test } from 'vitest'
import vectors from '../vectors/seal.json' with { type: 'json' }
import { sealVectors } from '../vectors/seal.ts'

const from = (text: string): Buffer => Buffer.from(text, 'hex')
const to = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const text = (value: string): string => Buffer.from(value, 'utf8').toString('hex')
const u32 = (value: number): string => value.toString(16).padStart(8, '0')
const u48 = (value: number): string => value.toString(16).padStart(12, '0')

const ED25519_SEED = '302e020100300506032b657004220420'
const X25519_SECRET = '302e020100300506032b656e04220420'
const ED25519_PUBLIC = '302a300506032b6570032100'
const X25519_PUBLIC = '302a300506032b656e032100'

const secretKey = (head: string, key: string) =>
  createPrivateKey({ key: from(head + key), format: 'der', type: 'pkcs8' })
const publicKey = (head: string, key: string) =>
  createPublicKey({ key: from(head + key), format: 'der', type: 'spki' })

function hkdf(salt: string, keyMaterial: string, info: string, length: number): string {
  return to(new Uint8Array(hkdfSync('sha256', from(keyMaterial), from(salt), from(info), length)))
}

function exported(label: string, context = ''): string {
  const found = vectors.exports.find((each) => each.label === label && each.context === context)
  if (found === undefined) throw new Error(`no export of '${label}'`)
  return found.output
}

function split(bytes: string) {
  const index = Number.parseInt(bytes.slice(64, 72), 16) || 1
  return { key: bytes.slice(0, 64), index, commitment: bytes.slice(72) }
}

test('seal.json is what the protocol computes now', () => {
  expect(sealVectors()).toEqual(vectors)
})

describe('epoch keys', () => {
  test('are exported under these labels and contexts', () => {
    expect(vectors.exports.map(({ label, context, output }) => [label, context, output.length / 2])).toEqual([
      ['peertap mask', '', 32],
      ['peertap unicast', '', 32],
      ['peertap group key', vectors.leafKey + vectors.boot, 52],
      ['peertap card', vectors.token, 32],
    ])
  })

  test('a group key is split into key, index and commitment', () => {
    expect(split(exported('peertap group key', vectors.leafKey + vectors.boot))).toEqual(vectors.groupKey)
  })

  test('the boot after this one', () => {
    const { input, output } = vectors.nextBoot
    expect(input).toBe(`${text('peertap next boot v1')}00${vectors.boot}`)
    expect(to(blake3(from(input), { dkLen: 16 }))).toBe(output)
  })
})

describe('sessions', () => {
  const { init, session, vlan, mlsId, token, leafKey, receiverLeafKey, boot } = vectors
  const shared = diffieHellman({
    privateKey: secretKey(X25519_SECRET, init.ephemeralSecret),
    publicKey: publicKey(X25519_PUBLIC, init.frameKey),
  })
  const fields = boot + u32(init.number) + u48(init.sentMillis) + init.ack
  const body = vlan + mlsId + leafKey + receiverLeafKey + init.frameKey + init.ephemeral + fields

  test('the shared secret', () => {
    expect(to(shared)).toBe(init.shared)
    expect(to(blake3(from(init.ephemeral), { dkLen: 16 }))).toBe(init.ephemeralHash)
  })

  test('the box of the INIT', () => {
    const key = hkdf(
      exported('peertap unicast'),
      init.shared,
      text('init') + init.ephemeral + init.frameKey,
      32,
    )
    const box = from(init.payload.slice(64))
    expect(init.payload.slice(0, 64)).toBe(init.ephemeral)
    const decipher = createDecipheriv('aes-256-gcm', from(key), Buffer.alloc(12))
    decipher.setAAD(from(`11${vlan}${mlsId}${token}${init.ephemeral}`))
    decipher.setAuthTag(box.subarray(-16))
    const plain = to(Buffer.concat([decipher.update(box.subarray(0, -16)), decipher.final()]))
    expect(plain.slice(0, -128)).toBe(u32(vectors.leafIndex) + fields)
    const signed = from(`${text('peertap init v1')}00${body}`)
    expect(verify(null, signed, publicKey(ED25519_PUBLIC, leafKey), from(plain.slice(-128)))).toBe(true)
  })

  test('the root, and the key of each epoch', () => {
    const keyMaterial = init.shared + to(blake3(from(body)))
    const root = extract(text('peertap session v1'), keyMaterial)
    expect([root, session.root]).toEqual([init.root, init.root])
    for (const each of session.keys) {
      const bytes = hkdf(exported('peertap unicast'), root, text('session') + each.mlsId, 52)
      expect({ mlsId: each.mlsId, ...split(bytes) }).toEqual(each)
    }
  })
})

/** HKDF-Extract is HMAC with the salt as its key (RFC 5869, section 2.2). */
function extract(salt: string, keyMaterial: string): string {
  return to(createHmac('sha256', from(salt)).update(from(keyMaterial)).digest())
}

describe.each(vectors.packets)('packet: $what', ({ key, nonce, commitment, plaintext, packet }) => {
  const aad = `11${vectors.vlan}${vectors.mlsId}${vectors.token}`
  const tag = packet.slice(-32)

  test('begins with the associated data, then the nonce masked by one block over the tag', () => {
    expect(packet.slice(0, 98)).toBe(aad)
    const cipher = createCipheriv('aes-256-ecb', from(exported('peertap mask')), null).setAutoPadding(false)
    const mask = cipher.update(from(tag))
    const wire = from(packet.slice(98, 122))
    expect(to(wire.map((byte, at) => byte ^ (mask[at] as number)))).toBe(nonce)
  })

  test('is sealed under its key', () => {
    const cipher = createCipheriv('aes-256-gcm', from(key), from(nonce))
    cipher.setAAD(from(aad))
    const text = to(Buffer.concat([cipher.update(from(plaintext)), cipher.final()]))
    expect(packet.slice(122)).toBe(text + to(cipher.getAuthTag()))
  })

  test('is signed over everything that must not be changed', () => {
    const [kind, flags] = from(plaintext.slice(0, 4)) as unknown as [number, number]
    const length = Number.parseInt(plaintext.slice(18, 26), 16)
    const end = 2 * (13 + ((flags & 1) === 0 ? 0 : 24) + length)
    expect(plaintext.slice(4, 6)).toBe('65')
    const rest = plaintext.slice(end)
    if ((flags & 2) === 0) {
      expect([0, 3]).toContain(kind)
      expect(rest).toMatch(/^0*$/)
      return
    }
    const signed = `${text('peertap frame v1')}00${aad}${nonce}${commitment}${vectors.leafKey}`
    const signature = sign(
      null,
      from(signed + plaintext.slice(0, end)),
      secretKey(ED25519_SEED, vectors.leafSeed),
    )
    expect(rest.slice(0, 128)).toBe(to(signature))
    expect(rest.slice(128)).toMatch(/^0*$/)
  })
})

test('the messages between sealers, field by field', () => {
  const { messages, init, boot, mlsId, token } = vectors
  const counting = (first: number, length: number): string =>
    to(Uint8Array.from({ length }, (_, at) => first + at))
  expect(messages.card).toBe(
    [
      boot,
      u32(7),
      u48(1_767_225_600_123),
      u32(2) + u32(5),
      mlsId,
      counting(0x91, 16),
      init.frameKey,
      '02000a0b0c0d',
      counting(0x21, 16),
      '02' + '000000000001' + '0a0000000002',
      '01020304',
      `02${'0003'}010203${'0020'}${counting(1, 32)}`,
      `01${counting(0x41, 16)}`,
    ].join(''),
  )
  expect(messages.request).toBe(`01${'0001'}20${'01'}${counting(0x41, 16)}${token}`)
  expect(messages.acknowledge).toBe(`02${init.ack}`)
})
