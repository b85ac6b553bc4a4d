/**
 * What witnesses say: which child of an epoch each of them adopted (sec:B5). An ack is signed with the leaf
 * key, and a witness that changes its mind says so with a higher counter. Pure: a list of acks in, counts
 * out, in whatever order they came.
 *
 *     ack     child MLS-ID 16 | counter 4 | signature 64            84 bytes
 *     signature = sign(leaf, "ack", VLAN-ID | parent MLS-ID | child MLS-ID | counter)
 *
 * The parent and the signer are named by the packet that carries it.
 */
import { SIGNATURE_BYTES, type Signatures } from '../crypto/ports.ts'
import { signNamed, verifyNamed } from '../crypto/signed.ts'
import { concat, hex, sameBytes } from '../ids.ts'
import { writeU32 } from '../wire/cursor.ts'
import { decode, encode, fixed, struct, u32 } from '../wire/schema.ts'
import { epochId } from './fields.ts'

const ACK = 'ack'
const ack = struct({ child: epochId, counter: u32, signature: fixed(SIGNATURE_BYTES) })

/** An ack whose signature was checked, with the member key of the leaf that signed. */
export interface Ack {
  readonly witness: Uint8Array
  readonly child: Uint8Array
  readonly counter: number
}

export interface AckPlace {
  readonly vlan: Uint8Array
  readonly parent: Uint8Array
}

/** 84 bytes by the witness's leaf seed. */
export function makeAck(
  signatures: Signatures,
  place: AckPlace,
  leafSeed: Uint8Array,
  child: Uint8Array,
  counter: number,
): Uint8Array {
  const body = ackBody(place, child, counter)
  return encode(ack, { child, counter, signature: signNamed(signatures, leafSeed, ACK, body) })
}

/** The ack if the leaf key signed it for that parent; undefined otherwise. */
export function verifyAck(
  signatures: Signatures,
  place: AckPlace,
  signer: { readonly leafKey: Uint8Array; readonly memberKey: Uint8Array },
  given: Uint8Array,
): Ack | undefined {
  const said = decode(ack, given)
  if (said === undefined) return undefined
  const body = ackBody(place, said.child, said.counter)
  if (!verifyNamed(signatures, signer.leafKey, ACK, body, said.signature)) return undefined
  return { witness: signer.memberKey, child: said.child, counter: said.counter }
}

function ackBody({ vlan, parent }: AckPlace, child: Uint8Array, counter: number): Uint8Array {
  const number = new Uint8Array(4)
  writeU32(number, 0, counter)
  return concat(vlan, parent, child, number)
}

/** The last word of each witness on the children of one epoch: at most as many entries as witnesses. */
export class AckTally {
  readonly #witnesses: ReadonlySet<string>
  readonly #last = new Map<string, Ack | 'contrary'>()
  readonly #counters = new Map<string, number>()

  /** `witnesses`: see `witnessesOf`. */
  constructor(witnesses: readonly Uint8Array[]) {
    this.#witnesses = new Set(witnesses.map(hex))
  }

  /**
   * Takes in a checked ack; true if it changed something. Two children under one counter are a lie, by
   * signatures that prove it, and the witness counts for none of them until it says something newer.
   */
  add(given: Ack): boolean {
    const witness = hex(given.witness)
    if (!this.#witnesses.has(witness)) return false
    const known = this.#counters.get(witness) ?? -1
    if (given.counter < known) return false
    const last = this.#last.get(witness)
    if (given.counter > known) {
      this.#counters.set(witness, given.counter)
      this.#last.set(witness, { ...given, child: given.child.slice() })
      return true
    }
    if (last === undefined || last === 'contrary' || hex(last.child) === hex(given.child)) return false
    this.#last.set(witness, 'contrary')
    return true
  }

  /** Witnesses that adopted the child and are not refused. */
  count(child: Uint8Array, isRefused: (member: Uint8Array) => boolean): number {
    let count = 0
    for (const said of this.#last.values()) {
      if (said !== 'contrary' && sameBytes(said.child, child) && !isRefused(said.witness)) count += 1
    }
    return count
  }

  /** Settled: adopted by more than half of the unrefused witnesses heard in the last 60 s (sec:B6). */
  isSettled(
    child: Uint8Array,
    heard: readonly Uint8Array[],
    isRefused: (member: Uint8Array) => boolean,
  ): boolean {
    const there = new Set(heard.filter((member) => !isRefused(member)).map(hex))
    for (const witness of there) if (!this.#witnesses.has(witness)) there.delete(witness)
    return 2 * this.count(child, (member) => !there.has(hex(member))) > there.size
  }
}
