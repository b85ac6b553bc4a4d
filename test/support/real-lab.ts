/**
 * Real nodes on hosts of this machine, and the cables between them. A story in a test reads so:
 *
 *   const lab = realLab()
 *   beforeAll(async () => {
 *     const [alice, relay, bob] = [lab.node('alice'), lab.node('relay'), lab.node('bob')]
 *     lab.behind(relay, alice, bob)
 *     await lab.up(relay, alice, bob)
 *     await lab.vlan('home', alice, bob)
 *   })
 *
 * Nodes that are cabled know each other's addresses; who names whom in `bootstrap` is said by `direct` and
 * `behind`, or by the test. No host forwards IP: what gets through a host went through its node. All of it
 * goes at the end of the tests of the block, and the logs of all nodes are shown for a test that fails.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'
import type { CreateOrder } from '../../drivers/control/enter.ts'
import { Lab, type Namespace } from './namespaces.ts'
import { type NodeConfigText, RealNode, type Transport } from './real-node.ts'

/** The networks of cables: 10.90.n.0/24 or fd00:90:n::/64. */
const UNDERLAY = { 4: '10.90', 6: 'fd00:90' } as const
/** Addresses in VLANs: 10.7.n.k/24 for the k-th node in the n-th VLAN. */
const OVERLAY = '10.7'

/** An end of a cable. */
interface End {
  /** Interface of the underlay and its address. */
  readonly name: string
  readonly address: string
}

/** A lab that lives as long as the tests of the block that calls this. */
export function realLab(): RealLab {
  const lab = new RealLab()
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') lab.showLogs()
  })
  afterAll(() => lab.close())
  return lab
}

export class RealLab {
  readonly #nodes: RealNode[] = []
  readonly #ends = new Map<string, End>()
  #lab: Lab | undefined
  #folder: string | undefined
  #cables = 0
  #vlans = 0

  /** Made when first asked for: a block of tests that is left out makes nothing. */
  get lab(): Lab {
    this.#lab ??= new Lab()
    return this.#lab
  }

