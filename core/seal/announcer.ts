/**
 * When cards and requests for cards are sent (sec:A7, A11): after a start, from time to time, when asked,
 * and to whom this member cannot believe yet. Knows the schedule; what a card means is told by contacts.ts.
 *
 * Beyond sec:A11: a packet under an unknown key does not say whose it is, so all whose cards are missing are
 * asked then. What was said and asked after a start may have been lost, and periods are long.
 *
 * Beyond sec:A7, so that what a crowd sends grows with its members and not with their square: where many
 * speak at once each takes its turn (limits.ts); whoever hears that all are asked does not ask too; one
 * request names all whose cards are missing; one card to all answers everybody who asked before.
 */
import { COUNT } from '../counters.ts'
import { below, unit } from '../dice.ts'
import { BROADCAST_MAC, sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import {
  CARD_ADDRESSES_MAX,
  CARD_FOREIGN_MAX,
  type Card,
  type CardRequest,
  countAsked,
  ECHOES_MAX,
  EVERYBODY,
  encodeCard,
  encodeRequest,
  isAsked,
  leafSet,
} from './cards.ts'
import type { SealContext } from './context.ts'
import type { Epoch } from './epoch.ts'
import type { GroupKeys } from './group-keys.ts'
import {
  ALL_ASKS_MAX,
  ANSWER_JITTER,
  ANSWER_PAUSE,
  ASK_BATCH,
  ASK_PAUSE,
  ASKS_MAX,
  CARD_BURST,
  CARD_PERIOD,
  CROWD_LONGEST,
  CROWD_PAUSE,
  INTRODUCE_WITHIN,
  MEMBERS_MAX,
  TURN_FROM,
  TURN_PER_MEMBER,
} from './limits.ts'
import type { Outbound } from './outbound.ts'
import type { Peer } from './peers.ts'

const BURST_LENGTH: Micros = CARD_BURST.at(-1) ?? 0

/** Within how long so many members speak, one after the other; 0 if they need not take turns. */
function turnsOf(members: number): Micros {
  const beyond = Math.max(0, members - TURN_FROM)
  return Math.min(members, 2 * beyond) * TURN_PER_MEMBER
}

export class Announcer {
  readonly #context: SealContext
  readonly #outbound: Outbound
  readonly #groupKeys: GroupKeys
  /** How many cards of the burst are still to come, and from when it counts. */
  #burstFrom: Micros = 0
  #burstNext: number = CARD_BURST.length
  #cardAt: Micros = NEVER
  /** After a start: when all whose cards are missing are asked next, and how often they may be. */
  #askAllAt: Micros = NEVER
  #allAsksLeft = 0
  /** When the epoch was adopted that is. */
  #adoptedAt: Micros = 0
  /** When somebody last asked all, and got or gets answers that this member hears as well. */
  #allAskedAt: Micros = -NEVER
  #requests: CardRequest[] = []
  #answerAt: Micros = NEVER
  #answeredAt: Micros = -ANSWER_PAUSE
  /** Members that were shown a card alone since the last start. */
  readonly #introduced = new Set<Peer>()
  readonly #asking = new Set<Peer>()
  /** Before then no request for several cards is sent again. */
  #askNext: Micros = 0
  /** Before then it is not looked who is to be asked for the sake of packets under unknown keys. */
  #missNext: Micros = 0

  constructor(context: SealContext, outbound: Outbound, groupKeys: GroupKeys) {
    this.#context = context
    this.#outbound = outbound
    this.#groupKeys = groupKeys
  }

  /**
   * Cards at 0, 0.2 and 1 s: after a start, and after a new frame key or MAC, which asks nobody. Where many
   * are it is one, in its turn, and another when all are asked. `speakers`: how many at most start now.
   */
  burst(now: Micros, started: boolean, speakers = Number.MAX_SAFE_INTEGER): void {
    const turns = Math.min(this.#turns(), turnsOf(speakers))
    this.#burstFrom = now
    this.#introduced.clear()
    this.#burstNext = turns === 0 ? 0 : CARD_BURST.length - 1
    this.#cardAt = now + this.#draw(turns)
    if (started) {
      this.#allAsksLeft = ALL_ASKS_MAX
      const pause = Math.min(CROWD_PAUSE, turns)
      this.#askAllAt = now + pause + this.#draw(pause)
    }
    this.#context.deadline.lower(Math.min(this.#cardAt, this.#askAllAt))
  }

  /**
   * This member is about to speak to another alone, who may not have heard of it yet: shows it its card, so
   * that the answer need not go to all.
   */
  introduce(now: Micros, peer: Peer): void {
    const { epochs, own } = this.#context
    const epoch = epochs.current
    if (epoch === undefined || epochs.frozen || peer.card === undefined) return
    if (this.#introduced.has(peer) || now >= this.#burstFrom + INTRODUCE_WITHIN) return
    this.#introduced.add(peer)
    this.#sendCard(now, epoch, own.tokens.token(peer.card.mac), [])
  }

  /** Another epoch: somebody came in, or went. */
  adopted(now: Micros): void {
    this.#adoptedAt = now
  }

  /** Somebody asks for cards; the answers to several go together, at most one card a second. */
  onRequest(now: Micros, request: CardRequest): void {
    const { self, roster } = this.#context.epochs.current ?? {}
    const { targets, challenge, reply } = request
    if (self === undefined || roster === undefined || !isAsked(targets, self)) return
    if (targets.length === 0 && challenge === undefined) this.#allAskedAt = now
    const isKnown = this.#requests.some((other) =>
      challenge === undefined
        ? sameBytes(other.reply, reply)
        : other.challenge !== undefined && sameBytes(other.challenge, challenge),
    )
    if (isKnown || this.#requests.length >= ECHOES_MAX) return
    this.#requests.push(request)
    if (this.#answerAt !== NEVER) return
    const turns = turnsOf(countAsked(targets, roster.size))
    const jitter = below(this.#context.dice, Math.max(ANSWER_JITTER, turns))
    this.#answerAt = Math.max(now, this.#answeredAt + Math.max(ANSWER_PAUSE, turns)) + jitter
    this.#context.deadline.lower(this.#answerAt)
  }

  /**
   * A member showed something that only a card with our challenge can prove: it is asked, a few times, from
   * `from` on.
   */
  ask(now: Micros, peer: Peer, from = now): void {
    if (this.#asking.has(peer)) return
    this.#asking.add(peer)
    peer.asks = 0
    // Just started, all are asked: who has not answered by the end of the burst is asked alone.
    peer.askAt = this.#askAllAt === NEVER ? from : Math.max(from, this.#burstFrom + BURST_LENGTH)
    this.#context.deadline.lower(peer.askAt)
  }

  /**
   * A packet of the adopted epoch came under a key that is not here: of those whose cards are missing, who is
   * there is not heard. They have the time of a burst to say who they are, then they are asked; each once in
   * the time in which it says so anyway, for those who are away do not answer.
   */
  miss(now: Micros): void {
    const { epochs, peers } = this.#context
    const epoch = epochs.current
    if (epoch === undefined || epochs.frozen || now < this.#missNext) return
    this.#missNext = now + BURST_LENGTH
    const turns = this.#turns()
    const from = now + BURST_LENGTH + turns + this.#draw(turns)
    for (const leaf of this.#unknown(epoch)) {
      const peer = peers.get(leaf)
      if (peer === undefined || now < peer.missNext) continue
      peer.missNext = now + CARD_PERIOD
      this.ask(now, peer, from)
    }
  }

  /** What was asked for is here, or the member is gone. */
  stopAsking(peer: Peer): void {
    this.#asking.delete(peer)
    peer.askAt = NEVER
  }

  clear(): void {
    for (const peer of this.#asking) peer.askAt = NEVER
    this.#asking.clear()
    this.#requests = []
    this.#answerAt = NEVER
    this.#askAllAt = NEVER
    this.#allAskedAt = -NEVER
    this.#missNext = 0
  }

  /** Sends what is due; answers when the next is. */
  wake(now: Micros): Micros {
    const { epochs } = this.#context
    const epoch = epochs.current
    if (epoch === undefined) return NEVER
    // Nothing is sealed under channel keys that a refused member has; the next epoch wakes this again.
    if (epochs.frozen) return NEVER
    if (this.#answerAt <= now) this.#answer(now, epoch)
    if (this.#cardAt <= now) this.#periodic(now, epoch)
    if (this.#askAllAt <= now) this.#askAll(now, epoch)
    return Math.min(this.#answerAt, this.#cardAt, this.#askAllAt, this.#askSome(now, epoch))
  }

  /** Within how long all members of the adopted epoch speak. */
  #turns(): Micros {
    return turnsOf(this.#context.epochs.current?.roster.size ?? 0)
  }

  /** A random time below the limit. */
  #draw(limit: Micros): Micros {
    return limit === 0 ? 0 : below(this.#context.dice, limit)
  }

  #periodic(now: Micros, epoch: Epoch): void {
    this.#sendCard(now, epoch, this.#context.own.tokens.token(BROADCAST_MAC), [])
    // Whoever asked and needs no echo has heard it too.
    this.#requests = this.#requests.filter(({ challenge }) => challenge !== undefined)
    if (this.#requests.length === 0) this.#answerAt = NEVER
    this.#burstNext += 1
    const next = CARD_BURST[this.#burstNext]
    this.#cardAt =
      next === undefined
        ? now + Math.round(CARD_PERIOD * (0.5 + unit(this.#context.dice)))
        : Math.max(now, this.#burstFrom + next)
  }

  /** After a start: asks all whose cards are missing, a few times, unless others do or will. */
  #askAll(now: Micros, epoch: Epoch): void {
    const turns = this.#turns()
    const unknown = this.#unknown(epoch)
    this.#askAllAt = NEVER
    if (unknown.length === 0 || this.#allAsksLeft === 0) return
    const pause = Math.min(CROWD_PAUSE, turns)
    if (now < this.#adoptedAt + pause && now < this.#burstFrom + CROWD_LONGEST) {
      this.#askAllAt = this.#adoptedAt + pause + this.#draw(pause)
      return
    }
    this.#askAllAt = now + Math.max(BURST_LENGTH, turns + this.#draw(turns))
    // Answers to another's question are on their way, and as good unless they have to echo.
    if (epoch.isAfterStart && now < this.#allAskedAt + turns) return
    this.#allAsksLeft -= 1
    const isMost = 2 * unknown.length >= epoch.roster.size
    this.#sendRequest(now, epoch, isMost ? EVERYBODY : leafSet(unknown), this.#context.own.challenge)
  }

  #unknown(epoch: Epoch): number[] {
    const { peers } = this.#context
    const unknown: number[] = []
    for (const leaf of epoch.roster.keys())
      if (leaf !== epoch.self && isNameable(leaf) && peers.find(leaf)?.current === undefined)
        unknown.push(leaf)
    return unknown
  }

  /** To the one who asked, or to all if there are several. */
  #answer(now: Micros, epoch: Epoch): void {
    const requests = this.#requests
    const [first] = requests
    this.#requests = []
    this.#answerAt = NEVER
    if (first === undefined) return
    this.#answeredAt = now
    const token = requests.length === 1 ? first.reply : this.#context.own.tokens.token(BROADCAST_MAC)
    this.#sendCard(
      now,
      epoch,
      token,
      requests.flatMap(({ challenge }) => challenge ?? []),
    )
  }

  /** Asks whoever is due: those never believed yet in one request. Answers when the next is due. */
  #askSome(now: Micros, epoch: Epoch): Micros {
    if (this.#asking.size === 0) return NEVER
    const isOpen = now >= this.#askNext
    const first: number[] = []
    let dueAt: Micros = NEVER
    for (const peer of this.#asking) {
      if (peer.askAt <= now && peer.asks >= ASKS_MAX) this.stopAsking(peer)
      else if (peer.askAt <= now && isOpen) {
        peer.askAt = now + ASK_PAUSE * (1 << peer.asks)
        peer.asks += 1
        if (peer.starts === 0 && isNameable(peer.leaf)) first.push(peer.leaf)
        else this.#askAgain(now, epoch, peer)
      }
      dueAt = Math.min(dueAt, Math.max(peer.askAt, isOpen ? now + ASK_BATCH : this.#askNext))
    }
    if (isOpen && dueAt !== NEVER) this.#askNext = now + Math.max(ASK_BATCH, this.#turns())
    if (first.length > 0) this.#sendRequest(now, epoch, leafSet(first), this.#context.own.challenge)
    return dueAt
  }

  /** A member of which another start was believed before: only a challenge of its own proves the next. */
  #askAgain(now: Micros, epoch: Epoch, { leaf, starts }: Peer): void {
    if (isNameable(leaf))
      this.#sendRequest(now, epoch, leafSet([leaf]), this.#context.own.challengeFor(leaf, starts))
  }

  /** To where every member listens: the MACs of those who are asked are not believed yet either. */
  #sendRequest(now: Micros, epoch: Epoch, targets: Uint8Array, challenge: Uint8Array): void {
    const { own, counters } = this.#context
    counters.add(COUNT.cardsAsked)
    // Where the epoch proves that a card is none of before, nothing has to be echoed.
    const isNeeded = !epoch.isAfterStart || !sameBytes(challenge, own.challenge)
    const request = { targets, challenge: isNeeded ? challenge : undefined, reply: own.token() }
    const token = own.tokens.token(BROADCAST_MAC)
    this.#outbound.sealChannel(now, epoch, PAYLOAD_KIND.control, token, encodeRequest(request))
  }

  #sendCard(now: Micros, epoch: Epoch, token: Uint8Array, echoes: readonly Uint8Array[]): void {
    const { own, counters } = this.#context
    counters.add(COUNT.cardsSent)
    const card: Card = {
      boot: own.boot,
      number: own.nextCardNumber(),
      wallMillis: own.wallMillis(),
      groupCounter: this.#groupKeys.ownCounter(epoch),
      head: epoch.mlsId,
      saltId: own.tokens.saltId,
      frameKey: own.frameKey.publicKey,
      mac: own.mac,
      macNonce: own.macNonce,
      foreign: foreignOf(own.profile.foreign, own.mac),
      capabilities: own.profile.capabilities,
      addresses: own.profile.addresses.slice(0, CARD_ADDRESSES_MAX),
      echoes,
    }
    this.#outbound.sealChannel(now, epoch, PAYLOAD_KIND.card, token, encodeCard(card))
  }
}

/** Whether a set of leaves has a place for it. */
function isNameable(leaf: number): boolean {
  return leaf < MEMBERS_MAX
}

/** Ascending, each once, without our own: the one form that is accepted. */
function foreignOf(macs: readonly number[], own: number): number[] {
  const sorted = [...new Set(macs)].filter((mac) => mac !== own).sort((left, right) => left - right)
  return sorted.slice(0, CARD_FOREIGN_MAX)
}
