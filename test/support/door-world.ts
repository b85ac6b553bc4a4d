/**
 * A small world of doors: members of one VLAN with a stand-in for the group behind each, and joiners, on a
 * broadcast that loses, doubles and overtakes. Time jumps from event to event; one seed.
 *
 * The group here is as simple as it can be while doors notice no difference: facts reach all who are online,
 * the first online member of a branch commits one Add at a time, commits reach the online ones of its branch
 * in order, and who was offline catches up through the door.
 */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Keys } from '../../core/dice.ts'
import type { DoorContext, DoorWires } from '../../core/door/context.ts'
import { Envelope } from '../../core/door/envelope.ts'
import { DoorTally } from '../../core/door/refusals.ts'
import { doorRoute } from '../../core/door/token.ts'
import { hex } from '../../core/ids.ts'
import { MILLISECOND, type Micros, NEVER } from '../../core/io.ts'
import type { Grant } from '../../core/ledger/facts.ts'
import { type Founding, found, invite } from '../../core/ledger/founding.ts'
import { invitationText } from '../../core/ledger/invitation.ts'
import { makeGrant, makeRevocation } from '../../core/ledger/issue.ts'
import { Ledger } from '../../core/ledger/ledger.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { checkProof } from '../../core/vlan/tokens.ts'
import { tokenOf } from '../../core/wire/packet.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { Verdicts } from '../../sim/mls/judge.ts'
import { keysFrom, type Random, Streams } from '../../sim/random.ts'
import { DoorNode, type Person, type Surroundings } from './door-node.ts'
import { DAY, NOW, TERMS } from './ledger.ts'

/** How the broadcast treats packets. */
export interface Weather {
  readonly loss: number
  readonly double: number
  readonly delayMin: Micros
  readonly delayMax: Micros
}

export const FAIR: Weather = { loss: 0, double: 0, delayMin: 5 * MILLISECOND, delayMax: 40 * MILLISECOND }
export const FOUL: Weather = {
  loss: 0.2,
  double: 0.1,
  delayMin: 5 * MILLISECOND,
  delayMax: 150 * MILLISECOND,
}

/** What members tell each other by other ways than the door arrives after so long. */
const GOSSIP: Micros = 30 * MILLISECOND

/** More steps than this without time passing are a deadline that nothing moves. */
const STEPS_AT_ONCE_MAX = 20_000

export class DoorWorld implements Surroundings {
  now: Micros = 0
  readonly crypto: Crypto
  readonly founding: Founding
  readonly keys: Keys
  readonly verdicts = new Verdicts()
  readonly nodes: DoorNode[] = []
  /** Every door packet, as a relay sees it. */
  readonly seen: Uint8Array[] = []
  readonly weather: Weather
  readonly #dice: Random
  readonly #streams: Streams
  /** By time, then in the order they were asked for. */
  readonly #events: { readonly at: Micros; readonly act: () => void }[] = []
  readonly #authority: Ledger
  #revocations = 0
  #stepsAtOnce = 0

