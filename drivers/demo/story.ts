/**
 * The demonstration itself: three members of a VLAN that cannot reach each other but through a relay which is
 * in no VLAN. Everything is done by the program as users have it; each step is told in a line.
 */
import { spawnSync } from 'node:child_process'
import type { Invited } from '../control/invite.ts'
import type { MemberRow } from '../control/views.ts'
import type { NodeStatus } from '../node/views.ts'
import { type DemoHost, type Ended, Hosts, pause } from './hosts.ts'

const VLAN = 'home'
const NAMES = ['anna', 'ben', 'cora'] as const
const PINGS = 3
/** Sixteen bytes that each ping carries, for which the relay's packets are searched. */
const PHRASE = 'seen by no relay'
const INVITATION_MILLIS = 3_600_000
/** From when a member is in until each knows the way to each other. */
const SETTLE_MILLIS = 30_000
const LOOK_MILLIS = 100

interface Member {
  readonly host: DemoHost
  /** On its cable, and in the VLAN. */
  readonly outside: string
  readonly inside: string
}

export type Say = (line: string) => void

/** True if every ping came back and the relay saw nothing. `onHosts` hears what to close on an interrupt. */
export async function tellStory(say: Say, onHosts: (hosts: Hosts) => void): Promise<boolean> {
  const hosts = new Hosts()
  onHosts(hosts)
  try {
    return await new Story(say, hosts).tell()
  } finally {
    await hosts.close()
    say('Nodes, hosts and files of the demo are gone.')
  }
}

class Story {
  readonly #say: Say
  readonly #relay: DemoHost
  readonly #members: readonly Member[]

