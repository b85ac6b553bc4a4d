/**
 * What is said by mail between the main thread and the thread of the core: plain data, each kind once. What
 * is said often goes through the ring (pipe.ts).
 */
import type { NodeConfig } from '../../core/config.ts'
import type {
  Address,
  Job,
  JobId,
  JobOutcome,
  LinkId,
  NodeEvent,
  PeerHint,
  PeerId,
  PortId,
  Reachability,
  RelayPolicy,
  StoreId,
} from '../../core/io.ts'
import type { Outcome } from '../control/outcome.ts'
import type { DeviceKind, DeviceOffload } from '../tap/device.ts'
import type { DatagramOrder } from './datagram-order.ts'
import type { PipeEnds } from './pipe.ts'
import type { Book } from './vlan-book.ts'

/** What the core's thread is made from. */
export interface CoreStart {
  readonly ends: PipeEnds
  /** The descriptor by which it is woken (drivers/linux). */
  readonly bell: number
  /** Where its books are. */
  readonly state: string
  /** Of VLANs, as it was read. */
  readonly book: Book
  /** 32 bytes: the Ed25519 seed of the node key. */
  readonly selfSeed: Uint8Array
  /** Whom to join through. */
  readonly contacts: readonly PeerHint[]
  readonly config: Partial<NodeConfig>
  readonly interfaces: readonly InterfaceOrder[]
  /** Undefined: data goes by streams alone. */
  readonly datagrams: DatagramOrder | undefined
}

/** How the interface of a VLAN is to be; what is not said here comes from the VLAN. */
export interface InterfaceOrder {
  /** A label, or the first digits of a VLAN-ID. */
  readonly vlan: string
  readonly kind?: DeviceKind
  readonly name?: string | undefined
  readonly mtu?: number | undefined
  /** CIDR. */
  readonly addresses: readonly string[]
  /** An IPv6 address made from the member key. */
  readonly ula: boolean
  readonly offload?: DeviceOffload
}

/** To the core. */
export type Mail =
  | { readonly kind: 'dialFailed'; readonly peer: PeerId }
  /** The IP address where the peer of a link that just came up is; undefined if it is not known. */
  | { readonly kind: 'remote'; readonly link: LinkId; readonly host: string | undefined }
  | { readonly kind: 'addresses'; readonly addresses: readonly Address[]; readonly reach: Reachability }
  | { readonly kind: 'stored'; readonly id: StoreId; readonly ok: boolean }
  | { readonly kind: 'jobDone'; readonly job: JobId; readonly outcome: JobOutcome }
  | { readonly kind: 'ask'; readonly id: number; readonly verb: string; readonly args: readonly unknown[] }
  | { readonly kind: 'contacts'; readonly peers: readonly PeerHint[] }
  /** Where whoever is invited may dial: this node, or others that lead to it. */
  | { readonly kind: 'reachedBy'; readonly contacts: readonly PeerHint[] }
  | { readonly kind: 'interfaces'; readonly interfaces: readonly InterfaceOrder[] }
  | { readonly kind: 'policy'; readonly policy: RelayPolicy }
  /** Frames whose loss has a reason are told, or no more. */
  | { readonly kind: 'trace'; readonly on: boolean }
  | { readonly kind: 'capture'; readonly on: boolean }
  /** So much of what was captured has been passed on. */
  | { readonly kind: 'captureTaken'; readonly bytes: number }
  /** Takes leave of its neighbours, closes its interfaces and ends. */
  | { readonly kind: 'stop' }

/** From the core. */
export type Answer =
  | { readonly kind: 'dial'; readonly peer: PeerId; readonly addresses: readonly Address[] }
  | { readonly kind: 'start'; readonly job: JobId; readonly work: Job }
  | { readonly kind: 'store'; readonly id: StoreId; readonly record: Uint8Array }
  | { readonly kind: 'erase'; readonly port: PortId }
  /** Whether the book of VLANs could be written, where that changed. */
  | { readonly kind: 'bookKept'; readonly ok: boolean }
  /** The interfaces of VLANs are these now. */
  | { readonly kind: 'interfaces'; readonly names: readonly string[] }
  | { readonly kind: 'note'; readonly event: NodeEvent }
  /** Nothing comes back by datagrams from the peer of that link: is it still there? */
  | { readonly kind: 'doubt'; readonly link: LinkId }
  | { readonly kind: 'log'; readonly entry: LogEntry }
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: Outcome<object> | Mistake }
  | { readonly kind: 'captured'; readonly packets: readonly Captured[]; readonly lost: number }

/** What was asked for cannot be asked for: a UsageError on the other side. */
export interface Mistake {
  readonly ok: false
  readonly mistake: string
}

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly module: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** A frame of an interface, or a packet of a trunk, as it passed. */
export interface Captured {
  /** Wall time in microseconds. */
  readonly at: number
  /** The interface's name; undefined for a trunk. */
  readonly port: string | undefined
  readonly outgoing: boolean
  /** Of a trunk. */
  readonly link: number
  readonly channel: number
  readonly hop: number
  readonly bytes: Uint8Array
}
