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
  'boundPathRequests',
  'boundVerify',
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
] as const
export type CounterName = (typeof COUNTERS)[number]

/** Index of each counter, so that the hot path touches an array and no string. */
export const COUNT: { readonly [Name in CounterName]: number } = Object.fromEntries(
  COUNTERS.map((name, index) => [name, index]),
) as { [Name in CounterName]: number }

export class Counters {
  readonly values = new Float64Array(COUNTERS.length)

  add(counter: number, amount = 1): void {
    this.values[counter] = (this.values[counter] as number) + amount
  }

  get(name: CounterName): number {
    return this.values[COUNT[name]] as number
  }

  /** All that are not zero, by name, in the order of the list above. */
  view(): Record<string, number> {
    const result: Record<string, number> = {}
    for (let index = 0; index < COUNTERS.length; index++) {
      const value = this.values[index] as number
      if (value !== 0) result[COUNTERS[index] as CounterName] = value
    }
    return result
  }
}
