/** The TAP of Linux keeps the contract of devices, in a network namespace of its own. */
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe } from 'vitest'
import { openLibc } from '../../drivers/linux/libc.ts'
import type { Device, DeviceOffload, DeviceSettings } from '../../drivers/tap/device.ts'
import { tapOpener } from '../../drivers/tap/tap.ts'
import { type DeviceRig, deviceContract } from '../contract/device.ts'
import { EXPERIMENT } from '../support/frames.ts'
import { Lab, type Namespace } from '../support/namespaces.ts'
import { PacketSocket } from '../support/packet-socket.ts'
import { requires } from '../support/requirements.ts'

const TAG_AT = 12
const TAG_BYTES = 4
const TAG = 0x8100
const NONE: DeviceOffload = { segmentation: false, coalescing: false, udp: false }

function tapRig(host: Namespace, offload?: DeviceOffload): DeviceRig {
  const libc = openLibc()
  const sockets = new Map<Device, PacketSocket>()
  const socketOf = (device: Device) => sockets.get(device) as PacketSocket
  const open = (settings: DeviceSettings) => {
    const device = host.inside(() => tapOpener(libc)({ ...settings, ...(offload && { offload }) }))
    const [link] = host.list<{ ifindex: number }>('link', 'show', 'dev', device.name)
    const index = link?.ifindex as number
    sockets.set(
      device,
      host.inside(() => new PacketSocket(libc, index, EXPERIMENT)),
    )
    return device
  }
  return {
    open,
    libc,
    inject: (device, frame) => socketOf(device).send(frame),
    heard: (device) => socketOf(device).received(),
    asHeard: withoutTag,
    setUp: (device, up) => host.ip('link', 'set', device.name, up ? 'up' : 'down'),
    remove: (device) => host.ip('link', 'del', device.name),
    macOf: (device) => Number.parseInt(host.link(device.name)?.address.replaceAll(':', '') as string, 16),
    has: (name) => host.link(name) !== undefined,
    close: () => {
      for (const socket of sockets.values()) socket.close()
    },
  }
}

/** Linux hands the tag over beside the frame. */
function withoutTag(frame: Uint8Array): Uint8Array {
  if (new DataView(frame.buffer).getUint16(TAG_AT) !== TAG) return frame
  return Uint8Array.of(...frame.subarray(0, TAG_AT), ...frame.subarray(TAG_AT + TAG_BYTES))
}

describe.skipIf(!requires.namespaces())('Linux', () => {
  let lab: Lab
  let host: Namespace

  beforeAll(() => {
    lab = new Lab()
    host = lab.namespace('host')
    // Nobody speaks unasked: an interface of IPv6 looks for routers as soon as it is up.
    host.inside(() => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'))
  })

  afterAll(() => lab.close())

  deviceContract('/dev/net/tun', () => tapRig(host))
  deviceContract('/dev/net/tun without offloads', () => tapRig(host, NONE))
})
