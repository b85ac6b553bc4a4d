import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { UsageError } from '../../core/errors.ts'
import { peerText, readCidr, readContact, readInterfaceName } from '../../drivers/node/addresses.ts'
import {
  type Config,
  checkConfig,
  contactsOf,
  defaultConfig,
  publishedConfigSchema,
  readConfig,
  relayPolicy,
} from '../../drivers/node/config.ts'
import { reloadable } from '../../drivers/node/config-reload.ts'
import type { JsonSchema } from '../../sim/scenario/rules.ts'

const folder = mkdtempSync(join(tmpdir(), 'peertap-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ID = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
/** An id of an RSA key. */
const RSA_ID = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'

function mistakesOf(config: object | string): readonly string[] {
  const checked = checkConfig(typeof config === 'string' ? config : JSON.stringify(config))
  return checked.ok ? [] : checked.mistakes.map(({ message }) => message)
}

const withVersion = (changes: object): object => ({ version: 1, ...changes })
function configOf(changes: object): Config {
  const checked = checkConfig(JSON.stringify(withVersion(changes)))
  if (!checked.ok) throw new Error(checked.mistakes.map(({ message }) => message).join('\n'))
  return checked.config
}

describe('a configuration', () => {
  it('has a default for everything but its version', () => {
    expect(configOf({})).toEqual(defaultConfig())
    expect(defaultConfig()).toMatchObject({
      reachability: 'auto',
      mdns: true,
      circuitRelay: { serve: false, use: true },
      relay: { enabled: true, policy: { mode: 'open' }, links: 64 },
      control: { socket: '/run/peertap.sock' },
      log: { level: 'info', modules: {}, trace: false },
      metrics: { host: '127.0.0.1' },
    })
  })

  it('listens by default on what is on', () => {
    const { listen } = configOf({ transports: { ws: false, quic: false } })
    expect(listen).toEqual(['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'])
  })

  it('gives policy and contacts as the core takes them', () => {
    const policy = { mode: 'patterns', allow: ['ab*'], deny: ['*ff'] }
    expect(relayPolicy(configOf({ relay: { policy } }))).toEqual(policy)
    expect(relayPolicy(configOf({ relay: { policy: { mode: 'restricted' } } }))).toEqual({
      mode: 'restricted',
    })
    const [contact] = contactsOf(configOf({ bootstrap: [`/dns4/relay.example/tcp/4001/p2p/${ID}`] }))
    expect(contact?.address).toBe('/dns4/relay.example/tcp/4001')
    expect(contact?.peer).toMatch(/^[0-9a-f]{64}$/)
  })

  it('may listen at ports that are free, at as many as it likes', () => {
    const listen = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/udp/0/quic-v1']
    expect(configOf({ listen }).listen).toEqual(listen)
  })

  it('says of every key what it is and whether it can be reloaded', () => {
    const lacking: string[] = []
    const visit = (schema: JsonSchema, path: string, marked: boolean): void => {
      const mark = (schema as { 'x-reloadable'?: boolean })['x-reloadable']
      const known = marked || mark !== undefined
      if (path !== '' && (schema.description === undefined || !known)) lacking.push(path)
      for (const [key, part] of Object.entries(schema.properties ?? {})) visit(part, `${path}.${key}`, known)
      if (schema.items?.properties !== undefined) visit(schema.items, `${path}[]`, known)
    }
    visit(publishedConfigSchema(), '', false)
    expect(lacking).toEqual([])
    expect(publishedConfigSchema()).toMatchObject({
      required: ['version'],
      properties: { log: { 'x-reloadable': true }, listen: { 'x-reloadable': false } },
    })
  })
})

/** What stands in the file beside the version, and all that is said about it. */
const MISTAKES: readonly (readonly [changes: object, ...messages: string[]])[] = [
  [{ boostrap: [] }, 'boostrap is not a known key; did you mean "bootstrap"?'],
  [
    { stateDirectory: 'x' },
    'stateDirectory is not a known key; the state directory is named by --state or PEERTAP_STATE',
  ],
  [
    { version: 2 },
    'version is 2; it must be 1; this PeerTap reads no other: write "version": 1 and mend what ' +
      'it then refuses',
  ],
  [{ mdns: 'true' }, 'mdns is "true" (a string); it must be true or false; remove the quotes'],
  [{ listen: [] }, 'listen is a list of 0; it must be a list of at least 1; add one'],
  [
    { reachability: 'publik' },
    'reachability is "publik"; it must be one of auto, public, punchable, private; did you mean "public"?',
  ],
  [
    { log: { level: 'info', modules: { libp2p: 'warning' } } },
    'log.modules.libp2p is "warning"; it must be one of fatal, error, warn, info, debug, ' +
      'trace, silent; write one of these',
  ],
  [
    { relay: true },
    'relay is true (a boolean); it must be an object with keys such as enabled, policy, links; ' +
      'write an object in { }',
  ],
  [
    { relay: { links: 65 } },
    'relay.links is 65; it must be a whole number from 6 to 64; lower it to at most 64',
  ],
  [
    { interfaces: [{ name: 'x' }] },
    'interfaces[0].vlan is missing; it must be a text, not empty; add "vlan"',
  ],
  [
    { interfaces: [{ vlan: 'a', mtu: 1000 }] },
    'interfaces[0].mtu is 1000; it must be a whole number from 1280 to 9216; raise it to at least 1280',
  ],
  [
    { mdns: 1, relay: { enabled: 'no' } },
    'mdns is 1 (a number); it must be true or false; write true or false',
    'relay.enabled is "no" (a string); it must be true or false; write true or false',
  ],
  // Form and meaning in one go, each at its place in the file.
  [
    {
      version: 2,
      mdns: 'no',
      listen: [7, '0.0.0.0:4001'],
      transports: { ws: 'off' },
      interfaces: [{ name: 'a/b' }, 5, { vlan: 'a', addresses: ['', '10.7.0.1'] }, { vlan: 'a', lmtu: 3 }],
      relay: { policy: { mode: 'pattern', allow: ['XY*'] } },
    },
    'version is 2; it must be 1; this PeerTap reads no other: write "version": 1 and mend what ' +
      'it then refuses',
    'listen[0] is 7 (a number); it must be a text, not empty; put it in double quotes',
    'transports.ws is "off" (a string); it must be true or false; write true or false',
    'mdns is "no" (a string); it must be true or false; write true or false',
    'relay.policy.mode is "pattern"; it must be one of open, restricted, patterns; did you mean "patterns"?',
    'interfaces[0].vlan is missing; it must be a text, not empty; add "vlan"',
    'interfaces[1] is 5 (a number); it must be an object with keys such as vlan, name, mtu, addresses; ' +
      'write an object in { }',
    'interfaces[2].addresses[0] is ""; it must be a text, not empty; write more',
    'interfaces[3].lmtu is not a known key; did you mean "mtu"?',
    'listen[1] is "0.0.0.0:4001"; it is no multiaddr (String multiaddr must start with "/"); ' +
      'write one such as /ip4/203.0.113.7/udp/4001/quic-v1',
    'interfaces[0].name is "a/b"; a name of an interface has no blanks, slashes or colons, and % only as ' +
      '%d; write peertap%d',
    'interfaces[2].addresses[1] is "10.7.0.1"; the prefix length is missing; write 10.7.0.1/24 ' +
      'for a usual network',
    'interfaces[3].vlan is "a" once more; a VLAN has one interface; remove one of the two entries',
  ],
  // What texts say.
  [
    { listen: ['0.0.0.0:4001'] },
    'listen[0] is "0.0.0.0:4001"; it is no multiaddr (String multiaddr must start with "/"); ' +
      'write one such as /ip4/203.0.113.7/udp/4001/quic-v1',
  ],
  [
    { listen: ['/ip4/0.0.0.0/udp/4001'] },
    'listen[0] is "/ip4/0.0.0.0/udp/4001"; it names none of the transports /udp/PORT/quic-v1, ' +
      '/tcp/PORT and /tcp/PORT/ws; add one',
  ],
  [
    { listen: ['/dns4/a.example/tcp/1'] },
    'listen[0] is "/dns4/a.example/tcp/1"; an address to listen on begins with /ip4/ or /ip6/; ' +
      'write /ip4/0.0.0.0 for all of this host',
  ],
  [
    { listen: ['/ip4/0.0.0.0/tcp/1', '/ip4/0.0.0.0/tcp/1'] },
    'listen[1] is "/ip4/0.0.0.0/tcp/1" once more; remove one of the two',
  ],
  [
    {
      listen: [
        '/ip4/0.0.0.0/tcp/1',
        '/ip6/::/tcp/1/ws',
        '/ip4/0.0.0.0/udp/1/quic-v1',
        '/ip4/0.0.0.0/tcp/1/ws',
      ],
    },
    'listen[3] is "/ip4/0.0.0.0/tcp/1/ws", and another address has that port; choose another port',
  ],
  [
    { announce: '/ip4/203.0.113.7/udp/4001/quic-v1' },
    'announce is "/ip4/203.0.113.7/udp/4001/quic-v1" (a string); ' +
      'it must be a list of at most 32; put it in [ ]',
  ],
  [
    { listen: ['/ip4/0.0.0.0/tcp/1/ws'], transports: { ws: false } },
    'listen[0] is for ws, and transports.ws is false; remove one of the two',
  ],
  [
    { announce: [`/ip4/203.0.113.7/tcp/1/p2p/${ID}`] },
    `announce[0] is "/ip4/203.0.113.7/tcp/1/p2p/${ID}"; an address of this node has no /p2p/ ` +
      'and id; remove it with all that follows',
  ],
  [
    { announce: ['/ip4/127.0.0.1/tcp/1'] },
    'announce[0] is "/ip4/127.0.0.1/tcp/1"; nobody else can dial that; ' +
      'write the address that others reach this host at',
  ],
  [
    { announce: ['/ip6/::/udp/1/quic-v1'] },
    'announce[0] is "/ip6/::/udp/1/quic-v1"; nobody else can dial that; ' +
      'write the address that others reach this host at',
  ],
  [
    { listen: ['/ip4/0.0.0.0/udp/4003/quic-v1'] },
    'listen[0] is "/ip4/0.0.0.0/udp/4003/quic-v1", and datagrams.port is 4003; change one of the two',
  ],
  [
    {
      interfaces: [
        { vlan: 'home', addresses: ['10.7.0.1/24'] },
        { vlan: 'work', addresses: ['10.8.0.1/24', '10.7.0.1/16'] },
      ],
    },
    'interfaces[1].addresses[1] is "10.7.0.1/16", and another interface has that address; choose another',
  ],
  [
    { transports: { quic: false, tcp: false, ws: false } },
    'transports are all off; a node needs one; set one of quic, tcp and ws to true',
  ],
  [
    { bootstrap: [`/ip6/fe80::1/tcp/1/p2p/${ID}`] },
    `bootstrap[0] is "/ip6/fe80::1/tcp/1/p2p/${ID}"; an address of one cable alone (fe80::) says nothing ` +
      'without an interface, which has no place here; ' +
      'write one that begins with 2 or 3 (global) or fd (of a site)',
  ],
  [
    { bootstrap: ['/ip4/203.0.113.7/tcp/1'] },
    'bootstrap[0] is "/ip4/203.0.113.7/tcp/1"; it does not say who answers there; add /p2p/ ' +
      'and the id that "peertap init" printed there',
  ],
  [
    { bootstrap: [`/ip4/203.0.113.7/tcp/1/p2p/${RSA_ID}`] },
    `bootstrap[0] is "/ip4/203.0.113.7/tcp/1/p2p/${RSA_ID}"; the id ${RSA_ID} is of a key that ` +
      'is not Ed25519; write the id that begins with 12D3KooW, as "peertap init" printed it there',
  ],
  [
    { relay: { policy: { allow: ['ab*'] } } },
    'relay.policy.allow counts only where mode is "patterns", and it is "open"; change one of them',
  ],
  [
    { relay: { policy: { mode: 'patterns', allow: ['XY*'] } } },
    'relay.policy.allow[0] is "XY*"; it must be the 32 lower-case hex digits of a VLAN-ID, ' +
      'with * for any run of them; correct it or remove it',
  ],
  [
    { relay: { policy: { mode: 'patterns' } } },
    'relay.policy.allow is empty, so that no pattern matches; add "*", or set mode to "restricted"',
  ],
  [
    { interfaces: [{ vlan: 'a', addresses: ['10.7.0.1'] }] },
    'interfaces[0].addresses[0] is "10.7.0.1"; the prefix length is missing; write 10.7.0.1/24 ' +
      'for a usual network',
  ],
  [
    { interfaces: [{ vlan: 'a', addresses: ['fd00::1/129'] }] },
    'interfaces[0].addresses[0] is "fd00::1/129"; the prefix length is "129"; it must be a ' +
      'whole number from 1 to 128; correct it',
  ],
  [
    { interfaces: [{ vlan: 'a' }, { vlan: 'a' }] },
    'interfaces[1].vlan is "a" once more; a VLAN has one interface; remove one of the two entries',
  ],
  [
    {
      interfaces: [
        { vlan: 'a', name: 'tap0' },
        { vlan: 'b', name: 'tap0' },
      ],
    },
    'interfaces[1].name is "tap0" once more; choose another, or write one with %d',
  ],
  [
    { interfaces: [{ vlan: 'a', name: 'a-name-that-is-long' }] },
    'interfaces[0].name is "a-name-that-is-long"; it has 19 bytes; an interface has a name of ' +
      'at most 15; shorten it',
  ],
  [
    { control: { socket: 'run/peertap.sock' } },
    'control.socket is "run/peertap.sock"; it must be a whole path; begin it with /',
  ],
  [
    { metrics: { port: 9464, host: 'localhost' } },
    'metrics.host is "localhost"; it must be an IP address; write 127.0.0.1 for this host alone',
  ],
  [
    { interfaces: [{ vlan: 'a', addresses: ['10.7.0.0/24', '127.0.0.1/8', '10.7.0.255/24'] }] },
    'interfaces[0].addresses[0] is "10.7.0.0/24"; it is the address of the subnet itself; ' +
      'give the interface one of its own',
    'interfaces[0].addresses[1] is "127.0.0.1/8"; it is a loopback address; ' +
      'give the interface one of its own',
    'interfaces[0].addresses[2] is "10.7.0.255/24"; it is the broadcast address of its subnet; ' +
      'give the interface one of its own',
  ],
  [
    { metrics: { port: 9464 }, control: { port: 9464 } },
    'metrics.port is 9464, and so is control.port; choose another',
  ],
]

describe('a mistake', () => {
  it.each(MISTAKES.map(([changes, ...messages]) => ({ changes, messages })))(
    'is explained: $changes',
    (one) => {
      expect(mistakesOf(withVersion(one.changes))).toEqual(one.messages)
    },
  )

  it('in the form of the file has its line and column', () => {
    expect(mistakesOf('{\n  "version": 1,\n  mdns: true\n}')).toEqual([
      'line 3, column 3: found mdns where a key in double quotes must stand; put it in double quotes',
    ])
    expect(mistakesOf('')).toEqual(['line 1, column 1: the file is empty; it must hold one object'])
    expect(mistakesOf('[]')).toEqual([
      'the configuration is no object; it must be one with keys such as version; put it in { }',
    ])
  })

  it('is a line each of one error that names the file', () => {
    const path = join(folder, 'bad.json')
    writeFileSync(path, JSON.stringify({ version: 1, mdns: 1, listn: [] }))
    expect(() => readConfig(path)).toThrow(
      new UsageError(
        `${path}: mdns is 1 (a number); it must be true or false; write true or false\n` +
          `${path}: listn is not a known key; did you mean "listen"?`,
      ),
    )
  })

  it('in the name of the file is told from one in its content', () => {
    const absent = join(folder, 'absent.json')
    expect(() => readConfig(absent)).toThrow(
      new UsageError(
        `${absent} cannot be read: there is no such file; write one with "peertap init", or ` +
          'name another with --config',
      ),
    )
    expect(() => readConfig(folder)).toThrow('it is a directory; name the file in it')
    const large = join(folder, 'large.json')
    writeFileSync(large, ' '.repeat(1_048_577))
    expect(() => readConfig(large)).toThrow('has 1048577 bytes and a configuration at most 1048576')
  })

  it('is never an exception of another kind, whatever is written', () => {
    fc.assert(
      fc.property(
        fc.record({ version: fc.constant(1), bootstrap: fc.array(fc.string()), listen: fc.anything() }),
        (value) => {
          const text = JSON.stringify(value)
          expect(() => checkConfig(text)).not.toThrow()
        },
      ),
    )
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(() => checkConfig(text)).not.toThrow()
      }),
    )
  })
})

