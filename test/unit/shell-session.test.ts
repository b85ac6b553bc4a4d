/** Lines of the shell in a small mesh: what they do, what is said, what is refused and how. */
import { describe, expect, it } from 'vitest'
import { helpLines } from '../../drivers/cli/shell/commands.ts'
import { WIDTH } from '../../drivers/cli/table.ts'
import { REFUSAL } from '../../drivers/control/outcome.ts'
import { Shell } from '../support/shell.ts'

const HOME = ['at 10 node1 vlan create home', '$url = node1 vlan invite home --count 3']

describe('a session', () => {
  it('has a node back in its VLANs on the line after it was started', () => {
    const shell = new Shell()
    shell.perform(...HOME, 'run 1', 'crash node1', 'start node1')
    // It is not in again, and is a member all the same.
    expect(shell.perform('expect stillIn node1 vlan remove home')).toBe('done')
    expect(shell.said().slice(-1)).toEqual([
      'refused (stillIn): this node is in home; leave it, or remove it with --force and tell nobody',
    ])
    // Twice at one instant, so that the life between was never seen.
    shell.perform(
      'node1 vlan create work',
      'crash node1',
      'start node1',
      'crash node1',
      'start node1',
      'run 5',
    )
    expect(shell.perform('node1 vlan show work')).toBe('done')
  })

  it('shows an invitation, a join, a ping, a broadcast and an eviction', () => {
    const shell = new Shell()
    shell.perform(...HOME, 'node2 vlan join $url', 'node3 vlan join $url.2')
    shell.said()
    expect(shell.perform('node2 ping node3 --count 2 --bytes 1500')).toBe('done')
    expect(shell.said()).toEqual([
      expect.stringMatching(
        /^node3 in home, 1500 bytes, echo 1: there after [\d.]+ ms, back after [\d.]+ ms$/,
      ),
      expect.stringMatching(/^node3 in home, 1500 bytes, echo 2: /),
      '2 of 2 came back',
    ])
    shell.perform("node1 say home 'good evening'")
    expect(shell.said()).toEqual([
      expect.stringMatching(/^heard in home by 2: node[23] .* ms node[23] .* ms$/),
    ])
    expect(shell.perform('node1 vlan evict home node2')).toBe('done')
    expect(shell.said()).toEqual([
      'node2: this member is out (revoked)',
      expect.stringMatching(/^[0-9a-f]{8} node2 is out of home after [\d.]+ m?s, from epoch 3 on$/),
    ])
    shell.perform('node1 say home again')
    expect(shell.said()).toEqual([expect.stringMatching(/^heard in home by 1: node3 [\d.]+ ms$/)])
    expect(shell.perform('node2 ping node3')).toBe('failed')
    expect(shell.said()).toEqual(['refused (over): node2 is out of home; nothing leads there any more'])
    expect(shell.session.isBroken).toBe(false)
  })

  it('names members by their nodes, in the table and as whom a verb is about', () => {
    const shell = new Shell()
    shell.perform(...HOME, 'node2 vlan join $url', 'run 5', 'node1 vlan create work')
    shell.perform('$w = node1 vlan invite work', 'node2 vlan join $w')
    shell.said()
    shell.perform('node1 vlan members home')
    expect(shell.said().map((line) => line.split(/\s{2,}/).slice(1, 2))).toEqual([
      [],
      ['mac'],
      ['this node'],
      ['node2'],
    ])
    expect(shell.perform('node2 ping node1')).toBe('failed')
    expect(shell.said()).toEqual(['refused (ambiguous): node2 is in home, work; say in which with --vlan'])
    // By the key that it has in this VLAN, not by its latest.
    expect(shell.perform('node1 vlan evict home node2')).toBe('done')
    expect(shell.perform('node2 ping node1 --vlan work')).toBe('done')
  })

  it('says the same to the same lines and seed, with the same digest', () => {
    const run = (seed: number): [string[], string] => {
      const shell = new Shell(seed)
      shell.perform(...HOME, 'node2 vlan join $url &', 'node3 vlan join $url.2 &', 'wait', 'node2 ping node3')
      return [shell.said(), shell.live.digest]
    }
    expect(run(3)).toEqual(run(3))
    expect(run(3)).not.toEqual(run(4))
  })

  it('goes on with what is left alone, and waits for it at the end', () => {
    const shell = new Shell()
    shell.perform(...HOME, 'node2 vlan join $url &', 'node3 vlan join $url.2 --within 30 &')
    shell.said()
    const before = shell.live.now
    expect(shell.session.finish()).toBe('done')
    expect(shell.live.now).toBeGreaterThan(before)
    const answers = shell.spoken.filter(({ kind }) => kind === 'answer')
    expect(answers.map(({ to }) => to).sort()).toEqual([
      'node2 vlan join $url &',
      'node3 vlan join $url.2 --within 30 &',
    ])
    expect(answers.map(({ value }) => (value as { line: number }).line).sort()).toEqual([3, 4])
  })

  it('fails by what was left alone, when that is refused', () => {
    const shell = new Shell()
    shell.perform(...HOME, 'node2 vlan join $url')
    expect(shell.perform('node3 vlan join $url --within 8 &')).toBe('done')
    expect(shell.perform('run 4')).toBe('done')
    expect(shell.perform('run 6')).toBe('failed')
    expect(shell.said().join(' ')).toMatch(/refused \(notAdmitted\): .* the invitation is spent/)
    shell.perform('expect notAdmitted node3 vlan join $url --within 8 &')
    expect(shell.perform('wait')).toBe('done')
  })

  it('demands a refusal that is expected, and that one', () => {
    const shell = new Shell()
    shell.perform(...HOME)
    expect(shell.perform('expect notAuthorised node2 vlan list')).toBe('failed')
    expect(shell.said().at(-1)).toBe('and should have been refused (notAuthorised)')
    expect(shell.perform('expect noSuchVlan node2 vlan leave home')).toBe('done')
    expect(shell.perform('expect over node2 vlan leave home')).toBe('failed')
    expect(shell.said().at(-1)).toMatch(
      /^refused \(noSuchVlan, and over was expected\): this node has no VLAN/,
    )
  })

  it('breaks the network and mends it', () => {
    const shell = new Shell()
    shell.perform(...HOME, 'node2 vlan join $url', 'run 5', 'partition node2')
    expect(shell.perform('node1 ping node2')).toBe('failed')
    expect(shell.said().at(-1)).toMatch(/^refused \(noAnswer\): node2 did not answer in home: 0 of 1 echoes/)
    expect(shell.perform('heal', 'run 40', 'node1 ping node2')).toBe('done')
    shell.perform('crash node2 node3', 'crash node2')
    expect(shell.said().slice(-2)).toEqual([
      'node2, node3 stopped at once',
      'nobody stopped at once; 1 down already',
    ])
    expect(shell.perform('node2 vlan list')).toBe('failed')
    expect(shell.said()).toEqual(['refused (nodeDown): node2 is not up; write start node2, or let time pass'])
    shell.perform('run 30', 'status')
    expect(shell.said()[0]).toMatch(/^6 of 8 nodes are up, 100 % of them below node\d$/)
    expect(shell.perform('start node2 node3', 'run 60', 'node2 ping node1')).toBe('done')
    shell.perform('leave node4', 'run 10', 'status')
    expect(shell.said().at(-4)).toMatch(/^7 of 8 nodes are up/)
  })

  it('lets time pass, no further than the scenario goes', () => {
    const shell = new Shell()
    shell.perform('run 2.5', 'at 4')
    expect(shell.live.now).toBe(4_000_000)
    expect(() => shell.perform('at 3 status')).toThrow(
      'at 3: it is 4 s already; name a later time, or leave out the at',
    )
    expect(() => shell.perform('run 600')).toThrow(
      'the scenario ends at 600 s; give it more time, with --set seconds=86400',
    )
  })

  it('tells of a node in full: its place, its neighbours, and what it refused', () => {
    const shell = new Shell()
    shell.perform(...HOME, 'node2 vlan join $url', 'expect notAdmitted node3 vlan join $url --within 10')
    shell.said()
    shell.perform('status node1')
    const [place, near] = shell.said()
    expect(place).toMatch(/^node1: root node\d/)
    expect(near).toMatch(/^neighbours (node\d [\d.]+ ms ?)+/)
    const { counters } = (shell.live.machine(1).view() ?? {}) as { counters: Record<string, number> }
    const spent = [0, 1, 2].map((node) => shell.live.machine(node).view()?.counters.doorSerialSpent ?? 0)
    expect(spent[1]).toBe(counters.doorSerialSpent ?? 0)
    expect(Math.max(...spent)).toBeGreaterThan(0)
  })
})

