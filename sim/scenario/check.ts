/**
 * What has to fit together across the parts of a scenario. The schema has judged each part alone before.
 */
import { UsageError } from '../../core/errors.ts'
import type { BoundName, Scenario } from '../scenario.ts'
import { endOfGuests } from './entrances.ts'
import { type Mistake, pathText } from './explain.ts'
import { endOfFault, type Fault, type Who } from './faults.ts'
import { nodeConfigChanges } from './nodes.ts'
import { dataNeeds } from './publish.ts'

type Path = readonly (string | number)[]
/** `others` are the places that `message` compares with. */
type Report = (path: Path, message: string, ...others: readonly Path[]) => void

/** Shares are written with a few digits; their sum may be off by rounding. */
const SHARE_TOLERANCE = 1e-6

/** Bounds on what is a share. */
const SHARE_BOUNDS: readonly BoundName[] = ['delivery', 'arrivedShare', 'reachableShare']

export function checkTogether(scenario: Scenario): Mistake[] {
  const mistakes: Mistake[] = []
  const report: Report = (path, message, ...others) => {
    mistakes.push({ path, message: `${pathText(path)} ${message}`, others })
  }
  checkNodes(scenario, report)
  checkEngine(scenario, report)
  checkEntrances(scenario, report)
  checkTimes(scenario, report)
  checkFiles(scenario, report)
  checkDistributions(scenario, report)
  checkTraffic(scenario, report)
  for (const [index, fault] of scenario.faults.entries())
    checkFault(scenario, fault, ['faults', index], report)
  checkBounds(scenario, report)
  return mistakes
}

function checkNodes(scenario: Scenario, report: Report): void {
  const { nodes, vlans } = scenario
  if (nodes.contacts > nodes.count) {
    report(
      ['nodes', 'contacts'],
      `is ${nodes.contacts}; it must be at most nodes.count (${nodes.count}); lower it`,
      ['nodes', 'count'],
    )
  }
  const sum = nodes.reach.public + nodes.reach.punchable + nodes.reach.private
  if (Math.abs(sum - 1) > SHARE_TOLERANCE) {
    report(
      ['nodes', 'reach'],
      `adds up to ${Number(sum.toFixed(6))}; its shares must add up to 1; change one of them`,
    )
  }
  for (const [index, { members }] of vlans.entries()) {
    if (members <= nodes.count) continue
    report(
      ['vlans', index, 'members'],
      `is ${members}; it must be at most nodes.count (${nodes.count}); lower it or add nodes`,
      ['nodes', 'count'],
    )
  }
  const changes = {
    config: nodes.config,
    contactConfig: { ...nodes.config, ...nodes.contactConfig },
  }
  for (const [name, config] of Object.entries(changes)) {
    try {
      nodeConfigChanges(config)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      report(['nodes', name], `cannot work: ${error.message}`, ['nodes', 'config'])
      return
    }
  }
}

/** ts-mls signs and verifies with Ed25519; leaves and credentials that stand-ins signed it would refuse. */
function checkEngine({ mls, crypto, vlans }: Scenario, report: Report): void {
  if (mls !== 'tsmls') return
  if (crypto !== 'real') {
    report(['mls'], 'is "tsmls", which needs real keys; set crypto to "real" as well', ['crypto'])
  }
  if (vlans.every(({ group }) => group !== 'mls')) {
    report(['mls'], 'is "tsmls", but no VLAN has a group of kind "mls"; add one or remove this', ['vlans'])
  }
}

