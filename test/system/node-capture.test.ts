/** What a node lets its owner capture, as other programs read it; and what a relay's owner can see in it. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TAG_BYTES } from '../../core/crypto/ports.ts'
import { CHANNEL } from '../../core/io.ts'
import { CONTROL_VERSION_TYPE, DATA_VERSION_TYPE, KIND } from '../../core/wire/kinds.ts'
import { PACKET_OVERHEAD } from '../../core/wire/packet.ts'
import { CONTROL_HOP, TRUNK_KIND, trunkHop } from '../../core/wire/trunk.ts'
import type { Captured } from '../../drivers/node/messages.ts'
import { PcapngWriter } from '../../drivers/node/pcapng.ts'
import { parseCidr } from '../../drivers/tap/addresses.ts'
import {
  capture,
  dump,
  fields,
  found,
  hexForms,
  ipForms,
  macForms,
  type RunningCapture,
  type Secrets,
  textForms,
  tshark,
} from '../support/captures.ts'
import { ping } from '../support/ping.ts'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'

const hasTshark = requires.programs({ tshark: 'tshark' })
/** 2026-11-27 00:00:00 and a bit, in microseconds. */
const AT = 1_795_737_600_123_456

function captured(changes: Partial<Captured>): Captured {
  const trunk = { at: AT, port: undefined, outgoing: true, link: 7, channel: CHANNEL.data, hop: CONTROL_HOP }
  return { ...trunk, bytes: new Uint8Array(0), ...changes }
}

