/**
 * What is said at the end of the VLANs with an MLS group: whether their members are one group again, whether
 * those who had to go are out of it, and how far a revoked member got with all that it kept.
 */
import type { JobOutcome } from '../../core/io.ts'
import type { Resister, Stage } from '../stage.ts'
import type { SimVlan } from '../vlans.ts'
import type { Nonces } from './nonces.ts'

type Say = (kind: string, node: number, detail: string) => void

export class MlsVerdict {
  /** VLANs with an MLS group. */
  readonly vlans: readonly SimVlan[]
  /** Of revoked members that did not go: states kept, rival commits released, epochs within reach. */
  readonly adversary = { kept: 0, released: 0, reached: 0 }
  readonly #stage: Stage
  readonly #nonces: Nonces
  readonly #say: Say
  /** Whether revoked members stay and every commit counts for what they can reach. */
  readonly #keepsCommits: boolean
  readonly #commits: Uint8Array[] = []

  constructor(stage: Stage, nonces: Nonces, keepsCommits: boolean, say: Say) {
    this.#stage = stage
    this.#nonces = nonces
    this.#keepsCommits = keepsCommits
    this.#say = say
    this.vlans = stage.vlans.filter(({ mls }) => mls !== undefined)
  }

  worked(outcome: JobOutcome): void {
    if (this.#keepsCommits && outcome.ok && outcome.kind === 'committed') this.#commits.push(outcome.commit)
  }

  /** Members that belong to the group: up, and not put out. */
  inside(vlan: SimVlan): number[] {
    return vlan.members.filter((node) => this.#stage.isIn(node, vlan))
  }

  /** A run without churn has ended: then whatever was to come about has come about. */
  judge(): void {
    for (const vlan of this.vlans) this.#judgeUnity(vlan)
    for (const vlan of this.vlans) for (const pair of vlan.twins) this.#judgeTwins(vlan, pair)
    for (const fault of this.#stage.clashes.faults()) this.#say('mac-conflict', -1, fault)
    for (const adversary of this.#stage.adversaries) this.#judgeResister(adversary)
    // A word that was lost with the only one who had heard it is lost.
    const { groups, reach } = this.#stage
    const unfinished = groups.unfinished.filter((key) => reach.isHeard(key))
    if (unfinished.length > 0)
      this.#say('not-evicted', -1, `${unfinished.length} revocations were not carried out`)
  }

  /** Of every run, however it ends. */
  judgeNonces(): void {
    const { repeats } = this.#nonces
    if (repeats > 0) this.#say('nonce-twice', -1, `${repeats} seals under a key and nonce in use before`)
  }

  #judgeUnity(vlan: SimVlan): void {
    const { groups } = this.#stage
    const inside = this.inside(vlan)
    const epochs = groups.epochs(vlan.index, inside)
    if (epochs !== 1 || groups.epochOf(vlan.index, inside[0] ?? -1) === undefined)
      this.#say('group-split', -1, `members of VLAN ${vlan.index} end in ${epochs} epochs`)
  }

  /** Of two that redeemed one invitation one is in, and the other knows why it is not. */
  #judgeTwins(vlan: SimVlan, pair: readonly [number, number]): void {
    const { groups } = this.#stage
    const inside = pair.filter((node) => groups.epochOf(vlan.index, node) !== undefined)
    const told = pair.filter((node) => groups.isOut(vlan.index, node))
    if (inside.length === 1 && told.length === 1 && inside[0] !== told[0]) return
    const found = `${inside.length} are in and ${told.length} were told why not`
    this.#say('invitation-twice', pair[1], `of ${pair.join(' and ')} ${found}`)
  }

  /** With all that it kept and every commit that was made, a revoked member gets into no clean epoch. */
  #judgeResister(resister: Resister): void {
    const { memberKey, node } = resister
    const reached = resister.reach(this.#commits)
    this.adversary.kept += resister.keptCount
    this.adversary.released += resister.released
    this.adversary.reached += reached.size
    for (const epoch of reached)
      if (this.#stage.groups.rosters.of(epoch)?.has(memberKey) === false)
        this.#say('evicted-follows', node.index, `it can open epoch ${epoch}, which is without it`)
  }
}
