/**
 * Writes the JSON files beside this one: `npx node test/vectors/make.ts`. They are the reference for other
 * implementations, so a change in them is a change of the protocol. Each hash stands with the exact bytes
 * that were hashed; the tests join those bytes by hand and hash them again.
 */
import { writeFileSync } from 'node:fs'
import { noble } from '../../core/crypto/noble.ts'
import { signedBytes } from '../../core/crypto/signed.ts'
import {
  authorityKey,
  BROADCAST_MAC,
  groupToken,
  hex,
  ipv4GroupMac,
  ipv6GroupMac,
  macText,
  mlsId,
  ownMac,
  peerIdOf,
  saltId,
  unhex,
  unicastToken,
  vlanId,
} from '../../core/ids.ts'
import { PAYLOAD_KIND, StaticGroup } from '../../core/vlan/group.ts'
import { makeProof, routeSeed, type TokenSource, tokenOfMac } from '../../core/vlan/tokens.ts'

const { hash, signatures } = noble

/** `length` bytes that count up from `first`. */
function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff)
}

function text(value: string): string {
  return Buffer.from(value, 'utf8').toString('hex')
}

const authority = counting(0x00, 32)
const memberKey = counting(0x20, 32)
const salt = counting(0x40, 32)
const groupKey = counting(0x60, 32)
const boot = counting(0x80, 16)
const vlan = vlanId(hash, authority, 'home')
const macs = [0x02_0000_0000_01, 0x0a1b_2c3d_4e5f, 0xfe_dcba_9876_54]

function ids(): object {
  const keys = [counting(1, 32), counting(2, 32), counting(3, 32)]
  const joined = keys.map(hex).join('')
  return {
    macText: [0, 1, 0x0a1b_2c3d_4e5f, 0x0100_5e00_00fb, BROADCAST_MAC].map((mac) => ({
      mac,
      text: macText(mac),
    })),
    peerId: [{ key: hex(authority), peer: peerIdOf(authority) }],
    vlanId: ['home', 'a', 'Küche', '東京', '🦉 owls'].map((label) => ({
      authority: hex(authority),
      label,
      input: hex(authority) + text(label),
      output: hex(vlanId(hash, authority, label)),
    })),
    authorityKey: [1, 2, 3].map((needed) => ({
      needed,
      keys: keys.map(hex),
      input: `${text('peertap authority v1')}0${needed}03${joined}`,
      output: hex(authorityKey(hash, needed, keys)),
    })),
    mlsId: [{ groupInitKey: hex(groupKey), output: hex(mlsId(hash, groupKey)) }],
    unicastToken: macs.map((mac) => ({
      mac: macText(mac),
      vlan: hex(vlan),
      salt: hex(salt),
      input: text(macText(mac)) + hex(vlan) + hex(salt),
      output: hex(unicastToken(hash, mac, vlan, salt)),
    })),
    groupToken: [BROADCAST_MAC, 0x0100_5e01_0203, 0x3333_0001_0003].map((mac) => ({
      mac: macText(mac),
      vlan: hex(vlan),
      input: text(macText(mac)) + hex(vlan),
      output: hex(groupToken(hash, mac, vlan)),
    })),
    groupMac: [
      ...['224.0.0.251', '239.255.255.250', '225.128.0.1', '232.1.2.3'].map((address) => ({
        address,
        bytes: hex(Uint8Array.from(address.split('.').map(Number))),
      })),
      { address: 'ff02::fb', bytes: 'ff0200000000000000000000000000fb' },
      { address: 'ff02::1:ff12:3456', bytes: 'ff0200000000000000000001ff123456' },
      { address: 'ff05::1:3', bytes: 'ff050000000000000000000000010003' },
    ].map(({ address, bytes }) => ({
      address,
      bytes,
      mac: macText(bytes.length === 8 ? ipv4GroupMac(unhex(bytes)) : ipv6GroupMac(unhex(bytes))),
    })),
    ownMac: [0, 1, 2].map((round) => {
      const drawn = counting(0x90 + round, 16)
      return {
        memberKey: hex(memberKey),
        vlan: hex(vlan),
        nonce: hex(drawn),
        input: hex(memberKey) + hex(vlan) + hex(drawn),
        mac: macText(ownMac(hash, memberKey, vlan, drawn)),
      }
    }),
    saltId: [
      {
        salt: hex(salt),
        input: `${text('peertap salt id v1')}00${hex(salt)}`,
        output: hex(saltId(hash, salt)),
      },
    ],
  }
}

function tokens(): object {
  const source: TokenSource = { vlan, privacy: 'private', salt }
  const all = [...macs, BROADCAST_MAC, 0x0100_5e01_0203]
  return {
    vlan: hex(vlan),
    salt: hex(salt),
    private: all.map((mac) => {
      const seed = routeSeed(noble, source, mac)
      return {
        mac: macText(mac),
        seedInput: `${text('peertap route v1')}00${text(macText(mac))}${hex(vlan)}`,
        seed: hex(seed),
        routeKey: hex(signatures.publicKey(seed)),
        token: hex(tokenOfMac(noble, source, mac)),
        proof: {
          sequence: 1_700_000_000_123,
          lifetime: 300,
          bytes: hex(makeProof(noble, source, mac, 1_700_000_000_123, 300)),
        },
      }
    }),
    signed: { name: 'route', body: 'c0ffee', bytes: hex(signedBytes('route', unhex('c0ffee'))) },
  }
}

function packets(): object {
  const membership = {
    authorityKey: authority,
    label: 'home',
    privacy: 'private',
    groupKey,
    salt,
    memberKey,
  } as const
  const group = new StaticGroup({ crypto: noble, keys: { bytes: () => boot }, membership, now: 5_000_000 })
  const token = tokenOfMac(noble, { vlan, privacy: 'private', salt }, macs[0] as number)
  const payloads = [counting(0, 60), counting(0, 243), counting(0, 244), counting(0, 1294)]
  return {
    groupKey: hex(groupKey),
    memberKey: hex(memberKey),
    salt: hex(salt),
    boot: hex(boot),
    vlan: hex(vlan),
    token: hex(token),
    mlsId: hex(group.mlsId()),
    firstHopLimit: group.firstHopLimit,
    startMicros: 5_000_000,
    packets: payloads.map((payload, sequence) => ({
      sequence,
      atMicros: 6_234_567,
      kind: PAYLOAD_KIND.frame,
      payload: hex(payload),
      packet: hex(group.seal(6_234_567, PAYLOAD_KIND.frame, token, payload)),
    })),
  }
}

/** The content of each JSON file, by its name without the ending. */
export function vectorFiles(): Record<string, object> {
  return { ids: ids(), tokens: tokens(), packets: packets() }
}

if (import.meta.main) {
  for (const [name, content] of Object.entries(vectorFiles())) {
    writeFileSync(new URL(`${name}.json`, import.meta.url), `${JSON.stringify(content, null, 2)}\n`)
  }
}
