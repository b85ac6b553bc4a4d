/**
 * The operator's page: what a node says of itself, asked again and again, and a few things to do. It holds
 * nothing but the token, for as long as the tab is open; all else is the node's.
 */
import type { RelayPolicy } from '../../core/io.ts'
import { element, make, table } from '../parts/elements.ts'
import { dropToken, keepToken, takeToken } from '../parts/token.ts'
import { NodeApi, NoEntry, nodesOf } from '../source/node-api.ts'
import type { Status } from '../source/status.ts'
import { Log } from './log.ts'
import { redraw } from './redraw.ts'
import { type Page, Vlans } from './vlans.ts'
import { bytesOf, nameOf, pathWords, reachWords, roleOf, summaryOf } from './words.ts'

/** How often the node is asked while somebody looks. */
const ASK_MILLIS = 2_000

class Operator implements Page {
  api: NodeApi | undefined
  status: Status | undefined
  readonly #vlans = new Vlans(this)
  readonly #log = new Log()
  readonly #notice = element('notice', HTMLElement)
  #token = takeToken()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** What was said is over when the node answers again. */
  #isSilent = false

  start(): void {
    element('dismiss', HTMLButtonElement).addEventListener('click', () => this.#hush())
    element('gate', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      this.#token = keepToken(element('token', HTMLInputElement).value)
      this.#enter()
    })
    const which = element('node', HTMLSelectElement)
    which.addEventListener('change', () => this.#ofNode(which.value))
    element('policy', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#setPolicy().catch((error) => this.fail(error))
    })
    element('mode', HTMLSelectElement).addEventListener('change', () => this.#showLists())
    addEventListener('hashchange', () => {
      this.#token = takeToken()
      this.#enter()
    })
    document.addEventListener('visibilitychange', () => this.refresh())
    this.#enter()
  }

  #enter(): void {
    this.#hush()
    void this.#open().catch((error) => this.fail(error))
  }

  async #open(): Promise<void> {
    if (this.#token === undefined) {
      this.#shut()
      return
    }
    const nodes = await nodesOf(this.#token)
    const which = element('node', HTMLSelectElement)
    which.replaceChildren(...nodes.map(({ base, name }) => make('option', { value: base }, name)))
    element('which', HTMLElement).hidden = nodes.length < 2
    this.#ofNode(nodes[0]?.base ?? '')
  }

  #ofNode(base: string): void {
    this.api = new NodeApi(base, this.#token ?? '')
    this.#vlans.reset()
    this.#log.of(this.api)
    element('policy', HTMLFormElement).dataset['shown'] = ''
    this.refresh()
  }

  refresh(): void {
    clearTimeout(this.#timer)
    void this.#look()
      .then(
        () => {
          if (this.#isSilent) this.#hush()
        },
        (error: unknown) => {
          this.fail(error)
          this.#isSilent = true
        },
      )
      .finally(() => {
        clearTimeout(this.#timer)
        if (this.api !== undefined && !document.hidden)
          this.#timer = setTimeout(() => this.refresh(), ASK_MILLIS)
      })
  }

  async #look(): Promise<void> {
    const { api } = this
    if (api === undefined) return
    const status = (await api.get('/v1/status')) as Status
    if (api !== this.api) return
    this.status = status
    element('gate', HTMLElement).hidden = true
    element('inside', HTMLElement).hidden = false
    element('summary', HTMLElement).textContent = summaryOf(status)
    this.#vlans.show(status)
    showInterfaces(status)
    showPaths(status)
    this.#showPolicy(status.process.policy)
  }

  // What it carries.

  /** Once: what somebody writes there is not written over. */
  #showPolicy(policy: RelayPolicy): void {
    const form = element('policy', HTMLFormElement)
    const said = JSON.stringify(policy)
    if (form.dataset['shown'] === said || form.contains(document.activeElement)) return
    form.dataset['shown'] = said
    element('mode', HTMLSelectElement).value = policy.mode
    element('allow', HTMLInputElement).value = policy.mode === 'patterns' ? policy.allow.join(' ') : ''
    element('deny', HTMLInputElement).value = policy.mode === 'patterns' ? policy.deny.join(' ') : ''
    this.#showLists()
  }

  #showLists(): void {
    const isListed = element('mode', HTMLSelectElement).value === 'patterns'
    for (const id of ['allow', 'deny']) element(id, HTMLInputElement).disabled = !isListed
  }

