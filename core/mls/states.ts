/**
 * The bounded table of what an engine holds for its caller, by group and name (core/mls/engine.ts). Knows
 * nothing of what a state is; who takes something out is told what it was, to wipe it.
 */
import type { MlsGroup, StateName } from './engine.ts'
import { GROUPS_MAX, STATES_PER_GROUP_MAX } from './limits.ts'
import { MLS_REFUSAL, type MlsRefusal } from './refusal.ts'

/** A group state, or the private half of a KeyPackage that waits for its Welcome. */
export interface Held {
  readonly kind: 'state' | 'keyPackage'
}

export type Found<H extends Held, Kind extends H['kind']> =
  | { readonly ok: true; readonly held: Extract<H, { kind: Kind }> }
  | { readonly ok: false; readonly why: MlsRefusal }

export class StateTable<H extends Held> {
  readonly #groups = new Map<MlsGroup, Map<StateName, H>>()

  find<Kind extends H['kind']>(group: MlsGroup, name: StateName, kind: Kind): Found<H, Kind> {
    const held = this.#groups.get(group)?.get(name)
    if (held === undefined) return { ok: false, why: MLS_REFUSAL.unknownState }
    if (held.kind !== kind) return { ok: false, why: MLS_REFUSAL.stateKind }
    return { ok: true, held: held as Extract<H, { kind: Kind }> }
  }

  /** Why nothing can be put under this name; asked before the work. `leaving`: that many go in exchange. */
  refusal(group: MlsGroup, name: StateName, leaving = 0): MlsRefusal | undefined {
    const states = this.#groups.get(group)
    if (states === undefined) return this.#groups.size < GROUPS_MAX ? undefined : MLS_REFUSAL.tableFull
    if (states.has(name)) return MLS_REFUSAL.stateTaken
    return states.size - leaving < STATES_PER_GROUP_MAX ? undefined : MLS_REFUSAL.tableFull
  }

  put(group: MlsGroup, name: StateName, held: H): void {
    const states = this.#groups.get(group)
    if (states === undefined) this.#groups.set(group, new Map([[name, held]]))
    else states.set(name, held)
  }

  /** What was there, in order of the names given, or all of the group in the order they came. */
  take(group: MlsGroup, names: readonly StateName[] | 'all'): H[] {
    const states = this.#groups.get(group)
    if (states === undefined) return []
    const taken: H[] = []
    for (const name of names === 'all' ? [...states.keys()] : names) {
      const held = states.get(name)
      if (held === undefined) continue
      states.delete(name)
      taken.push(held)
    }
    if (states.size === 0) this.#groups.delete(group)
    return taken
  }

  /** Everything held for a group. */
  of(group: MlsGroup): Iterable<H> {
    return this.#groups.get(group)?.values() ?? []
  }
}
