/** The verbs of VLANs at simulated nodes: what comes of them among several, and what they refuse. */
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../core/errors.ts'
import { hex } from '../../core/ids.ts'
import type { PortId } from '../../core/io.ts'
import { parseInvitation } from '../../core/ledger/invitation.ts'
import type { Place, VlanBook } from '../../drivers/control/node.ts'
import { standInCrypto } from '../../sim/crypto.ts'
import { DAY, HOME, LiveMesh } from '../support/live.ts'

/** Somebody invited, and nobody there to let it in. */
function unreached() {
  const mesh = new LiveMesh()
  mesh.vlan(1)
  const url = mesh.invitation(1)
  mesh.live.crash(1)
  const { verbs, book } = mesh.node(2)
  return { mesh, url, verbs, book }
}

describe('getting in', () => {
  test('by an invitation: both see each other, with the MAC that the other has', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    mesh.run(5)
    const rows = [1, 2].map((at) => mesh.value(mesh.node(at).verbs.members('home')).members)
    for (const each of rows) {
      expect(each.map(({ member }) => member)).toEqual(keys)
      expect(each.map(({ online, role, refused }) => ({ online, role, refused }))).toEqual([
        { online: true, role: 'member', refused: undefined },
        { online: true, role: 'member', refused: undefined },
      ])
    }
    expect(rows[0]?.map(({ mac }) => mac)).toEqual(rows[1]?.map(({ mac }) => mac))
    expect(rows[0]?.map(({ self }) => self)).toEqual([true, false])
  })

  test('is the same run for the same seed, and another for another', () => {
    const digest = (seed: number): string => {
      const mesh = new LiveMesh(seed)
      mesh.vlan(1, 2, 3)
      return mesh.live.digest
    }
    expect(digest(5)).toBe(digest(5))
    expect(digest(5)).not.toBe(digest(6))
  })

  test('takes the terms that were asked for, and an authority of several keys', () => {
    const mesh = new LiveMesh()
    const { verbs } = mesh.node(1)
    const terms = { privacy: 'spec', mtu: 1_500, sign: 'all', padding: 'none' } as const
    mesh.value(verbs.create({ ...HOME, ...terms, signers: { needed: 2, of: 3 } }))
    mesh.value(mesh.node(2).verbs.join(mesh.invitation(1)))
    const shown = mesh.value(mesh.node(2).verbs.show('home'))
    expect(shown).toMatchObject({ phase: 'member', signers: { needed: 2, of: 3 }, members: 2 })
    expect(shown.terms).toEqual({ ...terms, suite: 1, version: 1 })
    expect(shown.counters.groupEpochsAdopted).toBeGreaterThan(0)
  })

  test('is refused by name when nobody is there, after the time that was given, and goes on', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const url = mesh.invitation(1)
    mesh.live.crash(1)
    const began = mesh.live.now
    const { verbs } = mesh.node(2)
    expect(mesh.refusal(verbs.join(url, 20e6))).toMatchObject({ refusal: 'noDoor' })
    expect((mesh.live.now - began) / 1e6).toBeCloseTo(20, 1)
    expect(mesh.refusal(verbs.invite('home', { count: 1, lifeMillis: DAY })).refusal).toBe('notInYet')
    expect(mesh.value(verbs.list()).vlans).toMatchObject([{ label: 'home', phase: 'outside' }])
    mesh.live.start(1)
    expect(mesh.value(verbs.join(url)).members).toBe(2)
  })

  test('is given up by leaving, and can be asked for again', () => {
    const { mesh, url, verbs } = unreached()
    const entering = verbs.join(url)
    mesh.run(5)
    expect(mesh.value(verbs.leave('home'))).toMatchObject({ label: 'home', asked: true })
    expect(mesh.refusal(entering).refusal).toBe('stopped')
    expect(mesh.value(verbs.list()).vlans).toEqual([])
    mesh.live.start(1)
    expect(mesh.value(verbs.join(url)).members).toBe(2)
    expect(mesh.value(verbs.leave('home'))).toMatchObject({ asked: false })
  })

  test('can be asked for again when the members took in that the invitation was redeemed', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const url = mesh.invitation(1)
    const guest = mesh.node(2)
    guest.verbs.join(url)
    const isRedeemed = (): boolean =>
      mesh
        .value(mesh.node(1).verbs.grants('home'))
        .grants.some(({ kind, holder }) => kind === 'invitation' && holder !== undefined)
    while (!isRedeemed()) mesh.run(0.01)
    mesh.live.crash(2)
    mesh.run(1)
    mesh.live.start(2)
    expect(mesh.value(guest.verbs.leave('home'))).toMatchObject({ asked: true })
    // The machine starts again meanwhile, and has what was kept.
    mesh.live.crash(2)
    mesh.live.start(2)
    expect(mesh.value(guest.verbs.list()).vlans).toEqual([])
    // To any other key the invitation is spent.
    expect(mesh.refusal(mesh.node(3).verbs.join(url)).message).toContain('the invitation is spent')
    expect(mesh.value(guest.verbs.join(url)).members).toBe(2)
    expect(guest.book.load().redeemed).toEqual([])
  })

  test('is asked for again with the key of before, unless it was removed with its keys or is over', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const order = { count: 1, lifeMillis: 60_000 }
    const [one] = mesh.value(mesh.node(1).verbs.invite('home', order)).invitations
    const url = one?.url ?? ''
    mesh.live.crash(1)
    const { verbs, book } = mesh.node(2)
    const asked = (): string => {
      verbs.join(url)
      return hex(book.load().vlans[0]?.identity.memberSeed ?? new Uint8Array())
    }
    const first = asked()
    mesh.value(verbs.leave('home'))
    expect(asked()).toBe(first)
    expect(book.load().redeemed).toEqual([])
    mesh.value(verbs.remove('home'))
    expect(book.load().redeemed).toEqual([])
    expect(asked()).not.toBe(first)
    mesh.value(verbs.leave('home'))
    expect(book.load().redeemed).toHaveLength(1)
    mesh.run(61)
    mesh.live.start(1)
    mesh.run(2)
    // Whatever is kept next takes away what is over.
    verbs.join(mesh.invitation(1), 1e4)
    expect(book.load().redeemed).toEqual([])
    mesh.value(verbs.leave('home'))
    expect(book.load().redeemed).toHaveLength(1)
  })

  test('goes on with the invitation that it had when the next one is over', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const lives = [DAY, 2_000].map((lifeMillis) => {
      const { invitations } = mesh.value(mesh.node(1).verbs.invite('home', { count: 1, lifeMillis }))
      return invitations[0]?.url ?? ''
    })
    const [good = '', short = ''] = lives
    mesh.live.crash(1)
    const { verbs } = mesh.node(2)
    const entering = verbs.join(good)
    mesh.run(5)
    expect(mesh.refusal(verbs.join(short)).refusal).toBe('invitationOver')
    expect(mesh.value(verbs.list()).vlans).toMatchObject([{ label: 'home', phase: 'outside' }])
    mesh.live.start(1)
    expect(mesh.value(entering).members).toBe(2)
  })

  test('goes on with the invitation that it had, and says how another can be used', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const [first = '', second = ''] = [mesh.invitation(1), mesh.invitation(1)]
    mesh.live.crash(1)
    const { verbs, book } = mesh.node(2)
    const entering = verbs.join(first)
    const asked = book.load().vlans
    mesh.run(5)
    const said = mesh.refusal(verbs.join(second))
    expect(said.refusal).toBe('asksAlready')
    const leave = /"vlan leave ([0-9a-f]{8})"/.exec(said.message)?.[1] ?? ''
    expect(entering.outcome).toBeUndefined()
    expect(book.load().vlans).toEqual(asked)
    // What it says can be done.
    mesh.value(verbs.leave(leave))
    const other = verbs.join(second)
    mesh.live.start(1)
    expect(mesh.value(other).members).toBe(2)
    expect(mesh.members(1)).toHaveLength(2)
  })

  test('takes another invitation when the one that it asks with is over', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const order = { count: 1, lifeMillis: 20_000 }
    const [short] = mesh.value(mesh.node(1).verbs.invite('home', order)).invitations
    const good = mesh.invitation(1)
    mesh.live.crash(1)
    const { verbs } = mesh.node(2)
    verbs.join(short?.url ?? '')
    mesh.run(21)
    const entering = verbs.join(good)
    mesh.live.start(1)
    expect(mesh.value(entering).members).toBe(2)
  })

  test('forgets in time the key of an invitation that is over, without anything else to keep', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const order = { count: 1, lifeMillis: 30_000 }
    const [short] = mesh.value(mesh.node(1).verbs.invite('home', order)).invitations
    mesh.live.crash(1)
    const { verbs, book } = mesh.node(2)
    verbs.join(short?.url ?? '')
    mesh.value(verbs.leave('home'))
    expect(book.load().redeemed).toHaveLength(1)
    mesh.run(100)
    expect(book.load().redeemed).toEqual([])
  })

  test('is told to whoever waits, though the disk is full', () => {
    const { url, verbs, book } = unreached()
    const entering = verbs.join(url)
    const port = book.load().vlans[0]?.port as PortId
    book.save = () => {
      throw new UsageError('the disk is full')
    }
    const event = { kind: 'ended', why: 'revoked' } as const
    expect(() => verbs.noted({ kind: 'group', port, event })).toThrow('the disk is full')
    expect(entering.outcome).toMatchObject({ refusal: 'notAdmitted' })
  })

  test('is waited for by the clock of the node itself', () => {
    const slow = { kind: 'clock', atSeconds: 5, who: { nodes: [2] }, skewSeconds: 0, driftPpm: -1_000 }
    const mesh = new LiveMesh(1, 8, { faults: [slow] })
    mesh.vlan(1)
    const url = mesh.invitation(1)
    mesh.live.crash(1)
    const began = mesh.live.now
    expect(mesh.refusal(mesh.node(2).verbs.join(url, 50e6)).refusal).toBe('noDoor')
    const seconds = (mesh.live.now - began) / 1e6
    expect(seconds).toBeGreaterThan(50.04)
    expect(seconds).toBeLessThan(50.07)
  })

  test('is refused by name with an invitation that is spent, revoked or over', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const { verbs } = mesh.node(1)
    const spent = mesh.invitation(1)
    mesh.value(mesh.node(2).verbs.join(spent))
    const began = mesh.live.now
    expect(mesh.refusal(mesh.node(3).verbs.join(spent))).toMatchObject({
      refusal: 'notAdmitted',
      message: expect.stringMatching(/the invitation is spent.*nothing of it is kept here but the key/),
    })
    expect((mesh.live.now - began) / 1e6).toBeLessThan(10)
    expect(mesh.value(mesh.node(3).verbs.list()).vlans).toEqual([])
    const { invitations } = mesh.value(verbs.invite('home', { count: 2, lifeMillis: 2_000 }))
    const [short, other] = invitations
    mesh.value(verbs.revokeGrant('home', other?.serial.slice(0, 12) ?? ''))
    expect(mesh.refusal(mesh.node(4).verbs.join(other?.url ?? '', 15e6))).toMatchObject({
      refusal: expect.stringMatching(/^(notAdmitted|invitationOver)$/),
    })
    expect(mesh.value(mesh.node(4).verbs.list()).vlans).toEqual([])
    expect(mesh.refusal(mesh.node(5).verbs.join(short?.url ?? ''))).toMatchObject({
      refusal: 'invitationOver',
      message: expect.stringMatching(/good until 2026-01-01T00:0/),
    })
    expect(mesh.value(mesh.node(5).verbs.list()).vlans).toEqual([])
  })

  test('tells why nobody lets this node in in words, and leaves nothing behind', () => {
    const mesh = new LiveMesh(1, 4)
    mesh.vlan(1)
    const guest = mesh.node(2)
    const entering = guest.verbs.join(mesh.invitation(1))
    const [kept] = guest.book.load().vlans
    if (kept === undefined) throw new Error('the VLAN is kept from the start')
    guest.noted({ kind: 'group', port: kept.port, event: { kind: 'ended', why: 'lost' } })
    expect(mesh.refusal(entering)).toMatchObject({
      refusal: 'notAdmitted',
      message: expect.stringMatching(/home refused to let this node in: the invitation is spent/),
    })
    mesh.run(1)
    expect(mesh.value(guest.verbs.list()).vlans).toEqual([])
  })

  test('with a text that is no invitation is a mistake of the user', () => {
    const mesh = new LiveMesh(1, 4)
    expect(() => mesh.node(1).verbs.join('peertap:AQ')).toThrow(UsageError)
    expect(() => mesh.node(1).verbs.create({ ...HOME, label: '' })).toThrow(/1 to 63/)
    for (const label of ['a\nb', '\u{1b}[31mred', 'emoh\u{202e}'])
      expect(() => mesh.node(1).verbs.create({ ...HOME, label })).toThrow(/not seen/)
    expect(() => mesh.node(1).verbs.create({ ...HOME, signers: { needed: 3, of: 2 } })).toThrow(/3 in 2 keys/)
  })
})

