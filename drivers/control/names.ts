/**
 * How people name VLANs and keys: a label, or the first digits of an identifier in hex. What fits nothing,
 * or more than one, is refused.
 */
import { UsageError } from '../../core/errors.ts'
import { type Mac, macText } from '../../core/ids.ts'
import type { HeldVlan } from './held.ts'
import { done, type Outcome, REFUSAL, type RefusalName, refused } from './outcome.ts'

/** Digits of an identifier that people are shown, and the fewest that name one. */
const SHORT_DIGITS = 8
const DIGITS_MIN = 4

export function short(identifier: string): string {
  return identifier.slice(0, SHORT_DIGITS)
}

/** `b2:49:8a:00:17:fe`; undefined for none, which is 0. */
export function macWritten(mac: Mac | undefined): string | undefined {
  return mac
    ? macText(mac)
        .toLowerCase()
        .replace(/(..)(?=.)/g, '$1:')
    : undefined
}

/** Controls, formats such as those that turn the direction of writing, and separators of lines. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * A label is shown in terminals and tables, also of those who are invited: what moves a cursor, changes
 * colours or turns the direction of writing has no place in it.
 */
export function checkLabel(label: string): void {
  const shown = label.replaceAll(UNSEEN, '\u{fffd}')
  if (shown === label) return
  throw new UsageError(
    `the label '${shown}' has characters that are not seen; a VLAN is named by letters, digits, signs and ` +
      'spaces: choose another label, or ask for an invitation to a VLAN that has one',
  )
}

/** One that is chosen here: it must be good to write in commands. Others' labels are taken as they are. */
export function checkNewLabel(label: string): void {
  checkLabel(label)
  if (!label.startsWith('-')) return
  throw new UsageError(
    `the label '${label}' begins with a dash, which commands take for a flag; begin it with a letter`,
  )
}

/**
 * Which of several with one label can be meant: for what takes a member one that this node is in, or was and
 * comes back to; else one that it is not out of; and for whoever clears away one that it is out of.
 */
export type Preference = 'in' | 'living' | 'over'

/** By its label, or by the first digits of its VLAN-ID. */
export function resolveVlan(
  vlans: readonly HeldVlan[],
  name: string,
  prefers: Preference,
): Outcome<HeldVlan> {
  // A whole identifier first: a label may be made to look like one.
  const exact = vlans.find(({ kept }) => kept.vlan === name)
  if (exact !== undefined) return done(exact)
  const labelled = vlans.filter(({ label }) => label === name)
  const all = labelled.length > 0 ? labelled : vlans.filter(({ kept }) => begins(kept.vlan, name))
  const preferred = all.filter((each) => isPreferred(each, prefers))
  const fitting = preferred.length > 0 ? preferred : all
  const [first] = fitting
  if (first !== undefined && fitting.length === 1) return done(first)
  if (first !== undefined) {
    const ids = fitting.map((each) => `${short(each.kept.vlan)} (${stateOf(each)})`).join(', ')
    const mend = `write the digits of the one that is meant, such as ${short(first.kept.vlan)}, for its name`
    return refused(REFUSAL.ambiguous, `'${name}' may be any of ${ids}; ${mend}`)
  }
  const have = vlans.length === 0 ? 'it has none' : `it has ${vlans.map(({ label }) => label).join(', ')}`
  return refused(REFUSAL.noSuchVlan, `this node has no VLAN '${name}'; ${have}`)
}

function isPreferred(held: HeldVlan, prefers: Preference): boolean {
  if (prefers === 'in') return held.phase() !== 'over' && !held.isAsking()
  return (held.phase() === 'over') === (prefers === 'over')
}

function stateOf(held: HeldVlan): string {
  const phase = held.phase()
  if (held.off) return 'off'
  if (phase !== 'outside') return phase === 'over' ? 'out' : 'in'
  return held.isAsking() ? 'asks to be let in' : 'on its way back in'
}

/** The one identifier that begins so; `what` and `refusal` for none. */
export function resolveHex(
  identifiers: readonly string[],
  name: string,
  what: string,
  refusal: RefusalName,
): Outcome<string> {
  const fitting = [...new Set(identifiers)].filter((identifier) => begins(identifier, name))
  const [first] = fitting
  if (first !== undefined && fitting.length === 1) return done(first)
  if (first !== undefined) {
    const ids = fitting.map(short).join(', ')
    return refused(REFUSAL.ambiguous, `'${name}' may be any of ${ids}; write more digits`)
  }
  return refused(
    refusal,
    `there is no ${what} '${name}'; name one by at least ${DIGITS_MIN} digits of its key`,
  )
}

function begins(identifier: string, name: string): boolean {
  return name.length >= DIGITS_MIN && identifier.startsWith(name.toLowerCase())
}
