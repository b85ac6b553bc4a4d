/**
 * Datagrams of one trunk: says and hears offers on its control stream, holds keys and paths, and puts packets
 * into datagrams and takes them out. What arrives from sockets and whose it is, is for datagrams.ts.
 *
 * Offers come from the end that dialled, so that the two never cross; the other end asks for one when it
 * needs it.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import { sameBytes } from '../../core/ids.ts'
import { type Hop, type LinkId, MINUTE, type Micros, NEVER, type PeerId, SECOND } from '../../core/io.ts'
import { Bucket } from '../../core/vlan/storm.ts'
import { readU24, writeU24 } from '../../core/wire/cursor.ts'
import { type Endpoint, type Family, portOf } from '../linux/udp.ts'
import { hostText, isAdmissible, ownCandidates, withRemote } from './candidates.ts'
import { type KeyLimits, KeyRing, KeySet } from './keys.ts'
import {
  agreeOnKeys,
  DATAGRAM_VERSION,
  type KeyPair,
  OFFER_NONCE_BYTES,
  type Offer,
  readOffer,
  SAID,
  writeOffer,
} from './offer.ts'
import { type Bench, DATAGRAM, HOP_BYTES, OVERHEAD_BYTES, TOKEN_BYTES } from './packet.ts'
import { CHALLENGE_BYTES, type Path, Paths, UNANSWERED } from './paths.ts'
import { Joiner, PIECE_HEADER_BYTES, PIECES_MAX, writePiece } from './pieces.ts'
import { StreamWatch } from './stream.ts'
import type { Outgoing } from './wire.ts'

/**
 * Each offer costs two Diffie-Hellman computations, and lets this node send three probes to each of nine
 * addresses that the peer names: a few at once, as where addresses change, then one in ten seconds.
 */
const OFFERS_BURST = 4
const OFFERS_PER_SECOND = 0.1
/** Between two offers or requests of this end. */
const OFFER_SPACING: Micros = 5 * SECOND
/** Where no path was found: tried again then, and ever more seldom. */
const RETRY_FIRST: Micros = MINUTE
const RETRY_MAX: Micros = 10 * MINUTE
/**
 * Of a key's limits: when the end that offers prepares the next (sec:S4), and when the other asks where it
 * did not.
 */
const OFFER_AT = 0.5
const ASK_AT = 0.75
/** An offer that is not answered by then is not: it was refused without a word, or has yet to be sent. */
const ANSWER_WITHIN: Micros = 30 * SECOND
const SECRET_BYTES = 32
const NUMBER_MASK = 0xffff

/** What was counted, by name, for all trunks together; the names are those of a node's counters. */
export type Counts = Record<
  | 'datagramsIn'
  | 'datagramsOut'
  | 'datagramPaths'
  | 'datagramPathsLost'
  | 'datagramStreamsDead'
  | 'datagramKeys'
  | 'dropDatagramLength'
  | 'dropDatagramType'
  | 'dropDatagramIndex'
  | 'dropDatagramReplay'
  | 'dropDatagramSeal'
  | 'dropDatagramShape'
  | 'dropDatagramPiece'
  | 'dropDatagramFull'
  | 'dropDatagramAnswer'
  | 'dropDatagramSource'
  | 'dropDatagramPing'
  | 'dropDatagramLearned'
  | 'datagramOffersRefused'
  | 'datagramCandidatesRefused',
  number
>

export interface LinkWorld {
  readonly self: PeerId
  readonly crypto: Crypto
  readonly keys: Keys
  readonly ports: ReadonlyMap<Family, number>
  say(bytes: Uint8Array): void
  packet(hop: Hop, bytes: Uint8Array): void
  turned(byDatagrams: boolean, why: string): void
  dead(): void
  hosts(): readonly string[]
  readonly avoids: (host: string) => boolean
  outgoing(family: Family): Outgoing | undefined
  /** An index for keys that are to come; undefined if all are taken. */
  place(link: DatagramLink): number | undefined
  register(index: number, set: KeySet): void
  free(index: number): void
}

export interface LinkFacts {
  readonly id: LinkId
  readonly peer: PeerId
  readonly dialled: boolean
  readonly remote: string | undefined
}