describe('invitations', () => {
  test('are as many as asked for, each its own, in two forms', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const now = mesh.node(1).wallMillis()
    const { invitations } = mesh.value(mesh.node(1).verbs.invite('home', { count: 3, lifeMillis: DAY }))
    expect(new Set(invitations.map(({ serial }) => serial)).size).toBe(3)
    for (const { url, qr, endsMillis } of invitations) {
      expect(url).toMatch(/^peertap:/)
      expect(qr).toMatch(/^PEERTAP:[A-Z2-7]+$/)
      expect(parseInvitation(standInCrypto, qr)).toEqual(parseInvitation(standInCrypto, url))
      expect(endsMillis - now).toBe(DAY)
      const [contact] = parseInvitation(standInCrypto, url).contacts
      expect(contact?.address).toEqual(mesh.node(1).contacts()[0]?.addresses[0])
    }
  })

  test('of two calls at once do not mix', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const { verbs } = mesh.node(1)
    const both = [1, 2].map((days) => verbs.invite('home', { count: 2, lifeMillis: days * DAY }))
    const ends = both.map((each) => mesh.value(each).invitations.map((one) => one.endsMillis))
    expect(ends[1]?.map((end) => end - DAY)).toEqual(ends[0])
  })
})

describe('putting out', () => {
  test('ends the member, and the others go on without it', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2, 3)
    const evicted = mesh.value(mesh.node(1).verbs.evict('home', keys[1]?.slice(0, 8) ?? '', { voids: false }))
    expect(evicted).toMatchObject({ member: keys[1], kept: 0 })
    mesh.run(5)
    for (const at of [1, 3]) expect(mesh.members(at)).toEqual([keys[0], keys[2]])
    expect(mesh.value(mesh.node(2).verbs.list()).vlans).toMatchObject([{ phase: 'over', over: 'revoked' }])
    expect(mesh.refusal(mesh.node(2).verbs.invite('home', { count: 1, lifeMillis: DAY }))).toMatchObject({
      refusal: 'over',
      message: 'this member is out of home, because it was revoked; remove the VLAN from this node',
    })
    expect(mesh.refusal(mesh.node(1).verbs.evict('home', keys[1] ?? '', { voids: false }))).toMatchObject({
      refusal: 'alreadyOut',
      message: expect.stringContaining('is out of home already (it was revoked)'),
    })
    const again = { role: 'member', lifeMillis: DAY } as const
    expect(mesh.refusal(mesh.node(1).verbs.certify('home', keys[1] ?? '', again))).toMatchObject({
      refusal: 'alreadyOut',
      message: expect.stringContaining('is out of home (it was revoked), which stays so'),
    })
    const grants = mesh.value(mesh.node(1).verbs.grants('home')).grants
    expect(grants.map(({ state }) => state).sort()).toEqual(['revoked', 'stands', 'stands'])
  })

  test('makes void what the member holds, for that member itself too', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    mesh.value(mesh.node(1).verbs.evict('home', keys[1] ?? '', { voids: false }))
    mesh.run(10)
    // It begins anew with what it knew when it came in.
    mesh.live.crash(2)
    mesh.run(1)
    mesh.live.start(2)
    mesh.run(5)
    const { over, grants } = mesh.value(mesh.node(2).verbs.grants('home'))
    expect(over).toBe('revoked')
    expect(grants).toMatchObject([{ holder: keys[1], state: 'revoked' }])
  })

  test('of oneself is leaving: the VLAN and all that was kept of it are gone', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    const { port } = mesh.value(mesh.node(2).verbs.list()).vlans[0] ?? { port: -1 as never }
    mesh.run(1)
    expect(mesh.node(2).stored(port).head).toBeDefined()
    expect(mesh.value(mesh.node(2).verbs.leave('home')).seconds).toBeLessThan(10)
    mesh.run(10)
    expect(mesh.members(1)).toEqual([keys[0]])
    expect(mesh.value(mesh.node(2).verbs.list()).vlans).toEqual([])
    expect(mesh.node(2).stored(port)).toEqual({ head: undefined, next: undefined, ledger: undefined })
    // And there is a way back, as somebody else.
    const again = mesh.value(mesh.node(2).verbs.join(mesh.invitation(1)))
    expect(again.member).not.toBe(keys[1])
    expect(again.port).not.toBe(port)
  })

  test('is refused by name where it makes no sense or is not allowed', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    const evict = (at: number, whom: string | undefined): string =>
      mesh.refusal(mesh.node(at).verbs.evict('home', whom ?? '', { voids: false })).refusal
    expect(evict(2, keys[0])).toBe('notAuthorised')
    expect(evict(1, keys[0])).toBe('ownKey')
    expect(evict(1, 'ffff0000ffff')).toBe('noSuchMember')
    expect(evict(1, keys[1]?.slice(0, 3))).toBe('noSuchMember')
    mesh.value(mesh.node(1).verbs.evict('home', keys[1] ?? '', { voids: false }))
    expect(evict(1, keys[1])).toBe('alreadyOut')
  })

  test('stands though nobody carries it out in time, and is carried out later', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    mesh.run(5)
    mesh.live.crash(2)
    mesh.live.crash(1)
    mesh.run(1)
    // Alone it makes no commit in its first minute, because its restored state may be old.
    mesh.live.start(1)
    mesh.run(2)
    const refusal = mesh.refusal(mesh.node(1).verbs.evict('home', keys[1] ?? '', { voids: false }))
    expect(refusal.refusal).toBe('notRemoved')
    const rows = mesh.value(mesh.node(1).verbs.members('home')).members
    expect(rows.map(({ refused }) => refused)).toEqual([undefined, 'revoked'])
    mesh.run(40)
    expect(mesh.members(1)).toEqual([keys[0]])
  })
})

