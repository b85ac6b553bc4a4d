/** Where a node hangs: R1 to R4, R6 to R9 and further uppers, with neighbours played by the test. */
import { describe, expect, it } from 'vitest'
import { MILLISECOND, type Micros, SECOND, TREE_ROLE } from '../../core/io.ts'
import { CAPABILITY } from '../../core/links/link.ts'
import { attach, pathRequest, voidMessage, WANTED } from '../../core/tree/messages.ts'
import { KIND } from '../../core/wire/kinds.ts'
import {
  attachMessage,
  beatMessage,
  beatOf,
  type Claimed,
  certificate,
  certificateMessage,
  pathMessage,
  TreeBench,
  voidOf,
  voidPacket,
} from '../support/tree-bench.ts'
import { ANN, BOB, belowAnn, EVE, FAR, ROOT, says, viaAnn, viaBob } from '../support/tree-cast.ts'

describe('adopting (R1 to R4)', () => {
  it('hangs below a neighbour that leads to a better root, at once', () => {
    const bench = belowAnn()
    const view = bench.crst.view()
    expect(view).toMatchObject({ detached: false, depth: 2, metric: 40, upper: bench.link(ANN).id })
    expect(bench.to(ANN, KIND.attach, attach)).toEqual([{ tree: 0, generation: 1 }])
    expect(bench.roles).toEqual([{ link: bench.link(ANN).id, role: TREE_ROLE.upper }])
    expect(bench.link(ANN).treeUse).toBe(true)
  })

  it('becomes root after a second alone, and no sooner', () => {
    const bench = new TreeBench()
    bench.wait(999 * MILLISECOND)
    expect(bench.crst.root()).toBeUndefined()
    bench.wait(2 * MILLISECOND)
    expect(bench.crst.view()).toMatchObject({ detached: false, depth: 0, metric: 0, upper: undefined })
  })

  it('leaves its own root for a better one without detaching', () => {
    const bench = new TreeBench()
    bench.wait(2 * SECOND)
    bench.meet(BOB)
    bench.from(BOB, attachMessage(1))
    expect(bench.role(BOB)).toBe(TREE_ROLE.lower)
    bench.meet(ANN)
    says(bench, ANN, { claimed: viaAnn })
    expect(bench.role(ANN)).toBe(TREE_ROLE.upper)
    expect(bench.role(BOB)).toBe(TREE_ROLE.lower)
    expect(bench.events.some(({ kind }) => kind === 'detached')).toBe(false)
    expect(bench.crst.view().generation).toBe(1)
  })

  it('keeps its own root while what it is offered is worse', () => {
    const bench = new TreeBench({ config: { rootPriority: 0 } })
    bench.wait(2 * SECOND)
    bench.meet(ANN)
    says(bench, ANN, { claimed: viaAnn })
    expect(bench.crst.view()).toMatchObject({ depth: 0, upper: undefined })
  })

  it('needs the certificate of the link itself, and asks for it', () => {
    const bench = new TreeBench()
    bench.meet(ANN, { certified: false })
    says(bench, ANN, { claimed: viaAnn })
    expect(bench.crst.view().upper).toBeUndefined()
    expect(bench.to(ANN, KIND.pathRequest, pathRequest).at(-1)?.wanted).toBe(WANTED.certificate)
    bench.from(ANN, certificateMessage(certificate(ANN, bench.self)))
    expect(bench.role(ANN)).toBe(TREE_ROLE.upper)
  })

  it('asks for a path that it cannot rebuild, and again with growing patience', () => {
    const bench = new TreeBench()
    bench.meet(BOB)
    says(bench, BOB, { claimed: viaBob, certificates: [], beat: undefined })
    expect(bench.crst.view().upper).toBeUndefined()
    bench.wait(4 * SECOND)
    const asked = bench.sent.filter(({ kind }) => kind === KIND.pathRequest).map(({ at }) => at)
    expect(asked.map((at) => (at - (asked[0] as number)) / MILLISECOND)).toEqual([0, 500, 1_500, 3_500])
    bench.from(BOB, pathMessage(viaBob))
    expect(bench.crst.view()).toMatchObject({ depth: 3, metric: 60 })
    const before = bench.sent.length
    bench.wait(20 * SECOND)
    expect(bench.sent.slice(before).filter(({ kind }) => kind === KIND.pathRequest)).toEqual([])
  })

  it('stays with its upper unless another is better by a fifth and 10 ms', () => {
    const bench = belowAnn()
    // 0.8 × 40 − 10 = 22 against 20 + 6 and then 6 + 6.
    bench.meet(BOB, { cost: 6 })
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [20] } })
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [6], serial: 2 } })
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    bench.wait(2_100 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
  })

  it('holds the next upper beside the present one for two seconds before it moves under it (B4)', () => {
    const bench = belowAnn()
    bench.meet(BOB, { cost: 6 })
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [6] } })
    expect(bench.crst.view().upper).toBe(bench.link(ANN).id)
    // Registrations take the first: they go over while the old upper still serves.
    expect(bench.crst.uppers().map(({ id }) => id)).toEqual([bench.link(BOB).id, bench.link(ANN).id])
    bench.wait(1_900 * MILLISECOND)
    expect(bench.role(ANN)).toBe(TREE_ROLE.upper)
    bench.wait(200 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
  })

  it('moves at once when the present upper goes meanwhile', () => {
    const bench = belowAnn()
    bench.meet(BOB, { cost: 6 })
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [6] } })
    bench.part(ANN)
    expect(bench.crst.view()).toMatchObject({ detached: false, upper: bench.link(BOB).id, generation: 1 })
  })

  it('does not move for a newer seq alone, but does after two seconds', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    says(bench, BOB, { claimed: { ...viaBob, beat: beatOf(ROOT, { seq: 65_538 }) } })
    bench.wait(1_900 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(ANN).id)
    bench.wait(200 * MILLISECOND)
    expect(bench.role(BOB)).toBe(TREE_ROLE.upper)
    bench.wait(2 * SECOND)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
  })

  describe('after the loss of its upper', () => {
    /** Ann is lost; Bob hangs below her. Eve, if she is there, does not, and is dearer. */
    function withoutAnn(eve: boolean): TreeBench {
      const bench = belowAnn()
      bench.meet(BOB)
      says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN, BOB], costs: [10, 10] } })
      if (eve) {
        bench.meet(EVE)
        says(bench, EVE, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR, EVE], costs: [20, 15] } })
      }
      bench.part(ANN)
      return bench
    }

    it('takes a dearer way before one that leads through the lost one', () => {
      expect(withoutAnn(true).crst.view()).toMatchObject({ detached: false, metric: 55 })
    })

    it('takes one that leads through the lost one if there is no other', () => {
      expect(withoutAnn(false).crst.view()).toMatchObject({ detached: false, metric: 40 })
    })

    it('doubts such a way no longer than its last hop may fail to notice', () => {
      const bench = withoutAnn(true)
      bench.wait(17 * SECOND)
      says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN, BOB], costs: [6, 6], serial: 2 } })
      bench.wait(2_100 * MILLISECOND)
      expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
    })

    it('is not taken in by one that missed a HELLO: it looks anew', () => {
      for (const isSilent of [false, true]) {
        const bench = belowAnn()
        bench.meet(BOB)
        says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [19] } })
        if (isSilent) bench.silent.add(BOB)
        bench.wait(24_500 * MILLISECOND)
        bench.part(ANN)
        expect(bench.crst.view().detached).toBe(isSilent)
      }
    })
  })

  describe('where the mesh may have been cut', () => {
    /** Eve, who is no worse than the height, fell silent so long before Ann was lost. */
    function withoutAnn(silence: Micros, rtt = 20 * MILLISECOND): TreeBench {
      const bench = belowAnn()
      bench.meet(EVE, { rtt })
      says(bench, EVE, { claimed: { beat: beatOf(ROOT), path: [ROOT, EVE], costs: [15] } })
      bench.wait(SECOND)
      bench.silent.add(EVE)
      bench.wait(silence)
      bench.part(ANN)
      return bench
    }

    it('asks all others whether they are there', () => {
      const bench = withoutAnn(SECOND)
      expect(bench.asked.map(({ link }) => link)).toEqual([bench.link(EVE).id])
    })

    it('takes one that was heard just before at once', () => {
      expect(withoutAnn(100 * MILLISECOND).crst.view().upper).toBe(withoutAnn(0).link(EVE).id)
    })

    it('waits for the answer of the others, and takes who gives one', () => {
      const bench = withoutAnn(SECOND)
      expect(bench.crst.view()).toMatchObject({ upper: undefined, detached: false })
      bench.wait(100 * MILLISECOND)
      expect(bench.crst.view()).toMatchObject({ upper: undefined, detached: false })
      bench.silent.delete(EVE)
      bench.hello(EVE)
      expect(bench.crst.view()).toMatchObject({ detached: false, upper: bench.link(EVE).id, generation: 1 })
    })

    it('keeps further uppers meanwhile', () => {
      const bench = belowAnn()
      for (const who of [ANN, BOB, EVE]) {
        if (who !== ANN) bench.meet(who)
        bench.link(who).capabilities = CAPABILITY.relay
      }
      for (const who of [BOB, EVE])
        says(bench, who, { claimed: { beat: beatOf(ROOT), path: [ROOT, who], costs: [15] } })
      bench.wait(SECOND)
      expect(bench.crst.view().furtherUppers).toHaveLength(2)
      for (const who of [BOB, EVE]) bench.silent.add(who)
      bench.wait(SECOND)
      bench.part(ANN)
      expect(bench.crst.view()).toMatchObject({ upper: undefined, detached: false })
      expect(bench.crst.view().furtherUppers).toHaveLength(2)
    })

    it('waits for a second at most, whatever round trip an answer lets it seem', () => {
      const bench = withoutAnn(SECOND, 4 * SECOND)
      bench.wait(1_001 * MILLISECOND)
      expect(bench.crst.view().detached).toBe(true)
    })

    it('asks who is silent again and again, with pauses that grow', () => {
      const bench = withoutAnn(SECOND)
      bench.wait(40 * SECOND)
      const times = bench.asked.filter(({ link }) => link === bench.link(EVE).id).map(({ at }) => at)
      const pauses = times.slice(1).map((at, index) => at - (times[index] as number))
      expect(pauses.length).toBeGreaterThan(12)
      expect(pauses[0]).toBe(SECOND)
      expect(pauses.at(-1)).toBeGreaterThan(4 * SECOND)
      expect(pauses).toEqual(pauses.toSorted((left, right) => left - right))
    })

    it('asks nobody who has just answered, whatever is lost', () => {
      const bench = new TreeBench()
      for (const who of [ANN, BOB, EVE]) bench.meet(who)
      const asks = (): number => bench.asked.filter(({ link }) => link === bench.link(BOB).id).length
      says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR, ANN], costs: [10, 30] } })
      says(bench, EVE, { claimed: { beat: beatOf(ROOT), path: [ROOT, EVE], costs: [35] } })
      bench.from(ANN, voidPacket(voidOf(FAR, ANN)))
      expect(bench.crst.view().upper).toBe(bench.link(EVE).id)
      bench.wait(100 * MILLISECOND)
      expect(asks()).toBe(1)
      bench.from(EVE, voidPacket(voidOf(ROOT, EVE)))
      expect(bench.crst.view().detached).toBe(true)
      expect(asks()).toBe(1)
    })

    it('asks nobody for the sake of a void that was overtaken by a newer certificate', () => {
      const bench = new TreeBench()
      bench.meet(ANN)
      const claimed = { beat: beatOf(ROOT), path: [ROOT, FAR, ANN], costs: [10, 30], serial: 9 }
      says(bench, ANN, { claimed })
      for (let serial = 1; serial < 9; serial++) bench.from(ANN, voidPacket(voidOf(FAR, ANN, serial)))
      expect(bench.asked).toEqual([])
      bench.from(ANN, voidPacket(voidOf(FAR, ANN, 9)))
      expect(bench.asked).toHaveLength(1)
    })

    it('looks anew when none is given, and leaves who is silent alone until it speaks', () => {
      const bench = withoutAnn(SECOND)
      bench.wait(600 * MILLISECOND)
      expect(bench.crst.view()).toMatchObject({ detached: true, generation: 2 })
      bench.wait(600 * MILLISECOND)
      expect(bench.role(EVE)).toBe(TREE_ROLE.none)
      bench.silent.delete(EVE)
      bench.hello(EVE)
      expect(bench.crst.view()).toMatchObject({ detached: false, upper: bench.link(EVE).id })
    })
  })

  describe('after the loss of a link further up', () => {
    /** Hangs below Ann, who hangs below Far. */
    function belowFar(): TreeBench {
      const bench = new TreeBench()
      bench.meet(ANN)
      says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR, ANN], costs: [10, 30] } })
      return bench
    }

    it('takes a dearer way before one that leads through its upper end', () => {
      const bench = belowFar()
      bench.meet(BOB)
      says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR, BOB], costs: [10, 10] } })
      bench.meet(EVE)
      says(bench, EVE, { claimed: { beat: beatOf(ROOT), path: [ROOT, EVE], costs: [25] } })
      expect(bench.crst.view().metric).toBe(60)
      bench.from(ANN, voidPacket(voidOf(FAR, ANN)))
      expect(bench.crst.view()).toMatchObject({ detached: false, upper: bench.link(EVE).id })
    })

    it('looks anew before it hangs below that end itself, of which nothing was heard since', () => {
      const bench = belowFar()
      bench.meet(FAR, { cost: 40 })
      says(bench, FAR, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR], costs: [10] } })
      bench.from(ANN, voidPacket(voidOf(FAR, ANN)))
      expect(bench.crst.view().detached).toBe(true)
      bench.wait(SECOND)
      expect(bench.crst.view()).toMatchObject({ detached: false, upper: bench.link(FAR).id })
    })

    it('doubts nothing for a void of a link that is not on its path', () => {
      const bench = belowFar()
      bench.meet(BOB)
      says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR, BOB], costs: [10, 10] } })
      bench.meet(EVE)
      says(bench, EVE, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR, EVE], costs: [10, 20] } })
      bench.from(EVE, voidPacket(voidOf(FAR, EVE)))
      bench.part(ANN)
      expect(bench.crst.view()).toMatchObject({ detached: false, upper: bench.link(BOB).id })
    })
  })

  describe('when somebody else lost its link to a neighbour', () => {
    it('is asked and left as an upper if it gives no sign of life', () => {
      const bench = belowAnn()
      bench.meet(BOB)
      bench.silent.add(ANN)
      bench.wait(MILLISECOND)
      bench.from(BOB, voidPacket(voidOf(ANN, EVE)))
      expect(bench.asked).toMatchObject([{ link: bench.link(ANN).id }])
      bench.wait(200 * MILLISECOND)
      expect(bench.role(ANN)).toBe(TREE_ROLE.upper)
      bench.wait(100 * MILLISECOND)
      expect(bench.role(ANN)).toBe(TREE_ROLE.none)
      expect(bench.crst.view().detached).toBe(true)
      // Its link stays, and so it is a way again as soon as it speaks.
      bench.silent.delete(ANN)
      bench.wait(2 * SECOND)
      says(bench, ANN, { claimed: viaAnn })
      expect(bench.crst.view().upper).toBe(bench.link(ANN).id)
    })

    it('is asked and let go as a lower if it gives none', () => {
      const bench = belowAnn()
      bench.meet(BOB)
      bench.from(BOB, attachMessage(1))
      expect(bench.role(BOB)).toBe(TREE_ROLE.lower)
      bench.silent.add(BOB)
      bench.wait(MILLISECOND)
      bench.from(ANN, voidPacket(voidOf(BOB, EVE)))
      bench.wait(300 * MILLISECOND)
      expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    })

    it('is kept if it answers, and others hear of it once', () => {
      const bench = belowAnn()
      bench.meet(BOB)
      bench.meet(EVE)
      bench.from(BOB, voidPacket(voidOf(ANN, FAR)))
      bench.wait(300 * MILLISECOND)
      expect(bench.role(ANN)).toBe(TREE_ROLE.upper)
      bench.from(BOB, voidPacket(voidOf(ANN, FAR)))
      expect(bench.to(EVE, KIND.void, voidMessage)).toHaveLength(1)
    })
  })

  it('adopts only what is below its height', () => {
    const bench = belowAnn()
    bench.meet(BOB)
    // Bob is worse than the height of 40; when Ann goes he is no alternate and the node regresses.
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, FAR, BOB], costs: [30, 30] } })
    bench.part(ANN)
    expect(bench.crst.view()).toMatchObject({ detached: true, generation: 2 })
    bench.wait(401 * MILLISECOND)
    expect(bench.crst.view()).toMatchObject({ detached: false, upper: bench.link(BOB).id })
  })
})

