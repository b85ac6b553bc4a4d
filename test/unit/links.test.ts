import { describe, expect, it } from 'vitest'
import { nodeConfig } from '../../core/config.ts'
import type { Context } from '../../core/context.ts'
import {
  CHANNEL,
  type CloseReason,
  type Effects,
  type LinkId,
  type Micros,
  type NodeEvent,
  type PeerId,
  REACHABILITY,
  SECOND,
} from '../../core/io.ts'
import type { Link } from '../../core/links/link.ts'
import { Links, type LinksListener } from '../../core/links/links.ts'
import { KIND } from '../../core/wire/kinds.ts'
import { CONTROL_HOP } from '../../core/wire/trunk.ts'
import { testContext } from '../support/context.ts'

/** Two ends of one trunk with a delay, driven by hand. */
class Pair {
  now: Micros = 0
  readonly ends: End[]
  readonly #flying: { at: Micros; to: number; channel: 0 | 1; hop: number; bytes: Uint8Array }[] = []
  /** Nothing passes any more, and nobody is told. */
  silent = false
  readonly delay: Micros
  readonly rewrite: (bytes: Uint8Array, to: number) => Uint8Array

  constructor(delay: Micros, rewrite: (bytes: Uint8Array, to: number) => Uint8Array = (bytes) => bytes) {
    this.delay = delay
    this.rewrite = rewrite
    this.ends = [new End(1), new End(2)]
    const [a, b] = this.ends as [End, End]
    for (const end of this.ends) end.links.start()
    a.links.linkUp(0, 7 as LinkId, b.context.self, true)
    b.links.linkUp(0, 7 as LinkId, a.context.self, false)
    this.drain()
  }

  end(index: number): End {
    return this.ends[index] as End
  }

  drain(): void {
    this.ends.forEach((end, index) => {
      end.context.out.drain(
        end.effects((channel, hop, bytes) => {
          if (!this.silent)
            this.#flying.push({ at: this.now + this.delay, to: 1 - index, channel, hop, bytes })
        }),
      )
    })
  }

  run(until: Micros): void {
    for (;;) {
      const arrival = this.#flying[0]?.at ?? Number.MAX_SAFE_INTEGER
      const alarm = Math.min(...this.ends.map((end) => end.context.deadline.at))
      const next = Math.min(arrival, alarm)
      if (next > until) break
      this.now = Math.max(this.now, next)
      if (arrival <= alarm) this.#arrive()
      else for (const end of this.ends) end.wake(this.now)
      this.drain()
    }
    this.now = until
  }

  #arrive(): void {
    const packet = this.#flying.shift()
    if (packet === undefined) return
    this.end(packet.to).packet(this.now, packet.channel, this.rewrite(packet.bytes, packet.to))
  }
}

class End implements LinksListener {
  readonly context: Context
  readonly links: Links
  readonly opened: Link[] = []
  readonly closed: CloseReason[] = []
  readonly events: NodeEvent[] = []
  readonly controls: number[] = []
  hungUp: CloseReason | undefined

  constructor(seed: number) {
    this.context = testContext(seed)
    this.links = new Links(this.context, this, [], SELF)
  }

  linkOpen(_now: Micros, link: Link): void {
    this.opened.push(link)
  }

  linkClosed(_now: Micros, _link: Link, reason: CloseReason): void {
    this.closed.push(reason)
  }

  helloTaken(): void {
    // Summaries and coordinates are other parts' matter.
  }

  wake(now: Micros): void {
    if (this.context.deadline.at > now) return
    this.context.deadline.at = Number.MAX_SAFE_INTEGER
    this.context.deadline.lower(this.links.wake(now))
  }

  packet(now: Micros, channel: 0 | 1, bytes: Uint8Array): void {
    const link = this.links.get(7 as LinkId)
    if (link === undefined) return
    this.links.heard(now, link, channel)
    if (channel === CHANNEL.data) return
    this.controls.push(bytes[1] as number)
    if (bytes[1] === KIND.hello) this.links.onHello(now, link, bytes)
    if (bytes[1] === KIND.versionRefused) this.links.onVersionRefused(now, link, bytes)
  }

  get link(): Link {
    return this.links.get(7 as LinkId) as Link
  }

