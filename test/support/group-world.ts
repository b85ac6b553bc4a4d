/**
 * A small world for the logic of groups alone: members' machines over a broadcast that loses, delays and
 * parts, with the stand-in engine at its modelled costs, disks, doors and an authority. One event queue, one
 * seed. No links, no tokens, no frames; it watches from above what must never happen.
 */
import type { AdoptedEpoch, Purpose, Slot } from '../../core/group/effects.ts'
import { WISHES } from '../../core/group/epoch.ts'
import { encodeHead } from '../../core/group/record.ts'
import { NO_WAY } from '../../core/group/way.ts'
import { hex, sameBytes } from '../../core/ids.ts'
import { MILLISECOND, type Micros, NEVER, SECOND } from '../../core/io.ts'
import { makeCredential } from '../../core/ledger/certificate.ts'
import { type Fact, fixedHash } from '../../core/ledger/facts.ts'
import { type Founding, found } from '../../core/ledger/founding.ts'
import { type GrantOrder, makeGrant, makeRedemption, makeRevocation } from '../../core/ledger/issue.ts'
import { Ledger } from '../../core/ledger/ledger.ts'
import type { Policy } from '../../core/ledger/policy.ts'
import { type MlsJob, type MlsOutcome, type RosterFacts, SUITE, type Suite } from '../../core/mls/engine.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { Verdicts } from '../../sim/mls/judge.ts'
import { StandInEngine } from '../../sim/mls/standin.ts'
import { EventQueue } from '../../sim/queue.ts'
import { keysFrom, type Random, Streams } from '../../sim/random.ts'
import { GroupNode, type Packet, type Person, type Surroundings } from './group-node.ts'
import { DAY, NOW, TERMS } from './ledger.ts'

export interface GroupWorldOptions {
  readonly seed: number
  /** Share of deliveries that are lost. */
  readonly loss?: number
  readonly delay?: readonly [Micros, Micros]
  readonly suite?: Suite
  /** By default the stand-in as it is. */
  readonly engine?: (node: GroupNode) => StandInEngine
}

interface DoorSession {
  readonly id: number
  readonly ends: readonly [GroupNode, GroupNode]
  readonly lives: readonly [number, number]
  /** Nothing to an end overtakes this. */
  readonly lastAt: [Micros, Micros]
}

/** Cards: three after a start, then every 60 s ± 50 % (sec:A7). */
const FIRST_CARDS: readonly Micros[] = [0, 200 * MILLISECOND, 1 * SECOND]
const LABEL = TERMS.label

export class GroupWorld implements Surroundings {
  now: Micros = 0
  readonly crypto = standInCrypto
  readonly nodes: GroupNode[] = []
  readonly founding: Founding
  readonly vlan: Uint8Array
  readonly verdicts = new Verdicts()
  readonly dice: Random
  /** Seals by MLS-ID: two for one are two keys in one epoch. */
  readonly seals = new Map<string, string>()
  /** Member keys of each epoch that somebody adopted, in hex. */
  readonly rosters = new Map<string, ReadonlySet<string>>()
  /** When each epoch was first adopted. */
  readonly born = new Map<string, Micros>()
  /** Every channel packet, before loss; for those who watch. */
  watch: ((packet: Packet) => void) | undefined
  /** Whether doors open at all. */
  doors = true
  /** Tokens of branches differ, as when their salts do: of another epoch's packets nothing is heard. */
  isSalted = false
  loss: number
  readonly #delay: readonly [Micros, Micros]
  readonly #streams: Streams
  readonly #queue = new EventQueue()
  readonly #events = new Map<number, () => void>()
  readonly #alarms = new Map<number, Micros>()
  readonly #sessions = new Map<number, DoorSession>()
  #part: readonly number[] = []
  #eventIds = 0
  #sessionIds = 0
  #revocations = 0
  readonly #policy: Policy
  readonly #engine: (node: GroupNode) => StandInEngine

