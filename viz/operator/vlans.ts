/** The VLANs of a node: on and off, join, found, invite, leave; and who is in the one that is chosen. */
import { element, make, table } from '../parts/elements.ts'
import { type NodeApi, Refused } from '../source/node-api.ts'
import type { Explanation, MemberRow, Status, VlanRow } from '../source/status.ts'
import { redraw, rowButton } from './redraw.ts'
import { offerScanning } from './scan.ts'
import { memberState, nameOf, short, stateOf } from './words.ts'

/** What the program gives a VLAN and an invitation that nobody says more of: suite 1 is x25519. */
const TERMS = { privacy: 'private', mtu: 1_280, suite: 1, sign: 'group', padding: 'small' } as const
const INVITATION_MILLIS = 90 * 86_400_000

export interface Page {
  readonly api: NodeApi | undefined
  readonly status: Status | undefined
  /** What was done is looked at again. */
  refresh(): void
  fail(error: unknown): void
}

export class Vlans {
  readonly #page: Page
  readonly #place = element('vlans', HTMLElement)
  readonly #members = element('members', HTMLElement)
  readonly #invitation = element('invitation', HTMLInputElement)
  /** Whose members are shown. */
  #chosen: string | undefined

  constructor(page: Page) {
    this.#page = page
    this.#onSubmit('join', async (api) => {
      await this.#join(api, this.#invitation.value.trim())
      this.#invitation.value = ''
    })
    const label = element('label', HTMLInputElement)
    this.#onSubmit('create', async (api) => {
      await api.ask('create', { ...TERMS, label: label.value.trim() })
      label.value = ''
    })
    const fail = (error: unknown): void => page.fail(error)
    void offerScanning((text) => {
      this.#invitation.value = text
      this.#do((api) => this.#join(api, text))
    }, fail).catch(fail)
  }

  /** Another node's page from now on. */
  reset(): void {
    this.#chosen = undefined
    this.#members.hidden = true
    element('invitations', HTMLElement).replaceChildren()
  }

  show({ vlans }: Status): void {
    redraw(this.#place, vlans, () =>
      vlans.length === 0
        ? make('p', {}, 'None yet: join one by an invitation, or found one.')
        : table(
            'of this node',
            ['', 'VLAN', 'state', 'role', 'members', 'epoch', 'MAC', ''],
            vlans.map((row) => this.#row(row)),
          ),
    )
    if (this.#chosen !== undefined) void this.#showMembers().catch((error) => this.#page.fail(error))
  }

  #row(row: VlanRow): readonly (Node | string)[] {
    const { vlan, label } = row
    const button = (text: string, press: () => void): HTMLButtonElement =>
      rowButton(text, `${text}-${vlan}`, `${text} ${label}`, press)
    const buttons = [button('Members', () => this.#choose(vlan))]
    if (row.phase === 'member' && row.role !== 'member')
      buttons.push(button('Invite', () => this.#do((api) => this.#invite(api, vlan))))
    if (row.phase === 'over') buttons.push(button('Remove', () => this.#do((api) => api.ask('remove', vlan))))
    else if (!row.off || row.asking)
      buttons.push(button('Leave', () => this.#do((api) => this.#leave(api, row))))
    return [
      row.phase === 'over' ? '' : this.#switchOf(row),
      `${label} ${short(vlan)}`,
      stateOf(row),
      row.role,
      row.phase === 'member' ? String(row.members) : '',
      row.epoch < 0 ? '' : String(row.epoch),
      row.mac ?? '',
      make('span', {}, ...buttons),
    ]
  }

  #switchOf({ vlan, label, off }: VlanRow): HTMLButtonElement {
    const made = rowButton(off ? 'off' : 'on', `switch-${vlan}`, `${label} on`, () =>
      this.#do((api) => api.ask(off ? 'switchOn' : 'switchOff', vlan)),
    )
    made.setAttribute('role', 'switch')
    made.setAttribute('aria-checked', String(!off))
    return made
  }

  // What is done.

  async #join(api: NodeApi, text: string): Promise<void> {
    // The row that says what it waits for comes meanwhile.
    setTimeout(() => this.#page.refresh(), 500)
    await api.ask('join', text)
  }

  async #invite(api: NodeApi, vlan: string): Promise<void> {
    const { invitations } = await api.ask<{ invitations: readonly { url: string }[] }>('invite', vlan, {
      count: 1,
      lifeMillis: INVITATION_MILLIS,
    })
    const url = invitations[0]?.url ?? ''
    const copy = rowButton('Copy', 'copy', 'Copy the invitation', () =>
      this.#do(() => navigator.clipboard.writeText(url)),
    )
    element('invitations', HTMLElement).replaceChildren(
      'For one person, a secret until it is used: ',
      make('code', {}, url),
      ' ',
      copy,
    )
  }

  async #leave(api: NodeApi, { vlan, label }: VlanRow): Promise<void> {
    if (!confirm(`Leave ${label} for good? To come back takes a new invitation.`)) return
    try {
      await api.ask('leave', vlan)
    } catch (error) {
      // What would be lost has to be said yes to.
      if (!(error instanceof Refused) || error.refusal !== 'authorityHere' || !confirm(`${error.message}?`))
        throw error
      await api.ask('leave', vlan, true)
    }
  }

  // Members.

  #choose(vlan: string): void {
    this.#chosen = vlan
    element('way', HTMLElement).textContent = ''
    void this.#showMembers().then(
      () => element('membersTitle', HTMLElement).focus(),
      (error) => this.#page.fail(error),
    )
  }

  async #showMembers(): Promise<void> {
    const { api, status } = this.#page
    const row = status?.vlans.find(({ vlan }) => vlan === this.#chosen)
    this.#members.hidden = row === undefined
    if (api === undefined || row === undefined) return
    const { members } = await api.ask<{ members: readonly MemberRow[] }>('members', row.vlan)
    element('membersTitle', HTMLElement).textContent = `Members of ${row.label}, as this node knows`
    const rows = members.map((member) => ({ ...member, state: memberState(member) }))
    const from = rows.map(({ heardSecondsAgo: _, ...each }) => each)
    redraw(this.#members.querySelector('.scroll') as HTMLElement, [row.vlan, row.role, from], () =>
      table(
        rows.length === 0 ? 'none: this node is in no epoch of it' : 'by their member keys',
        ['member', 'MAC', 'state', 'role', ''],
        rows.map((member) => [
          short(member.member),
          member.mac ?? '',
          member.state,
          member.role,
          member.self ? '' : make('span', {}, ...this.#memberButtons(row, member)),
        ]),
      ),
    )
  }

  #memberButtons({ vlan, role, label }: VlanRow, { member }: MemberRow): HTMLButtonElement[] {
    const button = (text: string, press: () => void): HTMLButtonElement =>
      rowButton(text, `${text}-${member}`, `${text} ${short(member)}`, press)
    const buttons = [button('Way', () => this.#do((api) => this.#explain(api, member, vlan)))]
    const evict = async (api: NodeApi): Promise<unknown> =>
      confirm(`Put ${short(member)} out of ${label} for good?`) &&
      (await api.ask('evict', vlan, member, { voids: false }))
    if (role !== 'member') buttons.push(button('Evict', () => this.#do(evict)))
    return buttons
  }

  async #explain(api: NodeApi, member: string, vlan: string): Promise<void> {
    const { next, why, drop } = await api.ask<Explanation>('explain', member, vlan)
    const names = this.#page.status?.names ?? {}
    const hops = next.map(
      ({ peer, way }) => `${way} to ${peer === undefined ? 'a link' : nameOf(names, peer)}`,
    )
    const goes = hops.length === 0 ? 'A frame goes nowhere from here' : `A frame goes ${hops.join(' and ')}`
    const lost = drop === undefined ? '' : ` It would be dropped here: ${drop}.`
    element('way', HTMLElement).textContent = `To ${short(member)}: ${goes}, since ${why}.${lost}`
  }

  // Within.

  #onSubmit(id: string, run: (api: NodeApi) => Promise<unknown>): void {
    const form = element(id, HTMLFormElement)
    const button = form.querySelector('button[type="submit"]') as HTMLButtonElement
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      button.disabled = true
      this.#do((api) =>
        run(api).finally(() => {
          button.disabled = false
        }),
      )
    })
  }

  #do(run: (api: NodeApi) => Promise<unknown>): void {
    const { api } = this.#page
    if (api === undefined) return
    run(api)
      .catch((error: unknown) => this.#page.fail(error))
      .finally(() => this.#page.refresh())
  }
}
