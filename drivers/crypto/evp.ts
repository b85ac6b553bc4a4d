/**
 * OpenSSL's EVP functions, which the node binary exports for its native modules, called through koffi: no
 * compiler, no second copy of OpenSSL. Knows names, argument types and addresses; what the calls mean is
 * for openssl.ts. A call takes 25 ns with numbers and addresses, 10 ns more for each array among them.
 */
import { createRequire } from 'node:module'
import { assert } from '../../core/errors.ts'

/** Memory: an address, an array whose bytes are used where they lie, or none. */
export type Pointer = bigint | Uint8Array | null
/** An object that OpenSSL made; null where it failed. */
export type Handle = bigint | null

/** The part of koffi that is used. */
export type Koffi = Pick<typeof import('koffi'), 'load' | 'address'>

/** As in OpenSSL's manual pages; where nothing else is said, 1 is success. Lengths are of bytes. */
export interface Evp {
  EVP_aes_256_gcm(): Handle
  EVP_aes_256_ecb(): Handle
  EVP_sha256(): Handle
  ERR_clear_error(): void

  EVP_CIPHER_CTX_new(): Handle
  EVP_CIPHER_CTX_ctrl(context: Handle, command: number, length: number, data: Pointer): number
  EVP_EncryptInit_ex(context: Handle, cipher: Handle, engine: null, key: Pointer, nonce: Pointer): number
  EVP_EncryptUpdate(context: Handle, out: Pointer, outLength: Pointer, input: Pointer, length: number): number
  EVP_EncryptFinal_ex(context: Handle, out: Pointer, outLength: Pointer): number
  EVP_DecryptInit_ex(context: Handle, cipher: Handle, engine: null, key: Pointer, nonce: Pointer): number
  EVP_DecryptUpdate(context: Handle, out: Pointer, outLength: Pointer, input: Pointer, length: number): number
  EVP_DecryptFinal_ex(context: Handle, out: Pointer, outLength: Pointer): number

  EVP_PKEY_new_raw_private_key(type: number, engine: null, key: Pointer, length: number): Handle
  EVP_PKEY_new_raw_public_key(type: number, engine: null, key: Pointer, length: number): Handle
  EVP_PKEY_get_raw_public_key(key: Handle, out: Pointer, outLength: Pointer): number
  EVP_PKEY_free(key: Handle): void

  EVP_MD_CTX_new(): Handle
  EVP_MD_CTX_reset(context: Handle): number
  EVP_DigestSignInit(context: Handle, out: null, digest: null, engine: null, key: Handle): number
  EVP_DigestSign(context: Handle, out: Pointer, outLength: Pointer, input: Pointer, length: number): number
  EVP_DigestVerifyInit(context: Handle, out: null, digest: null, engine: null, key: Handle): number
  EVP_DigestVerify(
    context: Handle,
    signature: Pointer,
    signatureLength: number,
    input: Pointer,
    length: number,
  ): number

  EVP_PKEY_CTX_new(key: Handle, engine: null): Handle
  EVP_PKEY_CTX_free(context: Handle): void
  EVP_PKEY_derive_init(context: Handle): number
  EVP_PKEY_derive_set_peer(context: Handle, peer: Handle): number
  EVP_PKEY_derive(context: Handle, out: Pointer, outLength: Pointer): number

  /** The address of `out`; null where it failed. */
  HMAC(
    digest: Handle,
    key: Pointer,
    keyLength: number,
    input: Pointer,
    length: number,
    out: Pointer,
    outLength: null,
  ): Handle
}

/** One type for all pointers: koffi then passes arrays as they are instead of converting them. */
const P = 'void *'
type Prototype = readonly [result: string, ...parameters: string[]]

