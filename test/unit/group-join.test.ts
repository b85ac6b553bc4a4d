/** The way into a group, and what all members then agree on. */
import { expect, test } from 'vitest'
import { SECOND } from '../../core/io.ts'
import { GroupWorld } from '../support/group-world.ts'

test('a founder lets in one who redeemed an invitation', () => {
  const world = new GroupWorld({ seed: 1 })
  const founder = world.found()
  const joiner = world.join()
  const held = world.until(() => world.isOne([founder, joiner], 2), 10 * SECOND)
  if (!held)
    console.log(
      founder.group?.view(),
      joiner.group?.view(),
      founder.counts.view(),
      joiner.counts.view(),
      founder.events,
      joiner.events,
    )
  expect(held).toBe(true)
})
