/** What the ends of a link hold and tell: R5, R10, R11, UPDATE, LINKCERT; the test plays the neighbours. */
import { describe, expect, it } from 'vitest'
import { MILLISECOND, MINUTE, SECOND, TREE_ROLE } from '../../core/io.ts'
import {
  attach,
  beat,
  linkCertificate,
  path,
  pathRequest,
  UPDATE_FLAG,
  voidMessage,
  WANTED,
} from '../../core/tree/messages.ts'
import { KIND } from '../../core/wire/kinds.ts'
import {
  attachMessage,
  beatMessage,
  beatOf,
  certificate,
  certificateMessage,
  detachMessage,
  requestMessage,
  TreeBench,
} from '../support/tree-bench.ts'
import { ANN, BOB, belowAnn, EVE, ROOT, says, viaAnn } from '../support/tree-cast.ts'

describe('the halves of a link (R5)', () => {
  it('takes a lower that echoes the generation, acknowledges it and lets it go', () => {
    const bench = new TreeBench()
    bench.wait(2 * SECOND)
    bench.meet(BOB)
    bench.wait(SECOND)
    bench.from(BOB, attachMessage(7))
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    bench.from(BOB, attachMessage(1))
    expect(bench.role(BOB)).toBe(TREE_ROLE.lower)
    bench.wait(SECOND)
    expect(bench.lastUpdate(BOB).flags).toBe(UPDATE_FLAG.yours)
    bench.from(BOB, detachMessage(1))
    bench.wait(SECOND)
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    expect(bench.lastUpdate(BOB).flags).toBe(0)
  })

  it('refuses a lower while detached, and from its own upper', () => {
    const bench = new TreeBench()
    bench.meet(BOB)
    bench.from(BOB, attachMessage(1))
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    const attached = belowAnn()
    attached.from(ANN, attachMessage(1))
    expect(attached.role(ANN)).toBe(TREE_ROLE.upper)
  })

  it('closes the half of a lower that says this node is no upper of its', () => {
    const bench = new TreeBench()
    bench.wait(2 * SECOND)
    bench.meet(BOB)
    bench.from(BOB, attachMessage(1))
    says(bench, BOB, { flags: UPDATE_FLAG.mine })
    expect(bench.role(BOB)).toBe(TREE_ROLE.lower)
    says(bench, BOB, { flags: 0 })
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
  })

  it('repeats ATTACH after 200 ms, doubling to 5 s, until it is acknowledged', () => {
    const bench = belowAnn()
    bench.wait(20 * SECOND)
    const at = bench.sent.filter(({ kind }) => kind === KIND.attach).map((sent) => sent.at / MILLISECOND)
    const gaps = at.slice(1).map((time, index) => time - (at[index] as number))
    expect(gaps).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000])
    says(bench, ANN, { claimed: viaAnn, flags: UPDATE_FLAG.yours })
    const before = bench.sent.length
    bench.wait(10 * SECOND)
    expect(bench.sent.slice(before).filter(({ kind }) => kind === KIND.attach)).toEqual([])
    says(bench, ANN, { claimed: viaAnn, flags: 0 })
    expect(bench.sent.slice(before).filter(({ kind }) => kind === KIND.attach)).toHaveLength(1)
  })

  it('lets a leaf hang below and never has anything below a leaf', () => {
    const leaf = new TreeBench({ config: { relay: false } })
    leaf.wait(10 * SECOND)
    expect(leaf.crst.view().detached).toBe(true)
    leaf.meet(ANN)
    leaf.meet(BOB)
    says(leaf, ANN, { claimed: viaAnn })
    expect(leaf.role(ANN)).toBe(TREE_ROLE.upper)
    leaf.from(BOB, attachMessage(1))
    expect(leaf.role(BOB)).toBe(TREE_ROLE.none)
    leaf.wait(SECOND)
    expect(leaf.updatesTo(BOB).every(({ label }) => label === undefined)).toBe(true)
    expect(leaf.to(BOB, KIND.linkCertificate, linkCertificate)).toEqual([])
    leaf.part(ANN)
    expect(leaf.to(BOB, KIND.void, voidMessage)).toEqual([])
  })
})

