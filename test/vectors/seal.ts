/**
 * Vectors of sealing under an MLS group: `node test/vectors/seal.ts` writes seal.json. Every derivation
 * stands with the bytes that go into it, and whole packets with the keys, nonces and signatures that they
 * are made of, so that another implementation can check itself step by step. The exporter of MLS is given
 * by its outputs alone.
 */
import { writeFileSync } from 'node:fs'
import { noble } from '../../core/crypto/noble.ts'
import { concat, hex, utf8 } from '../../core/ids.ts'
import { encodeAcknowledge, encodeCard, encodeRequest, leafSet } from '../../core/seal/cards.ts'
import { nextBoot, sessionKey, sessionRoot } from '../../core/seal/derive.ts'
import { Epoch } from '../../core/seal/epoch.ts'
import { makeInit, NO_ACK, openInit } from '../../core/seal/init.ts'
import {
  NO_COMMITMENT,
  sealPacket,
  setNonce,
  setRandomNonce,
  signPlaintext,
} from '../../core/seal/packets.ts'
import {
  FLAG,
  PAYLOAD_KIND,
  type PayloadKind,
  paddedLength,
  plaintextLength,
  writeFragment,
  writePlaintext,
} from '../../core/vlan/plaintext.ts'
import { TOKEN_OFFSET } from '../../core/wire/packet.ts'

function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff)
}

const { kdf, signatures, agreement } = noble
const vlan = counting(0xa0, 16)
const mlsId = counting(0xb0, 16)
const token = counting(0xc0, 16)
const leafSeed = counting(0x10, 32)
const memberKey = counting(0x30, 32)
const receiverSeed = counting(0x50, 32)
const boot = counting(0x70, 16)
const frameSecret = counting(0x80, 32)
const ephemeralSecret = counting(0xd0, 32)
const ack = counting(0x05, 16)
const exporterSecret = counting(0xe0, 32)

interface Exported {
  readonly label: string
  readonly context: string
  readonly output: string
}

/** Notes what it gives; how it comes about is no part of the vectors. */
function recordingExporter(exports: Exported[]): (l: string, c: Uint8Array, n: number) => Uint8Array {
  return (label, context, length) => {
    const output = kdf.expand(exporterSecret, concat(utf8(`${label}\0`), context), length)
    exports.push({ label, context: hex(context), output: hex(output) })
    return output
  }
}

function epochOf(exports: Exported[]): Epoch {
  const leafKey = signatures.publicKey(leafSeed)
  const receiverKey = signatures.publicKey(receiverSeed)
  return new Epoch(noble, vlan, 1, {
    mlsId,
    roster: new Map([
      [3, { memberKey, leafKey }],
      [5, { memberKey: counting(0x31, 32), leafKey: receiverKey }],
    ]),
    exporter: recordingExporter(exports),
    self: 3,
    origin: 'restored',
    leafSeed,
  })
}

interface PacketVector {
  readonly what: string
  readonly key: string
  readonly nonce: string
  readonly commitment: string
  readonly plaintext: string
  readonly packet: string
}

/** Seals a written plaintext under what was set, and says all that went into it. */
function packetOf(
  epoch: Epoch,
  what: string,
  key: Uint8Array,
  nonce: Uint8Array,
  commitment: Uint8Array,
  plain: Uint8Array,
  signed: boolean,
): PacketVector {
  epoch.aad.set(token, TOKEN_OFFSET)
  if (nonce.subarray(0, 4).every((byte) => byte === 0)) setRandomNonce(nonce.subarray(4))
  else setNonce(new DataView(nonce.buffer).getUint32(0), new DataView(nonce.buffer).getUint32(8))
  if (signed) signPlaintext(noble, epoch, commitment, plain)
  const packet = sealPacket(noble, epoch, key, plain)
  return {
    what,
    key: hex(key),
    nonce: hex(nonce),
    commitment: hex(commitment),
    plaintext: hex(plain),
    packet: hex(packet),
  }
}

function plaintext(kind: PayloadKind, flags: number, millis: number, payload: Uint8Array): Uint8Array {
  const plain = new Uint8Array(paddedLength(plaintextLength(flags, payload.length), 'small'))
  writePlaintext(plain, kind, 101, millis, payload, flags)
  return plain
}

function nonceOf(index: number, counter: number): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setUint32(0, index)
  new DataView(nonce.buffer).setUint32(8, counter)
  return nonce
}

function messages(): { card: Uint8Array; request: Uint8Array; acknowledge: Uint8Array } {
  return {
    card: encodeCard({
      boot,
      number: 7,
      wallMillis: 1_767_225_600_123,
      groupCounter: 2 ** 33 + 5,
      head: mlsId,
      saltId: counting(0x91, 16),
      frameKey: agreement.publicKey(frameSecret),
      mac: 0x0200_0a0b_0c0d,
      macNonce: counting(0x21, 16),
      foreign: [0x0000_0000_0001, 0x0a00_0000_0002],
      capabilities: 0x0102_0304,
      addresses: [Uint8Array.of(1, 2, 3), counting(1, 32)],
      echoes: [counting(0x41, 16)],
    }),
    request: encodeRequest({ targets: leafSet([5]), challenge: counting(0x41, 16), reply: token }),
    acknowledge: encodeAcknowledge(ack),
  }
}

