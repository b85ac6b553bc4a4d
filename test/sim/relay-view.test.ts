/**
 * What relays that are no members see of a VLAN that MLS keeps, over a whole run: members come in by the
 * door, talk, restart, part, are put out. No address, no member, no key and nothing of ledger or MLS is in
 * any packet on any link of theirs.
 */
import { describe, expect, it } from 'vitest'
import type { Aead } from '../../core/crypto/ports.ts'
import { hex, utf8 } from '../../core/ids.ts'
import { type PortId, SECOND } from '../../core/io.ts'
import { writeU32 } from '../../core/wire/cursor.ts'
import { chooseCrypto } from '../../drivers/crypto/provider.ts'
import { EngineThreads } from '../../drivers/mls/engines.ts'
import { Run } from '../../sim/run.ts'
import { checkScenario } from '../../sim/scenario/read.ts'
import { BROADCAST_MAC, portOf } from '../../sim/vlans.ts'
import { keysNoted, Needles, noteOutcome, notePieces, RelayView } from '../support/relay-view.ts'

const NODES = 10
const FACT_HEAD_BYTES = 17
const SAID = utf8('the quick brown fox jumps over the lazy dog')
/** Engines of ts-mls, for all runs of this file. */
const engines = new EngineThreads()

function scenarioOf(privacy: 'spec' | 'private') {
  return checkScenario(
    {
      version: 1,
      name: 'view',
      question: 'What does a relay see of a VLAN?',
      seconds: 110,
      warmupSeconds: 25,
      healSeconds: 60,
      crypto: 'real',
      mls: 'tsmls',
      nodes: { count: NODES },
      vlans: [{ count: 1, members: 6, group: 'mls', privacy, enterFromSeconds: 5, enterSeconds: 5 }],
      traffic: [
        { kind: 'unicast', perMemberPerSecond: 0.5 },
        { kind: 'broadcast', perMemberPerSecond: 0.2 },
        { kind: 'multicast', perMemberPerSecond: 0.2 },
      ],
      faults: [
        { kind: 'revoke', atSeconds: 30 },
        { kind: 'crash', atSeconds: 35, who: { share: 0.3 }, restartAfterSeconds: 3 },
        { kind: 'partition', atSeconds: 40, who: { share: 0.5 }, healAfterSeconds: 8 },
        { kind: 'revoke', atSeconds: 42 },
      ],
    },
    'view',
  )
}

/** Each member tells the next by IPv4 and IPv6, and everybody by ARP, every two seconds. */
function talk(run: Run, needles: Needles): void {
  const { stage, world } = run
  const [vlan] = stage.vlans
  const members = vlan?.members ?? []
  const tick = (): void => {
    for (const [place, from] of members.entries()) {
      const to = members[(place + 1) % members.length] as number
      const [own, next] = [stage.macOf(from, 0), stage.macOf(to, 0)]
      const node = world.nodes[from]
      if (own === undefined || next === undefined || node?.up !== true) continue
      needles.add('MAC', macBytes(own))
      const send = (frame: Uint8Array): void => world.inject(node, portOf(0) as PortId, frame, 0)
      const { v4, v6, arp } = addresses(from, to, own)
      needles.add('IPv4 addresses', v4)
      needles.add('ARP sender', arp.subarray(8, 18))
      for (const at of [0, 16]) needles.add('IPv6 address', v6.subarray(at, at + 16))
      send(frame(next, own, 0x0800, Uint8Array.of(0x45, ...new Uint8Array(11), ...v4, ...SAID)))
      send(frame(next, own, 0x86dd, Uint8Array.of(0x60, ...new Uint8Array(7), ...v6, ...SAID)))
      send(frame(BROADCAST_MAC, own, 0x0806, arp))
    }
    world.at(world.now + 2 * SECOND, tick)
  }
  world.at(0, tick)
}

function addresses(from: number, to: number, mac: number) {
  const v4 = (node: number): number[] => [10, 83, 17, node + 1]
  const v6 = (node: number): number[] => [0xfd, 0x83, 0x17, 0x29, ...new Array(11).fill(0x5a), node + 1]
  return {
    v4: Uint8Array.of(...v4(from), ...v4(to)),
    v6: Uint8Array.of(...v6(from), ...v6(to)),
    arp: Uint8Array.of(0, 1, 8, 0, 6, 4, 0, 1, ...macBytes(mac), ...v4(from), 0, 0, 0, 0, 0, 0, ...v4(to)),
  }
}

