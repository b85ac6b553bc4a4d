/** What a node's owner may ask of memberships, and what comes of it: one node, alone, with a real group. */
import { describe, expect, test } from 'vitest'
import type { Crypto } from '../../core/crypto/ports.ts'
import { UsageError } from '../../core/errors.ts'
import { hex } from '../../core/ids.ts'
import type {
  Command,
  Effects,
  JobId,
  JobOutcome,
  Micros,
  NodeEvent,
  NodeView,
  PortId,
  StoreId,
} from '../../core/io.ts'
import { type Founding, found } from '../../core/ledger/founding.ts'
import { parseInvitation } from '../../core/ledger/invitation.ts'
import { recordOf } from '../../core/member/records.ts'
import { createNode } from '../../core/node.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { PlantedMacs } from '../../sim/hostile/planted.ts'
import { Verdicts } from '../../sim/mls/judge.ts'
import { StandInEngine } from '../../sim/mls/standin.ts'
import { NOW, TERMS } from '../support/ledger.ts'
import { Stream } from '../support/vlan-node.ts'

const PORT = 3 as PortId

/** A node whose jobs and stores are done at once. */
class Lonely {
  readonly events: NodeEvent[] = []
  readonly records = new Map<StoreId, Uint8Array>()
  readonly jobs: JobId[] = []
  readonly founding: Founding
  readonly #engine = new StandInEngine(standInCrypto, new Verdicts())
  readonly #machine
  #now: Micros = 1_000
  readonly #done: (() => void)[] = []

  constructor(seed = 1, crypto: Crypto = standInCrypto) {
    const stream = new Stream(seed)
    this.founding = found(standInCrypto, stream, { terms: { ...TERMS, suite: 1 }, now: NOW })
    this.#machine = createNode({
      selfSeed: stream.bytes(32),
      restored: undefined,
      config: {},
      crypto,
      dice: stream,
      keys: stream,
      wall: { millis: () => NOW + Math.floor(this.#now / 1_000) },
    })
    this.#settle()
  }

  command(command: Command): void {
    this.#machine.command(this.#now, command)
    this.#settle()
  }

  jobDone(job: JobId, outcome: JobOutcome): void {
    this.#machine.jobDone(this.#now, job, outcome)
    this.#settle()
  }

  run(seconds: number): void {
    const end = this.#now + seconds * 1e6
    for (let at = this.#machine.nextDeadline(); at <= end; at = this.#machine.nextDeadline()) {
      this.#now = Math.max(this.#now, at)
      this.#machine.wake(this.#now)
      this.#settle()
    }
    this.#now = end
  }

  enter(port = PORT): void {
    const { issuer, memberSeed, grant, facts, doorKey } = this.founding
    if (issuer.kind !== 'authority') throw new Error('an admin founded a test')
    this.command({
      kind: 'enter',
      port,
      identity: {
        policy: issuer.policy,
        label: TERMS.label,
        doorKey,
        memberSeed,
        serial: grant.id,
        facts: facts.map(({ bytes }) => bytes),
      },
      entrance: { kind: 'found' },
    })
  }

  view(): NodeView {
    return this.#machine.view()
  }

  group(): string[] {
    return this.events.flatMap((each) => (each.kind === 'group' ? [each.event.kind] : []))
  }

  #settle(): void {
    const effects: Effects = {
      deliver: () => undefined,
      send: () => undefined,
      dial: () => undefined,
      hangUp: () => undefined,
      start: (job, work) => {
        this.jobs.push(job)
        const outcome = this.#engine.run(work)
        this.#done.push(() => this.#machine.jobDone(this.#now, job, outcome))
      },
      store: (id, record) => {
        this.records.set(id, record.slice())
        this.#done.push(() => this.#machine.stored(this.#now, id, true))
      },
      note: (event) => this.events.push(event),
    }
    this.#machine.drain(effects)
    for (let next = this.#done.shift(); next !== undefined; next = this.#done.shift()) {
      next()
      this.#machine.drain(effects)
    }
  }
}

