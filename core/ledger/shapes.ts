/** Shapes of the ledger that stand in commands of a node: plain data, and nothing about what they do. */

/** Who may admit (sec:C1): one Ed25519 key, or m of n. */
export type Policy =
  | { readonly kind: 'one'; readonly key: Uint8Array }
  /** `needed` of the keys, which are strictly ascending. */
  | { readonly kind: 'several'; readonly needed: number; readonly keys: readonly Uint8Array[] }

/** Who issues: the authority with the seeds that are at hand, or an admin with its own. */
export type IssuerKeys =
  | { readonly kind: 'authority'; readonly policy: Policy; readonly seeds: readonly Uint8Array[] }
  | { readonly kind: 'admin'; readonly serial: Uint8Array; readonly seed: Uint8Array }

/** Revocation numbers that a sponsor must know up to (sec:C6). */
export interface Floor {
  readonly authority: number
  /** Of the admin who issued the invitation; 0 if the authority did. */
  readonly issuer: number
}

/** What was invited to; for a rejoin the floor is what the member had reached itself. */
export interface Expectation {
  readonly floor: Floor
  /** Serial of the admin that the second number of the floor is of. */
  readonly issuer: Uint8Array | undefined
}
