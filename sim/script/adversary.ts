/**
 * A revoked member that does not go. It has kept every state of its engine and sees every commit that
 * anybody makes. From its last epoch it makes rival commits, many, to pick those that win by their hash, and
 * releases them one after the other: at once, beside the commit that removes it, and late. Afterwards it
 * tries with all that it has how far it can follow the others (protocol-security.md, M3, M4 and tests 1, 2).
 */
import { Counters } from '../../core/counters.ts'
import type { Hash } from '../../core/crypto/ports.ts'
import { WISHES } from '../../core/group/epoch.ts'
import { encodeHandshake } from '../../core/group/messages.ts'
import { compareBytes, hex, mlsId, unhex } from '../../core/ids.ts'
import { CHANNEL, type LinkId, SECOND } from '../../core/io.ts'
import { encodeCommitData } from '../../core/ledger/commit-data.ts'
import type { CommitJob, MlsOutcome } from '../../core/mls/engine.ts'
import { EpochExporter } from '../../core/mls/exporter.ts'
import { Sealer } from '../../core/seal/sealer.ts'
import { PAYLOAD_KIND } from '../../core/vlan/plaintext.ts'
import { tokenOf, vlanOf } from '../../core/wire/packet.ts'
import { TRUNK_KIND, trunkHop } from '../../core/wire/trunk.ts'
import type { MachineEngine } from '../mls/engines.ts'
import { factsOf, type KeptState } from '../mls/kept.ts'
import type { SimNode } from '../node.ts'
import { keysFrom } from '../random.ts'
import type { Resister, Stage } from '../stage.ts'
import type { SimVlan } from '../vlans.ts'

/** Rival commits that are made; those of the lowest hashes are released. */
const GROUND = 64
/** By then no honest member keeps the parent's state any more (sec:B7). */
const RELEASED_AT_SECONDS = [0.05, 0.2, 0.5, 1, 2, 5, 10, 20, 30]
const HOP = trunkHop(TRUNK_KIND.data, 0, 64)
const NONE = new Uint8Array(0)
/** Names of states in engines of its own. */
const AT = { parent: 1, child: 2 } as const
const GROUP = 1

interface Rival {
  /** MLS-ID. */
  readonly child: Uint8Array
  readonly hash: Uint8Array
  readonly commit: Uint8Array
}

export class Adversary implements Resister {
  readonly node: SimNode
  /** Commits that were sent into the VLAN. */
  released = 0
  readonly #stage: Stage
  /** In hex. */
  readonly memberKey: string
  readonly #kept: ReadonlyMap<string, KeptState>
  readonly #engine: MachineEngine
  readonly #hash: Hash

