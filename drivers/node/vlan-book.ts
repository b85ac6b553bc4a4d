/**
 * The VLANs of a node as they are kept in one file: JSON, with bytes in hex. Everything in it is secret.
 * Reading it is vlan-book-read.ts.
 */
import { hex } from '../../core/ids.ts'
import type { Kept } from '../control/node.ts'

/** Of this form of the book. */
export const BOOK_VERSION = 1

/** What is kept beside the VLANs themselves. */
export interface Book extends Kept {
  /** The first port that this book gave out: what is kept of ports before it is not this book's. */
  readonly firstPort: number
}

/** UTF-8. */
export function encodeBook({ vlans, nextPort, firstPort, redeemed = [] }: Book): Uint8Array {
  // Books without are read by programs that do not know it.
  const value = {
    version: BOOK_VERSION,
    firstPort,
    nextPort,
    vlans,
    ...(redeemed.length > 0 && { redeemed }),
  }
  const inHex = (_key: string, part: unknown) => (part instanceof Uint8Array ? hex(part) : part)
  return new TextEncoder().encode(JSON.stringify(value, inHex))
}