describe.skipIf(!hasTshark)('a capture, read by tshark', () => {
  const folder = mkdtempSync(join(tmpdir(), 'peertap-capture-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function written(name: string, ...parts: readonly (Captured | number)[]): string {
    const writer = new PcapngWriter()
    const blocks = [writer.header('PeerTap test')]
    for (const part of parts) {
      if (typeof part === 'number') writer.lost(part)
      else blocks.push(writer.packet(part))
    }
    const file = join(folder, name)
    writeFileSync(file, Buffer.concat(blocks))
    return file
  }

  /** Who has 10.7.0.2? Tell 10.7.0.1. */
  const ARP = Buffer.from(
    'ffffffffffff02000000000a0806' + '000108000604000102000000000a0a0700010000000000000a070002',
    'hex',
  )

  test('is a file even where nothing passed', () => {
    expect(tshark(written('empty'))).toBe('')
  })

  test('shows frames of interfaces as what they are, with time, direction and name', () => {
    const file = written(
      'inner',
      captured({ port: 'pt-home', outgoing: false, bytes: ARP }),
      captured({ port: 'trunks', outgoing: true, bytes: ARP.subarray(0, 41) }),
    )
    const rows = fields(
      file,
      'frame',
      'frame.interface_name',
      'frame.packet_flags_direction',
      'frame.time_epoch',
      'frame.len',
      'arp.dst.proto_ipv4',
    )
    expect(
      rows.map(([name, direction, time, length, ip]) => [name, Number(direction), time, length, ip]),
    ).toEqual([
      ['pt-home', 1, '1795737600.123456000', '42', '10.7.0.2'],
      ['trunks', 2, '1795737600.123456000', '41', ''],
    ])
  })

  test('names all fields of a sealed packet', () => {
    const sizes = { vlan: 16, mls: 16, vft: 16, nonce: 12, ciphertext: 33, tag: TAG_BYTES }
    const parts = Object.values(sizes).map((size, index) => new Uint8Array(size).fill(index + 1))
    const packet = Buffer.concat([Uint8Array.of(DATA_VERSION_TYPE), ...parts])
    expect(packet.length).toBe(PACKET_OVERHEAD + sizes.ciphertext)
    const hop = trunkHop(TRUNK_KIND.data, 2, 61) | (5 << 8)
    const file = written('data', captured({ outgoing: false, link: 70_000, hop, bytes: packet }))
    const names = ['direction', 'channel', 'link'].map((name) => `capture.${name}`)
    const hopNames = ['version', 'kind', 'tree', 'class', 'limit'].map((name) => `hop.${name}`)
    const dataNames = [...Object.keys(sizes), 'ciphertext_length'].map((name) => `data.${name}`)
    const all = ['version', 'type', ...names, ...hopNames, ...dataNames].map((name) => `peertap.${name}`)
    const [row = []] = fields(file, 'peertap', ...all)
    const byName = Object.fromEntries(all.map((name, index) => [name.slice('peertap.'.length), row[index]]))
    expect(byName).toMatchObject({
      version: '1',
      type: '1',
      'capture.direction': '0',
      'capture.channel': '1',
      'capture.link': '70000',
      'hop.version': '1',
      'hop.kind': '1',
      'hop.tree': '2',
      'hop.class': '5',
      'hop.limit': '61',
      'data.ciphertext_length': '33',
    })
    Object.entries(sizes).forEach(([name, size], index) => {
      expect(byName[`data.${name}`]).toBe(`0${index + 1}`.repeat(size))
    })
  })

  test('names every kind of control packet', () => {
    const control = Object.values(KIND).map((kind) =>
      captured({ channel: CHANNEL.control, bytes: Uint8Array.of(CONTROL_VERSION_TYPE, kind, 1, 2) }),
    )
    const file = written('control', ...control)
    expect(fields(file, 'peertap', '_ws.col.Info').map(([info]) => info)).toEqual(
      Object.keys(KIND).map((name) => `sent link 7: ${name}`),
    )
    const shown = tshark(file, '-V')
    for (const [name, kind] of Object.entries(KIND)) expect(shown).toContain(`Kind: ${name} (${kind})`)
  })

  test('says what of it is cut short or unknown, and goes on', () => {
    const bytes = [[DATA_VERSION_TYPE, 1], [CONTROL_VERSION_TYPE], [CONTROL_VERSION_TYPE, 200], []]
    const file = written('odd', ...bytes.map((each) => captured({ bytes: Uint8Array.from(each) })))
    expect(fields(file, 'frame', '_ws.col.Info').map(([info]) => info?.replace('sent link 7: ', ''))).toEqual(
      ['data, too short', 'control, too short', 'control, unknown kind 200', ''],
    )
    expect(fields(file, 'peertap.short', 'frame.number')).toEqual([['1'], ['2'], ['4']])
  })

  test('tells how much is missing', () => {
    const file = written(
      'lost',
      captured({ bytes: ARP }),
      3,
      4,
      captured({ bytes: ARP }),
      captured({ bytes: ARP }),
    )
    expect(fields(file, 'frame', 'frame.drop_count')).toEqual([[''], ['7'], ['']])
  })
})

const hasAll = hasTshark && requires.programs({ tcpdump: 'tcpdump' }) && requires.namespaces()

describe.skipIf(!hasAll)('what passes real nodes', () => {
  const LABEL = 'hidden-label'
  const PHRASE = 'what members say among themselves'
  const lab = realLab()
  let relay: RealNode
  let members: readonly [alice: RealNode, bob: RealNode]
  let addresses: readonly string[]
  let secrets: Secrets
  let bytes: { readonly inner: Buffer; readonly outer: Buffer; readonly wire: Buffer; readonly all: Buffer }
  let files: { readonly [name in keyof typeof bytes]: string }

  async function secretsOf(): Promise<Secrets> {
    const all = new Map([
      ['the label', textForms(LABEL)],
      ['what they say', textForms(PHRASE)],
    ])
    for (const [index, node] of members.entries()) {
      const row = (await node.members(LABEL)).find(({ self }) => self)
      const ula = node.host.link(LABEL)?.addr_info.find(({ local }) => local.startsWith('fd'))?.local ?? ''
      const ip = addresses[index] as string
      all.set(`MAC of ${node.name}`, macForms(row?.mac ?? ''))
      all.set(`key of ${node.name}`, hexForms(row?.member ?? ''))
      all.set(`IPv4 address of ${node.name}`, ipForms(ip, parseCidr(`${ip}/32`).bytes))
      all.set(`IPv6 address of ${node.name}`, ipForms(ula, parseCidr(`${ula}/128`).bytes))
    }
    return all
  }

  /** Frames of every kind, both ways. */
  async function talk(): Promise<void> {
    const [alice, bob] = members
    expect(ping(alice.host, addresses[1] as string)).toBe(true)
    expect(ping(bob.host, addresses[0] as string, 1_200)).toBe(true)
    const ulas = members.map(({ host }) =>
      host.link(LABEL)?.addr_info.find(({ local }) => local.startsWith('fd')),
    )
    expect(ping(alice.host, ulas[1]?.local ?? '')).toBe(true)
    for (const [index, node] of members.entries())
      node.host.run('bash', '-c', `echo -n '${PHRASE}' > /dev/udp/${addresses[1 - index]}/9`)
  }

  async function stopped<Name extends string>(
    running: Readonly<Record<Name, RunningCapture>>,
  ): Promise<Record<Name, Buffer>> {
    const entries = Object.entries<RunningCapture>(running)
    const stops = await Promise.all(entries.map(([, each]) => each.stop()))
    return Object.fromEntries(entries.map(([name], index) => [name, stops[index]])) as Record<Name, Buffer>
  }

  beforeAll(async () => {
    relay = lab.node('relay')
    members = [lab.node('alice'), lab.node('bob')]
    lab.behind(relay, ...members)
    await lab.up(relay, ...members)
    const [outer, wire] = await Promise.all([capture(relay, 'outer', 'outer'), dump(relay, 'wire')])
    // From here on: how the VLAN is founded and joined is seen by the relay too.
    addresses = await lab.vlan(LABEL, ...members)
    const [inner, all] = await Promise.all([
      capture(members[0], 'inner', 'inner'),
      capture(members[1], 'all', 'all'),
    ])
    await talk()
    secrets = await secretsOf()
    files = { outer: outer.file, wire: wire.file, inner: inner.file, all: all.file }
    bytes = await stopped({ outer, wire, inner, all })
  })

  test('is in files that only their owner reads', () => {
    expect(statSync(files.inner).mode & 0o777).toBe(0o600)
  })

  test('shows to a member the frames of its interface', () => {
    const rows = fields(files.inner, 'icmp || icmpv6.type >= 128 || arp || udp', 'frame.interface_name')
    expect(new Set(rows.flat())).toEqual(new Set([LABEL]))
    for (const filter of ['arp', 'icmp', 'icmpv6', `udp contains "${PHRASE}"`])
      expect([filter, fields(files.inner, filter, 'frame.number').length > 0]).toEqual([filter, true])
    expect(fields(files.inner, 'peertap', 'frame.number')).toEqual([])
    expect(found(secrets, bytes.inner)).toEqual([...secrets.keys()].filter((name) => !isBelow(name)))
  })

  test('shows to a member both sides of what it seals', () => {
    expect(fields(files.all, 'icmp', 'frame.number').length).toBeGreaterThan(0)
    expect(fields(files.all, 'peertap.data.vlan', 'frame.number').length).toBeGreaterThan(0)
  })

  test('shows to a relay sealed packets that come by one trunk and go by another', async () => {
    const { vlan } = await members[0].ask<{ vlan: string }>('show', LABEL)
    const rows = fields(files.outer, 'peertap.data.vlan', 'peertap.data.vlan', 'peertap.capture.direction')
    expect(rows.length).toBeGreaterThan(10)
    expect(new Set(rows.map(([id]) => id?.replaceAll(':', '')))).toEqual(new Set([vlan]))
    expect(new Set(rows.map(([, direction]) => direction))).toEqual(new Set(['0', '1']))
    const tags = fields(files.outer, 'peertap.data.tag', 'peertap.data.tag', 'peertap.capture.link')
    const linksOf = new Map<string, Set<string>>()
    for (const [tag = '', link = ''] of tags) linksOf.set(tag, (linksOf.get(tag) ?? new Set()).add(link))
    // What a member says before another is there goes no further.
    expect([...linksOf.values()].filter(({ size }) => size === 2).length).toBeGreaterThan(10)
    expect([...linksOf.values()].filter(({ size }) => size > 2)).toEqual([])
  })

  test('tells the relay neither who speaks nor what is said', () => {
    expect(found(secrets, bytes.outer)).toEqual([])
    expect(found(secrets, bytes.wire)).toEqual([])
    // It did see all of it: as many bytes as members sealed, and each of its cables.
    expect(bytes.outer.length).toBeGreaterThan(10_000)
    expect(fields(files.wire, 'udp.port == 4001 || udp.port == 4003', 'frame.number').length).toBeGreaterThan(
      100,
    )
  })
})

/** Known to members, but part of no frame of an interface. */
function isBelow(name: string): boolean {
  return name.startsWith('key of')
}
