/**
 * Packets become payloads, in the order of sec:A4: epoch, nonce, key, window (asked only), open, form,
 * signature, time, and only then the mark. Whatever fails before leaves nothing behind but a count and
 * scratch. Fills the one `opened` record; cards, INITs and other talk of sealing with itself it hands on.
 */
import { COUNT } from '../counters.ts'
import type { LinkId, Micros } from '../io.ts'
import {
  FLAG,
  firstHopLimitOf,
  flagsOf,
  fragmentIdOf,
  fragmentOffsetOf,
  fragmentTotalOf,
  isPlaintext,
  kindOf,
  PAYLOAD_KIND,
  type PayloadKind,
  payloadOf,
  sentMillisOf,
} from '../vlan/plaintext.ts'
import { readU32 } from '../wire/cursor.ts'
import { tokenOf } from '../wire/packet.ts'
import type { Budgets, LinkBudget } from './budgets.ts'
import { type Card, decodeCard } from './cards.ts'
import { millisOf } from './clock.ts'
import type { Contacts } from './contacts.ts'
import type { SealContext, Way } from './context.ts'
import type { Epoch } from './epoch.ts'
import { type PieceOutcome, Reassembly } from './fragments.ts'
import type { GroupKeys } from './group-keys.ts'
import type { ReceiveKey } from './keytable.ts'
import { LEAF_BYTES } from './outbound.ts'
import { isSignedBy, NO_COMMITMENT, openPacket, takeNonce, takenCounter } from './packets.ts'
import type { Life, Peer } from './peers.ts'

/** What came of a packet whose epoch is known: a name of a counter, or one of the first five. */
export type InboundOutcome =
  | 'opened'
  /** A fragment whose frame is not whole yet. */
  | 'piece'
  | 'unknownIndex'
  /** An INIT in a packet that opened: `plain` is its plaintext. */
  | 'init'
  /** A verified card: `card`, `peer` and `opened` tell of it. */
  | 'card'
  | 'dropReplay'
  | 'dropBadTag'
  | 'dropPlaintext'
  | 'dropUnsigned'
  | 'dropBadSignature'
  | 'dropLate'
  | 'dropNotMember'
  | 'dropRefused'
  | 'dropStale'
  | 'dropCard'
  | 'dropFragment'
  | 'boundOpens'
  | 'boundVerify'
  | 'boundFragments'

const ALL_FLAGS = FLAG.fragment | FLAG.signed
const EMPTY = new Uint8Array(0)

export class Inbound {
  readonly #context: SealContext
  readonly #budgets: Budgets
  readonly #contacts: Contacts
  readonly #groupKeys: GroupKeys
  /** Of the last packet, by its outcome. */
  plain: Uint8Array = EMPTY
  card: Card | undefined
  peer: Peer | undefined
  /** The index that no key has. */
  index = 0
  /** Peers with fragments that wait for others. */
  readonly reassembling = new Set<Peer>()

  constructor(context: SealContext, budgets: Budgets, contacts: Contacts, groupKeys: GroupKeys) {
    this.#context = context
    this.#budgets = budgets
    this.#contacts = contacts
    this.#groupKeys = groupKeys
  }

