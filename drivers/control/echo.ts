/**
 * Echoes between members of a VLAN, below IP: frames of a local experimental EtherType. A node answers them
 * itself: a member can be reached whose machine has no address yet, and its interface never sees them.
 */
import { type Mac, readMac, utf8, writeMac } from '../../core/ids.ts'
import { readU32, writeU32 } from '../../core/wire/cursor.ts'

/** Local experimental EtherType 2 (IEEE 802, section 9.2.4). */
const ETHERTYPE = 0x88b6
export const ECHO = { request: 1, reply: 2, say: 3 } as const
const AT = { to: 0, from: 6, type: 12, kind: 14, number: 15, text: 19 } as const
/** What an Ethernet has at least, without its checksum (IEEE 802.3, section 3.2.8: 60), rounded up. */
export const FRAME_BYTES_MIN = 64
export const FRAME_BYTES_MAX = 9_000

export interface EchoFrame {
  readonly from: Mac
  readonly to: Mac
  /** One of ECHO, or something that a later version says. */
  readonly kind: number
  readonly number: number
}

// HOT PATH
export function isEcho(frame: Uint8Array): boolean {
  return (
    frame.length >= FRAME_BYTES_MIN &&
    frame[AT.type] === ETHERTYPE >> 8 &&
    frame[AT.type + 1] === (ETHERTYPE & 0xff)
  )
}

/** What one says; undefined if the frame is none. */
export function readEcho(frame: Uint8Array): EchoFrame | undefined {
  if (!isEcho(frame)) return undefined
  const [from, to] = [readMac(frame, AT.from), readMac(frame, AT.to)]
  return { from, to, kind: frame[AT.kind] as number, number: readU32(frame, AT.number) }
}

/** A frame of at least so many bytes. */
export function echoFrame({ from, to, kind, number }: EchoFrame, bytes: number, text = ''): Uint8Array {
  const said = utf8(text)
  const frame = new Uint8Array(Math.max(FRAME_BYTES_MIN, bytes, AT.text + said.length))
  writeMac(frame, AT.to, to)
  writeMac(frame, AT.from, from)
  frame[AT.type] = ETHERTYPE >> 8
  frame[AT.type + 1] = ETHERTYPE & 0xff
  frame[AT.kind] = kind
  writeU32(frame, AT.number, number)
  frame.set(said, AT.text)
  return frame
}
