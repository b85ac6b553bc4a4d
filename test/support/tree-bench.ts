/**
 * One tree under a glass: the neighbours are played by the test, which makes their messages byte by byte
 * and may lie in any of them.
 */
import { type NodeConfig, nodeConfig } from '../../core/config.ts'
import { type Context, Deadline } from '../../core/context.ts'
import { type CounterName, Counters } from '../../core/counters.ts'
import { signNamed } from '../../core/crypto/signed.ts'
import { concat, peerIdOf } from '../../core/ids.ts'
import { type LinkId, type Micros, NEVER, type NodeEvent, type TreeRole } from '../../core/io.ts'
import { CAPABILITY, Link, type LinkPort } from '../../core/links/link.ts'
import { Outbox } from '../../core/outbox.ts'
import { certificateBody, certificateHead, certificateId } from '../../core/tree/certificates.ts'
import { Crst } from '../../core/tree/crst.ts'
import { rankOf } from '../../core/tree/label.ts'
import {
  attach,
  type BeatPart,
  beat,
  beatBody,
  linkCertificate,
  path,
  pathRequest,
  SIGNED,
  type Update,
  update,
  type VoidPart,
  voidBody,
  voidMessage,
} from '../../core/tree/messages.ts'
import { ALL_RULES, type SafetyRules } from '../../core/tree/state.ts'
import type { TreeSummary } from '../../core/tree/tree.ts'
import { readU32 } from '../../core/wire/cursor.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { decodeControl, encodeControl, type Schema } from '../../core/wire/schema.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { TestDice } from './tree-events.ts'

const { hash, signatures } = standInCrypto

/** Somebody with a key pair: a neighbour, a root far away, or a liar. */
export interface Actor {
  readonly seed: Uint8Array
  readonly key: Uint8Array
}

export function actor(number: number): Actor {
  const seed = new Uint8Array(32).fill(0xa0)
  seed[0] = number
  return { seed, key: signatures.publicKey(seed) }
}

/** A certificate as it travels; `signer` other than `from` forges it. */
export function certificate(
  from: Actor,
  to: Actor,
  options: { serial?: number; cost?: number; life?: number; signer?: Actor } = {},
): Uint8Array {
  const head = certificateHead(to.key, options.serial ?? 1, options.cost ?? 20, options.life ?? 600)
  const body = certificateBody(0, from.key, head)
  return concat(head, signNamed(signatures, (options.signer ?? from).seed, SIGNED.certificate, body))
}

export function beatOf(
  root: Actor,
  options: { class?: number; priority?: number; seq?: number; count?: number; signer?: Actor } = {},
): BeatPart {
  const seq = options.seq ?? 65_537
  const unsigned = {
    key: root.key,
    class: options.class ?? 2,
    priority: options.priority ?? 1,
    seq,
    beat: (seq * 128 + (options.count ?? 0)) % 4_294_967_296,
  }
  const signer = options.signer ?? root
  return { ...unsigned, signature: signNamed(signatures, signer.seed, SIGNED.beat, beatBody(0, unsigned)) }
}

export function voidOf(from: Actor, to: Actor, serial = 1, signer = to): VoidPart {
  const body = voidBody(0, from.key, to.key, serial)
  return {
    from: from.key,
    to: to.key,
    serial,
    signature: signNamed(signatures, signer.seed, SIGNED.void, body),
  }
}

/** Who stands between the root and the neighbour, and what each link is said to cost. */
export interface Claimed {
  readonly beat: BeatPart
  /** Root first, the neighbour last. */
  readonly path: readonly Actor[]
  readonly costs?: readonly number[]
  readonly serial?: number
  /** Lies. */
  readonly metric?: number
  readonly seq?: number
  readonly class?: number
  readonly priority?: number
  readonly certificates?: readonly Uint8Array[]
}

function pathOf({ path: actors, costs, serial, certificates }: Claimed): readonly Uint8Array[] {
  if (certificates !== undefined) return certificates
  return actors.slice(1).map((to, index) => {
    const from = actors[index] as Actor
    return certificate(from, to, { serial: serial ?? 1, cost: costs?.[index] ?? 20 })
  })
}

function idsOf(claimed: Claimed): number[] {
  let from = claimed.beat.key
  return pathOf(claimed).map((wire) => {
    const id = certificateId(hash, from, wire)
    from = wire.subarray(0, 32)
    return id
  })
}

function hashOf(claimed: Claimed): readonly [number, number] {
  const ids = idsOf(claimed)
  const input = new Uint8Array(32 + 4 * ids.length)
  input.set(claimed.beat.key)
  ids.forEach((id, index) => {
    new DataView(input.buffer).setUint32(32 + 4 * index, id)
  })
  const digest = hash.hash16(input)
  return [readU32(digest, 0), readU32(digest, 4)]
}

export interface UpdateOptions {
  readonly generation?: number
  readonly flags?: number
  readonly claimed?: Claimed | undefined
  /** Default: all that the path needs. */
  readonly certificates?: Update['certificates']
  readonly ids?: readonly number[] | undefined
  readonly voids?: readonly VoidPart[]
  readonly beat?: BeatPart | undefined
}

