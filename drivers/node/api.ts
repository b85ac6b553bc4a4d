/**
 * What the control API of a node answers (control-server.ts carries it). It reads what others know and passes
 * orders on; nothing of the node is kept here.
 */
import { UsageError } from '../../core/errors.ts'
import type { NodeEvent, RelayPolicy } from '../../core/io.ts'
import type { Outcome } from '../control/outcome.ts'
import type { TrunkView } from '../libp2p/carrier.ts'
import type { ControlApi, Reply, Stream } from './control-server.ts'
import { json } from './control-server.ts'
import type { Captured } from './messages.ts'
import { metricsText } from './metrics.ts'
import { PcapngWriter } from './pcapng.ts'
import { type CoreStatus, type NodeStatus, type ProcessView, trunkRows } from './views.ts'
import type { Watchers } from './watchers.ts'

const NDJSON = 'application/x-ndjson'
const PCAPNG = 'application/x-pcapng'
/** Bytes that wait for one who follows: some thousand lines. */
const BACKLOG_MAX = 1_048_576
const PROMETHEUS = 'text/plain; version=0.0.4'

/** What the API is over. */
export interface ApiNode {
  ask(verb: string, args: readonly unknown[]): Promise<Outcome<object>>
  processView(): ProcessView
  trunks(): readonly TrunkView[]
  /** What was counted of all trunks, by name. */
  trunkCounts(): Readonly<Record<string, number>>
  nameOf(peer: string): string
  /** CIDRs that the interfaces of this machine have now, by their names. */
  addresses(): ReadonlyMap<string, readonly string[]>
  setPolicy(policy: RelayPolicy): void
  setTrace(on: boolean): void
  setCapture(on: boolean): void
  /** What changed, and what takes a restart. A UsageError for a configuration that is wrong. */
  reload(): { readonly changed: readonly string[]; readonly needRestart: readonly string[] }
  /** Where the control API has a port, and what is to be shown there. */
  door(): { readonly port: number; readonly token: string } | undefined
  stop(): void
  recentLogs(): readonly string[]
  readonly events: Watchers<NodeEvent>
  readonly logs: Watchers<string>
  readonly captures: Watchers<{ readonly packets: readonly Captured[]; readonly lost: number }>
}

export class NodeApi implements ControlApi {
  readonly #node: ApiNode
  #capturing = 0

  constructor(node: ApiNode) {
    this.#node = node
  }