  effects(send: (channel: 0 | 1, hop: number, bytes: Uint8Array) => void): Effects {
    return {
      deliver: () => undefined,
      dial: () => undefined,
      start: () => undefined,
      store: () => undefined,
      send: (_link, channel, hop, bytes) => send(channel, hop, bytes),
      hangUp: (_link, reason) => {
        this.hungUp = reason
      },
      note: (event) => {
        this.events.push(event)
      },
    }
  }
}

const DATA_HOP = CONTROL_HOP + 0x10040
const SELF = { reach: REACHABILITY.public, open: true, load: 0, coordinates: new Uint8Array(8) }

describe('a trunk', () => {
  it('opens at both ends once versions are agreed and measures the round trip', () => {
    const pair = new Pair(30_000)
    pair.run(SECOND)
    for (const end of pair.ends) {
      expect(end.opened).toHaveLength(1)
      expect(end.link.version).toBe(1)
      expect(end.link.rtt).toBeGreaterThan(55_000)
      expect(end.link.rtt).toBeLessThan(65_000)
    }
  })

  it('is refused by both ends, naming both ranges, when versions do not meet', () => {
    // Everything that the first end says claims versions 7 to 9.
    const pair = new Pair(1_000, (bytes, to) => {
      if (to === 0 || bytes[1] !== KIND.hello) return bytes
      const changed = bytes.slice()
      changed[2] = 7
      changed[3] = 9
      return changed
    })
    pair.run(SECOND)
    expect(pair.end(1).hungUp).toBe('version')
    expect(pair.end(1).events).toContainEqual({
      kind: 'versionRefused',
      link: 7,
      ours: [1, 1],
      theirs: [7, 9],
    })
    expect(pair.end(1).context.counters.get('dropVersion')).toBe(1)
    expect(pair.end(1).opened).toHaveLength(0)
    expect(pair.end(1).closed).toEqual(['version'])
  })

  it('says HELLO every 20 s on a quiet link and every 5 s on one that a tree uses', () => {
    const pair = new Pair(1_000)
    pair.run(100 * SECOND)
    const quiet = pair.end(0).context.counters.get('helloSent')
    expect(quiet).toBeGreaterThanOrEqual(5)
    expect(quiet).toBeLessThanOrEqual(8)
    for (const end of pair.ends) end.links.setTreeUse(pair.now, end.link, true)
    pair.run(200 * SECOND)
    const busy = pair.end(0).context.counters.get('helloSent') - quiet
    expect(busy).toBeGreaterThanOrEqual(17)
    expect(busy).toBeLessThanOrEqual(24)
    expect(pair.end(0).context.counters.get('probeSent')).toBe(0)
  })

  it('says HELLO within 5.5 s once a tree uses it, though its next one was 20 s away', () => {
    const pair = new Pair(1_000)
    pair.run(100 * SECOND)
    const end = pair.end(0)
    const { counters } = end.context
    // Just after a HELLO, and with an ATTACH's answer expected and heard: no timer is left that would look.
    const before = counters.get('helloSent')
    while (counters.get('helloSent') === before) pair.run(pair.now + SECOND / 10)
    const said = counters.get('helloSent')
    end.links.setTreeUse(pair.now, end.link, true)
    end.links.expect(pair.now, end.link)
    end.links.heard(pair.now, end.link, CHANNEL.control)
    pair.run(pair.now + 5_500_000)
    expect(counters.get('helloSent')).toBe(said + 1)
  })

  it('sets no alarm for an answer that came', () => {
    const pair = new Pair(1_000)
    pair.run(100 * SECOND)
    const { links, link, context } = pair.end(0)
    links.wake(pair.now)
    const before = context.deadline.at
    links.data(pair.now, link, DATA_HOP, new Uint8Array(100))
    expect(context.deadline.at).toBe(pair.now + 1_500_000)
    links.heard(pair.now, link, CHANNEL.control)
    expect(context.deadline.at).toBeGreaterThanOrEqual(before)
  })

  it('answers one-way data within a second, so that the sender never probes', () => {
    const pair = new Pair(20_000)
    pair.run(SECOND)
    for (let turn = 0; turn < 50; turn++) {
      pair.end(0).links.data(pair.now, pair.end(0).link, DATA_HOP, new Uint8Array(100))
      pair.drain()
      pair.run(pair.now + SECOND / 10)
    }
    expect(pair.end(0).context.counters.get('probeSent')).toBe(0)
    const answers = pair.end(1).context.counters.get('helloSent')
    expect(answers).toBeGreaterThanOrEqual(4)
    expect(answers).toBeLessThanOrEqual(8)
  })

  it('is given up about 2.25 s after data meets silence, after three probes', () => {
    const pair = new Pair(20_000)
    pair.run(SECOND)
    pair.silent = true
    const sentAt = pair.now
    pair.end(0).links.data(pair.now, pair.end(0).link, DATA_HOP, new Uint8Array(100))
    pair.drain()
    pair.run(sentAt + 2_200_000)
    expect(pair.end(0).hungUp).toBeUndefined()
    pair.run(sentAt + 2_400_000)
    expect(pair.end(0).hungUp).toBe('dead')
    expect(pair.end(0).context.counters.get('probeSent')).toBe(3)
    expect(pair.end(0).closed).toEqual(['dead'])
  })

  it('is asked for a sign of life right after a HELLO that wanted none, and not given up for it', () => {
    const pair = new Pair(20_000)
    pair.run(SECOND)
    const [asking, asked] = [pair.end(0), pair.end(1)]
    // By now its next HELLO is said in the usual way.
    pair.run(asking.link.helloDue + 10_000)
    const before = asked.link.helloSaidAt
    asking.links.ask(pair.now, asking.link)
    pair.drain()
    pair.run(pair.now + 50_000)
    expect(asked.link.helloSaidAt).toBeGreaterThan(before)
    expect(asking.link.heardAt).toBe(pair.now - 10_000)
    pair.silent = true
    asking.links.ask(pair.now, asking.link)
    pair.drain()
    pair.run(pair.now + 5 * SECOND)
    expect(asking.closed).toEqual([])
  })

  it('is given up after three missed HELLOs and probes when idle', () => {
    const pair = new Pair(20_000)
    pair.run(SECOND)
    for (const end of pair.ends) end.links.setTreeUse(pair.now, end.link, true)
    pair.run(30 * SECOND)
    pair.silent = true
    pair.run(52 * SECOND)
    expect(pair.end(0).hungUp).toBe('dead')
  })

  it('measures loss from the packet counts of HELLOs', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    for (let turn = 0; turn < 2_000; turn++) {
      pair.silent = turn % 5 === 0
      pair.end(0).links.data(pair.now, pair.end(0).link, DATA_HOP, new Uint8Array(100))
      pair.drain()
      pair.silent = false
      pair.run(pair.now + 20_000)
    }
    pair.run(pair.now + 30 * SECOND)
    expect(pair.end(1).link.loss).toBeGreaterThan(0.13)
    expect(pair.end(1).link.loss).toBeLessThan(0.27)
  })

  it('measures loss when the counts of packets begin anew after 2^32', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    pair.end(0).link.packetsOut = 0xffff_ff80
    pair.end(1).link.packetsIn = 0xffff_ff80
    pair.run(30 * SECOND)
    for (let turn = 0; turn < 256; turn++)
      pair.end(0).links.data(pair.now, pair.end(0).link, DATA_HOP, new Uint8Array(100))
    pair.drain()
    pair.run(60 * SECOND)
    expect(pair.end(1).link.packetsIn).toBe(128)
    expect(pair.end(1).link.loss).toBe(0)
  })

  it('keeps control packets in order while the channel is not ready, and gives up after 5 s', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    const end = pair.end(0)
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.control, false)
    for (const kind of [101, 102, 103]) end.links.control(pair.now, end.link, new Uint8Array([0x10, kind]))
    pair.drain()
    pair.end(1).controls.length = 0
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.control, true)
    pair.drain()
    pair.run(pair.now + 10_000)
    expect(pair.end(1).controls).toEqual([101, 102, 103])
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.control, false)
    pair.run(pair.now + 5 * SECOND + 1)
    expect(end.hungUp).toBe('clogged')
    expect(end.context.counters.get('linkClogged')).toBe(1)
  })

  it('says 64 of what waited in one step and the rest a millisecond later each, in order', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    const end = pair.end(0)
    const say = (kind: number): void =>
      end.links.control(pair.now, end.link, new Uint8Array([0x10, 100 + kind]))
    const said = (): number => end.context.counters.get('controlOut')
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.control, false)
    for (let kind = 0; kind < 149; kind++) say(kind)
    const before = said()
    pair.end(1).controls.length = 0
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.control, true)
    say(149)
    pair.drain()
    expect(said() - before).toBe(64)
    const at = pair.now
    pair.run(at + 1_000)
    expect(said() - before).toBe(128)
    pair.run(at + 2_000)
    expect(said() - before).toBe(150)
    say(150)
    pair.drain()
    pair.run(at + 10_000)
    expect(pair.end(1).controls).toEqual(Array.from({ length: 151 }, (_, kind) => 100 + kind))
  })

  it('makes progress while an answer waits behind a channel that is not ready', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    const end = pair.end(0)
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.control, false)
    pair.end(1).links.data(pair.now, pair.end(1).link, DATA_HOP, new Uint8Array(10))
    pair.drain()
    pair.run(pair.now + 2 * SECOND)
    expect(end.links.wake(pair.now)).toBeGreaterThan(pair.now)
    expect(end.link.controlQueue.length).toBeGreaterThan(0)
  })

  it('bounds the control queue and hangs up when it overflows', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    const end = pair.end(0)
    const { link } = end
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.control, false)
    for (let count = 0; count < 1_100; count++) end.links.control(pair.now, link, new Uint8Array(2))
    expect(link.controlQueue.length).toBeLessThanOrEqual(1_024)
    expect(end.context.counters.get('boundControlQueue')).toBe(1)
    expect(end.closed).toEqual(['clogged'])
  })

  it('keeps at most 64 data packets for 20 ms while the channel is not ready, dropping the oldest', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    const end = pair.end(0)
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.data, false)
    for (let count = 0; count < 100; count++) end.links.data(pair.now, end.link, DATA_HOP, new Uint8Array(10))
    expect(end.context.counters.get('dropDataQueue')).toBe(36)
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.data, true)
    expect(end.context.counters.get('packetsOut')).toBe(64)
    end.links.linkReady(pair.now, 7 as LinkId, CHANNEL.data, false)
    end.links.data(pair.now, end.link, DATA_HOP, new Uint8Array(10))
    end.links.linkReady(pair.now + 21_000, 7 as LinkId, CHANNEL.data, true)
    expect(end.context.counters.get('packetsOut')).toBe(64)
    expect(end.context.counters.get('dropDataQueue')).toBe(37)
  })

  it('counts a malformed HELLO and changes nothing', () => {
    const pair = new Pair(5_000)
    pair.run(SECOND)
    const end = pair.end(0)
    const before = { ...end.link }
    for (const bytes of [new Uint8Array([0x10, 1]), new Uint8Array(36).fill(255), new Uint8Array(58)]) {
      bytes[0] = 0x10
      bytes[1] = KIND.hello
      end.links.onHello(pair.now, end.link, bytes)
    }
    expect(end.context.counters.get('dropMalformed')).toBe(3)
    expect(end.link).toEqual(before)
  })
})

