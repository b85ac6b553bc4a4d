/**
 * Unicast from member to member: one session in each direction (sec:A8, A9). Opens them with INITs, repeats
 * those until they are acknowledged, answers those of others (receiving.ts takes them), replaces a session
 * that is half used up. Knows peers and keys; frames pass by it.
 */
import { COUNT } from '../counters.ts'
import { sameBytes } from '../ids.ts'
import { type LinkId, type Micros, NEVER } from '../io.ts'
import { PAYLOAD_KIND } from '../vlan/plaintext.ts'
import { TOKEN_OFFSET, TRUNK_PACKET_BYTES } from '../wire/packet.ts'
import { encodeAcknowledge } from './cards.ts'
import type { SealContext } from './context.ts'
import type { Epoch } from './epoch.ts'
import { makeInit, NO_ACK } from './init.ts'
import { INIT_REPEATS, INIT_RETRY_FIRST, INIT_RETRY_LONGEST } from './limits.ts'
import type { Outbound } from './outbound.ts'
import { type Peer, type ReceiveSession, SendSession } from './peers.ts'
import type { InitOutcome, Receiving } from './receiving.ts'
import type { SendKey } from './sending.ts'

export class Sessions {
  readonly #context: SealContext
  readonly #outbound: Outbound
  readonly #receiving: Receiving
  /** Sessions whose INIT repeats by itself. */
  readonly #repeating = new Set<SendSession>()

  constructor(context: SealContext, outbound: Outbound, receiving: Receiving) {
    this.#context = context
    this.#outbound = outbound
    this.#receiving = receiving
  }

  // Sending.