/** Guests and twins come into an MLS group later than the others, of whom one must be there. */
function checkEntrances({ vlans, seconds, healSeconds }: Scenario, report: Report): void {
  for (const [index, { guests, twins, members, group }] of vlans.entries()) {
    const late = (guests?.count ?? 0) + 2 * (twins?.pairs ?? 0)
    for (const [key, spec, end] of [
      ['guests', guests, guests && endOfGuests(guests)],
      ['twins', twins, twins?.atSeconds],
    ] as const) {
      if (spec === undefined || end === undefined) continue
      const path = ['vlans', index, key]
      const other = ['vlans', index, 'group']
      if (group !== 'mls') report(path, `is for a group of kind "mls"; set group to that or remove it`, other)
      if (late >= members) {
        const rule = `it must be below members (${members}); take fewer or add members`
        report(path, `makes ${late} members come late; ${rule}`, ['vlans', index, 'members'])
      }
      if (end > seconds - healSeconds) {
        const rule = `it must be by ${seconds - healSeconds} s (seconds less healSeconds); begin earlier`
        report(path, `ends at ${end} s; ${rule} or run longer`, ['seconds'], ['healSeconds'])
      }
    }
  }
}

function checkTimes(scenario: Scenario, report: Report): void {
  const { seconds, warmupSeconds, healSeconds, nodes } = scenario
  if (warmupSeconds >= seconds) {
    report(
      ['warmupSeconds'],
      `is ${warmupSeconds}; it must be below seconds (${seconds}), or nothing counts; lower it or run longer`,
      ['seconds'],
    )
  }
  if (nodes.joinSeconds >= seconds) {
    report(
      ['nodes', 'joinSeconds'],
      `is ${nodes.joinSeconds}; it must be below seconds (${seconds}); lower it or run longer`,
      ['seconds'],
    )
  }
  if (scenario.faults.length > 0 && healSeconds >= seconds) {
    report(
      ['healSeconds'],
      `is ${healSeconds}; it must be below seconds (${seconds}); lower it or run longer`,
      ['seconds'],
      ['faults'],
    )
  }
}

/** Scenarios are passed around: they name nothing outside of the data directory. */
function checkFiles(scenario: Scenario, report: Report): void {
  for (const { key, name } of dataNeeds(scenario)) {
    if (!/^([/\\]|[A-Za-z]:)/.test(name) && !name.split(/[/\\]/).includes('..')) continue
    report(
      key.split('.'),
      `is "${name}"; it must be relative to the data directory and stay in it; name that with --data`,
    )
  }
}

function checkDistributions({ latency, conditions }: Scenario, report: Report): void {
  const inner = latency.kind === 'distribution' ? latency.roundTripMillis : undefined
  const access = latency.kind === 'coordinates' ? latency.accessMillis : undefined
  for (const [key, drawn] of [
    ['roundTripMillis', inner],
    ['accessMillis', access],
  ] as const) {
    if (drawn?.kind !== 'uniform' || drawn.low < drawn.high) continue
    report(['latency', key, 'low'], `is ${drawn.low}; it must be below high (${drawn.high}); swap the two`, [
      'latency',
      key,
      'high',
    ])
  }
  const { loss } = conditions
  if (loss.kind === 'gilbert-elliott' && loss.goodLoss > loss.badLoss) {
    report(
      ['conditions', 'loss', 'goodLoss'],
      `is ${loss.goodLoss}; it must be at most badLoss (${loss.badLoss}); swap the two`,
      ['conditions', 'loss', 'badLoss'],
    )
  }
}

function checkTraffic({ seconds, traffic, vlans }: Scenario, report: Report): void {
  if (traffic.length > 0 && vlans.length === 0) {
    report(['traffic'], 'has no one to send it; members of VLANs do; add an entry to "vlans"', ['vlans'])
  }
  for (const [index, spec] of traffic.entries()) {
    const path = ['traffic', index]
    const until = spec.untilSeconds ?? seconds
    if (spec.fromSeconds >= until) {
      report(
        [...path, 'fromSeconds'],
        `is ${spec.fromSeconds}; it must be before the traffic ends (${until} s); lower it`,
        [...path, 'untilSeconds'],
        ['seconds'],
      )
    }
    if (until > seconds) {
      report(
        [...path, 'untilSeconds'],
        `is ${until}; it must be at most seconds (${seconds}); lower or remove it`,
        ['seconds'],
      )
    }
    if (spec.kind === 'multicast' && vlans.length > 0 && vlans.every((vlan) => vlan.multicastShare === 0)) {
      report(
        [...path, 'kind'],
        'is "multicast", but no VLAN has a group; raise a multicastShare in "vlans"',
        ['vlans'],
      )
    }
  }
}

