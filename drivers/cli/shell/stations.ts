/**
 * The network stacks behind the ports of simulated nodes, as far as somebody who tries a VLAN needs them: a
 * station answers an echo that is meant for it and hears what is said to all. Times are those of the world,
 * so that ways can be told apart that a real stack cannot measure.
 */
import { BROADCAST_MAC, type Mac } from '../../../core/ids.ts'
import { MILLISECOND, type Micros, type PortId, SECOND } from '../../../core/io.ts'
import { ECHO, echoFrame, FRAME_BYTES_MIN, readEcho } from '../../control/echo.ts'
import { done, type Outcome, Pending, REFUSAL, type Refused, refused } from '../../control/outcome.ts'
import type { SimulatedNode } from '../../control/simulated.ts'

/** An echo that is not back by then is lost, and nobody is expected to hear a broadcast later. */
const LOST_AFTER: Micros = 2 * SECOND
const BETWEEN: Micros = SECOND
/** Cards come at 0, 0.2 and 1 s after a start, and when somebody asks (sec:A7). */
const CARD_WITHIN: Micros = 5 * SECOND
const CARD_LOOK: Micros = 100 * MILLISECOND

/** A node's end of a VLAN. */
export interface Station {
  readonly node: SimulatedNode
  readonly label: string
  readonly port: PortId
  readonly mac: Mac
}

export interface Echo {
  /** Undefined for a request that was lost on its way. */
  readonly thereMillis: number | undefined
  /** Undefined if no answer came back. */
  readonly backMillis: number | undefined
}
export interface Pinged {
  readonly label: string
  readonly from: string
  readonly to: string
  readonly bytes: number
  readonly echoes: readonly Echo[]
}
export interface Said {
  readonly label: string
  readonly from: string
  readonly text: string
  readonly heard: readonly { readonly node: string; readonly afterMillis: number }[]
}

interface UnderWay {
  readonly sentAt: Micros
  /** The answer came. */
  readonly back: () => void
  thereAt?: Micros
  backAt?: Micros
}
interface Hearing {
  readonly sentAt: Micros
  readonly heard: { node: string; afterMillis: number }[]
}

export class Stations {
  readonly #now: () => Micros
  readonly #nodes: readonly SimulatedNode[]
  readonly #echoes = new Map<number, UnderWay>()
  readonly #hearings = new Map<number, Hearing>()
  #number = 0

  /** `now`: of the world. */
  constructor(nodes: readonly SimulatedNode[], now: () => Micros) {
    this.#nodes = nodes
    this.#now = now
  }

  /**
   * `count` echoes, one a second. `aim` says where to: while no card of the other has come yet, as after it
   * joined, it is asked again for some seconds.
   */
  ping(from: Station, to: string, aim: () => Outcome<Mac>, count: number, bytes: number): Pending<Pinged> {
    const pending = new Pending<Pinged>()
    const looksUntil = this.#now() + CARD_WITHIN
    const look = (): void => {
      const mac = from.node.machine.isUp ? aim() : nodeDown(from.node)
      if (mac.ok) this.#echo(from, { name: to, mac: mac.value }, count, bytes, pending)
      else if (mac.refusal !== REFUSAL.macUnknown || this.#now() >= looksUntil) pending.settle(mac)
      else from.node.after(CARD_LOOK, look)
    }
    look()
    return pending
  }

  /** A broadcast; who heard it within two seconds. */
  say(from: Station, text: string): Pending<Said> {
    const pending = new Pending<Said>()
    const number = this.#send(from, BROADCAST_MAC, ECHO.say, text, FRAME_BYTES_MIN)
    const hearing: Hearing = { sentAt: this.#now(), heard: [] }
    this.#hearings.set(number, hearing)
    from.node.after(LOST_AFTER, () => {
      this.#hearings.delete(number)
      pending.settle(done({ label: from.label, from: nameOf(from.node), text, heard: hearing.heard }))
    })
    return pending
  }

  /** A frame came out of a port. */
  delivered(index: number, port: PortId, frame: Uint8Array, at: Micros): void {
    const node = this.#nodes[index] as SimulatedNode
    const said = readEcho(frame)
    if (said === undefined) return
    const { kind, number } = said
    const echo = this.#echoes.get(number)
    if (kind === ECHO.say) {
      const hearing = this.#hearings.get(number)
      hearing?.heard.push({ node: nameOf(node), afterMillis: (at - hearing.sentAt) / MILLISECOND })
    } else if (kind === ECHO.request) {
      if (!node.machine.isUp) return
      if (echo !== undefined) echo.thereAt ??= at
      const reply = { from: said.to, to: said.from, kind: ECHO.reply, number }
      node.machine.frame(port, echoFrame(reply, frame.length))
    } else if (kind === ECHO.reply && echo !== undefined) {
      echo.backAt ??= at
      echo.back()
    }
  }

  #echo(
    from: Station,
    to: { readonly name: string; readonly mac: Mac },
    count: number,
    bytes: number,
    pending: Pending<Pinged>,
  ): void {
    const sent: number[] = []
    const send = (): void => {
      const number = this.#send(from, to.mac, ECHO.request, '', bytes)
      this.#echoes.set(number, { sentAt: this.#now(), back })
      sent.push(number)
      from.node.after(sent.length < count ? BETWEEN : LOST_AFTER, sent.length < count ? send : end)
    }
    const back = (): void => {
      const isBack = (number: number): boolean => this.#echoes.get(number)?.backAt !== undefined
      if (sent.length === count && sent.every(isBack)) end()
    }
    const end = (): void => {
      if (pending.outcome !== undefined) return
      const echoes = sent.map((number) => this.#echoOf(number))
      const value = { label: from.label, from: nameOf(from.node), to: to.name, bytes, echoes }
      if (echoes.some(({ backMillis }) => backMillis !== undefined)) pending.settle(done(value))
      else pending.settle(refused(REFUSAL.noAnswer, noAnswer(value)))
    }
    send()
  }

  #send(from: Station, to: Mac, kind: number, text: string, bytes: number): number {
    this.#number += 1
    const said = { from: from.mac, to, kind, number: this.#number }
    if (from.node.machine.isUp) from.node.machine.frame(from.port, echoFrame(said, bytes, text))
    return this.#number
  }

  #echoOf(number: number): Echo {
    const { sentAt, thereAt, backAt } = this.#echoes.get(number) as UnderWay
    this.#echoes.delete(number)
    const after = (at: Micros | undefined): number | undefined => at && (at - sentAt) / MILLISECOND
    return { thereMillis: after(thereAt), backMillis: after(backAt) }
  }
}

export function nameOf(node: SimulatedNode): string {
  return `node${node.index}`
}

export function nodeDown(node: SimulatedNode): Refused {
  const name = nameOf(node)
  return refused(REFUSAL.nodeDown, `${name} is not up; write start ${name}, or let time pass`)
}

function noAnswer({ to, label, echoes }: Pinged): string {
  const there = echoes.filter(({ thereMillis }) => thereMillis !== undefined).length
  return `${to} did not answer in ${label}: ${there} of ${echoes.length} echoes reached it, none came back`
}