const PROTOTYPES: { readonly [Name in keyof Evp]: Prototype } = {
  EVP_aes_256_gcm: [P],
  EVP_aes_256_ecb: [P],
  EVP_sha256: [P],
  ERR_clear_error: ['void'],
  EVP_CIPHER_CTX_new: [P],
  EVP_CIPHER_CTX_ctrl: ['int', P, 'int', 'int', P],
  EVP_EncryptInit_ex: ['int', P, P, P, P, P],
  EVP_EncryptUpdate: ['int', P, P, P, P, 'int'],
  EVP_EncryptFinal_ex: ['int', P, P, P],
  EVP_DecryptInit_ex: ['int', P, P, P, P, P],
  EVP_DecryptUpdate: ['int', P, P, P, P, 'int'],
  EVP_DecryptFinal_ex: ['int', P, P, P],
  EVP_PKEY_new_raw_private_key: [P, 'int', P, P, 'size_t'],
  EVP_PKEY_new_raw_public_key: [P, 'int', P, P, 'size_t'],
  EVP_PKEY_get_raw_public_key: ['int', P, P, P],
  EVP_PKEY_free: ['void', P],
  EVP_MD_CTX_new: [P],
  EVP_MD_CTX_reset: ['int', P],
  EVP_DigestSignInit: ['int', P, P, P, P, P],
  EVP_DigestSign: ['int', P, P, P, P, 'size_t'],
  EVP_DigestVerifyInit: ['int', P, P, P, P, P],
  EVP_DigestVerify: ['int', P, P, 'size_t', P, 'size_t'],
  EVP_PKEY_CTX_new: [P, P, P],
  EVP_PKEY_CTX_free: ['void', P],
  EVP_PKEY_derive_init: ['int', P],
  EVP_PKEY_derive_set_peer: ['int', P, P],
  EVP_PKEY_derive: ['int', P, P, P],
  HMAC: [P, P, P, 'int', P, 'size_t', P, P],
}

/** Throws koffi's own error if its binary for this platform is missing. */
function requireKoffi(): Koffi {
  return createRequire(import.meta.url)('koffi')
}

/** The functions, and memory to talk to them. Throws an Error that names what is missing. */
export function openEvp(loadKoffi: () => Koffi = requireKoffi): Evp & { readonly arena: Arena } {
  const koffi = loadKoffi()
  // Null stands for the running program itself.
  const program = koffi.load(null)
  const names = Object.keys(PROTOTYPES) as (keyof Evp)[]
  const functions = names.map((name) => {
    const [result, ...parameters] = PROTOTYPES[name]
    return [name, program.func(name, result, parameters)]
  })
  return { ...(Object.fromEntries(functions) as unknown as Evp), arena: new Arena(koffi) }
}

/** Bytes that do not move, with their address. */
export interface Slot {
  readonly bytes: Uint8Array
  readonly address: bigint
}

/** So short an array may lie in the collector's heap: to hand out its address, V8 moves it, for 200 ns. */
export const SHORT_BYTES = 64
/** Far more than the slots of one provider. */
const ARENA_BYTES = 4_096

/** Memory for the arguments of calls that are too short to be handed over themselves. */
export class Arena {
  readonly #bytes = new Uint8Array(ARENA_BYTES)
  readonly #address: bigint
  #used = 0

  constructor(koffi: Koffi) {
    this.#address = koffi.address(this.#bytes)
  }

  slot(length: number): Slot {
    const from = this.#used
    assert(from + length <= ARENA_BYTES, `an arena of ${ARENA_BYTES} bytes has no room for ${length} more`)
    // Each slot begins at a multiple of 16, for integers and for the processor's vector units.
    this.#used = from + ((length + 15) & ~15)
    return { bytes: this.#bytes.subarray(from, from + length), address: this.#address + BigInt(from) }
  }
}

/** Where a function finds the bytes: in the slot if they fit into it, else where they are. */
export function lend(slot: Slot, bytes: Uint8Array): Pointer {
  if (bytes.length > slot.bytes.length) return bytes
  slot.bytes.set(bytes)
  return slot.address
}