function checkFault(scenario: Scenario, fault: Fault, path: Path, report: Report): void {
  const end = endOfFault(fault)
  const latest = scenario.seconds - scenario.healSeconds
  if (end > latest) {
    report(
      [...path, 'atSeconds'],
      `is ${fault.atSeconds}, so that this fault ends at ${end} s; it must end by ${latest} s ` +
        '(seconds less healSeconds); begin it earlier or run longer',
      path,
      ['seconds'],
      ['healSeconds'],
    )
  }
  if ('who' in fault) checkWho(scenario, fault.who, [...path, 'who'], report)
  if (fault.kind === 'revoke') checkRevoke(scenario, fault.vlan, path, report)
  if (fault.kind === 'same-mac' && scenario.vlans[0]?.group !== 'mls') {
    report(
      [...path, 'kind'],
      'is "same-mac", but the first VLAN is no group of kind "mls"; set its group to that',
      ['vlans'],
    )
  }
  if (fault.kind === 'broadcast-storm' && scenario.vlans.length === 0) {
    report(
      [...path, 'kind'],
      'is "broadcast-storm", but there is no VLAN to storm in; add an entry to "vlans"',
      ['vlans'],
    )
  }
}

function checkRevoke({ vlans }: Scenario, vlan: number, path: Path, report: Report): void {
  const all = vlans.reduce((sum, { count }) => sum + count, 0)
  if (all === 0) {
    report([...path, 'kind'], 'is "revoke", but there is no VLAN; add an entry to "vlans"', ['vlans'])
  } else if (vlan >= all) {
    const rule = `VLANs are numbered from 0 to ${all - 1} in the order of "vlans"`
    report([...path, 'vlan'], `is ${vlan}; ${rule}; choose one of them`, ['vlans'])
  } else if (groupOf(vlans, vlan) !== 'mls') {
    const rule = 'nobody can be put out of one under a static key'
    report([...path, 'vlan'], `is ${vlan}; ${rule}; give that VLAN "group": "mls"`, ['vlans'])
  }
}

/** Entries of "vlans" stand for `count` VLANs each, numbered through. */
function groupOf(vlans: Scenario['vlans'], vlan: number): 'static' | 'mls' | undefined {
  let first = 0
  for (const { count, group } of vlans) {
    if (vlan < first + count) return group
    first += count
  }
  return undefined
}

function checkWho({ nodes, latency, vlans }: Scenario, who: Who, path: Path, report: Report): void {
  if ('role' in who && who.role === 'committer' && groupOf(vlans, 0) !== 'mls') {
    report(
      [...path, 'role'],
      'is "committer", but VLAN 0 has no MLS group, so that nobody commits; give it "group": "mls"',
      ['vlans'],
    )
  }
  if ('nodes' in who) {
    const beyond = who.nodes.findIndex((node) => node >= nodes.count)
    if (beyond < 0) return
    report(
      [...path, 'nodes', beyond],
      `is ${who.nodes[beyond]}; nodes are numbered from 0 to ${nodes.count - 1}; choose one of them`,
      ['nodes', 'count'],
    )
  }
  const others = nodes.count - nodes.contacts
  if ('count' in who && who.count > others) {
    report(
      [...path, 'count'],
      `is ${who.count}; it must be at most ${others}, the nodes that are no contacts; lower it`,
      ['nodes', 'count'],
      ['nodes', 'contacts'],
    )
  }
  if ('region' in who && latency.kind !== 'regions') {
    report(
      [...path, 'region'],
      `is "${who.region}", but nodes have regions only with latency of kind "regions"; ` +
        'use that, or another "who"',
      ['latency'],
    )
  }
}

