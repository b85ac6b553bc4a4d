/**
 * The door of a VLAN as a member keeps it (sec:C4, C5): answers calls that fall to it, judges who called,
 * and serves sessions. It knows packets, proofs and the ledger; the group is behind `SponsorPort`.
 *
 * To drive it: `open` when the group has an epoch, `packet` for each packet that comes to one of its tokens
 * (`listens`), `wake` at `nextDeadline`, `recheck` when a member became refused, `welcome` and `notAdded`
 * for the requests made of the group. Everything is sent within the call.
 *
 * What a stranger costs, cheap to dear, and where it ends: a bucket of openings; one opening; for a call a
 * bucket of CALLS_PER_SECOND and a hash for each live member, then, for at most six members, an agreement
 * and a signature; for a proof a look into the callers, a bucket, an agreement, an opening, look-ups in the
 * ledger, the clock, signatures. Nothing but the caller's key is kept before the proof is good.
 */
import { UsageError } from '../errors.ts'
import { compareBytes, concat, hex, sameBytes } from '../ids.ts'
import { type Micros, NEVER } from '../io.ts'
import { encodeChain } from '../ledger/certificate.ts'
import { byRank } from '../ledger/rank.ts'
import { Bucket } from '../vlan/storm.ts'
import { routeToken } from '../vlan/tokens.ts'
import { idIs, TOKEN_OFFSET } from '../wire/packet.ts'
import { Callers } from './callers.ts'
import { readChain, type ShownChain } from './chain.ts'
import type { DoorContext } from './context.ts'
import { DOOR_KIND } from './envelope.ts'
import {
  agree,
  type Call,
  decodeCall,
  eraseKeys,
  type HandshakeKeys,
  isNoHead,
  makeAnswer,
  type Offer,
  openProof,
  type ProofParts,
  readProof,
  sponsorSecret,
  verifyProof,
} from './handshake.ts'
import {
  CALLER_MESSAGE_BYTES_MAX,
  CALLS_PER_SECOND,
  KEEPERS_REVIEW,
  MESSAGE_BYTES_MAX,
  OPENS_PER_SECOND,
  RESPONDERS,
  ROUTE_LINGER,
  SESSIONS_MAX,
  SOUGHT_MAX,
  UNHEARD_FACTOR,
  UNHEARD_WITHIN,
} from './limits.ts'
import { Listener } from './listener.ts'
import { DOOR_REFUSAL, type DoorRefusal } from './refusals.ts'
import type { Service, Services } from './serve.ts'
import { Session, sessionNameOf } from './session.ts'
import type { DoorMember } from './sponsor-port.ts'
import { type Route, routeOf } from './token.ts'

/** This member's side of a handshake: what D1 and its generation's secret lead to. */
interface Half {
  readonly d1: Uint8Array
  readonly sponsorKey: Uint8Array
  readonly keys: HandshakeKeys
  readonly offer: Offer
}

export class Sponsor {
  readonly #context: DoorContext
  readonly #port: DoorMember
  readonly #memberSeed: Uint8Array
  readonly #memberKey: Uint8Array
  readonly #door: Listener
  /** Where callers that were answered reach this member. */
  readonly #route: Route
  readonly #back: Listener
  readonly #callers: Callers
  readonly #opens: Bucket
  readonly #calls: Bucket
  readonly #proofs: Bucket
  readonly #sessions = new Map<string, Service>()
  /** How many answered when a branch was sought last, by its head in hex. */
  readonly #sought = new Map<string, { readonly at: Micros; readonly count: number }>()
  readonly #services: Services
  #usedAt: Micros = 0
  #isAwaited = false
  #isOpen = false
  #reviewAt: Micros = NEVER

  constructor(
    now: Micros,
    context: DoorContext,
    port: DoorMember,
    services: Services,
    memberSeed: Uint8Array,
  ) {
    this.#services = services
    const { crypto, keys, vlan } = context
    this.#context = context
    this.#port = port
    this.#memberSeed = memberSeed
    this.#memberKey = crypto.signatures.publicKey(memberSeed)
    this.#door = new Listener(context, context.door)
    this.#route = routeOf(crypto, vlan, keys.bytes(32))
    this.#back = new Listener(context, this.#route)
    this.#callers = new Callers(keys)
    this.#opens = new Bucket(now, OPENS_PER_SECOND)
    this.#calls = new Bucket(now, CALLS_PER_SECOND)
    this.#proofs = new Bucket(now, CALLS_PER_SECOND)
  }

