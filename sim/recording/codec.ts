/**
 * What is drawn of a moment, and what changes in it, as bytes. A checkpoint holds all of it. A change is a
 * byte for its kind, microseconds since the change before, and its fields: 3 to 16 bytes.
 */
import { assert } from '../../core/errors.ts'
import { hex, unhex } from '../../core/ids.ts'
import type { Micros } from '../../core/io.ts'
import { readJson } from '../scenario/json.ts'
import { NODE } from '../watch/seen.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { type Json, patched } from './delta.ts'
import { Drawn } from './drawn.ts'
import { MOST } from './limits.ts'
import { readLooks, readPairs, writeLooks, writePairs } from './looks.ts'

const CHANGE = {
  state: 1,
  link: 2,
  unlink: 3,
  upper: 4,
  side: 5,
  epoch: 6,
  name: 7,
  packet: 8,
  detail: 9,
  looks: 10,
  told: 11,
} as const

const DIGEST_BYTES = 8
/** Bits that a node's own state may have. */
const STATES = NODE.up | NODE.contact | NODE.leaving | NODE.hostile | NODE.slow

/** How many there are of what changes are about. */
export interface Counts {
  readonly nodes: number
  readonly vlans: number
}

/** A frame of traffic has come to a node. */
export interface Packet {
  readonly at: Micros
  readonly frame: number
  readonly node: number
}

export class ChangeWriter {
  readonly #to = new ByteWriter()
  #before: Micros
  /** Since `take`. */
  changes = 0
  /** Of all that was written, the share of packets. */
  packetBytes = 0

  constructor(from: Micros) {
    this.#before = from
  }

  get length(): number {
    return this.#to.length
  }

  take(): Uint8Array {
    this.changes = 0
    this.packetBytes = 0
    return this.#to.take()
  }

  state(at: Micros, node: number, state: number): void {
    this.#begin(CHANGE.state, at)
    this.#to.varint(node)
    this.#to.u8(state)
  }

  link(at: Micros, a: number, b: number, is: boolean): void {
    this.#begin(is ? CHANGE.link : CHANGE.unlink, at)
    this.#to.varint(a)
    this.#to.varint(b)
  }

  upper(at: Micros, node: number, upper: number): void {
    this.#begin(CHANGE.upper, at)
    this.#to.varint(node)
    this.#to.varint(upper + 1)
  }

  side(at: Micros, node: number, side: number): void {
    this.#begin(CHANGE.side, at)
    this.#to.varint(node)
    this.#to.varint(side)
  }

  epoch(at: Micros, vlan: number, node: number, epoch: number): void {
    this.#begin(CHANGE.epoch, at)
    this.#to.varint(vlan)
    this.#to.varint(node)
    this.#to.varint(epoch + 1)
  }

  name(at: Micros, vlan: number, epoch: number, name: string): void {
    this.#begin(CHANGE.name, at)
    this.#to.varint(vlan)
    this.#to.varint(epoch)
    this.#to.text(name)
  }

  packet({ at, frame, node }: Packet): void {
    const from = this.#to.length
    this.#begin(CHANGE.packet, at)
    this.#to.varint(frame)
    this.#to.varint(node)
    this.packetBytes += this.#to.length - from
  }

  detail(at: Micros, node: number, delta: Json): void {
    this.#begin(CHANGE.detail, at)
    this.#to.varint(node)
    this.#to.text(JSON.stringify(delta))
  }

  looks(at: Micros, looks: NonNullable<Drawn['looks']>, nodes: number): void {
    this.#begin(CHANGE.looks, at)
    writeLooks(this.#to, looks, nodes)
  }

  told(at: Micros, messages: number, digest: string): void {
    this.#begin(CHANGE.told, at)
    this.#to.varint(messages)
    this.#to.put(unhex(digest))
  }

  #begin(kind: number, at: Micros): void {
    assert(at >= this.#before, `a change at ${at} is recorded after one at ${this.#before}`)
    this.#to.u8(kind)
    this.#to.varint(at - this.#before)
    this.#before = at
    this.changes += 1
  }
}

/** Carries out the changes of one frame, in order. */
export class ChangeReader {
  readonly #from: ByteReader
  readonly #counts: Counts
  readonly #until: Micros
  #time: Micros
  /** Of the change that comes next, whose time has been read; 0 if none has been. */
  #kind = 0

