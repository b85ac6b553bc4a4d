/**
 * Packets on their way in, from the bytes of a link to their outcome by name (sec:A4): those of an epoch or
 * index that is not known yet are held, those between sealers are answered, the others opened. Knows who
 * is to be told what; how a packet opens is inbound.ts's.
 */
import { COUNT } from '../counters.ts'
import { sameBytes } from '../ids.ts'
import { type LinkId, type Micros, NEVER } from '../io.ts'
import { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import { readU32 } from '../wire/cursor.ts'
import { idIs, isDataPacket, MLS_OFFSET, vlanIs } from '../wire/packet.ts'
import type { Announcer } from './announcer.ts'
import { decodeAcknowledge, decodeRequest } from './cards.ts'
import type { Contacts } from './contacts.ts'
import type { SealContext } from './context.ts'
import type { Directory } from './directory.ts'
import type { Epoch } from './epoch.ts'
import { PacketHold, type ReadyPacket } from './hold.ts'
import type { Inbound, InboundOutcome } from './inbound.ts'
import {
  EPOCH_HOLD,
  EPOCH_HOLD_BYTES,
  EPOCH_HOLD_LINK_BYTES,
  INDEX_HOLD,
  INDEX_HOLD_PACKETS,
} from './limits.ts'
import type { Peer } from './peers.ts'
import type { InitOutcome } from './receiving.ts'
import type { Sessions } from './session.ts'

const MLS_ID_BYTES = 16

/** What became of a packet: the name of its counter, or one of the first four. Counted here already. */
export type OpenOutcome =
  | Exclude<InboundOutcome, 'unknownIndex' | 'init' | 'card'>
  | Exclude<InitOutcome, 'taken' | 'known'>
  /** It was for sealing itself. */
  | 'consumed'
  /** Its epoch or key may be known in a moment; then it comes out of `drain`. */
  | 'held'
  | 'dropMalformed'
  | 'dropUnknownEpoch'
  | 'dropUnknownKey'
  | 'boundHold'

/** The parts that packets are for. */
export interface IntakeParts {
  readonly inbound: Inbound
  readonly sessions: Sessions
  readonly contacts: Contacts
  readonly announcer: Announcer
  readonly directory: Directory
}

export class Intake {
  readonly #context: SealContext
  readonly #parts: IntakeParts
  readonly #epochHold = new PacketHold({
    life: EPOCH_HOLD,
    packets: EPOCH_HOLD_BYTES,
    linkBytes: EPOCH_HOLD_LINK_BYTES,
    bytes: EPOCH_HOLD_BYTES,
  })
  readonly #indexHold = new PacketHold({
    life: INDEX_HOLD,
    packets: INDEX_HOLD_PACKETS,
    linkBytes: EPOCH_HOLD_BYTES,
    bytes: EPOCH_HOLD_BYTES,
  })
  /** What was held and can be opened now, in order. */
  readonly ready: ReadyPacket[] = []

  constructor(context: SealContext, parts: IntakeParts) {
    this.#context = context
    this.#parts = parts
  }

  // HOT PATH
  /** Opens a packet; counts every refusal by its name. */
  open(now: Micros, link: LinkId, packet: Uint8Array): OpenOutcome {
    const outcome = this.#open(now, link, packet)
    if (outcome !== 'opened') this.#count(outcome)
    return outcome
  }

  /** Packets of this epoch can be opened from now on. */
  onEpoch(epoch: Epoch): void {
    this.#epochHold.release(readU32(epoch.mlsId, 0), this.ready)
  }

  /** A key of this index is in a table. */
  onKey(index: number): void {
    this.#indexHold.release(index, this.ready)
  }

  /** Forgets what waited in vain; answers when there is more to forget. */
  wake(now: Micros): Micros {
    const { counters, out } = this.#context
    const late = this.#epochHold.late(now)
    if (late !== undefined)
      out.note({ kind: 'foreignEpoch', mlsId: late.packet.slice(MLS_OFFSET, MLS_OFFSET + MLS_ID_BYTES) })
    counters.add(COUNT.dropUnknownEpoch, this.#epochHold.expire(now))
    const unread = this.#indexHold.late(now)
    if (unread !== undefined && this.#isOfCurrent(unread.packet)) this.#parts.announcer.miss(now)
    counters.add(COUNT.dropUnknownKey, this.#indexHold.expire(now))
    const dueAt = Math.min(this.#epochHold.dueAt, this.#indexHold.dueAt)
    return Math.min(dueAt, this.#expireFragments(now))
  }

  /** Nothing more is put together for a peer. */
  forget(peer: Peer): void {
    peer.reassembly?.clear()
    this.#parts.inbound.reassembling.delete(peer)
  }

  // HOT PATH
  #open(now: Micros, link: LinkId, packet: Uint8Array): OpenOutcome {
    const { vlan, epochs } = this.#context
    if (!isDataPacket(packet)) return 'dropMalformed'
    if (!vlanIs(packet, vlan)) return 'dropUnknownEpoch'
    const epoch = epochs.ofPacket(packet)
    if (epoch === undefined) return this.#holdEpoch(now, link, packet)
    const outcome = this.#parts.inbound.open(now, link, epoch, packet)
    switch (outcome) {
      case 'opened':
        return this.#isOwnTalk(now) ? 'consumed' : 'opened'
      case 'unknownIndex':
        return this.#holdIndex(now, link, packet)
      case 'init':
        return this.#onInit(now, link, epoch)
      case 'card':
        return this.#onCard(now, epoch)
      default:
        return outcome
    }
  }

  // HOT PATH
  /** Requests and acknowledgements are between sealers. */
  #isOwnTalk(now: Micros): boolean {
    const { opened } = this.#context
    if (opened.kind !== PAYLOAD_KIND.control) return false
    if (opened.way === 'session') {
      const ack = decodeAcknowledge(opened.payload)
      if (ack === undefined || this.#parts.inbound.peer === undefined) return false
      this.#parts.sessions.acknowledge(this.#parts.inbound.peer, ack)
      return true
    }
    const request = opened.way === 'channel' ? decodeRequest(opened.payload) : undefined
    if (request === undefined) return false
    this.#parts.announcer.onRequest(now, request)
    return true
  }

  #holdEpoch(now: Micros, link: LinkId, packet: Uint8Array): OpenOutcome {
    if (this.#context.epochs.isPast(packet)) return 'dropUnknownEpoch'
    if (!this.#epochHold.keep(now, link, packet, readU32(packet, MLS_OFFSET))) return 'boundHold'
    this.#context.deadline.lower(this.#epochHold.dueAt)
    return 'held'
  }

  #holdIndex(now: Micros, link: LinkId, packet: Uint8Array): OpenOutcome {
    if (!this.#indexHold.keep(now, link, packet, this.#parts.inbound.index)) return 'dropUnknownKey'
    this.#context.deadline.lower(this.#indexHold.dueAt)
    return 'held'
  }

  #isOfCurrent(packet: Uint8Array): boolean {
    const { current } = this.#context.epochs
    return current !== undefined && idIs(packet, MLS_OFFSET, current.mlsId)
  }

  #onInit(now: Micros, link: LinkId, epoch: Epoch): OpenOutcome {
    const outcome = this.#parts.sessions.take(now, link, epoch, this.#parts.inbound.plain)
    return outcome === 'taken' || outcome === 'known' ? 'consumed' : outcome
  }

  #onCard(now: Micros, epoch: Epoch): OpenOutcome {
    const { out, opened, counters, epochs } = this.#context
    const { card, peer } = this.#parts.inbound
    if (card === undefined || peer === undefined) return 'dropCard'
    if (!this.#parts.directory.ownsMac(peer.entry.memberKey, card)) return 'dropCard'
    const verdict = this.#parts.contacts.take(now, epoch, peer, card, opened.sentMillis)
    switch (verdict) {
      case 'twice':
        out.note({ kind: 'identityTwice', leaf: peer.leaf })
        return 'dropStale'
      case 'stale':
        return 'dropStale'
      case 'unproven':
        counters.add(COUNT.cardsUnproven)
        this.#parts.announcer.ask(now, peer)
        return 'consumed'
      case 'started':
      case 'news': {
        const { current } = epochs
        this.#parts.announcer.stopAsking(peer)
        if (current !== undefined && sameBytes(card.head, current.mlsId)) peer.seenSerial = current.serial
        const { mac } = this.#context.own
        // Answers to what was asked before go to the MAC that was left.
        if (this.#parts.directory.take(now, peer, card, opened.sentMillis))
          this.#parts.announcer.burst(now, mac !== this.#context.own.mac)
        this.#parts.sessions.onCard(now, peer, epoch)
        out.note({ kind: 'card', leaf: peer.leaf, card })
        return 'consumed'
      }
    }
  }

  #count(outcome: Exclude<OpenOutcome, 'opened'>): void {
    if (outcome === 'consumed' || outcome === 'piece') return
    this.#context.counters.add(outcome === 'held' ? COUNT.packetsHeld : COUNT[outcome])
  }

  #expireFragments(now: Micros): Micros {
    let dueAt: Micros = NEVER
    for (const peer of this.#parts.inbound.reassembling) {
      const { reassembly } = peer
      if (reassembly === undefined) continue
      this.#context.counters.add(COUNT.framesIncomplete, reassembly.expire(now))
      if (reassembly.dueAt === NEVER) this.#parts.inbound.reassembling.delete(peer)
      dueAt = Math.min(dueAt, reassembly.dueAt)
    }
    return dueAt
  }
}