describe('help', () => {
  it('lists every refusal that can be expected', () => {
    const lines = helpLines(['expect'])
    const listed = lines.join(' ').split(/\s+/)
    expect(listed).toEqual(['expect', 'one', 'of', ...Object.keys(REFUSAL)])
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(WIDTH)
  })
})

describe('a line that asks for nothing there is', () => {
  it.each([
    ['foo', '"foo" is neither a command nor a node; "help" lists the commands'],
    ['statsu', '"statsu" is neither a command nor a node; did you mean "status"?'],
    ['node9 vlan list', 'there is no node9; nodes are node0 to node7'],
    ['crash', 'crash: a node is missing; write crash node3'],
    ['crash home', '"home" is no node; nodes are node0 to node7'],
    ['node1', 'node1: say what to do there; write node1 vlan ..., node1 ping ..., or say ...'],
    ['node1 dance', '"dance" is nothing that a node does; write node1 vlan ..., node1 ping ..., or say ...'],
    ['node1 vlan', 'vlan: say what to do: create, invite, join, leave, off, on, remove, list, show,'],
    ['node1 vlan crate x', '"crate" is no verb of vlan; did you mean "vlan create"?'],
    ['node1 vlan create', 'NODE vlan create: label is missing; write NODE vlan create LABEL'],
    ['node1 vlan create a b', '"b" is one argument too many for "NODE vlan create"'],
    ['node1 vlan create a --mtuu 9', '--mtuu is no flag of "NODE vlan create"; did you mean --mtu?'],
    ['node1 vlan create a --mtu 9', '--mtu is "9"; it must be a whole number from 576 to 9216'],
    ['node1 vlan create a --privacy open', '--privacy is "open"; it is one of private, spec'],
    ['node1 vlan create a --signers 2/3', '--signers is "2/3"; it must be how many of how many keys'],
    ['node1 vlan create a --signers 3-of-2', 'an authority of 3 in 2 keys'],
    ['node1 vlan join peertap:A', 'breaks off'],
    ['node1 vlan invite home --count 0', '--count is "0"; it must be a whole number from 1 to 64'],
    ['run', 'run : it takes a number of seconds, up to 864000; write run 10'],
    ['run -1', 'run -1: it takes a number of seconds'],
    ['run 5 &', 'run is not waited for anyway; leave out the &'],
    ['$x = run 5', 'run answers nothing; leave out $x ='],
    ['$x = node1 vlan list', '$x can hold an invitation, and nothing of this answer; leave out $x ='],
    ['$x = node1 vlan invite home &', '$x would be set too late to be of use; leave out the &'],
    ['expect nothing status', 'expect "nothing": there is no such refusal'],
    ['expect somethingElse status', 'it is one of noSuchVlan, noSuchMember, '],
    ['expect noDor status', 'did you mean noDoor?'],
    ['expect noDoor run 5', 'run is never refused; write it without expect'],
    ['constructor', '"constructor" is neither a command nor a node'],
    ['expect toString status', 'expect "toString": there is no such refusal'],
    ['node1 ping node2 --toString', '--toString is no flag'],
  ])('is refused: %s', (line, message) => {
    const shell = new Shell()
    shell.perform('run 5')
    expect(() => shell.perform(line)).toThrow(message)
  })
})
