/**
 * Layouts of the membership messages (kinds 10 to 16). What the other end said of itself in HELLO
 * (key, reachability, relay or leaf, coordinates) is not repeated: requests carry only its address.
 */
import { type Address, REACHABILITY, type Reachability } from '../io.ts'
import { fixed, flag, list, type Schema, struct, u8, u32 } from '../wire/schema.ts'
import { DESCRIPTORS_MAX } from './limits.ts'
import { COORDINATES_BYTES } from './vivaldi.ts'

/** mesh:S12. */
export const ADDRESS_BYTES_MAX = 32
const KEY_BYTES = 32

/** What one peer tells of another: enough to dial it and to guess how far it is. Unsigned (mesh:S12). */
export interface Descriptor {
  /** Public key, 32 bytes. */
  readonly key: Uint8Array
  readonly reach: Reachability
  readonly relay: boolean
  /** See vivaldi.ts, 8 bytes. */
  readonly coordinates: Uint8Array
  /** At most 32 bytes; none means that it cannot be dialled. */
  readonly address: Address
}

const FLAG_RELAY = 4

/** A number that means one of `count` cases; others are refused. */
function oneOf<T extends number>(count: number): Schema<T> {
  return {
    size: () => 1,
    write: (to, value) => to.u8(value),
    read: (from) => {
      const value = from.u8()
      if (value >= count) from.fail()
      return value as T
    },
  }
}

/** Length in one byte, then at most 32 bytes. */
const address: Schema<Address> = {
  size: (value) => 1 + value.length,
  write: (to, value) => {
    to.u8(value.length)
    to.put(value)
  },
  read: (from) => {
    const length = from.u8()
    if (length > ADDRESS_BYTES_MAX) from.fail()
    return from.take(length)
  },
}

const key = fixed(KEY_BYTES)
const coordinates = fixed(COORDINATES_BYTES)

/** Key 32, flags 1 (reachability 2 bits, relay 1 bit), coordinates 8, address 1 to 33 bytes. */
const descriptor: Schema<Descriptor> = {
  size: (value) => KEY_BYTES + 1 + COORDINATES_BYTES + address.size(value.address),
  write: (to, value) => {
    key.write(to, value.key)
    to.u8(value.reach | (value.relay ? FLAG_RELAY : 0))
    coordinates.write(to, value.coordinates)
    address.write(to, value.address)
  },
  read: (from) => {
    const peer = key.read(from)
    const flags = from.u8()
    if (flags >= 2 * FLAG_RELAY || (flags & 3) > REACHABILITY.private) from.fail()
    return {
      key: peer,
      reach: (flags & 3) as Reachability,
      relay: (flags & FLAG_RELAY) !== 0,
      coordinates: coordinates.read(from),
      address: address.read(from),
    }
  },
}

const descriptors = list(descriptor, DESCRIPTORS_MAX)

/**
 * How much a NEIGHBOUR request matters: `high` has no relay neighbour or was refused too often, `low`
 * wants one more, `optimise` would replace a farther one (HyParView, section 4.3; X-BOT).
 */
export const PRIORITY = { high: 0, low: 1, optimise: 2 } as const
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]

/** Why a neighbour parts. */
export const PARTING = { leaving: 0, replaced: 1 } as const
export type Parting = (typeof PARTING)[keyof typeof PARTING]

/** New node to contact. */
export const join = struct({ address })
/** Walks from the contact: the last hop answers with SHUFFLE_REPLY. */
export const forwardJoin = struct({ walk: u32, hops: u8, joiner: descriptor })
/** Dialling end to the other. */
export const neighbour = struct({ priority: oneOf<Priority>(3), address })
/** Answer to JOIN and NEIGHBOUR, with others worth dialling. */
export const neighbourReply = struct({ accepted: flag, peers: descriptors })
export const disconnect = struct({ reason: oneOf<Parting>(2) })
/** Walks; the last hop answers. */
export const shuffle = struct({ walk: u32, hops: u8, peers: descriptors })
/** Back along the walk. */
export const shuffleReply = struct({ walk: u32, peers: descriptors })
