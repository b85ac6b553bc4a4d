/**
 * One node in the thread of its core: feeds the Host with what comes through the pipe, from interfaces and
 * from the clock, and carries out what the core asks for. See core-thread.ts for why it waits as it does.
 */
import { InvariantError, UsageError } from '../../core/errors.ts'
import { type Alarm, type Clock, Host } from '../../core/host.ts'
import { peerIdOf } from '../../core/ids.ts'
import {
  type Address,
  CHANNEL,
  type Channel,
  type CloseReason,
  type Command,
  type Effects,
  type Hop,
  type Job,
  type JobId,
  type LinkId,
  MILLISECOND,
  type Micros,
  NEVER,
  type NodeEvent,
  type PeerId,
  type PortId,
  SECOND,
  type StoreId,
} from '../../core/io.ts'
import { createNode } from '../../core/node.ts'
import { checkArguments } from '../control/arguments.ts'
import { callVerb, isVlanVerb } from '../control/asks.ts'
import { isEcho } from '../control/echo.ts'
import { done, type Outcome, Pending, REFUSAL, refused } from '../control/outcome.ts'
import { type VlanRow, VlanVerbs } from '../control/vlans.ts'
import { chooseCrypto, sayChoice } from '../crypto/provider.ts'
import { createClock } from '../linux/clock.ts'
import { Doorbell } from '../linux/doorbell.ts'
import type { Libc } from '../linux/libc.ts'
import { POLL, Poller } from '../linux/poller.ts'
import { NotNow } from '../not-now.ts'
import type { OpenDevice } from '../tap/device.ts'
import { Capture } from './capture.ts'
import { type CoreFiles, CoreSeat } from './core-seat.ts'
import { type DatagramSeat, openDatagrams } from './datagram-seat.ts'
import { Echoes, type PingOrder } from './echoes.ts'
import { type ExplainWorld, explain } from './explain.ts'
import { GarbageMan, LOOK_MILLIS } from './garbage.ts'
import { HoldBack } from './hold-back.ts'
import { Interfaces } from './interfaces.ts'
import type { Answer, CoreStart, LogEntry, Mail } from './messages.ts'
import { CoreEnd, channelOf, hopOf, reasonOf, TO_CORE } from './pipe.ts'
import { onPortEvent } from './port-events.ts'
import { SystemDice, systemKeys } from './randomness.ts'
import { Timers } from './timers.ts'
import { Trace } from './trace.ts'
import { type CoreStatus, type CoreView, coreStatus } from './views.ts'

/** Longest sleep (mesh:S15): what is missed is noticed then. */
const SLEEP_MAX: Micros = 250 * MILLISECOND
/** How soon it is looked whether the main thread, which has had no room, has some again. */
const LOOK_AGAIN: Micros = MILLISECOND
/** Frames of an interface between two looks at what else came. */
const FRAMES_AT_ONCE = 64
/** How often it is asked whether the machine slept. */
const SUSPEND_LOOK: Micros = SECOND
/** A goodbye takes some seconds; then the thread ends anyway. */
const LEAVE_WITHIN: Micros = 6 * SECOND
/** How long what is owed at the end is waited for: a main thread that is busy is so for less. Guess. */
const PAY_WITHIN: Micros = 500 * MILLISECOND
/** Packets of control for which the main thread had no room: beyond, their link has to go. */
const OWED_MAX = 4_096

interface Asked {
  readonly id: number
  readonly pending: Pending<object>
}

interface OwedPacket {
  readonly link: LinkId
  readonly hop: Hop
  readonly packet: Uint8Array
}

export class NodeCore implements Clock, Alarm, Effects {
  readonly #end: CoreEnd<Mail, Answer>
  readonly #poller: Poller
  readonly #bell: Doorbell
  readonly #time: ReturnType<typeof createClock>
  readonly #timers = new Timers()
  readonly #host: Host
  readonly #verbs: VlanVerbs
  readonly #echoes: Echoes
  readonly #interfaces: Interfaces
  readonly #seat: CoreSeat
  readonly #notes: NodeEvent[] = []
  readonly #trace = new Trace((entry) => this.log(entry))
  readonly #capture: Capture
  /** Undefined where data goes by streams alone. */
  readonly #datagrams: DatagramSeat | undefined
  #asked: Asked[] = []
  readonly #owed: OwedPacket[] = []
  #deadline: Micros = NEVER
  #suspended: Micros
  #suspendLookAt: Micros = 0
  readonly #holdBack = new HoldBack((waits) => this.#listen(!waits))
  readonly #garbage = new GarbageMan()
  /** From interfaces and trunks. */
  #packets = 0
  #leaving = false
  #ended = false
  /** Packets of data for which the main thread had no room. */
  #dropped = 0

