/**
 * Which VLANs a relay carries for others (design, section 6). A policy is checked and compiled when it
 * is set; each VLAN is asked about once and the answer kept with its state, so packets cost nothing.
 * The node's own memberships are not a question of policy.
 */
import { UsageError } from '../errors.ts'
import { hex, VLAN_ID_BYTES } from '../ids.ts'
import type { RelayPolicy } from '../io.ts'

/** Enough for a list kept by hand; each costs a look at each new VLAN. Guess. */
const PATTERNS_MAX = 1_024
const PATTERN_FORM = /^[0-9a-f*]{1,64}$/
const MODES = ['open', 'restricted', 'patterns']

export class CompiledPolicy {
  readonly #policy: RelayPolicy

  /** A UsageError if a pattern cannot match any VLAN-ID. */
  constructor(policy: RelayPolicy) {
    if (!MODES.includes(policy.mode)) {
      throw new UsageError(`policy mode '${policy.mode}'; it must be one of ${MODES.join(', ')}`)
    }
    if (policy.mode === 'patterns') {
      checkPatterns('allow', policy.allow)
      checkPatterns('deny', policy.deny)
    }
    this.#policy = policy
  }

  /** Whether the VLAN of this 16-byte id is carried for others; `member`: this node has a port in it. */
  carries(vlan: Uint8Array, member: boolean): boolean {
    const policy = this.#policy
    if (policy.mode === 'open') return true
    if (policy.mode === 'restricted') return member
    const text = hex(vlan)
    // Deny wins, so that an exception to a broad allow needs no ordering.
    if (policy.deny.some((pattern) => matches(text, pattern))) return false
    return policy.allow.some((pattern) => matches(text, pattern))
  }
}

/** Whether the text fits the pattern, in which `*` stands for any run of characters. */
export function matches(text: string, pattern: string): boolean {
  const pieces = pattern.split('*')
  const first = pieces[0] as string
  const last = pieces[pieces.length - 1] as string
  if (pieces.length === 1) return text === pattern
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false
  // Between the two ends each piece may take the earliest place that is left.
  const end = text.length - last.length
  let from = first.length
  for (const piece of pieces.slice(1, -1)) {
    const at = text.indexOf(piece, from)
    if (at < 0 || at + piece.length > end) return false
    from = at + piece.length
  }
  return true
}

function checkPatterns(list: string, patterns: readonly string[]): void {
  if (patterns.length > PATTERNS_MAX) {
    throw new UsageError(
      `policy ${list} has ${patterns.length} patterns; at most ${PATTERNS_MAX}, use wider ones`,
    )
  }
  for (const pattern of patterns) {
    const digits = pattern.replaceAll('*', '').length
    const fits = pattern.includes('*') ? digits <= VLAN_ID_BYTES * 2 : digits === VLAN_ID_BYTES * 2
    if (!PATTERN_FORM.test(pattern) || !fits) {
      throw new UsageError(
        `policy ${list} pattern '${pattern}'; ` +
          `write the ${VLAN_ID_BYTES * 2} lower-case hex digits of a VLAN-ID, with * for any run of them`,
      )
    }
  }
}
