/** One machine of the door's world: a member with a stand-in for its group, or somebody who wants in. */
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Ambassador } from '../../core/door/ambassador.ts'
import { CatchUp } from '../../core/door/catch-up.ts'
import type { DoorContext, DoorWires } from '../../core/door/context.ts'
import type { Doorway } from '../../core/door/doorway.ts'
import { Joiner, type JoinerEvent } from '../../core/door/joiner.ts'
import type { Evidence, LogEntry } from '../../core/door/messages.ts'
import { DOOR_REFUSAL, type DoorRefusal } from '../../core/door/refusals.ts'
import { encodeSalts } from '../../core/door/salts.ts'
import { Servings } from '../../core/door/serve.ts'
import { Sponsor } from '../../core/door/sponsor.ts'
import type { AddRequest, Meeting, SponsorPort } from '../../core/door/sponsor-port.ts'
import { hex, mlsId, saltId, sameBytes } from '../../core/ids.ts'
import { MILLISECOND, type Micros, NEVER } from '../../core/io.ts'
import { makeCredential } from '../../core/ledger/certificate.ts'
import { fixedHash } from '../../core/ledger/facts.ts'
import { type Founding, redeem } from '../../core/ledger/founding.ts'
import { type Invitation, parseInvitation } from '../../core/ledger/invitation.ts'
import type { Ledger, Outcome } from '../../core/ledger/ledger.ts'
import type { Certificate, Lineage } from '../../core/ledger/standing.ts'
import { readCredential } from '../../core/mls/credential.ts'
import type { MlsJob, MlsOutcome, RosterLeaf, StateName } from '../../core/mls/engine.ts'
import type { Verdicts } from '../../sim/mls/judge.ts'
import { StandInEngine } from '../../sim/mls/standin.ts'

const GROUP = 1
const WISHES = [{ label: 'peertap group init', context: new Uint8Array(0), length: 32 }]
const COMMIT_AFTER: Micros = 50 * MILLISECOND
const CARD_AFTER: Micros = 100 * MILLISECOND

export interface Person {
  readonly seed: Uint8Array
  readonly key: Uint8Array
}

/** The world around a node, as it needs it. */
export interface Surroundings {
  readonly now: Micros
  readonly crypto: Crypto
  readonly founding: Founding
  readonly verdicts: Verdicts
  readonly nodes: readonly DoorNode[]
  wall(): number
  ledger(): Ledger
  /** Online nodes of a branch that are in its group. */
  group(branch: string): DoorNode[]
  after(delay: Micros, act: () => void): void
  broadcast(from: DoorNode, packet: Uint8Array): void
  gossip(from: DoorNode, fact: Uint8Array): void
  proves(token: Uint8Array, proof: Uint8Array): boolean
}

export class DoorNode implements SponsorPort, Lineage {
  readonly world: Surroundings
  readonly name: string
  person: Person
  branch: string
  readonly context: DoorContext
  ledger: Ledger
  readonly engine: StandInEngine
  sponsor: Sponsor | undefined
  servings: Servings | undefined
  joiner: Joiner | undefined
  catchUp: CatchUp | undefined
  ambassador: Ambassador | undefined
  doorway: Doorway | undefined
  online = true
  /** Answers calls for which it is not among the lowest. */
  eager = false
  /** Shows the certificate that it had, whatever its ledger says by now. */
  showsOldChain = false
  /** Sends no cards. */
  silent = false
  /** Takes no requests. */
  refuses = false
  readonly tokens = new Set<string>()
  readonly failures: string[] = []
  readonly events: string[] = []
  salt: Uint8Array
  state: StateName = 0
  leafSeed: Uint8Array | undefined
  roster: RosterLeaf[] = []
  readonly entries: LogEntry[] = []
  lineageOf: Uint8Array[] = []
  meeting: Meeting | undefined
  readonly #joined = new Map<string, number>()
  #states = 0
  #joinNumber = 0
  #chain: Certificate | undefined
  readonly #asked = new Map<number, AddRequest>()

  constructor(
    world: Surroundings,
    name: string,
    person: Person,
    branch: string,
    context: (wires: DoorWires) => DoorContext,
  ) {
    this.world = world
    this.name = name
    this.person = person
    this.branch = branch
    this.context = context({
      send: (_now, packet) => {
        if (this.online) world.broadcast(this, packet)
      },
      hold: (_now, token, proof) => {
        if (!world.proves(token, proof)) throw new Error('a registration without its proof')
        this.tokens.add(hex(token))
      },
      release: (_now, token) => this.tokens.delete(hex(token)),
    })
    this.ledger = world.ledger()
    this.engine = new StandInEngine(world.crypto, world.verdicts)
    this.salt = world.crypto.hash.hash32(Uint8Array.of(1, 2, 3))
  }

