/**
 * Payloads that do not fit a packet: into how large pieces they are cut before encryption, and how a
 * receiver puts one sender's pieces together again (sec:A12, S13). Knows sizes and bytes, no keys: what it
 * is given was opened and verified. Relays neither buffer nor know.
 */
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import {
  FLAG,
  FRAGMENT_ID_BYTES,
  PADDING_CLASSES,
  type Padding,
  type PayloadKind,
  paddedLength,
  plaintextLength,
} from '../vlan/plaintext.ts'
import { PACKET_OVERHEAD } from '../wire/packet.ts'
import {
  RANGES_MAX,
  REASSEMBLIES_MAX,
  REASSEMBLY_BYTES_MAX,
  REASSEMBLY_LIFE,
  REASSEMBLY_LONGEST,
} from './limits.ts'
import { mend, piecesOf, stripesOf } from './parity.ts'

/** Whether a payload travels whole in packets of so many bytes. */
export function fitsWhole(
  payloadBytes: number,
  flags: number,
  padding: Padding,
  packetBytes: number,
): boolean {
  return PACKET_OVERHEAD + paddedLength(plaintextLength(flags, payloadBytes), padding) <= packetBytes
}

/** Payload bytes of each piece but the last, in packets of at most so many bytes. */
export function pieceBytes(flags: number, padding: Padding, packetBytes: number): number {
  let room = packetBytes - PACKET_OVERHEAD
  // A full piece of another length would be padded to a class beyond the packet.
  if (padding === 'all' && paddedLength(room, padding) > room) room = classBelow(room)
  return room - plaintextLength(flags | FLAG.fragment, 0)
}

function classBelow(room: number): number {
  let best = 0
  for (const size of PADDING_CLASSES) if (size <= room) best = size
  return Math.max(best, Math.floor(room / 4_096) * 4_096)
}

/** `room`: the sender already has as much in reassembly as it may, or all senders together. */
export type PieceOutcome = 'whole' | 'piece' | 'duplicate' | 'conflict' | 'room'

interface Context {
  /** The key that the pieces came under: the same for all of a frame (sec:S13). */
  readonly scope: object
  readonly id: Uint8Array
  readonly kind: PayloadKind
  readonly whole: Uint8Array
  /** Ranges that are there, ascending and apart: start, end, start, end, … */
  readonly ranges: number[]
  /** What lost pieces can be mended with, by stripe; made when the first comes. */
  parities: Map<number, Uint8Array> | undefined
  /** Of the whole and its parity. */
  bytes: number
  /** No longer than this, however many pieces come. */
  readonly latest: Micros
  until: Micros
}

/** A frame that is whole or was given up: a late piece of it opens no new context. */
interface Ended {
  readonly scope: object
  readonly id: Uint8Array
  readonly until: Micros
}

/** Bytes in reassembly of all senders of a membership. */
export interface ReassemblyPool {
  bytes: number
  readonly limit: number
}

/** The reassembly of one sender. */
export class Reassembly {
  readonly #pool: ReassemblyPool
  readonly #contexts: Context[] = []
  /**
   * Where a piece may still come: of frames under keys that let packets come twice, and of conflicts. Of
   * others the replay window has marked all pieces, so a busy sender leaves nothing here.
   */
  #ended: Ended[] = []
  #bytes = 0
  /** What the last `whole` gave; nobody writes it again. */
  whole: Uint8Array = NOTHING

