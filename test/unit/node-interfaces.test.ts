/** Interfaces of VLANs as their owner wants them: what is made anew for that, and what is said of it. */
import { describe, expect, test } from 'vitest'
import type { PortId } from '../../core/io.ts'
import { Interfaces } from '../../drivers/node/interfaces.ts'
import type { InterfaceOrder, LogEntry } from '../../drivers/node/messages.ts'
import type { DeviceOffload, DeviceSettings } from '../../drivers/tap/device.ts'
import { MemoryHost } from '../../drivers/tap/memory.ts'

const ALL: DeviceOffload = { segmentation: true, coalescing: true, udp: true }
const NONE: DeviceOffload = { segmentation: false, coalescing: false, udp: false }
const HOME: InterfaceOrder = { vlan: 'home', addresses: [], ula: false, offload: ALL }
const PORT = 1 as PortId
const FACTS = {
  port: PORT,
  vlan: 'ab'.repeat(16),
  member: 'cd'.repeat(32),
  label: 'home',
  mac: 2,
  mtu: 1_400,
}

/** A host that notes what is opened and set there. */
function bench(orders: readonly InterfaceOrder[], canSet = true) {
  const host = new MemoryHost()
  const opened: DeviceSettings[] = []
  const set: DeviceOffload[] = []
  const logged: LogEntry[] = []
  const interfaces = new Interfaces(
    {
      open: (settings) => {
        opened.push(settings)
        const setOffload = (offload: DeviceOffload): boolean => {
          set.push(offload)
          return canSet
        }
        return Object.assign(host.open(settings), { setOffload })
      },
      now: () => 0,
      log: (entry) => logged.push(entry),
      watch: () => undefined,
      unwatch: () => undefined,
      changed: () => undefined,
    },
    orders,
  )
  interfaces.portUp(FACTS)
  return { interfaces, opened, set, warnings: () => logged.filter(({ level }) => level === 'warn') }
}

describe('an interface that is to have other offloads', () => {
  test('stays, with its bridge and its addresses', () => {
    const { interfaces, opened, set } = bench([HOME])
    interfaces.order([{ ...HOME, offload: NONE }])
    expect(set).toEqual([NONE])
    interfaces.order([{ ...HOME, offload: NONE }])
    // Without an entry it has the defaults of one, but for the address.
    interfaces.order([{ ...HOME, offload: ALL }])
    expect(set).toEqual([NONE, ALL])
    expect(opened).toHaveLength(1)
  })

  test('is made anew where it cannot have them, or is to be otherwise too', () => {
    const plain = bench([{ ...HOME, offload: NONE }], false)
    plain.interfaces.order([HOME])
    expect(plain.opened.map(({ offload }) => offload)).toEqual([NONE, ALL])
    const other = bench([HOME])
    other.interfaces.order([{ ...HOME, offload: NONE, mtu: 1_300 }])
    expect(other.set).toEqual([])
    expect(other.opened).toHaveLength(2)
  })

  test('tells of those that the system does not take after all, and counts them', () => {
    const { interfaces, opened, warnings } = bench([HOME])
    expect(interfaces.counts()).toEqual({ interfaceOffloadsRefused: 0 })
    opened[0]?.refused?.('the kernel takes none')
    expect(interfaces.counts()).toEqual({ interfaceOffloadsRefused: 1 })
    expect(warnings()).toMatchObject([{ message: 'interface pt-home: the kernel takes none' }])
  })
})

describe('the MTU of an interface', () => {
  test('that is above what its VLAN was founded for is taken, and told', () => {
    const { interfaces, opened, warnings } = bench([{ ...HOME, mtu: 1_401 }])
    const said =
      'mtu of its interface is 1401, and home was founded with 1400: members whose interfaces have that ' +
      'lose longer frames; write 1400 at most, or leave it out'
    expect(opened.map(({ mtu }) => mtu)).toEqual([1_401])
    expect(warnings()).toMatchObject([{ message: `home: ${said}` }])
    expect(interfaces.view()).toMatchObject([{ advice: said, trouble: undefined }])
    interfaces.order([{ ...HOME, mtu: 1_400 }])
    expect(interfaces.view()).toMatchObject([{ advice: undefined, mtu: 1_400 }])
    expect(warnings()).toHaveLength(1)
  })

  test('is what any VLAN carries at most, whatever its founder said', () => {
    const { interfaces, opened } = bench([])
    interfaces.portDown(PORT)
    interfaces.portUp({ ...FACTS, mtu: 65_535 })
    expect(opened.at(-1)?.mtu).toBe(9_216)
  })
})
