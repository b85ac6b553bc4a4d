/**
 * Payloads become packets: padded, cut where they do not fit (sec:A12), signed where a signature is due
 * (sec:A6), sealed, and put into the outbox. Which key is used is told by the callers, who have asked
 * whether it has room; everything under one key passes through here, so counters are taken in one place.
 */
import { COUNT } from '../counters.ts'
import { InvariantError } from '../errors.ts'
import { TOKEN_BYTES } from '../ids.ts'
import type { Micros } from '../io.ts'
import {
  FLAG,
  FRAGMENT_ID_BYTES,
  PAYLOAD_BYTES_MAX,
  PAYLOAD_KIND,
  type PayloadKind,
  paddedLength,
  plaintextLength,
  writeFragment,
  writePlaintext,
} from '../vlan/plaintext.ts'
import { writeU32 } from '../wire/cursor.ts'
import { TOKEN_OFFSET, TRUNK_PACKET_BYTES } from '../wire/packet.ts'
import type { Reach, SealContext } from './context.ts'
import type { Epoch } from './epoch.ts'
import { fitsWhole, pieceBytes } from './fragments.ts'
import { PACE_ALONE_FROM, PACED_ALONE_MAX, PACED_MAX, TURN_FROM } from './limits.ts'
import { NO_COMMITMENT, plainRoom, sealPacket, setNonce, setRandomNonce, signPlaintext } from './packets.ts'
import { parityOf, stripesOf } from './parity.ts'
import type { SendKey } from './sending.ts'

/** The sender's leaf index, before everything that is signed under a channel key (sec:A6). */
export const LEAF_BYTES = 4
const RANDOM_NONCE_BYTES = 8
const TWO_TO_32 = 4_294_967_296

const fragmentId = new Uint8Array(FRAGMENT_ID_BYTES)

export class Outbound {
  readonly #context: SealContext

  constructor(context: SealContext) {
    this.#context = context
  }

  // HOT PATH
  /** Packets that a payload takes at this size, under a data key. */
  packetsFor(payloadBytes: number, signed: boolean, packetBytes: number): number {
    const flags = signed ? FLAG.signed : FLAG.none
    const { padding } = this.#context
    if (fitsWhole(payloadBytes, flags, padding, packetBytes)) return 1
    return Math.ceil(payloadBytes / pieceBytes(flags, padding, packetBytes))
  }

  // HOT PATH
  /** Bytes of plaintext that those packets have together, or a little more. */
  plainBytesFor(payloadBytes: number, signed: boolean, packets: number, packetBytes: number): number {
    if (packets > 1) return packets * packetBytes
    const length = plaintextLength(signed ? FLAG.signed : FLAG.none, payloadBytes)
    return paddedLength(length, this.#context.padding)
  }

  // HOT PATH
  /** Seals a payload under a data key that has room for it: one packet, or as many as it takes. */
  seal(
    now: Micros,
    epoch: Epoch,
    key: SendKey,
    signed: boolean,
    kind: PayloadKind,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number,
  ): void {
    if (payload.length > PAYLOAD_BYTES_MAX || token.length !== TOKEN_BYTES) refuseToSeal(token, payload)
    const { padding, own, firstHopLimit } = this.#context
    const flags = signed ? FLAG.signed : FLAG.none
    epoch.aad.set(token, TOKEN_OFFSET)
    if (!fitsWhole(payload.length, flags, padding, packetBytes)) {
      this.#sealPieces(now, epoch, key, flags, kind, payload, packetBytes)
      return
    }
    const plain = plainRoom(paddedLength(plaintextLength(flags, payload.length), padding))
    writePlaintext(plain, kind, firstHopLimit, own.sentMillis(now), payload, flags)
    this.#finish(epoch, key, flags, plain)
  }

  // HOT PATH
  #sealPieces(
    now: Micros,
    epoch: Epoch,
    key: SendKey,
    flags: number,
    kind: PayloadKind,
    payload: Uint8Array,
    packetBytes: number,
  ): void {
    const { padding, own, firstHopLimit } = this.#context
    const room = pieceBytes(flags, padding, packetBytes)
    const total = payload.length
    this.#nameFrame()
    for (let offset = 0; offset < total; offset += room) {
      const piece = payload.subarray(offset, Math.min(total, offset + room))
      const length = plaintextLength(flags | FLAG.fragment, piece.length)
      const plain = plainRoom(paddedLength(length, padding))
      writeFragment(plain, kind, flags, firstHopLimit, own.sentMillis(now), fragmentId, offset, total, piece)
      this.#finish(epoch, key, flags, plain)
    }
  }