export function updateOf(options: UpdateOptions): Uint8Array {
  const { claimed } = options
  let label: Update['label']
  if (claimed !== undefined) {
    const rank = rankOf(
      hash,
      0,
      claimed.beat.key,
      claimed.class ?? claimed.beat.class,
      claimed.priority ?? claimed.beat.priority,
    )
    const costs = pathOf(claimed).map((wire) => ((wire[36] as number) << 8) | (wire[37] as number))
    const [pathHigh, pathLow] = hashOf(claimed)
    const metric = claimed.metric ?? costs.reduce((sum, cost) => sum + cost, 0)
    label = { ...rank, seq: claimed.seq ?? claimed.beat.seq, metric, depth: costs.length, pathHigh, pathLow }
  }
  return encodeControl(KIND.update, update, {
    tree: 0,
    generation: options.generation ?? 1,
    flags: options.flags ?? 0,
    label,
    ids: 'ids' in options ? options.ids : claimed === undefined ? undefined : idsOf(claimed),
    certificates:
      options.certificates ??
      (claimed === undefined ? [] : pathOf(claimed).map((wire, place) => ({ place, certificate: wire }))),
    voids: options.voids ?? [],
    beat: 'beat' in options ? options.beat : claimed?.beat,
  })
}

export function pathMessage(claimed: Claimed): Uint8Array {
  const [pathHigh, pathLow] = hashOf(claimed)
  return encodeControl(KIND.path, path, {
    tree: 0,
    pathHigh,
    pathLow,
    beat: claimed.beat,
    certificates: pathOf(claimed),
  })
}

export const attachMessage = (generation: number) =>
  encodeControl(KIND.attach, attach, { tree: 0, generation })
export const detachMessage = (generation: number) =>
  encodeControl(KIND.detach, attach, { tree: 0, generation })
export const beatMessage = (part: BeatPart) => encodeControl(KIND.beat, beat, { tree: 0, ...part })
export const voidPacket = (part: VoidPart) => encodeControl(KIND.void, voidMessage, { tree: 0, ...part })
export const requestMessage = (wanted: number) =>
  encodeControl(KIND.pathRequest, pathRequest, { tree: 0, wanted })
export const certificateMessage = (wire: Uint8Array) =>
  encodeControl(KIND.linkCertificate, linkCertificate, { tree: 0, certificate: wire })

export interface Sent {
  readonly to: Actor
  readonly kind: number
  readonly packet: Uint8Array
  readonly at: Micros
}

/** The tree under test and its world of puppets. */
export class TreeBench implements LinkPort {
  now: Micros = 1_000_000
  readonly self: Actor
  readonly crst: Crst
  readonly counters = new Counters()
  readonly deadline = new Deadline()
  readonly sent: Sent[] = []
  /** Neighbours from which nothing is heard any more. */
  readonly silent = new Set<Actor>()
  /** Links on which the tree asked for a sign of life. */
  readonly asked: { readonly link: LinkId; readonly at: Micros }[] = []
  #answers: { readonly link: Link; readonly at: Micros }[] = []
  readonly events: NodeEvent[] = []
  readonly roles: { readonly link: LinkId; readonly role: TreeRole }[] = []
  readonly #out = new Outbox()
  readonly #links = new Map<Actor, Link>()
  #nextLink = 1
  /** Called for each packet that the tree sends, within the step. */
  onSend: ((link: Link) => void) | undefined

  constructor(options: { config?: Partial<NodeConfig>; rules?: SafetyRules; boot?: number } = {}) {
    this.self = actor(0)
    const context: Context = {
      self: peerIdOf(this.self.key),
      selfKey: this.self.key,
      selfSeed: this.self.seed,
      boot: options.boot ?? 1,
      config: nodeConfig(options.config),
      crypto: standInCrypto,
      dice: new TestDice(1),
      keys: { bytes: (length) => new Uint8Array(length) },
      counters: this.counters,
      out: this.#out,
      deadline: this.deadline,
    }
    const listener = {
      roleChanged: (_now: Micros, _tree: number, link: Link, role: TreeRole) => {
        this.roles.push({ link: link.id, role })
      },
      rootChanged: () => {},
    }
    this.crst = new Crst(context, this, listener, 0, options.rules ?? ALL_RULES)
    this.#wake()
  }

  // LinkPort.

  get(id: LinkId): Link | undefined {
    return this.all().find((link) => link.id === id)
  }

  byPeer(): Link | undefined {
    return undefined
  }

