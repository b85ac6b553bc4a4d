/**
 * What the texts of a configuration must say, and what must fit together across its parts. The schema has
 * judged each part alone before.
 */
import { isIP } from 'node:net'
import { UsageError } from '../../core/errors.ts'
import { unhex } from '../../core/ids.ts'
import type { PeerId } from '../../core/io.ts'
import { CompiledPolicy } from '../../core/vlan/policy.ts'
import { type Mistake, pathText } from '../../sim/reading.ts'
import { PEER_ADDRESSES_MAX } from '../libp2p/options.ts'
import {
  type Contact,
  peerText,
  type Read,
  readAnnounce,
  readCidr,
  readContact,
  readInterfaceName,
  readListen,
  type Transport,
} from './addresses.ts'
import { type Judged, type Path, WHOLE } from './config-parts.ts'
import type { Config, InterfaceConfig } from './config-schema.ts'
import { SOCKET_BYTES_MAX } from './places.ts'

type Report = (path: Path, message: string) => void

/** Contacts that the core keeps (core/mesh/limits.ts), for as long as it runs: none is taken back. */
export const CONTACTS_MAX = 16
/** Modules with a level of their own. Guess: there are about ten. */
const MODULES_MAX = 64

/**
 * `listens`: the file names the addresses to listen on itself. `judged`: which parts are those of the file;
 * what was wrong in form is not told of once more.
 */
export function checkTogether(config: Config, listens: boolean, judged: Judged = WHOLE): Mistake[] {
  const mistakes: Mistake[] = []
  const report: Report = (path, message) => {
    const place = judged.placeOf(path)
    if (!judged.isWrong(place)) mistakes.push({ path: place, message: `${pathText(place)} ${message}` })
  }
  checkAddresses(config, listens, report)
  checkBootstrap(config, report)
  if (!judged.isWrong(['relay', 'policy', 'mode'])) checkPolicy(config, report)
  for (const [index, entry] of config.interfaces.entries()) checkInterface(config, entry, index, report)
  checkPorts(config, report)
  const modules = Object.keys(config.log.modules)
  if (modules.length > MODULES_MAX)
    report(['log', 'modules'], `has ${modules.length} entries; there may be ${MODULES_MAX}; remove some`)
  return mistakes
}

/** Reports what is wrong with a text, or answers with what it says. */
function readAt<T>(
  path: Path,
  text: string,
  reader: (text: string) => Read<T>,
  report: Report,
): T | undefined {
  const read = reader(text)
  if (read.ok) return read.value
  report(path, `is "${text.length > 80 ? `${text.slice(0, 80)}…` : text}"; ${read.wrong}`)
  return undefined
}

function checkAddresses(config: Config, listens: boolean, report: Report): void {
  const { listen, announce, transports, datagrams } = config
  if (!Object.values(transports).includes(true))
    report(['transports'], 'are all off; a node needs one; set one of quic, tcp and ws to true')
  for (const [index, text] of listen.entries()) {
    const transport = readAt(['listen', index], text, readListen, report)
    if (transport !== undefined && listens) checkOn(config, transport, ['listen', index], report)
    if (listen.indexOf(text) < index)
      report(['listen', index], `is "${text}" once more; remove one of the two`)
    else if (listen.slice(0, index).some((other) => samePort(other, text)))
      report(['listen', index], `is "${text}", and another address has that port; choose another port`)
    if (
      datagrams.enabled &&
      transports.quic &&
      text.includes(`/udp/${datagrams.port}/`) &&
      datagrams.port > 0
    )
      report(
        ['listen', index],
        `is "${text}", and datagrams.port is ${datagrams.port}; change one of the two`,
      )
  }
  for (const [index, text] of announce.entries()) {
    const transport = readAt(['announce', index], text, readAnnounce, report)
    if (transport !== undefined) checkOn(config, transport, ['announce', index], report)
  }
}

/** `/ip4/0.0.0.0/tcp/1` of `/ip4/0.0.0.0/tcp/1/ws`: it can be had once. Port 0 is any that is free. */
function samePort(one: string, other: string): boolean {
  const [first, second] = [one, other].map((text) => text.split('/').slice(0, 5).join('/'))
  return first === second && !first?.endsWith('/0')
}