  // HOT PATH
  #finish(epoch: Epoch, key: SendKey, flags: number, plain: Uint8Array): void {
    const { crypto, counters, out } = this.#context
    setNonce(key.data.index, key.take(plain.length))
    if ((flags & FLAG.signed) !== 0) {
      signPlaintext(crypto, epoch, key.data.commitment, plain)
      counters.add(COUNT.signed)
    }
    counters.add(COUNT.sealed)
    out.send(sealPacket(crypto, epoch, key.data.key, plain))
  }

  /**
   * Seals under the channel key of a token (sec:A7), signed, with this member's leaf index before the body.
   * Only what the group's logic says may be cut: cards and requests fit a packet. False, and nothing is
   * sent, if the key has sealed as much as it may.
   */
  sealChannel(
    now: Micros,
    epoch: Epoch,
    kind: PayloadKind,
    token: Uint8Array,
    body: Uint8Array,
    reach: Reach = 'all',
    packetBytes: number = TRUNK_PACKET_BYTES,
  ): boolean {
    const { padding, own, firstHopLimit, keyLimits, out } = this.#context
    const millis = own.sentMillis(now)
    const flags = FLAG.signed
    if (fitsWhole(LEAF_BYTES + body.length, flags, padding, packetBytes)) {
      const payload = withLeaf(epoch, body)
      const plain = plainRoom(paddedLength(plaintextLength(flags, payload.length), padding))
      writePlaintext(plain, kind, firstHopLimit, millis, payload, flags)
      // What follows something that leaves by and by stays behind it: an ack its commit.
      const queue = isOfGroup(kind) ? out.paced[reach] : undefined
      return this.#finishChannel(now, epoch, flags, token, plain, queue?.length === 0 ? undefined : queue)
    }
    if (body.length > PAYLOAD_BYTES_MAX) refuseToSeal(token, body)
    const room = pieceBytes(flags, padding, packetBytes) - LEAF_BYTES
    const queue = epoch.roster.size > TURN_FROM ? out.paced[reach] : undefined
    const hasParity = queue !== undefined && reach !== 'one'
    const packets = Math.ceil(body.length / room) + (hasParity ? stripesOf(body.length, room) : 0)
    if (epoch.channel(token).sealed + packets > keyLimits.channelPackets) return false
    this.#nameFrame()
    for (let offset = 0; offset < body.length; offset += room) {
      const piece = withLeaf(epoch, body.subarray(offset, Math.min(body.length, offset + room)))
      const length = plaintextLength(flags | FLAG.fragment, piece.length)
      const plain = plainRoom(paddedLength(length, padding))
      writeFragment(plain, kind, flags, firstHopLimit, millis, fragmentId, offset, body.length, piece)
      this.#finishChannel(now, epoch, flags, token, plain, queue)
    }
    if (hasParity) this.#sealParity(now, epoch, kind, token, body, room, queue)
    return true
  }

  /** What mends lost pieces of the payload that was just cut. */
  #sealParity(
    now: Micros,
    epoch: Epoch,
    kind: PayloadKind,
    token: Uint8Array,
    body: Uint8Array,
    room: number,
    queue: Uint8Array[],
  ): void {
    const { padding, own, firstHopLimit } = this.#context
    const flags = FLAG.signed | FLAG.parity
    const stripes = stripesOf(body.length, room)
    for (let stripe = 0; stripe < stripes; stripe++) {
      const piece = withLeaf(epoch, parityOf(body, room, stripe))
      const length = plaintextLength(flags | FLAG.fragment, piece.length)
      const plain = plainRoom(paddedLength(length, padding))
      const [millis, offset] = [own.sentMillis(now), stripe * room]
      writeFragment(plain, kind, flags, firstHopLimit, millis, fragmentId, offset, body.length, piece)
      this.#finishChannel(now, epoch, flags, token, plain, queue)
    }
  }

  /** Seals an INIT, which carries its own signature inside (sec:A8). False if the key is used up. */
  sealInit(now: Micros, epoch: Epoch, token: Uint8Array, payload: Uint8Array): boolean {
    const { padding, own, firstHopLimit } = this.#context
    const plain = plainRoom(paddedLength(plaintextLength(FLAG.none, payload.length), padding))
    writePlaintext(plain, PAYLOAD_KIND.init, firstHopLimit, own.sentMillis(now), payload)
    return this.#finishChannel(now, epoch, FLAG.none, token, plain, undefined)
  }

  #finishChannel(
    now: Micros,
    epoch: Epoch,
    flags: number,
    token: Uint8Array,
    plain: Uint8Array,
    queue: Uint8Array[] | undefined,
  ): boolean {
    const { crypto, keys, counters, out, keyLimits, deadline } = this.#context
    const channel = epoch.channel(token)
    if (channel.sealed >= keyLimits.channelPackets) return false
    channel.sealed += 1
    epoch.aad.set(token, TOKEN_OFFSET)
    setRandomNonce(keys.bytes(RANDOM_NONCE_BYTES))
    if ((flags & FLAG.signed) !== 0) {
      signPlaintext(crypto, epoch, NO_COMMITMENT, plain)
      counters.add(COUNT.signed)
    }
    counters.add(COUNT.sealed)
    const packet = sealPacket(crypto, epoch, channel.key, plain)
    counters.add(COUNT.groupBytesOut, packet.length)
    const isAlone = queue === out.paced.all && epoch.roster.size > PACE_ALONE_FROM
    if (queue === undefined) out.send(packet)
    else if (queue.length >= (isAlone ? PACED_ALONE_MAX : PACED_MAX)) counters.add(COUNT.boundPaced)
    else {
      queue.push(packet)
      deadline.lower(now)
    }
    return true
  }

  // HOT PATH
  /** The id of the next payload that is cut: a count, since it is read by those alone who open the packet. */
  #nameFrame(): void {
    const number = this.#context.own.nextFrameNumber()
    writeU32(fragmentId, FRAGMENT_ID_BYTES - 8, Math.floor(number / TWO_TO_32))
    writeU32(fragmentId, FRAGMENT_ID_BYTES - 4, number % TWO_TO_32)
  }
}

/** Kinds of the group's logic, which are said in an order. */
function isOfGroup(kind: PayloadKind): boolean {
  return kind === PAYLOAD_KIND.handshake || kind === PAYLOAD_KIND.ledger
}

function withLeaf(epoch: Epoch, body: Uint8Array): Uint8Array {
  const payload = new Uint8Array(LEAF_BYTES + body.length)
  writeU32(payload, 0, epoch.self)
  payload.set(body, LEAF_BYTES)
  return payload
}

/** Apart from the hot path, which must not build a message for an error that does not happen. */
function refuseToSeal(token: Uint8Array, payload: Uint8Array): never {
  throw new InvariantError(`asked to seal ${payload.length} bytes to a token of ${token.length}`)
}