  all(): readonly Link[] {
    return [...this.#links.values()]
  }

  control(_now: Micros, link: Link, packet: Uint8Array): void {
    const to = [...this.#links].find(([, other]) => other === link)?.[0]
    if (to !== undefined)
      this.sent.push({ to, kind: packet[1] as number, packet: packet.slice(), at: this.now })
    this.onSend?.(link)
  }

  data(): boolean {
    return false
  }

  expect(): void {}
  /** Answered after a round trip, but by those that have fallen silent. */
  ask(now: Micros, link: Link): void {
    this.asked.push({ link: link.id, at: now })
    this.#answers.push({ link, at: now + link.rtt })
  }
  setTreeUse(_now: Micros, link: Link, used: boolean): void {
    link.treeUse = used
  }
  hangUp(): void {}

  // What a test does.

  /** A neighbour comes up and certifies the link. */
  meet(
    neighbour: Actor,
    options: { rtt?: Micros; certified?: boolean; cost?: number; relay?: boolean } = {},
  ): Link {
    const link = new Link(this.#nextLink++ as LinkId, peerIdOf(neighbour.key), neighbour.key, true, this.now)
    link.rtt = options.rtt ?? 20_000
    link.neighbour = true
    link.capabilities = options.relay === false ? 0 : CAPABILITY.relay | CAPABILITY.openRelay
    this.#links.set(neighbour, link)
    this.crst.onLink(this.now, link, true)
    this.#wake()
    if (options.certified !== false) {
      this.from(
        neighbour,
        certificateMessage(certificate(neighbour, this.self, { cost: options.cost ?? 20 })),
      )
    }
    return link
  }

  part(neighbour: Actor): void {
    const link = this.link(neighbour)
    this.#links.delete(neighbour)
    this.crst.onLink(this.now, link, false)
    this.#wake()
  }

  link(neighbour: Actor): Link {
    const link = this.#links.get(neighbour)
    if (link === undefined) throw new Error('no such neighbour')
    return link
  }

  /** The neighbour sends a packet. */
  from(neighbour: Actor, packet: Uint8Array): void {
    this.crst.onMessage(this.now, this.link(neighbour), packet[1] as number, packet)
    this.#wake()
  }

  /** What the next HELLO to the neighbour would say. */
  summaryFor(neighbour: Actor): TreeSummary {
    const summary = { generation: 0, sentHash: 0, receivedHash: 0, rootHash: 0, beat: 0 }
    this.crst.summary(this.link(neighbour), summary)
    return summary
  }

  /** The neighbour says HELLO, with nothing in it that is news. */
  hello(neighbour: Actor): void {
    const link = this.link(neighbour)
    link.heardAt = this.now
    const { sentHash, receivedHash, ...rest } = this.summaryFor(neighbour)
    this.crst.onSummary(this.now, link, { ...rest, sentHash: receivedHash, receivedHash: sentHash })
    this.#wake()
  }

  /** Time passes; alarms go off when they are due. */
  wait(duration: Micros): void {
    const until = this.now + duration
    for (;;) {
      const answer = Math.min(...this.#answers.map(({ at }) => at))
      const next = Math.min(this.deadline.at, answer)
      if (next > until) break
      this.now = Math.max(this.now, next)
      this.#hear()
      if (next === answer) this.#answer()
      else this.#wake()
    }
    this.now = until
    this.#hear()
    this.#drain()
  }

  /** Decoded packets of one kind that the neighbour was sent, oldest first. */
  to<T>(neighbour: Actor, kind: number, schema: Schema<T>): T[] {
    return this.sent
      .filter((sent) => sent.to === neighbour && sent.kind === kind)
      .map((sent) => {
        const decoded = decodeControl(schema, sent.packet)
        if (decoded === undefined) throw new Error(`a packet of kind ${kind} that nobody can read`)
        return decoded
      })
  }

  updatesTo(neighbour: Actor): Update[] {
    return this.to(neighbour, KIND.update, update)
  }

  lastUpdate(neighbour: Actor): Update {
    return this.updatesTo(neighbour).at(-1) as Update
  }

  count(name: CounterName): number {
    return this.counters.get(name)
  }

  role(neighbour: Actor): TreeRole {
    return this.crst.role(this.link(neighbour).id)
  }

  #wake(): void {
    for (let rounds = 0; this.deadline.at <= this.now; rounds++) {
      if (rounds > 10) throw new Error('the tree wants to be woken again and again')
      this.deadline.at = NEVER
      this.deadline.lower(this.crst.wake(this.now))
    }
    this.#drain()
  }

  /** Neighbours say their HELLOs, but for those that a test has fall silent. */
  #hear(): void {
    for (const [neighbour, link] of this.#links) if (!this.silent.has(neighbour)) link.heardAt = this.now
  }

  #answer(): void {
    const due = this.#answers.filter(({ at }) => at <= this.now)
    this.#answers = this.#answers.filter(({ at }) => at > this.now)
    for (const [neighbour, link] of [...this.#links])
      if (!this.silent.has(neighbour) && due.some((each) => each.link === link)) this.hello(neighbour)
  }

  #drain(): void {
    const nothing = () => {}
    this.#out.drain({
      deliver: nothing,
      send: nothing,
      dial: nothing,
      hangUp: nothing,
      start: nothing,
      store: nothing,
      note: (event) => this.events.push(event),
    })
  }
}
