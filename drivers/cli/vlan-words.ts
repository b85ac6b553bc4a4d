/**
 * How the verbs of VLANs are written and read by people: their flags, and what is said of their results. What
 * they do is the library's (drivers/control).
 */
import { UsageError } from '../../core/errors.ts'
import { SECOND } from '../../core/io.ts'
import { SUITE } from '../../core/mls/engine.ts'
import type { Verbs } from '../control/asks.ts'
import type { Certified } from '../control/certify.ts'
import type { Evicted, GrantRevoked } from '../control/evict.ts'
import { INVITATIONS_MAX, type Invited } from '../control/invite.ts'
import { MTU_MAX } from '../control/mtu.ts'
import { short } from '../control/names.ts'
import type { Pending } from '../control/outcome.ts'
import type { MemberRow, VlanDetails } from '../control/views.ts'
import {
  type Entered,
  type Gone,
  type Granted,
  JOIN_WITHIN,
  type Switched,
  type VlanRow,
} from '../control/vlans.ts'
import type { Flag, Given, Wording } from './flags.ts'
import { qrLines } from './qr.ts'
import { counted, tableLines, WIDTH, wrapWords } from './table.ts'

/** What a person is called beside its key, where that is known; `''` where not. */
export type NameOf = (member: string) => string

/** A result, as a machine takes it, as a person does, and the texts in it that other verbs take. */
export interface Answer {
  readonly value: object
  readonly lines: readonly string[]
  readonly texts?: readonly string[]
}

export interface VlanWord extends Wording {
  /** Begins it; `answer` is for its result. */
  start(verbs: Verbs, given: Given): Pending<object>
  answer(value: never, given: Given, nameOf: NameOf): Answer
}

const DAY_MILLIS = 86_400_000
/** Ten years; who wants more invites again. */
const DAYS_MAX = 3_650
const DAYS_DEFAULT = 90
const WITHIN_MAX_SECONDS = 3_600

const VLAN = { name: 'vlan', describe: 'Its label, or the first digits of its VLAN-ID' }
const MEMBER = { name: 'member', describe: 'The first digits of its key' }
const DAYS: Flag = { kind: 'text', describe: `For how many days (default ${DAYS_DEFAULT})` }

function word<T extends object>(
  name: string,
  parts: Omit<VlanWord, 'words' | 'answer' | 'start' | 'flags'> & {
    readonly flags?: VlanWord['flags']
    readonly start: (verbs: Verbs, given: Given) => Pending<T>
    readonly lines: (value: T, given: Given, nameOf: NameOf) => readonly string[]
    readonly texts?: (value: T) => readonly string[]
  },
): VlanWord {
  const { lines, texts, ...rest } = parts
  return {
    flags: {},
    ...rest,
    words: ['vlan', name],
    answer: (value: T, given, nameOf) => ({
      value,
      lines: lines(value, given, nameOf),
      ...(texts && { texts: texts(value) }),
    }),
  }
}

const create = word<Entered>('create', {
  describe: 'Found a VLAN, with this node as its authority and first member',
  arguments: [{ name: 'label', describe: 'What it is called; 1 to 63 bytes' }],
  flags: {
    privacy: {
      kind: 'text',
      describe: 'private: tokens tell outsiders nothing; spec: those of the specification',
    },
    mtu: { kind: 'text', describe: `Of its interfaces, 576 to ${MTU_MAX} bytes (default 1280)` },
    suite: { kind: 'text', describe: 'x25519, or xwing against quantum computers (default x25519)' },
    sign: { kind: 'text', describe: 'Which frames are signed: group (default), or all' },
    padding: { kind: 'text', describe: 'small (default), none, or all' },
    signers: { kind: 'text', describe: 'An authority of several keys, as 2-of-3 (default one key)' },
  },
  start: (verbs, given) =>
    verbs.create({
      label: given.argument('label'),
      privacy: given.choice('privacy', ['private', 'spec']),
      mtu: given.whole('mtu', 576, MTU_MAX) ?? 1_280,
      suite: SUITE[given.choice('suite', ['x25519', 'xwing'])],
      sign: given.choice('sign', ['group', 'all']),
      padding: given.choice('padding', ['small', 'none', 'all']),
      signers: signersOf(given),
    }),
  lines: (value) => [`VLAN ${value.label} ${short(value.vlan)} is founded; ${ownWords(value)}`],
})