function checkBounds(scenario: Scenario, report: Report): void {
  for (const [key, limit] of Object.entries(scenario.bounds)) {
    if (limit === undefined) continue
    const path = ['bounds', key]
    const { min, max } = limit
    if (min === undefined && max === undefined) report(path, 'has no limit; give it "min", "max" or both')
    if (min !== undefined && max !== undefined && min > max) {
      report([...path, 'min'], `is ${min}; it must be at most max (${max}); swap the two`, [...path, 'max'])
    }
    const highest = Math.max(min ?? 0, max ?? 0)
    if (SHARE_BOUNDS.includes(key as BoundName) && highest > 1) {
      report(path, `has the limit ${highest}; it is a share from 0 to 1; for 99.9 % write 0.999`)
    }
    const need = missingFor(scenario, key as BoundName)
    if (need === undefined) continue
    report(path, `cannot be measured without ${need.what}; add it or remove the bound`, [need.where])
  }
}

interface Need {
  readonly what: string
  /** The key of the scenario that would have it. */
  readonly where: 'traffic' | 'churn' | 'faults' | 'vlans'
}

/** What a bound needs that the scenario does not have. */
function missingFor({ traffic, faults, churn, vlans }: Scenario, name: BoundName): Need | undefined {
  const group = traffic.some(({ kind }) => kind === 'broadcast' || kind === 'multicast')
  const crashes = faults.some(({ kind }) => kind === 'relay-crashes')
  const need = (met: boolean, where: Need['where'], what: string): Need | undefined =>
    met ? undefined : { what, where }
  switch (name) {
    case 'delivery':
    case 'arrivedShare':
    case 'latencyP99Millis':
      if (vlans.length > 0 && vlans.every(({ members }) => members < 2))
        return { where: 'vlans', what: 'a VLAN with two members' }
      return need(traffic.length > 0, 'traffic', 'traffic')
    case 'stretchP50':
      return need(
        traffic.some(({ kind }) => kind === 'unicast'),
        'traffic',
        'unicast traffic',
      )
    case 'convergeSeconds':
    case 'reachableShare':
      if (vlans.length === 0) return { where: 'vlans', what: 'VLANs' }
      return need(churn.kind === 'none', 'churn', 'an end of all churn (churn of kind "none")')
    case 'copiesPerMember':
      return need(group, 'traffic', 'broadcast or multicast traffic')
    case 'hijackClaims':
    case 'hijackRefused':
    case 'hijackDrawn':
      return need(
        faults.some((fault) => fault.kind === 'misbehave' && fault.how === 'hijack'),
        'faults',
        'a fault that misbehaves by "hijack"',
      )
    case 'macClashes':
    case 'macSettledSeconds':
      return need(
        faults.some(({ kind }) => kind === 'same-mac'),
        'faults',
        'a fault of kind "same-mac"',
      )
    case 'outageP50Seconds':
    case 'outageP99Seconds':
      return need(crashes, 'faults', 'a fault of kind "relay-crashes"')
    case 'returnSeconds':
      return need(
        faults.some(({ kind }) => kind === 'crash' || kind === 'leave'),
        'faults',
        'a fault of kind "crash" or "leave"',
      )
    case 'joinP50Seconds':
    case 'joinP99Seconds':
    case 'epochs':
    case 'oneEpochSeconds':
      return need(
        vlans.some(({ group }) => group === 'mls'),
        'vlans',
        'a VLAN with "group": "mls"',
      )
    case 'evictSeconds':
      return need(
        faults.some(({ kind }) => kind === 'revoke'),
        'faults',
        'a fault of kind "revoke"',
      )
    default:
      return undefined
  }
}
