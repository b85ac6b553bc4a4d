/**
 * A process that has TAP interfaces and does nothing but wait for their frames: for tests of what the
 * system does with the interfaces of a process. Called with one argument, a ChildOrder in JSON. Prints a
 * ChildReport a line: once they are open, when one is gone, and at the end, which is that of its input.
 */
import { openLibc } from '../../drivers/linux/libc.ts'
import { Poller } from '../../drivers/linux/poller.ts'
import { DEVICE, type Device, type DeviceSettings } from '../../drivers/tap/device.ts'
import { readBytesMin } from '../../drivers/tap/settings.ts'
import { tapOpener } from '../../drivers/tap/tap.ts'
import { inNamespace } from './namespaces.ts'

export interface ChildOrder {
  readonly taps: readonly {
    /** Where the interface is; where the process is if undefined. */
    readonly namespace?: string
    readonly settings: DeviceSettings
  }[]
  /** Whether each frame of one interface goes out of all others. */
  readonly join: boolean
}

export type ChildReport =
  | { readonly kind: 'open'; readonly names: readonly string[] }
  | { readonly kind: 'gone'; readonly name: string }
  | {
      readonly kind: 'end'
      readonly frames: number
      readonly longest: number
      /** Processor time since `open`. */
      readonly cpuMillis: number
      /** How often the wait ended. */
      readonly wakes: number
    }

const STANDARD_INPUT = 0
const FRAME_BYTES_MAX = readBytesMin(65_521)
/** Long: what ends the wait is a frame, or the end of the input. */
const WAIT_MICROS = 60_000_000

function main(order: ChildOrder): void {
  const libc = openLibc()
  const open = tapOpener(libc)
  const devices = order.taps.map(({ namespace, settings }) =>
    namespace === undefined ? open(settings) : inNamespace(namespace, () => open(settings)),
  )
  const poller = new Poller(libc)
  poller.add(STANDARD_INPUT)
  for (const device of devices) poller.add(device.fd)
  report({ kind: 'open', names: devices.map(({ name }) => name) })

  const from = process.cpuUsage()
  const into = new Uint8Array(FRAME_BYTES_MAX)
  let frames = 0
  let longest = 0
  let wakes = 0

  function drain(device: Device): void {
    for (;;) {
      const length = device.read(into)
      if (length === DEVICE.nothing) return
      if (length === DEVICE.gone) {
        poller.remove(device.fd)
        report({ kind: 'gone', name: device.name })
        return
      }
      frames += 1
      longest = Math.max(longest, length)
      if (!order.join) continue
      for (const other of devices) if (other !== device) other.write(into.subarray(0, length))
    }
  }

  for (let ended = false; !ended; ) {
    const ready = poller.wait(WAIT_MICROS)
    wakes += 1
    const found = Array.from({ length: ready }, (_, index) => poller.fdAt(index))
    ended = found.includes(STANDARD_INPUT)
    for (const device of devices) if (found.includes(device.fd)) drain(device)
    for (const device of devices) device.flush()
  }
  const { user, system } = process.cpuUsage(from)
  for (const device of devices) device.close()
  report({ kind: 'end', frames, longest, cpuMillis: (user + system) / 1_000, wakes })
}

function report(what: ChildReport): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

if (import.meta.main) main(JSON.parse(process.argv[2] as string) as ChildOrder)
