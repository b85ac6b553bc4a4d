/**
 * One VLAN of a node as its verbs see it: what is kept of it, what the node shows of it now, and what its
 * ledger says. It changes nothing.
 */
import { hex, unhex } from '../../core/ids.ts'
import type { MembershipView } from '../../core/io.ts'
import { FACT, type Grant } from '../../core/ledger/facts.ts'
import { Ledger } from '../../core/ledger/ledger.ts'
import type { IssuerKeys } from '../../core/ledger/shapes.ts'
import type { ControlledNode, KeptVlan } from './node.ts'
import type { Waits } from './waits.ts'

/** What a verb works with by which somebody is admitted or put out. */
export interface Tools {
  readonly node: ControlledNode
  readonly waits: Waits
  readonly held: HeldVlan
  /** With what this node signs. */
  readonly issuer: IssuerKeys
}

export class HeldVlan {
  kept: KeptVlan
  /** Why the last Welcome was not accepted. */
  welcomeRefused: string | undefined
  readonly #node: ControlledNode
  readonly #ledger: Ledger
  /** Facts that were looked at, by the bytes that the node lends. */
  readonly #taken = new WeakSet<Uint8Array>()

  constructor(node: ControlledNode, kept: KeptVlan) {
    this.#node = node
    this.kept = kept
    const { policy, label } = kept.identity
    this.#ledger = new Ledger(node.crypto, { policy, label })
  }

  get label(): string {
    return this.kept.identity.label
  }

  /** It stays a member that is not there. */
  get off(): boolean {
    return this.kept.off === true
  }

  /** Own member key in hex. */
  get self(): string {
    return hex(this.#node.crypto.signatures.publicKey(this.kept.identity.memberSeed))
  }

  /** Undefined while its port is closed, or the node is down. */
  view(): MembershipView | undefined {
    return this.#node.view()?.memberships.find(({ port }) => port === this.kept.port)
  }

  phase(): 'outside' | 'member' | 'over' {
    if (this.kept.over !== undefined) return 'over'
    const phase = this.view()?.phase
    return phase === 'member' || phase === 'over' ? phase : 'outside'
  }

  /** Neither was it ever let in, nor is it out for good. */
  isAsking(): boolean {
    return this.phase() === 'outside' && this.neverIn()
  }

  /** No group was ever kept at its port. */
  neverIn(): boolean {
    return !this.#node.isKept(this.kept.port)
  }

  /** A copy of the node's, with all that it knows by now. */
  ledger(): Ledger {
    for (const fact of this.view()?.facts ?? this.kept.identity.facts) {
      if (this.#taken.has(fact)) continue
      this.#taken.add(fact)
      this.#ledger.add(fact)
    }
    return this.#ledger
  }

  /** Grants that the ledger has, in the order of their serials. */
  grants(): readonly Grant[] {
    return this.ledger()
      .facts()
      .filter((fact): fact is Grant => fact.kind === FACT.grant)
  }

  /** Grants by which the member is an admin, standing or not. */
  adminGrants(member: string): readonly Grant[] {
    return this.grants().filter(({ role, holder }) => role === 'admin' && hex(holder) === member)
  }

  /** What this member may sign with; undefined if with nothing that counts. */
  issuer(): IssuerKeys | undefined {
    const { authority, identity } = this.kept
    if (authority !== undefined) return authority
    const ledger = this.ledger()
    const { self } = this
    if (ledger.refused(unhex(self)) !== undefined) return undefined
    const now = this.#node.wallMillis()
    const grant = this.adminGrants(self).find(({ id, end }) => ledger.fallen(id) === undefined && now < end)
    return grant && { kind: 'admin', serial: grant.id, seed: identity.memberSeed }
  }

  /** When what is issued now ends: no later than the admin who issues it (core/ledger/admit.ts). */
  endOf(issuer: IssuerKeys, lifeMillis: number): number {
    const end = this.#node.wallMillis() + lifeMillis
    if (issuer.kind === 'authority') return end
    const serial = hex(issuer.serial)
    return Math.min(end, this.grants().find(({ id }) => hex(id) === serial)?.end ?? end)
  }
}