describe('the places of a node', () => {
  it('that silent strangers hold are not those of its own dials, and a refused dial is heard of', () => {
    const end = new End(1)
    end.links.start()
    const peer = (id: number): PeerId => id.toString(16).padStart(64, '0') as PeerId
    for (let id = 0; id < 200; id++) end.links.linkUp(0, id as LinkId, peer(id), false)
    expect(end.links.all().length).toBe(96)
    expect(end.context.counters.get('boundLinks')).toBe(104)
    expect(end.closed).toEqual([])
    for (let id = 200; id < 209; id++) end.links.linkUp(1, id as LinkId, peer(id), true)
    for (let id = 200; id < 208; id++) expect(end.links.byPeer(peer(id))?.dialled).toBe(true)
    expect(end.links.byPeer(peer(208))).toBeUndefined()
    expect(end.closed).toEqual(['refused'])
    end.context.out.drain(end.effects(() => undefined))
    expect(end.hungUp).toBe('refused')
  })
})

describe('configuration', () => {
  it('names value, rule and mend', () => {
    expect(() => nodeConfig({ activeTarget: 0 })).toThrow(
      'activeTarget is 0; it must be a whole number of at least 1',
    )
    expect(() => nodeConfig({ activeTarget: 9, linkLimit: 8 })).toThrow(
      'raise linkLimit or lower activeTarget',
    )
    expect(() => nodeConfig({ linkLimit: 65 })).toThrow('at most 64')
  })
})
