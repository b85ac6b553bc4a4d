/**
 * INITs of others, and the receiving sessions that they open (sec:A8, A9): from the cheapest question to the
 * dearest. Knows peers, epochs and what was heard before; that it is to be answered is session.ts's.
 */
import { COUNT } from '../counters.ts'
import { sameBytes } from '../ids.ts'
import { type LinkId, type Micros, NEVER } from '../io.ts'
import { payloadOf } from '../vlan/plaintext.ts'
import type { Budgets } from './budgets.ts'
import type { Contacts } from './contacts.ts'
import type { SealContext } from './context.ts'
import type { Epoch } from './epoch.ts'
import { INIT_BYTES, NO_ACK, type OpenedInit, openInit, verifyInit } from './init.ts'
import { ReceiveKey } from './keytable.ts'
import { RECEIVING_MAX, SESSION_SLACK } from './limits.ts'
import type { Peer, ReceiveSession } from './peers.ts'

/** What came of an INIT: the name of its counter, or that it was taken or is known already. */
export type InitOutcome =
  | 'taken'
  | 'known'
  | 'boundInits'
  | 'boundSenders'
  | 'boundKeys'
  | 'dropInit'
  | 'dropNotMember'
  | 'dropRefused'
  | 'dropStale'
  | 'dropBadSignature'

export class Receiving {
  /** The session of the last INIT that was `taken` or `known`. */
  heard: ReceiveSession | undefined
  /** What the last `taken` one acknowledged. */
  ack: Uint8Array = NO_ACK
  readonly #context: SealContext
  readonly #contacts: Contacts
  readonly #budgets: Budgets
  readonly #installed: (index: number) => void

  constructor(
    context: SealContext,
    contacts: Contacts,
    budgets: Budgets,
    installed: (index: number) => void,
  ) {
    this.#context = context
    this.#contacts = contacts
    this.#budgets = budgets
    this.#installed = installed
  }

  /** The plaintext of an INIT that came in a packet of this epoch, whose token is in its associated data. */
  take(now: Micros, link: LinkId, epoch: Epoch, plain: Uint8Array): InitOutcome {
    const payload = payloadOf(plain)
    if (payload.length !== INIT_BYTES) return 'dropInit'
    this.heard = this.#knownBy(payload)
    if (this.heard !== undefined) return 'known'
    if (!this.#budgets.of(now, link).inits.take(now, 1)) return 'boundInits'
    const init = this.#open(epoch, payload)
    return init === undefined ? 'dropInit' : this.#judge(now, epoch, init)
  }

  /** Every session follows into the new epoch (sec:A9). */
  adopt(epoch: Epoch): void {
    for (const peer of this.#context.peers.values())
      for (const session of peer.receiving) this.#install(epoch, session)
  }

  /** Nothing more is received from a peer. */
  dropPeer(peer: Peer): void {
    for (const session of peer.receiving) this.#end(session)
    peer.receiving = []
  }

  /** Ends sessions that are over; answers when the next is. */
  wake(now: Micros): Micros {
    let dueAt: Micros = NEVER
    for (const peer of this.#context.peers.everyone()) {
      while (peer.receiving.length > 0 && (peer.receiving[0] as ReceiveSession).until <= now)
        this.#end(peer.receiving.shift() as ReceiveSession)
      dueAt = Math.min(dueAt, peer.receiving[0]?.until ?? NEVER)
    }
    return dueAt
  }

  #knownBy(payload: Uint8Array): ReceiveSession | undefined {
    const ephemeral = payload.subarray(0, 32)
    for (const peer of this.#context.peers.values())
      for (const session of peer.receiving) if (sameBytes(session.ephemeral, ephemeral)) return session
    return undefined
  }

  /** With the frame key of now, then with the one before; an INIT does not say which. */
  #open(epoch: Epoch, payload: Uint8Array): OpenedInit | undefined {
    const { crypto, own, counters } = this.#context
    counters.add(COUNT.keysAgreed)
    const init = openInit(crypto, epoch, own.frameKey, payload)
    if (init !== undefined || own.formerFrameKey === undefined) return init
    counters.add(COUNT.keysAgreed)
    return openInit(crypto, epoch, own.formerFrameKey, payload)
  }

  /** In order of cost: who it is, whether it is a replay, the signature. */
  #judge(now: Micros, epoch: Epoch, init: OpenedInit): InitOutcome {
    const { crypto, epochs, peers, vlan, counters } = this.#context
    const entry = epoch.roster.get(init.leaf)
    if (entry === undefined || epoch.gone.has(init.leaf)) return 'dropNotMember'
    if (epochs.isRefused(entry.memberKey)) return 'dropRefused'
    const peer = peers.of(init.leaf, entry)
    if (peer === undefined) return 'dropNotMember'
    if (this.#contacts.isStaleInit(peer, init.boot, init.number)) return 'dropStale'
    counters.add(COUNT.verified)
    const root = verifyInit(crypto, vlan, epoch, entry.leafKey, init)
    if (root === undefined) return 'dropBadSignature'
    const life = this.#contacts.ofInit(now, peer, init.boot, init.sentMillis)
    if (life === undefined) return 'boundSenders'
    if (init.number <= life.initNumber) return 'dropStale'
    life.initNumber = init.number
    const session: ReceiveSession = {
      life,
      ephemeral: init.ephemeral,
      ephemeralHash: crypto.hash.hash16(init.ephemeral),
      root,
      until: now + this.#context.keyLimits.age + SESSION_SLACK,
    }
    if (!this.#keep(peer, session)) return 'boundKeys'
    this.#context.deadline.lower(session.until)
    peer.seenSerial = Math.max(peer.seenSerial, epoch.serial)
    counters.add(COUNT.initsTaken)
    this.heard = session
    this.ack = init.ack
    return 'taken'
  }

  #keep(peer: Peer, session: ReceiveSession): boolean {
    while (peer.receiving.length >= RECEIVING_MAX) this.#end(peer.receiving.shift() as ReceiveSession)
    let kept = false
    for (const epoch of this.#context.epochs.all()) if (this.#install(epoch, session)) kept = true
    if (!kept) return false
    peer.receiving.push(session)
    peer.ephemeralHash = session.ephemeralHash
    return true
  }

  #install(epoch: Epoch, session: ReceiveSession): boolean {
    const { leaf, entry } = session.life.peer
    const there = epoch.roster.get(leaf)
    if (there === undefined || epoch.gone.has(leaf) || !sameBytes(there.leafKey, entry.leafKey)) return false
    const key = new ReceiveKey(epoch.sessionKey(session.root), session.life, session)
    if (!epoch.table.add(key)) return false
    this.#installed(key.data.index)
    return true
  }

  #end(session: ReceiveSession): void {
    for (const epoch of this.#context.epochs.all()) epoch.table.remove((key) => key.session === session)
    session.root.fill(0)
  }
}
