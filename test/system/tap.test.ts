/** The TAP of Linux as the rest of the system sees it: other programs, other hosts, other processes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { parseMac } from '../../core/ids.ts'
import { ERRNO, type Libc, openLibc } from '../../drivers/linux/libc.ts'
import { ulaOf } from '../../drivers/tap/addresses.ts'
import type { Device, DeviceSettings } from '../../drivers/tap/device.ts'
import { tapOpener, tapTrouble } from '../../drivers/tap/tap.ts'
import { drain, EXPERIMENT, frameOf } from '../support/frames.ts'
import { Lab, type Namespace } from '../support/namespaces.ts'
import { PacketSocket } from '../support/packet-socket.ts'
import { ping } from '../support/ping.ts'
import { requires } from '../support/requirements.ts'
import { TapProcess } from '../support/tap-process.ts'

const MAC_A = parseMac('020000000A01')
const MAC_B = parseMac('020000000B02')
const ULA_A = ulaOf(new Uint8Array(16).fill(1), new Uint8Array(32).fill(2))
const ULA_B = ulaOf(new Uint8Array(16).fill(1), new Uint8Array(32).fill(3))
const IDLE_MILLIS = 2_000
const IDLE_CPU_MILLIS_MAX = 50
const PATIENCE_MILLIS = 15_000

function settings(changes: Partial<DeviceSettings> = {}): DeviceSettings {
  return { name: 'pt%d', mac: MAC_A, mtu: 1_280, addresses: [], ...changes }
}

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Asks until it is so; throws when it has not become so in time. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MILLIS
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not so after ${PATIENCE_MILLIS} ms: ${what}`)
    await pause(20)
  }
}

describe.skipIf(!requires.namespaces())('TAP interfaces', () => {
  const libc = openedLibc()
  let lab: Lab
  let alice: Namespace
  let bob: Namespace
  const opened: Device[] = []
  const open = (changes: Partial<DeviceSettings> = {}, calls: Libc = libc, host = alice) => {
    const device = host.inside(() => tapOpener(calls)(settings(changes)))
    opened.push(device)
    return device
  }

  beforeEach(() => {
    lab = new Lab()
    alice = lab.namespace('alice')
    bob = lab.namespace('bob')
  })
  afterEach(() => {
    for (const device of opened.splice(0)) device.close()
    lab.close()
  })

  /** A process between one TAP of each host. */
  async function joined(a: Partial<DeviceSettings>, b: Partial<DeviceSettings>): Promise<TapProcess> {
    const taps = [
      { namespace: alice.name, settings: settings({ name: 'tap', ...a }) },
      { namespace: bob.name, settings: settings({ name: 'tap', mac: MAC_B, ...b }) },
    ]
    const process = new TapProcess({ taps, join: true }, lab)
    await process.next('open')
    return process
  }

  describe('between two hosts', () => {
    test.each([1_280, 1_500, 9_000])('carry packets as long as an MTU of %d, and ARP before', async (mtu) => {
      const process = await joined({ mtu, addresses: ['10.7.0.1/24'] }, { mtu, addresses: ['10.7.0.2/24'] })
      expect(ping(alice, '10.7.0.2')).toBe(true)
      // IPv4 and ICMP have headers of 28 bytes together.
      expect(ping(alice, '10.7.0.2', mtu - 28)).toBe(true)
      expect(ping(bob, '10.7.0.1', mtu - 28)).toBe(true)
      // In fragments.
      expect(ping(alice, '10.7.0.2', 20_000)).toBe(true)
      expect(alice.list('neigh', 'show', '10.7.0.2')).toMatchObject([{ lladdr: '02:00:00:00:0b:02' }])
      expect(bob.list('neigh', 'show', '10.7.0.1')).toMatchObject([{ lladdr: '02:00:00:00:0a:01' }])
      expect((await process.end()).longest).toBe(mtu + 14)
    })

    test('carry IPv6 by addresses that follow from keys', async () => {
      const process = await joined({ addresses: [ULA_A] }, { addresses: [ULA_B] })
      await until('no address is tentative', () =>
        [alice, bob].every((host) => host.list<object>('addr', 'show', 'tentative').every(isEmpty)),
      )
      expect(ping(alice, ULA_B.split('/')[0] as string)).toBe(true)
      expect(ping(bob, ULA_A.split('/')[0] as string, 1_280 - 48)).toBe(true)
      expect((await process.end()).longest).toBe(1_280 + 14)
    })

    test('may be ports of a bridge, with a third host behind it', async () => {
      const carol = lab.namespace('carol')
      const process = await joined({ addresses: ['10.7.0.1/24'] }, {})
      lab.veth(bob, 'veth', carol, 'eth0')
      bob.bridge('br', ['tap', 'veth'])
      carol.ip('addr', 'add', '10.7.0.3/24', 'dev', 'eth0')
      expect(ping(alice, '10.7.0.3')).toBe(true)
      expect(ping(carol, '10.7.0.1')).toBe(true)
      await process.end()
    })
  })

  describe('as the system lists them', () => {
    test('have name, MAC, MTU and all of their addresses, and are up', async () => {
      const addresses = ['10.7.0.1/24', '10.8.0.129/25', '192.0.2.4/31', ULA_A, 'fd12::1/48']
      const { name } = open({ mtu: 1_400, addresses })
      const link = alice.link(name)
      expect(link).toMatchObject({ ifname: 'pt0', mtu: 1_400, address: '02:00:00:00:0a:01' })
      expect(link?.flags).toEqual(expect.arrayContaining(['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP']))
      const listed = link?.addr_info.filter(({ scope }) => scope === 'global')
      expect(listed?.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort()).toEqual(addresses.sort())
      expect(listed?.map(({ broadcast }) => broadcast).filter(Boolean)).toEqual(['10.7.0.255', '10.8.0.255'])
      const routes = alice.list<{ dst: string }>('route').map(({ dst }) => dst)
      expect(routes).toEqual(expect.arrayContaining(['10.7.0.0/24', '10.8.0.128/25', '192.0.2.4/31']))
    })

    test('are those of the namespace that they were opened in', () => {
      const device = open({ name: 'mine' }, libc, bob)
      expect(alice.link('mine')).toBeUndefined()
      expect(bob.link('mine')).toBeDefined()
      device.close()
      expect(bob.link('mine')).toBeUndefined()
    })

    test('work on under another name and in another namespace', () => {
      const device = open({ name: 'before' })
      alice.ip('link', 'set', 'before', 'down')
      alice.ip('link', 'set', 'before', 'name', 'after')
      alice.ip('link', 'set', 'after', 'netns', bob.name)
      bob.ip('link', 'set', 'after', 'up')
      device.setMac(MAC_B)
      expect(bob.link('after')?.address).toBe('02:00:00:00:0b:02')
      expect(device.write(frameOf(60))).toBe(60)
    })

    test('do not carry what is longer than their settings say, whatever MTU someone gave them', () => {
      const device = open({ name: 'tap' })
      alice.ip('link', 'set', 'tap', 'mtu', '9000')
      const [link] = alice.list<{ ifindex: number }>('link', 'show', 'dev', 'tap')
      const socket = alice.inside(() => new PacketSocket(libc, link?.ifindex as number, EXPERIMENT))
      const into = new Uint8Array(1_299)
      // Nobody else speaks from here on: IPv6 says its reports and solicitations more than once.
      alice.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/tap/disable_ipv6')
      drain(device)
      for (const length of [1_299, 5_000]) {
        expect(socket.send(frameOf(length))).toBe(true)
        expect(device.read(into)).toBe(0)
      }
      expect(socket.send(frameOf(1_298))).toBe(true)
      expect(device.read(into)).toBe(1_298)
      socket.close()
    })
  })

  describe('of other processes', () => {
    test('are gone for them when someone deletes them, and the others stay', async () => {
      const taps = ['one', 'two'].map((name) => ({ settings: settings({ name }) }))
      const process = new TapProcess({ taps, join: false }, alice)
      expect(await process.next('open')).toEqual({ kind: 'open', names: ['one', 'two'] })
      alice.ip('link', 'del', 'one')
      expect(await process.next('gone')).toEqual({ kind: 'gone', name: 'one' })
      expect(alice.link('two')).toBeDefined()
      await process.end()
      expect(alice.link('two')).toBeUndefined()
    })

    test('go with a process that is killed', async () => {
      const process = new TapProcess({ taps: [{ settings: settings({ name: 'tap' }) }], join: false }, alice)
      await process.next('open')
      expect(alice.link('tap')).toBeDefined()
      await process.kill()
      await until('the interface is gone', () => alice.link('tap') === undefined)
      expect(open({ name: 'tap' }).name).toBe('tap')
    })

    test('go with their process though a child of it lives on', async () => {
      const device = open({ name: 'tap' })
      const child = lab.spawn('sleep', ['60'])
      expect(child.pid).toBeGreaterThan(0)
      device.close()
      expect(alice.link('tap')).toBeUndefined()
      expect(child.exitCode).toBeNull()
    })

    test('cost nothing while nobody speaks', async () => {
      const process = new TapProcess({ taps: [{ settings: settings() }], join: false }, alice)
      await process.next('open')
      await pause(IDLE_MILLIS)
      const { cpuMillis, wakes } = await process.end()
      expect(cpuMillis).toBeLessThan(IDLE_CPU_MILLIS_MAX)
      // What IPv6 says on a new interface, and the end.
      expect(wakes).toBeLessThan(50)
    })

    test('cost nothing after they are gone', async () => {
      const process = new TapProcess({ taps: [{ settings: settings({ name: 'tap' }) }], join: false }, alice)
      await process.next('open')
      alice.ip('link', 'del', 'tap')
      await process.next('gone')
      await pause(IDLE_MILLIS)
      expect((await process.end()).cpuMillis).toBeLessThan(IDLE_CPU_MILLIS_MAX)
    })
  })

  describe('are refused', () => {
    /** Every call of the kernel's succeeds but this one. */
    const failing = (call: keyof Libc, errno: number): Libc => {
      let failed = false
      const fail = () => {
        failed = true
        return -1
      }
      return { ...libc, [call]: fail, errno: () => (failed ? errno : libc.errno()) }
    }

    test.each([
      ['open', ERRNO.ENOENT, '/dev/net/tun is not there (ENOENT); load the driver with modprobe tun'],
      ['open', ERRNO.ENODEV, '/dev/net/tun is not there (ENODEV); load the driver'],
      ['open', ERRNO.EACCES, '/dev/net/tun may not be opened (EACCES); run as root'],
      ['open', ERRNO.EMFILE, 'could not open /dev/net/tun: this process has as many files open as it may'],
      ['ioctl', ERRNO.EPERM, 'no interface may be made (EPERM); run as root, or give the program CAP_NET'],
      ['ioctl', ERRNO.EBUSY, "there is an interface named 'pt%d' already; choose another"],
      ['ioctl', ERRNO.ENFILE, "no number is left for 'pt%d'"],
      ['ioctl', ERRNO.EINVAL, "the kernel does not take the interface name 'pt%d'"],
      ['socket', ERRNO.ENFILE, 'could not open a socket: the system has as many files open'],
      ['bind', ERRNO.ENOMEM, 'could not bind a netlink socket: the system has no memory'],
    ] as const)('where %s fails with %d', (call, errno, message) => {
      expect(() => open({}, failing(call, errno))).toThrow(UsageError)
      expect(() => open({}, failing(call, errno))).toThrow(message)
      expect(alice.link('pt0')).toBeUndefined()
    })

    test('is known before one is needed, and looking leaves nothing behind', () => {
      const trouble = (calls: Libc, makes: boolean) => alice.inside(() => tapTrouble(calls, makes))
      expect(trouble(libc, true)).toBeUndefined()
      expect(alice.link('ptprobe0')).toBeUndefined()
      expect(trouble(failing('open', ERRNO.ENOENT), false)).toContain('/dev/net/tun is not there')
      expect(trouble(failing('ioctl', ERRNO.EPERM), true)).toContain('no interface may be made (EPERM)')
      expect(trouble(failing('ioctl', ERRNO.EPERM), false)).toBeUndefined()
    })

    test('where the name is that of another kind of interface', () => {
      lab.veth(alice, 'veth', bob, 'veth')
      expect(() => open({ name: 'veth' })).toThrow("an interface named 'veth' already")
      expect(() => open({ name: 'lo' })).toThrow('choose another name')
    })

    test('where the name is that of a TAP that someone made to stay', () => {
      alice.ip('tuntap', 'add', 'dev', 'kept', 'mode', 'tap')
      expect(() => open({ name: 'kept' })).toThrow("an interface named 'kept' already")
      expect(alice.link('kept')).toBeDefined()
    })

    test('where IPv6 is switched off, leaving nothing behind', () => {
      alice.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6')
      const address = { name: 'tap', addresses: ['10.7.0.1/24', ULA_A] }
      expect(() => open(address)).toThrow(UsageError)
      expect(() => open(address)).toThrow(`'tap' may not be given the address ${ULA_A}: IPv6 is switched off`)
      expect(alice.link('tap')).toBeUndefined()
    })
  })
})

function isEmpty(entry: object): boolean {
  return Object.keys(entry).length === 0
}

/** Collecting the tests must not fail where they are left out. */
function openedLibc(): Libc {
  return process.platform === 'linux' ? openLibc() : ({} as Libc)
}
