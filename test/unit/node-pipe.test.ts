import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { CHANNEL, CLOSE, type Hop, type LinkId } from '../../core/io.ts'
import {
  CoreEnd,
  channelOf,
  hopOf,
  MainEnd,
  packed,
  reasonNumber,
  reasonOf,
  TO_CORE,
  TO_MAIN,
} from '../../drivers/node/pipe.ts'

interface Word {
  readonly word: string
}

const LINK = 7 as LinkId
const ends: { close(): void }[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end.close()
})

function pipe() {
  const { port1, port2 } = new MessageChannel()
  const main = new MainEnd<Word, Word>(port1, port2)
  const core = new CoreEnd<Word, Word>(main.ends)
  ends.push(main, { close: () => port2.close() })
  const heard: string[] = []
  let rings = 0
  const listen = (): void =>
    main.listen(
      () => {
        rings += 1
      },
      (kind, first, _second, bytes) => heard.push(`${kind} ${first} ${[...bytes]}`),
      ({ word }) => heard.push(word),
    )
  const taken = (): string[] => {
    const all: string[] = []
    while (
      core.take(
        (kind, first, second, bytes) => all.push(`${kind} ${first} ${second} ${[...bytes]}`),
        ({ word }) => all.push(word),
      )
    );
    return all
  }
  return { main, core, heard, listen, taken, rings: () => rings }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setImmediate(done))
}

describe('the end of the core', () => {
  it('loses nothing of what it said last', () => {
    const { main, core, heard, listen } = pipe()
    listen()
    for (let at = 0; at < 300; at++) core.packet(LINK, CHANNEL.control, 0 as Hop, Uint8Array.of(at & 0xff))
    core.hangUp(LINK, CLOSE.leaving)
    core.mail({ word: 'last' })
    main.finish()
    expect(heard).toHaveLength(302)
    expect(heard.slice(-2)).toEqual([`${TO_MAIN.hangUp} ${LINK} `, 'last'])
  })
})

describe('what the main thread says to the core', () => {
  it('comes in one order: links, packets and mail', () => {
    const { main, taken, listen } = pipe()
    listen()
    main.mail({ word: 'first' })
    main.tell(TO_CORE.linkUp, LINK, 1, Uint8Array.of(5))
    main.packet(LINK, CHANNEL.control, 0x123456, Uint8Array.of(1, 2))
    main.mail({ word: 'then' })
    main.packet(LINK, CHANNEL.data, 3, Uint8Array.of(9))
    main.tell(TO_CORE.linkDown, LINK, 2)
    expect(taken()).toEqual([
      'first',
      `${TO_CORE.linkUp} 7 1 5`,
      `${TO_CORE.packet} 7 ${packed(CHANNEL.control, 0x123456)} 1,2`,
      'then',
      `${TO_CORE.packet} 7 ${packed(CHANNEL.data, 3)} 9`,
      `${TO_CORE.linkDown} 7 2 `,
    ])
  })

  it('wakes a core that sleeps, once, and not one that is awake', () => {
    const { main, core, listen, rings, taken } = pipe()
    listen()
    main.mail({ word: 'to one that is awake' })
    expect(rings()).toBe(0)
    taken()
    expect(core.sleeps()).toBe(true)
    main.mail({ word: 'to a sleeper' })
    main.mail({ word: 'to one that was woken' })
    expect(rings()).toBe(1)
  })

  it('does not let the core fall asleep over something', () => {
    const { main, core, listen } = pipe()
    listen()
    main.mail({ word: 'late' })
    expect(core.sleeps()).toBe(false)
  })

  it('refuses packets when the core does not listen, and loses neither links nor mail', async () => {
    const { main, taken, listen } = pipe()
    listen()
    const large = new Uint8Array(60_000)
    while (main.packet(LINK, CHANNEL.data, 0, large));
    expect(main.packet(LINK, CHANNEL.control, 1, new Uint8Array(1_000))).toBe(true)
    while (main.packet(LINK, CHANNEL.control, 2, large));
    expect(main.dropped).toBe(2)
    for (let index = 0; index < 5_000; index++) main.tell(TO_CORE.linkReady, LINK, index)
    main.mail({ word: 'last' })
    const all: string[] = []
    await until(() => {
      all.push(...taken())
      return all.includes('last')
    })
    const ready = all.filter((each) => each.startsWith(`${TO_CORE.linkReady} `))
    expect(ready.map((each) => Number(each.split(' ')[2]))).toEqual(ready.map((_, index) => index))
    expect(ready).toHaveLength(5_000)
    expect(all.at(-1)).toBe('last')
  })
})

describe('what the core says', () => {
  it('reaches a main thread that sleeps', async () => {
    const { core, heard, listen } = pipe()
    listen()
    core.packet(LINK, CHANNEL.data, 1, Uint8Array.of(4))
    core.hangUp(LINK, CLOSE.dead)
    core.flush()
    core.mail({ word: 'mail' })
    await until(() => heard.length === 3)
    expect(heard.filter((each) => each !== 'mail')).toEqual([`${TO_MAIN.packet} 7 4`, `${TO_MAIN.hangUp} 7 `])
  })

  it('keeps room for control when data fills the ring', () => {
    const { core } = pipe()
    const data = new Uint8Array(60_000)
    let count = 0
    expect(core.hasRoom).toBe(true)
    while (core.packet(LINK, CHANNEL.data, 0, data)) count += 1
    expect(count).toBeGreaterThan(10)
    expect(core.hasRoom).toBe(false)
    expect(core.packet(LINK, CHANNEL.control, 0 as Hop, new Uint8Array(1_000))).toBe(true)
    expect(core.hangUp(LINK, CLOSE.lost)).toBe(true)
  })
})

describe('numbers in the ring', () => {
  it('hold a channel and a hop', () => {
    for (const channel of Object.values(CHANNEL))
      for (const hop of [0, 1, 0xffffff]) {
        expect(channelOf(packed(channel, hop))).toBe(channel)
        expect(hopOf(packed(channel, hop))).toBe(hop)
      }
  })

  it('stand for every reason to close', () => {
    for (const reason of Object.values(CLOSE)) expect(reasonOf(reasonNumber(reason))).toBe(reason)
    expect(reasonOf(99)).toBe(CLOSE.lost)
  })
})
