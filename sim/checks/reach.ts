/**
 * Who may open what is sealed, and who does. Every packet names its epoch, every epoch has a roster
 * (rosters.ts): whoever is not in it has no business with its keys, and a member that knows of a revocation
 * seals nothing more that the revoked could open, but what says so and what removes it (sec:B9, M4).
 */
import { decodeHandshake } from '../../core/group/messages.ts'
import { hex } from '../../core/ids.ts'
import { type Micros, SECOND } from '../../core/io.ts'
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

/** A ledger is on the disk so long after it has changed: a second, and what the disk takes. */
const STORED_AFTER: Micros = 2 * SECOND

/**
 * Kinds of handshake that go on under an epoch with a refused member: the commit that ends it, what settles
 * it, and beyond sec:B9 the request for it, which names MLS-IDs and nothing that headers do not show.
 */
const FAREWELLS: readonly string[] = ['commit', 'ack', 'want']
/** First byte of a handshake that is a commit (core/group/messages.ts). */
const COMMIT = 1

export class Reach {
  /** Packets that were sealed for all under an epoch with a member whom the sealer knew to be refused. */
  farewells = 0
  /** Members that went over to an epoch that a revoked one made, before they had heard. */
  misled = 0
  readonly #rosters: Rosters
  readonly #violation: (kind: string, node: number, detail: string) => void
  /** Member keys in hex, by node: of all its VLANs, those that it knows to be revoked, and has stored. */
  readonly #keys = new Map<number, Set<string>>()
  readonly #refused = new Map<number, Map<string, Micros>>()
  readonly #kept = new Map<number, Set<string>>()
  /** Epochs that revoked members made, and who. */
  readonly #forged = new Map<string, string>()
  /** Header of the last packet that a node sealed for all. */
  readonly #calls = new Map<number, Uint8Array>()

  constructor(rosters: Rosters, violation: (kind: string, node: number, detail: string) => void) {
    this.#rosters = rosters
    this.#violation = violation
  }

  /** The node is a member by this key. */
  know(node: number, memberKey: string): void {
    add(this.#keys, node, memberKey)
  }

  /** The node has learnt that this member is revoked. Who hears it of itself owes and tells nothing. */
  heard(now: Micros, node: number, memberKey: string): void {
    if (this.#keys.get(node)?.has(memberKey)) return
    const heard = this.#refused.get(node) ?? new Map<string, Micros>()
    this.#refused.set(node, heard)
    if (!heard.has(memberKey)) heard.set(memberKey, now)
  }

  /** Its memory is gone; what it had heard some time before is on its disk. */
  stopped(now: Micros, node: number): void {
    for (const [memberKey, since] of this.#refused.get(node) ?? [])
      if (now - since >= STORED_AFTER) add(this.#kept, node, memberKey)
    this.#refused.delete(node)
  }

  /** A member that is revoked has made these epochs. */
  forged(memberKey: string, epochs: readonly string[]): void {
    for (const epoch of epochs) this.#forged.set(epoch, memberKey)
  }

  adopted(node: number, epoch: string): void {
    const maker = this.#forged.get(epoch)
    if (maker === undefined) return
    if (this.#refused.get(node)?.has(maker))
      this.#violation(
        'adopted-from-evicted',
        node,
        `epoch ${epoch}, which ${maker} made, known to be revoked`,
      )
    else this.misled += 1
  }

  /** Where a node spoke to all last: the header of that packet. */
  lastCall(node: number): Uint8Array | undefined {
    return this.#calls.get(node)
  }

  /** It starts without what it had stored. */
  forgot(node: number): void {
    this.#kept.delete(node)
  }

  /** Whether some node knows of the revocation, or must find it on its disk. */
  isHeard(memberKey: string): boolean {
    return [...this.#refused.values(), ...this.#kept.values()].some((keys) => keys.has(memberKey))
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
    this.#calls.set(node, header.slice())
    const heard = [...(this.#refused.get(node)?.keys() ?? [])].find((key) => roster.has(key))
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