const invite = word<Invited>('invite', {
  describe: 'Make invitations, each for one person: a line to send, or a code to show',
  arguments: [VLAN],
  flags: {
    count: { kind: 'text', describe: `For how many persons, 1 to ${INVITATIONS_MAX} (default 1)` },
    days: DAYS,
    qr: { kind: 'switch', describe: 'Show QR codes' },
  },
  start: (verbs, given) =>
    verbs.invite(given.argument('vlan'), {
      count: given.whole('count', 1, INVITATIONS_MAX) ?? 1,
      lifeMillis: lifeOf(given),
    }),
  lines: ({ label, invitations }, given) =>
    invitations.flatMap(({ url, qr, serial, endsMillis }) => [
      `invitation ${short(serial)} to ${label}, good until ${dateOf(endsMillis)} for whoever is first:`,
      url,
      ...(given.on('qr') ? qrLines(qr) : []),
    ]),
  texts: ({ invitations }) => invitations.map(({ url }) => url),
})

const join = word<Entered>('join', {
  describe: 'Redeem an invitation, and wait to be let in',
  arguments: [{ name: 'url', describe: 'The invitation, from peertap: to its end' }],
  flags: { within: { kind: 'text', describe: `Seconds to wait (default ${JOIN_WITHIN / SECOND})` } },
  start: (verbs, given) => {
    const seconds = given.whole('within', 1, WITHIN_MAX_SECONDS)
    return verbs.join(given.argument('url'), seconds === undefined ? JOIN_WITHIN : seconds * SECOND)
  },
  lines: (value) => [
    `in VLAN ${value.label} ${short(value.vlan)} after ${secondsOf(value.seconds)}, ` +
      `one of ${value.members}; ${ownWords(value)}`,
  ],
})

const leave = word<Gone>('leave', {
  describe: 'Say goodbye to a VLAN for good, or give up asking to be let in, and forget its keys',
  arguments: [VLAN],
  flags: { yes: { kind: 'switch', describe: "Even with the authority's keys, which are nowhere else" } },
  start: (verbs, given) => verbs.leave(given.argument('vlan'), given.on('yes')),
  lines: ({ label, asked, seconds }) => [
    asked
      ? `${label} is not asked for any more; its keys are forgotten, but for the one to ask again with`
      : `left ${label} after ${secondsOf(seconds)}; its keys are forgotten`,
  ],
})

const remove = word<Gone>('remove', {
  describe: 'Forget a VLAN and tell nobody',
  arguments: [VLAN],
  flags: { force: { kind: 'switch', describe: 'Even while its member' } },
  start: (verbs, given) => verbs.remove(given.argument('vlan'), given.on('force')),
  lines: ({ label }) => [`${label} and its keys are forgotten`],
})

const off = word<Switched>('off', {
  describe: 'Take away its interface and do nothing for it, and stay a member',
  arguments: [VLAN],
  start: (verbs, given) => verbs.switchOff(given.argument('vlan')),
  lines: ({ label }) => [`${label} is off; "vlan on" goes back in`],
})

const on = word<Switched>('on', {
  describe: 'Go back into a VLAN that is off',
  arguments: [VLAN],
  start: (verbs, given) => verbs.switchOn(given.argument('vlan')),
  lines: ({ label }) => [`${label} is on; "vlan list" says when this node is in again`],
})

const list = word<{ readonly vlans: readonly VlanRow[] }>('list', {
  describe: 'The VLANs of this node',
  start: (verbs) => verbs.list(),
  lines: ({ vlans }) =>
    vlans.length === 0
      ? ['this node has no VLAN']
      : tableLines(
          [
            ['vlan', 'id', 'state', 'role', 'epoch', 'members', 'mac'],
            ...vlans.map((row) => [
              row.label,
              short(row.vlan),
              vlanStateWords(row),
              row.role,
              row.epoch < 0 ? '' : String(row.epoch),
              String(row.members),
              row.mac ?? '',
            ]),
          ],
          ['left', 'left', 'left', 'left', 'right', 'right', 'left'],
          0,
        ),
})

