/** This node as others are told of it: how it can be reached and where in the network it is. */
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import { type Address, REACHABILITY, type Reachability } from '../io.ts'
import { ADDRESS_BYTES_MAX, type Descriptor } from './messages.ts'
import { Vivaldi } from './vivaldi.ts'

const NO_ADDRESS: Address = new Uint8Array(0)

/** A copy, checked: a wrong address is the caller's mistake, never a peer's. */
export function checkAddress(address: Address): Address {
  if (address.length > ADDRESS_BYTES_MAX) {
    throw new UsageError(
      `an address of ${address.length} bytes; give its compact form of at most ${ADDRESS_BYTES_MAX}`,
    )
  }
  return address.slice()
}

export class Self {
  readonly coordinates = new Vivaldi()
  readonly #context: Context
  #reach: Reachability = REACHABILITY.private
  #address: Address = NO_ADDRESS
  #proved = false

  constructor(context: Context) {
    this.#context = context
  }

  /** Private until the world says otherwise. */
  get reach(): Reachability {
    return this.#reach
  }

  /** The one address that others are told; empty if there is none. */
  get address(): Address {
    return this.#address
  }

  /** A peer dialled us since the address last changed. */
  get proved(): boolean {
    return this.#proved
  }

  wasDialled(): void {
    this.#proved = true
  }

  /** True if anything changed that others should know. */
  change(addresses: readonly Address[], reach: Reachability): boolean {
    const address = addresses[0] === undefined ? NO_ADDRESS : checkAddress(addresses[0])
    const same =
      address.length === this.#address.length && address.every((byte, at) => byte === this.#address[at])
    if (same && reach === this.#reach) return false
    this.#address = address
    this.#reach = reach
    this.#proved = false
    return true
  }

  /** Undefined for who is of no use in another's passive view: a leaf, or a peer that cannot be dialled. */
  descriptor(): Descriptor | undefined {
    const { config, selfKey } = this.#context
    if (!config.relay || this.#reach === REACHABILITY.private || this.#address.length === 0) return undefined
    return {
      key: selfKey,
      reach: this.#reach,
      relay: true,
      coordinates: this.coordinates.bytes(),
      address: this.#address,
    }
  }
}