  constructor(seed: number, weather: Weather = FAIR, crypto: Crypto = standInCrypto) {
    this.#streams = new Streams(seed)
    this.#dice = this.#streams.stream('weather')
    this.keys = keysFrom(this.#streams.stream('keys'))
    this.crypto = crypto
    this.weather = weather
    const terms = { ...TERMS, suite: SUITE.x25519 }
    this.founding = found(crypto, this.keys, { terms, now: NOW })
    this.#authority = this.ledger()
    for (const fact of this.founding.facts) this.#authority.add(fact.bytes)
  }

  // People and their papers.

  /** An empty ledger of the VLAN. */
  ledger(): Ledger {
    const { issuer } = this.founding
    if (issuer.kind !== 'authority') throw new Error('a VLAN founded by an admin')
    return new Ledger(this.crypto, { policy: issuer.policy, label: TERMS.label })
  }

  /** Wall time. */
  wall(): number {
    return NOW + Math.floor(this.now / MILLISECOND)
  }

  /** A URL made by the authority, which need not be online, with the floor that it knows. */
  url(lifeMillis = 90 * DAY): string {
    const { issuer, doorKey } = this.founding
    const order = { doorKey, now: NOW, lifeMillis, contacts: [] }
    return invitationText(this.crypto, invite(this.crypto, this.keys, issuer, this.#authority, order))
  }

  person(): Person {
    const seed = this.keys.bytes(32)
    return { seed, key: this.crypto.signatures.publicKey(seed) }
  }

  grant({ key }: Person): Grant {
    const order = { holderKind: 'member', holder: key, role: 'member', end: NOW + 90 * DAY } as const
    return makeGrant(this.crypto, this.keys, this.founding.issuer, this.founding.vlan, order)
  }

  /** The authority revokes a member key or a serial; whoever of `hearers` is online hears it. */
  revoke(key: Uint8Array, hearers: readonly DoorNode[]): void {
    this.#revocations += 1
    const { issuer, vlan } = this.founding
    const target = { kind: key.length === 32 ? 'key' : 'serial', bytes: key } as const
    const fact = makeRevocation(this.crypto, issuer, vlan, { target, number: this.#revocations })
    this.#authority.add(fact.bytes)
    for (const node of hearers) node.hear(this.now, fact.bytes)
  }

  // Nodes.

  node(name: string, person: Person, branch = 'main'): DoorNode {
    const node = new DoorNode(this, name, person, branch, this.#context(name))
    this.nodes.push(node)
    return node
  }

  /** The founder and others with Grants of their own, in one epoch, with open doors. */
  members<Names extends readonly string[]>(...names: Names): { [Place in keyof Names]: DoorNode } {
    const { memberSeed, facts } = this.founding
    const founder = { seed: memberSeed, key: this.crypto.signatures.publicKey(memberSeed) }
    const members = names.map((name, place) => this.node(name, place === 0 ? founder : this.person()))
    const grants = members.slice(1).map((member) => this.grant(member.person))
    for (const member of members)
      for (const fact of [...facts, ...grants]) member.ledger.add(fact.bytes, this.wall())
    const [first, ...others] = members
    first?.foundGroup()
    for (const other of others) first?.admitByHand(other)
    for (const member of members) member.openDoor()
    return members as { [Place in keyof Names]: DoorNode }
  }

  /** Adds somebody with a Grant of its own, by hand. */
  admitInto(committer: DoorNode, node: DoorNode): void {
    const grant = this.grant(node.person)
    for (const fact of [...committer.ledger.facts(), grant]) node.ledger.add(fact.bytes)
    for (const member of this.group(committer.branch)) member.ledger.add(grant.bytes)
    committer.admitByHand(node)
    node.openDoor()
  }

  /** Online nodes of a branch that are in its group, in the order they came. */
  group(branch: string): DoorNode[] {
    return this.nodes.filter((node) => node.online && node.branch === branch && node.head() !== undefined)
  }

  // Time and packets.

  after(delay: Micros, event: () => void): void {
    const at = this.now + delay
    let place = this.#events.length
    while (place > 0 && (this.#events[place - 1]?.at ?? 0) > at) place -= 1
    this.#events.splice(place, 0, { at, act: event })
  }

  /** A door packet of a node: to all others that registered its token. */
  broadcast(from: DoorNode, packet: Uint8Array): void {
    this.seen.push(packet.slice())
    const token = hex(tokenOf(packet))
    for (const node of this.nodes) {
      if (node === from || !node.online || !node.tokens.has(token)) continue
      const copies = this.#dice.unit() < this.weather.double ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        if (this.#dice.unit() < this.weather.loss) continue
        const { delayMin, delayMax } = this.weather
        const delay = delayMin + this.#dice.below(delayMax - delayMin + 1)
        this.after(delay, () => node.packet(packet))
      }
    }
  }

  /** A fact that is new to a member reaches the other online ones of its branch. */
  gossip(from: DoorNode, fact: Uint8Array): void {
    for (const node of this.group(from.branch))
      if (node !== from) this.after(GOSSIP, () => node.hear(this.now, fact))
  }

  /** Runs until the predicate holds or the time is over; whether it holds. */
  runUntil(isDone: () => boolean, limit: Micros): boolean {
    const end = this.now + limit
    while (!isDone()) {
      if (!this.#step(end)) return isDone()
    }
    return true
  }

  run(time: Micros): void {
    this.runUntil(() => false, time)
  }

  /** The next event or deadline, whichever is first; false if there is none until the end. */
  #step(end: Micros): boolean {
    const next = this.#events[0]?.at ?? NEVER
    let wakeAt = NEVER
    let sleeper: DoorNode | undefined
    for (const node of this.nodes) {
      const at = node.nextDeadline()
      if (at >= wakeAt) continue
      wakeAt = at
      sleeper = node
    }
    if (Math.min(next, wakeAt) > end) {
      this.now = end
      return false
    }
    const at = Math.max(this.now, Math.min(next, wakeAt))
    this.#stepsAtOnce = at === this.now ? this.#stepsAtOnce + 1 : 0
    if (this.#stepsAtOnce > STEPS_AT_ONCE_MAX) throw new Error(`${sleeper?.name} is woken at ${at} for ever`)
    if (wakeAt < next) {
      this.now = Math.max(this.now, wakeAt)
      sleeper?.wake()
      return true
    }
    this.now = Math.max(this.now, next)
    this.#events.shift()?.act()
    return true
  }

  #context(name: string): (wires: DoorWires) => DoorContext {
    const { vlan, doorKey } = this.founding
    const keys = keysFrom(this.#streams.stream(`keys of ${name}`))
    const dice = this.#streams.stream(`dice of ${name}`)
    const { crypto } = this
    return (wires) => ({
      crypto,
      keys,
      dice,
      vlan,
      door: doorRoute(crypto, vlan, doorKey),
      envelope: new Envelope(crypto, keys, vlan, doorKey),
      tally: new DoorTally(),
      wires,
    })
  }

  /** A registration as a relay takes it: by its proof alone. */
  proves(token: Uint8Array, proof: Uint8Array): boolean {
    return checkProof(this.crypto, this.founding.vlan, token, proof)
  }
}
