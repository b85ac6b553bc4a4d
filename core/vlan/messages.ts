/**
 * Registrations on the wire (mesh text (b)). REG goes from a lower to the one upper it chose for the
 * VLAN; OTHERS and REG-REFUSED come back. All are small, idempotent where they can be, and ordered by
 * the control channel.
 *
 * Beyond that text: `unknown` as an answer (the upper waits for an answer itself, but it heard), a bit
 * by which an upper asks for everything again, the tokens that a refusal is about, `proof` as the reason
 * of one, and a serial.
 */
import { TOKEN_BYTES, VLAN_ID_BYTES } from '../ids.ts'
import { KIND } from '../wire/kinds.ts'
import {
  type Decoded,
  decodeControl,
  encodeControl,
  fixed,
  list,
  optional,
  struct,
  u8,
  u16,
} from '../wire/schema.ts'
import { PROOF_BYTES } from './tokens.ts'

/** Tokens of one message, added and removed together: with proofs 7.8 kB, which a control packet may have. */
export const BATCH = 64

export const REGISTER_FLAG = {
  /**
   * The first message of a full set: what is not said again until `end` is withdrawn then, and every
   * flag that is yes is answered anew.
   */
  begin: 1,
  end: 2,
  /** The VLAN is withdrawn from this link. Nothing else counts. */
  leave: 4,
} as const
const REGISTER_FLAGS_KNOWN = 7

/** Is the VLAN present beyond this link? `unknown`: registered, but the answer from above is not here yet. */
export const OTHERS = { unknown: 0, no: 1, yes: 2 } as const
export type Others = (typeof OTHERS)[keyof typeof OTHERS]

/** `proof`: of a token, that its proof is missing, wrong or out of date. */
export const REFUSAL = { policy: 0, quota: 1, proof: 2 } as const
export type Refusal = (typeof REFUSAL)[keyof typeof REFUSAL]
export const REFUSAL_NAMES = ['policy', 'quota', 'proof'] as const

export const SET_HASH_BYTES = 8

const vlan = fixed(VLAN_ID_BYTES)
const token = fixed(TOKEN_BYTES)

const register = struct({
  vlan,
  tree: u8,
  /** Of the full set that this belongs to; answers repeat it, so that what was said before is told apart. */
  serial: u16,
  flags: u8,
  /** The proof stands beside a token the first time on a link and when it was renewed (private VLANs). */
  added: list(struct({ token, proof: optional(fixed(PROOF_BYTES)) }), BATCH),
  removed: list(token, BATCH),
  /** Over the sender's registered set after this message: 8 bytes, see `tokenHash`. */
  setHash: fixed(SET_HASH_BYTES),
})
export type Register = Decoded<typeof register>

const others = struct({
  vlan,
  tree: u8,
  serial: u16,
  state: u8,
  /** Not 0: the set hash did not fit; send the full set. */
  resend: u8,
  /** Tokens that somebody else has too, from now on; and those that nobody else has any more. */
  yes: list(token, BATCH),
  no: list(token, BATCH),
})
export type OthersMessage = Decoded<typeof others>

const registerRefused = struct({
  vlan,
  tree: u8,
  serial: u16,
  reason: u8,
  /** Which tokens were refused; none: the VLAN as a whole. */
  tokens: list(token, BATCH),
})
export type RegisterRefused = Decoded<typeof registerRefused>

export function encodeRegister(message: Register): Uint8Array {
  return encodeControl(KIND.register, register, message)
}

/** Undefined for anything that is not exactly of this form. Fields are views of the packet. */
export function decodeRegister(packet: Uint8Array): Register | undefined {
  const message = decodeControl(register, packet)
  if (message === undefined || (message.flags & ~REGISTER_FLAGS_KNOWN) !== 0) return undefined
  return message.added.length + message.removed.length <= BATCH ? message : undefined
}

export function encodeOthers(message: OthersMessage): Uint8Array {
  return encodeControl(KIND.others, others, message)
}

export function decodeOthers(packet: Uint8Array): OthersMessage | undefined {
  const message = decodeControl(others, packet)
  if (message === undefined || message.state > OTHERS.yes || message.resend > 1) return undefined
  return message
}

export function encodeRefused(message: RegisterRefused): Uint8Array {
  return encodeControl(KIND.registerRefused, registerRefused, message)
}

export function decodeRefused(packet: Uint8Array): RegisterRefused | undefined {
  const message = decodeControl(registerRefused, packet)
  return message === undefined || message.reason > REFUSAL.proof ? undefined : message
}
