/**
 * MACs that two members use at once, seen from above: how long frames to such a MAC come out at both, or now
 * here and now there, and whether whoever does not keep it was told. Knows events, frames and times.
 */
import type { Micros, NodeEvent } from '../../core/io.ts'
import { destinationOf } from '../../core/vlan/ethernet.ts'

/** Whoever keeps the MAC must have got a frame to it in the last so long of the clash. */
const LATELY: Micros = 3_000_000

export interface Clash {
  readonly vlan: number
  readonly mac: number
  readonly nodes: readonly [number, number]
  readonly from: Micros
  readonly until: Micros
  /** When a frame to the MAC came out last, by node. */
  readonly cameAt: Map<number, Micros>
  readonly told: Set<number>
}

export class Clashes {
  readonly #clashes: Clash[] = []

  begin(vlan: number, mac: number, nodes: readonly [number, number], from: Micros, until: Micros): void {
    this.#clashes.push({ vlan, mac, nodes, from, until, cameAt: new Map(), told: new Set() })
  }

  /** HOT PATH. A frame came out of a port. */
  delivered(now: Micros, vlan: number, node: number, frame: Uint8Array): void {
    if (this.#clashes.length === 0) return
    const mac = destinationOf(frame)
    for (const clash of this.#clashes)
      if (clash.vlan === vlan && clash.mac === mac && now <= clash.until) clash.cameAt.set(node, now)
  }

  /** A node told its owner something. */
  noted(vlan: number, node: number, event: NodeEvent): void {
    for (const clash of this.#clashes) {
      if (clash.vlan !== vlan || !clash.nodes.includes(node)) continue
      const isLoss = event.kind === 'macConflict' && event.mac === clash.mac && !event.kept
      if (isLoss || event.kind === 'macChanged') clash.told.add(node)
    }
  }

  get count(): number {
    return this.#clashes.length
  }

  /** From the beginning of each clash to the last frame that came out at another than who keeps the MAC. */
  settledAfter(): Micros[] {
    return this.#clashes.map((clash) => {
      const keeper = keeperOf(clash)
      let last = clash.from
      for (const [node, at] of clash.cameAt) if (node !== keeper) last = Math.max(last, at)
      return last - clash.from
    })
  }

  /** What is wrong, by name. */
  faults(): string[] {
    return this.#clashes.flatMap((clash) => {
      const what = `MAC ${clash.mac.toString(16)} of nodes ${clash.nodes.join(' and ')}`
      const keeper = keeperOf(clash)
      if (keeper === undefined) return [`frames to ${what} reached neither in the end`]
      const other = clash.nodes.find((node) => node !== keeper) as number
      const faults = clash.told.has(other) ? [] : [`node ${other} was not told that ${what} is not its own`]
      if (clash.told.has(keeper)) faults.push(`node ${keeper} was told that it lost ${what}, and keeps it`)
      return faults
    })
  }
}

/** Who of the two got frames to the end; undefined if neither did. */
function keeperOf({ nodes, cameAt, until }: Clash): number | undefined {
  const [first, second] = nodes.toSorted((a, b) => (cameAt.get(b) ?? 0) - (cameAt.get(a) ?? 0))
  return first !== undefined && second !== undefined && (cameAt.get(first) ?? 0) > until - LATELY
    ? first
    : undefined
}
