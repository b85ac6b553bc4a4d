/** The operator's page in Chromium, as a real node serves it to whoever sits at its machine. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium as launcher, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'
import { FLAGS } from './bundle.ts'

const chromium = requires.chromium()
const isAble = chromium !== undefined && requires.namespaces()

const PORT = 7_701
const ORIGIN = `http://127.0.0.1:${PORT}`
/** Two nodes, a browser and whatever else the machine does. */
const START_MILLIS = 240_000
const PATIENCE = { timeout: 60_000 }

/** What another page of the same machine does to a node whose token it knows: of each try what came of it. */
const ATTACK = async ([origin, token]: readonly [string, string]): Promise<string[]> => {
  const order = JSON.stringify({ verb: 'create', args: [{ label: 'evil' }] })
  const url = `${origin}/v1/ask`
  const headers = { authorization: `Bearer ${token}` }
  const tries: readonly (readonly [string, RequestInit])[] = [
    [url, { method: 'POST', headers, body: order }],
    [url, { method: 'POST', body: order }],
    [`${origin}/v1/status`, { headers }],
    [`${origin}/operator/`, {}],
  ]
  const outcomes: string[] = []
  for (const [where, how] of tries)
    outcomes.push(
      await fetch(where, how).then(
        async (answer) => answer.text(),
        () => 'nothing is to be had',
      ),
    )
  // Sent blindly: what comes of it is seen at the node.
  await fetch(url, { method: 'POST', mode: 'no-cors', body: order }).catch(() => undefined)
  const { navigator } = globalThis as unknown as {
    navigator: { sendBeacon(to: string, what: string): boolean }
  }
  navigator.sendBeacon(url, order)
  return outcomes
}

