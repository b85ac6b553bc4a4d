/**
 * Reads the book of VLANs strictly. Apart from writing it, because the thread of the core only writes, and
 * what checks it here would cost that thread 12 MB.
 */
import { z } from 'zod'
import { unhex } from '../../core/ids.ts'
import type { PortId } from '../../core/io.ts'
import { REFUSED } from '../../core/ledger/refusals.ts'
import type { KeptVlan } from '../control/node.ts'
import { BOOK_VERSION, type Book } from './vlan-book.ts'

/** Bytes in hex, exactly `length` of them if given. */
function bytes(length?: number) {
  const digits = length === undefined ? '*' : `{${length}}`
  return z
    .string()
    .regex(new RegExp(`^(?:[0-9a-f]{2})${digits}$`))
    .transform(unhex)
}

const count = z.int().min(0)
const policy = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('one'), key: bytes(32) }),
  z.strictObject({ kind: z.literal('several'), needed: z.int().min(1), keys: z.array(bytes(32)).min(1) }),
])
const issuer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('authority'), policy, seeds: z.array(bytes(32)) }),
  z.strictObject({ kind: z.literal('admin'), serial: bytes(16), seed: bytes(32) }),
])
const expectation = z
  .strictObject({
    floor: z.strictObject({ authority: count, issuer: count }),
    issuer: bytes().optional(),
  })
  .transform(({ floor, issuer: serial }) => ({ floor, issuer: serial }))
const identity = z.strictObject({
  policy,
  label: z.string().min(1),
  doorKey: bytes(),
  memberSeed: bytes(32),
  serial: bytes(16),
  facts: z.array(bytes()),
  expected: expectation.optional(),
})
const vlan = z
  .strictObject({
    port: count.transform((port) => port as PortId),
    vlan: z.string().regex(/^[0-9a-f]{32}$/),
    identity,
    authority: issuer.optional(),
    entered: z.enum(['founded', 'invited']),
    over: z.enum(REFUSED).optional(),
    off: z.literal(true).optional(),
  })
  .transform(({ authority, over, off, ...rest }): KeptVlan => {
    return { ...rest, authority, over, ...(off && { off }) }
  })
const redemption = z.strictObject({ serial: bytes(16), memberSeed: bytes(32), endsMillis: count })
const book = z.strictObject({
  version: z.literal(BOOK_VERSION),
  firstPort: count,
  nextPort: count,
  vlans: z.array(vlan),
  redeemed: z.array(redemption).default([]),
})

/** What is wrong with it, where it is no book that this program knows. */
export function decodeBook(
  body: Uint8Array,
): { readonly ok: true; readonly book: Book } | { readonly ok: false; readonly wrong: string } {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    return { ok: false, wrong: `holds no JSON (${error instanceof Error ? error.message : error})` }
  }
  const parsed = book.safeParse(value)
  if (parsed.success) return { ok: true, book: parsed.data }
  const [problem] = parsed.error.issues
  const place = problem?.path.join('.') || 'the whole'
  return { ok: false, wrong: `was written by another version of PeerTap (${place}: ${problem?.message})` }
}