  constructor(options: GroupWorldOptions) {
    const {
      seed,
      loss = 0,
      delay = [10 * MILLISECOND, 80 * MILLISECOND],
      engine,
      suite = SUITE.x25519,
    } = options
    this.#streams = new Streams(seed)
    this.dice = this.#streams.stream('world')
    this.loss = loss
    this.#delay = delay
    const keys = keysFrom(this.#streams.stream('authority'))
    this.founding = found(this.crypto, keys, { terms: { ...TERMS, suite }, now: NOW })
    this.vlan = this.founding.vlan
    const { issuer } = this.founding
    this.#engine = engine ?? (() => new StandInEngine(this.crypto, this.verdicts))
    if (issuer.kind !== 'authority') throw new Error('an admin founded a test')
    this.#policy = issuer.policy
  }

  // People.

  /** Somebody with a Grant in the own name, or with a redeemed invitation; its machine is not started. */
  person(end = NOW + 90 * DAY, invited = this.invitation(end)): GroupNode {
    const seed = this.#keys(`person/${this.nodes.length}`).bytes(32)
    const redemption = makeRedemption(this.crypto, invited.grant, invited.seed, seed)
    const facts = [invited.grant, redemption]
    return this.#add({ seed, serial: invited.grant.id, facts })
  }

  /** Somebody with a Grant in the own name: one fact less. */
  holder(end = NOW + 90 * DAY): GroupNode {
    const keys = this.#keys(`holder/${this.nodes.length}`)
    const seed = keys.bytes(32)
    const holder = this.crypto.signatures.publicKey(seed)
    const order: GrantOrder = { holderKind: 'member', holder, role: 'member', end }
    const grant = makeGrant(this.crypto, keys, this.founding.issuer, this.vlan, order)
    return this.#add({ seed, serial: grant.id, facts: [grant] })
  }

  invitation(end = NOW + 90 * DAY): {
    readonly seed: Uint8Array
    readonly grant: ReturnType<typeof makeGrant>
  } {
    const keys = this.#keys(`invitation/${this.#eventIds}/${this.nodes.length}`)
    const seed = keys.bytes(32)
    const order: GrantOrder = {
      holderKind: 'invitation',
      holder: this.crypto.signatures.publicKey(seed),
      role: 'member',
      end,
    }
    return { seed, grant: makeGrant(this.crypto, keys, this.founding.issuer, this.vlan, order) }
  }

  #keys(name: string): ReturnType<typeof keysFrom> {
    return keysFrom(this.#streams.stream(name))
  }

  #add(person: Person): GroupNode {
    const node = new GroupNode(this.nodes.length, this, person, this.#policy, LABEL, this.verdicts)
    this.nodes.push(node)
    return node
  }

  /** Starts a machine without anything stored; it knows the Charter if `charter`. */
  boot(node: GroupNode): void {
    const stream = this.#streams.stream(`node/${node.index}/${node.life}`)
    const wall = { millis: () => NOW + Math.floor(this.now / MILLISECOND) + node.skewMillis }
    const ledger = new Ledger(this.crypto, { policy: this.#policy, label: LABEL })
    const ports = { dice: stream, keys: keysFrom(stream.fork('keys')), wall }
    node.boot(ports, this.#engine(node), ledger)
    this.act(node, (group) => group.route(this.now, Uint8Array.of(node.index >> 8, node.index & 0xff)))
    for (const after of FIRST_CARDS) this.#later(after, node, () => this.#card(node))
    this.#later(this.#cardPeriod(), node, () => this.#cards(node))
  }

  /** The first member, alone in epoch 0. */
  found(): GroupNode {
    const { founding } = this
    const node = this.#add({ seed: founding.memberSeed, serial: founding.grant.id, facts: founding.facts })
    this.boot(node)
    this.#learn(node, node.person.facts)
    this.act(node, (group) => group.command(this.now, { kind: 'found' }))
    this.run(1 * SECOND)
    return node
  }

  /** A person asks to be let in. */
  join(node: GroupNode = this.person(), mayFound = false): GroupNode {
    this.boot(node)
    this.#learn(node, node.person.facts)
    this.act(node, (group) => group.command(this.now, { kind: 'join', mayFound }))
    return node
  }

  #learn(node: GroupNode, facts: readonly Fact[]): void {
    this.act(node, (group) =>
      group.command(this.now, { kind: 'facts', facts: facts.map(({ bytes }) => bytes) }),
    )
  }

  /**
   * That many members in one epoch, as if they had been together for long: their states are made by their
   * engines and started from their disks.
   */
  established(count: number): GroupNode[] {
    const { founding } = this
    const first = this.#add({ seed: founding.memberSeed, serial: founding.grant.id, facts: founding.facts })
    const nodes = [first]
    while (nodes.length < count) nodes.push(this.holder())
    const facts = [founding.charter, ...nodes.flatMap(({ person }) => person.facts)]
    const built = this.#build(nodes)
    const wasOpen = this.doors
    this.doors = false
    for (const [index, node] of nodes.entries()) {
      const { leafSeed, state, salts } = built[index] as (typeof built)[number]
      const record = { ackCounter: 0, joinNumber: NOW, leafSeed, salts, way: NO_WAY, state }
      node.disk.head = encodeHead(record)
      this.boot(node)
      for (const { bytes } of facts) node.ledger.add(bytes)
      node.ledger.takeAdded()
      this.act(node, (group) => group.command(this.now, { kind: 'restore', stored: node.stored }))
    }
    this.run(3 * SECOND)
    this.doors = wasOpen
    if (new Set(nodes.map(({ head }) => head)).size !== 1) throw new Error('the members are not in one epoch')
    return nodes
  }

  /** States of all in the last of several epochs, each adding 64. */
  #build(nodes: readonly GroupNode[]): {
    leafSeed: Uint8Array
    state: Uint8Array
    salts: { current: Uint8Array; previous: Uint8Array; since: number }
  }[] {
    const { crypto, vlan } = this
    const keys = this.#keys('built')
    const charter = fixedHash(crypto.hash, vlan, this.founding.charter)
    const seeds = nodes.map(() => keys.bytes(32))
    const leaf = (at: number): { credential: Uint8Array; leafSeed: Uint8Array } => {
      const leafSeed = seeds[at] as Uint8Array
      const leafKey = crypto.signatures.publicKey(leafSeed)
      const { seed, serial } = (nodes[at] as GroupNode).person
      return {
        leafSeed,
        credential: makeCredential(crypto.signatures, vlan, seed, { serial, joinNumber: NOW, leafKey }),
      }
    }
    const engines = nodes.map(() => new StandInEngine(crypto, this.verdicts))
    const current = nodes.map(() => 0)
    const run = (at: number, job: MlsJob): Extract<MlsOutcome, { ok: true }> => {
      const outcome = (engines[at] as StandInEngine).run(job)
      if (!outcome.ok) throw new Error(`${job.kind} for node ${at} was refused: ${outcome.why}`)
      return outcome
    }
    const base = { group: 1, wishes: WISHES }
    let salt = new Uint8Array(32)
    const made = run(0, {
      kind: 'create',
      ...base,
      suite: 1,
      groupId: vlan,
      charter,
      ...leaf(0),
      entropy: keys.bytes(32),
      into: 1,
    })
    if (made.kind === 'epoch') salt = (made.epoch as RosterFacts).exports[1] as Uint8Array<ArrayBuffer>
    current[0] = 1
    for (let from = 1; from < nodes.length; from += 64) {
      const joiners = nodes.slice(from, from + 64).map((_, offset) => from + offset)
      const adds: Uint8Array[] = []
      for (const at of joiners) {
        const outcome = run(at, {
          kind: 'keyPackage',
          group: 1,
          suite: 1,
          groupId: vlan,
          ...leaf(at),
          entropy: keys.bytes(32),
          into: 1,
        })
        if (outcome.kind === 'keyPackage') adds.push(outcome.keyPackage)
      }
      const into = (current[0] as number) + 1
      const commit = run(0, {
        kind: 'commit',
        ...base,
        from: current[0] as number,
        into,
        removes: [],
        adds,
        authenticatedData: new Uint8Array(0),
        welcomeData: new Uint8Array(71),
        entropy: keys.bytes(32),
      })
      if (commit.kind !== 'committed' || commit.welcome === undefined) throw new Error('no commit was made')
      for (let at = 0; at < from; at++) {
        const next = at === 0 ? into : (current[at] as number) + 1
        if (at > 0)
          run(at, {
            kind: 'process',
            ...base,
            from: current[at] as number,
            into: next,
            commit: commit.commit,
          })
        run(at, { kind: 'drop', group: 1, states: [current[at] as number] })
        current[at] = next
      }
      for (const at of joiners) {
        run(at, { kind: 'join', ...base, keyPackage: 1, into: 2, welcome: commit.welcome, charter })
        current[at] = 2
      }
    }
    return nodes.map((_, at) => {
      const outcome = run(at, { kind: 'encode', group: 1, state: current[at] as number })
      if (outcome.kind !== 'encoded') throw new Error('a state has no bytes')
      return {
        leafSeed: seeds[at] as Uint8Array,
        state: outcome.stored,
        salts: { current: salt, previous: salt, since: NOW },
      }
    })
  }

  // What happens to them.

  /** The authority revokes a member; the given node hears of it first. */
  revoke(target: GroupNode, ...at: readonly GroupNode[]): Fact {
    this.#revocations += 1
    const order = { target: { kind: 'key', bytes: target.key }, number: this.#revocations } as const
    const fact = makeRevocation(this.crypto, this.founding.issuer, this.vlan, order)
    for (const node of at) this.#learn(node, [fact])
    return fact
  }

  learn(node: GroupNode, facts: readonly Fact[]): void {
    this.#learn(node, facts)
  }

  leave(node: GroupNode): void {
    this.act(node, (group) => group.command(this.now, { kind: 'leave' }))
  }

  crash(node: GroupNode): void {
    node.crash()
    for (const [id, { ends }] of this.#sessions) if (ends.includes(node)) this.#endSession(id)
  }

  /** Starts again from its disk, or from the copy of it that is given. */
  restart(node: GroupNode, disk = { ...node.disk }): void {
    Object.assign(node.disk, { head: undefined, next: undefined, ledger: undefined }, disk)
    this.boot(node)
    this.#learn(node, node.person.facts)
    if (node.disk.head === undefined)
      this.act(node, (group) => group.command(this.now, { kind: 'join', mayFound: false }))
    else this.act(node, (group) => group.command(this.now, { kind: 'restore', stored: node.stored }))
  }

  /** Nodes of different parts hear nothing of each other; those not named are in part 0. */
  partition(...parts: readonly (readonly GroupNode[])[]): void {
    const part: number[] = this.nodes.map(() => 0)
    for (const [number, nodes] of parts.entries()) for (const node of nodes) part[node.index] = number
    this.#part = part
    for (const [id, { ends }] of this.#sessions) if (!this.#reach(ends[0], ends[1])) this.#endSession(id)
  }

  heal(): void {
    this.#part = []
  }

  #reach(left: GroupNode, right: GroupNode): boolean {
    return (this.#part[left.index] ?? 0) === (this.#part[right.index] ?? 0)
  }

  // Time.

  run(span: Micros): void {
    this.until(() => false, span)
  }

  /** Runs until it holds, asked every 50 ms, or the time is over; whether it held. */
  until(holds: () => boolean, limit: Micros): boolean {
    const end = this.now + limit
    let askAt = this.now
    while (this.now < end) {
      if (askAt <= this.now) {
        if (holds()) return true
        askAt = this.now + 50 * MILLISECOND
      }
      const next = Math.min(this.#queue.size > 0 ? this.#queue.nextTime() : NEVER, askAt, end)
      if (this.#queue.size > 0 && this.#queue.nextTime() <= next) this.#next()
      else this.now = next
    }
    return holds()
  }

  #next(): void {
    this.#queue.pop()
    this.now = this.#queue.time
    const id = this.#queue.a
    const event = this.#events.get(id)
    this.#events.delete(id)
    event?.()
  }

  #at(time: Micros, event: () => void): void {
    this.#eventIds += 1
    this.#events.set(this.#eventIds, event)
    this.#queue.push(Math.max(time, this.now), 0, this.#eventIds, 0)
  }

  /** Something that only this life of the node lives to see. */
  #later(after: Micros, node: GroupNode, event: () => void): void {
    const { life } = node
    this.#at(this.now + after, () => {
      if (node.life === life && node.isAlive) event()
    })
  }

  /** One step of a node's machine, its effects, its alarm. */
  act(node: GroupNode, input: Parameters<GroupNode['step']>[0]): void {
    node.step(input)
    this.#arm(node)
  }

  #arm(node: GroupNode): void {
    const at = node.group?.nextDeadline() ?? NEVER
    const set = this.#alarms.get(node.index) ?? NEVER
    if (at === NEVER || (set <= at && set > this.now)) return
    const due = Math.max(at, this.now + 1)
    this.#alarms.set(node.index, due)
    this.#later(due - this.now, node, () => {
      if (this.#alarms.get(node.index) === due) this.#alarms.delete(node.index)
      if ((node.group?.nextDeadline() ?? NEVER) <= this.now) node.step((group) => group.wake(this.now))
      this.#arm(node)
    })
  }

