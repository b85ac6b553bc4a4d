/**
 * The core's thread as the main thread has it: what the core asks for is done here (dials, jobs of MLS,
 * files), what comes from trunks and from the owner goes there. Knows neither configuration nor commands.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import { InvariantError, UsageError } from '../../core/errors.ts'
import { unhex } from '../../core/ids.ts'
import {
  type Address,
  CHANNEL,
  type Channel,
  CLOSE,
  type CloseReason,
  type Hop,
  type LinkId,
  type NodeEvent,
  type PeerHint,
  type PeerId,
  type PortId,
  type Reachability,
  type StoreId,
} from '../../core/io.ts'
import { type Outcome, REFUSAL, refused } from '../control/outcome.ts'
import type { TrunkListener } from '../libp2p/carrier.ts'
import { Doorbell } from '../linux/doorbell.ts'
import type { Libc } from '../linux/libc.ts'
import type { MlsRunner } from '../mls/runner.ts'
import type { CoreCarrier } from './early-carrier.ts'
import type { Answer, Captured, CoreStart, LogEntry, Mail, Mistake } from './messages.ts'
import { channelOf, hopOf, MainEnd, packed, reasonNumber, reasonOf, TO_CORE, TO_MAIN } from './pipe.ts'

/** Memory of the core's thread: tables of some ten thousand tokens and members are a tenth of it. */
const HEAP_MEGABYTES = 512
/** It makes next to no garbage on its hot path. */
const NURSERY_MEGABYTES = 3
/** What the owner asks at once; beyond it is refused. */
const ASKS_MAX = 512

export interface CoreOwner {
  log(entry: LogEntry): void
  noted(event: NodeEvent): void
  /** False if it could not be kept. */
  store(id: StoreId, record: Uint8Array): Promise<boolean>
  erase(port: PortId): void
  /** Whether the book of VLANs is on the disk as it is here. */
  bookKept(ok: boolean): void
  interfacesChanged(names: readonly string[]): void
  captured(packets: readonly Captured[], lost: number): void
  /** The thread has ended: by itself after `stop`, else with what went wrong. */
  coreEnded(error: Error | undefined): void
}

export class CoreHandle implements TrunkListener {
  readonly #pipe: MainEnd<Mail, Answer>
  readonly #worker: Worker
  readonly #bell: Doorbell
  #carrier: CoreCarrier
  readonly #mls: MlsRunner
  readonly #owner: CoreOwner
  readonly #asks = new Map<number, { resolve(outcome: Outcome<object>): void; reject(error: Error): void }>()
  #lastAsk = 0
  #packets = 0
  #stopping = false
  /** Why the thread is to end, or has. */
  #trouble: Error | undefined

