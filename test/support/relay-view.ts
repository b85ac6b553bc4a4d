/**
 * Everything that machines outside of a VLAN see of it: each packet that goes into or out of one of them, on
 * either channel, in flight or lost on the way; and the search in that for bytes that must not be there.
 */
import type { Aead, Crypto } from '../../core/crypto/ports.ts'
import { hex } from '../../core/ids.ts'
import type { MlsOutcome } from '../../core/mls/engine.ts'
import { readU32 } from '../../core/wire/cursor.ts'
import type { SimNode } from '../../sim/node.ts'
import type { World } from '../../sim/world.ts'

/** What is looked for is told apart by this many bytes first. */
const HEAD_BYTES = 4

export class RelayView {
  readonly packets: Uint8Array[] = []
  bytes = 0

  /** `isOutside`: whose links are tapped. To be made before the world runs. */
  constructor(world: World, isOutside: (node: SimNode) => boolean) {
    const send = world.send.bind(world)
    world.send = (node, link, channel, hop, packet) => {
      const trunk = world.trunks.get(link >> 1)
      const far = trunk?.node((link & 1) === 0 ? 1 : 0)
      if (isOutside(node) || (far !== undefined && isOutside(far))) this.#see(packet)
      send(node, link, channel, hop, packet)
    }
  }

  /** Names of the needles that are somewhere in the view, ascending. */
  find(needles: Needles): string[] {
    const found = new Set<string>()
    for (const packet of this.packets) needles.findIn(packet, found)
    return [...found].sort()
  }

  #see(packet: Uint8Array): void {
    this.packets.push(packet.slice())
    this.bytes += packet.length
  }
}

interface Needle {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Byte strings to look for, by name. */
export class Needles {
  readonly #byHead = new Map<number, Needle[]>()
  readonly #known = new Set<string>()
  readonly counts: Record<string, number> = {}

  add(name: string, bytes: Uint8Array): void {
    const text = hex(bytes)
    if (this.#known.has(text) || bytes.length < HEAD_BYTES) return
    this.#known.add(text)
    this.counts[name] = (this.counts[name] ?? 0) + 1
    const head = readU32(bytes, 0)
    const same = this.#byHead.get(head) ?? []
    this.#byHead.set(head, same)
    same.push({ name, bytes: bytes.slice() })
  }

  findIn(packet: Uint8Array, found: Set<string>): void {
    for (let at = 0; at + HEAD_BYTES <= packet.length; at++) {
      const same = this.#byHead.get(readU32(packet, at))
      for (const { name, bytes } of same ?? []) if (isAt(packet, at, bytes)) found.add(name)
    }
  }
}

function isAt(packet: Uint8Array, at: number, bytes: Uint8Array): boolean {
  if (at + bytes.length > packet.length) return false
  for (let index = 0; index < bytes.length; index++) {
    if (packet[at + index] !== bytes[index]) return false
  }
  return true
}

/** The cryptography, noting every key that anybody seals or opens with. */
export function keysNoted(crypto: Crypto, needles: Needles): Crypto {
  const aead: Aead = {
    ...crypto.aead,
    seal: (key, nonce, header, plain, out) => {
      needles.add('key of a seal', key)
      crypto.aead.seal(key, nonce, header, plain, out)
    },
    mask: (key, block, out) => {
      needles.add('key of a mask', key)
      crypto.aead.mask(key, block, out)
    },
  }
  return { ...crypto, aead }
}

/** What an engine's answer holds that is nobody's outside: secrets, keys, credentials, its messages. */
export function noteOutcome(outcome: MlsOutcome, needles: Needles): void {
  if (!outcome.ok) return
  if (outcome.kind === 'committed') {
    notePieces('a commit', outcome.commit, needles)
    if (outcome.welcome !== undefined) notePieces('a Welcome', outcome.welcome, needles)
  }
  if (outcome.kind === 'keyPackage') notePieces('a KeyPackage', outcome.keyPackage, needles)
  const facts = 'epoch' in outcome ? outcome.epoch : 'candidate' in outcome ? outcome.candidate : undefined
  if (facts === undefined) return
  needles.add('exporter secret', facts.exporterSecret)
  needles.add('epoch authenticator', facts.authenticator)
  for (const secret of facts.exports) needles.add('exported secret', secret)
  const leaves = 'roster' in facts ? facts.roster : facts.proposals.map(({ leaf }) => leaf)
  for (const { credential, signatureKey, hpkeKey } of leaves) {
    needles.add('member key', credential.subarray(0, 32))
    needles.add('serial', credential.subarray(32, 48))
    needles.add('leaf key', signatureKey)
    needles.add('HPKE key', hpkeKey)
  }
}

/** Sixteen bytes each: whatever part of a message lies open is found. */
export function notePieces(name: string, message: Uint8Array, needles: Needles): void {
  for (let at = 0; at + 16 <= message.length; at += 16) needles.add(name, message.subarray(at, at + 16))
}
