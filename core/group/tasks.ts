/** The job in flight: what it is for, so that its outcome finds its way when it comes back. */
import type { StateName } from '../mls/engine.ts'
import type { Slot } from './effects.ts'
import type { NewEpoch } from './epoch.ts'

export type Task =
  | { readonly kind: 'create'; readonly into: StateName; readonly leafSeed: Uint8Array }
  | { readonly kind: 'restore'; readonly slot: Slot; readonly into: StateName }
  | {
      readonly kind: 'keyPackage'
      readonly into: StateName
      readonly leafSeed: Uint8Array
      readonly joinNumber: number
      readonly credential: Uint8Array
    }
  | { readonly kind: 'join'; readonly into: StateName }
  /** `child`: hex of the rival's hash. */
  | { readonly kind: 'process'; readonly into: StateName; readonly parent: string; readonly hash: string }
  /** `members`: whom it adds, by member key in hex, in order. */
  | {
      readonly kind: 'commit'
      readonly into: StateName
      readonly parent: string
      readonly members: readonly string[]
      readonly removes: readonly number[]
    }
  | { readonly kind: 'encodeHead'; readonly name: string }
  | {
      readonly kind: 'encodeNext'
      readonly parent: string
      readonly made: NewEpoch
      readonly commit: Uint8Array
      readonly welcome: Uint8Array | undefined
      readonly members: readonly string[]
      readonly removes: readonly number[]
    }
  | { readonly kind: 'drop' }