function checkOn({ transports }: Config, transport: Transport, path: Path, report: Report): void {
  if (transports[transport]) return
  report(path, `is for ${transport}, and transports.${transport} is false; remove one of the two`)
}

function checkBootstrap({ bootstrap }: Config, report: Report): void {
  const peers = new Map<PeerId, number>()
  for (const [index, text] of bootstrap.entries()) {
    const contact = readAt<Contact>(['bootstrap', index], text, readContact, report)
    if (contact === undefined) continue
    peers.set(contact.peer, (peers.get(contact.peer) ?? 0) + 1)
    if (bootstrap.indexOf(text) < index)
      report(['bootstrap', index], 'stands there before; remove one of the two')
  }
  for (const [peer, count] of peers) {
    if (count <= PEER_ADDRESSES_MAX) continue
    const excess = `a node tries ${PEER_ADDRESSES_MAX} of one peer; remove ${count - PEER_ADDRESSES_MAX}`
    report(['bootstrap'], `names ${count} addresses of ${peerText(unhex(peer))}; ${excess}`)
  }
  if (peers.size > CONTACTS_MAX) {
    const excess = peers.size - CONTACTS_MAX
    report(['bootstrap'], `names ${peers.size} peers; a node keeps ${CONTACTS_MAX}; remove ${excess}`)
  }
}

function checkPolicy({ relay: { policy } }: Config, report: Report): void {
  const path = ['relay', 'policy']
  if (policy.mode !== 'patterns') {
    for (const list of ['allow', 'deny'] as const) {
      if (policy[list].length === 0) continue
      report(
        [...path, list],
        `counts only where mode is "patterns", and it is "${policy.mode}"; change one of them`,
      )
    }
    return
  }
  for (const list of ['allow', 'deny'] as const) {
    for (const [index, pattern] of policy[list].entries()) {
      try {
        new CompiledPolicy({ mode: 'patterns', allow: [pattern], deny: [] })
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        const rule = 'it must be the 32 lower-case hex digits of a VLAN-ID, with * for any run of them'
        report([...path, list, index], `is "${pattern}"; ${rule}; correct it or remove it`)
      }
    }
  }
  if (policy.allow.length === 0)
    report([...path, 'allow'], 'is empty, so that no pattern matches; add "*", or set mode to "restricted"')
}

function hostOf(cidr: string): string {
  return (cidr.split('/')[0] as string).toLowerCase()
}

function checkInterface({ interfaces }: Config, entry: InterfaceConfig, index: number, report: Report): void {
  const path = ['interfaces', index] as const
  const { vlan, name, addresses } = entry
  if (name !== undefined) readAt([...path, 'name'], name, readInterfaceName, report)
  for (const [place, text] of addresses.entries())
    readAt([...path, 'addresses', place], text, readCidr, report)
  const before = interfaces.slice(0, index)
  const hosts = new Set(before.flatMap((other) => other.addresses.map(hostOf)))
  for (const [place, text] of addresses.entries())
    if (hosts.has(hostOf(text)))
      report(
        [...path, 'addresses', place],
        `is "${text}", and another interface has that address; choose another`,
      )
  if (before.some((other) => other.vlan === vlan))
    report(
      [...path, 'vlan'],
      `is "${vlan}" once more; a VLAN has one interface; remove one of the two entries`,
    )
  if (name?.includes('%d') === false && before.some((other) => other.name === name))
    report([...path, 'name'], `is "${name}" once more; choose another, or write one with %d`)
}

function checkPorts({ control, metrics }: Config, report: Report): void {
  const bytes = new TextEncoder().encode(control.socket).length
  if (!control.socket.startsWith('/'))
    report(['control', 'socket'], `is "${control.socket}"; it must be a whole path; begin it with /`)
  if (bytes > SOCKET_BYTES_MAX)
    report(
      ['control', 'socket'],
      `has ${bytes} bytes; a socket's path has at most ${SOCKET_BYTES_MAX}; shorten it`,
    )
  if (isIP(metrics.host) === 0)
    report(
      ['metrics', 'host'],
      `is "${metrics.host}"; it must be an IP address; write 127.0.0.1 for this host alone`,
    )
  if (control.port !== undefined && control.port === metrics.port)
    report(['metrics', 'port'], `is ${metrics.port}, and so is control.port; choose another`)
}