  constructor(pool: ReassemblyPool) {
    this.#pool = pool
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes a piece that lies within its total. `scope` is the key it came under; `repeats` says that under
   * this key a packet may come twice, so that the same bytes again are no fault of the sender's.
   */
  add(
    now: Micros,
    scope: object,
    kind: PayloadKind,
    id: Uint8Array,
    offset: number,
    total: number,
    piece: Uint8Array,
    repeats: boolean,
  ): PieceOutcome {
    if (this.#ended.length > 0 && this.#hasEnded(now, scope, id)) return 'duplicate'
    const context = this.#find(scope, id) ?? this.#open(now, scope, kind, id, total)
    if (context === undefined) return 'room'
    const end = offset + piece.length
    if (context.whole.length !== total || context.kind !== kind) return this.#giveUp(context)
    const at = placeOf(context.ranges, offset)
    if (overlaps(context.ranges, at, offset, end)) {
      const same =
        repeats &&
        covers(context.ranges, at, offset, end) &&
        sameBytes(context.whole.subarray(offset, end), piece)
      return same ? 'duplicate' : this.#giveUp(context)
    }
    context.whole.set(piece, offset)
    insert(context.ranges, at, offset, end)
    if (context.ranges.length > 2 * RANGES_MAX) return this.#giveUp(context)
    if (context.parities !== undefined) mendAll(context, context.parities)
    return this.#settle(now, context, repeats)
  }

  /**
   * Takes a parity piece. It stands at `offset` as the first piece of its stripe does, and is as long as all
   * pieces but the last. Only under keys that let packets come twice.
   */
  addParity(
    now: Micros,
    scope: object,
    kind: PayloadKind,
    id: Uint8Array,
    offset: number,
    total: number,
    parity: Uint8Array,
  ): PieceOutcome {
    // It comes last: mostly nothing was lost.
    if (this.#ended.length > 0 && this.#hasEnded(now, scope, id)) return 'piece'
    const room = parity.length
    const stripe = offset / room
    const context = this.#find(scope, id) ?? this.#open(now, scope, kind, id, total)
    if (context === undefined) return 'room'
    const known = context.parities?.values().next().value
    const isFalse =
      context.whole.length !== total ||
      context.kind !== kind ||
      !Number.isInteger(stripe) ||
      stripe >= stripesOf(total, room) ||
      (known !== undefined && known.length !== room)
    if (isFalse) return this.#giveUp(context)
    context.parities ??= new Map()
    // Under such a key anybody who saw it can send it again: that is no progress.
    if (context.parities.has(stripe)) return 'duplicate'
    if (!this.#reserve(room)) return 'room'
    context.bytes += room
    context.parities.set(stripe, parity.slice())
    mendAll(context, context.parities)
    return this.#settle(now, context, true)
  }

  #settle(now: Micros, context: Context, repeats: boolean): 'whole' | 'piece' {
    const { ranges, whole } = context
    if (ranges.length !== 2 || ranges[0] !== 0 || ranges[1] !== whole.length) {
      this.#goOn(now, context)
      return 'piece'
    }
    this.whole = whole
    this.#remove(context)
    if (repeats) this.#remember(context)
    return 'whole'
  }

  /** Forgets what is over; answers how many frames stayed incomplete. */
  expire(now: Micros): number {
    let lost = 0
    while (this.#contexts.length > 0 && (this.#contexts[0] as Context).until <= now) {
      this.#remove(this.#contexts[0] as Context)
      lost += 1
    }
    return lost
  }

  // HOT PATH
  /** Another piece came: the rest may take as long again. */
  #goOn(now: Micros, context: Context): void {
    const until = now + REASSEMBLY_LIFE
    if (until > context.latest) return
    context.until = until
    const contexts = this.#contexts
    if (contexts[contexts.length - 1] === context) return
    contexts.splice(contexts.indexOf(context), 1)
    contexts.push(context)
  }

  /** When there is something to forget: contexts are in order of their time. */
  get dueAt(): Micros {
    return this.#contexts[0]?.until ?? NEVER
  }

  /** Gives all its bytes back to the pool. */
  clear(): void {
    for (const context of [...this.#contexts]) this.#remove(context)
    this.#ended = []
  }

  #find(scope: object, id: Uint8Array): Context | undefined {
    for (const context of this.#contexts)
      if (context.scope === scope && sameBytes(context.id, id)) return context
    return undefined
  }

  #open(now: Micros, scope: object, kind: PayloadKind, id: Uint8Array, total: number): Context | undefined {
    this.expire(now)
    if (this.#contexts.length >= REASSEMBLIES_MAX || !this.#reserve(total)) return undefined
    const context: Context = {
      scope,
      id: id.slice(0, FRAGMENT_ID_BYTES),
      kind,
      whole: new Uint8Array(total),
      ranges: [],
      parities: undefined,
      bytes: total,
      latest: now + REASSEMBLY_LONGEST,
      until: now + REASSEMBLY_LIFE,
    }
    this.#contexts.push(context)
    return context
  }

  /** Of what this sender and all of them may have; false if so much is not left. */
  #reserve(bytes: number): boolean {
    if (this.#bytes + bytes > REASSEMBLY_BYTES_MAX || this.#pool.bytes + bytes > this.#pool.limit)
      return false
    this.#bytes += bytes
    this.#pool.bytes += bytes
    return true
  }

  #giveUp(context: Context): 'conflict' {
    this.#remove(context)
    this.#remember(context)
    return 'conflict'
  }

  #remove(context: Context): void {
    this.#contexts.splice(this.#contexts.indexOf(context), 1)
    this.#bytes -= context.bytes
    this.#pool.bytes -= context.bytes
  }

  #remember({ scope, id, until }: Context): void {
    this.#ended.push({ scope, id, until })
    if (this.#ended.length > REASSEMBLIES_MAX) this.#ended.shift()
  }

  #hasEnded(now: Micros, scope: object, id: Uint8Array): boolean {
    this.#ended = this.#ended.filter(({ until }) => until > now)
    return this.#ended.some((each) => each.scope === scope && sameBytes(each.id, id))
  }
}

const NOTHING = new Uint8Array(0)

/** Of each stripe of which one piece alone is missing, makes that piece. */
function mendAll({ whole, ranges }: Context, parities: ReadonlyMap<number, Uint8Array>): void {
  for (const [stripe, parity] of parities) {
    const room = parity.length
    const endOf = (start: number): number => Math.min(start + room, whole.length)
    const missing: number[] = []
    for (const start of piecesOf(whole.length, room, stripe)) {
      const at = placeOf(ranges, start)
      if (at >= ranges.length || !covers(ranges, at, start, endOf(start))) missing.push(start)
    }
    const [start] = missing
    if (start === undefined || missing.length > 1) continue
    const at = placeOf(ranges, start)
    // Pieces of another length than the parity's: no honest sender's.
    if (overlaps(ranges, at, start, endOf(start))) continue
    mend(whole, room, stripe, start, parity)
    insert(ranges, at, start, endOf(start))
  }
}

/** Index of the first range that ends behind `offset`. */
function placeOf(ranges: readonly number[], offset: number): number {
  let at = 0
  while (at < ranges.length && (ranges[at + 1] as number) <= offset) at += 2
  return at
}

function overlaps(ranges: readonly number[], at: number, start: number, end: number): boolean {
  return at < ranges.length && (ranges[at] as number) < end && (ranges[at + 1] as number) > start
}

function covers(ranges: readonly number[], at: number, start: number, end: number): boolean {
  return (ranges[at] as number) <= start && (ranges[at + 1] as number) >= end
}

/** Puts a range that overlaps none before place `at`, joined with those that it touches. */
function insert(ranges: number[], at: number, start: number, end: number): void {
  const touchesBefore = at > 0 && ranges[at - 1] === start
  const touchesNext = at < ranges.length && ranges[at] === end
  if (touchesBefore && touchesNext) ranges.splice(at - 1, 2)
  else if (touchesBefore) ranges[at - 1] = end
  else if (touchesNext) ranges[at] = start
  else ranges.splice(at, 0, start, end)
}
