/**
 * Layouts of CRST's messages (mesh text (a)): the field lists are the format. Every message begins with
 * the number of its tree. Certificates travel as 106 raw bytes (layout in certificates.ts) because tables
 * keep them so; their issuer is the certificate before, or the root.
 */
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../crypto/ports.ts'
import { concat } from '../ids.ts'
import { writeU32 } from '../wire/cursor.ts'
import { type Decoded, fixed, list, optional, type Schema, struct, u8, u16, u32 } from '../wire/schema.ts'
import { Scratch } from '../wire/slab.ts'
import { CERTIFICATE_BYTES } from './certificates.ts'

/** Longest path, root to self, in certificates (mesh text (c), limits). */
export const PATH_MAX = 48
/** Most voids in one UPDATE (mesh text (a)). */
export const UPDATE_VOIDS_MAX = 16

/** Flags of UPDATE. */
export const UPDATE_FLAG = {
  /** The receiver's ATTACH to the sender stands: the acknowledgement. */
  yours: 1,
  /** The receiver is an upper of the sender. Heals a lost DETACH, as `yours` heals a lost ATTACH. */
  mine: 2,
} as const

/** What may be asked for in a PATH_REQUEST. */
export const WANTED = { path: 1, certificate: 2, update: 4 } as const

/** One byte of flags; others than those of `mask` are refused. */
function bits(mask: number): Schema<number> {
  return {
    size: () => 1,
    write: (to, value) => to.u8(value),
    read: (from) => {
      const value = from.u8()
      if ((value & ~mask) !== 0) from.fail()
      return value
    },
  }
}

const key = fixed(PUBLIC_KEY_BYTES)
const signature = fixed(SIGNATURE_BYTES)
const certificate = fixed(CERTIFICATE_BYTES)

/** For the neighbour itself: names the link from the sender (upper) to the receiver (lower). */
export const linkCertificate = struct({ tree: u8, certificate })

const signedBeat = { key, class: u8, priority: u16, seq: u32, beat: u32, signature } as const
const beatPart = struct(signedBeat)
export type BeatPart = Decoded<typeof beatPart>
/** Down open links every 10 s; proves the root's rank and that it lives. */
export const beat = struct({ tree: u8, ...signedBeat })

const signedVoid = { from: key, to: key, serial: u32, signature } as const
const voidPart = struct(signedVoid)
export type VoidPart = Decoded<typeof voidPart>
export const voidMessage = struct({ tree: u8, ...signedVoid })

const attached = struct({
  class: u8,
  priority: u16,
  hash0: u32,
  hash1: u32,
  hash2: u32,
  hash3: u32,
  seq: u32,
  metric: u32,
  depth: u8,
  pathHigh: u32,
  pathLow: u32,
})
export type Claim = Decoded<typeof attached>

/** A certificate of the path and its place in it, 0 for the root's. */
const placed = struct({ place: u8, certificate })

/**
 * The sender's state, to all neighbours on change. No label: detached. `ids` are the first four bytes of
 * the hash of each certificate of the path, root first; absent when the path is the one that the last
 * UPDATE on this link named. With them and the certificates that this link has not seen yet the receiver
 * rebuilds the order without asking.
 */
export const update = struct({
  tree: u8,
  generation: u32,
  flags: bits(UPDATE_FLAG.yours | UPDATE_FLAG.mine),
  label: optional(attached),
  ids: optional(list(u32, PATH_MAX)),
  certificates: list(placed, PATH_MAX),
  voids: list(voidPart, UPDATE_VOIDS_MAX),
  beat: optional(beatPart),
})
export type Update = Decoded<typeof update>

/** Asks for what is missing: needed when something was lost or fell out of a table. */
export const pathRequest = struct({
  tree: u8,
  wanted: bits(WANTED.path | WANTED.certificate | WANTED.update),
})

/**
 * The whole path with the root's beat: the beat holds the root's key, and without it a label cannot be
 * used, so it may be the very thing that is missing.
 */
export const path = struct({
  tree: u8,
  pathHigh: u32,
  pathLow: u32,
  beat: beatPart,
  certificates: list(certificate, PATH_MAX),
})

/** Both carry the generation of the upper, as the lower knows it. */
export const attach = struct({ tree: u8, generation: u32 })

/** Names of signed things; see core/crypto/signed.ts. */
export const SIGNED = { certificate: 'link certificate', beat: 'root beat', void: 'link void' } as const

const scratch = new Scratch(256)

/** What a BEAT's signature covers: tree, key, class, priority, seq, beat. Good until the next call. */
export function beatBody(tree: number, part: Omit<BeatPart, 'signature'>): Uint8Array {
  const body = scratch.take(1 + PUBLIC_KEY_BYTES + 11)
  body[0] = tree
  body.set(part.key, 1)
  body[33] = part.class
  body[34] = part.priority >>> 8
  body[35] = part.priority
  writeU32(body, 36, part.seq)
  writeU32(body, 40, part.beat)
  return body
}

/** What a VOID's signature covers: tree, from, to, serial. */
export function voidBody(tree: number, from: Uint8Array, to: Uint8Array, serial: number): Uint8Array {
  const tail = new Uint8Array(4)
  writeU32(tail, 0, serial)
  return concat(Uint8Array.of(tree), from, to, tail)
}