describe('a node that founds a VLAN', () => {
  test('is in its first epoch with its port up, and keeps the state in the port its own record', () => {
    const node = new Lonely()
    node.enter()
    node.run(2)
    expect(node.group()).toEqual(['epoch', 'founded'])
    expect(node.events.find(({ kind }) => kind === 'portUp')).toMatchObject({
      port: PORT,
      vlan: hex(node.founding.vlan),
    })
    expect(node.records.has(recordOf(PORT, 'head'))).toBe(true)
    expect(node.records.has(recordOf(PORT, 'ledger'))).toBe(true)
  })

  test('two ports have jobs and records of their own', () => {
    const node = new Lonely()
    node.enter()
    node.enter(4 as PortId)
    node.run(2)
    expect(new Set(node.jobs).size).toBe(node.jobs.length)
    expect(node.records.has(recordOf(4 as PortId, 'head'))).toBe(true)
    expect(node.group().filter((kind) => kind === 'founded')).toHaveLength(2)
  })

  test('two ports of one VLAN have two MACs, even if the draws give one', () => {
    const planted = new PlantedMacs()
    const node = new Lonely(1, { ...standInCrypto, hash: planted.watch(standInCrypto.hash) })
    const macs = () => node.events.flatMap((event) => (event.kind === 'portUp' ? [event.mac] : []))
    node.enter()
    node.run(2)
    const [first] = macs()
    planted.arm(standInCrypto.signatures.publicKey(node.founding.memberSeed), first as number)
    node.enter(4 as PortId)
    node.run(2)
    const [, second] = macs()
    expect(planted.made).toBe(1)
    expect(second).toBeDefined()
    expect(second).not.toBe(first)
  })

  test('invites by a text that leads to its VLAN and door', () => {
    const node = new Lonely()
    node.enter()
    const { issuer, doorKey, vlan } = node.founding
    node.command({ kind: 'invite', port: PORT, issuer, doorKey, contacts: [] })
    const noted = node.events.find((each) => each.kind === 'invitation')
    const invitation = parseInvitation(standInCrypto, noted?.text ?? '')
    expect(hex(invitation.vlan)).toBe(hex(vlan))
    expect(hex(invitation.doorKey)).toBe(hex(doorKey))
  })

  test('is out when its own key is revoked, and sends nothing more', () => {
    const node = new Lonely()
    node.enter()
    node.run(2)
    const { issuer, memberSeed } = node.founding
    const target = standInCrypto.signatures.publicKey(memberSeed)
    node.command({ kind: 'revoke', port: PORT, issuer, target })
    node.run(10)
    expect(node.group()).toContain('ended')
  })

  test('has left when it said so', () => {
    const node = new Lonely()
    node.enter()
    node.run(2)
    node.command({ kind: 'leaveVlan', port: PORT })
    node.run(10)
    expect(node.events).toContainEqual({ kind: 'group', port: PORT, event: { kind: 'ended', why: 'left' } })
  })
})

describe('what a node shows of a membership', () => {
  test('is who is in it, its ledger, and what its group and its door counted', () => {
    const node = new Lonely()
    node.enter()
    node.run(2)
    const { memberSeed, vlan, facts } = node.founding
    const self = hex(standInCrypto.signatures.publicKey(memberSeed))
    const [membership, ...more] = node.view().memberships
    expect(more).toEqual([])
    expect(membership).toMatchObject({ port: PORT, vlan: hex(vlan), self, phase: 'member', epoch: 0 })
    expect(membership?.members).toEqual([
      { member: self, joinedMillis: expect.any(Number), heardAt: undefined, mac: undefined },
    ])
    expect(membership?.members[0]?.joinedMillis).toBeGreaterThanOrEqual(NOW)
    expect(membership?.facts).toEqual(facts.map(({ bytes }) => bytes))
    expect(membership?.counters).toMatchObject({ groupFactsAdded: 2 })
    expect(node.view().counters).toMatchObject({ groupFactsAdded: 2 })
  })

  test('counts on when the port has closed and another opens', () => {
    const node = new Lonely()
    node.enter()
    node.run(2)
    node.command({ kind: 'closePort', port: PORT })
    expect(node.view().memberships).toEqual([])
    expect(node.view().counters.groupFactsAdded).toBe(2)
    node.enter()
    expect(node.view().counters.groupFactsAdded).toBe(4)
  })
})

describe('an invitation', () => {
  test('lasts as long as it is asked to', () => {
    const node = new Lonely()
    node.enter()
    const { issuer, doorKey } = node.founding
    node.command({ kind: 'invite', port: PORT, issuer, doorKey, contacts: [], lifeMillis: 60_000 })
    const noted = node.events.find((each) => each.kind === 'invitation')
    const { grant } = parseInvitation(standInCrypto, noted?.text ?? '')
    expect(grant.end - NOW).toBeLessThan(61_000)
    expect(grant.end - NOW).toBeGreaterThanOrEqual(60_000)
  })
})

describe('wrong calls', () => {
  test('are refused by name', () => {
    const node = new Lonely()
    expect(() => node.command({ kind: 'leaveVlan', port: PORT })).toThrow(/port 3 is no membership/)
    node.enter()
    expect(() => node.enter()).toThrow(/port 3 is open/)
    const outcome: JobOutcome = { ok: false, why: 'badCommit' } as never
    expect(() => node.jobDone(999 as JobId, outcome)).toThrow(UsageError)
    const [job] = node.jobs
    expect(() => node.jobDone(job as JobId, outcome)).toThrow(/no such job/)
  })

  test('a job that comes back after its port closed changes nothing', () => {
    const node = new Lonely()
    node.enter()
    node.run(1)
    node.command({ kind: 'closePort', port: PORT })
    node.enter()
    node.run(2)
    expect(node.group().filter((kind) => kind === 'founded')).toHaveLength(2)
  })
})
