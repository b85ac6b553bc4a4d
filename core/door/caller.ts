/**
 * Whoever stands before a door: calls, chooses one who answers, proves itself, and has a session (sec:C4).
 * The joiner and the ambassador of a branch use it. It knows handshakes and whom not to ask again; what is
 * said in a session is theirs.
 *
 * To drive it: `call` once, `packet` for what comes to `route`, `wake` at `nextDeadline`, and after each of
 * these `take` until it is empty. `hangUp` ends a session, `again` calls for another, `stop` ends it all.
 *
 * What is believed of whoever answers: that its certificate holds by all facts this end has heard, and that
 * it has the member key. That it is still a member nobody can tell without the group's ledger, which comes
 * in the session.
 */
import { jittered } from '../dice.ts'
import { sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { encodeChain } from '../ledger/certificate.ts'
import type { WallMillis } from '../ledger/fields.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { Bucket } from '../vlan/storm.ts'
import { routeToken } from '../vlan/tokens.ts'
import { idIs, TOKEN_OFFSET } from '../wire/packet.ts'
import { readChain } from './chain.ts'
import type { DoorContext } from './context.ts'
import { DOOR_KIND } from './envelope.ts'
import {
  agree,
  encodeCall,
  eraseKeys,
  type HandshakeKeys,
  makeProof,
  NO_HEAD,
  openAnswer,
  type Purpose,
  sponsorKeyOf,
  verifyAnswer,
} from './handshake.ts'
import {
  ANSWERS_PER_SECOND,
  CALL_AGAIN,
  CALL_AGAIN_MAX,
  MESSAGE_BYTES_MAX,
  OPENS_PER_SECOND,
  PROOFS_MAX,
  RESEND_FIRST,
  SHUN_FAILED,
  SHUN_LIED,
} from './limits.ts'
import { Listener } from './listener.ts'
import type { Learner } from './reconcile.ts'
import { DOOR_REFUSAL, type DoorRefusal } from './refusals.ts'
import { Session, sessionNameOf } from './session.ts'
import { Shunned } from './shunned.ts'
import { type Route, routeOf } from './token.ts'

export interface CallerOptions {
  readonly memberSeed: Uint8Array
  /** Certifies this member, and is judged by. */
  readonly ledger: Ledger
  readonly learner: Learner
  /** Where to call: the VLAN's door, or the route of a joiner that awaits a Welcome, 16 bytes. */
  readonly token?: Uint8Array
  /** Whom not to ask, where several callers share what they found; by default each finds out alone. */
  readonly shunned?: Shunned
}

/** What this end may know of the world when it acts. */
export interface Moment {
  readonly now: Micros
  /** Undefined while the clock is not set. */
  readonly wall: WallMillis | undefined
}

/** `opened`: a sponsor took the proof. `message`: of that sponsor. `ended`: by either end, and why. */
export type CallerEvent =
  | { readonly kind: 'opened'; readonly sponsor: Uint8Array }
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  | { readonly kind: 'ended'; readonly sponsor: Uint8Array; readonly why: DoorRefusal | undefined }

/** A call that waits for an answer. */
interface Calling {
  readonly d1: Uint8Array
  readonly secret: Uint8Array
  readonly againAt: Micros
}

/** A proof that waits for a sign that it was taken; then only the session is left of it. */
interface Proving {
  readonly d3: Uint8Array
  sends: number
  againAt: Micros
}

export class Caller {
  readonly #context: DoorContext
  readonly #options: CallerOptions
  readonly #memberKey: Uint8Array
  readonly #token: Uint8Array
  readonly #route: Route
  readonly #listener: Listener
  readonly #opens: Bucket
  readonly #answers: Bucket
  #purpose: Purpose = 'join'
  #head: Uint8Array = NO_HEAD
  #calling: Calling | undefined
  #proving: Proving | undefined
  #session: Session | undefined
  #callAt: Micros = NEVER
  #unanswered = 0
  #first: Uint8Array | undefined
  readonly #shunned: Shunned
  readonly #events: CallerEvent[] = []
  /** When somebody last answered who could be a member and was not found to lie. */
  answeredAt: Micros | undefined

  constructor(now: Micros, context: DoorContext, options: CallerOptions) {
    const { crypto, keys, vlan } = context
    this.#context = context
    this.#options = options
    this.#shunned = options.shunned ?? new Shunned()
    this.#token = options.token ?? context.door.token
    this.#memberKey = crypto.signatures.publicKey(options.memberSeed)
    this.#route = routeOf(crypto, vlan, keys.bytes(32))
    this.#listener = new Listener(context, this.#route)
    this.#opens = new Bucket(now, OPENS_PER_SECOND)
    this.#answers = new Bucket(now, ANSWERS_PER_SECOND)
  }

  // Inputs.

  /** Begins to call. `head`: MLS-ID of the epoch that this end is in, if it catches up or merges. */
  call(moment: Moment, purpose: Purpose, head: Uint8Array = NO_HEAD): void {
    this.#purpose = purpose
    this.#head = head.slice()
    this.#unanswered = 0
    this.#listener.hold(moment.now)
    this.#call(moment.now)
  }

  /** A packet with the token of `route`. Never throws. */
  packet(moment: Moment, packet: Uint8Array): void {
    const why = this.#packet(moment, packet)
    if (why !== undefined) this.#context.tally.add(why)
  }

  wake({ now }: Moment): void {
    this.#listener.wake(now)
    this.#proveAgain(now)
    const session = this.#session
    if (session !== undefined && this.#proving === undefined) {
      if (session.isOver(now)) this.hangUp(now, DOOR_REFUSAL.silent)
      else session.flush(now)
    }
    if (this.#calling !== undefined && now >= this.#calling.againAt) {
      this.#unanswered += 1
      this.#call(now)
    } else if (now >= this.#callAt) this.#call(now)
  }

  /** A message to the sponsor; false if there is no session or no room. */
  say(now: Micros, ...messages: readonly Uint8Array[]): boolean {
    if (this.#session === undefined || this.#proving !== undefined) return false
    const isSaid = this.#session.say(...messages)
    this.#session.flush(now)
    return isSaid
  }

  /** Says this at once, or in the session to come before all else: with the proof, so it costs no time. */
  sayFirst(now: Micros, message: Uint8Array): void {
    this.#first = message
    this.#session?.say(message)
    this.#session?.flush(now)
  }

  /**
   * Ends the session and tells the sponsor why, who is not asked again for a time; an event follows. False
   * if there is none.
   */
  hangUp(now: Micros, why: DoorRefusal): boolean {
    const session = this.#session
    if (session === undefined) return false
    session.close(now, why)
    this.#ended(now, session, why)
    return true
  }

  /** Does not ask the member for a long time: it lied. */
  distrust(now: Micros, member: Uint8Array): void {
    this.#shunned.add(now, member, SHUN_LIED)
  }

  /** Calls again in a while, or at once. */
  again(now: Micros, wait: Micros = CALL_AGAIN): void {
    if (this.#session !== undefined) return
    this.#callAt = wait === 0 ? now : now + jittered(this.#context.dice, wait)
  }

  /** No more calls; the session, if there is one, ends well. */
  stop(now: Micros): void {
    this.#session?.close(now)
    this.#session = undefined
    this.#proving = undefined
    this.#forgetCall()
    this.#callAt = NEVER
    this.#listener.release(now)
  }

  // Questions.

  take(): CallerEvent | undefined {
    return this.#events.shift()
  }

  listens(packet: Uint8Array): boolean {
    return this.#listener.isHeld && idIs(packet, TOKEN_OFFSET, this.#route.token)
  }

  /** The one that is open; for a talk that both ends hold alike. */
  get session(): Session | undefined {
    return this.#proving === undefined ? this.#session : undefined
  }

  nextDeadline(): Micros {
    const session = this.#proving === undefined ? this.#session?.nextDeadline() : this.#proving.againAt
    return Math.min(
      this.#callAt,
      this.#calling?.againAt ?? NEVER,
      session ?? NEVER,
      this.#listener.nextDeadline(),
    )
  }

  // Within.

  #call(now: Micros): void {
    this.#forgetCall()
    const { crypto, keys, dice, envelope, wires } = this.#context
    const secret = keys.bytes(32)
    const ephemeral = crypto.agreement.publicKey(secret)
    const call = { ephemeral, route: this.#route.key, purpose: this.#purpose, head: this.#head }
    const wait = Math.min(CALL_AGAIN_MAX, CALL_AGAIN * (1 + this.#unanswered))
    const d1 = encodeCall(call)
    this.#calling = { d1, secret, againAt: now + jittered(dice, wait) }
    this.#callAt = NEVER
    wires.send(now, envelope.seal(this.#token, DOOR_KIND.call, d1))
  }

  #forgetCall(): void {
    this.#calling?.secret.fill(0)
    this.#calling = undefined
  }

  #packet(moment: Moment, packet: Uint8Array): DoorRefusal | undefined {
    if (!this.#opens.take(moment.now, 1)) return DOOR_REFUSAL.openRate
    const opened = this.#context.envelope.open(packet)
    if (typeof opened === 'string') return opened
    if (opened.kind === DOOR_KIND.answer) return this.#onAnswer(moment, opened.body)
    if (opened.kind === DOOR_KIND.traffic) return this.#onTraffic(moment.now, opened.body)
    return DOOR_REFUSAL.malformed
  }

  #onAnswer(moment: Moment, d2: Uint8Array): DoorRefusal | undefined {
    const calling = this.#calling
    // Of the six who may answer one is chosen: the others are no fault of anybody's.
    if (calling === undefined) return this.#session === undefined ? DOOR_REFUSAL.unexpectedAnswer : undefined
    if (!this.#answers.take(moment.now, 1)) return DOOR_REFUSAL.answerRate
    const { crypto } = this.#context
    const sponsorKey = sponsorKeyOf(d2)
    if (sponsorKey === undefined) return DOOR_REFUSAL.malformed
    const keys = agree(crypto, calling.d1, sponsorKey, calling.secret, sponsorKey)
    if (keys === undefined) return DOOR_REFUSAL.badKey
    const why = this.#judgeAnswer(moment, calling, d2, keys)
    eraseKeys(keys)
    return why
  }

  /** Look-ups, the clock, then signatures. */
  #judgeAnswer(
    moment: Moment,
    { d1 }: Calling,
    d2: Uint8Array,
    keys: HandshakeKeys,
  ): DoorRefusal | undefined {
    const { crypto, vlan } = this.#context
    const { ledger, learner } = this.#options
    const said = openAnswer(crypto, d2, keys)
    if (said === undefined) return DOOR_REFUSAL.badBox
    const shown = readChain(crypto.hash, vlan, said.chain)
    if (shown === undefined) return DOOR_REFUSAL.badChain
    const { member, grant } = shown
    if (sameBytes(member, this.#memberKey)) return DOOR_REFUSAL.ownKey
    const fallen = ledger.refused(member)?.why ?? ledger.fallen(grant.id)
    if (fallen !== undefined) return fallen
    if (moment.wall !== undefined && grant.end <= moment.wall) return DOOR_REFUSAL.grantOver
    if (!verifyAnswer(crypto, vlan, d1, d2, member, said)) return DOOR_REFUSAL.badSignature
    for (const fact of shown.facts) learner.learn(moment.now, fact.bytes)
    if (ledger.certificate(member) === undefined) return DOOR_REFUSAL.uncertified
    if (this.#shunned.has(moment.now, member)) return DOOR_REFUSAL.shunned
    this.answeredAt = moment.now
    return this.#prove(moment.now, d1, d2, keys, { member, route: said.route })
  }

  #prove(
    now: Micros,
    d1: Uint8Array,
    d2: Uint8Array,
    keys: HandshakeKeys,
    sponsor: { readonly member: Uint8Array; readonly route: Uint8Array },
  ): DoorRefusal | undefined {
    const { crypto, vlan } = this.#context
    const { ledger, memberSeed } = this.#options
    const certificate = ledger.certificate(this.#memberKey)
    if (certificate === undefined) return DOOR_REFUSAL.uncertified
    const d3 = makeProof(crypto, vlan, memberSeed, { d1, d2, keys }, encodeChain(certificate))
    this.#session = new Session(now, this.#context, {
      keys,
      side: 'caller',
      token: routeToken(crypto, vlan, sponsor.route),
      member: sponsor.member,
      purpose: this.#purpose,
      messageMax: MESSAGE_BYTES_MAX,
    })
    this.#proving = { d3, sends: 0, againAt: now }
    this.#forgetCall()
    // One session at a time, whatever was to be done had nobody answered.
    this.#callAt = NEVER
    this.#unanswered = 0
    this.#proveAgain(now)
    if (this.#first !== undefined) this.sayFirst(now, this.#first)
    return undefined
  }

  #proveAgain(now: Micros): void {
    const proving = this.#proving
    if (proving === undefined || now < proving.againAt) return
    if (proving.sends >= PROOFS_MAX) {
      this.#context.tally.add(DOOR_REFUSAL.silent)
      this.hangUp(now, DOOR_REFUSAL.silent)
      return
    }
    const { envelope, wires } = this.#context
    wires.send(now, envelope.seal(this.#token, DOOR_KIND.proof, proving.d3))
    proving.againAt = now + RESEND_FIRST * (1 << proving.sends)
    proving.sends += 1
  }

  #onTraffic(now: Micros, body: Uint8Array): DoorRefusal | undefined {
    const session = this.#session
    if (session === undefined || sessionNameOf(body) !== session.name) return DOOR_REFUSAL.unknownSession
    const received = session.receive(now, body)
    if (received.kind === 'refused') {
      if (received.why === DOOR_REFUSAL.badPieces) this.hangUp(now, received.why)
      return received.why
    }
    if (received.kind === 'closed') {
      this.#ended(now, session, received.why)
      // Nothing is wrong with the packet: it is what the sponsor refuses that is counted here too.
      return received.why
    }
    if (this.#proving !== undefined) {
      this.#proving = undefined
      this.#events.push({ kind: 'opened', sponsor: session.member })
    }
    for (const bytes of session.takeMessages()) this.#events.push({ kind: 'message', bytes })
    session.flush(now)
    return undefined
  }

  #ended(now: Micros, session: Session, why: DoorRefusal | undefined): void {
    session.erase()
    this.#session = undefined
    this.#proving = undefined
    this.#shunned.add(now, session.member, SHUN_FAILED)
    this.#events.push({ kind: 'ended', sponsor: session.member, why })
  }
}
