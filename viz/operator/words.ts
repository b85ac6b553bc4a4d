/** How a node's state is said to people. */
import type { LinkView } from '../../core/io.ts'
import type { MemberRow, Status, TrunkRow, VlanRow } from '../source/status.ts'

/** Digits of a key or an id that people tell apart. */
const SHORT = 8
/** Peers' names begin alike. */
const NAME_CHARS = 8
const ROLES = ['', 'above', 'below'] as const

export function short(id: string): string {
  return id.slice(0, SHORT)
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

export function summaryOf({ process, links, trees, self, names }: Status): string {
  const neighbours = counted(links.filter(({ neighbour }) => neighbour).length, 'neighbour')
  const root = trees[0]?.root
  const tree =
    root === undefined || trees[0]?.detached === true
      ? 'cut off from the tree'
      : root === self
        ? 'root of the tree'
        : `in the tree of ${nameOf(names, root)}`
  const { peer, upSeconds, version } = process
  return `${peer}, up ${duration(upSeconds)}, ${neighbours}, ${tree}, version ${version}`
}

export function nameOf(names: Status['names'], peer: string): string {
  return (names[peer] ?? peer).slice(-NAME_CHARS)
}

export function stateOf({ phase, over, off, asking }: VlanRow): string {
  if (phase === 'member') return 'in'
  if (phase === 'over') return `out (${over ?? 'for good'})`
  if (off) return 'off'
  return asking ? 'asks to be let in' : 'on its way back in'
}

export function memberState({ refused, self, online, heardSecondsAgo }: MemberRow): string {
  if (refused !== undefined) return `on its way out (${refused})`
  if (self) return 'this node'
  if (online) return 'online'
  return heardSecondsAgo === undefined ? 'not heard yet' : `heard ${duration(heardSecondsAgo)} ago`
}

/** Where this node can be dialled, which is why paths are as they are. */
export function reachWords({ process: { reachability, contacts } }: Status): string {
  const where = contacts.length === 0 ? 'nowhere that it knows of' : contacts.join(', ')
  const how: Readonly<Record<string, string>> = {
    public: 'Others dial this node directly',
    punchable: 'Others reach this node with help from both sides',
    private: 'Others cannot dial this node: it dials them, or a relay lies between',
  }
  return `${how[reachability] ?? `This node is ${reachability}`}. It is found at ${where}.`
}

export function pathWords(trunk: TrunkRow | undefined): { readonly path: string; readonly why: string } {
  if (trunk === undefined) return { path: 'none', why: 'the trunk goes' }
  const by = trunk.datagram?.used === true ? 'datagram' : trunk.transport
  const datagrams = trunk.datagram === undefined ? 'datagrams are off' : `datagrams: ${trunk.datagram.why}`
  const asked = trunk.dialled ? 'this node dialled' : 'the peer dialled'
  return trunk.relayed
    ? { path: `relayed, ${by}`, why: `no direct way was found so far; ${datagrams}` }
    : { path: `direct, ${by}`, why: `${asked}; ${datagrams}` }
}

export function roleOf({ role }: LinkView): string {
  return ROLES[role] || 'beside'
}

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} s`
  if (seconds < 6_000) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`
}

export function bytesOf(count: number): string {
  if (count < 10_000) return `${count} B`
  return count < 10_000_000 ? `${Math.round(count / 1_000)} kB` : `${Math.round(count / 1_000_000)} MB`
}