describe('a list of contacts', () => {
  const idOf = (seed: number): string => peerText(noble.signatures.publicKey(new Uint8Array(32).fill(seed)))
  const ids = [1, 2, 3, 4, 5].map(idOf)
  /** So many addresses, of one peer after the other. */
  const contacts = (count: number, each: number): string[] =>
    Array.from(
      { length: count },
      (_, index) => `/ip4/203.0.113.7/tcp/${index + 1}/p2p/${ids[Math.floor(index / each)]}`,
    )

  it('may have more than eight addresses', () => {
    expect(mistakesOf(withVersion({ bootstrap: contacts(64, 16) }))).toEqual([])
    expect(mistakesOf(withVersion({ bootstrap: contacts(65, 16) }))).toEqual([
      'bootstrap is a list of 65; it must be a list of at most 64; remove 1',
    ])
  })

  it('names no more addresses of a peer than are tried', () => {
    expect(mistakesOf(withVersion({ bootstrap: contacts(18, 18) }))).toEqual([
      `bootstrap names 18 addresses of ${ids[0]}; a node tries 16 of one peer; remove 2`,
    ])
  })
})

describe('addresses', () => {
  it.each(['peertap%d', 'tap0', 'br-lan.5'])('an interface may be called %s', (text) =>
    expect(readInterfaceName(text).ok).toBe(true),
  )
  it.each(['a b', 'a/b', '.', '..', '%d%d', '%s', 'ptäp', 'a:1', ''])(
    'an interface is not called %j',
    (text) => expect(readInterfaceName(text).ok).toBe(false),
  )
  it.each(['10.0.0.1/24', 'fe80::1/64', '128.0.0.1/1'])('%s has its prefix', (text) =>
    expect(readCidr(text).ok).toBe(true),
  )
  it.each(['10.0.0.1/33', '10.0.0.1/', '10.0.0.1/0', '::1%eth0/64', '10.0.0/8', '1.1.1.1/8/8'])(
    '%s has none',
    (text) => expect(readCidr(text).ok).toBe(false),
  )
  it('the id of a contact must be whole', () => {
    expect(readContact(`/ip4/1.2.3.4/tcp/5/p2p/${ID.slice(0, -1)}`).ok).toBe(false)
  })
})