const show = word<VlanDetails>('show', {
  describe: 'One VLAN in full: terms, epoch, what its group and its door counted',
  arguments: [VLAN],
  start: (verbs, given) => verbs.show(given.argument('vlan')),
  lines: (value) => showLines(value),
})

const members = word<{
  readonly label: string
  readonly epoch: number
  readonly members: readonly MemberRow[]
}>('members', {
  describe: 'Who is in a VLAN, as this node knows',
  arguments: [VLAN],
  start: (verbs, given) => verbs.members(given.argument('vlan')),
  lines: ({ label, epoch, members: rows }, _, nameOf) =>
    epoch < 0
      ? [`${label}: this node is in no epoch of it, and knows no member; "vlan show" says why`]
      : [
          `${label}, epoch ${epoch}: ${counted(rows.length, 'member')}`,
          ...tableLines(
            [
              ['member', '', 'mac', 'state', 'role', 'since', 'until'],
              ...rows.map((row) => [
                short(row.member),
                row.self ? 'this node' : nameOf(row.member),
                row.mac ?? '',
                stateOf(row),
                row.role,
                momentOf(row.sinceMillis),
                row.endsMillis === undefined ? '' : dateOf(row.endsMillis),
              ]),
            ],
            ['left', 'left', 'left', 'left', 'left', 'left', 'left'],
            0,
          ),
        ],
})

const evict = word<Evicted>('evict', {
  describe: 'Put a member out: the authority anybody, an admin plain members',
  arguments: [VLAN, MEMBER],
  flags: { void: { kind: 'switch', describe: 'Of an admin: put out those whom it admitted too' } },
  start: (verbs, given) =>
    verbs.evict(given.argument('vlan'), given.argument('member'), { voids: given.on('void') }),
  lines: ({ label, member, epoch, kept, seconds }, _, nameOf) => {
    const name = [short(member), nameOf(member)].filter((part) => part !== '').join(' ')
    const stays = kept === 0 ? '' : `; ${kept} whom it admitted stay`
    return [`${name} is out of ${label} after ${secondsOf(seconds)}, from epoch ${epoch} on${stays}`]
  },
})

const revoke = word<GrantRevoked>('revoke', {
  describe: 'Take a grant back, such as an invitation that is not to be used',
  arguments: [VLAN, { name: 'grant', describe: 'The first digits of its serial' }],
  start: (verbs, given) => verbs.revokeGrant(given.argument('vlan'), given.argument('grant')),
  lines: ({ label, serial }) => [`grant ${short(serial)} of ${label} is revoked`],
})

const grants = word<Granted>('grants', {
  describe: 'Who was admitted or invited, by whom, and until when',
  arguments: [VLAN],
  start: (verbs, given) => verbs.grants(given.argument('vlan')),
  lines: ({ label, over, grants: rows }, _, nameOf) => [
    `${label}: ${counted(rows.length, 'grant')}${over === undefined ? '' : outOfIt(over)}`,
    ...tableLines(
      [
        ['grant', 'kind', 'role', 'holder', '', 'by', 'state', 'until'],
        ...rows.map((row) => [
          short(row.serial),
          row.kind,
          row.role,
          row.holder === undefined ? '' : short(row.holder),
          row.holder === undefined ? '' : nameOf(row.holder),
          row.issuer === undefined ? 'authority' : short(row.issuer),
          row.state,
          dateOf(row.endsMillis),
        ]),
      ],
      ['left', 'left', 'left', 'left', 'left', 'left', 'left', 'left'],
      0,
    ),
  ],
})

const renew = word<Certified>('renew', {
  describe: 'Let a member stay for longer',
  arguments: [VLAN, MEMBER],
  flags: { days: DAYS },
  start: (verbs, given) => certified(verbs, given, 'member'),
  lines: (value, _, nameOf) => [certifiedLine(value, nameOf, 'may stay')],
})

const admin = word<Certified>('admin', {
  describe: 'Make a member an admin, who admits and puts out plain members',
  arguments: [VLAN, MEMBER],
  flags: { days: DAYS },
  start: (verbs, given) => certified(verbs, given, 'admin'),
  lines: (value, _, nameOf) => [certifiedLine(value, nameOf, 'is an admin')],
})