describe('roots (R10)', () => {
  it('beats every ten seconds to its lowers, and a new seq every ten minutes', () => {
    const bench = new TreeBench({ boot: 3 })
    bench.wait(2 * SECOND)
    bench.meet(BOB)
    bench.from(BOB, attachMessage(1))
    bench.meet(EVE)
    bench.wait(100 * SECOND)
    const beats = bench.to(BOB, KIND.beat, beat)
    expect(beats.length).toBeGreaterThanOrEqual(8)
    expect(beats.length).toBeLessThanOrEqual(12)
    expect(bench.to(EVE, KIND.beat, beat)).toEqual([])
    expect(beats[0]?.seq).toBe(3 * 65_536 + 1)
    bench.wait(10 * MINUTE)
    expect(bench.lastUpdate(BOB).label?.seq).toBe(3 * 65_536 + 2)
    expect(bench.lastUpdate(BOB).beat?.seq).toBe(3 * 65_536 + 2)
  })

  it('passes beats of its root on to its lowers, from its upper only', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    bench.from(BOB, attachMessage(1))
    bench.meet(EVE)
    bench.wait(9 * SECOND)
    bench.from(EVE, beatMessage(beatOf(ROOT, { count: 1 })))
    expect(bench.to(BOB, KIND.beat, beat)).toEqual([])
    bench.from(ANN, beatMessage(beatOf(ROOT, { count: 1 })))
    bench.from(ANN, beatMessage(beatOf(ROOT, { count: 1 })))
    expect(bench.to(BOB, KIND.beat, beat).map((part) => part.beat & 127)).toEqual([1])
  })

  it('passes on what was verified, not what an upper made of a beat that was known already', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    bench.from(BOB, attachMessage(1))
    bench.meet(EVE)
    bench.wait(9 * SECOND)
    const good = beatOf(ROOT, { count: 1 })
    bench.from(EVE, beatMessage(good))
    bench.from(ANN, beatMessage({ ...good, signature: new Uint8Array(64) }))
    expect(bench.to(BOB, KIND.beat, beat).map((part) => part.signature)).toEqual([good.signature])
  })

  it('gives a silent root up after 35 s and refuses it for a minute', () => {
    const bench = belowAnn()
    bench.wait(34 * SECOND)
    expect(bench.crst.view().detached).toBe(false)
    bench.wait(2 * SECOND)
    expect(bench.count('treeBeatLost')).toBe(1)
    bench.wait(2 * SECOND)
    expect(bench.crst.view()).toMatchObject({ depth: 0, detached: false })
    bench.wait(30 * SECOND)
    expect(bench.crst.view().depth).toBe(0)
    bench.wait(35 * SECOND)
    expect(bench.crst.view().depth).toBe(2)
  })

  it('leaves an upper that withholds beats which others show (mesh:N8)', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [30] } })
    bench.wait(20 * SECOND)
    const summary = bench.summaryFor(BOB)
    const own = { ...summary, sentHash: summary.receivedHash, receivedHash: summary.sentHash }
    bench.crst.onSummary(bench.now, bench.link(BOB), { ...own, beat: (own.beat + 3) >>> 0 })
    bench.wait(16 * SECOND)
    expect(bench.count('treeBeatWithheld')).toBe(1)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
  })

  it('is of class 1 after an hour if its reach is proved, and regresses when it is not any more', () => {
    const bench = new TreeBench()
    bench.meet(BOB)
    bench.crst.setReachable(bench.now, true)
    bench.wait(59 * MINUTE)
    expect(bench.lastUpdate(BOB).label?.class).toBe(2)
    bench.wait(2 * MINUTE)
    expect(bench.lastUpdate(BOB).label?.class).toBe(1)
    expect(bench.count('treeRegress')).toBe(0)
    bench.crst.setReachable(bench.now, false)
    bench.wait(MILLISECOND)
    expect(bench.count('treeRegress')).toBe(1)
    bench.wait(2 * SECOND)
    expect(bench.lastUpdate(BOB).label?.class).toBe(2)
  })

  it('takes the lead from a worse root when its own rank gets better', () => {
    const bench = new TreeBench()
    bench.meet(ANN)
    bench.crst.setReachable(bench.now, true)
    const generation = bench.crst.view().generation
    for (let half = 0; half < 125; half++) {
      bench.from(ANN, certificateMessage(certificate(ANN, bench.self, { serial: half + 2 })))
      says(bench, ANN, { claimed: { ...viaAnn, serial: half + 1 } })
      bench.from(ANN, beatMessage(beatOf(ROOT, { count: half + 1 })))
      const isHanging = bench.crst.view().upper === bench.link(ANN).id
      expect(isHanging).toBe(half < 120)
      bench.wait(30 * SECOND)
    }
    expect(bench.crst.view()).toMatchObject({ depth: 0, detached: false, generation })
  })
})