describe('what changed', () => {
  it('is named, with what needs a restart', () => {
    const before = configOf({})
    const after = configOf({
      log: { level: 'debug' },
      relay: { enabled: false, policy: { mode: 'restricted' } },
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      bootstrap: [`/ip4/203.0.113.7/tcp/1/p2p/${ID}`],
    })
    expect(reloadable(before, after)).toEqual({
      changed: ['listen', 'bootstrap', 'relay.enabled', 'relay.policy.mode', 'log.level'],
      needRestart: ['listen', 'relay.enabled'],
    })
    expect(reloadable(before, before)).toEqual({ changed: [], needRestart: [] })
  })

  it('needs a restart where a contact goes, and not where an address of one does', () => {
    const way = (port: number): string => `/ip4/203.0.113.7/tcp/${port}/p2p/${ID}`
    const both = configOf({ bootstrap: [way(1), way(2)] })
    const one = configOf({ bootstrap: [way(2)] })
    expect(reloadable(both, one)).toEqual({ changed: ['bootstrap'], needRestart: [] })
    expect(reloadable(one, configOf({}))).toEqual({ changed: ['bootstrap'], needRestart: ['bootstrap'] })
  })

  it('is found where something comes or goes', () => {
    const before = configOf({ log: { modules: { tap: 'debug' } } })
    const after = configOf({ metrics: { port: 9464 } })
    expect(reloadable(before, after)).toEqual({
      changed: ['log.modules', 'metrics.port'],
      needRestart: ['metrics.port'],
    })
  })
})

it('has all offloads of an interface on, each until it is switched off', () => {
  const of = (offload?: object) => {
    const checked = checkConfig(JSON.stringify({ version: 1, interfaces: [{ vlan: 'a', ...offload }] }))
    return checked.ok ? checked.config.interfaces[0]?.offload : checked.mistakes.map(({ message }) => message)
  }
  const all = { segmentation: true, coalescing: true, udp: true }
  expect(of()).toEqual(all)
  expect(of({ offload: { udp: false } })).toEqual({ ...all, udp: false })
  expect(of({ offload: { segmentatoin: false } })).toEqual([
    'interfaces[0].offload.segmentatoin is not a known key; did you mean "segmentation"?',
  ])
})
