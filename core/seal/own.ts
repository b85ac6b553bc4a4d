/**
 * What this member is to the others: its boot and challenge (sec:A2, A11), its frame keys (sec:A9), its own
 * MAC (sec:S7), and the counts that must rise. Draws all of it from `Keys`; nothing here is ever stored.
 */
import type { Crypto } from '../crypto/ports.ts'
import type { Keys } from '../dice.ts'
import { concat, MAC_NONCE_BYTES, type Mac, ownMac, utf8 } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { writeU32 } from '../wire/cursor.ts'
import { CHALLENGE_BYTES } from './cards.ts'
import { millisOf, type WallClock } from './clock.ts'
import { BOOT_BYTES, nextBoot } from './derive.ts'
import { FRAME_KEY_LIFE, FRAME_KEY_SLACK } from './limits.ts'

const CHALLENGE = utf8('peertap challenge v1\0')

/** Where members are reached: replaced when the salt of the branch changes (sec:B10). */
export interface MemberTokens {
  /** The 16 bytes for a MAC; the caller does not write them. */
  token(mac: Mac): Uint8Array
  /** 16 bytes (sec:M11). */
  readonly saltId: Uint8Array
}

/** X25519: what INITs to this member are made for. */
export interface FrameKey {
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
}

/** What this member says of itself beyond sealing: the port's business. */
export interface Profile {
  /** MACs bridged behind it, of which a card has room for the first 64. */
  readonly foreign: readonly Mac[]
  readonly capabilities: number
  readonly addresses: readonly Uint8Array[]
}

export class OwnMember {
  readonly memberKey: Uint8Array
  tokens: MemberTokens
  profile: Profile = { foreign: [], capabilities: 0, addresses: [] }
  mac: Mac
  macNonce: Uint8Array
  /** 16 bytes, drawn at every start and replaced by its successor when a group key is half used up. */
  boot: Uint8Array
  /** Successors since the start. */
  generation = 0
  /** What all are asked to echo, as proof that they live after our start. */
  challenge: Uint8Array
  frameKey: FrameKey
  /** The frame key before, for INITs under way; erased a minute later. */
  formerFrameKey: FrameKey | undefined = undefined
  /** When this life began: `t` counts from here. */
  startedAt: Micros
  /** The wall clock then, in milliseconds; 0 if it was not set. */
  startedWallMillis: number
  #frameKeyAt: Micros
  #eraseAt: Micros = NEVER
  #cardNumber = 0
  #initNumber = 0
  #frameNumber = 0
  readonly #crypto: Crypto
  readonly #keys: Keys
  readonly #vlan: Uint8Array
  readonly #wall: WallClock
  readonly #isTaken: (mac: Mac) => boolean

  constructor(options: {
    readonly now: Micros
    readonly crypto: Crypto
    readonly keys: Keys
    readonly vlan: Uint8Array
    readonly memberKey: Uint8Array
    readonly wall: WallClock
    readonly tokens: MemberTokens
    readonly isTaken?: (mac: Mac) => boolean
    /** 16 bytes, for the first MAC; drawn if not given. */
    readonly macNonce?: Uint8Array | undefined
  }) {
    const { now, crypto, keys, vlan, memberKey } = options
    this.#crypto = crypto
    this.#keys = keys
    this.#vlan = vlan
    this.#wall = options.wall
    this.#isTaken = options.isTaken ?? (() => false)
    this.memberKey = memberKey
    this.tokens = options.tokens
    this.macNonce = options.macNonce ?? keys.bytes(MAC_NONCE_BYTES)
    this.mac = ownMac(crypto.hash, memberKey, vlan, this.macNonce)
    if (this.#isTaken(this.mac)) this.drawMac()
    this.boot = keys.bytes(BOOT_BYTES)
    this.challenge = keys.bytes(CHALLENGE_BYTES)
    this.frameKey = this.#drawFrameKey()
    this.startedAt = now
    this.#frameKeyAt = now
    this.startedWallMillis = options.wall.millis()
  }

  /** A new life (sec:A2): nothing that the old one sealed with or answered to is used again. */
  startLife(now: Micros): void {
    erase(this.frameKey)
    if (this.formerFrameKey !== undefined) erase(this.formerFrameKey)
    this.formerFrameKey = undefined
    this.#eraseAt = NEVER
    this.boot = this.#keys.bytes(BOOT_BYTES)
    this.generation = 0
    this.challenge = this.#keys.bytes(CHALLENGE_BYTES)
    this.frameKey = this.#drawFrameKey()
    this.#frameKeyAt = now
    this.startedAt = now
    this.startedWallMillis = this.wallMillis()
    this.#cardNumber = 0
    this.#initNumber = 0
    this.#frameNumber = 0
  }

  /** The boot after this one, from now on. */
  turnBoot(): void {
    this.boot = nextBoot(this.#crypto, this.boot)
    this.generation += 1
  }

  /**
   * What one member is asked to echo, 16 bytes. Another one after each of its starts that was believed: an
   * answer of an earlier start, held back on the way, must not undo a later one.
   */
  challengeFor(leaf: number, starts: number): Uint8Array {
    const about = new Uint8Array(8)
    writeU32(about, 0, leaf)
    writeU32(about, 4, starts)
    return this.#crypto.hash.hash16(concat(CHALLENGE, this.challenge, about))
  }

  /** Another MAC, by another nonce (sec:S7). */
  drawMac(): void {
    do {
      this.macNonce = this.#keys.bytes(MAC_NONCE_BYTES)
      this.mac = ownMac(this.#crypto.hash, this.memberKey, this.#vlan, this.macNonce)
    } while (this.#isTaken(this.mac))
  }

  /** Replaces and erases frame keys when it is time; true if there is a new one. */
  turnFrameKey(now: Micros): boolean {
    if (now >= this.#eraseAt) {
      if (this.formerFrameKey !== undefined) erase(this.formerFrameKey)
      this.formerFrameKey = undefined
      this.#eraseAt = NEVER
    }
    if (now - this.#frameKeyAt < FRAME_KEY_LIFE) return false
    if (this.formerFrameKey !== undefined) erase(this.formerFrameKey)
    this.formerFrameKey = this.frameKey
    this.#eraseAt = now + FRAME_KEY_SLACK
    this.frameKey = this.#drawFrameKey()
    this.#frameKeyAt = now
    return true
  }

  /** When a frame key is to be replaced or erased. */
  get dueAt(): Micros {
    return Math.min(this.#frameKeyAt + FRAME_KEY_LIFE, this.#eraseAt)
  }

  // HOT PATH
  /** `t` of sec:A5: milliseconds since the life began. */
  sentMillis(now: Micros): number {
    return millisOf(now - this.startedAt)
  }

  /** Milliseconds since 1970, 0 if the clock is not set. */
  wallMillis(): number {
    return this.#wall.millis()
  }

  /** This member's token for unicast, 16 bytes. */
  token(): Uint8Array {
    return this.tokens.token(this.mac)
  }

  nextCardNumber(): number {
    return this.#cardNumber++
  }

  /** The first is 1: 0 is what a receiver starts from. */
  nextInitNumber(): number {
    this.#initNumber += 1
    return this.#initNumber
  }

  /** Names a payload that is cut; below 2^53, so it never comes back. */
  nextFrameNumber(): number {
    return this.#frameNumber++
  }

  #drawFrameKey(): FrameKey {
    const secret = this.#keys.bytes(32)
    return { secret, publicKey: this.#crypto.agreement.publicKey(secret) }
  }
}

function erase(key: FrameKey): void {
  key.secret.fill(0)
}
