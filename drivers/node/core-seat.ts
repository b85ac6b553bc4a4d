/**
 * The owner's seat at a real node (drivers/control/node.ts): its verbs act on the Host, its books are files
 * in the state directory, read and written here because a verb that says something is kept must be right.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import type { Stored } from '../../core/group/events.ts'
import type { Mac } from '../../core/ids.ts'
import type { Command, Machine, Micros, NodeView, PeerHint, PortId, StoreId } from '../../core/io.ts'
import { recordOf } from '../../core/member/records.ts'
import { NODE_RECORD } from '../../core/node.ts'
import type { ControlledNode, Kept, Place, VlanBook } from '../control/node.ts'
import type { Answer } from './messages.ts'
import { systemKeys } from './randomness.ts'

/** Of an invitation (sec:C3). */
const CONTACTS_MAX = 3
/** Before this moment a clock is not set: 2025-01-01, when there was no PeerTap. */
const CLOCK_SET_MILLIS = 1_735_689_600_000

/** The state directory as the core's thread has it: read when asked, and the book written. */
export interface CoreFiles {
  readonly book: VlanBook
  /** What is stored under that number. */
  record(id: StoreId): Uint8Array | undefined
}

/** What the seat needs of the thread. */
export interface SeatThread {
  readonly machine: Machine
  now(): Micros
  after(wait: Micros, run: () => void): void
  command(command: Command): void
  mail(answer: Answer): void
  /** The VLAN at a port was removed. */
  portClosed(port: PortId): void
}

export class CoreSeat implements ControlledNode {
  readonly crypto: Crypto
  readonly keys: Keys = systemKeys
  readonly book: VlanBook
  /** What the node itself had stored when this run began. */
  readonly restored: Uint8Array | undefined
  readonly #thread: SeatThread
  readonly #files: CoreFiles
  #contacts: readonly PeerHint[]
  /** The book is on the disk as it is here. */
  #isKept = true

  constructor(thread: SeatThread, files: CoreFiles, contacts: readonly PeerHint[], crypto: Crypto) {
    this.#thread = thread
    this.crypto = crypto
    this.#files = files
    this.book = {
      load: () => files.book.load(),
      save: (kept) => this.#save(kept),
    }
    this.restored = files.record(NODE_RECORD)
    this.#contacts = invitationContacts(contacts)
  }

  #save(kept: Kept): void {
    let ok = false
    try {
      this.#files.book.save(kept)
      ok = true
    } finally {
      if (ok !== this.#isKept) this.#thread.mail({ kind: 'bookKept', ok })
      this.#isKept = ok
    }
  }

  now(): Micros {
    return this.#thread.now()
  }

  wallMillis(): number {
    const millis = Date.now()
    return millis < CLOCK_SET_MILLIS ? 0 : millis
  }

  after(wait: Micros, run: () => void): void {
    this.#thread.after(wait, run)
  }

  command(command: Command): void {
    this.#thread.command(command)
    if (command.kind === 'closePort') this.#thread.portClosed(command.port)
  }

  view(): NodeView | undefined {
    return this.#thread.machine.view()
  }

  stored(port: PortId): Stored {
    const [head, next, ledger] = (['head', 'next', 'ledger'] as const).map((slot) =>
      this.#files.record(recordOf(port, slot)),
    )
    return { head, next, ledger }
  }

  isKept(port: PortId): boolean {
    return this.#files.record(recordOf(port, 'head')) !== undefined
  }

  erase(port: PortId): void {
    this.#thread.mail({ kind: 'erase', port })
  }

  placeOf(port: PortId, mac: Mac): Place {
    const { machine } = this.#thread
    // Its port is open from the first epoch on.
    const isIn = machine.view().memberships.some((each) => each.port === port && each.phase === 'member')
    if (!isIn) return 'unknown'
    const { token, here, lowers, upper } = machine.wayTo(this.now(), port, mac)
    if (token === undefined || here) return 'unknown'
    if (lowers.length > 0) return 'below'
    return upper === undefined ? 'nowhere' : 'unknown'
  }

  contacts(): readonly PeerHint[] {
    return this.#contacts
  }

  /** Where this node can be dialled, or others that lead to it, changed. */
  reachedBy(contacts: readonly PeerHint[]): void {
    this.#contacts = invitationContacts(contacts)
  }
}

/** Each of one address, as invitations take them (sec:C3): the best of every peer, then the second best. */
function invitationContacts(hints: readonly PeerHint[]): PeerHint[] {
  const ranked = hints.flatMap(({ addresses, ...hint }) =>
    addresses.map((address, rank) => ({ rank, hint: { ...hint, addresses: [address] } })),
  )
  ranked.sort((a, b) => a.rank - b.rank)
  return ranked.slice(0, CONTACTS_MAX).map(({ hint }) => hint)
}