  // Inputs.

  /** There is a group to be let into: registers the door for as long as this member is to keep it. */
  open(now: Micros): void {
    if (this.#port.head() === undefined) throw new UsageError('a door without a group; open it after joining')
    this.#isOpen = true
    this.review(now)
  }

  /** Others may have come or gone: looks whether this member keeps the door. */
  review(now: Micros): void {
    if (!this.#isOpen) return
    this.#reviewAt = now + KEEPERS_REVIEW
    const isKeeper = this.#placeIn(this.#port.keepers(now)) !== undefined
    if (isKeeper && !this.#door.isHeld) this.#door.hold(now)
    if (!isKeeper) this.#door.release(now)
  }

  /** Registers the route for as long as a Welcome may come to it, or no longer. */
  await(now: Micros, isAwaited: boolean): void {
    this.#isAwaited = isAwaited
    if (isAwaited && !this.#back.isHeld) this.#back.hold(now)
  }

  /** Ends all sessions and registrations. */
  shut(now: Micros): void {
    for (const serving of [...this.#sessions.values()]) this.#end(now, serving, DOOR_REFUSAL.doorShut)
    this.#isOpen = false
    this.#reviewAt = NEVER
    this.#door.release(now)
    this.#back.release(now)
  }

  /** A packet with a token of `listens`. Never throws. */
  packet(now: Micros, packet: Uint8Array): void {
    const why = this.#packet(now, packet)
    if (why !== undefined) this.#context.tally.add(why)
  }

  wake(now: Micros): void {
    this.#callers.turn(now)
    for (const d1 of this.#callers.takeDue(now)) {
      const call = decodeCall(d1)
      const why = call === undefined ? undefined : this.#answer(now, d1, call)
      if (why !== undefined) this.#context.tally.add(why)
    }
    for (const serving of [...this.#sessions.values()]) {
      if (serving.session.isOver(now)) this.#end(now, serving, DOOR_REFUSAL.silent)
      else this.#tend(now, serving)
    }
    if (this.#reviewAt <= now) this.review(now)
    this.#door.wake(now)
    if (this.#isBackIdle(now)) this.#back.release(now)
    else this.#back.wake(now)
  }

  /** Ends the sessions of members that are refused by now (sec:B9). */
  recheck(now: Micros): void {
    for (const serving of [...this.#sessions.values()]) {
      const refused = this.#port.ledger.refused(serving.session.member, this.#port.lineage())
      if (refused !== undefined) this.#end(now, serving, refused.why)
    }
  }

  /** Ends a session well. */
  close(now: Micros, name: string): void {
    const service = this.#sessions.get(name)
    if (service === undefined) return
    service.session.close(now)
    this.#forget(now, service)
  }

  // Questions.

  /** Whether the packet is for one of the tokens that this door listens to. */
  listens(packet: Uint8Array): boolean {
    return (
      (this.#door.isHeld && idIs(packet, TOKEN_OFFSET, this.#context.door.token)) ||
      (this.#back.isHeld && idIs(packet, TOKEN_OFFSET, this.#route.token))
    )
  }

  /** The key of the route by which this member is reached without its door: 32 bytes. */
  get routeKey(): Uint8Array {
    return this.#route.key
  }

  get sessions(): number {
    return this.#sessions.size
  }

  nextDeadline(): Micros {
    const isNeeded = this.#isAwaited || this.#sessions.size > 0
    const back = isNeeded || !this.#back.isHeld ? NEVER : this.#usedAt + ROUTE_LINGER
    let at = Math.min(back, this.#callers.nextDeadline(), this.#reviewAt)
    at = Math.min(at, this.#door.nextDeadline(), this.#back.nextDeadline())
    for (const service of this.#sessions.values())
      at = Math.min(at, service.session.nextDeadline(), service.nextDeadline())
    return at
  }

  // Within.

  #packet(now: Micros, packet: Uint8Array): DoorRefusal | undefined {
    if (!this.#opens.take(now, 1)) return DOOR_REFUSAL.openRate
    const opened = this.#context.envelope.open(packet)
    if (typeof opened === 'string') return opened
    const isToDoor = idIs(packet, TOKEN_OFFSET, this.#context.door.token)
    const { kind, body } = opened
    if (kind === DOOR_KIND.call) return this.#onCall(now, body, isToDoor)
    if (kind === DOOR_KIND.proof) return this.#onProof(now, body)
    if (!isToDoor && kind === DOOR_KIND.traffic) return this.#onTraffic(now, body)
    return DOOR_REFUSAL.malformed
  }

  #onCall(now: Micros, d1: Uint8Array, isToDoor: boolean): DoorRefusal | undefined {
    const call = decodeCall(d1)
    // A Welcome is brought to its joiner's route; all else is asked of whoever is at the door.
    if (call === undefined || (call.purpose === 'deliver') === isToDoor) return DOOR_REFUSAL.malformed
    // Before the bucket: a repeat costs nothing and must take nothing from those who call for the first time.
    if (this.#callers.stateOf(call.ephemeral) !== undefined) return DOOR_REFUSAL.repeatedCall
    if (!this.#calls.take(now, 1)) return DOOR_REFUSAL.callRate
    this.#callers.admit(now, call.ephemeral)
    const place = this.#placeFor(now, call)
    if (place === undefined) return undefined
    const first = call.purpose === 'merge' ? this.#ambassadors(now, call.head) : RESPONDERS
    if (place >= Math.max(first, 2 * RESPONDERS)) return undefined
    if (place < first) return this.#answer(now, d1, call)
    this.#callers.defer(call.ephemeral, d1)
    return undefined
  }

  /** This member's place among those who answer (sec:C4, B11), from 0; undefined if it does not at all. */
  #placeFor(now: Micros, call: Call): number | undefined {
    const { crypto } = this.#context
    const { purpose } = call
    if (purpose === 'deliver') return 0
    const head = this.#port.head()
    if (head === undefined) return undefined
    if ((purpose === 'join' || purpose === 'rejoin') && !this.#port.mayLetIn(now)) return undefined
    const live = this.#port.keepers(now)
    const isOfBranch = (): boolean => this.#port.lineageIds().some((id) => sameBytes(id, call.head))
    // The branch that is sought answers, through its ambassador.
    if (purpose === 'merge') return isOfBranch() ? this.#placeIn(byRank(crypto.hash, head, live)) : undefined
    // Whoever is in that very epoch has nothing to tell.
    if (purpose === 'catchUp' && sameBytes(head, call.head)) return undefined
    const ranked = live.map((member) => ({
      member,
      rank: crypto.hash.hash16(concat(call.ephemeral, member)),
    }))
    ranked.sort((a, b) => compareBytes(a.rank, b.rank) || compareBytes(a.member, b.member))
    const place = this.#placeIn(ranked.map(({ member }) => member))
    // Whoever folds is led to the winner, and whoever is behind to those who have what it missed; others let
    // these go first.
    const isOfUse = purpose === 'catchUp' ? this.#port.leadsOn(call.head) : isOfBranch()
    return place === undefined || isOfUse || isNoHead(call.head) ? place : place + RESPONDERS
  }

  /** How many of a branch answer who seeks it: one, and more while it is sought again. */
  #ambassadors(now: Micros, head: Uint8Array): number {
    const name = hex(head)
    const known = this.#sought.get(name)
    const isAgain = known !== undefined && now < known.at + UNHEARD_WITHIN
    const count = isAgain ? Math.min(CALLS_PER_SECOND, known.count * UNHEARD_FACTOR) : 1
    this.#sought.delete(name)
    this.#sought.set(name, { at: now, count })
    for (const oldest of this.#sought.keys()) {
      if (this.#sought.size <= SOUGHT_MAX) break
      this.#sought.delete(oldest)
    }
    return count
  }

  #placeIn(members: readonly Uint8Array[]): number | undefined {
    const place = members.findIndex((member) => sameBytes(member, this.#memberKey))
    return place < 0 ? undefined : place
  }

  #answer(now: Micros, d1: Uint8Array, call: Call): DoorRefusal | undefined {
    const half = this.#half(d1, call)
    if (typeof half === 'string') return half
    const d2 = this.#d2(half)
    eraseKeys(half.keys)
    if (!this.#back.isHeld) this.#back.hold(now)
    this.#usedAt = now
    this.#callers.answered(call.ephemeral)
    const { crypto, vlan, envelope, wires } = this.#context
    wires.send(now, envelope.seal(routeToken(crypto, vlan, call.route), DOOR_KIND.answer, d2))
    return undefined
  }

  /** This member's half of the handshake: the same for a call whenever it is made. */
  #half(d1: Uint8Array, call: Call): Half | DoorRefusal {
    const { crypto } = this.#context
    const secret = this.#callers.secretFor(call.ephemeral)
    const certificate = this.#port.certificate()
    if (secret === undefined || certificate === undefined) return DOOR_REFUSAL.doorShut
    const offer: Offer = { chain: encodeChain(certificate), route: this.#route.key }
    const own = sponsorSecret(crypto, secret, d1, offer)
    const sponsorKey = crypto.agreement.publicKey(own)
    const keys = agree(crypto, d1, sponsorKey, own, call.ephemeral)
    own.fill(0)
    if (keys === undefined) return DOOR_REFUSAL.badKey
    return { d1, sponsorKey, keys, offer }
  }

  #d2(half: Half): Uint8Array {
    const { crypto, vlan } = this.#context
    return makeAnswer(crypto, vlan, this.#memberSeed, half, half.offer)
  }

  #onProof(now: Micros, d3: Uint8Array): DoorRefusal | undefined {
    const parts = readProof(d3)
    if (parts === undefined) return DOOR_REFUSAL.malformed
    const { ephemeral } = parts.call
    const state = this.#callers.stateOf(ephemeral)
    if (state === 'taken') return this.#proofAgain(now, ephemeral)
    if (state === 'waiting') this.#callers.served(ephemeral)
    // Most proofs that a member hears are for others.
    if (state !== 'answered') return state === undefined ? DOOR_REFUSAL.unasked : undefined
    if (!this.#proofs.take(now, 1)) return DOOR_REFUSAL.proofRate
    const half = this.#half(parts.d1, parts.call)
    if (typeof half === 'string') return half
    const why = this.#judgeProof(now, parts, half)
    eraseKeys(half.keys)
    return why
  }

  /** A proof that was taken comes again: the caller has not heard so; or somebody plays it again. */
  #proofAgain(now: Micros, ephemeral: Uint8Array): DoorRefusal | undefined {
    if (!this.#proofs.take(now, 1)) return DOOR_REFUSAL.proofRate
    for (const { session, caller } of this.#sessions.values()) {
      if (!sameBytes(caller, ephemeral)) continue
      session.flush(now, true)
      return undefined
    }
    return DOOR_REFUSAL.proofTwice
  }

  #judgeProof(now: Micros, parts: ProofParts, half: Half): DoorRefusal | undefined {
    const { crypto, vlan } = this.#context
    // The caller chose another of those who answered; or this member's certificate has changed since.
    if (!sameBytes(half.sponsorKey, parts.sponsorKey)) return undefined
    const said = openProof(crypto, parts.box, half.keys)
    if (said === undefined) return DOOR_REFUSAL.badBox
    // From here on it is the caller itself that speaks: it gets an answer, and no second chance.
    this.#callers.taken(parts.call.ephemeral)
    const shown = readChain(crypto.hash, vlan, said.chain)
    if (shown === undefined) return this.#turnAway(now, parts, half, DOOR_REFUSAL.badChain)
    const unfit = this.#unfit(now, shown)
    if (unfit !== undefined) return this.#turnAway(now, parts, half, unfit, shown.member)
    if (!verifyProof(crypto, vlan, parts.d1, this.#d2(half), shown.member, said))
      return this.#turnAway(now, parts, half, DOOR_REFUSAL.badSignature)
    for (const fact of shown.facts) this.#port.learn(now, fact.bytes)
    const why = this.#uncertified(shown)
    if (why !== undefined) return this.#turnAway(now, parts, half, why, shown.member)
    return this.#admit(now, parts, half, shown.member)
  }

  /** What the ledger and the clock say before a signature is looked at (sec:C5). */
  #unfit(now: Micros, { member, grant }: ShownChain): DoorRefusal | undefined {
    if (sameBytes(member, this.#memberKey)) return DOOR_REFUSAL.ownKey
    const { ledger } = this.#port
    const lineage = this.#port.lineage()
    const fallen = ledger.fallen(grant.id) ?? ledger.refused(member, lineage)?.why
    const winner = ledger.winner(grant.id, lineage)
    if (winner !== undefined && !sameBytes(winner, member)) return DOOR_REFUSAL.serialSpent
    if (fallen !== undefined) return fallen
    const wall = this.#port.wall(now)
    return wall !== undefined && grant.end <= wall ? DOOR_REFUSAL.grantOver : undefined
  }

  /** What it says when the facts shown are in it. */
  #uncertified({ member }: ShownChain): DoorRefusal | undefined {
    const lineage = this.#port.lineage()
    const refused = this.#port.ledger.refused(member, lineage)
    if (refused !== undefined) return refused.why
    const isCertified = this.#port.ledger.certificate(member, lineage) !== undefined
    return isCertified ? undefined : DOOR_REFUSAL.uncertified
  }

  #admit(now: Micros, parts: ProofParts, half: Half, member: Uint8Array): DoorRefusal | undefined {
    // One session for each member: a new one proves that the old one is of no use to it any more.
    for (const serving of [...this.#sessions.values()])
      if (sameBytes(serving.session.member, member)) this.#end(now, serving, DOOR_REFUSAL.closed)
    if (this.#sessions.size >= SESSIONS_MAX)
      return this.#turnAway(now, parts, half, DOOR_REFUSAL.sessionsFull, member)
    const session = this.#session(now, parts, half, member)
    const serving = this.#services.serve(now, session, parts.call.ephemeral)
    this.#sessions.set(session.name, serving)
    const why = serving.start(now, parts.call.head)
    if (why !== undefined) this.#end(now, serving, why)
    else session.flush(now, true)
    return undefined
  }

  /** Says why to whoever could open the box, and keeps nothing. */
  #turnAway(
    now: Micros,
    parts: ProofParts,
    half: Half,
    why: DoorRefusal,
    member: Uint8Array = new Uint8Array(32),
  ): DoorRefusal {
    this.#session(now, parts, half, member).close(now, why)
    return why
  }

  #session(now: Micros, parts: ProofParts, half: Half, member: Uint8Array): Session {
    const { crypto, vlan } = this.#context
    const { route, purpose } = parts.call
    const isLong = purpose === 'merge' || purpose === 'deliver'
    const messageMax = isLong ? MESSAGE_BYTES_MAX : CALLER_MESSAGE_BYTES_MAX
    const token = routeToken(crypto, vlan, route)
    return new Session(now, this.#context, {
      keys: half.keys,
      side: 'sponsor',
      token,
      member,
      purpose,
      messageMax,
    })
  }

  #onTraffic(now: Micros, body: Uint8Array): DoorRefusal | undefined {
    const name = sessionNameOf(body)
    const serving = name === undefined ? undefined : this.#sessions.get(name)
    if (serving === undefined) return DOOR_REFUSAL.unknownSession
    const received = serving.session.receive(now, body)
    this.#usedAt = now
    if (received.kind === 'refused') {
      if (received.why !== DOOR_REFUSAL.badPieces) return received.why
      this.#end(now, serving, received.why)
      return undefined
    }
    if (received.kind === 'closed') {
      this.#forget(now, serving)
      return undefined
    }
    this.#tend(now, serving)
    return undefined
  }

  #tend(now: Micros, serving: Service): void {
    serving.wake(now)
    const why = serving.take(now)
    if (why === undefined) serving.session.flush(now)
    else this.#end(now, serving, why)
  }

  #end(now: Micros, serving: Service, why: DoorRefusal): void {
    serving.session.close(now, why)
    this.#context.tally.add(why)
    this.#forget(now, serving)
  }

  #forget(now: Micros, serving: Service): void {
    serving.session.erase()
    serving.end(now)
    this.#sessions.delete(serving.session.name)
  }

  #isBackIdle(now: Micros): boolean {
    return !this.#isAwaited && this.#sessions.size === 0 && now >= this.#usedAt + ROUTE_LINGER
  }
}
