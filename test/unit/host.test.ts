import { describe, expect, it } from 'vitest'
import { Host } from '../../core/host.ts'
import { type Effects, type LinkId, type Machine, type Micros, NEVER } from '../../core/io.ts'

/** A machine that does what the test says. */
function machine(overrides: Partial<Machine>): Machine {
  const nothing = (): void => undefined
  return {
    frame: nothing,
    packet: nothing,
    linkUp: nothing,
    linkDown: nothing,
    linkReady: nothing,
    dialFailed: nothing,
    addressesChanged: nothing,
    stored: nothing,
    jobDone: nothing,
    command: nothing,
    wake: nothing,
    drain: nothing,
    nextDeadline: () => NEVER,
    view: () => ({}) as never,
    counts: () => ({}),
    wayTo: () => ({}) as never,
    ...overrides,
  }
}

const effects = {} as Effects

describe('Host', () => {
  it('moves the alarm only when the deadline changed', () => {
    let deadline = 500
    const alarms: (Micros | 'clear')[] = []
    const host = new Host(
      machine({ nextDeadline: () => deadline }),
      { now: () => 10 },
      { set: (at) => alarms.push(at), clear: () => alarms.push('clear') },
      effects,
    )
    const packet = (): void => host.packet(1 as LinkId, 0, 0, new Uint8Array(1))
    packet()
    packet()
    deadline = 300
    packet()
    deadline = NEVER
    packet()
    expect(alarms).toEqual([500, 300, 'clear'])
  })

  it('arms again after the alarm fired, even for the same instant as before', () => {
    let now = 0
    let deadline = 100
    const alarms: Micros[] = []
    const host = new Host(
      machine({ nextDeadline: () => deadline }),
      { now: () => now },
      { set: (at) => alarms.push(at), clear: () => undefined },
      effects,
    )
    host.linkDown(1 as LinkId, 'lost')
    now = 50
    host.fire()
    now = 100
    deadline = 200
    host.fire()
    expect(alarms).toEqual([100, 100, 200])
  })

  it('refuses a wake that makes no progress', () => {
    const host = new Host(
      machine({ nextDeadline: () => 7 }),
      { now: () => 7 },
      { set: () => undefined, clear: () => undefined },
      effects,
    )
    expect(() => host.fire()).toThrow('made no progress')
  })

  it('refuses time that goes backwards', () => {
    let now = 100
    const host = new Host(
      machine({}),
      { now: () => now },
      { set: () => undefined, clear: () => undefined },
      effects,
    )
    now = 99
    expect(() => host.linkDown(1 as LinkId, 'lost')).toThrow('time went backwards from 100 to 99')
  })

  it('refuses an input while effects are being carried out', () => {
    const host: Host = new Host(
      machine({ drain: () => host.dialFailed('x' as never) }),
      { now: () => 0 },
      { set: () => undefined, clear: () => undefined },
      effects,
    )
    expect(() => host.linkDown(1 as LinkId, 'lost')).toThrow('an input arrived while effects')
  })

  it.each<[keyof Machine, (host: Host) => void]>([
    ['command', (host) => host.command({ kind: 'leave' })],
    ['addressesChanged', (host) => host.addressesChanged([], 0)],
    ['linkUp', (host) => host.linkUp(1 as LinkId, 'x' as never, true)],
    ['linkDown', (host) => host.linkDown(1 as LinkId, 'lost')],
    ['linkReady', (host) => host.linkReady(1 as LinkId, 0, true)],
    ['dialFailed', (host) => host.dialFailed('x' as never)],
    ['stored', (host) => host.stored(1 as never, true)],
    ['jobDone', (host) => host.jobDone(1 as never, {} as never)],
  ])('drains what a refused %s had already asked for, and goes on', (name, input) => {
    let drained = 0
    let armed: Micros = NEVER
    const host = new Host(
      machine({
        [name]: () => {
          throw new Error('wrong call')
        },
        drain: () => {
          drained += 1
        },
        nextDeadline: () => 5,
      }),
      { now: () => 0 },
      {
        set: (at) => {
          armed = at
        },
        clear: () => undefined,
      },
      effects,
    )
    expect(() => input(host)).toThrow('wrong call')
    expect([drained, armed]).toEqual([1, 5])
    expect(() => host.frame(1 as never, new Uint8Array(1))).not.toThrow()
  })
})
