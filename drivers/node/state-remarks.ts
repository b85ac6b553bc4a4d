/**
 * What a configuration says that fits the node whose state it is for badly, and may be right elsewhere or
 * later: interfaces of VLANs that it does not know, most often misspelt, or larger than their VLANs, and the
 * node itself among its contacts.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { noble } from '../../core/crypto/noble.ts'
import { UsageError } from '../../core/errors.ts'
import { decodeLedger } from '../../core/group/record.ts'
import { peerIdOf } from '../../core/ids.ts'
import { decodeFact, FACT } from '../../core/ledger/facts.ts'
import { recordOf } from '../../core/member/records.ts'
import { tooLarge } from '../control/mtu.ts'
import type { KeptVlan } from '../control/node.ts'
import { BookFile } from './book-file.ts'
import type { Config } from './config.ts'
import { isFor } from './interfaces.ts'
import { ownIdRemarks, type Remark } from './named-peers.ts'
import { recordName } from './records.ts'
import { readBody, readSeed, systemMistake, VERSION_FILE } from './state-files.ts'

export type Compared =
  /** Of each: where it stands, and what is wrong. `unknown`: VLANs that the node does not have. */
  | { readonly ok: true; readonly unknown: readonly Remark[]; readonly remarks: readonly Remark[] }
  /** Why there is nothing to compare with. */
  | { readonly ok: false; readonly why: string }

/** The node may run meanwhile. */
export function compareWithState(config: Config, state: string): Compared {
  try {
    if (!existsSync(join(state, VERSION_FILE))) return { ok: false, why: `${state} holds no state` }
    const vlans = new BookFile(state).read()?.vlans ?? []
    const remarks = [...ownIdRemarks(config, ownPeer(state)), ...mtuRemarks(config, vlans, state)]
    return { ok: true, unknown: unknownVlans(config, vlans), remarks }
  } catch (error) {
    const told = systemMistake(state, error)
    if (!(told instanceof UsageError)) throw told
    return { ok: false, why: told.message }
  }
}

function ownPeer(state: string): string {
  return peerIdOf(noble.signatures.publicKey(readSeed(state)))
}

function unknownVlans({ interfaces }: Config, vlans: readonly KeptVlan[]): Remark[] {
  const labels = vlans.map(({ identity }) => identity.label).join(', ')
  const has = vlans.length === 0 ? 'this node has no VLAN yet' : `this node has ${labels}`
  return interfaces.flatMap(({ vlan }, index) => {
    if (vlans.some((kept) => isNamed(vlan, kept))) return []
    const message = `interfaces[${index}].vlan is "${vlan}", and ${has}; correct it, or let the node join it`
    return [{ path: ['interfaces', index, 'vlan'], message }]
  })
}

function mtuRemarks({ interfaces }: Config, vlans: readonly KeptVlan[], state: string): Remark[] {
  return interfaces.flatMap(({ vlan, mtu }, index) => {
    const kept = vlans.find((each) => isNamed(vlan, each))
    if (kept === undefined || mtu === undefined) return []
    const wrong = tooLarge(mtu, kept.identity.label, mtuOf(kept, state))
    if (wrong === undefined) return []
    return [{ path: ['interfaces', index, 'mtu'], message: `interfaces[${index}].mtu ${wrong}` }]
  })
}

function isNamed(written: string, { vlan, identity }: KeptVlan): boolean {
  return isFor({ vlan: written }, { vlan, label: identity.label })
}

/** By the newest charter that is kept; undefined for a VLAN whose charter nobody has shown yet. */
function mtuOf({ port, identity }: KeptVlan, state: string): number | undefined {
  const record = readBody(state, recordName(recordOf(port, 'ledger')))
  const facts = [...identity.facts, ...(record === undefined ? [] : decodeLedger(record))]
  let newest: { readonly version: number; readonly mtu: number } | undefined
  for (const bytes of facts) {
    const fact = decodeFact(noble.hash, bytes)
    if (typeof fact === 'object' && fact.kind === FACT.charter && fact.version >= (newest?.version ?? 0))
      newest = fact
  }
  return newest?.mtu
}