function frame(destination: number, source: number, type: number, payload: Uint8Array): Uint8Array {
  const head = [...macBytes(destination), ...macBytes(source), type >> 8, type & 0xff]
  return Uint8Array.of(...head, ...payload, ...new Uint8Array(60))
}

function macBytes(mac: number): Uint8Array {
  const bytes = new Uint8Array(8)
  writeU32(bytes, 0, Math.floor(mac / 2 ** 32))
  writeU32(bytes, 4, mac % 2 ** 32)
  return bytes.subarray(2)
}

/** A whole run under this cryptography: what outsiders saw, and what they must not have seen. */
function watch(
  privacy: 'spec' | 'private',
  aead?: (real: Aead) => Aead,
): { view: RelayView; needles: Needles } {
  const needles = new Needles()
  const { crypto: real } = chooseCrypto()
  const broken = aead === undefined ? real : { ...real, aead: aead(real.aead) }
  const realCrypto = keysNoted(broken, needles)
  const noFiles = { text: () => '' }
  const run = new Run(scenarioOf(privacy), { seed: 1, data: noFiles, realCrypto, mlsEngines: engines })
  const [vlan] = run.stage.vlans
  const members = new Set(vlan?.members)
  const view = new RelayView(run.world, ({ index }) => !members.has(index))
  const worked = run.worked.bind(run)
  run.worked = (node, outcome) => {
    noteOutcome(outcome, needles)
    worked(node, outcome)
  }
  needles.add('payload', SAID)
  needles.add('MLS label', utf8('MLS 1.0'))
  needles.add('multicast MAC', macBytes(vlan?.groupMac ?? 0))
  for (const node of members) noteIdentity(run, node, needles)
  talk(run, needles)
  run.step(run.endsAtSeconds)
  for (const { kind } of run.result().violations) needles.add(`violation ${kind}`, utf8(kind))
  return { view, needles }
}

function noteIdentity(run: Run, node: number, needles: Needles): void {
  const identity = run.stage.vlans[0]?.mls?.identity(node)
  if (identity === undefined) throw new Error('a member without an identity')
  needles.add('member seed', identity.memberSeed)
  needles.add('door key', identity.doorKey)
  needles.add('label', utf8(identity.label))
  // Behind kind and VLAN-ID, which every header shows.
  for (const fact of identity.facts) notePieces('a fact', fact.subarray(FACT_HEAD_BYTES), needles)
}

describe.each(['private', 'spec'] as const)('a relay outside of a %s VLAN', (privacy) => {
  it('sees no address, no member, no key, nothing of ledger or MLS', () => {
    const { view, needles } = watch(privacy)
    // There is something to see, and all that it is searched for was used.
    expect(view.bytes).toBeGreaterThan(500_000)
    expect(needles.counts).toMatchObject({
      MAC: 6,
      'member key': 6,
      'ARP sender': expect.any(Number),
      'a commit': expect.any(Number),
      'a Welcome': expect.any(Number),
      'a fact': expect.any(Number),
    })
    expect(needles.counts['key of a seal']).toBeGreaterThan(50)
    expect(Object.keys(needles.counts).filter((name) => name.startsWith('violation'))).toEqual([])
    expect(view.find(needles)).toEqual([])
  })
})

describe('the search', () => {
  it('finds all of it where sealing hides nothing', () => {
    const { view, needles } = watch('private', clear)
    const found = view.find(needles)
    for (const name of ['MAC', 'IPv4 addresses', 'ARP sender', 'IPv6 address', 'payload'])
      expect(found).toContain(name)
    for (const name of [
      'member key',
      'serial',
      'leaf key',
      'a commit',
      'a Welcome',
      'a KeyPackage',
      'a fact',
    ])
      expect(found).toContain(name)
  })
})

/** Seals that show what they hold; their tags are real, so all else goes on as it does. */
function clear(real: Aead): Aead {
  return {
    ...real,
    seal: (key, nonce, header, plain, out) => {
      real.seal(key, nonce, header, plain, out)
      out.set(plain)
    },
    open: (key, nonce, header, sealed, out) => {
      const plain = sealed.slice(0, sealed.length - 16)
      const again = new Uint8Array(sealed.length)
      real.seal(key, nonce, header, plain, again)
      const fits = hex(again.subarray(plain.length)) === hex(sealed.subarray(plain.length))
      out.fill(0)
      if (fits) out.set(plain)
      return fits
    },
  }
}
