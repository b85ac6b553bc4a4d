/**
 * Names the reason of every frame or packet that is dropped, while somebody wants to know: what the core
 * counted in the step that took it. Off, it costs a look at one flag.
 */

import { readMac } from '../../core/ids.ts'
import type { Machine, Micros } from '../../core/io.ts'
import { SECOND } from '../../core/io.ts'
import { macWritten } from '../control/names.ts'
import type { LogEntry } from './messages.ts'

/** Entries a second: beyond, they are counted. */
const ENTRIES_PER_SECOND = 1_000
const HEADER_BYTES = 14

export class Trace {
  on = false
  readonly #log: (entry: LogEntry) => void
  #before: Readonly<Record<string, number>> = {}
  #since: Micros = 0
  #said = 0

  constructor(log: (entry: LogEntry) => void) {
    this.#log = log
  }

  /** Before a step. */
  begin(machine: Machine): void {
    this.#before = machine.counts()
  }

  /** After the step that took a frame of an interface, or a packet of a link. */
  end(machine: Machine, now: Micros, what: 'frame' | 'packet', from: number, bytes: Uint8Array): void {
    for (const [name, count] of Object.entries(machine.counts())) {
      if (!name.startsWith('drop') || count === (this.#before[name] ?? 0)) continue
      if (what === 'frame') this.lost(now, name, from, bytes)
      else this.refused(now, name, from, bytes)
    }
  }

  /** A frame that its interface did not give or take. */
  lost(now: Micros, name: string, port: number, frame: Uint8Array): void {
    this.#tell(now, `frame dropped: ${name}`, frameDetails(port, frame))
  }

  /** A packet from a link, or to it. */
  refused(now: Micros, name: string, link: number, packet: Uint8Array): void {
    this.#tell(now, `packet dropped: ${name}`, { link, bytes: packet.length })
  }

  #tell(now: Micros, message: string, details: Readonly<Record<string, unknown>>): void {
    if (this.#mayTell(now)) this.#log({ level: 'info', module: 'trace', message, details })
  }

  #mayTell(now: Micros): boolean {
    if (now - this.#since >= SECOND) {
      const missed = this.#said - ENTRIES_PER_SECOND
      if (missed > 0)
        this.#log({ level: 'warn', module: 'trace', message: `${missed} more drops in the last second` })
      this.#since = now
      this.#said = 0
    }
    this.#said += 1
    return this.#said <= ENTRIES_PER_SECOND
  }
}

function frameDetails(port: number, frame: Uint8Array): Readonly<Record<string, unknown>> {
  if (frame.length < HEADER_BYTES) return { port, bytes: frame.length }
  const type = ((frame[12] as number) << 8) | (frame[13] as number)
  return {
    port,
    bytes: frame.length,
    to: macWritten(readMac(frame, 0)),
    from: macWritten(readMac(frame, 6)),
    etherType: `0x${type.toString(16).padStart(4, '0')}`,
  }
}
