/** A bridge around the interface of a VLAN: what it makes of addresses, in network namespaces (root). */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Lab, type Namespace } from '../support/namespaces.ts'
import { REPOSITORY, requires } from '../support/requirements.ts'

const OURS = '10.7.0.1'
const NEIGHBOUR = '10.7.0.2'
const NEIGHBOURS_MAC = '02:00:00:00:00:02'

/** What modules say in a process whose network is that of the host. */
function said(host: Namespace, source: string): unknown {
  const imports = [
    `import { Overlay } from '${join(REPOSITORY, 'drivers/node/overlay.ts')}'`,
    `import { macOfIp } from '${join(REPOSITORY, 'drivers/node/whose-address.ts')}'`,
  ].join('\n')
  const program = `${imports}\nconsole.log(JSON.stringify(${source}))`
  return JSON.parse(host.run(process.execPath, '--input-type=module', '-e', program))
}

describe.skipIf(!requires.namespaces())('a bridge around the interface of a VLAN', () => {
  let lab: Lab
  let host: Namespace

  beforeAll(() => {
    lab = new Lab()
    host = lab.namespace('host')
    const others = lab.namespace('others')
    for (const name of ['pt-home', 'eth0']) lab.veth(host, name, others, name)
    host.bridge('br0', ['pt-home'])
    host.ip('addr', 'add', `${OURS}/24`, 'dev', 'br0')
    host.ip('neigh', 'add', NEIGHBOUR, 'lladdr', NEIGHBOURS_MAC, 'dev', 'br0')
  })

  afterAll(() => lab.close())

  it('has the addresses and the neighbours that the interface would have', () => {
    const members = JSON.stringify([{ member: 'a'.repeat(64), self: true, mac: '02:00:00:00:00:01' }])
    const device = JSON.stringify({ name: 'pt-home', addresses: [] })
    const macs = [OURS, NEIGHBOUR].map((ip) => `macOfIp(${members}, '${'0'.repeat(32)}', ${device}, '${ip}')`)
    expect(said(host, `[${macs.join(', ')}]`)).toEqual([0x02_0000_000001, 0x02_0000_000002])
  })

  it('is no way for trunks, unless something else is in it', () => {
    const look = `(() => {
      const overlay = new Overlay()
      overlay.interfaces(['pt-home'])
      return [overlay.hosts().includes('${OURS}'), overlay.avoids('${NEIGHBOUR}')]
    })()`
    expect(said(host, look)).toEqual([false, true])
    // The way out may be there.
    host.ip('link', 'set', 'eth0', 'master', 'br0')
    expect(said(host, look)).toEqual([true, false])
  })
})
