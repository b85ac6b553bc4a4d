/**
 * One door session after its handshake (sec:C4): a traffic key each way, counters as nonces, messages in
 * order. Both ends have the same object. It knows who is at the other end and nothing of what is asked.
 *
 *     body of a packet    session id 16 | counter 4 | AEAD_traffic(0 | frame of the stream, or 1 | reason 1)
 *     nonce               0^8 | counter, from 0, never twice under a key
 *
 * Reason 0 ends a session well; other numbers are refusals (refusals.ts). A session is closed when nothing
 * new came for SESSION_IDLE: repetitions keep nothing alive.
 */
import { NONCE_BYTES, TAG_BYTES } from '../crypto/ports.ts'
import { hex } from '../ids.ts'
import type { Micros } from '../io.ts'
import { ReplayWindow } from '../vlan/replay.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import type { DoorContext } from './context.ts'
import { BODY_BYTES, DOOR_KIND } from './envelope.ts'
import { type HandshakeKeys, type Purpose, SESSION_ID_BYTES } from './handshake.ts'
import { SESSION_IDLE, SESSION_LIFE } from './limits.ts'
import { DOOR_REFUSAL, type DoorRefusal, refusalNumber, refusalOf } from './refusals.ts'
import { FRAME_OVERHEAD, Stream } from './stream.ts'

const HEADER_BYTES = SESSION_ID_BYTES + 4
const TYPE = { frame: 0, close: 1 } as const
/** Bytes of a message in one packet: 1,290. */
const PIECE_BYTES = BODY_BYTES - HEADER_BYTES - TAG_BYTES - 1 - FRAME_OVERHEAD
const NOTHING = new Uint8Array(0)

export interface SessionEnds {
  readonly keys: HandshakeKeys
  /** Which end this is. */
  readonly side: 'sponsor' | 'caller'
  /** Where the other end listens, 16 bytes. */
  readonly token: Uint8Array
  /** Member key of the other end. */
  readonly member: Uint8Array
  readonly purpose: Purpose
  /** Longest message that the other end may send. */
  readonly messageMax: number
}

/** What a packet did: something new, nothing (counted by the reason), or the end. */
export type Received =
  | { readonly kind: 'news' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly why: DoorRefusal }
  /** The other end closed; without a reason, well. */
  | { readonly kind: 'closed'; readonly why: DoorRefusal | undefined }

/** The session of a traffic packet, in hex; undefined if it is too short to have one. */
export function sessionNameOf(body: Uint8Array): string | undefined {
  return body.length < HEADER_BYTES + TAG_BYTES + 1 ? undefined : hex(body.subarray(0, SESSION_ID_BYTES))
}

export class Session {
  readonly name: string
  readonly member: Uint8Array
  readonly purpose: Purpose
  readonly #context: DoorContext
  readonly #id: Uint8Array
  readonly #token: Uint8Array
  readonly #sendKey: Uint8Array
  readonly #receiveKey: Uint8Array
  readonly #stream: Stream
  readonly #nonce = new Uint8Array(NONCE_BYTES)
  readonly #openedAt: Micros
  #newsAt: Micros
  #counter = 0
  #window: ReplayWindow | undefined

  constructor(now: Micros, context: DoorContext, ends: SessionEnds) {
    const { keys, side } = ends
    this.#context = context
    this.#id = keys.id.slice()
    this.name = hex(keys.id)
    this.member = ends.member.slice()
    this.purpose = ends.purpose
    this.#token = ends.token.slice()
    this.#sendKey = (side === 'caller' ? keys.toR : keys.toI).slice()
    this.#receiveKey = (side === 'caller' ? keys.toI : keys.toR).slice()
    this.#stream = new Stream(PIECE_BYTES, ends.messageMax)
    this.#openedAt = now
    this.#newsAt = now
  }

  /** Takes in the body of a traffic packet with this session's id. */
  receive(now: Micros, body: Uint8Array): Received {
    const counter = readU32(body, SESSION_ID_BYTES)
    if (this.#window !== undefined && !this.#window.accepts(counter)) return refused(DOOR_REFUSAL.replayed)
    const plain = new Uint8Array(body.length - HEADER_BYTES - TAG_BYTES)
    writeU32(this.#nonce, NONCE_BYTES - 4, counter)
    const sealed = body.subarray(HEADER_BYTES)
    if (!this.#context.crypto.aead.open(this.#receiveKey, this.#nonce, NOTHING, sealed, plain))
      return refused(DOOR_REFUSAL.notOfSession)
    if (this.#window === undefined) this.#window = new ReplayWindow(counter)
    else this.#window.mark(counter)
    if (plain[0] === TYPE.close && plain.length === 2) {
      const number = plain[1] as number
      return { kind: 'closed', why: number === 0 ? undefined : (refusalOf(number) ?? DOOR_REFUSAL.closed) }
    }
    const taken = plain[0] === TYPE.frame ? this.#stream.receive(now, plain.subarray(1)) : 'malformed'
    if (taken === 'malformed') return refused(DOOR_REFUSAL.badPieces)
    if (taken === 'news') this.#newsAt = now
    return { kind: taken }
  }

  takeMessages(): readonly Uint8Array[] {
    return this.#stream.takeMessages()
  }

  /** Puts messages in line; false if they do not all fit. */
  say(...messages: readonly Uint8Array[]): boolean {
    return messages.every((message) => this.#stream.push(message))
  }

  /** Sends what is due. `bare`: at least a sign of life. */
  flush(now: Micros, bare = false): void {
    let isBare = bare
    for (let frame = this.#stream.nextFrame(now, isBare); frame !== undefined; ) {
      isBare = false
      this.#send(now, TYPE.frame, frame)
      frame = this.#stream.nextFrame(now)
    }
  }

  /** Tells the other end and erases the keys; nothing may be asked of it afterwards. */
  close(now: Micros, why?: DoorRefusal): void {
    this.#send(now, TYPE.close, Uint8Array.of(why === undefined ? 0 : refusalNumber(why)))
    this.erase()
  }

  erase(): void {
    this.#sendKey.fill(0)
    this.#receiveKey.fill(0)
  }

  /** Whether the session is to be given up. */
  isOver(now: Micros): boolean {
    return this.#stream.isLost || now >= this.#endsAt()
  }

  get isQuiet(): boolean {
    return this.#stream.isDone
  }

  nextDeadline(): Micros {
    return Math.min(this.#endsAt(), this.#stream.nextDeadline())
  }

  #endsAt(): Micros {
    return Math.min(this.#newsAt + SESSION_IDLE, this.#openedAt + SESSION_LIFE)
  }

  #send(now: Micros, type: number, content: Uint8Array): void {
    const { crypto, envelope, wires } = this.#context
    const plain = new Uint8Array(1 + content.length)
    plain[0] = type
    plain.set(content, 1)
    const body = new Uint8Array(HEADER_BYTES + plain.length + TAG_BYTES)
    body.set(this.#id)
    writeU32(body, SESSION_ID_BYTES, this.#counter)
    writeU32(this.#nonce, NONCE_BYTES - 4, this.#counter)
    this.#counter += 1
    crypto.aead.seal(this.#sendKey, this.#nonce, NOTHING, plain, body.subarray(HEADER_BYTES))
    wires.send(now, envelope.seal(this.#token, DOOR_KIND.traffic, body))
  }
}

function refused(why: DoorRefusal): Received {
  return { kind: 'refused', why }
}