describe('the upper is lost (R8, R9)', () => {
  it('takes the ready alternate in the same step and tells everybody at once', () => {
    const bench = belowAnn()
    bench.meet(BOB, { cost: 10 })
    bench.meet(EVE)
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [25] } })
    bench.wait(SECOND)
    const before = bench.sent.length
    bench.part(ANN)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
    expect(bench.count('treeAlternate')).toBe(1)
    const kinds = bench.sent.slice(before).map(({ to, kind }) => [to === BOB ? 'Bob' : 'Eve', kind])
    expect(kinds).toEqual([
      ['Bob', KIND.void],
      ['Eve', KIND.void],
      ['Bob', KIND.attach],
      ['Bob', KIND.update],
      ['Eve', KIND.update],
    ])
    const part = bench.to(EVE, KIND.void, voidMessage)[0]
    expect([part?.from, part?.to]).toEqual([ANN.key, bench.self.key])
  })

  it('regresses without one: a new generation, all lowers closed, silence for the hold', () => {
    const bench = belowAnn()
    bench.meet(BOB, { rtt: 300 * MILLISECOND })
    bench.from(BOB, attachMessage(1))
    bench.part(ANN)
    expect(bench.crst.view()).toMatchObject({ detached: true, generation: 2, lowers: [] })
    expect(bench.role(BOB)).toBe(TREE_ROLE.none)
    expect(bench.lastUpdate(BOB)).toMatchObject({ generation: 2, label: undefined })
    // The hold is twice the largest round trip, at least 400 ms.
    bench.wait(100 * MILLISECOND)
    says(bench, BOB, { claimed: { ...viaBob, serial: 2 } })
    bench.wait(499 * MILLISECOND)
    expect(bench.crst.view().detached).toBe(true)
    bench.wait(2 * MILLISECOND)
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
  })

  it('re-attaches to an upper in a new generation only below its height (R7)', () => {
    const bench = belowAnn()
    says(bench, ANN, { generation: 2, claimed: viaAnn })
    expect(bench.roles.map(({ role }) => role)).toEqual([TREE_ROLE.upper, TREE_ROLE.none, TREE_ROLE.upper])
    expect(bench.to(ANN, KIND.attach, attach).at(-1)?.generation).toBe(2)
    const worse: Claimed = { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [60], serial: 2 }
    says(bench, ANN, { generation: 3, claimed: worse })
    expect(bench.crst.view().detached).toBe(true)
  })

  it('stays in an unchanged generation whatever the metric does (R6)', () => {
    const bench = belowAnn()
    says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [900], serial: 2 } })
    expect(bench.crst.view()).toMatchObject({ metric: 920, upper: bench.link(ANN).id })
  })

  it('gives the own upper two seconds to make its new path known', () => {
    const bench = belowAnn()
    const other: Claimed = { beat: beatOf(ROOT), path: [ROOT, FAR, ANN] }
    says(bench, ANN, { claimed: other, certificates: [] })
    expect(bench.crst.view()).toMatchObject({ detached: false, metric: 40 })
    bench.wait(1_900 * MILLISECOND)
    bench.from(ANN, pathMessage(other))
    expect(bench.crst.view()).toMatchObject({ metric: 60 })
    says(bench, ANN, { claimed: { ...other, serial: 3 }, certificates: [] })
    bench.wait(2_100 * MILLISECOND)
    expect(bench.crst.view().detached).toBe(true)
  })

  it('ends a path at once when a link of it is void, and passes the void on once', () => {
    const bench = new TreeBench()
    bench.meet(BOB)
    bench.meet(EVE)
    says(bench, BOB, { claimed: viaBob })
    bench.from(EVE, voidPacket(voidOf(ROOT, FAR)))
    expect(bench.crst.view().detached).toBe(true)
    bench.from(EVE, voidPacket(voidOf(ROOT, FAR)))
    bench.from(BOB, voidPacket(voidOf(ROOT, FAR)))
    expect(bench.to(BOB, KIND.void, voidMessage)).toHaveLength(1)
    expect(bench.to(EVE, KIND.void, voidMessage)).toHaveLength(0)
    // A void that occurs in nobody's path is kept and not passed on.
    bench.from(EVE, voidPacket(voidOf(FAR, EVE)))
    expect(bench.to(BOB, KIND.void, voidMessage)).toHaveLength(1)
    bench.wait(SECOND)
    says(bench, BOB, { claimed: { ...viaBob, path: [ROOT, FAR, BOB], serial: 2 } })
    expect(bench.crst.view().upper).toBe(bench.link(BOB).id)
  })
})

