/**
 * A host in the middle between others, through which all their frames pass one by one: its offloads are off,
 * as those of a machine on the way are. It is a switch; between it and the first host there may be a line
 * that loses, delays and reorders frames, the same ones for the same seed.
 *
 *   left eth0 ── port0 ═ switch ═ port1 ── eth0 right
 *   left eth0 ── port0 ═ gate ═ in ── line-in ~~ line-out ── out ═ switch ═ port1 ── eth0 right
 */
import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Impairment } from './impaired-line.ts'
import type { ImpairmentOrder, ImpairmentReport } from './impairment-child.ts'
import type { Lab, Namespace } from './namespaces.ts'
import { turnOffloadsOff } from './offloads.ts'
import { REPOSITORY } from './requirements.ts'

const CHILD = join(REPOSITORY, 'test/support/impairment-child.ts')
const SWITCH = 'switch'

/** The interface that a host has towards the middle. */
export const OUTWARD = 'eth0'

export class Middle {
  readonly host: Namespace
  readonly #ends: readonly Namespace[]
  #line: Line | undefined

  constructor(lab: Lab, label: string, ends: readonly [Namespace, Namespace, ...Namespace[]]) {
    this.host = lab.namespace(label)
    this.#ends = ends
    // It is no host of the network, and says nothing by itself.
    silenceIpv6(this.host)
    for (const [index, end] of ends.entries()) lab.veth(this.host, portOf(index), end, OUTWARD)
  }

  /** Joins the hosts. Returns once all that is to carry does. */
  async open(impairment?: Impairment): Promise<this> {
    const ports = this.#ends.map((_, index) => portOf(index))
    if (impairment === undefined) this.host.bridge(SWITCH, ports)
    else {
      this.#pair('in', 'line-in')
      this.#pair('out', 'line-out')
      this.host.bridge('gate', [portOf(0), 'in'])
      this.host.bridge(SWITCH, ['out', ...ports.slice(1)])
      this.#line = new Line(this.host, {
        ...impairment,
        interfaces: [this.#indexOf('line-in'), this.#indexOf('line-out')],
      })
      await this.#line.report()
    }
    for (const port of ports) turnOffloadsOff(this.host, port)
    return this
  }

  /** From now on the hosts reach the last of them alone, which is between the others. */
  part(): void {
    const doors = this.#line === undefined ? [portOf(0)] : ['out']
    for (let index = 1; index < this.#ends.length - 1; index++) doors.push(portOf(index))
    for (const name of doors)
      this.host.ip('link', 'set', 'dev', name, 'type', 'bridge_slave', 'isolated', 'on')
  }

  /** What the line did so far, from the first host and towards it; undefined if there is none. */
  async counts(): Promise<ImpairmentReport | undefined> {
    this.#line?.ask()
    return this.#line?.report()
  }

  #pair(one: string, other: string): void {
    this.host.ip('link', 'add', 'name', one, 'type', 'veth', 'peer', 'name', other)
    for (const name of [one, other]) {
      this.host.ip('link', 'set', 'dev', name, 'up')
      turnOffloadsOff(this.host, name)
    }
  }

  #indexOf(name: string): number {
    const [link] = this.host.list<{ readonly ifindex: number }>('link', 'show', 'dev', name)
    return link?.ifindex as number
  }
}

/** Interfaces that come later say nothing by themselves. */
export function silenceIpv6(host: Namespace): void {
  host.inside(() => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'))
}

const portOf = (index: number): string => `port${index}`

/** The parent's end of impairment-child.ts. */
class Line {
  readonly #child: ChildProcess
  readonly #reports: AsyncIterator<string>

  constructor(host: Namespace, order: ImpairmentOrder) {
    this.#child = host.spawn(process.execPath, [CHILD, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const input = this.#child.stdout as NodeJS.ReadableStream
    this.#reports = createInterface({ input })[Symbol.asyncIterator]()
  }

  ask(): void {
    this.#child.stdin?.write('?')
  }

  async report(): Promise<ImpairmentReport> {
    const { value, done } = await this.#reports.next()
    if (done) throw new Error('the line ended; what it said is above')
    return JSON.parse(value) as ImpairmentReport
  }
}