  // HOT PATH
  open(now: Micros, link: LinkId, epoch: Epoch, packet: Uint8Array): InboundOutcome {
    const index = takeNonce(this.#context.crypto, epoch, packet)
    if (index === 0) return this.#openChannel(now, link, epoch, packet)
    const first = epoch.table.find(index)
    if (first === undefined) {
      this.index = index
      return 'unknownIndex'
    }
    const counter = takenCounter()
    let outcome: InboundOutcome = 'dropReplay'
    for (let key: ReceiveKey | undefined = first; key !== undefined; key = key.next) {
      // Own packets that came back are a loop or a replay; there is nothing in them for this member.
      if (key.life === undefined || counter < 0 || !key.window.accepts(counter)) continue
      this.#context.counters.add(COUNT.opened)
      const plain = openPacket(this.#context.crypto, epoch, key.data.key, packet)
      if (plain !== undefined) return this.#takeData(now, link, epoch, key, key.life, counter, plain)
      outcome = 'dropBadTag'
      if (key.failed()) this.#retire(epoch, key)
    }
    return outcome
  }

  // HOT PATH
  /** A plaintext that opened under a data key: the window is marked when nothing speaks against it. */
  #takeData(
    now: Micros,
    link: LinkId,
    epoch: Epoch,
    key: ReceiveKey,
    life: Life,
    counter: number,
    plain: Uint8Array,
  ): InboundOutcome {
    if (!isPlaintext(plain, ALL_FLAGS)) return 'dropPlaintext'
    const kind = kindOf(plain)
    if (kind === PAYLOAD_KIND.card || kind === PAYLOAD_KIND.init) return 'dropPlaintext'
    const { session } = key
    if ((flagsOf(plain) & FLAG.signed) !== 0) {
      const outcome = this.#verify(now, link, epoch, key, life, plain)
      if (outcome !== 'opened') return outcome
    } else if (session === undefined || this.#context.sign === 'all') return 'dropUnsigned'
    const sentMillis = sentMillisOf(plain)
    const nowMillis = millisOf(now)
    // Sealed before it was proven that the sender lives: it may have been taken before our own start.
    if (session === undefined && !epoch.isAfterStart && sentMillis < life.floorMillis) return 'dropReplay'
    if (life.offset.isLate(nowMillis, sentMillis)) return 'dropLate'
    key.window.mark(counter)
    life.offset.note(nowMillis, sentMillis)
    if (session === undefined && key.generation > life.generation) this.#groupKeys.turn(now, life)
    const { peer } = life
    if (epoch.serial > peer.seenSerial) peer.seenSerial = epoch.serial
    this.peer = peer
    const way: Way = session === undefined ? 'group' : 'session'
    this.#fill(epoch, way, peer.leaf, counter, plain)
    if ((flagsOf(plain) & FLAG.fragment) === 0) return 'opened'
    return this.#join(now, peer, key, plain, payloadOf(plain), false)
  }

  // HOT PATH
  #verify(
    now: Micros,
    link: LinkId,
    epoch: Epoch,
    key: ReceiveKey,
    life: Life,
    plain: Uint8Array,
  ): 'opened' | 'boundVerify' | 'dropBadSignature' {
    const budget = this.#budgets.of(now, link)
    if (!budget.mayFail(now)) return 'boundVerify'
    const { crypto, counters } = this.#context
    counters.add(COUNT.verified)
    if (isSignedBy(crypto, epoch, key.data.commitment, life.peer.entry.leafKey, plain)) return 'opened'
    budget.failed(now)
    return 'dropBadSignature'
  }

  /** A packet under its token's channel key (sec:A7): it names its sender inside, signed, or is an INIT. */
  #openChannel(now: Micros, link: LinkId, epoch: Epoch, packet: Uint8Array): InboundOutcome {
    const { crypto, counters } = this.#context
    const budget = this.#budgets.of(now, link)
    counters.add(COUNT.groupBytesIn, packet.length)
    if (!budget.opens.take(now, 1)) return 'boundOpens'
    counters.add(COUNT.opened)
    const channel = epoch.channel(tokenOf(packet))
    const plain = openPacket(crypto, epoch, channel.key, packet)
    if (plain === undefined) return 'dropBadTag'
    if (!isPlaintext(plain, ALL_FLAGS | FLAG.parity, LEAF_BYTES)) return 'dropPlaintext'
    const kind = kindOf(plain)
    const flags = flagsOf(plain)
    if (kind === PAYLOAD_KIND.init) {
      this.plain = plain
      return flags === FLAG.none ? 'init' : 'dropPlaintext'
    }
    if (!isChannelKind(kind, flags)) return 'dropPlaintext'
    if ((flags & FLAG.signed) === 0) return 'dropUnsigned'
    return this.#takeChannel(now, budget, epoch, kind, plain)
  }

