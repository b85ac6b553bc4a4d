/** What addresses of a host say by themselves. */
import { expect, test } from 'vitest'
import { reaches } from '../../drivers/libp2p/hosts.ts'

const LINK_LOCAL = 'fe80::1'
const LOOPBACK = ['127.0.0.1', '::1']

test.each([
  ['10.0.0.1', [...LOOPBACK, '10.0.0.9'], true],
  ['::ffff:10.0.0.1', ['10.0.0.9'], true],
  ['fd00::1', [...LOOPBACK, LINK_LOCAL, '2001:db8::9'], true],
  [LINK_LOCAL, ['fe80::9'], true],
  ['127.0.0.1', LOOPBACK, true],
  ['10.0.0.1', [...LOOPBACK, 'fd00::9', LINK_LOCAL], false],
  ['::ffff:10.0.0.1', ['fd00::9'], false],
  ['fd00::1', [...LOOPBACK, '10.0.0.9', LINK_LOCAL], false],
  [LINK_LOCAL, [...LOOPBACK, '10.0.0.9'], false],
  ['10.0.0.1', [], false],
])('%s is in reach of a machine with %j: %j', (remote, hosts, expected) => {
  expect(reaches(hosts, remote)).toBe(expected)
})
