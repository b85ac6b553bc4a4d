/** Interfaces that a configuration names for VLANs that a state does not know: most often misspelt. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../core/errors.ts'
import { BookFile } from './book-file.ts'
import type { Config } from './config.ts'
import { isFor } from './interfaces.ts'
import { systemMistake, VERSION_FILE } from './state-files.ts'

export type Compared =
  /** Of each: where it stands, and what is wrong. */
  | {
      readonly ok: true
      readonly unknown: readonly { readonly path: (string | number)[]; message: string }[]
    }
  /** Why there is nothing to compare with. */
  | { readonly ok: false; readonly why: string }

/** The node may run meanwhile. */
export function unknownVlans({ interfaces }: Config, state: string): Compared {
  try {
    if (!existsSync(join(state, VERSION_FILE))) return { ok: false, why: `${state} holds no state` }
    const vlans = new BookFile(state).read()?.vlans ?? []
    const isKnown = (written: string): boolean =>
      vlans.some(({ vlan, identity }) => isFor({ vlan: written }, { vlan, label: identity.label }))
    const labels = vlans.map(({ identity }) => identity.label).join(', ')
    const has = vlans.length === 0 ? 'this node has no VLAN yet' : `this node has ${labels}`
    const unknown = interfaces.flatMap(({ vlan }, index) => {
      if (isKnown(vlan)) return []
      const mend = 'correct it, or let the node join it'
      const message = `interfaces[${index}].vlan is "${vlan}", and ${has}; ${mend}`
      return [{ path: ['interfaces', index, 'vlan'], message }]
    })
    return { ok: true, unknown }
  } catch (error) {
    const told = systemMistake(state, error)
    if (!(told instanceof UsageError)) throw told
    return { ok: false, why: told.message }
  }
}