/** How datagrams of a trunk fare, for people. */
export interface DatagramView {
  readonly link: LinkId
  /** Whether data goes by them now. */
  readonly used: boolean
  /** In words. */
  readonly why: string
  /** As a multiaddr, while they are used. */
  readonly remote: string | undefined
  /** Bytes of UDP payload that get there. */
  readonly payload: number
  readonly rttMicros: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** How often a path in use was lost. */
  readonly losses: number
}

/** An offer that is not answered yet. */
interface Pending {
  readonly secret: Uint8Array
  readonly index: number
  readonly nonce: Uint8Array
  readonly bytes: Uint8Array
  readonly at: Micros
}

export class DatagramLink {
  due: Micros = NEVER
  /** Where the last datagram came from. */
  lastFrom: Endpoint | undefined
  readonly #world: LinkWorld
  readonly #bench: Bench
  readonly #counts: Counts
  readonly #facts: LinkFacts
  readonly #ring: KeyRing
  readonly #paths: Paths
  readonly #joiner = new Joiner()
  readonly #offers: Bucket
  readonly #stream: StreamWatch
  #pending: Pending | undefined
  #why = 'no keys yet'
  #offerAt: Micros
  #saidAt: Micros = Number.NEGATIVE_INFINITY
  #retry: Micros = RETRY_FIRST
  /** Said that keys are wanted, and has none since. */
  #isAsking = false
  #number = 0
  #bytesIn = 0
  #bytesOut = 0
  #lossesTold = 0
  #isDead = false
  #now: Micros

