/**
 * Named counters of one node: every drop, refusal and bound has its own name, so that nothing
 * disappears in silence. Counting is an increment in a typed array; names are for people.
 */

/** A closed set: the name is the documentation. Add a line, never reuse one for another meaning. */
export const COUNTERS = [
  // What was carried.
  'packetsIn',
  'bytesIn',
  'packetsOut',
  'bytesOut',
  'controlIn',
  'controlOut',
  'controlBytesOut',
  'framesIn',
  'framesDelivered',
  'packetsForwarded',
  // Signature work, charged to the node's processor in simulations (mesh:S22).
  'signed',
  'verified',
  'sealed',
  'opened',
  // Malformed or misplaced input from peers.
  'dropUnknownLink',
  'dropMalformed',
  'dropUnknownKind',
  'dropVersion',
  'dropBadSignature',
  'dropNotNeighbour',
  'dropUnexpected',
  'dropTooLong',
  // What peers claim of the tree and cannot prove.
  'dropPath',
  'dropUnproven',
  'dropRootClass',
  // Data path, in the order of the forwarding decision (mesh text (b), B5).
  'dropLinkNotOpen',
  'dropVlanPolicy',
  'dropHopLimit',
  'dropStorm',
  'dropIngressQuota',
  'dropNoToken',
  'dropDuplicate',
  'dropDataNotReady',
  'dropDataQueue',
  // Sealed packets at a member.
  'dropUnknownEpoch',
  'dropBadTag',
  'dropReplay',
  'dropPlaintext',
  'dropNotOurToken',
  // Sealed packets of an MLS group (sec:A4 to A12, B9).
  'dropUnknownKey',
  'dropUnsigned',
  'dropNotMember',
  'dropRefused',
  'dropLate',
  'dropStale',
  'dropCard',
  'dropInit',
  'dropFragment',
  'dropNoEpoch',
  'dropNoCard',
  'dropFrozen',
  'dropKeySpent',
  'packetsHeld',
  'framesIncomplete',
  // The edge.
  'dropFrameShort',
  'dropFrameLong',
  'dropNoPort',
  'dropBroadcastRate',
  'dropMacTable',
  'dropMacConflict',
  'dropPortShut',
  // Bounds.
  'boundControlQueue',
  'boundLinks',
  'boundDials',
  'boundPassive',
  'boundHearsay',
  'boundWalks',
  'boundVoids',
  'boundRoots',
  'boundCertificates',
  'boundVlans',
  'boundTokens',
  'boundRegRate',
  'boundPorts',
  'boundGroups',
  'boundSuppression',
  'boundSenders',
  'boundKeys',
  'boundOpens',
  'boundInits',
  'boundHold',
  'boundFragments',
  'boundClaims',
  'boundPathRequests',
  'boundVerify',
  'boundPaced',
  'boundControlRate',
  // Life of links and trees.
  'helloSent',
  'probeSent',
  'linkDead',
  'linkClogged',
  'dialsStarted',
  'dialsFailed',
  'neighboursRefused',
  'neighboursSwapped',
  'swapsFailed',
  'treeAttach',
  'treeRegress',
  'treeAlternate',
  'treeRoot',
  'treeRefresh',
  'treeUpdate',
  'treeVoid',
  'treeBeatLost',
  'treeBeatWithheld',
  'treeDamped',
  'treeCostMoved',
  'registrations',
  'registrationsRefused',
  'registrationResent',
  // Bytes of packets that members of MLS groups seal and get which carry no frame.
  'groupBytesOut',
  'groupBytesIn',
  'doorBytesOut',
  'doorBytesIn',
  // Life of sealed groups.
  'livesStarted',
  'cardsSent',
  'cardsTaken',
  'cardsUnproven',
  'cardsAsked',
  'initsSent',
  'initsRepeated',
  'initsTaken',
  'keysAgreed',
  'groupKeysTurned',
] as const
export type CounterName = (typeof COUNTERS)[number]

/** Index of each counter, so that the hot path touches an array and no string. */
export const COUNT: { readonly [Name in CounterName]: number } = Object.fromEntries(
  COUNTERS.map((name, index) => [name, index]),
) as { [Name in CounterName]: number }

export class Counters {
  readonly #values: Float64Array
  readonly #from: number

  /** `values`: where the counts stand, COUNTERS.length of them from `from` on; zero at first. */
  constructor(values: Float64Array = new Float64Array(COUNTERS.length), from = 0) {
    this.#values = values
    this.#from = from
  }

  // HOT PATH
  add(counter: number, amount = 1): void {
    const at = this.#from + counter
    this.#values[at] = (this.#values[at] as number) + amount
  }

  get(name: CounterName): number {
    return this.#values[this.#from + COUNT[name]] as number
  }

  /** All that are not zero, by name, in the order of the list above. */
  view(): Record<string, number> {
    const result: Record<string, number> = {}
    for (let index = 0; index < COUNTERS.length; index++) {
      const value = this.#values[this.#from + index] as number
      if (value !== 0) result[COUNTERS[index] as CounterName] = value
    }
    return result
  }
}