  // HOT PATH
  /**
   * The session to seal under for a peer whose card is here, opened or replaced if need be; undefined if
   * an INIT would be needed and cannot be sealed now.
   */
  use(now: Micros, peer: Peer, epoch: Epoch): SendSession | undefined {
    const session = peer.sending
    if (session === undefined || session.life !== peer.current || this.#isOver(now, session))
      return this.#begin(now, peer, epoch)
    if (!session.acknowledged) return this.#pursue(now, session, epoch)
    if (this.#isHalfOver(now, session, epoch) && peer.upcoming === undefined)
      peer.upcoming = this.#start(now, peer, epoch)
    return session
  }

  // HOT PATH
  /** The session's key in an epoch. */
  keyOf(now: Micros, session: SendSession, epoch: Epoch): SendKey {
    if (session.keySerial === epoch.serial && session.key !== undefined) return session.key
    const key = epoch.sendKey(now, session, this.#context.keyLimits)
    session.key = key
    session.keySerial = epoch.serial
    return key
  }

  /** A session that has no room left: what is set up takes its place, acknowledged or not. */
  replace(now: Micros, peer: Peer, epoch: Epoch): SendSession | undefined {
    if (peer.sending !== undefined) this.#end(peer.sending)
    peer.sending = undefined
    return this.#begin(now, peer, epoch)
  }

  /** The peer has heard the INIT with this ephemeral key. */
  acknowledge(peer: Peer, ack: Uint8Array): void {
    const { sending, upcoming } = peer
    if (upcoming !== undefined && sameBytes(upcoming.ephemeralHash, ack)) {
      if (sending !== undefined) this.#end(sending)
      peer.formerHash = sending?.ephemeralHash
      peer.sending = upcoming
      peer.upcoming = undefined
      this.#settle(upcoming)
    } else if (sending !== undefined && sameBytes(sending.ephemeralHash, ack)) this.#settle(sending)
  }

  // Receiving.

  /** An INIT that came in a packet of this epoch; what is taken or known is answered. */
  take(now: Micros, link: LinkId, epoch: Epoch, plain: Uint8Array): InitOutcome {
    const receiving = this.#receiving
    const outcome = receiving.take(now, link, epoch, plain)
    const { heard, ack } = receiving
    if (heard === undefined || (outcome !== 'taken' && outcome !== 'known')) return outcome
    const { peer } = heard.life
    if (outcome === 'taken') {
      if (!sameBytes(ack, NO_ACK)) this.acknowledge(peer, ack)
      this.#endUnknown(peer, ack)
    }
    this.#answer(now, peer, heard, epoch)
    return outcome
  }

  /** A card of the peer is here: what was owed is answered, what was for an earlier life ends. */
  onCard(now: Micros, peer: Peer, epoch: Epoch): void {
    const { sending, upcoming } = peer
    if (sending !== undefined && sending.life !== peer.current) {
      this.#end(sending)
      peer.sending = undefined
    }
    if (upcoming !== undefined && upcoming.life !== peer.current) {
      this.#end(upcoming)
      peer.upcoming = undefined
    }
    const last = peer.receiving.at(-1)
    if (peer.owesAnswer && last !== undefined) this.#answer(now, peer, last, epoch)
  }

  /** The peer is in no epoch for now: nothing is sent to it of our own accord. */
  suspend(peer: Peer): void {
    for (const session of [peer.sending, peer.upcoming])
      if (session !== undefined && !session.acknowledged) this.#end(session)
    if (peer.sending?.acknowledged === false) peer.sending = undefined
    peer.upcoming = undefined
    peer.owesAnswer = false
  }

  /** Ends all sessions with a peer. */
  dropPeer(peer: Peer): void {
    if (peer.sending !== undefined) this.#end(peer.sending)
    if (peer.upcoming !== undefined) this.#end(peer.upcoming)
    peer.sending = undefined
    peer.upcoming = undefined
    this.#receiving.dropPeer(peer)
    peer.owesAnswer = false
  }

  /** Repeats INITs; answers when the next is due. */
  wake(now: Micros): Micros {
    let dueAt: Micros = NEVER
    for (const session of this.#repeating) {
      if (session.repeatAt <= now) this.#repeat(now, session)
      dueAt = Math.min(dueAt, session.repeatAt)
    }
    return dueAt
  }

  // HOT PATH
  #isOver(now: Micros, session: SendSession): boolean {
    return now - session.since >= this.#context.keyLimits.age
  }

  // HOT PATH
  #isHalfOver(now: Micros, session: SendSession, epoch: Epoch): boolean {
    if ((now - session.since) * 2 >= this.#context.keyLimits.age) return true
    return this.keyOf(now, session, epoch).isHalfSpent(now)
  }

  /** A session to seal under at once, the one set up if there is one. */
  #begin(now: Micros, peer: Peer, epoch: Epoch): SendSession | undefined {
    const { sending, upcoming } = peer
    if (sending !== undefined) this.#end(sending)
    peer.upcoming = undefined
    const usable = upcoming !== undefined && upcoming.life === peer.current && !this.#isOver(now, upcoming)
    if (upcoming !== undefined && !usable) this.#end(upcoming)
    peer.sending = usable ? upcoming : this.#start(now, peer, epoch)
    return peer.sending
  }

  /** A session that is not acknowledged yet: its INIT is repeated with traffic, or made anew. */
  #pursue(now: Micros, session: SendSession, epoch: Epoch): SendSession | undefined {
    const { peer } = session
    if (this.#isLost(now, session)) {
      this.#end(session)
      peer.sending = this.#start(now, peer, epoch)
      return peer.sending
    }
    if (session.repeatAt === NEVER && session.retryAt <= now) {
      const waited = INIT_RETRY_FIRST * 2 * (session.repeats - INIT_REPEATS.length + 1)
      this.#resend(now, session)
      session.retryAt = now + Math.min(INIT_RETRY_LONGEST, waited)
    }
    return session
  }