  constructor(
    libc: Libc,
    start: Omit<CoreStart, 'ends' | 'bell'>,
    carrier: CoreCarrier,
    mls: MlsRunner,
    owner: CoreOwner,
  ) {
    this.#carrier = carrier
    this.#mls = mls
    this.#owner = owner
    this.#bell = new Doorbell(libc)
    const { port1, port2 } = new MessageChannel()
    this.#pipe = new MainEnd(port1, port2)
    const workerData: CoreStart = { ...start, ends: this.#pipe.ends, bell: this.#bell.fd }
    this.#worker = new Worker(new URL('./core-thread.ts', import.meta.url), {
      execArgv: ['--no-warnings'],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES, maxYoungGenerationSizeMb: NURSERY_MEGABYTES },
      transferList: [port2],
      workerData,
    })
    this.#worker.on('error', (error: Error) => {
      this.#trouble ??= error
    })
    this.#worker.on('exit', () => this.#onExit())
    this.#pipe.listen(() => this.#bell.ring(), this.#onRecord, this.#onMail)
  }

  /** What carries trunks from now on. */
  carriedBy(carrier: CoreCarrier): void {
    this.#carrier = carrier
  }

  /** Packets to and from trunks. */
  get packets(): number {
    return this.#packets
  }

  /** Packets from trunks for which the core had no room. */
  get dropped(): number {
    return this.#pipe.dropped
  }

  // What the owner asks.

  /** Rejects with a UsageError for what cannot be asked. */
  ask(verb: string, args: readonly unknown[]): Promise<Outcome<object>> {
    if (this.#stopping)
      return Promise.resolve(refused(REFUSAL.stopped, 'the node stops; start it, and ask again'))
    if (this.#asks.size >= ASKS_MAX) {
      const message = `${ASKS_MAX} commands wait already, the most there may be; wait for one`
      return Promise.resolve(refused(REFUSAL.tooMany, message))
    }
    const id = ++this.#lastAsk
    return new Promise((resolve, reject) => {
      this.#asks.set(id, { resolve, reject })
      this.mail({ kind: 'ask', id, verb, args })
    })
  }

  mail(mail: Mail): void {
    this.#pipe.mail(mail)
  }

  /** Takes leave; `ended` follows. */
  stop(): void {
    if (this.#stopping) return
    this.mail({ kind: 'stop' })
    this.#stopping = true
  }

  // What trunks tell.

  linkUp(link: LinkId, peer: PeerId, dialled: boolean): void {
    this.#pipe.tell(TO_CORE.linkUp, link, dialled ? 1 : 0, unhex(peer))
  }

  linkDown(link: LinkId, reason: CloseReason): void {
    this.#pipe.tell(TO_CORE.linkDown, link, reasonNumber(reason))
  }

  linkReady(link: LinkId, channel: Channel, ready: boolean): void {
    this.#pipe.tell(TO_CORE.linkReady, link, packed(channel, ready ? 1 : 0))
  }

  dialFailed(peer: PeerId): void {
    this.mail({ kind: 'dialFailed', peer })
  }

  addressesChanged(addresses: readonly Address[], reach: Reachability): void {
    this.mail({ kind: 'addresses', addresses, reach })
  }

  // HOT PATH
  packet(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    this.#packets += 1
    if (this.#pipe.packet(link, channel, hop, bytes) || channel === CHANNEL.data) return
    // Control is complete or ends: nobody keeps for a peer what the core does not take.
    queueMicrotask(() => this.#carrier.hangUp(link, CLOSE.clogged))
  }

  reachedBy(contacts: readonly PeerHint[]): void {
    this.mail({ kind: 'reachedBy', contacts })
  }

  // What the core asks.

  // HOT PATH
  readonly #onRecord = (kind: number, first: number, second: number, bytes: Uint8Array): void => {
    const link = first as LinkId
    this.#packets += 1
    if (kind === TO_MAIN.packet) this.#carrier.send(link, channelOf(second), hopOf(second), bytes)
    else this.#carrier.hangUp(link, reasonOf(second))
  }

  readonly #onMail = (answer: Answer): void => {
    switch (answer.kind) {
      case 'dial':
        this.#carrier.dial(answer.peer, answer.addresses)
        break
      case 'start':
        void this.#mls.run(answer.work).then(
          (outcome) => this.mail({ kind: 'jobDone', job: answer.job, outcome }),
          (error: unknown) => this.#fail(error),
        )
        break
      case 'store':
        void this.#owner
          .store(answer.id, answer.record)
          .then((ok) => this.mail({ kind: 'stored', id: answer.id, ok }))
        break
      case 'erase':
        this.#owner.erase(answer.port)
        break
      case 'bookKept':
        this.#owner.bookKept(answer.ok)
        break
      case 'interfaces':
        this.#owner.interfacesChanged(answer.names)
        break
      case 'note':
        this.#owner.noted(answer.event)
        break
      case 'doubt':
        this.#carrier.doubt(answer.link)
        break
      case 'log':
        this.#owner.log(answer.entry)
        break
      case 'outcome':
        this.#onOutcome(answer.id, answer.outcome)
        break
      case 'captured':
        this.#owner.captured(answer.packets, answer.lost)
        break
    }
  }

  #onOutcome(id: number, outcome: Outcome<object> | Mistake): void {
    const asked = this.#asks.get(id)
    this.#asks.delete(id)
    if ('mistake' in outcome) asked?.reject(new UsageError(outcome.mistake))
    else asked?.resolve(outcome)
  }

  /** A job that only a fault of ours can make fail. */
  #fail(error: unknown): void {
    this.#trouble ??= error instanceof Error ? error : new InvariantError(String(error))
    void this.#worker.terminate()
    // It sleeps in the kernel, where nobody can end it.
    this.#bell.ring()
  }

  #onExit(): void {
    const trouble = this.#trouble
    const isExpected = this.#stopping && trouble === undefined
    this.#stopping = true
    this.#pipe.finish()
    for (const { resolve } of this.#asks.values())
      resolve(refused(REFUSAL.stopped, 'the node stopped before it was done; start it, and ask again'))
    this.#asks.clear()
    this.#bell.close()
    this.#pipe.close()
    this.#owner.coreEnded(
      isExpected ? undefined : (trouble ?? new InvariantError('the thread of the core ended')),
    )
  }
}
