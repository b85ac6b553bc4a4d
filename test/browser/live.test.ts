/** What running nodes see of their mesh, in Chromium, by what `peertap view --node` serves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realLab } from '../support/real-lab.ts'
import type { RealNode } from '../support/real-node.ts'
import { requires } from '../support/requirements.ts'
import { START_MILLIS, Viewer } from './viewer.ts'

const chromium = requires.chromium()
const isAble = chromium !== undefined && requires.namespaces()
const PATIENCE = { timeout: 60_000 }

describe.skipIf(!isAble)('the picture of running nodes', () => {
  const lab = realLab()
  let relay: RealNode
  let alice: RealNode
  let bob: RealNode
  let viewer: Viewer

  beforeAll(async () => {
    ;[relay, alice, bob] = [lab.node('relay'), lab.node('alice'), lab.node('bob')]
    lab.behind(relay, alice, bob)
    await lab.up(relay, alice)
    await alice.untilNeighbour(relay)
    await alice.create('home')
    const sockets = [alice, bob].flatMap(({ paths }) => ['--node', paths.socket])
    await bob.up()
    viewer = await Viewer.start(chromium as string, ...sockets)
  }, 2 * START_MILLIS)
  afterAll(async () => {
    await viewer?.close()
  }, START_MILLIS)

  it(
    'shows the nodes that are asked and those that they know, and says what it cannot know',
    async () => {
      await bob.untilNeighbour(relay)
      const page = await viewer.open()
      await page.getByText('3 nodes in sight, 2 trunks').waitFor(PATIENCE)
      expect(page.url()).not.toContain('token')
      await page.locator('#nodes summary').click()
      const rows = page.locator('#nodes tbody tr')
      const names = await rows.locator('td:nth-child(2)').allTextContents()
      const sockets = [alice, bob].map(({ peer, paths }) => `${peer.slice(-8)}, ${paths.socket}`)
      expect(names).toEqual([...sockets, relay.peer.slice(-8)])
      await page.getByRole('button', { name: 'node 2' }).first().click()
      await page.locator('#detail').getByText('It is not one of the nodes that are asked').waitFor(PATIENCE)
      await page.getByRole('button', { name: 'node 0' }).first().click()
      await page.locator('#detail').getByText('1 link').waitFor(PATIENCE)
      expect(await page.locator('#digest').textContent()).toBe('')
      await page.close()
    },
    START_MILLIS,
  )

  it(
    'tells what happens as it happens, and goes back to what was seen and no further',
    async () => {
      const page = await viewer.open()
      await page.getByText('3 nodes in sight, 2 trunks').waitFor(PATIENCE)
      const [invitation] = await alice.invite('home')
      await bob.join(invitation)
      await page.locator('#happenings').getByText('node 1 is in epoch').first().waitFor(PATIENCE)
      await page.locator('#vlan').selectOption({ label: 'home' })
      await page.locator('#legend').getByText('member of VLAN').waitFor(PATIENCE)
      await bob.down()
      await page.getByText('2 nodes in sight, 1 trunk').waitFor(PATIENCE)
      await page.locator('#happenings').getByText('node 1: ').first().waitFor(PATIENCE)
      // To the beginning, when all three were there; then on, which is to what is now.
      await page.locator('#back').click()
      await page.getByText('3 nodes in sight, 2 trunks').waitFor(PATIENCE)
      expect(await page.locator('#play').textContent()).toBe('Play')
      const then = await page.locator('#clock').textContent()
      await page.locator('#play').click()
      await page.getByText('2 nodes in sight, 1 trunk').waitFor(PATIENCE)
      expect(await page.locator('#clock').textContent()).not.toBe(then)
      await page.locator('#timeline').focus()
      await page.keyboard.press('End')
      await page.locator('#play', { hasText: 'Pause' }).waitFor(PATIENCE)
      await bob.up()
      await page.getByText('3 nodes in sight, 2 trunks').waitFor(PATIENCE)
      await page.close()
      // The program says that a node is down by an answer that browsers call an error.
      const isAnswer = (each: string): boolean => each.startsWith('Failed to load resource')
      expect(viewer.complaints.filter((each) => !isAnswer(each))).toEqual([])
    },
    START_MILLIS,
  )

  it(
    'leads to the page by which nodes are run, and lets nobody see either without the token',
    async () => {
      const page = await viewer.open()
      await page.getByRole('link', { name: 'Run them' }).click(PATIENCE)
      await page
        .locator('#node option')
        .nth(1)
        .waitFor({ ...PATIENCE, state: 'attached' })
      await page.getByText(alice.peer).first().waitFor(PATIENCE)
      await page.locator('#node').selectOption(bob.paths.socket)
      await page.locator('#summary', { hasText: bob.peer }).waitFor(PATIENCE)
      await page.close()
      for (const hash of ['', `token=${'b'.repeat(64)}`]) {
        const stranger = await viewer.open(hash)
        await stranger.locator('#notice pre', { hasText: 'token' }).waitFor(PATIENCE)
        expect(await stranger.content()).not.toContain(alice.paths.socket)
        await stranger.context().close()
      }
    },
    START_MILLIS,
  )
})