  /**
   * Whether the INIT cannot be repeated: it belongs to an epoch that is not sealed under any more, or to a
   * token of the peer that is not used any more. Its box is bound to both.
   */
  #isLost(now: Micros, session: SendSession): boolean {
    const { epochs, own } = this.#context
    const { current } = epochs
    const { card } = session.peer
    if (card !== undefined && !sameBytes(session.token, own.tokens.token(card.mac))) return true
    if (current === undefined || session.initSerial === current.serial) return false
    return epochs.parent(now)?.serial !== session.initSerial
  }

  /** Makes and sends an INIT; undefined while channel keys are not sealed under, or with a bad frame key. */
  #start(now: Micros, peer: Peer, epoch: Epoch): SendSession | undefined {
    const { crypto, keys, own, epochs, vlan, counters } = this.#context
    const { card, current: life } = peer
    if (epochs.frozen || card === undefined || life === undefined) return undefined
    const token = own.tokens.token(card.mac)
    epoch.aad.set(token, TOKEN_OFFSET)
    counters.add(COUNT.keysAgreed)
    counters.add(COUNT.signed)
    const made = makeInit(
      crypto,
      vlan,
      epoch,
      { leafKey: peer.entry.leafKey, frameKey: card.frameKey },
      {
        leaf: epoch.self,
        boot: own.boot,
        number: own.nextInitNumber(),
        sentMillis: own.sentMillis(now),
        ack: peer.ephemeralHash ?? NO_ACK,
      },
      keys.bytes(32),
    )
    if (made === undefined || !this.#outbound.sealInit(now, epoch, token, made.payload)) return undefined
    counters.add(COUNT.initsSent)
    peer.owesAnswer = false
    const session = new SendSession({
      peer,
      life,
      initSerial: epoch.serial,
      token: token.slice(),
      init: made.payload,
      ephemeralHash: made.ephemeralHash,
      root: made.root,
      since: now,
    })
    session.repeatAt = now + (INIT_REPEATS[0] as Micros)
    session.retryAt = now + INIT_RETRY_FIRST
    this.#repeating.add(session)
    this.#context.deadline.lower(session.repeatAt)
    return session
  }

  /** The next repeat that is due by itself. */
  #repeat(now: Micros, session: SendSession): void {
    const { epochs } = this.#context
    const { peer } = session
    if (this.#isLost(now, session) && epochs.current !== undefined) {
      this.#end(session)
      const again = this.#start(now, peer, epochs.current)
      if (peer.sending === session) peer.sending = again
      else peer.upcoming = again
      return
    }
    this.#resend(now, session)
    const next = INIT_REPEATS[session.repeats]
    session.repeatAt = next === undefined ? NEVER : session.since + next
    if (session.repeatAt !== NEVER) return
    this.#repeating.delete(session)
    session.retryAt = now + INIT_RETRY_FIRST
  }

  /** The same box in a packet with another nonce, so that no relay takes it for a duplicate. */
  #resend(now: Micros, session: SendSession): void {
    const { epochs, counters } = this.#context
    session.repeats += 1
    if (epochs.frozen) return
    const epoch = epochs.all().find(({ serial }) => serial === session.initSerial)
    if (epoch === undefined || !this.#outbound.sealInit(now, epoch, session.token, session.init)) return
    counters.add(COUNT.initsRepeated)
  }

  #settle(session: SendSession): void {
    session.acknowledged = true
    session.repeatAt = NEVER
    this.#repeating.delete(session)
  }

  #end(session: SendSession): void {
    this.#repeating.delete(session)
    session.repeatAt = NEVER
    session.key = undefined
    for (const epoch of this.#context.epochs.all()) epoch.dropSession(session)
    session.root.fill(0)
  }

  /**
   * A session that the peer had acknowledged, and does not name in a new INIT of its own: it has lost it,
   * as with a branch that did not have us. What was sealed under it would go nowhere for half an hour.
   */
  #endUnknown(peer: Peer, ack: Uint8Array): void {
    const { sending, formerHash } = peer
    if (sending === undefined || !sending.acknowledged || sameBytes(sending.ephemeralHash, ack)) return
    if (formerHash !== undefined && sameBytes(formerHash, ack)) return
    this.#end(sending)
    peer.sending = undefined
  }

  /**
   * Says that an INIT was heard: by a packet of our own session, or by an INIT of our own, which opens one.
   * Without a card there is neither; then the answer is owed.
   */
  #answer(now: Micros, peer: Peer, heard: ReceiveSession, epoch: Epoch): void {
    const session = peer.sending
    const usable = session !== undefined && session.life === heard.life && !this.#isOver(now, session)
    if (!usable || this.#isLost(now, session)) {
      if (peer.current !== heard.life || peer.card === undefined) peer.owesAnswer = true
      else this.#begin(now, peer, epoch)
      return
    }
    peer.owesAnswer = false
    const sealing = epoch === this.#context.epochs.parent(now) ? epoch : this.#context.epochs.current
    if (sealing === undefined) return
    const key = this.keyOf(now, session, sealing)
    const payload = encodeAcknowledge(heard.ephemeralHash)
    const signed = this.#context.sign === 'all'
    if (!key.hasRoom(now, 1, TRUNK_PACKET_BYTES)) return
    this.#outbound.seal(
      now,
      sealing,
      key,
      signed,
      PAYLOAD_KIND.control,
      session.token,
      payload,
      TRUNK_PACKET_BYTES,
    )
  }
}
