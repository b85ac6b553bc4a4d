/**
 * A running node, as a whole: trunks, the thread of the core, MLS in its own thread, files, log and control
 * API, put together and taken apart in order. What each does is theirs; what an owner may ask is api.ts's.
 */
import type { NodeEvent, PeerHint, PeerId, PortId, StoreId } from '../../core/io.ts'
import { REACHABILITY } from '../../core/io.ts'
import { type Contact, parseContact } from '../libp2p/contact.ts'
import { Trunks } from '../libp2p/trunks.ts'
import { openLibc } from '../linux/libc.ts'
import { MlsRunner } from '../mls/runner.ts'
import { NodeApi } from './api.ts'
import { type Config, readConfig, relayPolicy } from './config.ts'
import { reloadable } from './config-reload.ts'
import { ControlServer } from './control-server.ts'
import { CoreHandle, type CoreOwner } from './core-handle.ts'
import { NodeEvents } from './events.ts'
import type { Logs } from './logs.ts'
import type { Captured, InterfaceOrder, LogEntry } from './messages.ts'
import type { Places } from './places.ts'
import { StateDirectory } from './state.ts'