  get folder(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'peertap-lab-'))
    return this.#folder
  }

  // Hosts and cables.

  /** A host with a node that has a key and a configuration, and does not run yet. */
  node(name: string, config: NodeConfigText = {}): RealNode {
    const node = new RealNode(name, this.lab.namespace(name), join(this.folder, name)).init(config)
    this.#nodes.push(node)
    return node
  }

  /** Another node at the host of one: its files are its own. */
  beside(other: RealNode, name: string, config: NodeConfigText = {}): RealNode {
    const node = new RealNode(name, other.host, join(this.folder, name)).init(config)
    this.#nodes.push(node)
    return node
  }

  /** A host without a node. */
  host(name: string): Namespace {
    return this.lab.namespace(name)
  }

  /** A cable between two hosts, with addresses of one family; nobody names anybody. */
  cable(a: RealNode, b: RealNode, family: 4 | 6 = 4): void {
    const number = this.#cables++
    const name = `eth${number}`
    this.lab.veth(a.host, name, b.host, name)
    this.#ends.set(`${a.name} ${b.name}`, plugged(a, name, number, 1, family))
    this.#ends.set(`${b.name} ${a.name}`, plugged(b, name, number, 2, family))
  }

  /**
   * A switch with cables to hosts, all in one network; nobody names anybody, and nothing leads out of it. Its
   * interfaces are port0, port1, ... in their order.
   */
  lan(...nodes: readonly RealNode[]): Namespace {
    const number = this.#cables++
    const middle = this.lab.namespace(`switch${number}`)
    const ports = nodes.map((node, index) => {
      const port = `port${index}`
      this.lab.veth(middle, port, node.host, `eth${number}`)
      const end = plugged(node, `eth${number}`, number, index + 1, 4)
      for (const other of nodes) this.#ends.set(`${node.name} ${other.name}`, end)
      return port
    })
    middle.bridge('br0', ports)
    return middle
  }

  /** The end at a node of its cable to another. */
  end(node: RealNode, towards: RealNode): End {
    const end = this.#ends.get(`${node.name} ${towards.name}`)
    if (end === undefined) throw new Error(`${node.name} and ${towards.name} have no cable`)
    return end
  }

  /** How one dials the other over their cable. */
  contact(of: RealNode, from: RealNode, transport?: Transport): string {
    return of.contact(this.end(of, from).address, transport)
  }

  /** Two hosts with a cable; the second names the first. */
  direct(a: RealNode, b: RealNode, transport?: Transport): void {
    this.cable(a, b)
    b.configure({ bootstrap: [this.contact(a, b, transport)] })
  }

  /** Hosts that reach nobody but the middle one, which they all name. */
  behind(middle: RealNode, ...others: readonly RealNode[]): void {
    for (const other of others) this.direct(middle, other)
  }

  // Nodes.

  /** Starts nodes; the first runs before the others are started, which then find it. */
  async up(...nodes: readonly RealNode[]): Promise<void> {
    const [first, ...others] = nodes
    await first?.up()
    await Promise.all(others.map((node) => node.up()))
  }

  /**
   * A VLAN that the first founds and the others join, with an interface each: `label`, 10.7.n.k. Returns
   * the addresses, in their order. All members hear each other before this returns.
   */
  async vlan(label: string, ...members: readonly RealNode[]): Promise<string[]> {
    return this.vlanOf(label, {}, ...members)
  }

  /** The same with other terms than the usual ones. */
  async vlanOf(
    label: string,
    order: Partial<CreateOrder>,
    ...members: readonly RealNode[]
  ): Promise<string[]> {
    const number = this.#vlans++
    const [founder, ...guests] = members as [RealNode, ...RealNode[]]
    const addresses = members.map((_, index) => `${OVERLAY}.${number}.${index + 1}`)
    for (const [index, node] of members.entries())
      await this.#address(node, label, addresses[index] as string)
    await founder.create(label, order)
    if (guests.length > 0) {
      const urls = await founder.invite(label, guests.length)
      for (const [index, guest] of guests.entries()) await guest.join(urls[index] as string)
    }
    await this.untilTogether(label, ...members)
    return addresses
  }

  /** Until each member hears all the others and has its interface. */
  async untilTogether(label: string, ...members: readonly RealNode[]): Promise<void> {
    for (const node of members) {
      await node.untilStatus(`it has its interface in ${label}`, ({ interfaces }) =>
        interfaces.some((each) => each.label === label && each.name !== undefined),
      )
      await node.until(`it hears ${members.length} members in ${label}`, async () => {
        const rows = await node.members(label)
        return rows.filter(({ self, online }) => self || online).length === members.length
      })
    }
  }

  async #address(node: RealNode, label: string, address: string): Promise<void> {
    const { interfaces = [] } = node.config
    node.configure({
      interfaces: [...interfaces, { vlan: label, name: label, addresses: [`${address}/24`] }],
    })
    if (node.isUp) await node.client().post('/v1/reload', {})
  }

  showLogs(print: (text: string) => void = console.log): void {
    for (const node of this.#nodes) print(`--- log of ${node.name} ---\n${node.log()}`)
  }

  /** Ends all nodes, and removes their hosts and files. */
  close(): void {
    this.#lab?.close()
    this.#lab = undefined
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
    this.#folder = undefined
  }
}

/** Gives an interface its address in a network. */
function plugged({ host }: RealNode, name: string, network: number, place: number, family: 4 | 6): End {
  const rest = family === 4 ? `.${network}.${place}` : `:${network}::${place}`
  const address = `${UNDERLAY[family]}${rest}`
  // At once: that nobody has it is known here.
  if (family === 6) host.ip('addr', 'add', `${address}/64`, 'dev', name, 'nodad')
  else host.ip('addr', 'add', `${address}/24`, 'dev', name)
  return { name, address }
}
