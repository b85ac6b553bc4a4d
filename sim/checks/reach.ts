/**
 * Who may open what is sealed, and who does. Every packet names its epoch, every epoch has a roster
 * (rosters.ts): whoever is not in it has no business with its keys, and a member that knows of a revocation
 * seals nothing more that the revoked could open, but what says so and what removes it (sec:B9, M4).
 */
import { decodeHandshake } from '../../core/group/messages.ts'
import { hex } from '../../core/ids.ts'
import { LEAF_BYTES } from '../../core/seal/outbound.ts'
import {
  FLAG,
  flagsOf,
  fragmentOffsetOf,
  kindOf,
  PAYLOAD_KIND,
  payloadOf,
} from '../../core/vlan/plaintext.ts'
import { AAD_BYTES, MLS_OFFSET, TOKEN_OFFSET } from '../../core/wire/packet.ts'
import type { Rosters } from './rosters.ts'

/** Kinds of handshake that go on under an epoch with a refused member: its end, and what helps to agree. */
const FAREWELLS: readonly string[] = ['commit', 'ack']
/** First byte of a handshake that is a commit (core/group/messages.ts). */
const COMMIT = 1

export class Reach {
  /** Packets that were sealed for all under an epoch with a member whom the sealer knew to be refused. */
  farewells = 0
  readonly #rosters: Rosters
  readonly #violation: (kind: string, node: number, detail: string) => void
  /** Member keys in hex, by node: of all its VLANs, and those that it knows to be revoked. */
  readonly #keys = new Map<number, Set<string>>()
  readonly #refused = new Map<number, Set<string>>()

  constructor(rosters: Rosters, violation: (kind: string, node: number, detail: string) => void) {
    this.#rosters = rosters
    this.#violation = violation
  }

  /** The node is a member by this key. */
  know(node: number, memberKey: string): void {
    add(this.#keys, node, memberKey)
  }

  /** The node has learnt that this member is revoked. */
  heard(node: number, memberKey: string): void {
    add(this.#refused, node, memberKey)
  }

  /** Its memory is gone. */
  stopped(node: number): void {
    this.#refused.delete(node)
  }

  opened(node: number, header: Uint8Array): void {
    const roster = this.#rosterOf(header)
    if (roster !== undefined && !this.#isIn(node, roster))
      this.#violation('opened-outside', node, `a packet of epoch ${epochOf(header)}, which it is not in`)
  }

  sealed(node: number, header: Uint8Array, plain: Uint8Array): void {
    const roster = this.#rosterOf(header)
    if (roster === undefined) return
    if (!this.#isIn(node, roster))
      this.#violation('sealed-outside', node, `a packet of epoch ${epochOf(header)}, which it is not in`)
    // What goes to one other, under a secret of the two, nobody else opens, whoever else is in the epoch.
    if ((flagsOf(plain) & FLAG.signed) === 0) return
    const heard = [...(this.#refused.get(node) ?? [])].find((key) => roster.has(key))
    if (heard === undefined) return
    const what = whatIs(plain)
    if (what === 'ledger' || FAREWELLS.includes(what)) this.farewells += 1
    else this.#violation('sealed-for-evicted', node, `${what}, though it knows that ${heard} is revoked`)
  }

  #rosterOf(header: Uint8Array): ReadonlySet<string> | undefined {
    return header.length === AAD_BYTES ? this.#rosters.of(epochOf(header)) : undefined
  }

  #isIn(node: number, roster: ReadonlySet<string>): boolean {
    return [...(this.#keys.get(node) ?? [])].some((key) => roster.has(key))
  }
}

function epochOf(header: Uint8Array): string {
  return hex(header.subarray(MLS_OFFSET, TOKEN_OFFSET))
}

/**
 * `frame`, `card`, `ledger`, or what handshake it is, which stands behind the sender's leaf. Of one that is
 * cut in pieces the first piece says it.
 */
function whatIs(plain: Uint8Array): string {
  const kind = kindOf(plain)
  const name = Object.entries(PAYLOAD_KIND).find(([, value]) => value === kind)?.[0] ?? `kind ${kind}`
  if (kind !== PAYLOAD_KIND.handshake) return name
  if ((flagsOf(plain) & FLAG.fragment) === 0)
    return decodeHandshake(payloadOf(plain).subarray(LEAF_BYTES))?.kind ?? name
  return fragmentOffsetOf(plain) > 0 || payloadOf(plain)[LEAF_BYTES] === COMMIT ? 'commit' : name
}

function add(to: Map<number, Set<string>>, node: number, key: string): void {
  const keys = to.get(node) ?? new Set<string>()
  to.set(node, keys.add(key))
}
