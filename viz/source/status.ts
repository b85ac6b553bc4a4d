/** What a node says of itself and the page reads of it: a part of what `peertap status --json` prints. */
import type { LinkView, RelayPolicy, TreeView } from '../../core/io.ts'

export interface VlanRow {
  readonly vlan: string
  readonly label: string
  readonly phase: 'outside' | 'member' | 'over'
  readonly asking: boolean
  readonly off: boolean
  readonly over?: string
  readonly role: string
  readonly epoch: number
  readonly members: number
  readonly mac?: string
  readonly port: number
}

export interface InterfaceRow {
  readonly label: string
  readonly port: number
  readonly name?: string
  readonly mtu: number
  readonly addresses: readonly string[]
  readonly trouble?: string
  readonly framesIn: number
  readonly framesOut: number
  readonly framesLost: number
}

export interface TrunkRow {
  readonly link: number
  readonly transport: string
  readonly remote: string
  readonly relayed: boolean
  readonly dialled: boolean
  readonly bytesIn: number
  readonly bytesOut: number
  readonly datagram?: { readonly used: boolean; readonly why: string }
}

export interface Status {
  readonly self: string
  readonly links: readonly LinkView[]
  readonly trees: readonly TreeView[]
  readonly vlans: readonly VlanRow[]
  readonly interfaces: readonly InterfaceRow[]
  readonly vlansMissing: readonly string[]
  readonly trunks: readonly TrunkRow[]
  readonly names: Readonly<Record<string, string>>
  readonly process: {
    readonly version: string
    readonly upSeconds: number
    readonly peer: string
    readonly contacts: readonly string[]
    readonly reachability: string
    readonly policy: RelayPolicy
    readonly errors: readonly string[]
  }
}

export interface MemberRow {
  readonly member: string
  readonly self: boolean
  readonly role: string
  readonly mac?: string
  readonly online: boolean
  readonly heardSecondsAgo?: number
  readonly refused?: string
}

export interface Explanation {
  readonly next: readonly { readonly peer?: string; readonly way: 'up' | 'down' }[]
  readonly why: string
  readonly drop?: string
}
