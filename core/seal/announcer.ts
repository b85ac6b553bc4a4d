/**
 * When cards and requests for cards are sent (sec:A7, A11): after a start, from time to time, when asked,
 * and to whom this member cannot believe yet. Knows the schedule; what a card means is told by contacts.ts.
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
  ECHOES_MAX,
  EVERYBODY,
  encodeCard,
  encodeRequest,
} from './cards.ts'
import type { SealContext } from './context.ts'
import type { Epoch } from './epoch.ts'
import type { GroupKeys } from './group-keys.ts'
import { ANSWER_JITTER, ANSWER_PAUSE, ASK_PAUSE, ASKS_MAX, CARD_BURST, CARD_PERIOD } from './limits.ts'
import type { Outbound } from './outbound.ts'
import type { Peer } from './peers.ts'

const BURST_LENGTH: Micros = CARD_BURST.at(-1) ?? 0

export class Announcer {
  readonly #context: SealContext
  readonly #outbound: Outbound
  readonly #groupKeys: GroupKeys
  /** How many cards of the burst are still to come, and from when it counts. */
  #burstFrom: Micros = 0
  #burstNext: number = CARD_BURST.length
  #cardAt: Micros = NEVER
  /** Whether the burst is that of a start, with requests for the cards of all. */
  #asksAll = false
  #requests: CardRequest[] = []
  #answerAt: Micros = NEVER
  #answeredAt: Micros = -ANSWER_PAUSE
  readonly #asking = new Set<Peer>()

  constructor(context: SealContext, outbound: Outbound, groupKeys: GroupKeys) {
    this.#context = context
    this.#outbound = outbound
    this.#groupKeys = groupKeys
  }

  /** Cards at 0, 0.2 and 1 s: after a start, and after a new frame key or MAC, which asks nobody. */
  burst(now: Micros, started: boolean): void {
    this.#burstFrom = now
    this.#burstNext = 0
    this.#asksAll = started
    this.#cardAt = now
    this.#context.deadline.lower(now)
  }

  /** Somebody asks for cards; the answers to several go together, at most one card a second. */
  onRequest(now: Micros, request: CardRequest): void {
    const { self } = this.#context.epochs.current ?? {}
    if (request.target !== EVERYBODY && request.target !== self) return
    if (this.#requests.some(({ challenge }) => sameBytes(challenge, request.challenge))) return
    if (this.#requests.length >= ECHOES_MAX) return
    this.#requests.push(request)
    if (this.#answerAt !== NEVER) return
    const jitter = below(this.#context.dice, ANSWER_JITTER)
    this.#answerAt = Math.max(now, this.#answeredAt + ANSWER_PAUSE) + jitter
    this.#context.deadline.lower(this.#answerAt)
  }

  /** A member showed something that only a card with our challenge can prove: it is asked, a few times. */
  ask(now: Micros, peer: Peer): void {
    if (this.#asking.has(peer)) return
    this.#asking.add(peer)
    peer.asks = 0
    // Just started, all were asked: who has not answered by the end of the burst is asked alone.
    peer.askAt = this.#asksAll ? this.#burstFrom + BURST_LENGTH : now
    this.#context.deadline.lower(peer.askAt)
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
    let dueAt = Math.min(this.#answerAt, this.#cardAt)
    for (const peer of this.#asking) {
      if (peer.askAt <= now) this.#askAgain(now, epoch, peer)
      dueAt = Math.min(dueAt, peer.askAt)
    }
    return dueAt
  }

  #periodic(now: Micros, epoch: Epoch): void {
    const broadcast = this.#context.own.tokens.token(BROADCAST_MAC)
    this.#sendCard(now, epoch, broadcast, [])
    // The second request is for those whom the first, or whose answer, did not reach.
    if (this.#asksAll && this.#burstNext !== 1 && this.#isAnyUnknown(epoch)) {
      this.#sendRequest(now, epoch, broadcast, EVERYBODY, this.#context.own.challenge)
    }
    this.#burstNext += 1
    const next = CARD_BURST[this.#burstNext]
    this.#cardAt =
      next === undefined
        ? now + Math.round(CARD_PERIOD * (0.5 + unit(this.#context.dice)))
        : Math.max(now, this.#burstFrom + next)
    if (next === undefined) this.#asksAll = false
  }

  #isAnyUnknown(epoch: Epoch): boolean {
    for (const leaf of epoch.roster.keys())
      if (leaf !== epoch.self && this.#context.peers.find(leaf)?.current === undefined) return true
    return false
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
      requests.map(({ challenge }) => challenge),
    )
  }

  #askAgain(now: Micros, epoch: Epoch, peer: Peer): void {
    if (peer.asks >= ASKS_MAX) {
      this.stopAsking(peer)
      return
    }
    peer.askAt = now + ASK_PAUSE * (1 << peer.asks)
    peer.asks += 1
    // Its MAC is not believed yet either, so the request goes where every member listens.
    const { own } = this.#context
    const challenge = own.challengeFor(peer.leaf, peer.starts)
    this.#sendRequest(now, epoch, own.tokens.token(BROADCAST_MAC), peer.leaf, challenge)
  }

  #sendRequest(now: Micros, epoch: Epoch, token: Uint8Array, target: number, challenge: Uint8Array): void {
    const { own, counters } = this.#context
    counters.add(COUNT.cardsAsked)
    const request = { target, challenge, reply: own.token() }
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

/** Ascending, each once, without our own: the one form that is accepted. */
function foreignOf(macs: readonly number[], own: number): number[] {
  const sorted = [...new Set(macs)].filter((mac) => mac !== own).sort((left, right) => left - right)
  return sorted.slice(0, CARD_FOREIGN_MAX)
}
