/**
 * State directories for tests: made in a folder of their own, with VLANs and records to keep.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { hex } from '../../core/ids.ts'
import type { PortId } from '../../core/io.ts'
import { REFUSED } from '../../core/ledger/refusals.ts'
import type { Kept, KeptVlan } from '../../drivers/control/node.ts'
import { BookKeeper } from '../../drivers/node/book-keeper.ts'
import { createState, NodeState } from '../../drivers/node/state.ts'

export class StateFolder {
  readonly folder = mkdtempSync(join(tmpdir(), 'peertap-state-'))
  /** What was reported by states that were opened here. */
  readonly reports: string[] = []
  readonly #open = new Set<NodeState>()
  #made = 0

  /** The path of a new state. */
  make(seed?: Uint8Array): string {
    this.#made += 1
    const path = join(this.folder, `state-${this.#made}`)
    createState(path, seed)
    return path
  }

  open(path: string): NodeState {
    const state = NodeState.open(path, (level, message) => this.reports.push(`${level}: ${message}`))
    this.#open.add(state)
    return state
  }

  async close(state: NodeState): Promise<void> {
    this.#open.delete(state)
    await state.close()
  }

  async remove(): Promise<void> {
    for (const state of this.#open) await state.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Changes a file's bytes in place and keeps its mode. */
export function spoil(path: string, change: (bytes: Buffer) => Uint8Array): void {
  chmodSync(path, 0o600)
  writeFileSync(path, change(readFileSync(path)))
}

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Uint8Array.from(value))
const anyBytes = fc.uint8Array({ maxLength: 40 }).map((value) => Uint8Array.from(value))
const policy = fc.oneof(
  fc.record({ kind: fc.constant('one' as const), key: bytes(32) }),
  fc.record({
    kind: fc.constant('several' as const),
    needed: fc.integer({ min: 1, max: 3 }),
    keys: fc.array(bytes(32), { minLength: 3, maxLength: 5 }),
  }),
)
const issuer = fc.oneof(
  fc.record({
    kind: fc.constant('authority' as const),
    policy,
    seeds: fc.array(bytes(32), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('admin' as const), serial: bytes(16), seed: bytes(32) }),
)
const number = fc.nat(1_000)
const identity = fc.record({
  policy,
  label: fc.string({ minLength: 1, unit: 'grapheme' }),
  doorKey: bytes(32),
  memberSeed: bytes(32),
  serial: bytes(16),
  facts: fc.array(anyBytes, { maxLength: 4 }),
  expected: fc.option(
    fc.record({
      floor: fc.record({ authority: number, issuer: number }),
      issuer: fc.option(bytes(16), { nil: undefined }),
    }),
    { nil: undefined },
  ),
})

const keptVlan: fc.Arbitrary<Omit<KeptVlan, 'port'>> = fc.record(
  {
    vlan: bytes(16).map(hex),
    identity,
    authority: fc.option(issuer, { nil: undefined }),
    entered: fc.constantFrom('founded' as const, 'invited' as const),
    over: fc.option(fc.constantFrom(...Object.values(REFUSED)), { nil: undefined }),
    off: fc.constant(true),
  },
  { requiredKeys: ['vlan', 'identity', 'authority', 'entered', 'over'] },
)

const redemption = fc.record({ serial: bytes(16), memberSeed: bytes(32), endsMillis: fc.nat() })

/** Books of VLANs whose ports count from `first`. */
export function keptVlans(first = 1): fc.Arbitrary<Kept> {
  return fc
    .tuple(fc.array(keptVlan, { maxLength: 4 }), fc.array(redemption, { maxLength: 2 }))
    .map(([vlans, redeemed]) => ({
      vlans: vlans.map((each, index) => ({ ...each, port: (first + index) as PortId })),
      nextPort: first + vlans.length,
      redeemed,
    }))
}

/** One of them, always the same. */
export function someVlan(port = 1): KeptVlan {
  const [vlan] = fc.sample(keptVlan, { numRuns: 1, seed: 7 })
  return { ...(vlan as Omit<KeptVlan, 'port'>), port: port as PortId }
}

/** As the thread of the core does. */
export function keepVlans(state: NodeState, kept: Kept): void {
  new BookKeeper(state.path, state.book.load()).save(kept)
}
