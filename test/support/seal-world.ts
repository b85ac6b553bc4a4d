/**
 * Members of one VLAN that seal to each other over a wire which loses, doubles and reorders, in virtual
 * time. Epochs come from a plain secret instead of MLS. Watched from above: every (key, nonce) pair that is
 * sealed under, and what each signature costs.
 */
import { Counters } from '../../core/counters.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import type { Dice, Keys } from '../../core/dice.ts'
import { BROADCAST_MAC, concat, hex, type Mac, macText, utf8 } from '../../core/ids.ts'
import { type LinkId, MILLISECOND, type Micros, SECOND } from '../../core/io.ts'
import type { Opened, SealEvent, SignPolicy } from '../../core/seal/context.ts'
import type { Exporter } from '../../core/seal/derive.ts'
import type { EpochSource } from '../../core/seal/epoch.ts'
import { GROUP, type SealOutcome } from '../../core/seal/frames.ts'
import type { OpenOutcome } from '../../core/seal/intake.ts'
import { KEY_LIMITS, type KeyLimits } from '../../core/seal/limits.ts'
import type { MemberTokens } from '../../core/seal/own.ts'
import type { RosterEntry } from '../../core/seal/peers.ts'
import { Sealer } from '../../core/seal/sealer.ts'
import { PAYLOAD_KIND, type Padding } from '../../core/vlan/plaintext.ts'
import { readU32, writeU32 } from '../../core/wire/cursor.ts'
import { tokenOf } from '../../core/wire/packet.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { streamDice } from './seal-dice.ts'

export const VLAN = Uint8Array.from({ length: 16 }, (_, at) => 0xa0 + at)
/** 2026-01-01 00:00 UTC: what true wall time is at the world's time 0. */
const EPOCH_MILLIS = 1_767_225_600_000
const LINK = 1 as LinkId

/** How packets travel from one member to another. */
export interface Wire {
  /** Shares of packets. */
  loss: number
  duplicates: number
  minMicros: Micros
  maxMicros: Micros
}

export interface WorldOptions {
  readonly crypto?: Crypto
  readonly seed?: number
  /** Of all, or by number. */
  readonly sign?: SignPolicy | readonly SignPolicy[]
  readonly padding?: Padding
  readonly keyLimits?: Partial<KeyLimits>
  readonly wire?: Partial<Wire>
  /** Another world's, to look for pairs over both. */
  readonly watch?: Watch
  /** How members came into their first epoch; after a restart they are restored in any case. */
  readonly origin?: 'entered' | 'restored'
}

/** Counts what is asked of the crypto ports, and notes a (key, nonce) pair that is sealed under twice. */
export class Watch {
  readonly crypto: Crypto
  signed = 0
  verified = 0
  agreed = 0
  sealed = 0
  opened = 0
  /** Set false to seal what was sealed before, on purpose. */
  watching = true
  readonly repeats: string[] = []
  readonly #pairs = new Set<string>()

  constructor(inner: Crypto) {
    this.crypto = {
      ...inner,
      signatures: {
        ...inner.signatures,
        sign: (seed, message) => {
          this.signed += 1
          return inner.signatures.sign(seed, message)
        },
        verify: (key, message, signature) => {
          this.verified += 1
          return inner.signatures.verify(key, message, signature)
        },
      },
      agreement: {
        ...inner.agreement,
        shared: (secret, publicKey) => {
          this.agreed += 1
          return inner.agreement.shared(secret, publicKey)
        },
      },
      aead: {
        ...inner.aead,
        seal: (key, nonce, header, plain, out) => {
          this.sealed += 1
          if (this.watching) this.#note(`${hex(key)} ${hex(nonce)}`)
          inner.aead.seal(key, nonce, header, plain, out)
        },
        open: (key, nonce, header, sealed, out) => {
          this.opened += 1
          return inner.aead.open(key, nonce, header, sealed, out)
        },
      },
    }
  }