  async answer(
    method: string,
    path: string,
    _query: URLSearchParams,
    body: unknown,
  ): Promise<Reply | undefined> {
    switch (`${method} ${path}`) {
      case 'GET /v1/status':
        return json(await this.status())
      case 'POST /v1/ask': {
        const { verb, args } = askOf(body)
        return json(await this.#node.ask(verb, args))
      }
      case 'POST /v1/policy':
        this.#node.setPolicy(policyOf(body))
        return json({ ok: true })
      case 'POST /v1/trace':
        this.#node.setTrace(field(body, 'on') === true)
        return json({ ok: true })
      case 'POST /v1/reload':
        return json({ ok: true, ...this.#node.reload() })
      case 'GET /v1/door':
        return json(this.#node.door() ?? {})
      case 'GET /v1/nodes':
        return json({ nodes: [{ base: '', name: '' }] })
      case 'POST /v1/stop':
        this.#node.stop()
        return json({ ok: true, pid: this.#node.processView().pid })
      case 'GET /metrics':
        return { status: 200, type: PROMETHEUS, body: metricsText(await this.status()) }
      case 'GET /health':
        return this.#health()
      default:
        return undefined
    }
  }

  stream(path: string, query: URLSearchParams, begin: (type: string) => Stream): boolean {
    switch (path) {
      case '/v1/events':
        this.#watch(this.#node.events, begin(NDJSON), (event) => `${JSON.stringify(event)}\n`)
        return true
      case '/v1/logs': {
        const stream = begin(NDJSON)
        if (query.get('recent') !== '0') for (const line of this.#node.recentLogs()) stream.write(line)
        if (query.get('follow') === '1') this.#watch(this.#node.logs, stream, (line) => line)
        else stream.end()
        return true
      }
      case '/v1/capture':
        this.#capture(query.get('only') ?? undefined, begin(PCAPNG))
        return true
      default:
        return false
    }
  }

  async status(): Promise<NodeStatus> {
    const outcome = await this.#node.ask('status', [])
    if (!outcome.ok) throw new UsageError(outcome.message)
    const core = outcome.value as CoreStatus
    const peers = new Set([core.self, ...core.links.map(({ peer }) => peer)])
    for (const { root } of core.trees) if (root !== undefined) peers.add(root)
    const names = Object.fromEntries([...peers].map((peer) => [peer, this.#node.nameOf(peer)]))
    // The core knows what they are to have; the owner and DHCP may have given them more, or taken some.
    const given = this.#node.addresses()
    const interfaces = core.interfaces.map((each) => {
      return { ...each, addresses: given.get(each.name ?? '') ?? [] }
    })
    const counters = { ...core.counters, ...this.#node.trunkCounts() }
    const process = this.#node.processView()
    const trunks = trunkRows(this.#node.trunks(), core.datagrams)
    return { ...core, counters, interfaces, process, trunks, names }
  }

  /** Healthy: the core answers, every interface is there, and the mesh is reached if anybody was named. */
  async #health(): Promise<Reply> {
    const { interfaces, links, process } = await this.status()
    const troubles = [...process.errors]
    for (const { label, trouble } of interfaces)
      if (trouble !== undefined) troubles.push(`${label}: ${trouble}`)
    if (!links.some(({ neighbour }) => neighbour)) troubles.push('no neighbour in the mesh')
    return json({ ok: troubles.length === 0, troubles }, troubles.length === 0 ? 200 : 503)
  }

  #watch<T>(
    watchers: Watchers<T>,
    stream: Stream,
    write: (item: T) => string | Uint8Array | undefined,
  ): void {
    const end = watchers.add((item) => {
      const chunk = write(item)
      if (chunk === undefined) return
      stream.write(chunk)
      // Whoever does not read is let go: nothing is kept for it without end.
      if (stream.backlog() <= BACKLOG_MAX) return
      end?.()
      stream.cut()
    })
    if (end === undefined) stream.end()
    else stream.onClose(end)
  }

  #capture(only: string | undefined, stream: Stream): void {
    const writer = new PcapngWriter()
    stream.write(writer.header(`PeerTap ${this.#node.processView().version}`))
    const end = this.#node.captures.add(({ packets, lost }) => {
      writer.lost(lost)
      const wanted = packets.filter(
        ({ port }) => only === undefined || (port !== undefined) === (only === 'inner'),
      )
      if (wanted.length === 0) return
      if (stream.backlog() > BACKLOG_BYTES_MAX) writer.lost(wanted.length)
      else stream.write(Buffer.concat(wanted.map((packet) => writer.packet(packet))))
    })
    if (end === undefined) {
      stream.end()
      return
    }
    this.#capturing += 1
    if (this.#capturing === 1) this.#node.setCapture(true)
    stream.onClose(() => {
      end()
      this.#capturing -= 1
      if (this.#capturing === 0) this.#node.setCapture(false)
    })
  }
}

/** Packets that a client is behind by, at most: more are left out, and their number is told. */
const BACKLOG_BYTES_MAX = 8 * 1_024 * 1_024

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
}

function askOf(body: unknown): { readonly verb: string; readonly args: readonly unknown[] } {
  const [verb, args] = [field(body, 'verb'), field(body, 'args')]
  if (typeof verb === 'string' && Array.isArray(args)) return { verb, args }
  throw new UsageError('an order has a verb and a list of args')
}

function policyOf(body: unknown): RelayPolicy {
  const mode = field(body, 'mode')
  if (mode === 'open' || mode === 'restricted') return { mode }
  const lists = [field(body, 'allow') ?? [], field(body, 'deny') ?? []]
  const isText = (list: unknown): list is string[] =>
    Array.isArray(list) && list.every((each) => typeof each === 'string')
  const [allow, deny] = lists
  if (mode === 'patterns' && isText(allow) && isText(deny)) return { mode, allow, deny }
  throw new UsageError('a policy has the mode open, restricted, or patterns with lists allow and deny')
}