export const VLAN_WORDS: readonly VlanWord[] = [
  create,
  invite,
  join,
  leave,
  off,
  on,
  remove,
  list,
  show,
  members,
  evict,
  revoke,
  grants,
  renew,
  admin,
]

function certified(verbs: Verbs, given: Given, role: 'member' | 'admin'): Pending<Certified> {
  return verbs.certify(given.argument('vlan'), given.argument('member'), { role, lifeMillis: lifeOf(given) })
}

function certifiedLine({ label, member, endsMillis }: Certified, nameOf: NameOf, what: string): string {
  const name = [short(member), nameOf(member)].filter((part) => part !== '').join(' ')
  return `${name} ${what} in ${label} until ${dateOf(endsMillis)}`
}

function signersOf(given: Given): { needed: number; of: number } | undefined {
  const text = given.text('signers')
  if (text === undefined) return undefined
  const [, needed, of] = /^(\d{1,2})-of-(\d{1,2})$/.exec(text) ?? []
  if (needed !== undefined && of !== undefined) return { needed: Number(needed), of: Number(of) }
  throw new UsageError(`--signers is "${text}"; it must be how many of how many keys; write --signers 2-of-3`)
}

function lifeOf(given: Given): number {
  return (given.whole('days', 1, DAYS_MAX) ?? DAYS_DEFAULT) * DAY_MILLIS
}

function outOfIt(over: string): string {
  return `; this member is out (${over}), its own are void, and of the rest it knows what was before`
}

/** Where this node is of a VLAN. */
export function vlanStateWords({
  phase,
  over,
  asking,
  off,
}: Pick<VlanDetails, 'phase' | 'over' | 'asking' | 'off'>): string {
  if (phase === 'member') return 'in'
  if (phase === 'over') return `out (${over})`
  if (off) return 'off'
  return asking ? 'asks to be let in' : 'on its way back in'
}

function showLines(value: VlanDetails): string[] {
  const { terms, signers } = value
  const rows = [
    ['vlan', `${value.label} ${value.vlan}`],
    ['state', vlanStateWords(value)],
    ['authority', signers.of === 1 ? 'one key' : `${signers.needed} of ${signers.of} keys`],
    ['own key', value.member],
  ]
  if (value.mac !== undefined) rows.push(['mac', value.mac])
  if (value.mlsId !== undefined) rows.push(['epoch', `${value.epoch}, MLS-ID ${value.mlsId}`])
  rows.push(['members', `${value.members}; ${value.facts} facts`])
  if (terms !== undefined) {
    const suite = terms.suite === SUITE.xwing ? 'xwing' : 'x25519'
    const said = `${terms.privacy}, MTU ${terms.mtu}, ${suite}, signs ${terms.sign}, pads ${terms.padding}`
    rows.push(['terms', `${said}, version ${terms.version}`])
  }
  const counts = Object.entries(value.counters).map(([name, count]) => `${name}\u00a0${count}`)
  const lines = tableLines(rows, ['left', 'left'], 0)
  return [
    ...lines,
    ...wrapWords(['counted', ...counts], WIDTH, 2).map((line) => line.replaceAll('\u00a0', ' ')),
  ]
}

function ownWords({ member, mac }: Entered): string {
  return `own key ${short(member)}, MAC ${mac ?? 'not drawn yet'}`
}

function stateOf({ presence, refused, heardSecondsAgo }: MemberRow): string {
  if (refused !== undefined) return refused
  if (presence === 'online') return 'online'
  const heard = heardSecondsAgo === undefined ? 'not heard yet' : `heard ${agoOf(heardSecondsAgo)} ago`
  return presence === 'offline' ? `offline, ${heard}` : heard
}

function agoOf(seconds: number): string {
  return seconds < 600 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`
}

function secondsOf(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1_000)} ms` : `${seconds.toFixed(2)} s`
}

/** `2026-04-01`. */
function dateOf(millis: number): string {
  return new Date(millis).toISOString().slice(0, 10)
}

/** `2026-01-01 00:00:23`. */
function momentOf(millis: number): string {
  return new Date(millis).toISOString().slice(0, 19).replace('T', ' ')
}