  #note(pair: string): void {
    if (this.#pairs.has(pair)) this.repeats.push(pair)
    this.#pairs.add(pair)
  }
}

/** A key stream: the same seed gives the same secrets. */
function streamKeys(crypto: Crypto, seed: number): Keys {
  let count = 0
  return {
    bytes: (length) => {
      const parts: Uint8Array[] = []
      for (let have = 0; have < length; have += 32)
        parts.push(crypto.hash.hash32(utf8(`keys ${seed} ${count++}`)))
      return concat(...parts).slice(0, length)
    },
  }
}

/** An epoch as the group's logic knows it, without any MLS. */
export interface TestEpoch {
  readonly mlsId: Uint8Array
  readonly roster: ReadonlyMap<number, RosterEntry>
  readonly exporter: Exporter
}

function testExporter(crypto: Crypto, secret: Uint8Array): Exporter {
  return (label, context, length) => {
    const prk = crypto.hash.keyed32(secret, concat(utf8(`${label}\0`), context))
    return crypto.kdf.expand(prk, utf8('exported'), length)
  }
}

/** One delivered frame. */
export interface Delivery {
  readonly at: Micros
  readonly member: number
  readonly from: number
  readonly frame: number
  readonly opened: Opened
}

/** A packet that passed the wire, for whoever wants to replay it. */
export interface Recorded {
  readonly at: Micros
  readonly packet: Uint8Array
}

export class TestMember {
  readonly number: number
  readonly memberKey: Uint8Array
  leafSeed: Uint8Array
  leafKey: Uint8Array
  sealer: Sealer
  readonly counters = new Counters()
  readonly events: SealEvent[] = []
  up = true
  /** The machine's clocks against the world's. */
  monotonicOffset: Micros
  monotonicRate = 1
  wallOffsetMillis = 0
  wallSet = true
  epoch: TestEpoch | undefined
  starts = 0
  readonly #world: SealWorld

  constructor(world: SealWorld, number: number) {
    this.#world = world
    this.number = number
    const { crypto } = world
    this.memberKey = crypto.signatures.publicKey(world.secret(`member ${number}`))
    this.leafSeed = world.secret(`leaf ${number}`)
    this.leafKey = crypto.signatures.publicKey(this.leafSeed)
    this.monotonicOffset = number * 1_234_567
    this.sealer = this.#make()
  }