describe('admins', () => {
  function withAdmin(): { mesh: LiveMesh; keys: string[]; guest: string } {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2, 3)
    const order = { role: 'admin', lifeMillis: 10 * DAY } as const
    expect(mesh.refusal(mesh.node(2).verbs.certify('home', keys[2] ?? '', order)).refusal).toBe(
      'notAuthorised',
    )
    mesh.value(mesh.node(1).verbs.certify('home', keys[1] ?? '', order))
    mesh.run(5)
    const guest = mesh.value(mesh.node(4).verbs.join(mesh.invitation(2))).member
    mesh.run(5)
    return { mesh, keys, guest }
  }

  test('admit and put out members, and nobody above them', () => {
    const { mesh, keys, guest } = withAdmin()
    const { verbs } = mesh.node(2)
    expect(mesh.value(verbs.list()).vlans).toMatchObject([{ role: 'admin' }])
    expect(mesh.members(1)).toContain(guest)
    expect(mesh.refusal(verbs.certify('home', guest, { role: 'admin', lifeMillis: DAY })).refusal).toBe(
      'notAuthorised',
    )
    mesh.value(mesh.node(1).verbs.certify('home', keys[2] ?? '', { role: 'admin', lifeMillis: DAY }))
    mesh.run(5)
    expect(mesh.refusal(verbs.evict('home', keys[2] ?? '', { voids: false })).refusal).toBe('notAuthorised')
    mesh.value(verbs.evict('home', guest, { voids: false }))
    mesh.run(5)
    expect(mesh.members(1)).toEqual(keys)
  })

  test('are admins for as long as their grant says', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    mesh.value(mesh.node(1).verbs.certify('home', keys[1] ?? '', { role: 'admin', lifeMillis: 20_000 }))
    mesh.run(5)
    const { invitations } = mesh.value(mesh.node(2).verbs.invite('home', { count: 1, lifeMillis: DAY }))
    const { grants } = mesh.value(mesh.node(2).verbs.grants('home'))
    expect(invitations[0]?.endsMillis).toBe(grants.find(({ role }) => role === 'admin')?.endsMillis)
    mesh.run(20)
    expect(mesh.refusal(mesh.node(2).verbs.invite('home', { count: 1, lifeMillis: DAY })).refusal).toBe(
      'notAuthorised',
    )
    expect(mesh.value(mesh.node(2).verbs.list()).vlans).toMatchObject([{ role: 'member', phase: 'member' }])
  })

  test('go without those whom they admitted, or with them', () => {
    for (const voids of [false, true]) {
      const { mesh, keys, guest } = withAdmin()
      const { verbs } = mesh.node(1)
      const { grants } = mesh.value(verbs.grants('home'))
      const serial = grants.find(({ role }) => role === 'admin')?.serial ?? ''
      expect(mesh.refusal(verbs.revokeGrant('home', serial)).refusal).toBe('adminGrant')
      const { kept } = mesh.value(verbs.evict('home', keys[1] ?? '', { voids }))
      expect(kept).toBe(voids ? 0 : 1)
      mesh.run(20)
      expect(mesh.members(1)).toEqual(voids ? [keys[0], keys[2]] : [keys[0], keys[2], guest])
    }
  })
})