describe.skipIf(!isAble)("the operator's page", () => {
  const lab = realLab()
  const complaints: string[] = []
  let alice: RealNode
  let bob: RealNode
  let browser: Browser
  let token: string

  beforeAll(async () => {
    ;[alice, bob] = [lab.node('alice'), lab.node('bob', { control: { port: PORT } })]
    lab.direct(alice, bob)
    await lab.up(alice, bob)
    await alice.create('home')
    await bob.untilNeighbour(alice)
    token = ((await bob.client().get('/v1/door')) as { token: string }).token
    // The page is at the loopback interface of the node's own host, and nowhere else.
    const program = join(lab.folder, 'chromium')
    writeFileSync(program, `#!/bin/sh\nexec ip netns exec ${bob.host.name} ${chromium} "$@"\n`)
    chmodSync(program, 0o755)
    browser = await launcher.launch({ executablePath: program, args: FLAGS })
  }, START_MILLIS)
  afterAll(async () => {
    await browser?.close()
  }, START_MILLIS)

  async function open(hash = ''): Promise<Page> {
    const page = await browser.newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('request', (request) => {
      if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(`${ORIGIN}/`))
        complaints.push(`asks for ${request.url()}`)
    })
    page.on('dialog', (dialog) => void dialog.accept())
    await page.goto(`${ORIGIN}/${hash}`)
    return page
  }

  it(
    'joins a VLAN, switches it off and on, and leaves it',
    async () => {
      const [invitation] = await alice.invite('home')
      const page = await open(`#token=${token}`)
      await page.getByText('1 neighbour').waitFor(PATIENCE)
      expect(page.url()).toBe(`${ORIGIN}/operator/`)
      expect(await page.locator('#gate').isVisible()).toBe(false)
      await page.locator('#paths').getByText('direct, ').waitFor(PATIENCE)
      await page.locator('#invitation').fill(` ${invitation} `)
      await page.locator('#join button[type="submit"]').click()
      const row = page.locator('#vlans tr', { hasText: 'home' })
      await row.getByText('in', { exact: true }).waitFor(PATIENCE)
      await bob.until('it is in', async () => (await bob.members('home')).length === 2)
      await page.locator('#interfaces').getByText('pt-home').waitFor(PATIENCE)
      await row.getByRole('button', { name: 'Members home' }).click()
      await page.locator('#members tbody tr').nth(1).waitFor(PATIENCE)
      await page.getByRole('button', { name: /^Way / }).click()
      await page
        .locator('#way')
        .getByText(/^To [0-9a-f]{8}: /)
        .waitFor(PATIENCE)

      const power = page.getByRole('switch', { name: 'home on' })
      expect(await power.getAttribute('aria-checked')).toBe('true')
      await power.click()
      await row.getByText('off', { exact: true }).first().waitFor(PATIENCE)
      await bob.untilStatus('its interface is gone', ({ interfaces }) => interfaces.length === 0)
      expect(await alice.members('home')).toHaveLength(2)
      await power.click()
      await row.getByText('in', { exact: true }).waitFor(PATIENCE)
      await bob.untilStatus('its interface is back', ({ interfaces }) => interfaces[0]?.name === 'pt-home')
      await bob.until('frames pass again', async () => {
        return (await bob.echoes('home', await alice.memberKey('home'))) > 0
      })

      await row.getByRole('button', { name: 'Leave home' }).click()
      await page.getByText('None yet: join one').waitFor(PATIENCE)
      expect((await bob.status()).vlans).toEqual([])
      await page.close()
    },
    START_MILLIS,
  )

  it(
    'founds a VLAN and invites to it, sets the relay policy and shows the log',
    async () => {
      const page = await open(`#token=${token}`)
      await page.locator('#label').fill('work')
      await page.locator('#create button').click()
      await page.getByRole('button', { name: 'Invite work' }).click(PATIENCE)
      const invitation = await page.locator('#invitations code').textContent(PATIENCE)
      expect((await alice.join(invitation ?? '')).label).toBe('work')
      await page.locator('#mode').selectOption('restricted')
      await page.locator('#policy button').click()
      await bob.untilStatus('the policy is set', ({ process }) => process.policy.mode === 'restricted')
      await page.locator('#log summary').click()
      await page.locator('#log li', { hasText: 'neighbourUp' }).first().waitFor(PATIENCE)
      // Each line as it comes: this one is written while the log is open.
      await bob.client().post('/v1/reload', {})
      await page.locator('#log li', { hasText: 'configuration read again' }).waitFor(PATIENCE)
      await page.locator('#invitation').fill('peertap:nonsense')
      await page.locator('#join button[type="submit"]').click()
      await page.locator('#notice pre', { hasText: 'invitation' }).waitFor(PATIENCE)
      await page.close()
      // The browser itself tells of that answer.
      expect(complaints.splice(0)).toEqual([expect.stringContaining('400')])
    },
    START_MILLIS,
  )

  it('tells nothing to whoever has no token, or a wrong one, and forgets what was wrong', async () => {
    const before = complaints.length
    const page = await open()
    await page.locator('#gate').waitFor(PATIENCE)
    await page.locator('#token').fill('b'.repeat(64))
    await page.locator('#gate button').click()
    await page.getByText('the token is wrong').waitFor(PATIENCE)
    expect(await page.locator('#inside').isVisible()).toBe(false)
    expect(await page.content()).not.toContain(bob.peer)
    await page.reload()
    await page.locator('#gate').waitFor(PATIENCE)
    // What is pasted may be the whole address.
    await page.locator('#token').fill(`${ORIGIN}/#token=${token}`)
    await page.locator('#gate button').click()
    await page.getByText(bob.peer).first().waitFor(PATIENCE)
    await page.reload()
    await page.getByText(bob.peer).first().waitFor(PATIENCE)
    await page.close()
    // The browser itself tells of the answer 401.
    expect(complaints.splice(before).every((each) => each.includes('401'))).toBe(true)
  })

  it('cannot be used by another page, even with the token', async () => {
    const page = await browser.newPage()
    const other = `http://127.0.0.1:${PORT + 1}/`
    const frame = `<!doctype html><title>other</title><iframe src="${ORIGIN}/operator/"></iframe>`
    await page.route(other, (route) => route.fulfill({ contentType: 'text/html', body: frame }))
    await page.goto(other)
    const outcomes = await page.evaluate(ATTACK, [ORIGIN, token] as const)
    expect(outcomes).toEqual(outcomes.map(() => 'nothing is to be had'))
    expect(
      await page
        .frames()[1]
        ?.locator('#gate')
        .count()
        .catch(() => 0),
    ).toBe(0)
    expect((await bob.status()).vlans.map(({ label }) => label)).not.toContain('evil')
    await page.close()
  })

  it('asks nobody else, complains of nothing, and fits a phone', async () => {
    const page = await open(`#token=${token}`)
    await page.setViewportSize({ width: 360, height: 740 })
    await page.locator('#paths table').waitFor(PATIENCE)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    await page.close()
    expect(complaints).toEqual([])
  })
})
