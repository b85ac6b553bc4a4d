/**
 * RFC 9420 with the primitives that the project puts into ts-mls: values of the working group's test
 * vectors (github.com/mlswg/mls-implementations: crypto-basics and key-schedule, cipher suite 1).
 */
import type { CiphersuiteImpl } from 'ts-mls'
import { beforeAll, describe, expect, it } from 'vitest'
import { noble } from '../../core/crypto/noble.ts'
import { concat, hex, unhex, utf8 } from '../../core/ids.ts'
import { SUITE } from '../../core/mls/engine.ts'
import { exportSecret } from '../../core/mls/exporter.ts'
import { loadSuite, suiteFor } from '../../core/mls/tsmls-suite.ts'

let suite: CiphersuiteImpl

beforeAll(async () => {
  suite = suiteFor(await loadSuite(SUITE.x25519), noble, undefined)
})

/** opaque<V> of RFC 9420, section 2.1.2, for up to 63 bytes, as all are here. */
function vector(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 63) throw new Error('a longer vector has a longer length')
  return concat(Uint8Array.of(bytes.length), bytes)
}

const label = (name: string): Uint8Array => vector(utf8(`MLS 1.0 ${name}`))

/** ExpandWithLabel (section 8). */
function expandWithLabel(
  secret: string,
  name: string,
  context: Uint8Array,
  length: number,
): Promise<Uint8Array> {
  const info = concat(Uint8Array.of(length >> 8, length & 0xff), label(name), vector(context))
  return suite.kdf.expand(unhex(secret), info, length)
}

const NONE = new Uint8Array(0)

describe('RFC 9420, cipher suite 1', () => {
  it('expands with a label (section 8)', async () => {
    const context = unhex('9492c562f40b5b40d7bc1da471e9532fee88371ef86f2fc85f0f2a4dc7e9ae81')
    const secret = '5c96b1772964bd54abf1a8d04d3bf699a7fe7b8fd631caf33a0440f699843e3e'
    expect(hex(await expandWithLabel(secret, 'ExpandWithLabel', context, 16))).toBe(
      'c7dfff34de8da81aa8dd85828ad05344',
    )
  })

  it('derives secrets (section 8)', async () => {
    const secret = '51bcdc853b2fffd6c0ce55953e99ce3f47c1135a35154422e71b313a088e5925'
    expect(hex(await expandWithLabel(secret, 'DeriveSecret', NONE, 32))).toBe(
      'fd12ac470b9a57a72290f77d437f28afabb7b4ef80b22c362aa7aa6dea9eeaf0',
    )
  })

  it('derives secrets of the secret tree (section 9)', async () => {
    const secret = '7620af0827ddd6506a20fe3716458f48fd89715d1396ee578eff0750dd1ab926'
    const generation = new Uint8Array(4)
    new DataView(generation.buffer).setUint32(0, 2_694_881_440)
    expect(hex(await expandWithLabel(secret, 'DeriveTreeSecret', generation, 32))).toBe(
      'f85fe97705982d10dbead53c4f83318479c2211e994bcf1ba615f0d8f66d6016',
    )
  })

  it('makes references (section 5.2)', async () => {
    const value = unhex('d322a8468c26e37b1f0f6664e91c1b81f0c3ba87ff1903604426d512e2451d6f')
    expect(hex(await suite.hash.digest(concat(vector(utf8('RefHash')), vector(value))))).toBe(
      'a00d38eb47333e317599170dfbe420cbc542d7e615d27861935bc4200ccb6daa',
    )
  })

  it('signs and verifies with a label (section 5.1.2)', async () => {
    const content = unhex('ac833a785a00dc0a8e4d777d7b37ad403a33916334306730d4ce2e359e49169c')
    const seed = unhex('6db310bb3cb063f3fc498e048dbd33885b260a7ee606c8ebd5231d2258b6e572')
    const key = unhex('fa69d57b300537d17953e7292ceff3dd3a6b0284d1e5aa5bc35db01dd9ce78a4')
    const signature =
      '8227e8cb94513227ebca109f6846c1c2d2952e11871e46bb571a9b0173e9cca9' +
      'a1937e6855183e4059669167908a36614bad713f914766f5d7ea8393c995d009'
    const signed = concat(label('SignWithLabel'), vector(content))
    expect(hex(await suite.signature.sign(seed, signed))).toBe(signature)
    expect(await suite.signature.verify(key, signed, unhex(signature))).toBe(true)
    expect(await suite.signature.verify(key, concat(signed, utf8('x')), unhex(signature))).toBe(false)
  })

  it('opens what was encrypted with a label (section 5.1.3)', async () => {
    const context = unhex('86a8fab1597b2d3fc1498464259eb50852a36f5554589c747f2d6c1fbc67c3d4')
    const info = concat(label('EncryptWithLabel'), vector(context))
    const key = await suite.hpke.importPrivateKey(
      unhex('aa986a7941001bf2f509c54d8f61a5b419c8a0ff02634cf1ccea35b56c8fb002'),
    )
    const opened = await suite.hpke.open(
      key,
      unhex('fde840e33c794491db60c2c20e26738b8756b045b33f44bf93b5551fdffbdc5c'),
      unhex(
        '9fa3af0beaef151947d8af1a45cbc940181cc901d1437d7fc85e4dcb38a3273e730d414abee7eba789a5a55dbbce4cc7',
      ),
      info,
    )
    expect(hex(opened)).toBe('dce54bc43e1bee8c4a9f6224ee9959d171c379c43d05383861307d3e52469a3f')
  })

  // Labels are text: the digits, not the bytes that they stand for.
  const EXPORTS = [
    {
      exporterSecret: '5a097e149f2a375d0b9e1d1f4dc3a9c6c1788df888e5441f41a8791f4dc56cea',
      name: '9ba13d54ecdec7cbefcb47b4268d7b1990fabc6d6e67681e167959389d84e4e4',
      context: '884f1af892ab002f5be4c5d5081ade9e0e6418c6ea7a9a92e90534f19dcef785',
      exported: 'dbce4e25e59ab4dfa6f6200f113ed08393cf6e7286d024811141c6a4dd11c0cb',
    },
    {
      exporterSecret: '047d983048b132b79ea4e2e578afd02a0f4717d166cefe46e43e2e965b5c9f4e',
      name: 'ed66d7f1da52171ac9448f0f902edcfefa4ebbda843a43bd3d173cb7c5b4331e',
      context: '02dc18fc5bc4d9093cf41fa0053521653775b123784d40ac7d46cc5a72ef4d46',
      exported: 'a702c3e70a89c06eae51aec3675918a4ee7698ae88c596dfb7abd1ed3a9ecf5e',
    },
    {
      exporterSecret: '69cb23d2ff46b36c466ad48911fd56ee108ab8d4ec1c91028622e9a93c067710',
      name: '06f549e9bf966d7b7135b6ef6d4e3032a1c720adf0281c3ef1c0beac0da88621',
      context: 'b0fa7e3f0f2199278a55267d551d43946bbfc6d847632867dd86abd1217982a5',
      exported: '07dd60ff9acb0278f80cae4c6f4ee69c745481f5bf967b21d237c18e48d78b4b',
    },
  ]

  it.each(EXPORTS)('exports (section 8.5): $exported', ({ exporterSecret, name, context, exported }) => {
    expect(hex(exportSecret(SUITE.x25519, unhex(exporterSecret), name, unhex(context), 32))).toBe(exported)
  })
})