  #takeChannel(
    now: Micros,
    budget: LinkBudget,
    epoch: Epoch,
    kind: PayloadKind,
    plain: Uint8Array,
  ): InboundOutcome {
    const { crypto, counters, epochs, peers } = this.#context
    const whole = payloadOf(plain)
    if (whole.length < LEAF_BYTES) return 'dropPlaintext'
    const leaf = readU32(whole, 0)
    const payload = whole.subarray(LEAF_BYTES)
    const entry = epoch.roster.get(leaf)
    if (entry === undefined || epoch.gone.has(leaf)) return 'dropNotMember'
    if (leaf === epoch.self) return 'dropReplay'
    if (epochs.isRefused(entry.memberKey)) return 'dropRefused'
    const peer = peers.of(leaf, entry)
    const card = kind === PAYLOAD_KIND.card ? this.#readCard(peer, payload) : undefined
    if (typeof card === 'string') return card
    if (!budget.verifies.take(now, 1)) return 'boundVerify'
    counters.add(COUNT.verified)
    if (!isSignedBy(crypto, epoch, NO_COMMITMENT, entry.leafKey, plain)) return 'dropBadSignature'
    this.peer = peer
    this.card = card
    this.#fill(epoch, 'channel', leaf, 0, plain)
    this.#context.opened.payload = payload
    if (card !== undefined) return 'card'
    if ((flagsOf(plain) & FLAG.fragment) === 0) return 'opened'
    // A member of a left epoch that joined again speaks through its new leaf.
    if (peer === undefined) return 'dropNotMember'
    return this.#join(now, peer, epoch, plain, payload, true)
  }

  /** What can be refused of a card before its signature is paid for. */
  #readCard(peer: Peer | undefined, payload: Uint8Array): Card | 'dropCard' | 'dropStale' | 'dropNotMember' {
    if (peer === undefined) return 'dropNotMember'
    const card = decodeCard(payload)
    if (card === undefined) return 'dropCard'
    return this.#contacts.isStale(peer, card) ? 'dropStale' : card
  }

  /** Puts a fragment to the others of its frame (sec:A12). */
  #join(
    now: Micros,
    peer: Peer,
    scope: object,
    plain: Uint8Array,
    piece: Uint8Array,
    repeats: boolean,
  ): InboundOutcome {
    peer.reassembly ??= new Reassembly(this.#context.pool)
    const { reassembly } = peer
    const id = fragmentIdOf(plain)
    const offset = fragmentOffsetOf(plain)
    const total = fragmentTotalOf(plain)
    const kind = kindOf(plain)
    const isParity = (flagsOf(plain) & FLAG.parity) !== 0
    const outcome = isParity
      ? reassembly.addParity(now, scope, kind, id, offset, total, piece)
      : reassembly.add(now, scope, kind, id, offset, total, piece, repeats)
    this.reassembling.add(peer)
    this.#context.deadline.lower(reassembly.dueAt)
    if (outcome !== 'whole') return PIECE_OUTCOMES[outcome]
    this.#context.opened.payload = reassembly.whole
    return 'opened'
  }

  // HOT PATH
  #fill(epoch: Epoch, way: Way, leaf: number, sequence: number, plain: Uint8Array): void {
    const { opened } = this.#context
    opened.kind = kindOf(plain)
    opened.payload = payloadOf(plain)
    opened.way = way
    opened.leaf = leaf
    opened.sequence = sequence
    opened.firstHopLimit = firstHopLimitOf(plain)
    opened.sentMillis = sentMillisOf(plain)
    opened.mlsId = epoch.mlsId
  }

  #retire(epoch: Epoch, key: ReceiveKey): void {
    epoch.table.remove((each) => each === key)
  }
}

const PIECE_OUTCOMES: { readonly [Outcome in Exclude<PieceOutcome, 'whole'>]: InboundOutcome } = {
  piece: 'piece',
  duplicate: 'dropReplay',
  conflict: 'dropFragment',
  room: 'boundFragments',
}

/** Kinds 2, 4, 5 and 7 (sec:A7); of those only what the group's logic says may be cut. */
function isChannelKind(kind: PayloadKind, flags: number): boolean {
  if (kind === PAYLOAD_KIND.handshake || kind === PAYLOAD_KIND.ledger) return true
  return (kind === PAYLOAD_KIND.card || kind === PAYLOAD_KIND.control) && (flags & FLAG.fragment) === 0
}
