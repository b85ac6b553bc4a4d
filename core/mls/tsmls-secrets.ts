/**
 * Which secrets a ts-mls state holds, and how they are erased. States of one group share many: a child
 * keeps its parent's leaf key and path keys, and what ts-mls reports as `consumed` is still the parent's
 * (R2). So a secret is zeroed only when no state that is kept has it.
 */
import type { ClientState, PrivateKeyPackage } from 'ts-mls'
import { TREE_BYTES_MAX } from './limits.ts'

/** All secret bytes of a state. */
export function secretsOf(state: ClientState): Uint8Array[] {
  const { keySchedule, privatePath, secretTree } = state
  const secrets = [
    keySchedule.confirmationKey,
    keySchedule.epochAuthenticator,
    keySchedule.exporterSecret,
    keySchedule.externalSecret,
    keySchedule.initSecret,
    keySchedule.membershipKey,
    keySchedule.resumptionPsk,
    keySchedule.senderDataSecret,
    state.signaturePrivateKey,
    ...Object.values(privatePath.privateKeys),
  ]
  for (const node of secretTree) {
    for (const ratchet of [node.handshake, node.application]) {
      secrets.push(ratchet.secret, ...Object.values(ratchet.unusedGenerations))
    }
  }
  return secrets
}

export function secretsOfKeyPackage(keys: PrivateKeyPackage): Uint8Array[] {
  return [keys.hpkePrivateKey, keys.initPrivateKey, keys.signaturePrivateKey]
}

/** No buffer that holds secrets is larger: a restored state is the largest. */
const BUFFER_BYTES_MAX = 2 * TREE_BYTES_MAX

/** Zeroes each of `secrets` unless it is among the `kept`. */
export function wipe(secrets: Iterable<Uint8Array>, kept: Iterable<Uint8Array>): void {
  const places = new Set<number>()
  const buffers = new Map<ArrayBufferLike, number>()
  // Two views of one place are one secret.
  const placeOf = (bytes: Uint8Array): number => {
    let number = buffers.get(bytes.buffer)
    if (number === undefined) {
      number = buffers.size
      buffers.set(bytes.buffer, number)
    }
    return number * BUFFER_BYTES_MAX + bytes.byteOffset
  }
  for (const bytes of kept) places.add(placeOf(bytes))
  for (const bytes of secrets) if (!places.has(placeOf(bytes))) bytes.fill(0)
}

/**
 * The state without what no later commit needs: secrets of earlier epochs (application messages are never
 * sent, so nothing arrives late; R13) and private keys of nodes that are blank (R16). The state given is
 * untouched.
 */
export function pruned(state: ClientState): ClientState {
  const { ratchetTree, privatePath } = state
  const keys = Object.entries(privatePath.privateKeys).filter(
    ([node]) => ratchetTree[Number(node)] !== undefined,
  )
  return {
    ...state,
    historicalReceiverData: new Map(),
    privatePath: { ...privatePath, privateKeys: Object.fromEntries(keys) },
  }
}
