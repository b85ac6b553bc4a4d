/**
 * Which cryptography this process uses: the fastest provider that loads and passes its self-test. The
 * order is fixed and not measured at start, so that two starts of one machine choose alike;
 * `npm run bench:seal` shows whether it is the right one.
 *
 * All providers give the same bytes and the same verdicts (core/crypto/rules.ts), so a fall back costs
 * speed and nothing else. Call it once for each thread: a provider must not be shared between threads.
 */
import { noble } from '../../core/crypto/noble.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { InvariantError } from '../../core/errors.ts'
import { openNodeCrypto } from './node-crypto.ts'
import { openOpenssl } from './openssl.ts'
import { selfTest } from './self-test.ts'

/** A way to get cryptography. */
export interface Provider {
  readonly name: string
  /** May throw whatever says that it cannot be had on this machine. */
  open(): Crypto
}

/** Fastest first. The last one needs nothing but a JavaScript engine. */
export const PROVIDERS: readonly Provider[] = [
  { name: 'openssl', open: () => openOpenssl() },
  { name: 'node-crypto', open: openNodeCrypto },
  { name: 'noble', open: () => noble },
]

/** A provider that was passed over, and why. */
export interface Refusal {
  readonly name: string
  readonly why: string
}

export interface Choice {
  readonly name: string
  readonly crypto: Crypto
  /** In the order in which they were tried. */
  readonly refused: readonly Refusal[]
}

/** Throws an InvariantError only if not even the last one computes what it should. */
export function chooseCrypto(providers: readonly Provider[] = PROVIDERS): Choice {
  const refused: Refusal[] = []
  for (const { name, open } of providers) {
    const result = tryOut(open)
    if (typeof result !== 'string') return { name, crypto: result, refused }
    refused.push({ name, why: result })
  }
  throw new InvariantError(`no cryptography works here: ${sayRefused(refused)}`)
}

/** For the log: which one is used, and what was wrong with those before it. */
export function sayChoice({ name, refused }: Choice): string {
  return refused.length === 0 ? `cryptography by ${name}` : `cryptography by ${name} (${sayRefused(refused)})`
}

function sayRefused(refused: readonly Refusal[]): string {
  return refused.map(({ name, why }) => `${name} ${why}`).join('; ')
}

/** The cryptography, or why it is not to be used. */
function tryOut(open: () => Crypto): Crypto | string {
  try {
    const crypto = open()
    return selfTest(crypto) ?? crypto
  } catch (error) {
    // Node adds the stack of requiring modules to the first line.
    const [line] = (error instanceof Error ? error.message : String(error)).split('\n')
    return `could not be loaded: ${line}`
  }
}
