/** Whom of a VLAN an address means, by what follows from it or from the members' keys. */
import { describe, expect, it } from 'vitest'
import { unhex } from '../../core/ids.ts'
import type { MemberRow } from '../../drivers/control/views.ts'
import type { InterfaceView } from '../../drivers/node/interfaces.ts'
import { macOfIp } from '../../drivers/node/whose-address.ts'
import { ulaOf } from '../../drivers/tap/addresses.ts'

const VLAN = '0'.repeat(32)
const [SELF, OTHER] = ['a', 'b'].map((digit) => digit.repeat(64)) as [string, string]
const MEMBERS = [
  { member: SELF, self: true, mac: '02:00:00:00:00:01' },
  { member: OTHER, self: false, mac: '02:00:00:00:00:02' },
] as unknown as readonly MemberRow[]
const DEVICE = { addresses: ['10.7.0.1/24', 'fd00::1/64'] } as unknown as InterfaceView

function macOf(ip: string): string | undefined {
  return macOfIp(MEMBERS, VLAN, DEVICE, ip)?.toString(16).padStart(12, '0')
}

describe('an address in a VLAN', () => {
  it('is that of the member from whose key it follows, however it is written', () => {
    const ula = ulaOf(unhex(VLAN), unhex(OTHER)).replace(/[/].*/, '')
    expect(macOf(ula)).toBe('020000000002')
    expect(macOf(ula.toUpperCase())).toBe('020000000002')
  })

  it('is of this node itself where its interface has it', () => {
    expect(macOf('10.7.0.1')).toBe('020000000001')
    expect(macOf('fd00:0::1')).toBe('020000000001')
  })

  it('is of this node itself where somebody gave it to the interface since', () => {
    const loopback = { name: 'lo', addresses: [] } as unknown as InterfaceView
    expect(macOfIp(MEMBERS, VLAN, loopback, '127.0.0.1')?.toString(16)).toBe('20000000001')
    expect(macOfIp(MEMBERS, VLAN, { ...loopback, name: 'eth9' }, '127.0.0.1')).toBeUndefined()
  })

  it.each([
    ['255.255.255.255', 'ffffffffffff'],
    ['224.0.0.251', '01005e0000fb'],
    ['239.129.2.3', '01005e010203'],
    ['ff02::fb', '3333000000fb'],
    ['ff02::1:ff12:3456', '3333ff123456'],
  ])('may be that of a group: %s', (ip, mac) => {
    expect(macOf(ip)).toBe(mac)
  })

  it('is nobody’s where nothing tells', () => {
    expect(macOf('10.7.0.77')).toBeUndefined()
    expect(macOf('fd00::77')).toBeUndefined()
    expect(macOf('nonsense')).toBeUndefined()
  })
})