  constructor(bytes: Uint8Array, counts: Counts, from: Micros, until: Micros) {
    this.#from = new ByteReader(bytes)
    this.#counts = counts
    this.#time = from
    this.#until = until
  }

  /** Why it goes no further, and at which byte. */
  get failure(): ByteReader['failure'] {
    return this.#from.failure
  }

  /** All changes up to that time. `packets`: told of each; more are to come only if nothing is wrong. */
  apply(drawn: Drawn, until: Micros, packets: (packet: Packet) => void = () => undefined): void {
    const from = this.#from
    while (this.#kind !== 0 || from.goesOn) {
      if (this.#kind === 0) {
        this.#kind = from.u8()
        this.#time += from.varint(this.#until - this.#time, 'the time to a change')
      }
      if (from.failure !== undefined || this.#time > until) return
      const kind = this.#kind
      this.#kind = 0
      if (kind === CHANGE.packet) packets(this.#packet())
      else this.#change(drawn, kind)
      if (from.failure !== undefined) return
    }
  }

  #packet(): Packet {
    const frame = this.#from.varint(Number.MAX_SAFE_INTEGER, 'the number of a frame')
    return { at: this.#time, frame, node: this.#node() }
  }

  #change(drawn: Drawn, kind: number): void {
    const from = this.#from
    const at = this.#time
    switch (kind) {
      case CHANGE.state: {
        const node = this.#node()
        const state = from.u8()
        if ((state & ~STATES) !== 0) from.fail(`${state} is no state of a node`)
        else this.#check(drawn.setState(at, node, state), 'state')
        break
      }
      case CHANGE.link:
      case CHANGE.unlink:
        this.#check(drawn.setLink(this.#node(), this.#node(), kind === CHANGE.link), 'link')
        break
      case CHANGE.upper: {
        const node = this.#node()
        const upper = from.varint(this.#counts.nodes, 'the number of a node') - 1
        this.#check(drawn.setUpper(node, upper), 'upper')
        break
      }
      case CHANGE.side: {
        const node = this.#node()
        this.#check(drawn.setSide(node, from.varint(this.#counts.nodes, 'a side')), 'side')
        break
      }
      case CHANGE.epoch: {
        const [vlan, node] = [this.#vlan(), this.#node()]
        const epoch = from.varint(MOST.epochs, 'an epoch') - 1
        this.#check(drawn.setEpoch(vlan, node, epoch), 'epoch')
        break
      }
      case CHANGE.name: {
        const vlan = this.#vlan()
        const epoch = from.varint(MOST.epochs, 'an epoch')
        drawn.nameEpoch(vlan, epoch, from.text(MOST.text, 'the name of an epoch'))
        break
      }
      case CHANGE.detail:
        this.#detail(drawn)
        break
      case CHANGE.looks:
        drawn.looks = readLooks(from, at, this.#counts.nodes, this.#counts.vlans)
        break
      case CHANGE.told:
        drawn.told = readTold(from, at)
        break
      default:
        from.fail(`${kind} is no kind of change`)
    }
  }

  #detail(drawn: Drawn): void {
    const node = this.#node()
    const delta = readValue(this.#from)
    const detail = patched(drawn.details.get(node), delta)
    if (detail === undefined) this.#from.fail(`what changes in the tables of node ${node} does not fit them`)
    else drawn.details.set(node, detail)
  }

  #node(): number {
    return this.#from.varint(this.#counts.nodes - 1, 'the number of a node')
  }

  #vlan(): number {
    return this.#from.varint(this.#counts.vlans - 1, 'the number of a VLAN')
  }

  #check(isNew: boolean, what: string): void {
    if (!isNew) this.#from.fail(`a change of ${what} that changes nothing`)
  }
}

/** All of it. */
export function writeCheckpoint(drawn: Drawn): Uint8Array {
  const to = new ByteWriter()
  to.put(drawn.states)
  for (let node = 0; node < drawn.nodes; node++) {
    to.varint((drawn.uppers[node] as number) + 1)
    to.varint(drawn.sides[node] as number)
    // From 1 on: a node that never was up has never gone down.
    if (!drawn.isUp(node)) to.varint(Math.max(0, (drawn.stoppedAt[node] as number) + 1))
  }
  writePairs(to, Float64Array.from(drawn.links).sort())
  const members = [...drawn.members].filter(([, each]) => each.size > 0)
  to.varint(members.length)
  for (const [vlan, each] of members) {
    to.varint(vlan)
    to.varint(each.size)
    for (const [node, epoch] of each) {
      to.varint(node)
      to.varint(epoch)
    }
  }
  const names = [...drawn.epochNames].flatMap(([vlan, each]) =>
    [...each].map((name) => [vlan, name] as const),
  )
  to.varint(names.length)
  for (const [vlan, [epoch, name]] of names) {
    to.varint(vlan)
    to.varint(epoch)
    to.text(name)
  }
  to.varint(drawn.details.size)
  for (const [node, detail] of drawn.details) {
    to.varint(node)
    to.text(JSON.stringify(detail))
  }
  const { at, messages, digest } = drawn.told
  to.varint(at + 1)
  to.varint(messages)
  if (at >= 0) to.put(unhex(digest))
  to.u8(drawn.looks === undefined ? 0 : 1)
  if (drawn.looks !== undefined) {
    to.varint(Math.round(drawn.looks.at * 1e6))
    writeLooks(to, drawn.looks, drawn.nodes)
  }
  return to.take()
}

/** What is wrong is the reader's failure. */
export function readCheckpoint(from: ByteReader, { nodes, vlans }: Counts): Drawn {
  const drawn = new Drawn(nodes)
  const states = from.take(nodes)
  if (from.failure !== undefined) return drawn
  drawn.states.set(states)
  for (let node = 0; node < nodes && from.failure === undefined; node++) {
    if (((states[node] as number) & ~STATES) !== 0) from.fail(`${states[node]} is no state of a node`)
    drawn.uppers[node] = from.varint(nodes, 'the number of a node') - 1
    drawn.sides[node] = from.varint(nodes, 'a side')
    const stopped = drawn.isUp(node) ? 0 : from.varint(MOST.micros, 'when a node went down')
    if (stopped > 0) drawn.stoppedAt[node] = stopped - 1
  }
  for (const pair of readPairs(from, nodes)) drawn.links.add(pair)
  readMembers(from, drawn, vlans)
  const names = from.varint(from.left, 'the number of epochs')
  for (let index = 0; index < names && from.failure === undefined; index++) {
    const vlan = from.varint(vlans - 1, 'the number of a VLAN')
    drawn.nameEpoch(vlan, from.varint(MOST.epochs, 'an epoch'), from.text(MOST.text, 'the name of an epoch'))
  }
  const details = from.varint(from.left, 'the number of marked nodes')
  for (let index = 0; index < details && from.failure === undefined; index++)
    drawn.details.set(from.varint(nodes - 1, 'the number of a node'), readValue(from))
  drawn.told = readTold(from, from.varint(MOST.micros, 'the time of a digest') - 1)
  if (from.u8() === 1) {
    const at = from.varint(MOST.micros, 'the time of a look')
    drawn.looks = readLooks(from, at, nodes, vlans)
  }
  if (from.left > 0) from.fail(`${from.left} bytes follow the end`)
  return drawn
}

function readMembers(from: ByteReader, drawn: Drawn, vlans: number): void {
  const count = from.varint(vlans, 'the number of VLANs with epochs')
  for (let index = 0; index < count && from.failure === undefined; index++) {
    const vlan = from.varint(vlans - 1, 'the number of a VLAN')
    const members = from.varint(drawn.nodes, 'the number of members')
    for (let member = 0; member < members && from.failure === undefined; member++)
      drawn.setEpoch(vlan, from.varint(drawn.nodes - 1, 'a member'), from.varint(MOST.epochs, 'an epoch'))
  }
}

/** `at`: −1 if nothing has been told yet. */
function readTold(from: ByteReader, at: Micros): Drawn['told'] {
  const messages = from.varint(Number.MAX_SAFE_INTEGER, 'the number of messages')
  return { at, messages, digest: at < 0 ? '' : hex(from.take(DIGEST_BYTES)) }
}

function readValue(from: ByteReader): Json {
  const at = from.at
  const text = from.text(MOST.detail, 'the tables of a node')
  if (from.failure !== undefined) return null
  const read = readJson(text)
  if (read.ok) return read.value as Json
  from.fail(`the tables of a node are no JSON: ${read.mistake.message}`, at)
  return null
}