  /** The machine's monotonic time. */
  get now(): Micros {
    return Math.floor(this.#world.now * this.monotonicRate) + this.monotonicOffset
  }

  /** The world's time of a time of this machine. */
  worldTime(own: Micros): Micros {
    return Math.ceil((own - this.monotonicOffset) / this.monotonicRate)
  }

  get mac(): Mac {
    return this.sealer.mac
  }

  get token(): Uint8Array {
    return this.#world.token(this.mac)
  }

  /** The process starts again: a fresh sealer that remembers nothing, on the epoch given if there is one. */
  restart(...given: [TestEpoch | undefined] | []): void {
    const epoch = given.length === 0 ? this.epoch : given[0]
    this.starts += 1
    this.sealer = this.#make()
    this.up = true
    this.epoch = undefined
    if (epoch !== undefined) this.adopt(epoch)
  }

  adopt(epoch: TestEpoch, grace = true): void {
    this.epoch = epoch
    this.sealer.adopt(this.now, this.#world.source(this, epoch), grace)
    this.#world.settle(this)
  }

  refuse(other: TestMember): void {
    this.sealer.refuse(other.memberKey)
    this.#world.settle(this)
  }

  /** A frame to one member, or to all. */
  send(to: TestMember | 'all', bytes = 60, packetBytes?: number): { frame: number; outcome: SealOutcome } {
    const frame = this.#world.nextFrame()
    const payload = framePayload(frame, this.number, bytes)
    const [leaf, token] =
      to === 'all' ? [GROUP, this.#world.broadcast] : [to.number, this.#world.token(to.mac)]
    const outcome = this.sealer.seal(this.now, PAYLOAD_KIND.frame, leaf, token, payload, packetBytes)
    this.#world.settle(this)
    return { frame, outcome }
  }

  open(packet: Uint8Array, link: LinkId = LINK): OpenOutcome {
    const outcome = this.sealer.open(this.now, link, packet)
    if (outcome === 'opened') this.#world.delivered(this, this.sealer.opened)
    this.#world.settle(this)
    return outcome
  }

  count(name: Parameters<Counters['get']>[0]): number {
    return this.counters.get(name)
  }

  #make(): Sealer {
    const { crypto, options } = this.#world
    const seed = this.number * 1_000 + this.starts
    return new Sealer({
      now: this.now,
      crypto,
      keys: streamKeys(crypto, (options.seed ?? 1) * 1_000_000 + seed),
      dice: streamDice((options.seed ?? 1) * 7_919 + seed),
      counters: this.counters,
      wall: { millis: () => this.#wallMillis() },
      vlan: VLAN,
      memberKey: this.memberKey,
      tokens: this.#world.tokens,
      firstHopLimit: 64 + this.number,
      sign: this.#sign(),
      padding: options.padding ?? 'small',
      keyLimits: { ...KEY_LIMITS, ...options.keyLimits },
    })
  }

  #sign(): SignPolicy {
    const { sign = 'session' } = this.#world.options
    return typeof sign === 'string' ? sign : (sign[this.number] ?? 'session')
  }

  #wallMillis(): number {
    if (!this.wallSet) return 0
    return EPOCH_MILLIS + Math.floor(this.#world.now / MILLISECOND) + this.wallOffsetMillis
  }
}

interface Pending {
  readonly at: Micros
  readonly serial: number
  readonly run: () => void
}

export class SealWorld {
  readonly options: WorldOptions
  readonly crypto: Crypto
  readonly watch: Watch
  readonly wire: Wire
  readonly dice: Dice
  readonly members: TestMember[] = []
  readonly deliveries: Delivery[] = []
  readonly recorded: Recorded[] = []
  readonly broadcast: Uint8Array
  readonly tokens: MemberTokens
  now: Micros = 10 * SECOND
  /** Called before each packet travels; false swallows it. */
  onPacket: (from: TestMember, packet: Uint8Array) => boolean = () => true
  readonly #queue: Pending[] = []
  #serial = 0
  #frames = 0
  #epochs = 0
  readonly #tokenCache = new Map<Mac, Uint8Array>()

  constructor(count: number, options: WorldOptions = {}) {
    this.options = options
    this.watch = options.watch ?? new Watch(options.crypto ?? standInCrypto)
    this.crypto = this.watch.crypto
    this.wire = {
      loss: 0,
      duplicates: 0,
      minMicros: 5 * MILLISECOND,
      maxMicros: 5 * MILLISECOND,
      ...options.wire,
    }
    this.dice = streamDice(options.seed ?? 1)
    this.tokens = { token: (mac) => this.token(mac), saltId: new Uint8Array(16).fill(0x5a) }
    this.broadcast = this.token(BROADCAST_MAC)
    for (let number = 0; number < count; number++) this.members.push(new TestMember(this, number))
  }

  secret(name: string): Uint8Array {
    return this.crypto.hash.hash32(utf8(`secret ${this.options.seed ?? 1} ${name}`))
  }

  token(mac: Mac): Uint8Array {
    const known = this.#tokenCache.get(mac)
    if (known !== undefined) return known
    const token = this.crypto.hash.hash16(utf8(`token ${macText(mac)}`))
    this.#tokenCache.set(mac, token)
    return token
  }

  /** A new epoch of these members, each at the leaf of its number. */
  epoch(members: readonly TestMember[] = this.members): TestEpoch {
    const secret = this.secret(`epoch ${this.#epochs++}`)
    return {
      mlsId: this.crypto.hash.hash16(secret),
      roster: new Map(members.map(({ number, memberKey, leafKey }) => [number, { memberKey, leafKey }])),
      exporter: testExporter(this.crypto, secret),
    }
  }

  source(member: TestMember, epoch: TestEpoch): EpochSource {
    const first = member.starts > 0 ? 'restored' : (this.options.origin ?? 'restored')
    const origin = member.sealer.mlsId === undefined ? first : 'child'
    return { ...epoch, self: member.number, leafSeed: member.leafSeed, origin }
  }

  /** All of them adopt a new epoch at once. */
  adoptAll(members: readonly TestMember[] = this.members): TestEpoch {
    const epoch = this.epoch(members)
    for (const member of members) member.adopt(epoch)
    return epoch
  }

  nextFrame(): number {
    return ++this.#frames
  }

  /** Runs until a time of the world. */
  run(until: Micros): void {
    for (;;) {
      const first = this.#queue[0]
      if (first === undefined || first.at > until) break
      this.#queue.shift()
      this.now = Math.max(this.now, first.at)
      first.run()
    }
    this.now = Math.max(this.now, until)
  }

  runFor(micros: Micros): void {
    this.run(this.now + micros)
  }

  at(when: Micros, run: () => void): void {
    const pending = { at: when, serial: this.#serial++, run }
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#queue[middle] as Pending).at <= when) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, pending)
  }

  /** Drains a member's effects and arms its alarm. */
  settle(member: TestMember): void {
    const { sealer } = member
    sealer.drain(member.now, {
      send: (packet) => this.carry(member, packet),
      opened: (opened) => this.delivered(member, opened),
      event: (event) => member.events.push(event),
    })
    const due = sealer.deadline
    const at = Math.max(this.now, member.worldTime(Math.min(due, member.now + 1_000 * SECOND)))
    this.at(at, () => this.#wake(member, sealer))
  }

  delivered(member: TestMember, opened: Opened): void {
    if (opened.kind !== PAYLOAD_KIND.frame) return
    const frame = readU32(opened.payload, 0)
    const from = readU32(opened.payload, 4)
    if (opened.leaf !== from) throw new Error(`frame ${frame} of ${from} came as one of ${opened.leaf}`)
    this.deliveries.push({ at: this.now, member: member.number, from, frame, opened: { ...opened } })
  }

  /** Frames that a member got, in order. */
  got(member: TestMember): number[] {
    return this.deliveries.filter((each) => each.member === member.number).map(({ frame }) => frame)
  }

  /** Sends a packet over the wire to everybody whose token it has. */
  carry(from: TestMember, packet: Uint8Array): void {
    this.recorded.push({ at: this.now, packet })
    if (!this.onPacket(from, packet)) return
    const token = hex(tokenOf(packet))
    for (const to of this.members) {
      if (to === from) continue
      if (token !== hex(this.broadcast) && token !== hex(to.token)) continue
      const copies = this.#unit() < this.wire.duplicates ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        if (this.#unit() < this.wire.loss) continue
        const delay =
          this.wire.minMicros + Math.floor(this.#unit() * (this.wire.maxMicros - this.wire.minMicros))
        this.at(this.now + delay, () => {
          if (to.up) to.open(packet)
        })
      }
    }
  }

  #wake(member: TestMember, sealer: Sealer): void {
    if (member.sealer !== sealer || !member.up || sealer.deadline > member.now) return
    sealer.wake(member.now)
    this.settle(member)
  }

  #unit(): number {
    return this.dice.u32() / 4_294_967_296
  }
}

/** Frame number, sender, then bytes that depend on both. */
export function framePayload(frame: number, from: number, bytes: number): Uint8Array {
  const payload = new Uint8Array(Math.max(8, bytes))
  for (let at = 8; at < payload.length; at++) payload[at] = (at * 7 + frame) & 0xff
  writeU32(payload, 0, frame)
  writeU32(payload, 4, from)
  return payload
}