describe('what is told, and repeated (UPDATE, LINKCERT, R11)', () => {
  it('paces updates to one for each link and 100 ms, with the latest state', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    bench.wait(SECOND)
    const before = bench.updatesTo(BOB).length
    for (let cost = 30; cost < 40; cost++) {
      says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [cost], serial: cost } })
      bench.wait(25 * MILLISECOND)
    }
    bench.wait(SECOND)
    const updates = bench.updatesTo(BOB).slice(before)
    expect(updates).toHaveLength(4)
    expect(updates.at(-1)?.label?.metric).toBe(59)
  })

  it('names a path once, and sends a certificate once on each link', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    expect(bench.lastUpdate(BOB)).toMatchObject({ ids: [expect.any(Number), expect.any(Number)] })
    expect(bench.lastUpdate(BOB).certificates.map(({ place }) => place)).toEqual([0, 1])
    expect(bench.lastUpdate(BOB).beat).toBeDefined()
    bench.from(BOB, attachMessage(1))
    bench.wait(SECOND)
    expect(bench.lastUpdate(BOB)).toMatchObject({ ids: undefined, certificates: [], beat: undefined })
  })

  it('tells its own upper nothing of what lies above it', () => {
    const bench = belowAnn()
    bench.wait(SECOND)
    const before = bench.updatesTo(ANN).length
    says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [40], serial: 2 } })
    bench.wait(SECOND)
    expect(bench.updatesTo(ANN)).toHaveLength(before)
  })

  it('certifies each link when it comes up, grows the serial, and renews in time', () => {
    const bench = new TreeBench({ boot: 2 })
    bench.meet(BOB)
    bench.wait(11 * MINUTE)
    const wires = bench.to(BOB, KIND.linkCertificate, linkCertificate).map((message) => message.certificate)
    const serials = wires.map((wire) => new DataView(wire.buffer, wire.byteOffset).getUint32(32))
    expect(serials).toEqual([2 * 65_536 + 1, 2 * 65_536 + 2, 2 * 65_536 + 3])
    bench.part(BOB)
    bench.meet(BOB)
    expect(bench.to(BOB, KIND.linkCertificate, linkCertificate)).toHaveLength(4)
  })

  it('certifies a cost that moved for a minute, and one that was a guess at once', () => {
    const bench = new TreeBench()
    const link = bench.meet(BOB, { rtt: 0 })
    const hello = () => bench.hello(BOB)
    const costs = () =>
      bench
        .to(BOB, KIND.linkCertificate, linkCertificate)
        .map(({ certificate: wire }) => (wire[36] as number) * 256 + (wire[37] as number))
    link.rtt = 40 * MILLISECOND
    hello()
    expect(costs()).toEqual([55, 25])
    link.rtt = 80 * MILLISECOND
    for (let second = 0; second < 60; second += 5) {
      hello()
      bench.wait(5 * SECOND)
    }
    expect(costs()).toHaveLength(2)
    hello()
    expect(costs()).toEqual([55, 25, 45])
  })

  it('repeats what HELLO shows to be lost, and asks for what did not come', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    bench.wait(2 * SECOND)
    const { generation } = bench.summaryFor(BOB)
    const before = bench.updatesTo(BOB).length
    const theirs = { generation, sentHash: 0, receivedHash: 77, rootHash: 0, beat: 0 }
    bench.crst.onSummary(bench.now, bench.link(BOB), theirs)
    expect(bench.updatesTo(BOB)).toHaveLength(before + 1)
    expect(bench.lastUpdate(BOB).certificates).toHaveLength(2)
    const asked = bench.to(BOB, KIND.pathRequest, pathRequest).length
    bench.crst.onSummary(bench.now, bench.link(BOB), { ...theirs, sentHash: 5 })
    expect(bench.to(BOB, KIND.pathRequest, pathRequest)).toHaveLength(asked + 1)
    expect(bench.to(BOB, KIND.pathRequest, pathRequest).at(-1)?.wanted).toBe(WANTED.update)
  })

  it('answers requests, one in 100 ms', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    bench.from(BOB, requestMessage(WANTED.path))
    expect(bench.to(BOB, KIND.path, path)[0]?.certificates).toHaveLength(2)
    bench.from(BOB, requestMessage(WANTED.path))
    expect(bench.count('boundPathRequests')).toBe(1)
    bench.wait(100 * MILLISECOND)
    bench.from(BOB, requestMessage(WANTED.certificate | WANTED.update))
    expect(bench.to(BOB, KIND.linkCertificate, linkCertificate)).toHaveLength(2)
    expect(bench.lastUpdate(BOB).certificates).toHaveLength(2)
  })

  it('says goodbye so that nobody waits for it', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    bench.from(BOB, attachMessage(1))
    bench.crst.leave(bench.now)
    expect(bench.to(ANN, KIND.detach, attach)).toHaveLength(1)
    expect(bench.lastUpdate(BOB).label).toBeUndefined()
    bench.wait(10 * SECOND)
    expect(bench.crst.view().detached).toBe(true)
  })
})
