/** What every part of a door is given, and where its packets go. What else it needs comes as arguments. */
import type { Crypto } from '../crypto/ports.ts'
import type { Dice, Keys } from '../dice.ts'
import type { Micros } from '../io.ts'
import type { Envelope } from './envelope.ts'
import type { DoorTally } from './refusals.ts'
import type { Route } from './token.ts'

/** The VLAN's place in the trees, as a door needs it. */
export interface DoorWires {
  /** Sends a data packet, which the receiver may keep. */
  send(now: Micros, packet: Uint8Array): void
  /** Registers a token by its proof; again to renew it. */
  hold(now: Micros, token: Uint8Array, proof: Uint8Array): void
  release(now: Micros, token: Uint8Array): void
}

export interface DoorContext {
  readonly crypto: Crypto
  readonly keys: Keys
  readonly dice: Dice
  /** VLAN-ID, 16 bytes. */
  readonly vlan: Uint8Array
  readonly door: Route
  readonly envelope: Envelope
  readonly tally: DoorTally
  readonly wires: DoorWires
}
