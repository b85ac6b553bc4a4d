/**
 * Frames on their way out: which epoch and key each is sealed under (sec:A8, B10), and those that wait while
 * a refused member could open them (sec:B9). Knows members and sessions; bytes are outbound.ts's.
 */
import { COUNT } from '../counters.ts'
import { sameBytes } from '../ids.ts'
import type { Micros } from '../io.ts'
import type { PayloadKind } from '../vlan/plaintext.ts'
import type { SealContext } from './context.ts'
import type { Epoch } from './epoch.ts'
import type { GroupKeys } from './group-keys.ts'
import { FrameQueue, type WaitingFrame } from './hold.ts'
import { FLUSH_STEP, FROZEN_FRAMES, FROZEN_LIFE, STEP_PAUSE } from './limits.ts'
import type { Outbound } from './outbound.ts'
import type { Peer } from './peers.ts'
import type { Sessions } from './session.ts'

/** In place of a leaf index: a frame for whoever holds the token, under this member's group key. */
export const GROUP = -1
/** What became of a payload that was to be sealed: the name of its counter, or one of the first two. */
export type SealOutcome =
  | 'sealed'
  /** It waits for an epoch without refused members, two seconds at most (sec:B9). */
  | 'waiting'
  | 'dropNoEpoch'
  | 'dropNotMember'
  | 'dropRefused'
  | 'dropNoCard'
  | 'dropFrozen'
  | 'dropKeySpent'

export class Frames {
  readonly #context: SealContext
  readonly #outbound: Outbound
  readonly #groupKeys: GroupKeys
  readonly #sessions: Sessions
  readonly #waiting = new FrameQueue(FROZEN_FRAMES, FROZEN_LIFE)

  constructor(context: SealContext, outbound: Outbound, groupKeys: GroupKeys, sessions: Sessions) {
    this.#context = context
    this.#outbound = outbound
    this.#groupKeys = groupKeys
    this.#sessions = sessions
  }

  // HOT PATH
  /** Seals a frame for one member by its leaf index, or for GROUP. Counts what is dropped. */
  seal(
    now: Micros,
    kind: PayloadKind,
    leaf: number,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number,
  ): SealOutcome {
    const outcome =
      leaf === GROUP
        ? this.#sealGroup(now, kind, token, payload, packetBytes)
        : this.#sealUnicast(now, kind, leaf, token, payload, packetBytes)
    if (outcome !== 'sealed' && outcome !== 'waiting') this.#context.counters.add(COUNT[outcome])
    return outcome
  }

  // HOT PATH
  #sealGroup(
    now: Micros,
    kind: PayloadKind,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number,
  ): SealOutcome {
    const { epochs } = this.#context
    const epoch = epochs.sealing(now)
    if (epoch === undefined) return 'dropNoEpoch'
    // What waits already goes first.
    if (epochs.frozen || this.#waiting.size > 0)
      return this.#wait(now, kind, GROUP, token, payload, packetBytes)
    return this.#sealUnderGroupKey(now, epoch, kind, token, payload, packetBytes)
  }

  // HOT PATH
  #sealUnderGroupKey(
    now: Micros,
    epoch: Epoch,
    kind: PayloadKind,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number,
  ): SealOutcome {
    const outbound = this.#outbound
    const count = outbound.packetsFor(payload.length, true, packetBytes)
    const plainBytes = outbound.plainBytesFor(payload.length, true, count, packetBytes)
    const key = this.#groupKeys.own(now, epoch, count, plainBytes)
    outbound.seal(now, epoch, key, true, kind, token, payload, packetBytes)
    return 'sealed'
  }

  // HOT PATH
  #sealUnicast(
    now: Micros,
    kind: PayloadKind,
    leaf: number,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number,
  ): SealOutcome {
    const { epochs, peers, sign } = this.#context
    const { current } = epochs
    if (current === undefined) return 'dropNoEpoch'
    const peer = peers.find(leaf)
    if (peer === undefined) return this.#whyNoPeer(current, leaf)
    if (peer.card === undefined) return 'dropNoCard'
    const epoch = this.#epochFor(now, peer, current)
    let session = this.#sessions.use(now, peer, epoch)
    const count = this.#outbound.packetsFor(payload.length, sign === 'all', packetBytes)
    const plainBytes = this.#outbound.plainBytesFor(payload.length, sign === 'all', count, packetBytes)
    if (session !== undefined) {
      const key = this.#sessions.keyOf(now, session, epoch)
      if (!key.hasRoom(now, count, plainBytes)) session = this.#sessions.replace(now, peer, epoch)
    }
    if (session === undefined) {
      return epochs.frozen ? this.#wait(now, kind, leaf, token, payload, packetBytes) : 'dropKeySpent'
    }
    const key = this.#sessions.keyOf(now, session, epoch)
    this.#outbound.seal(now, epoch, key, sign === 'all', kind, token, payload, packetBytes)
    return 'sealed'
  }

  #whyNoPeer(epoch: Epoch, leaf: number): SealOutcome {
    const entry = epoch.roster.get(leaf)
    if (entry === undefined || leaf === epoch.self) return 'dropNotMember'
    return this.#context.epochs.isRefused(entry.memberKey) ? 'dropRefused' : 'dropNoCard'
  }

  // HOT PATH
  /** The parent while it may be sealed under and the peer was not seen beyond it (sec:S15). */
  #epochFor(now: Micros, peer: Peer, current: Epoch): Epoch {
    const parent = this.#context.epochs.parent(now)
    if (parent === undefined || peer.seenSerial >= current.serial) return current
    const entry = parent.roster.get(peer.leaf)
    return entry !== undefined && sameBytes(entry.leafKey, peer.entry.leafKey) ? parent : current
  }

  #wait(
    now: Micros,
    kind: PayloadKind,
    leaf: number,
    token: Uint8Array,
    payload: Uint8Array,
    packetBytes: number,
  ): SealOutcome {
    if (!this.#waiting.keep(now, kind, leaf, token, payload, packetBytes)) return 'dropFrozen'
    this.#context.deadline.lower(this.#waiting.dueAt)
    return 'waiting'
  }

  /** Seals frames that waited, a few in each step, once there is an epoch for them. */
  flush(now: Micros): void {
    const { epochs, counters, deadline } = this.#context
    counters.add(COUNT.dropFrozen, this.#waiting.expire(now))
    if (!epochs.frozen) {
      for (let left = FLUSH_STEP; left > 0; left--) {
        const frame = this.#waiting.take()
        if (frame === undefined) break
        const outcome = this.#sealWaiting(now, frame)
        if (outcome !== 'sealed' && outcome !== 'waiting') counters.add(COUNT[outcome])
      }
      if (this.#waiting.size > 0) deadline.lower(now + STEP_PAUSE)
    }
    deadline.lower(this.#waiting.dueAt)
  }

  #sealWaiting(now: Micros, frame: WaitingFrame): SealOutcome {
    const { kind, leaf, token, payload, packetBytes } = frame
    if (leaf !== GROUP) return this.#sealUnicast(now, kind, leaf, token, payload, packetBytes)
    const epoch = this.#context.epochs.sealing(now)
    if (epoch === undefined) return 'dropNoEpoch'
    return this.#sealUnderGroupKey(now, epoch, kind, token, payload, packetBytes)
  }
}
