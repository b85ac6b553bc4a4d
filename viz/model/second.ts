/** The run beside the first one, and how an address says it: a branch of the first, or any other run. */
import { type Branching, readBranching, writeBranching } from './change.ts'
import { pack, unpack } from './pack.ts'

export type Second =
  | ({ readonly kind: 'branch' } & Branching)
  | {
      readonly kind: 'other'
      /** The name of a scenario that comes with PeerTap, or `edited`. */
      readonly scenario: string
      readonly edited: string | undefined
      readonly seed: number
    }

export async function writeSecond(parts: URLSearchParams, second: Second): Promise<void> {
  if (second.kind === 'branch') parts.set('branch', writeBranching(second))
  else {
    parts.set('with', `${second.scenario}:${second.seed}`)
    if (second.edited !== undefined) parts.set('withfile', await pack(second.edited))
  }
}

/** Undefined for one run alone. Throws Error with what is wrong and how to mend it. */
export async function readSecond(parts: URLSearchParams): Promise<Second | undefined> {
  const branch = parts.get('branch')
  if (branch !== null) return { kind: 'branch', ...readBranching(branch) }
  const text = parts.get('with')
  if (text === null) return undefined
  const [, scenario, digits] = /^([a-z0-9]+(?:-[a-z0-9]+)*):(\d{1,10})$/.exec(text) ?? []
  const seed = Number(digits)
  const file = parts.get('withfile')
  if (scenario === undefined || seed > 4_294_967_295 || (scenario === 'edited' && file === null))
    throw new Error(
      `with is "${text.slice(0, 60)}" in this address; it must be a scenario and a seed, as steady-16:2, ` +
        'and an edited one needs its withfile',
    )
  return { kind: 'other', scenario, edited: file === null ? undefined : await unpack(file, 'withfile'), seed }
}
