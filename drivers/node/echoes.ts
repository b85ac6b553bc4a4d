/** Pings of this node's owner under way, and the answers to those of others. */
import { randomInt } from 'node:crypto'
import { isIP } from 'node:net'
import { isGroupMac, type Mac, parseMac } from '../../core/ids.ts'
import { MILLISECOND, type Micros, type PortId, SECOND } from '../../core/io.ts'
import { ECHO, echoFrame, FRAME_BYTES_MAX, FRAME_BYTES_MIN, readEcho } from '../control/echo.ts'
import { macWritten, resolveHex } from '../control/names.ts'
import { done, type Outcome, Pending, REFUSAL, type Refused, refused } from '../control/outcome.ts'
import type { VlanVerbs } from '../control/vlans.ts'
import type { InterfaceView } from './interfaces.ts'
import { oneVlan } from './one-vlan.ts'
import { macOf, macOfIp, nobodyHas } from './whose-address.ts'

/** Numbers have 32 bits; so many are left before they end. */
const FIRST_NUMBER_MAX = 2 ** 31
/** An echo that is not back by then is lost. */
const LOST_AFTER: Micros = 2 * SECOND
/** Cards come at 0, 0.2 and 1 s after a start, and when somebody asks (sec:A7). */
const CARD_WITHIN: Micros = 5 * SECOND
const CARD_LOOK: Micros = 100 * MILLISECOND
/** Answers a second: who wants more measures something else. Guess. */
const ANSWERS_PER_SECOND = 1_000
/** Echoes of one call. */
export const ECHOES_MAX = 10_000
const INTERVAL_MIN: Micros = MILLISECOND

export interface PingOrder {
  /** The first digits of a member key, its MAC, or an address by which it is known. */
  readonly to: string
  /** In which VLAN; without it in the only one. */
  readonly vlan?: string | undefined
  readonly count: number
  readonly bytes: number
  readonly intervalMillis: number
}

export interface Pinged {
  readonly label: string
  /** Member key in hex. */
  readonly member: string
  readonly mac: string
  readonly bytes: number
  /** There and back; undefined for an echo that was lost. */
  readonly millis: readonly (number | undefined)[]
}

export interface EchoWorld {
  readonly verbs: VlanVerbs
  now(): Micros
  after(wait: Micros, run: () => void): void
  frame(port: PortId, frame: Uint8Array): void
  interfaces(): readonly InterfaceView[]
}

interface Aim {
  readonly port: PortId
  readonly label: string
  readonly from: Mac
  readonly to: Mac
  readonly member: string
}

export class Echoes {
  readonly #world: EchoWorld
  readonly #sent = new Map<
    number,
    { readonly at: Micros; readonly from: Mac; readonly to: Mac; readonly back: (at: Micros) => void }
  >()
  /** Not from 1 on: who has seen no request is not to guess its number. */
  #number = randomInt(FIRST_NUMBER_MAX)
  #answered = 0
  #answeredSince: Micros = 0

  constructor(world: EchoWorld) {
    this.#world = world
  }

  /** An echo came in at a port: it is not for the interface. */
  delivered(port: PortId, frame: Uint8Array, own: Mac | undefined): void {
    const echo = readEcho(frame)
    if (echo === undefined) return
    const now = this.#world.now()
    if (echo.kind === ECHO.reply) {
      const sent = this.#sent.get(echo.number)
      if (sent !== undefined && sent.from === echo.to && sent.to === echo.from) sent.back(now)
    } else if (
      echo.kind === ECHO.request &&
      echo.to === own &&
      !isGroupMac(echo.from) &&
      this.#mayAnswer(now)
    ) {
      const answer = echoFrame({ ...echo, from: echo.to, to: echo.from, kind: ECHO.reply }, frame.length)
      this.#world.after(0, () => this.#world.frame(port, answer))
    }
  }

