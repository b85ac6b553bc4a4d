/** A busy machine takes in later what came, and nothing else: in order, and no less than it has room for. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Host } from '../../core/host.ts'
import { CHANNEL, type LinkId } from '../../core/io.ts'
import type { SimNode } from '../../sim/node.ts'
import { Run } from '../../sim/run.ts'
import { scenarioSchema } from '../../sim/scenario.ts'
import { LOST, Trunks } from '../../sim/trunks.ts'

afterEach(() => vi.restoreAllMocks())

function runOf(changes: Record<string, unknown>): Run {
  const scenario = scenarioSchema.parse({
    version: 1,
    name: 'busy',
    question: 'What do busy machines take in?',
    healSeconds: 10,
    ...changes,
  })
  return new Run(scenario, { seed: 1, data: { text: () => '' } })
}

function finish(run: Run): void {
  while (!run.done) run.step(run.endsAtSeconds)
}

/** Watches control packets: how many came in the order of sending, overtook others, or never came. */
function watchStreams(): { inOrder: number; overtook: number; cutOff: number } {
  const seen = { inOrder: 0, overtook: 0, cutOff: 0 }
  /** By receiving end: what was sent and has not come. */
  const onTheWay = new Map<number, Uint8Array[]>()
  /** Ends whose other end hung up in order. */
  const hungUp = new Set<number>()
  const at = (end: number): Uint8Array[] => {
    const sent = onTheWay.get(end) ?? []
    onTheWay.set(end, sent)
    return sent
  }
  const { send, hangUp } = Trunks.prototype
  vi.spyOn(Trunks.prototype, 'send').mockImplementation(function (
    this: Trunks,
    node,
    link,
    channel,
    ...rest
  ) {
    if (channel === CHANNEL.control) at(link ^ 1).push(rest[1])
    send.call(this, node, link, channel, ...rest)
  })
  vi.spyOn(Trunks.prototype, 'hangUp').mockImplementation(function (this: Trunks, link, reason) {
    hungUp.add(link ^ 1)
    // Whoever hangs up hears nothing more.
    onTheWay.delete(link)
    hangUp.call(this, link, reason)
  })
  const { packet, linkDown } = Host.prototype
  vi.spyOn(Host.prototype, 'packet').mockImplementation(function (this: Host, link, channel, hop, bytes) {
    if (channel === CHANNEL.control) {
      const sent = at(link)
      const place = sent.indexOf(bytes)
      if (place === 0) seen.inOrder += 1
      else seen.overtook += 1
      sent.splice(Math.max(0, place), 1)
    }
    packet.call(this, link, channel, hop, bytes)
  })
  vi.spyOn(Host.prototype, 'linkDown').mockImplementation(function (this: Host, link: LinkId, reason) {
    if (hungUp.has(link)) seen.cutOff += at(link).length
    linkDown.call(this, link, reason)
  })
  return seen
}

describe('a stream', () => {
  const busy = {
    seconds: 40,
    warmupSeconds: 20,
    nodes: { count: 30, joinSeconds: 10 },
    vlans: [{ count: 3, members: 10 }],
    traffic: [{ kind: 'unicast', perMemberPerSecond: 5 }],
  }
  const slow = { faults: [{ kind: 'slow', atSeconds: 1, who: { share: 1 }, factor: 1_000, forSeconds: 35 }] }
  const narrow = { conditions: { downMbits: 0.05 } }

  const narrower = { conditions: { downMbits: 0.01 } }
  const narrowed = { faults: [{ kind: 'links', atSeconds: 15, forSeconds: 10, ...narrower }] }

  it.each([
    ['machines are busy', slow],
    ['access lines are full', narrow],
    ['both', { ...slow, ...narrow }],
    ['access lines are full for a while', narrowed],
  ])('stays in order to its end where %s', (_, trouble) => {
    const seen = watchStreams()
    finish(runOf({ ...busy, ...trouble }))
    expect(seen.inOrder).toBeGreaterThan(1_000)
    expect(seen).toMatchObject({ overtook: 0, cutOff: 0 })
  })
})

describe('a machine that is too slow', () => {
  const members = 12
  const crowd = {
    seconds: 30,
    warmupSeconds: 10,
    nodes: { count: members, joinSeconds: 2 },
    vlans: [{ count: 1, members }],
    traffic: [{ kind: 'broadcast', perMemberPerSecond: 60 }],
  }
  const slowFor = (forSeconds: number, factor: number): object => ({
    faults: [{ kind: 'slow', atSeconds: 12, who: { nodes: [5] }, factor, forSeconds }],
  })

  /** What waited at the first drop, and how many frames were dropped. */
  function dropsOf(run: Run): { first: number | undefined; count: number } {
    const drops: { first: number | undefined; count: number } = { first: undefined, count: 0 }
    const dropped = run.linkModelDropped.bind(run)
    vi.spyOn(run, 'linkModelDropped').mockImplementation((frame, reason, from, to: SimNode) => {
      if (reason === LOST.processor) {
        drops.first ??= to.backlog
        drops.count += 1
      }
      dropped(frame, reason, from, to)
    })
    return drops
  }

  it('drops nothing while it has room', () => {
    const run = runOf({ ...crowd, ...slowFor(1, 2_000) })
    const drops = dropsOf(run)
    finish(run)
    expect(drops.count).toBe(0)
  })

  it('drops data when more than it has room for waits', () => {
    const run = runOf({ ...crowd, ...slowFor(10, 2_000) })
    const drops = dropsOf(run)
    finish(run)
    expect(drops.first).toBe(1_024)
    expect(drops.count).toBeGreaterThan(1_000)
  })

  it('costs the world one event for each time that it is free, however many wait', () => {
    const events = (factor: number): number => {
      const run = runOf({ ...crowd, ...slowFor(10, factor) })
      finish(run)
      return run.world.events
    }
    expect(events(2_000)).toBeLessThan(1.1 * events(1))
  })
})