  async #setPolicy(): Promise<void> {
    const mode = element('mode', HTMLSelectElement).value
    const list = (id: string): string[] =>
      element(id, HTMLInputElement)
        .value.split(/[\s,]+/)
        .filter(Boolean)
    const policy = mode === 'patterns' ? { mode, allow: list('allow'), deny: list('deny') } : { mode }
    await this.api?.post('/v1/policy', policy)
    ;(document.activeElement as HTMLElement | null)?.blur()
    this.refresh()
  }

  // What is wrong.

  fail(error: unknown): void {
    if (error instanceof NoEntry) this.#shut()
    ;(this.#notice.querySelector('pre') as HTMLElement).textContent =
      error instanceof Error ? error.message : String(error)
    this.#notice.hidden = false
    this.#isSilent = false
  }

  #hush(): void {
    this.#notice.hidden = true
    this.#isSilent = false
  }

  /** Nothing of the node stays on the page. */
  #shut(): void {
    dropToken()
    clearTimeout(this.#timer)
    this.api = undefined
    this.status = undefined
    this.#token = undefined
    element('inside', HTMLElement).hidden = true
    element('summary', HTMLElement).textContent = ''
    for (const id of ['vlans', 'interfaces', 'paths']) element(id, HTMLElement).replaceChildren()
    this.#vlans.reset()
    element('gate', HTMLElement).hidden = false
    element('token', HTMLInputElement).value = ''
    element('token', HTMLInputElement).focus()
  }
}

function showInterfaces({ interfaces, vlansMissing, process }: Status): void {
  const troubles = [
    ...process.errors,
    ...vlansMissing.map((vlan) => `an interface is configured for ${vlan}, which this node is not in`),
  ]
  redraw(element('interfaces', HTMLElement), [interfaces, troubles], () => {
    const made = document.createDocumentFragment()
    for (const trouble of troubles) made.append(make('p', { class: 'trouble' }, trouble))
    if (interfaces.length === 0) made.append(make('p', {}, 'None: there is one for each VLAN that is on.'))
    else
      made.append(
        table(
          'one for each VLAN',
          ['VLAN', 'name', 'state', 'addresses', 'MTU', 'frames in', 'out', 'lost'],
          interfaces.map((each) => [
            each.label,
            each.name ?? '',
            each.trouble === undefined ? 'up' : make('span', { class: 'trouble' }, each.trouble),
            each.addresses.join(' '),
            String(each.mtu),
            String(each.framesIn),
            String(each.framesOut),
            String(each.framesLost),
          ]),
        ),
      )
    return made
  })
}

function showPaths(status: Status): void {
  element('reach', HTMLElement).textContent = reachWords(status)
  const links = status.links.filter(({ neighbour }) => neighbour)
  redraw(element('paths', HTMLElement), [links, status.trunks], () =>
    links.length === 0
      ? make('p', {}, 'No neighbour in the mesh: name one in "bootstrap" of the configuration.')
      : table(
          'to the neighbours in the mesh',
          ['peer', 'in the tree', 'path', 'why', 'round trip', 'loss', 'in', 'out', 'address'],
          links.map((link) => {
            const trunk = status.trunks.find((each) => each.link === link.link)
            const { path, why } = pathWords(trunk)
            return [
              nameOf(status.names, link.peer),
              roleOf(link),
              path,
              why,
              `${(link.rttMicros / 1_000).toFixed(1)} ms`,
              `${(link.loss * 100).toFixed(1)} %`,
              bytesOf(trunk?.bytesIn ?? 0),
              bytesOf(trunk?.bytesOut ?? 0),
              // Whose it is stands in the first column.
              trunk?.remote.replace(/\/p2p\/\w+$/, '') ?? '',
            ]
          }),
        ),
  )
}

new Operator().start()