  // What tests ask.

  get isMember(): boolean {
    return this.head() !== undefined
  }

  members(): string[] {
    return this.roster.map(({ credential }) => hex(credential.subarray(0, 32))).sort()
  }

  has(key: Uint8Array): boolean {
    return this.members().includes(hex(key))
  }

  get tally(): Record<string, number> {
    return this.context.tally.view()
  }

  // The group's beginning, without doors.

  foundGroup(): void {
    const into = this.fresh()
    const outcome = this.run({ kind: 'create', ...this.#fixed(), ...this.#newLeaf(), ...this.#into(into) })
    if (!outcome.ok || outcome.kind !== 'epoch') throw new Error('a founding failed')
    this.#adopt(into, outcome.epoch.exports[0], outcome.epoch.roster)
  }

  /** Adds another and lets all of the group follow, at once. */
  admitByHand(other: DoorNode): void {
    const into = other.fresh()
    const leaf = other.#newLeaf()
    const outcome = other.run({ kind: 'keyPackage', ...other.#fixed(), ...leaf, ...other.#into(into) })
    if (!outcome.ok || outcome.kind !== 'keyPackage') throw new Error('no KeyPackage')
    const welcome = this.#commit([outcome.keyPackage], [])
    const state = other.fresh()
    const joined = other.run({
      kind: 'join',
      keyPackage: into,
      welcome,
      ...other.#fixed(),
      ...other.#into(state),
    })
    if (!joined.ok || joined.kind !== 'joined') throw new Error('no Welcome')
    other.#adopt(state, joined.epoch.exports[0], joined.epoch.roster)
    other.leafSeed = leaf.leafSeed
    for (const [name, epoch] of this.#joined) other.#joined.set(name, epoch)
    other.lineageOf = [...this.lineageOf]
  }

  openDoor(): void {
    this.#chain = this.certificate()
    this.servings = new Servings(this.context, this)
    this.sponsor = new Sponsor(this.world.now, this.context, this, this.servings, this.person.seed)
    this.sponsor.open(this.world.now)
  }

  // Wanting in.

  joinBy(url: string): void {
    this.joinWith(parseInvitation(this.world.crypto, url))
  }

  /** Has the papers of a URL, and does nothing with them yet. */
  redeem(url: string): void {
    this.#redeem(parseInvitation(this.world.crypto, url))
  }

  #redeem(invitation: Invitation): void {
    const redeemed = redeem(this.world.crypto, this.context.keys, invitation)
    this.person = { seed: redeemed.memberSeed, key: redeemed.memberKey }
    for (const fact of redeemed.facts) this.ledger.add(fact.bytes)
  }

  joinWith(invitation: Invitation): void {
    this.#redeem(invitation)
    const expected = { floor: invitation.floor, issuer: invitation.issuer?.id }
    this.#startJoiner('join', expected, invitation.seed, {})
  }

  /** Drops the group and comes back by the door. */
  rejoin(options: { readonly foundAfter?: Micros } = {}): void {
    this.sponsor?.shut(this.world.now)
    this.sponsor = undefined
    this.lineageOf = []
    const floor = { authority: this.ledger.floor(), issuer: 0 }
    this.#startJoiner('rejoin', { floor, issuer: undefined }, undefined, options)
  }

  /** Comes back from being offline and fetches what it missed. */
  startCatchUp(): void {
    const { now } = this.world
    const head = this.head()
    if (head === undefined) throw new Error('nothing to catch up from')
    const options = { memberSeed: this.person.seed, ledger: this.ledger, learner: this }
    this.catchUp = new CatchUp(now, this.context, options, head)
    this.catchUp.start(this.#moment())
    this.#drain()
  }

  // Inputs of the world.

  packet(packet: Uint8Array): void {
    if (!this.online) return
    if (this.sponsor?.listens(packet)) this.sponsor.packet(this.world.now, packet)
    if (this.joiner?.listens(packet)) this.joiner.packet(this.#moment(), packet)
    if (this.catchUp?.listens(packet)) this.catchUp.packet(this.#moment(), packet)
    if (this.doorway?.listens(packet)) this.doorway.packet(this.#moment(), packet)
    if (this.ambassador?.listens(packet)) this.ambassador.packet(this.#moment(), packet)
    this.#drain()
  }

  wake(): void {
    this.sponsor?.wake(this.world.now)
    this.joiner?.wake(this.#moment())
    this.catchUp?.wake(this.#moment())
    this.ambassador?.wake(this.#moment())
    this.doorway?.wake(this.#moment())
    this.#drain()
  }

  hear(now: Micros, fact: Uint8Array): void {
    if (!this.online) return
    this.ledger.add(fact, this.world.wall())
    this.sponsor?.recheck(now)
  }

  nextDeadline(): Micros {
    if (!this.online) return NEVER
    return Math.min(
      this.sponsor?.nextDeadline() ?? NEVER,
      this.joiner?.nextDeadline() ?? NEVER,
      this.catchUp?.nextDeadline() ?? NEVER,
      this.ambassador?.nextDeadline() ?? NEVER,
      this.doorway?.nextDeadline() ?? NEVER,
    )
  }

  // SponsorPort.

  head(): Uint8Array | undefined {
    return this.lineageOf[0]
  }

  certificate(): Certificate | undefined {
    if (this.showsOldChain) return this.#chain
    return this.ledger.certificate(this.person.key)
  }

  lineage(): Lineage {
    return this
  }

  joined(serial: Uint8Array, member: Uint8Array): number | undefined {
    return this.#joined.get(hex(serial) + hex(member))
  }

  mayLetIn(): boolean {
    return true
  }

  keepers(): readonly Uint8Array[] {
    if (this.eager) return [this.person.key]
    return this.world.group(this.branch).map((node) => node.person.key)
  }

  wall(): number {
    return this.world.wall()
  }

  learn(now: Micros, fact: Uint8Array): Outcome {
    const outcome = this.ledger.add(fact, this.world.wall())
    if (outcome === 'added') {
      this.world.gossip(this, fact)
      this.sponsor?.recheck(now)
    }
    return outcome
  }

  requestAdd(_now: Micros, request: AddRequest): DoorRefusal | undefined {
    const [committer] = this.world.group(this.branch)
    if (committer === undefined || this.refuses) return DOOR_REFUSAL.busy
    const keyPackage = request.keyPackage.slice()
    this.#asked.set(request.id, request)
    this.world.after(COMMIT_AFTER, () => {
      const isWanted = this.#asked.delete(request.id)
      if (!isWanted || !committer.online) return
      const welcome = committer.#admit(keyPackage, request.member)
      if (welcome === undefined) this.servings?.notAdded(this.world.now, request.id)
      else this.servings?.welcome(this.world.now, [request.id], welcome)
      this.#drain()
    })
    return undefined
  }

  withdrawAdd(id: number): void {
    this.#asked.delete(id)
  }

  log(_now: Micros, from: Uint8Array): readonly LogEntry[] | undefined {
    if (sameBytes(from, this.head() ?? from)) return []
    const start = this.entries.findIndex((entry) => sameBytes(entry.parent, from))
    return start < 0 ? undefined : this.entries.slice(start)
  }

  leadsOn(mlsId: Uint8Array): boolean {
    return this.log(0, mlsId) !== undefined
  }

  lineageIds(): readonly Uint8Array[] {
    return this.lineageOf
  }

  evidence(_now: Micros, parent: Uint8Array | undefined): Evidence | undefined {
    if (this.roster.some(({ credential }) => this.ledger.refused(credential.subarray(0, 32))))
      return undefined
    const roster = this.roster.map(({ credential }) => credential.slice(0, 32))
    const head = this.head() ?? new Uint8Array(16)
    const child = this.lineageOf[this.lineageOf.findIndex((id) => parent && sameBytes(id, parent)) - 1]
    const committer = this.person.key
    const branch = child && { child, committer, proposals: 1, commitHash: new Uint8Array(32), acks: [] }
    return { head, roster, live: this.world.group(this.branch).length, branch }
  }

  met(_now: Micros, meeting: Meeting): void {
    this.meeting = meeting
  }

  welcomed(_now: Micros, numbers: readonly number[]): void {
    this.events.push(`welcomed ${numbers.join()}`)
  }

  notAdded(_now: Micros, number: number): void {
    this.events.push(`not added ${number}`)
  }

  // The group itself.

  fresh(): StateName {
    this.#states += 1
    return this.#states
  }

  run(job: MlsJob): MlsOutcome {
    return this.engine.run(job)
  }

  /** Removes a member and lets the branch follow. */
  removeByHand(key: Uint8Array): void {
    const leaf = this.roster.find(({ credential }) => sameBytes(credential.subarray(0, 32), key))
    if (leaf !== undefined) this.#commit([], [leaf.leaf])
  }

  /** As the committer of a branch: judges, commits, lets all online follow; the Welcome. */
  #admit(keyPackage: Uint8Array, member: Uint8Array | undefined): Uint8Array | undefined {
    const { suite, groupId } = this.#fixed()
    const looked = this.run({ kind: 'inspect', group: GROUP, suite, groupId, keyPackage })
    if (!looked.ok || looked.kind !== 'inspected') return undefined
    const said = readCredential(looked.leaf.credential)
    if (said === undefined || (member !== undefined && !sameBytes(said.memberKey, member))) return undefined
    const winner = this.ledger.winner(said.serial, this)
    if (winner !== undefined && !sameBytes(winner, said.memberKey)) return undefined
    if (this.ledger.certificate(said.memberKey, this) === undefined) return undefined
    const old = this.roster.filter(({ credential }) => sameBytes(credential.subarray(0, 32), said.memberKey))
    return this.#commit(
      [keyPackage],
      old.map(({ leaf }) => leaf),
    )
  }

  #commit(adds: readonly Uint8Array[], removes: readonly number[]): Uint8Array {
    const into = this.fresh()
    const welcomeData = encodeSalts({ current: this.salt, previous: undefined })
    const from = { group: GROUP, from: this.state, removes, adds, welcomeData }
    const made = this.run({
      kind: 'commit',
      ...from,
      authenticatedData: new Uint8Array(0),
      ...this.#into(into),
    })
    if (!made.ok || made.kind !== 'committed') throw new Error(`no commit: ${made.ok ? '' : made.why}`)
    const parent = this.head() as Uint8Array
    const roster = this.#changed(made.candidate.proposals)
    this.#adopt(into, made.candidate.exports[0], roster)
    const entry = { parent, child: this.head() as Uint8Array, commit: made.commit }
    this.entries.push(entry)
    for (const node of this.world.group(this.branch)) if (node !== this && !node.follow(entry)) node.#keepUp()
    return made.welcome ?? new Uint8Array(0)
  }

  /** Processes a commit of another member; false if it does not follow from here. */
  follow(entry: LogEntry): boolean {
    if (!sameBytes(entry.parent, this.head() ?? entry.child)) return false
    const into = this.fresh()
    const { commit } = entry
    const done = this.run({ kind: 'process', group: GROUP, from: this.state, into, commit, wishes: WISHES })
    if (!done.ok || done.kind !== 'candidate') return false
    this.#adopt(into, done.candidate.exports[0], this.#changed(done.candidate.proposals))
    this.entries.push({ parent: entry.parent.slice(), child: entry.child.slice(), commit: commit.slice() })
    return true
  }

  #changed(
    proposals: readonly { readonly kind: 'add' | 'remove'; readonly leaf: RosterLeaf }[],
  ): RosterLeaf[] {
    const roster = new Map(this.roster.map((leaf) => [leaf.leaf, leaf]))
    for (const { kind, leaf } of proposals) {
      if (kind === 'remove') roster.delete(leaf.leaf)
      else roster.set(leaf.leaf, leaf)
    }
    return [...roster.values()]
  }

  #adopt(state: StateName, secret: Uint8Array | undefined, roster: readonly RosterLeaf[]): void {
    const old = this.state
    this.state = state
    this.roster = [...roster]
    this.lineageOf.unshift(mlsId(this.world.crypto.hash, secret as Uint8Array))
    for (const { credential } of roster) {
      const name = hex(credential.subarray(32, 48)) + hex(credential.subarray(0, 32))
      if (!this.#joined.has(name)) this.#joined.set(name, this.lineageOf.length)
    }
    if (old !== 0) this.run({ kind: 'drop', group: GROUP, states: [old] })
  }

  /** A member that finds itself behind the others of its branch fetches what it missed. */
  #keepUp(): void {
    const [ahead] = this.world.group(this.branch)
    const isBehind = ahead !== undefined && !sameBytes(ahead.head() ?? this.salt, this.head() ?? this.salt)
    if (isBehind && (this.catchUp === undefined || this.catchUp.nextDeadline() === NEVER)) this.startCatchUp()
  }

  // The machines of the door.

  #startJoiner(
    purpose: 'join' | 'rejoin',
    expected: ConstructorParameters<typeof Joiner>[2]['expected'],
    invitationSeed: Uint8Array | undefined,
    options: { readonly foundAfter?: Micros },
  ): void {
    const { now } = this.world
    this.joiner = new Joiner(now, this.context, {
      purpose,
      memberSeed: this.person.seed,
      invitationSeed,
      ledger: this.ledger,
      learner: { learn: (_now, fact) => this.ledger.add(fact, this.world.wall()) },
      expected,
      lastJoinNumber: this.#joinNumber,
      group: GROUP,
      states: this,
      ...options,
    })
    this.joiner.start(this.#moment())
    this.#drain()
  }

  #drain(): void {
    this.#onAmbassador()
    for (let event = this.joiner?.take(); event !== undefined; event = this.joiner?.take())
      this.#onJoiner(event)
    for (let event = this.catchUp?.take(); event !== undefined; event = this.catchUp?.take()) {
      if (event.kind === 'entry') this.events.push(this.follow(event.entry) ? 'followed' : 'not followed')
      else this.events.push(event.kind)
      if (event.kind === 'caughtUp') this.#keepUp()
      if (event.kind === 'mustRejoin') this.rejoin()
      if (event.kind === 'failed') this.failures.push(event.why)
    }
  }

  #onAmbassador(): void {
    for (let event = this.ambassador?.take(); event !== undefined; event = this.ambassador?.take())
      this.failures.push(event.why)
  }

  #onJoiner(event: JoinerEvent): void {
    switch (event.kind) {
      case 'job': {
        const outcome = this.run(this.#wishing(event.job))
        this.world.after(MILLISECOND, () => {
          this.joiner?.jobDone(this.#moment(), outcome)
          this.#drain()
        })
        return
      }
      case 'candidate':
        this.#listenForCards(event.entered.epoch.exports[0] as Uint8Array)
        return
      case 'failed':
        this.failures.push(event.failure.group?.reason ?? event.failure.why)
        return
      case 'joined':
        this.#become(event.entered.state, event.entered.epoch, event.leafSeed)
        this.salt = event.entered.salts.current
        this.#keepUp()
        return
      case 'founded':
        this.#become(event.state, event.epoch, event.leafSeed)
        this.events.push('founded')
        return
    }
  }

  #become(
    state: StateName,
    epoch: { readonly exports: readonly Uint8Array[]; readonly roster: readonly RosterLeaf[] },
    leafSeed: Uint8Array,
  ): void {
    this.state = 0
    this.leafSeed = leafSeed
    this.#adopt(state, epoch.exports[0], epoch.roster)
    this.openDoor()
  }

  /** Members of the epoch say what their salt is. */
  #listenForCards(secret: Uint8Array): void {
    const { crypto } = this.world
    const head = mlsId(crypto.hash, secret)
    for (const node of this.world.nodes) {
      // Epochs that followed it say the same of the salt: here nothing rotates it.
      const isThere = node.lineageOf.some((id) => sameBytes(id, head))
      if (node === this || !node.online || node.silent || !isThere) continue
      this.world.after(CARD_AFTER, () => {
        this.joiner?.card(this.world.now, node.person.key, saltId(crypto.hash, node.salt))
        this.#drain()
      })
    }
  }

  /** The owner of a joiner adds the exports that it wants. */
  #wishing(job: MlsJob): MlsJob {
    return 'wishes' in job ? { ...job, wishes: WISHES } : job
  }

  #moment(): { now: Micros; wall: number } {
    return { now: this.world.now, wall: this.world.wall() }
  }

  #fixed() {
    const charter = this.world.founding.charter
    const { hash } = this.world.crypto
    const fixed = fixedHash(hash, charter.vlan, charter)
    return { group: GROUP, suite: 1, groupId: charter.vlan, charter: fixed } as const
  }

  #into(into: StateName) {
    return { into, entropy: this.context.keys.bytes(32), wishes: WISHES }
  }

  #newLeaf(): { credential: Uint8Array; leafSeed: Uint8Array } {
    const { signatures } = this.world.crypto
    const leafSeed = this.context.keys.bytes(32)
    this.#joinNumber += 1
    const serial = this.certificate()?.grant.id as Uint8Array
    const member = { serial, joinNumber: this.#joinNumber, leafKey: signatures.publicKey(leafSeed) }
    return {
      credential: makeCredential(signatures, this.world.founding.vlan, this.person.seed, member),
      leafSeed,
    }
  }
}