  ping(order: PingOrder): Pending<Pinged> {
    const pending = new Pending<Pinged>()
    const wrong = badOrder(order)
    if (wrong !== undefined) {
      pending.settle(wrong)
      return pending
    }
    const looksUntil = this.#world.now() + CARD_WITHIN
    const look = (): void => {
      const aim = this.#aim(order)
      if (aim.ok) this.#send(aim.value, order, pending)
      else if (aim.refusal !== REFUSAL.macUnknown || this.#world.now() >= looksUntil) pending.settle(aim)
      else this.#world.after(CARD_LOOK, look)
    }
    look()
    return pending
  }

  #send(aim: Aim, { count, bytes, intervalMillis }: PingOrder, pending: Pending<Pinged>): void {
    const numbers: number[] = []
    const millis: (number | undefined)[] = []
    let left = count
    const end = (): void => {
      for (const number of numbers) this.#sent.delete(number)
      const { label, member, to } = aim
      const who = `${member.slice(0, 8)} did not answer in ${label}`
      const none = `${who}: ${count} echoes of ${bytes} bytes, none came back`
      if (millis.every((each) => each === undefined)) pending.settle(refused(REFUSAL.noAnswer, none))
      else pending.settle(done({ label, member, mac: macWith(to), bytes, millis }))
    }
    const send = (): void => {
      const number = ++this.#number
      const at = this.#world.now()
      const index = millis.push(undefined) - 1
      numbers.push(number)
      const back = (backAt: Micros): void => {
        this.#sent.delete(number)
        millis[index] = (backAt - at) / MILLISECOND
        left -= 1
        if (left === 0) end()
      }
      this.#sent.set(number, { at, from: aim.from, to: aim.to, back })
      this.#world.frame(
        aim.port,
        echoFrame({ from: aim.from, to: aim.to, kind: ECHO.request, number }, bytes),
      )
      if (millis.length < count) this.#world.after(Math.max(INTERVAL_MIN, intervalMillis * MILLISECOND), send)
      else this.#world.after(LOST_AFTER, end)
    }
    send()
  }

  #aim({ to, vlan }: PingOrder): Outcome<Aim> {
    const { verbs } = this.#world
    const row = oneVlan(verbs, vlan)
    if (!row.ok) return row
    const { vlan: id, mac, phase, port } = row.value
    if (mac === undefined || phase !== 'member')
      return refused(REFUSAL.notInYet, `this node is not in ${row.value.label}; wait until it is`)
    const members = verbs.members(id).outcome
    if (members === undefined || !members.ok) return members ?? refused(REFUSAL.noSuchVlan, `no VLAN ${id}`)
    const { label } = members.value
    const device = this.#world.interfaces().find((each) => each.port === port)
    const meant = macOf(to) ?? macOfIp(members.value.members, id, device, to)
    const byMac = members.value.members.find(
      (each) => each.mac !== undefined && each.mac === macWritten(meant),
    )
    if (byMac === undefined && isIP(to) !== 0) return noMembers(to, label, meant)
    const key = byMac?.member ?? to
    const found = resolveHex(
      members.value.members.map(({ member }) => member),
      key,
      'member',
      REFUSAL.noSuchMember,
    )
    if (!found.ok) return found
    const member = members.value.members.find((each) => each.member === found.value)
    if (member?.self === true)
      return refused(REFUSAL.ownKey, `${to} is this node itself; name another member`)
    if (member?.mac === undefined)
      return refused(REFUSAL.macUnknown, `no card of ${to} came to this node yet; let some seconds pass`)
    return done({
      port,
      label,
      from: macFrom(mac),
      to: macFrom(member.mac),
      member: found.value,
    })
  }

  #mayAnswer(now: Micros): boolean {
    if (now - this.#answeredSince >= SECOND) {
      this.#answeredSince = now
      this.#answered = 0
    }
    this.#answered += 1
    return this.#answered <= ANSWERS_PER_SECOND
  }
}

/** An address that no member's node is known by. */
function noMembers(ip: string, label: string, mac: Mac | undefined): Refused {
  if (mac === undefined) return nobodyHas(ip, label)
  const what = isGroupMac(mac) ? 'is a group' : 'is a machine behind a member'
  const mend = "only members' nodes answer these echoes; name a member, or use the system's ping"
  return refused(REFUSAL.noSuchMember, `${ip} (${macWith(mac)}) ${what} in ${label}: ${mend}`)
}

function badOrder({ count, bytes, intervalMillis }: PingOrder): Refused | undefined {
  const isGood =
    Number.isInteger(count) &&
    count >= 1 &&
    count <= ECHOES_MAX &&
    Number.isInteger(bytes) &&
    bytes >= FRAME_BYTES_MIN &&
    bytes <= FRAME_BYTES_MAX &&
    intervalMillis >= 1
  if (isGood) return undefined
  return refused(
    REFUSAL.noAnswer,
    `${count} echoes of ${bytes} bytes, one in ${intervalMillis} ms; ask for 1 to ${ECHOES_MAX} of ` +
      `${FRAME_BYTES_MIN} to ${FRAME_BYTES_MAX} bytes, at most one in a millisecond`,
  )
}

function macFrom(text: string): Mac {
  return parseMac(text.replaceAll(':', '').toUpperCase())
}

function macWith(mac: Mac): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?=.)/g, '$1:')
}