describe('what lasts', () => {
  test('a Grant is renewed without an epoch', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    const { epoch } = mesh.value(mesh.node(2).verbs.show('home'))
    const order = { role: 'member', lifeMillis: 200 * DAY } as const
    const { endsMillis } = mesh.value(mesh.node(1).verbs.certify('home', keys[1] ?? '', order))
    mesh.run(5)
    const rows = mesh.value(mesh.node(2).verbs.members('home')).members
    expect(rows.find(({ self }) => self)?.endsMillis).toBe(endsMillis)
    expect(mesh.value(mesh.node(2).verbs.show('home')).epoch).toBe(epoch)
  })

  test('a membership survives a crash as it was, with what was on the disk', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2, 3)
    mesh.run(5)
    mesh.live.crash(3)
    mesh.run(2)
    mesh.live.start(3)
    mesh.events.length = 0
    mesh.run(30)
    expect(mesh.value(mesh.node(3).verbs.list()).vlans).toMatchObject([{ phase: 'member', epoch: 2 }])
    expect(mesh.members(3)).toEqual(keys)
    // It did not come in anew.
    expect(mesh.events.flatMap(({ event }) => (event.kind === 'group' ? [event.event.kind] : []))).toEqual([
      'epoch',
    ])
  })

  test('a member that is gone is not called online for long, and is again when it is back', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2)
    const row = () => mesh.value(mesh.node(1).verbs.members('home')).members.find(({ self }) => !self)
    mesh.run(1)
    expect(row()).toMatchObject({ presence: 'online', online: true })
    mesh.live.crash(2)
    mesh.run(95)
    expect(row()).toMatchObject({ presence: 'quiet', online: false })
    expect(row()?.heardSecondsAgo).toBeGreaterThan(90)
    mesh.run(110)
    expect(row()).toMatchObject({ presence: 'offline', online: false })
    mesh.live.start(2)
    mesh.run(10)
    expect(row()).toMatchObject({ presence: 'online', online: true })
  })

  test('what the mesh knows of its token says more than when a member was heard', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2)
    let place: Place = 'nowhere'
    const node = Object.assign(mesh.node(1), { placeOf: () => place })
    const row = () => mesh.value(node.verbs.members('home')).members.find(({ self }) => !self)
    mesh.run(1)
    // It comes in just now: its card was sooner than its registration.
    expect(row()).toMatchObject({ presence: 'online' })
    mesh.live.crash(2)
    mesh.run(5)
    expect(row()).toMatchObject({ presence: 'offline', online: false })
    mesh.run(90)
    place = 'below'
    expect(row()).toMatchObject({ presence: 'online', online: true })
    // A registration that nobody took back.
    mesh.run(110)
    expect(row()).toMatchObject({ presence: 'offline', online: false })
  })

  test('what waits for a node that stops is told so', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2)
    const waiting = mesh.node(2).verbs.leave('home')
    mesh.live.crash(2)
    expect(mesh.refusal(waiting).refusal).toBe('stopped')
  })

  test('a VLAN that is switched off is stayed in, over a restart too, and gone back into', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2, 3)
    const { verbs } = mesh.node(2)
    const row = () => mesh.value(verbs.list()).vlans[0]
    const before = mesh.members(1)
    expect(mesh.value(verbs.switchOff('home'))).toMatchObject({ label: 'home', off: true })
    expect(mesh.value(verbs.switchOff('home')).off).toBe(true)
    expect(row()).toMatchObject({ phase: 'outside', asking: false, off: true, epoch: -1, mac: undefined })
    expect(mesh.refusal(verbs.leave('home'))).toMatchObject({
      refusal: 'off',
      message: expect.stringContaining('switch it on first'),
    })
    expect(mesh.refusal(verbs.join(mesh.invitation(1))).refusal).toBe('off')
    mesh.live.crash(2)
    mesh.run(5)
    mesh.live.start(2)
    mesh.run(20)
    expect(row()).toMatchObject({ phase: 'outside', off: true })
    // Nobody put it out meanwhile: whoever is away is a member.
    expect(mesh.members(1)).toEqual(before)
    expect(mesh.value(verbs.switchOn('home')).off).toBe(false)
    mesh.run(10)
    expect(row()).toMatchObject({ phase: 'member', off: false, members: 3 })
    expect(mesh.members(2)).toEqual(before)
    expect(mesh.value(verbs.leave('home'))).toMatchObject({ asked: false })
    expect(mesh.refusal(verbs.switchOff('home')).refusal).toBe('noSuchVlan')
  })

  test('one that asks to be let in does not while it is off', () => {
    const { mesh, url, verbs } = unreached()
    const entering = verbs.join(url)
    mesh.run(2)
    mesh.value(verbs.switchOff('home'))
    expect(mesh.refusal(entering)).toMatchObject({ refusal: 'stopped' })
    mesh.live.start(1)
    mesh.run(30)
    expect(mesh.members(1)).toHaveLength(1)
    mesh.value(verbs.switchOn('home'))
    expect(mesh.value(verbs.join(url)).members).toBe(2)
  })

  test('no more verbs wait at once than a node can bear', () => {
    const { mesh, url, verbs } = unreached()
    const waiting = Array.from({ length: 256 }, () => verbs.join(url, 5e6))
    expect(mesh.refusal(verbs.join(url)).refusal).toBe('tooMany')
    expect(mesh.refusal(verbs.create(HOME)).refusal).toBe('tooMany')
    mesh.run(6)
    expect(new Set(waiting.map((each) => mesh.refusal(each).refusal))).toEqual(new Set(['noDoor']))
    mesh.value(verbs.create({ ...HOME, label: 'work' }))
  })

  test('nobody forgets a VLAN by mistake while in it', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1)
    const { verbs } = mesh.node(1)
    expect(mesh.refusal(verbs.remove('home')).refusal).toBe('stillIn')
    expect(mesh.refusal(verbs.remove('away')).refusal).toBe('noSuchVlan')
    expect(mesh.refusal(verbs.create({ ...HOME }))).toMatchObject({
      refusal: 'labelTaken',
      message: expect.stringMatching(/VLAN 'home' \([0-9a-f]{8}\) already; choose another label/),
    })
    expect(mesh.value(verbs.list()).vlans).toHaveLength(1)
    // Just after a start, when it is not in again yet.
    mesh.live.crash(1)
    mesh.run(1)
    mesh.live.start(1)
    expect(mesh.value(verbs.list()).vlans).toMatchObject([{ phase: 'outside' }])
    expect(mesh.refusal(verbs.remove('home')).refusal).toBe('stillIn')
    expect(mesh.refusal(verbs.leave('home')).refusal).toBe('notInYet')
    mesh.run(5)
    // Others may have called theirs the same.
    mesh.value(mesh.node(2).verbs.create({ ...HOME }))
    mesh.value(verbs.join(mesh.invitation(2)))
    const [first, second] = mesh.value(verbs.list()).vlans
    const [one = '', other = ''] = [first, second].map((row) => row?.vlan.slice(0, 8))
    expect(mesh.refusal(verbs.show('home'))).toMatchObject({
      refusal: 'ambiguous',
      message: expect.stringContaining(`any of ${one} (in), ${other} (in); write the digits`),
    })
    mesh.value(verbs.remove(one, true))
    expect(mesh.value(verbs.show('home')).vlan).toBe(second?.vlan)
  })

  test('of two with one label the living one is meant, and the dead one where it is cleared away', () => {
    const mesh = new LiveMesh()
    const [, key = ''] = mesh.vlan(1, 2)
    const { verbs } = mesh.node(2)
    mesh.value(mesh.node(3).verbs.create(HOME))
    mesh.value(verbs.join(mesh.invitation(3)))
    mesh.value(mesh.node(1).verbs.evict('home', key.slice(0, 8), { voids: false }))
    mesh.run(5)
    const [dead, living] = mesh.value(verbs.list()).vlans
    expect([dead?.phase, living?.phase]).toEqual(['over', 'member'])
    expect(mesh.value(verbs.show('home')).vlan).toBe(living?.vlan)
    expect(mesh.value(verbs.remove('home')).vlan).toBe(dead?.vlan)
    expect(mesh.refusal(verbs.remove('home')).refusal).toBe('stillIn')
  })

  test('of two with one label that is meant where somebody is in, for what takes a member', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2)
    mesh.value(mesh.node(3).verbs.create(HOME))
    const url = mesh.invitation(3)
    mesh.live.crash(3)
    const { verbs } = mesh.node(1)
    const joining = verbs.join(url)
    mesh.run(1)
    const [real, asked] = mesh.value(verbs.list()).vlans
    expect([real?.asking, asked?.asking]).toEqual([false, true])
    const [one, other] = [real?.vlan.slice(0, 8), asked?.vlan.slice(0, 8)]
    const listed = (second: string): object => ({
      refusal: 'ambiguous',
      message: expect.stringContaining(`any of ${one} (in), ${other} (${second}); write the digits`),
    })
    // What may end the one or the other is asked about.
    expect(mesh.refusal(verbs.leave('home'))).toMatchObject(listed('asks to be let in'))
    expect(mesh.refusal(verbs.show('home'))).toMatchObject(listed('asks to be let in'))
    const { invitations } = mesh.value(verbs.invite('home', { count: 1, lifeMillis: DAY }))
    expect(hex(parseInvitation(standInCrypto, invitations[0]?.url ?? '').vlan)).toBe(real?.vlan)
    expect(mesh.members(1)).toHaveLength(2)
    expect(verbs.which('home')).toMatchObject({ value: { vlan: real?.vlan } })
    // Just after a start it is still the one that it was in.
    mesh.live.crash(1)
    mesh.live.start(1)
    expect(mesh.value(verbs.list()).vlans).toMatchObject([
      { phase: 'outside', asking: false },
      { asking: true },
    ])
    expect(verbs.which('home')).toMatchObject({ value: { vlan: real?.vlan } })
    mesh.live.start(3)
    expect(mesh.refusal(joining).refusal).toBe('stopped')
    mesh.value(verbs.join(url))
    mesh.run(5)
    // Now it is in both, and nothing is left of the asking.
    expect(mesh.value(verbs.list()).vlans).toMatchObject([
      { phase: 'member', asking: false },
      { phase: 'member', asking: false },
    ])
    expect(mesh.refusal(verbs.members('home'))).toMatchObject(listed('in'))
    expect(mesh.members(1, other)).toHaveLength(2)
  })

  test('whoever has the authority does not leave without saying yes to what is lost', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2)
    const { verbs } = mesh.node(1)
    expect(mesh.refusal(verbs.leave('home'))).toMatchObject({
      refusal: 'authorityHere',
      message: expect.stringMatching(/nobody can make admins.*--yes/),
    })
    expect(mesh.value(verbs.list()).vlans).toMatchObject([{ phase: 'member' }])
    mesh.value(verbs.leave('home', true))
    expect(mesh.value(verbs.list()).vlans).toEqual([])
  })

  test('one that cannot be struck from the book stays what it is, and is struck before it is closed', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2)
    const node = mesh.node(2)
    const { save } = node.book
    node.book.save = () => {
      throw new UsageError('the disk is full')
    }
    expect(() => node.verbs.remove('home', true)).toThrow('the disk is full')
    mesh.run(5)
    expect(mesh.value(node.verbs.list()).vlans).toMatchObject([{ label: 'home', phase: 'member' }])
    const open: number[] = []
    node.book.save = (kept) => {
      open.push(node.view()?.memberships.length ?? 0)
      save(kept)
    }
    mesh.value(node.verbs.remove('home', true))
    expect(open).toEqual([1])
    expect(node.book.load().vlans).toEqual([])
    expect(node.view()?.memberships).toEqual([])
  })

  test('nobody leaves, or changes who may be in, while nothing can be kept', () => {
    const mesh = new LiveMesh()
    const keys = mesh.vlan(1, 2)
    const [anna, ben] = [mesh.node(1), mesh.node(2)]
    for (const { book } of [anna, ben]) full(book)
    const sayings = [
      ben.verbs.leave('home'),
      anna.verbs.invite('home', { count: 1, lifeMillis: DAY }),
      anna.verbs.certify('home', keys[1] ?? '', { role: 'admin', lifeMillis: DAY }),
      anna.verbs.evict('home', keys[1] ?? '', { voids: false }),
    ].map((pending) => mesh.refusal<object>(pending))
    for (const said of sayings) expect(said).toMatchObject({ refusal: 'notNow', message: FULL })
    mesh.run(10)
    expect(mesh.members(1)).toEqual(keys)
    expect(mesh.members(2)).toEqual(keys)
    expect(mesh.value(anna.verbs.grants('home')).grants.map(({ state }) => state)).toEqual([
      'stands',
      'stands',
    ])
  })

  test('what a member became by itself is kept as soon as there is room', () => {
    const mesh = new LiveMesh()
    mesh.vlan(1, 2)
    const node = mesh.node(2)
    const { verbs, book } = node
    const told: unknown[] = []
    // As the thread of a real node does.
    node.noted = (event) => {
      try {
        verbs.noted(event)
      } catch (error) {
        told.push(error)
      }
    }
    const leaving = verbs.leave('home')
    // It fills up while the others are told.
    const free = full(book)
    expect(mesh.refusal(leaving)).toMatchObject({
      refusal: 'notNow',
      message: expect.stringMatching(
        /^this node left home, whose keys are still kept: the disk is full; .*vlan remove/,
      ),
    })
    expect(told).toMatchObject([{ message: FULL }])
    expect(book.load().vlans).toMatchObject([{ over: undefined }])
    free()
    mesh.run(11)
    expect(book.load().vlans).toMatchObject([{ over: 'left' }])
    mesh.value(verbs.remove('home'))
    expect(book.load().vlans).toEqual([])
  })
})

const FULL = 'the disk is full'

/** Nothing can be kept, until what this returns is called. */
function full(book: VlanBook): () => void {
  const { save } = book
  book.save = () => {
    throw new UsageError(FULL)
  }
  return () => {
    book.save = save
  }
}