  constructor(
    world: LinkWorld,
    bench: Bench,
    counts: Counts,
    limits: KeyLimits,
    facts: LinkFacts,
    now: Micros,
  ) {
    this.#world = world
    this.#bench = bench
    this.#counts = counts
    this.#facts = facts
    this.#now = now
    this.#stream = new StreamWatch(now, () => world.say(Uint8Array.of(SAID.ping)))
    this.#offers = new Bucket(now, OFFERS_PER_SECOND, OFFERS_BURST)
    this.#offerAt = facts.dialled ? now : NEVER
    this.#ring = new KeyRing(limits, facts.dialled ? OFFER_AT : ASK_AT, ({ receiveIndex }) =>
      world.free(receiveIndex),
    )
    this.#paths = new Paths(
      {
        challenge: (path, token, bytes) => this.#challenge(path, token, bytes),
        token: () => world.keys.bytes(TOKEN_BYTES),
        used: (path, why) => this.#turned(path, why),
      },
      facts.dialled,
      now,
    )
  }

  /** A new life of this end: nothing that the old one has agreed on is used again. */
  renew(now: Micros): void {
    this.#now = now
    // The other end goes on with the old keys until it agrees on others, and nothing of it opens here.
    if (this.#paths.used !== undefined) this.#world.say(Uint8Array.of(SAID.lost))
    this.#forgetPending()
    this.#ring.clear()
    // What was asked before cannot have been answered meanwhile.
    this.#stream.heard(now)
    this.#paths.leave('this machine was copied, or stood still')
    this.#wantOffer(now)
    this.#schedule()
  }

  end(): void {
    this.#forgetPending()
    this.#ring.clear()
    this.#paths.all.length = 0
    this.#paths.used = undefined
    this.due = NEVER
  }

  /** This machine has other addresses than before. */
  moved(now: Micros): void {
    this.#wantOffer(now)
    this.#schedule()
  }

  // The control stream.

  heardControl(now: Micros): void {
    this.#stream.heard(now)
  }

  /** The other end may not notice for long: it is told by what gets through. */
  #die(): void {
    const path = this.#paths.used
    if (path !== undefined) this.#token(path, DATAGRAM.end, new Uint8Array(TOKEN_BYTES), TOKEN_BYTES)
    this.#over()
  }

  #over(): void {
    if (this.#isDead) return
    this.#isDead = true
    this.#counts.datagramStreamsDead += 1
    this.#world.dead()
  }

  said(now: Micros, bytes: Uint8Array): void {
    switch (bytes[0]) {
      case SAID.offer:
        if (!this.#facts.dialled && this.#offers.take(now, 1)) this.#onOffer(now, bytes)
        else this.#counts.datagramOffersRefused += 1
        break
      case SAID.answer:
        this.#onAnswer(now, bytes)
        break
      case SAID.ask:
        if (this.#facts.dialled && this.#offers.take(now, 1)) this.#wantOffer(now)
        else this.#counts.datagramOffersRefused += 1
        break
      case SAID.lost:
        // It knows of both directions; this end would first have to lose something of its own.
        this.#paths.doubt(now, 'the other end hears no answers')
        break
      case SAID.ping:
        if (this.#stream.mayAnswer(now)) this.#world.say(Uint8Array.of(SAID.pong))
        else this.#counts.dropDatagramPing += 1
        break
      case SAID.pong:
        break
      case SAID.decline:
        this.#forgetPending()
        this.#why = 'the other end has none'
        break
      default:
        this.#counts.datagramOffersRefused += 1
    }
    this.tend(now)
  }

  #wantOffer(now: Micros): void {
    this.#offerAt = Math.min(this.#offerAt, Math.max(now, this.#saidAt + OFFER_SPACING))
  }

  #offer(now: Micros): void {
    this.#saidAt = now
    this.#offerAt = NEVER
    if (!this.#facts.dialled) {
      this.#isAsking = true
      this.#world.say(Uint8Array.of(SAID.ask))
      return
    }
    const index = this.#world.place(this)
    if (index === undefined) return
    this.#forgetPending()
    const { keys } = this.#world
    const [secret, nonce] = [keys.bytes(SECRET_BYTES), keys.bytes(OFFER_NONCE_BYTES)]
    const bytes = this.#write(SAID.offer, secret, nonce, index)
    this.#pending = { secret, index, nonce, bytes, at: now }
    this.#world.say(bytes)
  }

  #write(kind: number, secret: Uint8Array, nonce: Uint8Array, index: number): Uint8Array {
    const { crypto, hosts, ports } = this.#world
    const offer: Offer = {
      version: DATAGRAM_VERSION,
      ephemeral: crypto.agreement.publicKey(secret),
      nonce,
      index,
      candidates: ownCandidates(hosts(), ports, this.#facts.remote),
    }
    return writeOffer(kind, offer)
  }

  #onOffer(now: Micros, bytes: Uint8Array): void {
    const offer = readOffer(bytes)
    const index = offer?.version === DATAGRAM_VERSION ? this.#world.place(this) : undefined
    if (offer === undefined || index === undefined) {
      this.#counts.datagramOffersRefused += 1
      this.#world.say(Uint8Array.of(SAID.decline))
      return
    }
    const { crypto, keys, self } = this.#world
    const secret = keys.bytes(SECRET_BYTES)
    const answer = this.#write(SAID.answer, secret, offer.nonce, index)
    const pair = agreeOnKeys(crypto, secret, offer.ephemeral, this.#facts.peer, self, bytes, answer)
    secret.fill(0)
    if (pair === undefined) {
      this.#world.free(index)
      this.#counts.datagramOffersRefused += 1
      return
    }
    this.#world.say(answer)
    this.#agreed(now, new KeySet(index, offer.index, pair.fromListener, pair.fromDialler, now), false)
    this.#propose(now, offer)
  }

  #onAnswer(now: Micros, bytes: Uint8Array): void {
    const pending = this.#pending
    const answer = readOffer(bytes)
    const isOurs =
      pending !== undefined && answer?.version === DATAGRAM_VERSION && sameBytes(answer.nonce, pending.nonce)
    if (!isOurs) {
      this.#counts.datagramOffersRefused += 1
      return
    }
    const { crypto, self } = this.#world
    const pair: KeyPair | undefined = agreeOnKeys(
      crypto,
      pending.secret,
      answer.ephemeral,
      self,
      this.#facts.peer,
      pending.bytes,
      bytes,
    )
    if (pair === undefined) {
      this.#counts.datagramOffersRefused += 1
      this.#forgetPending()
      return
    }
    pending.secret.fill(0)
    this.#pending = undefined
    this.#agreed(now, new KeySet(pending.index, answer.index, pair.fromDialler, pair.fromListener, now), true)
    this.#propose(now, answer)
    // So that the other end sees that the new keys are here.
    this.#paths.prove(now)
  }

  #agreed(now: Micros, set: KeySet, known: boolean): void {
    this.#isAsking = false
    this.#counts.datagramKeys += 1
    this.#world.register(set.receiveIndex, set)
    this.#ring.add(now, set, known)
    if (this.#paths.used === undefined) this.#why = 'no path is proven yet'
  }

  #propose(now: Micros, { candidates }: Offer): void {
    const { remote } = this.#facts
    const told = withRemote(candidates, remote)
    const { avoids, ports } = this.#world
    const fit = told.filter((each) => ports.has(each.family) && isAdmissible(each, remote, avoids))
    this.#counts.datagramCandidatesRefused += told.length - fit.length
    this.#now = now
    this.#paths.offer(now, fit)
  }

  #forgetPending(): void {
    if (this.#pending === undefined) return
    this.#pending.secret.fill(0)
    this.#world.free(this.#pending.index)
    this.#pending = undefined
  }

  // Out.

  // HOT PATH
  /** False: by the stream. */
  send(now: Micros, hop: Hop, packet: Uint8Array): boolean {
    const path = this.#paths.used
    const set = this.#ring.sealing(now)
    if (path === undefined || set === undefined) {
      if (set !== undefined) this.#paths.missed(now)
      this.#lower(this.#paths.due)
      return false
    }
    const { plain } = this.#bench
    const length = HOP_BYTES + packet.length
    let bytes = length + OVERHEAD_BYTES
    if (bytes <= path.size) {
      writeU24(plain, 0, hop)
      plain.set(packet, HOP_BYTES)
      this.#seal(set, path, DATAGRAM.data, length)
    } else {
      bytes = path.size
      this.#sendPieces(set, path, hop, packet)
    }
    this.#paths.sent(now, bytes)
    this.#lower(this.#paths.due)
    return true
  }

  #sendPieces(set: KeySet, path: Path, hop: Hop, packet: Uint8Array): void {
    const room = path.size - OVERHEAD_BYTES - PIECE_HEADER_BYTES
    const count = Math.ceil(packet.length / room)
    if (count > PIECES_MAX) {
      this.#counts.dropDatagramPiece += 1
      return
    }
    this.#number = (this.#number + 1) & NUMBER_MASK
    const { plain } = this.#bench
    for (let piece = 0; piece < count; piece++) {
      const part = packet.subarray(piece * room, (piece + 1) * room)
      writePiece(plain, hop, this.#number, piece, count)
      plain.set(part, PIECE_HEADER_BYTES)
      this.#seal(set, path, DATAGRAM.piece, PIECE_HEADER_BYTES + part.length)
    }
  }

  // HOT PATH
  #seal(set: KeySet, { endpoint }: { readonly endpoint: Endpoint }, type: number, length: number): void {
    const outgoing = this.#world.outgoing(endpoint.family)
    const bytes = length + OVERHEAD_BYTES
    const at = outgoing === undefined ? -1 : outgoing.place(bytes)
    if (outgoing === undefined || at < 0) {
      this.#counts.dropDatagramFull += 1
      return
    }
    this.#bench.seal(set.sealKey, type, set.sendIndex, set.take(bytes), length, outgoing.memory, at)
    outgoing.commit(endpoint, bytes)
    this.#counts.datagramsOut += 1
    this.#bytesOut += bytes
  }

  #challenge(path: Path, token: Uint8Array, bytes: number): void {
    const length = bytes - OVERHEAD_BYTES
    this.#bench.plain.fill(0, TOKEN_BYTES, length)
    this.#token(path, DATAGRAM.challenge, token, length)
  }

  #token(to: { readonly endpoint: Endpoint }, type: number, token: Uint8Array, length: number): void {
    const set = this.#ring.sealing(this.#now)
    if (set === undefined) return
    for (let index = 0; index < TOKEN_BYTES; index++) this.#bench.plain[index] = token[index] as number
    this.#seal(set, to, type, length)
  }

  // In.

  // HOT PATH
  /** A datagram opened: its plaintext of so many bytes stands on the bench. */
  opened(now: Micros, set: KeySet, type: number, length: number, from: Endpoint, isNewest: boolean): void {
    this.#now = now
    if (from !== this.lastFrom) this.lastFrom = this.#paths.find(from)?.endpoint ?? from
    const bytes = length + OVERHEAD_BYTES
    this.#bytesIn += bytes
    if (this.#ring.opened(now, set)) this.#paths.prove(now)
    const used = this.#paths.used
    if (isNewest && used?.endpoint !== this.lastFrom)
      this.#elsewhere(now, this.lastFrom, bytes, type === DATAGRAM.data || type === DATAGRAM.piece)
    switch (type) {
      case DATAGRAM.data:
        this.#onData(now, length)
        break
      case DATAGRAM.piece:
        this.#onPiece(now, length)
        break
      case DATAGRAM.challenge:
        if (length < TOKEN_BYTES) this.#counts.dropDatagramShape += 1
        else this.#answer(from)
        break
      case DATAGRAM.end:
        this.#over()
        break
      default:
        if (length !== TOKEN_BYTES) this.#counts.dropDatagramShape += 1
        else if (!this.#paths.answered(now, this.#bench.openedOf(TOKEN_BYTES)))
          this.#counts.dropDatagramAnswer += 1
    }
    this.#lower(this.#paths.due)
  }

  // HOT PATH
  #onData(now: Micros, length: number): void {
    this.#paths.came(now)
    this.#world.packet(readU24(this.#bench.opened, 0), this.#bench.packetOf(length))
  }

  #onPiece(now: Micros, length: number): void {
    this.#paths.came(now)
    const taken = length < PIECE_HEADER_BYTES ? 'wrong' : this.#joiner.take(this.#bench.openedOf(length))
    if (taken === 'done') this.#world.packet(this.#joiner.hop, this.#joiner.packet)
    else if (taken === 'wrong') this.#counts.dropDatagramPiece += 1
  }

  #answer(from: Endpoint): void {
    // To where it came from: that the way there is open is what the answer shows.
    if (this.#isKnownOrFit(from) && this.#paths.mayAnswer(this.#now, from, CHALLENGE_BYTES))
      this.#token({ endpoint: from }, DATAGRAM.answer, this.#bench.openedOf(TOKEN_BYTES), TOKEN_BYTES)
    else this.#counts.dropDatagramSource += 1
  }

  #elsewhere(now: Micros, from: Endpoint, bytes: number, isData: boolean): void {
    if (!this.#isKnownOrFit(from)) this.#counts.dropDatagramSource += 1
    else if (!this.#paths.heard(now, from, bytes, isData)) this.#counts.dropDatagramLearned += 1
  }

  #isKnownOrFit(from: Endpoint): boolean {
    if (this.#paths.find(from) !== undefined) return true
    return isAdmissible(from, this.#facts.remote, this.#world.avoids)
  }

  // Time.

  tend(now: Micros): void {
    this.#now = now
    if (this.#paths.due <= now) this.#paths.tend(now)
    this.#ring.tend(now)
    if (this.#ring.wantsNext(now) && this.#pending === undefined) this.#wantOffer(now)
    // An end that only asks hears of nobody who refuses.
    let isUnanswered = this.#facts.dialled ? !this.#paths.hasHope : this.#isAsking
    if (this.#pending !== undefined && now - this.#pending.at >= ANSWER_WITHIN) {
      this.#forgetPending()
      isUnanswered = true
    }
    if (this.#offerAt <= now) this.#offer(now)
    if (this.#stream.tend(now, this.#paths.isBusy(now))) this.#die()
    if (isUnanswered && this.#offerAt === NEVER && this.#pending === undefined) {
      this.#offerAt = now + this.#retry
      this.#retry = Math.min(2 * this.#retry, RETRY_MAX)
    }
    this.#schedule()
  }

  get family(): Family | undefined {
    return this.#paths.used?.endpoint.family
  }

  view(): DatagramView {
    const { used, losses } = this.#paths
    return {
      link: this.#facts.id,
      used: used !== undefined,
      why: this.#why,
      remote: used === undefined ? undefined : textOf(used.endpoint),
      payload: used?.size ?? 0,
      rttMicros: used?.rtt ?? 0,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      losses,
    }
  }

  #turned(path: Path | undefined, why: string): void {
    this.#why = why
    if (path !== undefined) {
      this.#counts.datagramPaths += 1
      this.#stream.ask(this.#now)
      this.#retry = RETRY_FIRST
    } else if (this.#paths.losses > this.#lossesTold) {
      this.#lossesTold = this.#paths.losses
      this.#counts.datagramPathsLost += 1
      if (why === UNANSWERED) this.#world.say(Uint8Array.of(SAID.lost))
    }
    this.#world.turned(path !== undefined, why)
  }

  #lower(due: Micros): void {
    if (due < this.due) this.due = due
  }

  #schedule(): void {
    const dead = this.#isDead ? NEVER : this.#stream.due
    const unanswered = this.#pending === undefined ? NEVER : this.#pending.at + ANSWER_WITHIN
    this.due = Math.min(this.#paths.due, this.#ring.tend(this.#now), this.#offerAt, dead, unanswered)
  }
}

function textOf(endpoint: Endpoint): string {
  return `/ip${endpoint.family}/${hostText(endpoint)}/udp/${portOf(endpoint)}`
}
