/**
 * What a machine whose owner means harm has seen of tokens: those in headers of packets that it relays, those
 * that lowers register with their proofs, and the keys of routes that its own node derives as a member. It
 * keeps what an attacker would; what is done with it is hijacker.ts's.
 */
import type { Hash } from '../../core/crypto/ports.ts'
import { hex, utf8 } from '../../core/ids.ts'
import { CHANNEL, type Channel, type LinkId } from '../../core/io.ts'
import { decodeRefused, decodeRegister } from '../../core/vlan/messages.ts'
import { CONTROL_VERSION_TYPE, KIND } from '../../core/wire/kinds.ts'
import { isDataPacket, TOKEN_OFFSET, VLAN_OFFSET } from '../../core/wire/packet.ts'

/** Tokens of one VLAN that are remembered; seeds too. */
const TOKENS_MAX = 512
const ROUTE_LABEL = utf8('peertap route v1\0')

export interface Sighting {
  readonly token: Uint8Array
  /** Shown by somebody who registered it. */
  proof: Uint8Array | undefined
  /** Its node has it, or a lower of its node, so that its packets come by here by right. */
  isRightful: boolean
}

export class Sightings {
  /** By VLAN-ID and token in hex. */
  readonly vlans = new Map<string, Map<string, Sighting>>()
  /** Seeds of routes that this machine's node derived while it was a member. */
  readonly seeds = new Set<string>()
  /** Serial and set hash of what the node itself said last of a VLAN, by link. */
  readonly said = new Map<string, { readonly serial: number; readonly setHash: Uint8Array }>()
  /** What was claimed, as VLAN-ID and token in hex. */
  readonly claimed = new Set<string>()
  /** Packets that came down to this node by a claim that is not its own. */
  drawn = 0
  /** What is said now is the owner's, not the node's. */
  isForging = false
  claims = 0
  refused = 0

  /** The node's own hash functions, watched. */
  watch(hash: Hash): Hash {
    return {
      ...hash,
      keyed32: (key, data) => {
        const made = hash.keyed32(key, data)
        if (startsWith(data, ROUTE_LABEL) && this.seeds.size < TOKENS_MAX) this.seeds.add(hex(made))
        return made
      },
    }
  }

  /** A packet came. `isFromUpper`: on the link that leads up the tree. */
  heard(channel: Channel, bytes: Uint8Array, isFromUpper: boolean): void {
    if (channel === CHANNEL.data) this.#heardData(bytes, isFromUpper)
    else if (bytes[0] === CONTROL_VERSION_TYPE && bytes[1] === KIND.register) this.#heardRegister(bytes)
    else if (bytes[0] === CONTROL_VERSION_TYPE && bytes[1] === KIND.registerRefused)
      this.refused += decodeRefused(bytes)?.tokens.length ?? 0
  }

  /** The node itself sends a control packet. */
  saying(link: LinkId, bytes: Uint8Array): void {
    if (this.isForging || bytes[0] !== CONTROL_VERSION_TYPE || bytes[1] !== KIND.register) return
    const message = decodeRegister(bytes)
    if (message === undefined) return
    const { serial, setHash } = message
    const vlan = hex(message.vlan)
    this.said.set(`${link}/${vlan}`, { serial, setHash: setHash.slice() })
    for (const { token } of message.added) {
      const known = this.#see(vlan, token)
      if (known !== undefined) known.isRightful = true
    }
  }

  #heardData(bytes: Uint8Array, isFromUpper: boolean): void {
    if (!isDataPacket(bytes)) return
    const vlan = hex(bytes.subarray(VLAN_OFFSET, VLAN_OFFSET + 16))
    const token = bytes.subarray(TOKEN_OFFSET, TOKEN_OFFSET + 16)
    const known = this.#see(vlan, token)
    if (isFromUpper && known?.isRightful === false && this.claimed.has(`${vlan}/${hex(token)}`))
      this.drawn += 1
  }

  #heardRegister(bytes: Uint8Array): void {
    const message = decodeRegister(bytes)
    if (message === undefined) return
    for (const { token, proof } of message.added) {
      const known = this.#see(hex(message.vlan), token)
      if (known === undefined) continue
      known.isRightful = true
      if (proof !== undefined) known.proof = proof.slice()
    }
  }

  #see(vlan: string, token: Uint8Array): Sighting | undefined {
    const tokens = this.vlans.get(vlan) ?? new Map<string, Sighting>()
    this.vlans.set(vlan, tokens)
    const name = hex(token)
    const known = tokens.get(name)
    if (known !== undefined || tokens.size >= TOKENS_MAX) return known
    const sighting = { token: token.slice(), proof: undefined, isRightful: false }
    tokens.set(name, sighting)
    return sighting
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, index) => bytes[index] === byte)
}