  // What nodes ask for.

  broadcast(node: GroupNode, packet: Packet): void {
    this.watch?.(packet)
    for (const other of this.nodes) {
      if (other === node || !other.isAlive || (packet.to !== undefined && packet.to !== other.name)) continue
      if (!this.#reach(node, other) || this.dice.chance(this.loss)) continue
      this.#later(this.#wait(), other, () => this.deliver(other, packet))
    }
  }

  deliver(node: GroupNode, packet: Packet): void {
    node.receive(packet)
    if (node.holds) this.#later(2 * SECOND + 1, node, () => this.#retry(node))
    this.#arm(node)
  }

  #retry(node: GroupNode): void {
    node.retryHeld()
    this.#arm(node)
  }

  #wait(): Micros {
    const [least, most] = this.#delay
    return least + this.dice.below(most - least + 1)
  }

  job(node: GroupNode, job: number, work: MlsJob): void {
    const { outcome, cost } = node.run(work)
    this.#later(cost, node, () => this.act(node, (group) => group.jobDone(this.now, job, outcome)))
  }

  store(node: GroupNode, id: number, slot: Slot, record: Uint8Array): void {
    this.#later((1 + this.dice.below(5)) * MILLISECOND, node, () => {
      node.disk[slot] = record
      this.act(node, (group) => group.stored(this.now, id, true))
    })
  }

  welcome(node: GroupNode, route: Uint8Array, message: Uint8Array): void {
    const other = this.nodes[((route[0] ?? 0) << 8) | (route[1] ?? 0)]
    if (other === undefined || !this.#reach(node, other) || this.dice.chance(this.loss)) return
    this.#later(2 * this.#wait(), other, () => this.act(other, (group) => group.welcome(this.now, message)))
  }

  knock(node: GroupNode, purpose: Purpose, head: Uint8Array | undefined): void {
    if (!this.doors || this.dice.chance(this.loss)) return
    const there = this.nodes.filter(
      (other) => other !== node && other.head !== undefined && this.#reach(node, other),
    )
    const those = there.filter((other) => head !== undefined && other.group?.knows(head) === true)
    const others = there.filter((other) => other.head !== (head && hex(head)))
    const isSought = purpose === 'merge' || those.length > 0
    const answering = purpose === 'catchUp' ? others : isSought ? those : there
    const other = answering[this.dice.below(Math.max(1, answering.length))]
    if (other === undefined) return
    this.#sessionIds += 1
    const id = this.#sessionIds
    const session: DoorSession = { id, ends: [node, other], lives: [node.life, other.life], lastAt: [0, 0] }
    this.#sessions.set(id, session)
    for (const [at, end] of session.ends.entries())
      this.#through(session, at, () =>
        end.step((group) =>
          group.doorOpened(this.now, id, (session.ends[1 - at] as GroupNode).key, purpose, at === 0),
        ),
      )
  }

  doorSend(node: GroupNode, id: number, message: Uint8Array): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    const at = session.ends[0] === node ? 1 : 0
    const end = session.ends[at] as GroupNode
    this.#through(session, at, () => end.step((group) => group.doorMessage(this.now, id, message)))
  }

  doorClose(_node: GroupNode, id: number): void {
    this.#endSession(id)
  }

  /** In order, and never lost while the session lives. */
  #through(session: DoorSession, at: number, event: () => void): void {
    const end = session.ends[at] as GroupNode
    const time = Math.max((session.lastAt[at] ?? 0) + 1, this.now + this.#wait())
    session.lastAt[at] = time
    this.#at(time, () => {
      if (end.life !== session.lives[at] || !end.isAlive) return
      event()
      this.#arm(end)
    })
  }

  #endSession(id: number): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    for (const [at, end] of session.ends.entries())
      this.#through(session, at, () => end.step((group) => group.doorClosed(this.now, id)))
  }

  // Seen from above.

  adopted(node: GroupNode, epoch: AdoptedEpoch, seal: string, follows: boolean): void {
    const name = hex(epoch.mlsId)
    const known = this.seals.get(name)
    if (known !== undefined && known !== seal) throw new Error(`two keys in epoch ${name}`)
    if (!this.born.has(name)) {
      this.seals.set(name, seal)
      this.born.set(name, this.now)
      const members = new Set<string>()
      for (const { identity } of epoch.roster.values()) members.add(hex(identity.memberKey))
      this.rosters.set(name, members)
    }
    if (!this.rosters.get(name)?.has(node.name))
      throw new Error(`node ${node.index} is in an epoch without it`)
    const own = epoch.roster.get(epoch.ownLeaf)?.identity.memberKey
    if (own === undefined || !sameBytes(own, node.key))
      throw new Error(`node ${node.index} has another's leaf`)
    if (node.holds) this.#later(0, node, () => this.#retry(node))
    // As after a start (sec:A7): who follows its group from epoch to epoch is known there already.
    if (!follows) this.#later(0, node, () => this.#card(node))
  }

  #card(node: GroupNode): void {
    const packet = node.card()
    if (packet !== undefined) this.broadcast(node, packet)
  }

  #cards(node: GroupNode): void {
    this.#card(node)
    this.#later(this.#cardPeriod(), node, () => this.#cards(node))
  }

  #cardPeriod(): Micros {
    return 30 * SECOND + this.dice.below(60 * SECOND)
  }

  /** How many of these (all that live, by default) are in which epoch. */
  heads(nodes: readonly GroupNode[] = this.nodes): Map<string, number> {
    const heads = new Map<string, number>()
    for (const node of nodes) {
      if (!node.isAlive) continue
      const head = node.head ?? 'none'
      heads.set(head, (heads.get(head) ?? 0) + 1)
    }
    return heads
  }

  /** Whether all of these are in one epoch with exactly so many members. */
  isOne(nodes: readonly GroupNode[], members?: number): boolean {
    const heads = this.heads(nodes)
    if (heads.size !== 1 || heads.has('none')) return false
    return members === undefined || nodes.every((node) => node.group?.view().members === members)
  }
}
