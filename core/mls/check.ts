/**
 * What a caller can get wrong in a job: a UsageError, in every engine alike. Bytes that come from peers are
 * not checked here; engines refuse them by name.
 */
import { UsageError } from '../errors.ts'
import { VLAN_ID_BYTES } from '../ids.ts'
import { type ExportWish, type MlsJob, SUITE } from './engine.ts'
import {
  AUTHENTICATED_DATA_BYTES_MAX,
  CREDENTIAL_BYTES,
  EXPORT_BYTES_MAX,
  EXPORT_CONTEXT_BYTES_MAX,
  WELCOME_DATA_BYTES_MAX,
  WISHES_MAX,
} from './limits.ts'

const SEED_BYTES = 32
const ENTROPY_BYTES = 32
const CHARTER_BYTES = 32
const U32_MAX = 0xffff_ffff

/** A UsageError for a job that no engine could carry out whatever peers sent. */
export function checkJob(job: MlsJob): void {
  whole('group', job.group)
  if ('into' in job) whole('into', job.into)
  if ('from' in job) whole('from', job.from)
  if ('wishes' in job) checkWishes(job.wishes)
  if ('entropy' in job) length('entropy', job.entropy, ENTROPY_BYTES)
  if ('groupId' in job) length('groupId', job.groupId, VLAN_ID_BYTES)
  if ('charter' in job) length('charter', job.charter, CHARTER_BYTES)
  if ('credential' in job) {
    length('credential', job.credential, CREDENTIAL_BYTES)
    length('leafSeed', job.leafSeed, SEED_BYTES)
  }
  if ('suite' in job && job.suite !== SUITE.x25519 && job.suite !== SUITE.xwing) {
    throw new UsageError(`suite is ${String(job.suite)}; it must be one of SUITE`)
  }
  if (job.kind === 'commit') {
    for (const leaf of job.removes) whole('a leaf to remove', leaf)
    atMost('authenticatedData', job.authenticatedData, AUTHENTICATED_DATA_BYTES_MAX)
    atMost('welcomeData', job.welcomeData, WELCOME_DATA_BYTES_MAX)
  }
}

function checkWishes(wishes: readonly ExportWish[]): void {
  if (wishes.length > WISHES_MAX) {
    throw new UsageError(`${wishes.length} wishes; ask for at most ${WISHES_MAX} in one job`)
  }
  for (const wish of wishes) {
    if (!/^[ -~]{1,64}$/.test(wish.label)) {
      throw new UsageError(`the export label '${wish.label}' must be 1 to 64 printable ASCII characters`)
    }
    atMost('the context of an export', wish.context, EXPORT_CONTEXT_BYTES_MAX)
    if (!Number.isInteger(wish.length) || wish.length < 1 || wish.length > EXPORT_BYTES_MAX) {
      throw new UsageError(`an export of ${wish.length} bytes; ask for 1 to ${EXPORT_BYTES_MAX}`)
    }
  }
}

function whole(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > U32_MAX) {
    throw new UsageError(`${what} is ${value}; it must be a whole number below 2^32`)
  }
}

function length(what: string, bytes: Uint8Array, expected: number): void {
  if (bytes.length !== expected) {
    throw new UsageError(`${what} has ${bytes.length} bytes; it must have ${expected}`)
  }
}

function atMost(what: string, bytes: Uint8Array, limit: number): void {
  if (bytes.length > limit) {
    throw new UsageError(`${what} has ${bytes.length} bytes; it may have ${limit}`)
  }
}