  constructor(start: CoreStart, libc: Libc, open: OpenDevice, files: CoreFiles) {
    this.#end = new CoreEnd(start.ends)
    this.#poller = new Poller(libc)
    this.#bell = new Doorbell(libc, start.bell)
    this.#poller.add(this.#bell.fd)
    this.#time = createClock(libc)
    this.#suspended = this.#time.suspendedMicros()
    const choice = chooseCrypto()
    this.log({ level: 'info', module: 'core', message: sayChoice(choice) })
    this.#seat = new CoreSeat(this, files, start.contacts, choice.crypto)
    const seat = this.#seat
    this.#interfaces = new Interfaces(
      {
        open,
        now: () => this.now(),
        log: (entry) => this.log(entry),
        watch: (fd) => this.#poller.add(fd),
        unwatch: (fd) => this.#poller.remove(fd),
        changed: (names) => {
          this.mail({ kind: 'interfaces', names })
          this.#datagrams?.overlay.interfaces(names)
        },
      },
      start.interfaces,
    )
    this.#capture = new Capture(
      (port) => this.#interfaces.nameOf(port) ?? `port${port}`,
      (packets, lost) => this.mail({ kind: 'captured', packets, lost }),
    )
    const machine = createNode({
      selfSeed: start.selfSeed,
      restored: seat.restored,
      config: start.config,
      crypto: choice.crypto,
      dice: new SystemDice(),
      keys: systemKeys,
      wall: { millis: () => seat.wallMillis() },
    })
    this.#host = new Host(machine, this, this, this)
    this.#datagrams = this.#openDatagrams(start, libc)
    this.#verbs = new VlanVerbs(seat)
    this.#echoes = new Echoes({
      verbs: this.#verbs,
      now: () => this.now(),
      after: (wait, run) => this.after(wait, run),
      frame: (port, frame) => this.#host.frame(port, frame),
      interfaces: () => this.#interfaces.view(),
    })
    this.#host.command({ kind: 'bootstrap', peers: start.contacts })
    this.#verbs.start()
    this.#tellUnmatched()
    this.#lookForGarbage()
  }

  /** Until the node has left. */
  run(): void {
    while (!this.#ended) {
      const isMore = this.#work()
      this.#end.flush()
      if (!isMore && !this.#ended) this.#sleep()
    }
    this.#verbs.stop()
    this.#answer()
    this.#interfaces.closeAll()
    this.#payAll()
    this.#datagrams?.close()
    this.#end.flush()
  }

  #openDatagrams(start: CoreStart, libc: Libc): DatagramSeat | undefined {
    return openDatagrams(start, libc, this.#poller, this.#seat, this, {
      packet: (link, hop, bytes) => this.#onPacket(link, CHANNEL.data, hop, bytes),
      ready: (link, ready) => this.#onReady(link, CHANNEL.data, ready),
    })
  }

  /** What could not be said for want of room, the farewells most of all, as long as somebody makes room. */
  #payAll(): void {
    const clock = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const until = this.now() + PAY_WITHIN
    for (this.#pay(); this.#owed.length > 0 && this.now() < until; this.#pay()) {
      this.#end.flush()
      Atomics.wait(clock, 0, 0, 1)
    }
  }

  // For the seat of its owner.

  get machine(): Host['machine'] {
    return this.#host.machine
  }

  command(command: Command): void {
    this.#host.command(command)
  }

  after(wait: Micros, run: () => void): void {
    this.#timers.set(this.now() + wait, () => this.#guarded(run))
  }

  /** What cannot be kept, as on a full disk, is told and ends nothing. */
  #guarded(run: () => void): void {
    try {
      run()
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      this.log({ level: 'error', module: 'state', message: error.message })
    }
  }

  mail(answer: Answer): void {
    this.#end.mail(answer)
  }

  log(entry: LogEntry): void {
    this.#end.mail({ kind: 'log', entry })
  }

  // Clock and alarm.

  /** Goes on while the machine is suspended: then a wake comes late, by which the core knows (mesh:S15). */
  now(): Micros {
    return this.#time.monotonicMicros() + this.#suspended
  }

  set(at: Micros): void {
    this.#deadline = at
  }

  clear(): void {
    this.#deadline = NEVER
  }

  // Effects: within a step, so nothing is put in from here.

  // HOT PATH
  deliver(port: PortId, frame: Uint8Array): void {
    if (this.#capture.on) this.#capture.frame(port, true, frame)
    if (isEcho(frame)) this.#echoes.delivered(port, frame, this.#interfaces.macOf(port))
    else {
      const lost = this.#interfaces.write(port, frame)
      if (lost !== undefined && this.#trace.on) this.#trace.lost(this.now(), lost, port, frame)
    }
  }

  // HOT PATH
  send(link: LinkId, channel: Channel, hop: Hop, packet: Uint8Array): void {
    if (this.#capture.on) this.#capture.packet(link, true, channel, hop, packet)
    if (channel === CHANNEL.data) {
      this.#holdBack.sent(link)
      if (this.#datagrams?.send(link, hop, packet)) return
      if (this.#end.packet(link, channel, hop, packet)) return
      this.#dropped += 1
      if (this.#trace.on) this.#trace.refused(this.now(), 'dropMainBusy', link, packet)
    } else if (this.#owed.length > 0 || !this.#end.packet(link, channel, hop, packet)) {
      this.#owed.push({ link, hop, packet: packet.slice() })
    }
  }

  dial(peer: PeerId, addresses: readonly Address[]): void {
    this.mail({ kind: 'dial', peer, addresses: addresses.map((address) => address.slice()) })
  }

  hangUp(link: LinkId, reason: CloseReason): void {
    // What was said on it before goes first: it is in the same ring, or waits for room there.
    if (this.#owed.length > 0 || !this.#end.hangUp(link, reason))
      this.after(MILLISECOND, () => this.hangUp(link, reason))
  }

  start(job: JobId, work: Job): void {
    this.mail({ kind: 'start', job, work })
  }

  store(id: StoreId, record: Uint8Array): void {
    this.mail({ kind: 'store', id, record: record.slice() })
  }

  note(event: NodeEvent): void {
    this.#notes.push(event)
  }

  // The loop.

  /** True if there is more to do at once. */
  #work(): boolean {
    const now = this.now()
    // First, as it is there that a new life of a copied machine is noticed: nothing is sealed before.
    const fromPeers = this.#datagrams?.receive(now) ?? false
    const fromMain = this.#end.take(this.#onRecord, this.#onMail)
    this.#holdBack.expire(now)
    const mayRead = !this.#holdBack.waits && this.#end.hasRoom
    const fromInterfaces = mayRead && this.#interfaces.read(FRAMES_AT_ONCE, this.#onFrame)
    if (this.#deadline <= now) {
      this.#deadline = NEVER
      this.#host.fire()
    }
    if (this.#timers.next() <= now) this.#timers.fire(now)
    if (this.#interfaces.nextRetry() <= now) this.#interfaces.retry()
    if (this.#owed.length > 0) this.#pay()
    this.#tellNotes()
    this.#answer()
    this.#interfaces.flush()
    this.#capture.flush()
    this.#datagrams?.settle(this.now())
    return fromMain || fromPeers || fromInterfaces || this.#notes.length > 0
  }

  #sleep(): void {
    this.#lookForSuspend()
    const now = this.now()
    const { waits } = this.#holdBack
    const lacksRoom = !waits && !this.#end.hasRoom
    const until = Math.min(
      this.#holdBack.until,
      lacksRoom ? now + LOOK_AGAIN : NEVER,
      // There was no room for them when interfaces were read, and now there is.
      !waits && !lacksRoom && this.#interfaces.holds ? now : NEVER,
      this.#deadline,
      this.#timers.next(),
      this.#interfaces.nextRetry(),
      this.#datagrams?.due ?? NEVER,
      this.#owed.length > 0 ? now + MILLISECOND : NEVER,
      now + SLEEP_MAX,
    )
    if (lacksRoom) this.#listen(false)
    const mayWait = this.#end.sleeps()
    this.#poller.wait(mayWait ? until - now : 0)
    this.#end.awake()
    if (lacksRoom) this.#listen(true)
    this.#bell.clear()
  }

  #lookForGarbage(): void {
    this.after(LOOK_MILLIS * MILLISECOND, () => {
      this.#garbage.look(this.#packets)
      this.#lookForGarbage()
    })
  }

  #lookForSuspend(): void {
    const awake = this.#time.monotonicMicros()
    if (awake < this.#suspendLookAt) return
    this.#suspendLookAt = awake + SUSPEND_LOOK
    const suspended = this.#time.suspendedMicros()
    // Its two clocks are not read at one instant: less than this is no sleep, and time must not go back.
    if (suspended - this.#suspended > MILLISECOND) this.#suspended = suspended
  }

  // HOT PATH
  readonly #onFrame = (port: PortId, frame: Uint8Array): void => {
    this.#packets += 1
    if (this.#capture.on) this.#capture.frame(port, false, frame)
    if (this.#trace.on) this.#trace.begin(this.#host.machine)
    this.#holdBack.reading = true
    this.#host.frame(port, frame)
    this.#holdBack.reading = false
    if (this.#trace.on) this.#trace.end(this.#host.machine, this.now(), 'frame', port, frame)
  }

  // HOT PATH
  readonly #onRecord = (kind: number, link: number, value: number, bytes: Uint8Array): void => {
    const id = link as LinkId
    if (kind === TO_CORE.packet) this.#onPacket(id, channelOf(value), hopOf(value), bytes)
    else if (kind === TO_CORE.linkUp) this.#onUp(id, peerIdOf(bytes), value === 1)
    else if (kind === TO_CORE.linkDown) this.#onDown(id, reasonOf(value))
    else this.#onStreamReady(id, channelOf(value), hopOf(value) === 1)
  }

  #onUp(link: LinkId, peer: PeerId, dialled: boolean): void {
    this.#datagrams?.linkUp(link, peer, dialled)
    this.#host.linkUp(link, peer, dialled)
  }

  #onStreamReady(link: LinkId, channel: Channel, ready: boolean): void {
    if (channel === CHANNEL.data && this.#datagrams !== undefined) this.#datagrams.streamReady(link, ready)
    else this.#onReady(link, channel, ready)
  }

  #onReady(link: LinkId, channel: Channel, ready: boolean): void {
    if (channel === CHANNEL.data) this.#holdBack.onReady(this.now(), link, ready)
    this.#host.linkReady(link, channel, ready)
  }

  #onDown(link: LinkId, reason: CloseReason): void {
    this.#holdBack.onDown(link)
    this.#datagrams?.linkDown(link)
    this.#host.linkDown(link, reason)
  }

  /** Whether a frame at an interface ends a sleep. */
  #listen(wakes: boolean): void {
    for (const fd of this.#interfaces.files()) this.#poller.add(fd, wakes ? POLL.readable : 0)
  }

  // HOT PATH
  #onPacket(link: LinkId, channel: Channel, hop: Hop, bytes: Uint8Array): void {
    this.#packets += 1
    if (channel === CHANNEL.control && this.#datagrams?.controlled(this.now(), link, hop, bytes)) return
    if (this.#capture.on) this.#capture.packet(link, false, channel, hop, bytes)
    if (this.#trace.on) this.#trace.begin(this.#host.machine)
    this.#host.packet(link, channel, hop, bytes)
    if (this.#trace.on) this.#trace.end(this.#host.machine, this.now(), 'packet', link, bytes)
  }

  readonly #onMail = (mail: Mail): void => {
    switch (mail.kind) {
      case 'dialFailed':
        this.#host.dialFailed(mail.peer)
        break
      case 'remote':
        this.#datagrams?.remote(this.now(), mail.link, mail.host)
        break
      case 'addresses':
        this.#host.addressesChanged(mail.addresses, mail.reach)
        break
      case 'stored':
        this.#host.stored(mail.id, mail.ok)
        break
      case 'jobDone':
        this.#host.jobDone(mail.job, mail.outcome)
        break
      case 'contacts':
        this.#host.command({ kind: 'bootstrap', peers: mail.peers })
        break
      case 'reachedBy':
        this.#seat.reachedBy(mail.contacts)
        break
      case 'policy':
        this.#host.command({ kind: 'policy', policy: mail.policy })
        break
      case 'interfaces':
        this.#interfaces.order(mail.interfaces)
        this.#tellUnmatched()
        break
      case 'ask':
        this.#ask(mail.id, mail.verb, mail.args)
        break
      case 'trace':
        this.#trace.on = mail.on
        break
      case 'capture':
        this.#capture.on = mail.on
        break
      case 'captureTaken':
        this.#capture.taken(mail.bytes)
        break
      case 'stop':
        this.#leave()
        break
    }
  }

  // What the owner asks.

  #ask(id: number, verb: string, args: readonly unknown[]): void {
    try {
      this.#asked.push({ id, pending: this.#begin(verb, args) })
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      const { message } = error
      const isInTheWay = error instanceof NotNow
      const outcome = isInTheWay ? refused(REFUSAL.notNow, message) : { ok: false as const, mistake: message }
      this.mail({ kind: 'outcome', id, outcome })
    }
  }

  #begin(verb: string, args: readonly unknown[]): Pending<object> {
    if (isVlanVerb(verb)) return callVerb(this.#verbs, verb, args)
    checkArguments(verb, args)
    if (verb === 'ping') return this.#echoes.ping(args[0] as PingOrder)
    if (verb === 'explain') {
      const [name, vlan] = args as [string, string | undefined]
      return Pending.of<object>(explain(this.#explainWorld(), String(name), vlan ?? undefined))
    }
    if (verb === 'view') return Pending.of<object>(done(this.#view()))
    if (verb === 'status') return Pending.of<object>(done(this.#status()))
    throw new UsageError(`a node has no verb '${verb}'`)
  }

  #explainWorld(): ExplainWorld {
    const { machine } = this.#host
    return { machine, verbs: this.#verbs, interfaces: this.#interfaces.view(), now: this.now() }
  }

  #status(): CoreStatus {
    const vlans = this.#vlans()
    const missing = this.#interfaces.unmatched(vlans)
    const status = coreStatus(this.#host.machine.view(), vlans, this.#interfaces.view(), missing)
    const counters = {
      ...status.counters,
      ...this.#datagrams?.counts(),
      ...this.#interfaces.counts(),
      dropMainBusy: this.#dropped,
    }
    return { ...status, datagrams: this.#datagrams?.views() ?? [], counters }
  }

  /** All that the core shows of itself, but for ledgers, which are long and which nobody reads in bytes. */
  #view(): CoreView {
    const { machine } = this.#host
    const full = machine.view()
    const due = machine.nextDeadline()
    return {
      view: { ...full, memberships: full.memberships.map((each) => ({ ...each, facts: [] })) },
      timerSeconds: due === NEVER ? undefined : Math.max(0, due - this.now()) / SECOND,
    }
  }

  #vlans(): readonly VlanRow[] {
    const listed = this.#verbs.list().outcome
    return listed?.ok ? listed.value.vlans : []
  }

  /** A name with a slip of the pen would go unseen: the interface has others' settings then. */
  #tellUnmatched(): void {
    for (const vlan of this.#interfaces.unmatched(this.#vlans())) {
      const message = `interfaces: this node has no VLAN '${vlan}' yet, for which one is configured`
      this.log({ level: 'warn', module: 'tap', message })
    }
  }

  #answer(): void {
    if (this.#asked.length === 0) return
    const isDone = ({ id, pending }: Asked): boolean => {
      const outcome: Outcome<object> | undefined = pending.outcome
      if (outcome !== undefined) this.mail({ kind: 'outcome', id, outcome })
      return outcome !== undefined
    }
    this.#asked = this.#asked.filter((asked) => !isDone(asked))
  }

  // What the core notes: heard after the step, so that anything may be asked for then.

  #tellNotes(): void {
    for (const event of this.#notes.splice(0)) {
      this.#guarded(() => this.#verbs.noted(event))
      onPortEvent(event, this.#verbs, this.#interfaces)
      if (event.kind === 'left') this.#ended = true
      if (event.kind !== 'treeLink' && event.kind !== 'invitation') this.mail({ kind: 'note', event })
    }
  }

  /** The VLAN at a port was removed. */
  portClosed(port: PortId): void {
    this.#interfaces.portDown(port)
  }

  #leave(): void {
    if (this.#leaving) return
    this.#leaving = true
    const { self, trees } = this.#host.machine.view()
    this.#host.command({ kind: 'leave' })
    if (trees.some(({ root }) => root === self)) this.#leaveNow()
    this.after(LEAVE_WITHIN, () => {
      this.#ended = true
    })
  }

  /**
   * The core goes on for some seconds for those below it, until they have moved under others. Those below a
   * root have nowhere to move, for all their ways up end there: its time is up at once, which is told to the
   * core by its clock.
   */
  #leaveNow(): void {
    this.#suspended += LEAVE_WITHIN
    this.#host.fire()
  }

  /** Control packets that the ring had no room for, in their order. */
  #pay(): void {
    let paid = 0
    for (const { link, hop, packet } of this.#owed) {
      if (!this.#end.packet(link, CHANNEL.control, hop, packet)) break
      paid += 1
    }
    this.#owed.splice(0, paid)
    if (this.#owed.length > OWED_MAX) throw new InvariantError('the main thread does not listen any more')
  }
}
