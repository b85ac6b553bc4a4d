/**
 * Hostile messages for tests of MLS engines: what a member, or somebody who was told the group's state, can
 * make with the bare library where its own engine would refuse. One forge for each engine.
 */
import type { RosterLeaf } from '../../core/mls/engine.ts'
import type { Cast, EngineKit, Member } from './mls-cast.ts'

/** What a commit says or does that no commit may; the refusal that is due is in mls-attacks.ts. */
export type CommitAttack =
  | { readonly kind: 'externalRemove'; readonly victim: RosterLeaf }
  | { readonly kind: 'externalSameKey' }
  | { readonly kind: 'externalResync' }
  | { readonly kind: 'inClear' }
  | { readonly kind: 'application' }
  | { readonly kind: 'proposal'; readonly leaf: number }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'add'; readonly keyPackage: Uint8Array }
  | { readonly kind: 'removes'; readonly leaves: readonly number[] }
  | { readonly kind: 'removeWithoutPath'; readonly leaf: number }
  | { readonly kind: 'byReference'; readonly leaf: number }
  | { readonly kind: 'reinit' | 'extensions' | 'preSharedKey' | 'update' | 'unknown' | 'externalInit' }
  | { readonly kind: 'identityOf'; readonly victim: RosterLeaf }
  | { readonly kind: 'otherSignatureKey' }
  | { readonly kind: 'fewerCapabilities' }
  | { readonly kind: 'smallOrderPath' }
  | { readonly kind: 'misfitPath' }

/** What is wrong with a KeyPackage. */
export type KeyPackageFlaw =
  | { readonly kind: 'hpkeKey'; readonly key: Uint8Array }
  /** Signed with the leaf key that this member has in the group. */
  | { readonly kind: 'signatureKeyOf'; readonly member: Member }
  | { readonly kind: 'credential'; readonly bytes: Uint8Array }
  | { readonly kind: 'x509' | 'capabilities' | 'lifetime' | 'leafSignature' | 'signature' | 'initKey' }

/** What is wrong with the group that a Welcome leads to. */
export type WelcomeFlaw =
  | { readonly kind: 'groupId'; readonly groupId: Uint8Array }
  | { readonly kind: 'charter'; readonly charter: Uint8Array }
  /** Somebody else is in the group too, by this KeyPackage. */
  | { readonly kind: 'with'; readonly keyPackage: Uint8Array }

/** An engine and the forge against it. */
export interface AttackedKit extends EngineKit {
  readonly forge: Forge
}

export interface Forge {
  /** By this member on its current state. */
  commit(eve: Member, attack: CommitAttack): Promise<Uint8Array>
  /** For a new leaf of this member. */
  keyPackage(maker: Member, flaw: KeyPackageFlaw): Promise<Uint8Array>
  /** From a group that somebody founded for the purpose, to the owner of a KeyPackage. */
  welcome(cast: Cast, keyPackage: Uint8Array, flaw: WelcomeFlaw): Promise<Uint8Array>
  /** HPKE keys of parent nodes in a member's current state. */
  parentKeys(member: Member): Promise<readonly Uint8Array[]>
  /** A GroupInfo of a member's current state: what an external join would begin with. */
  groupInfo(member: Member): Promise<Uint8Array>
}
