/** Which bridge an interface is in, and what else is in that: by sysfs, of the network of this process. */
import { readdirSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Documentation/ABI/testing/sysfs-class-net; `brif` is of net/bridge/br_sysfs_if.c. */
const INTERFACES = '/sys/class/net'

/** Of all interfaces, those without an address too. */
export function interfaceNames(): readonly string[] {
  try {
    return readdirSync(INTERFACES)
  } catch {
    return []
  }
}

/** Undefined for one that is in none, or that is not there. */
export function bridgeOf(name: string): string | undefined {
  try {
    return basename(readlinkSync(join(INTERFACES, name, 'master')))
  } catch {
    return undefined
  }
}

/** Interfaces that are in a bridge; none of what is no bridge. */
export function portsOf(bridge: string): readonly string[] {
  try {
    return readdirSync(join(INTERFACES, bridge, 'brif'))
  } catch {
    return []
  }
}