/** The content of seal.json. */
export function sealVectors(): object {
  const exports: Exported[] = []
  const epoch = epochOf(exports)
  const group = epoch.groupKey(epoch.leafKey, boot)
  const channel = epoch.channel(token)
  epoch.aad.set(token, TOKEN_OFFSET)
  const frameKey = { secret: frameSecret, publicKey: agreement.publicKey(frameSecret) }
  const fields = { leaf: 3, boot, number: 9, sentMillis: 1_234_567, ack }
  const receiver = { leafKey: signatures.publicKey(receiverSeed), frameKey: frameKey.publicKey }
  const init = makeInit(noble, vlan, epoch, receiver, fields, ephemeralSecret.slice())
  if (init === undefined) throw new Error('the frame key is of low order')
  const opened = openInit(noble, epoch, frameKey, init.payload)
  if (opened === undefined) throw new Error('the INIT does not open')
  const session = epoch.sessionKey(init.root)
  const nextMlsId = counting(0xb1, 16)
  const { card, request, acknowledge } = messages()
  const leaf = Uint8Array.of(0, 0, 0, 3)
  const frame = counting(1, 42)
  const piece = new Uint8Array(plaintextLength(FLAG.fragment | FLAG.signed, 30))
  writeFragment(piece, PAYLOAD_KIND.frame, FLAG.signed, 101, 5_000, counting(0x61, 16), 1_200, 1_500, frame.subarray(0, 30))
  const random = concat(new Uint8Array(4), counting(0xf1, 8))
  return {
    vlan: hex(vlan),
    mlsId: hex(mlsId),
    token: hex(token),
    leafIndex: 3,
    leafSeed: hex(leafSeed),
    leafKey: hex(epoch.leafKey),
    receiverLeafKey: hex(receiver.leafKey),
    boot: hex(boot),
    exports,
    groupKey: { key: hex(group.key), index: group.index, commitment: hex(group.commitment) },
    nextBoot: { input: `${hex(utf8('peertap next boot v1\0'))}${hex(boot)}`, output: hex(nextBoot(noble, boot)) },
    init: {
      frameSecret: hex(frameSecret),
      frameKey: hex(frameKey.publicKey),
      ephemeralSecret: hex(ephemeralSecret),
      ephemeral: hex(opened.ephemeral),
      shared: hex(opened.shared),
      number: fields.number,
      sentMillis: fields.sentMillis,
      ack: hex(ack),
      noAck: hex(NO_ACK),
      ephemeralHash: hex(init.ephemeralHash),
      payload: hex(init.payload),
      root: hex(init.root),
    },
    session: {
      salt: hex(utf8('peertap session v1')),
      root: hex(sessionRoot(noble, opened.shared, initBody(epoch, receiver, opened.ephemeral))),
      keys: [mlsId, nextMlsId].map((id) => {
        const { key, index, commitment } = sessionKey(kdf, epoch.unicast, init.root, id)
        return { mlsId: hex(id), key: hex(key), index, commitment: hex(commitment) }
      }),
    },
    messages: { card: hex(card), request: hex(request), acknowledge: hex(acknowledge) },
    packets: [
      packetOf(epoch, 'group frame, signed', group.key, nonceOf(group.index, 5), group.commitment, plaintext(0, FLAG.signed, 5_000, frame), true),
      packetOf(epoch, 'fragment of a group frame', group.key, nonceOf(group.index, 6), group.commitment, piece, true),
      packetOf(epoch, 'unicast frame', session.key, nonceOf(session.index, 2 ** 32 - 2), session.commitment, plaintext(0, FLAG.none, 2 ** 40, frame), false),
      packetOf(epoch, 'INIT', channel.key, random, NO_COMMITMENT, plaintext(3, FLAG.none, 1_234_567, init.payload), false),
      packetOf(epoch, 'card', channel.key, random, NO_COMMITMENT, plaintext(2, FLAG.signed, 9, concat(leaf, card)), true),
    ],
  }
}

function initBody(
  epoch: Epoch,
  receiver: { readonly leafKey: Uint8Array; readonly frameKey: Uint8Array },
  ephemeral: Uint8Array,
): Uint8Array {
  const rest = new Uint8Array(10)
  new DataView(rest.buffer).setUint32(0, 9)
  new DataView(rest.buffer).setUint32(6, 1_234_567)
  return concat(
    vlan,
    mlsId,
    epoch.leafKey,
    receiver.leafKey,
    receiver.frameKey,
    ephemeral,
    boot,
    rest,
    ack,
  )
}

if (import.meta.main) {
  const text = `${JSON.stringify(sealVectors(), null, 2)}\n`
  writeFileSync(new URL('seal.json', import.meta.url), text)
}
