/**
 * Why an MLS job failed: one closed set for all engines. A refusal is an outcome, counted by its name and
 * never thrown; what a hostile peer sends can end in nothing else (sec:S18). Knows no job and no engine.
 */

export const MLS_REFUSAL = {
  // What the bytes are.
  /** Longer than the limit of its kind, or would be if it were made (core/mls/limits.ts). */
  tooLarge: 'tooLarge',
  /** Not of the form it should have; also credentials other than basic ones of 118 bytes (R14). */
  undecodable: 'undecodable',
  /** A whole message and something behind it (R14). */
  trailingBytes: 'trailingBytes',
  /** Some other kind of MLS message: a proposal, application data, a GroupInfo, a Welcome for a commit. */
  messageKind: 'messageKind',
  /** Another ciphersuite than that of the group or of the KeyPackage. */
  wrongSuite: 'wrongSuite',
  /** Another group's. */
  wrongGroup: 'wrongGroup',
  /** Not of the epoch of the named state: older, later, or a replay into a later state (R11, R13). */
  wrongEpoch: 'wrongEpoch',
  /** A signature, a tag or an opening failed: forged, changed, of a sibling branch, or from no member. */
  unverified: 'unverified',

  // What a commit may not be or do.
  /** Not sent by a member from inside: an external commit, or a commit in clear (R5, R6, R12, M8). */
  externalCommit: 'externalCommit',
  /** Names a proposal instead of containing it (R10). */
  byReference: 'byReference',
  /** A proposal other than Add and Remove (R8, R9). */
  proposalKind: 'proposalKind',
  /** More Adds or Removes than one commit may have. */
  tooManyProposals: 'tooManyProposals',
  /** A Remove of a leaf that is empty, named twice, or the committer's own. */
  badRemove: 'badRemove',
  /** A KeyPackage that is not valid in this group: signature, version, lifetime, capabilities, init key. */
  badKeyPackage: 'badKeyPackage',
  /** A credential that does not bind its leaf key to its member key in this VLAN (sec:C1). */
  badCredential: 'badCredential',
  /**
   * The keys of the committer's path are missing, do not fit the tree, one another or what was sealed to
   * this member, or are such that nobody can seal to them: later commits would split or stop the group.
   */
  badPath: 'badPath',
  /** Made by this very member: it was processed when it was made, and cannot be again (R11). */
  ownCommit: 'ownCommit',
  /** The commit removes this very member: no state can follow. */
  removed: 'removed',

  // What the roster may not become.
  duplicateMember: 'duplicateMember',
  duplicateSignatureKey: 'duplicateSignatureKey',
  duplicateHpkeKey: 'duplicateHpkeKey',
  /** A member replaced by itself with a join number that is not higher (sec:C1). */
  staleJoinNumber: 'staleJoinNumber',
  /** The committer changed its credential (R7). */
  committerIdentityChanged: 'committerIdentityChanged',
  /** The committer changed its signature key. */
  committerKeyChanged: 'committerKeyChanged',
  /** The roster differs by something that no proposal says. */
  rosterMismatch: 'rosterMismatch',
  /** Extension 0xF001, or another extension of the group, is missing or changed (R8). */
  extensionChanged: 'extensionChanged',
  /** The group is, or would become, suspended (R8: ReInit) or left. */
  groupInactive: 'groupInactive',

  // What concerns joining.
  /** The Welcome is for other KeyPackages. */
  notForUs: 'notForUs',
  /** Extension 0xF001 is not the Charter's hash that the joiner expects (sec:C6). */
  wrongCharter: 'wrongCharter',

  // What concerns the engine.
  /** No state of this name in this group. */
  unknownState: 'unknownState',
  /** There was one, but its engine was stopped: restore it from stored bytes, or rejoin. */
  stateLost: 'stateLost',
  /** The name for the new state is in use. */
  stateTaken: 'stateTaken',
  /** A KeyPackage where a group state is needed, or the other way round. */
  stateKind: 'stateKind',
  /** All places for states or groups are taken: drop some. */
  tableFull: 'tableFull',
  /** The job took too long and its engine was stopped, with all states of all groups (R12). */
  deadline: 'deadline',
  /** Too many jobs wait. */
  queueFull: 'queueFull',
  /** The engine failed in a way that has no name; nothing of the job remains. */
  engineFailed: 'engineFailed',
} as const
export type MlsRefusal = (typeof MLS_REFUSAL)[keyof typeof MLS_REFUSAL]