  /** `parent`: the epoch that it was in; `header`: of a packet that it sealed for all there. */
  constructor(stage: Stage, vlan: SimVlan, node: SimNode, parent: string, header: Uint8Array) {
    this.#stage = stage
    this.node = node
    this.memberKey = hex(vlan.mls?.memberKey(node.index) ?? NONE)
    this.#kept = new Map(stage.world.keptBy(node))
    this.#engine = stage.world.newEngine()
    this.#hash = stage.crypto.hash
    const state = this.#kept.get(parent)
    if (state === undefined) return
    const sealer = this.#sealerFor(state, unhex(parent), header)
    const rivals = this.#grind(state, unhex(parent))
    stage.reach.forged(
      this.memberKey,
      rivals.map(({ child }) => hex(child)),
    )
    for (const [turn, seconds] of RELEASED_AT_SECONDS.entries()) {
      const rival = rivals[turn]
      const at = stage.world.now + Math.round(seconds * SECOND)
      if (rival !== undefined)
        stage.world.at(at, () => this.#release(sealer, state.facts.ownLeaf, unhex(parent), header, rival))
    }
  }

  get keptCount(): number {
    return this.#kept.size
  }

  /** MLS-IDs of all epochs whose secrets it can derive with every commit that was ever made. */
  reach(commits: readonly Uint8Array[]): ReadonlySet<string> {
    const states = new Map<string, Uint8Array>()
    for (const { name, stored } of this.#kept.values()) states.set(name, stored)
    for (let before = -1; before < states.size; ) {
      before = states.size
      for (const stored of [...states.values()])
        for (const commit of commits) this.#follow(stored, commit, states)
    }
    return new Set(states.keys())
  }

  #follow(stored: Uint8Array, commit: Uint8Array, states: Map<string, Uint8Array>): void {
    const run = this.#engine
    this.#restore(stored)
    const outcome = run.run({
      kind: 'process',
      group: GROUP,
      from: AT.parent,
      into: AT.child,
      commit,
      wishes: WISHES,
    })
    const name = this.#nameOf(outcome)
    if (name === undefined || states.has(name)) return
    const next = run.run({ kind: 'encode', group: GROUP, state: AT.child })
    if (next?.ok && next.kind === 'encoded') states.set(name, next.stored)
  }

  /** Empty commits, which cost it nothing and need no fact; lowest hash first. */
  #grind(state: KeptState, parent: Uint8Array): Rival[] {
    const keys = keysFrom(this.#stage.streams.stream(`adversary/${this.node.index}`))
    const rivals: Rival[] = []
    for (let count = 0; count < GROUND; count++) {
      this.#restore(state.stored)
      const job: CommitJob = {
        kind: 'commit',
        group: GROUP,
        from: AT.parent,
        into: AT.child,
        removes: [],
        adds: [],
        authenticatedData: encodeCommitData({
          parent,
          digest: new Uint8Array(32),
          wallTime: this.node.wall.millis(),
          facts: [],
        }),
        welcomeData: NONE,
        entropy: keys.bytes(32),
        wishes: WISHES,
      }
      const outcome = this.#engine.run(job)
      const child = outcome && this.#nameOf(outcome)
      if (!outcome?.ok || outcome.kind !== 'committed' || child === undefined) continue
      const { commit } = outcome
      rivals.push({ child: unhex(child), hash: this.#hash.hash32(commit), commit })
    }
    return rivals.sort((left, right) => compareBytes(left.hash, right.hash))
  }

  #release(sealer: Sealer, committer: number, parent: Uint8Array, header: Uint8Array, rival: Rival): void {
    if (!this.node.up) return
    const { child, commit } = rival
    const said = encodeHandshake({ kind: 'commit', child, committer, proposals: 0, removes: [], commit })
    const now = this.node.now()
    sealer.announce(now, PAYLOAD_KIND.handshake, tokenOf(header), said, parent)
    this.released += 1
    this.#send(sealer)
  }

  /** Into every trunk that it has, as its machine would. */
  #send(sealer: Sealer): void {
    const { world } = this.#stage
    const packets: Uint8Array[] = []
    const ignore = (): void => {}
    sealer.drain(this.node.now(), { send: (packet) => packets.push(packet), opened: ignore, event: ignore })
    for (const trunk of world.trunks.of(this.node)) {
      const side = trunk.node(0) === this.node ? 0 : 1
      if (!trunk.isUp(side)) continue
      const link = (trunk.id * 2 + side) as LinkId
      for (const packet of packets) world.send(this.node, link, CHANNEL.data, HOP, packet)
    }
  }

  #sealerFor({ facts, leafSeed }: KeptState, parent: Uint8Array, header: Uint8Array): Sealer {
    const { world, streams } = this.#stage
    const token = tokenOf(header).slice()
    const name = `adversary/${this.node.index}/seal`
    const now = this.node.now()
    const sealer = new Sealer({
      now,
      crypto: world.crypto,
      keys: keysFrom(streams.stream(`${name}/keys`)),
      dice: streams.stream(name),
      counters: new Counters(),
      wall: this.node.wall,
      vlan: vlanOf(header).slice(),
      memberKey: unhex(this.memberKey),
      tokens: { token: () => token, saltId: new Uint8Array(16) },
      firstHopLimit: 64,
      sign: 'session',
      padding: 'small',
    })
    const leafKey = world.crypto.signatures.publicKey(leafSeed)
    const own = { memberKey: unhex(this.memberKey), leafKey }
    const { suite, exporterSecret } = facts
    const exporter = new EpochExporter(world.crypto.kdf, suite, exporterSecret.slice())
    sealer.adopt(now, {
      mlsId: parent,
      roster: new Map([[facts.ownLeaf, own]]),
      exporter: (label, context, length) => exporter.export(label, context, length),
      self: facts.ownLeaf,
      leafSeed,
      origin: 'restored',
    })
    return sealer
  }

  #restore(stored: Uint8Array): void {
    this.#engine.run({ kind: 'drop', group: GROUP, states: 'all' })
    this.#engine.run({ kind: 'restore', group: GROUP, into: AT.parent, stored, wishes: WISHES })
  }

  #nameOf(outcome: MlsOutcome | undefined): string | undefined {
    const init = outcome && factsOf(outcome)?.exports[0]
    return init && hex(mlsId(this.#hash, init))
  }
}
