/** Which provider is used, and that a machine where the fast one does not work still gets a right one. */
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, test } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import type { Crypto } from '../../core/crypto/ports.ts'
import { InvariantError } from '../../core/errors.ts'
import type { Koffi } from '../../drivers/crypto/evp.ts'
import { openOpenssl } from '../../drivers/crypto/openssl.ts'
import { chooseCrypto, PROVIDERS, type Provider, sayChoice } from '../../drivers/crypto/provider.ts'
import { selfTest } from '../../drivers/crypto/self-test.ts'
import { standInCrypto } from '../../sim/crypto.ts'

const koffi = createRequire(import.meta.url)('koffi') as Koffi

/** All but the first, behind an OpenSSL that talks through this koffi. */
function withKoffi(load: () => Koffi): readonly Provider[] {
  return [{ name: 'openssl', open: () => openOpenssl(load) }, ...PROVIDERS.slice(1)]
}

type Native = (...args: unknown[]) => unknown

/** A koffi whose functions of one name are replaced. */
function withFunction(name: string, replace: (original: Native) => Native): Koffi {
  return {
    ...koffi,
    load: (path) => {
      const library = koffi.load(path)
      const func = (called: string, result: string, parameters: string[]) => {
        const original = library.func(called, result, parameters) as Native
        return called === name ? replace(original) : original
      }
      return { ...library, func } as unknown as ReturnType<Koffi['load']>
    },
  }
}

describe('the choice', () => {
  test('is OpenSSL where its functions can be called', () => {
    const choice = chooseCrypto()
    expect(sayChoice(choice)).toBe('cryptography by openssl')
    expect(choice.refused).toEqual([])
  })

  test('is right for every provider of the list alone', () => {
    for (const provider of PROVIDERS) {
      const { name, crypto } = chooseCrypto([provider])
      expect(name).toBe(provider.name)
      expect(selfTest(crypto)).toBeUndefined()
    }
  })

  test('works in a worker thread beside the main one', async () => {
    const code = `import('${new URL('../../drivers/crypto/provider.ts', import.meta.url)}').then((module) =>
      require('node:worker_threads').parentPort.postMessage(module.chooseCrypto().name))`
    const worker = new Worker(code, { eval: true })
    const name = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
    expect(name).toBe('openssl')
    expect(selfTest(chooseCrypto().crypto)).toBeUndefined()
  })
})

describe('falling back', () => {
  test('without koffi', () => {
    const missing = () => {
      throw new Error("Cannot find module 'koffi'\nRequire stack:\n- somewhere")
    }
    const choice = chooseCrypto(withKoffi(missing))
    expect(sayChoice(choice)).toBe(
      "cryptography by node-crypto (openssl could not be loaded: Cannot find module 'koffi')",
    )
    expect(selfTest(choice.crypto)).toBeUndefined()
  })

  test('where a function is missing, which is named', () => {
    const choice = chooseCrypto(
      withKoffi(() => ({
        ...koffi,
        load: (path) => {
          const library = koffi.load(path)
          const func = (name: string, result: string, parameters: string[]) =>
            library.func(name === 'HMAC' ? 'HMAC_that_nobody_has' : name, result, parameters)
          return { ...library, func } as unknown as ReturnType<Koffi['load']>
        },
      })),
    )
    expect(choice.name).toBe('node-crypto')
    expect(choice.refused).toEqual([
      { name: 'openssl', why: expect.stringContaining('HMAC_that_nobody_has') },
    ])
  })

  test.each([
    ['EVP_DecryptFinal_ex', () => 1, 'gave a wrong answer in refusing a changed packet'],
    ['EVP_DigestVerify', () => 1, 'gave a wrong answer in refusing a signature'],
    ['EVP_EncryptUpdate', () => 1, 'gave a wrong answer in sealing'],
    [
      'EVP_DigestSign',
      () => 0,
      'failed in signing: This is a fault of PeerTap itself: OpenSSL could not sign',
    ],
    ['EVP_CIPHER_CTX_new', () => null, 'could not be loaded: This is a fault of PeerTap itself'],
    ['HMAC', () => 1n, 'gave a wrong answer in key derivation'],
    ['EVP_PKEY_derive', () => 1, 'gave a wrong answer in key agreement'],
  ])('where %s does not do its work', (name, instead, why) => {
    const choice = chooseCrypto(withKoffi(() => withFunction(name, () => instead)))
    expect(choice.name).toBe('node-crypto')
    expect(choice.refused).toEqual([{ name: 'openssl', why: expect.stringContaining(why) }])
  })

  test('from whatever verifies by another equation', () => {
    const cofactored: Crypto = {
      ...noble,
      signatures: {
        ...noble.signatures,
        verify: (key, message, signature) => ed25519.verify(signature, message, key, { zip215: false }),
      },
    }
    const choice = chooseCrypto([{ name: 'cofactored', open: () => cofactored }, ...PROVIDERS.slice(2)])
    expect(sayChoice(choice)).toBe(
      'cryptography by noble (cofactored gave a wrong answer in refusing a signature)',
    )
  })

  test('to nothing, if nothing is right', () => {
    expect(() => chooseCrypto([{ name: 'stand-in', open: () => standInCrypto }])).toThrow(InvariantError)
    expect(() => chooseCrypto([])).toThrow(InvariantError)
  })
})