describe('further uppers', () => {
  /** Ann the upper, Bob and Eve below the height too; the restricted ones carry only some VLANs. */
  function withAlternates(restricted: boolean): TreeBench {
    const bench = new TreeBench()
    for (const who of [ANN, BOB, EVE]) {
      const link = bench.meet(who)
      if (restricted) link.capabilities = 1
    }
    says(bench, ANN, { claimed: viaAnn })
    for (const who of [BOB, EVE]) {
      says(bench, who, { claimed: { beat: beatOf(ROOT), path: [ROOT, who], costs: [30] } })
    }
    return bench
  }

  it('are attached while the upper does not carry every VLAN', () => {
    expect(withAlternates(false).crst.uppers()).toHaveLength(1)
    const bench = withAlternates(true)
    expect(bench.crst.uppers().map(({ id }) => id)).toEqual([ANN, BOB, EVE].map((who) => bench.link(who).id))
    expect(bench.crst.view().furtherUppers).toHaveLength(2)
  })

  it('come and go with what the upper says of itself, for its policy may change at any time', () => {
    const bench = withAlternates(false)
    let beats = 0
    const waitForBeat = (): void => {
      bench.wait(10 * SECOND)
      beats += 1
      bench.from(ANN, beatMessage(beatOf(ROOT, { count: beats })))
    }
    bench.link(BOB).capabilities = CAPABILITY.relay
    bench.link(EVE).capabilities = CAPABILITY.relay
    expect(bench.crst.uppers()).toHaveLength(1)
    bench.link(ANN).capabilities = CAPABILITY.relay
    waitForBeat()
    expect(bench.crst.uppers().map(({ id }) => id)).toEqual([ANN, BOB, EVE].map((who) => bench.link(who).id))
    bench.link(ANN).capabilities = CAPABILITY.relay | CAPABILITY.openRelay
    waitForBeat()
    expect(bench.crst.uppers().map(({ id }) => id)).toEqual([bench.link(ANN).id])
  })

  it('are attached on demand', () => {
    const bench = withAlternates(false)
    bench.crst.wantFurtherUppers(bench.now, 1)
    bench.wait(MILLISECOND)
    expect(bench.crst.uppers()).toHaveLength(2)
    bench.crst.wantFurtherUppers(bench.now, 0)
    bench.wait(MILLISECOND)
    expect(bench.crst.uppers()).toHaveLength(1)
  })

  it('go before the height falls to theirs or below (R3)', () => {
    const bench = withAlternates(true)
    says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [7], serial: 2 } })
    // The height is 27 now, and Bob and Eve stand at 30.
    expect(bench.crst.uppers()).toHaveLength(1)
    expect(bench.to(BOB, KIND.detach, attach)).toHaveLength(1)
    expect(bench.to(EVE, KIND.detach, attach)).toHaveLength(1)
  })

  it('keep a former upper for five seconds after a change of mind', () => {
    const bench = belowAnn()
    bench.meet(BOB, { cost: 6 })
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [16] } })
    expect(bench.crst.uppers()).toHaveLength(1)
    says(bench, ANN, { claimed: { beat: beatOf(ROOT), path: [ROOT, ANN], costs: [21], serial: 2 } })
    says(bench, BOB, { claimed: { beat: beatOf(ROOT), path: [ROOT, BOB], costs: [15], serial: 2 } })
    bench.wait(2_100 * MILLISECOND)
    expect(bench.crst.uppers().map(({ id }) => id)).toEqual([bench.link(BOB).id])
    expect(bench.to(ANN, KIND.detach, attach)).toHaveLength(1)
  })
})