  constructor(say: Say, hosts: Hosts) {
    this.#say = say
    this.#relay = hosts.host('relay')
    this.#members = NAMES.map((name, index) => {
      const host = hosts.host(name)
      const outside = `10.90.${index + 1}.2`
      hosts.cable(host, `${outside}/24`, this.#relay, `${outside.slice(0, -1)}1/24`)
      return { host, outside, inside: `10.77.0.${index + 1}` }
    })
  }

  async tell(): Promise<boolean> {
    const [anna, ben, cora] = this.#members as [Member, Member, Member]
    this.#say('Four hosts: anna, ben, cora and relay. Each of the three has one cable, to the relay.')
    const way = await anna.host.run('ip', 'route', 'get', ben.outside)
    if (way.code === 0) throw new Error('anna can reach ben without PeerTap')
    this.#say(`The relay forwards no IP. anna to ben at ${ben.outside}: ${firstLine(way.err)}`)
    await this.#start()
    this.#say('A node runs on each, as "peertap init" and "peertap up" make it; the members name the relay.')

    await this.#show(anna.host, 'vlan', 'create', VLAN)
    for (const { host } of [ben, cora]) {
      const invitation = await this.#invitation(anna.host)
      this.#say(`anna invites ${host.label}, who needs nothing but this line: ${invitation.slice(0, 40)}...`)
      await this.#show(host, 'vlan', 'join', invitation)
    }
    await this.#settled()

    this.#say('All ping each other in the VLAN, while the relay keeps a copy of all that passes through it.')
    const capture = await this.#captured(() => this.#pings())
    await this.#show(anna.host, 'status')
    await this.#show(anna.host, 'topology')
    await this.#show(this.#relay, 'relay', 'show')
    const isBlind = await this.#tellCapture(capture.bytes)
    if (capture.value && isBlind) this.#say('Every ping came back, through a relay that learned nothing.')
    return capture.value && isBlind
  }

  async #start(): Promise<void> {
    const hosts = [this.#relay, ...this.#members.map(({ host }) => host)]
    const peer = this.#relay.init(true)
    for (const { host, outside, inside } of this.#members) {
      host.init(false)
      host.configure({
        bootstrap: [`/ip4/${outside.slice(0, -1)}1/udp/4001/quic-v1/p2p/${peer}`],
        interfaces: [{ vlan: VLAN, addresses: [`${inside}/24`] }],
        // Trunks of their own through the relay would show it nothing, which is not what is shown here.
        circuitRelay: { use: false },
      })
    }
    await Promise.all(hosts.map((host) => host.up()))
  }

  /** A command as somebody types it, and what it says. */
  async #show(host: DemoHost, ...words: readonly string[]): Promise<void> {
    const typed = words.map((word) => (word.startsWith('peertap:') ? 'INVITATION' : word)).join(' ')
    const { out } = good(typed, await host.peertap(...words))
    this.#say(`\n${host.label}$ peertap ${typed}`)
    for (const line of out.trimEnd().split('\n')) this.#say(`  ${line}`)
    this.#say('')
  }

  /** What `peertap vlan invite` prints. */
  async #invitation(host: DemoHost): Promise<string> {
    const outcome = await host.client.ask('invite', [VLAN, { count: 1, lifeMillis: INVITATION_MILLIS }])
    if (!outcome.ok) throw new Error(`${host.label} cannot invite: ${outcome.message}`)
    return (outcome.value as Invited).invitations[0]?.url ?? ''
  }

  async #membersSeenBy(host: DemoHost): Promise<readonly MemberRow[]> {
    const outcome = await host.client.ask('members', [VLAN])
    return outcome.ok ? (outcome.value as { members: readonly MemberRow[] }).members : []
  }

  /** Everybody has heard everybody's card, by which frames find their way. */
  async #settled(): Promise<void> {
    const giveUpAt = Date.now() + SETTLE_MILLIS
    for (const { host } of this.#members) {
      while ((await this.#membersSeenBy(host)).filter(({ mac }) => mac !== undefined).length < NAMES.length) {
        if (Date.now() > giveUpAt) throw new Error(`${host.label} does not know all members`)
        await pause(LOOK_MILLIS)
      }
    }
  }

  async #pings(): Promise<boolean> {
    let allCame = true
    for (const from of this.#members) {
      for (const to of this.#members.filter((each) => each !== from)) {
        const { code, said } = await this.#ping(from, to)
        this.#say(`  ${from.host.label} to ${to.host.label}: ${said}`)
        allCame &&= code === 0
      }
    }
    return allCame
  }

  /** By the program of the system, which needs no PeerTap to know that it works; else by ours. */
  async #ping(from: Member, to: Member): Promise<{ readonly code: number | null; readonly said: string }> {
    const { host } = from
    if (spawnSync('ping', ['-V']).error === undefined) {
      const phrase = Buffer.from(PHRASE).toString('hex')
      const words = ['-c', String(PINGS), '-i', '0.1', '-W', '2', '-p', phrase, to.inside]
      const { code, out } = await host.run('ping', ...words)
      const came = /(\d+) received/.exec(out)?.[1] ?? '0'
      const times = /= [\d.]+\/([\d.]+)\//.exec(out)?.[1]
      return {
        code: Number(came) === PINGS ? code : 1,
        said: `ping ${to.inside}: ${came} of ${PINGS} came back${times === undefined ? '' : `, ${times} ms`}`,
      }
    }
    const key = (await this.#membersSeenBy(to.host)).find(({ self }) => self)?.member ?? ''
    const { code, out, err } = await host.peertap('ping', key, '--count', String(PINGS))
    const last = out.trimEnd().split('\n').at(-1) ?? ''
    return {
      code: last.startsWith(`${PINGS} of`) ? code : 1,
      said: `peertap ping: ${last || firstLine(err)}`,
    }
  }

  /** Does something while the relay's trunks are captured. */
  async #captured<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly bytes: Buffer }> {
    const stream = await this.#relay.client.stream('/v1/capture?only=outer')
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    // The end of it is ours.
    stream.on('error', () => undefined)
    const value = await work()
    await pause(LOOK_MILLIS)
    stream.destroy()
    return { value, bytes: Buffer.concat(parts) }
  }

  async #tellCapture(bytes: Buffer): Promise<boolean> {
    const { trunks } = (await this.#relay.client.get('/v1/status')) as NodeStatus
    this.#say(`The relay has ${trunks.length} trunks; ${bytes.length} bytes passed while they pinged.`)
    const secrets = new Map([['what the pings carry', Buffer.from(PHRASE)]])
    for (const [index, { host, inside }] of this.#members.entries()) {
      const own = (await this.#membersSeenBy(host)).find(({ self }) => self)
      if (own?.mac === undefined) throw new Error(`${host.label} has no MAC`)
      const name = NAMES[index] as string
      secrets.set(`${name}'s MAC ${own.mac}`, Buffer.from(own.mac.replaceAll(':', ''), 'hex'))
      secrets.set(`${name}'s IP ${inside}`, Buffer.from(inside.split('.').map(Number)))
      secrets.set(`${name}'s member key`, Buffer.from(own.member, 'hex'))
    }
    const seen = [...secrets].filter(([, secret]) => bytes.includes(secret))
    for (const [name] of seen) this.#say(`  FOUND in it: ${name}`)
    if (seen.length === 0) this.#say(`Searched in them: ${[...secrets.keys()].join(', ')}. Found: nothing.`)
    return seen.length === 0 && bytes.length > 0
  }
}

function good(what: string, ended: Ended): Ended {
  if (ended.code !== 0) throw new Error(`peertap ${what} ended with ${ended.code}: ${ended.err}${ended.out}`)
  return ended
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}
