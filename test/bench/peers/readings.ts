/**
 * What programs say that they measured, as numbers: iperf3 by its JSON, ping by its text. Pure; throws where
 * the text is not what it should be.
 */

/** All of one row in one round; what was not measured is not there. */
export type Readings = Partial<Record<Reading, number>>

export type Reading = keyof typeof READINGS

/** How rounds become one number. */
type Summary = 'median' | 'mean' | 'greatest'

export interface ReadingKind {
  readonly label: string
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly summary: Summary
}

/** In the order in which they are printed. */
export const READINGS = {
  tcp: { label: 'TCP one way', unit: 'Mbit/s', better: 'more', summary: 'median' },
  bidir: { label: 'TCP both ways', unit: 'Mbit/s', better: 'more', summary: 'median' },
  streams: { label: 'TCP 4 streams', unit: 'Mbit/s', better: 'more', summary: 'median' },
  udp: { label: 'UDP 1200 received', unit: 'Mbit/s', better: 'more', summary: 'median' },
  udpLoss: { label: 'UDP 1200 lost', unit: '%', better: 'less', summary: 'median' },
  packets: { label: 'packets of 64 bytes', unit: '/s', better: 'more', summary: 'median' },
  pingMean: { label: 'ping mean', unit: 'ms', better: 'less', summary: 'median' },
  pingP99: { label: 'ping p99', unit: 'ms', better: 'less', summary: 'median' },
  pingMax: { label: 'ping maximum', unit: 'ms', better: 'less', summary: 'greatest' },
  processor: { label: 'processor time per GB', unit: 's', better: 'less', summary: 'median' },
  memory: { label: 'memory', unit: 'MB', better: 'less', summary: 'greatest' },
  retransmissions: { label: 'retransmissions in 30 s', unit: '', better: 'less', summary: 'mean' },
} as const satisfies Record<string, ReadingKind>

const RETRANSMISSION_SECONDS = 30

interface Sum {
  readonly seconds: number
  readonly bytes: number
  readonly bits_per_second: number
}

interface Ended {
  readonly sum_sent: Sum & { readonly retransmits?: number }
  readonly sum_received: Sum & { readonly packets?: number; readonly lost_packets?: number }
  readonly sum_received_bidir_reverse?: Sum
}

function endOf(text: string): Ended {
  const said = JSON.parse(text) as { readonly error?: string; readonly end?: Partial<Ended> }
  if (said.error !== undefined) throw new Error(`iperf3 says: ${said.error}`)
  const { sum_sent, sum_received } = said.end ?? {}
  if (sum_sent === undefined || sum_received === undefined) throw new Error('iperf3 says nothing of its end')
  return { ...said.end, sum_sent, sum_received }
}

const mbits = ({ bits_per_second }: Sum): number => bits_per_second / 1e6

/** Of TCP one way, in one stream or several. */
export function tcpOf(text: string): { mbits: number; bytes: number; retransmissions: number } {
  const { sum_sent: sent, sum_received: received } = endOf(text)
  const each = (sent.retransmits ?? 0) / sent.seconds
  return {
    mbits: mbits(received),
    bytes: received.bytes,
    retransmissions: each * RETRANSMISSION_SECONDS,
  }
}

/** What came at both ends, together, in Mbit/s. */
export function bidirOf(text: string): number {
  const { sum_received: there, sum_received_bidir_reverse: back } = endOf(text)
  if (back === undefined)
    throw new Error('iperf3 is silent on the other direction; it has to be 3.7 or newer')
  return mbits(there) + mbits(back)
}

/** Mbit/s of payload and packets a second that came, and the percentage of what was sent that did not. */
export function udpOf(text: string): { mbits: number; lossPercent: number; packetsPerSecond: number } {
  const { sum_sent: sent, sum_received: received } = endOf(text)
  const { packets = 0, lost_packets: lost = 0 } = received
  const came = packets - lost
  const sentPackets = (sent as Ended['sum_received']).packets ?? packets
  // The receiver does not miss those behind the last that came.
  return {
    mbits: mbits(received),
    lossPercent: sentPackets === 0 ? 100 : (1 - came / sentPackets) * 100,
    packetsPerSecond: came / received.seconds,
  }
}

/** Of those that were answered, in milliseconds. */
export function pingOf(text: string): { mean: number; p99: number; max: number } {
  const millis = [...text.matchAll(/time=([\d.]+) ms/g)]
    .map(([, each]) => Number(each))
    .toSorted((one, another) => one - another)
  if (millis.length === 0) throw new Error('no ping was answered')
  const sum = millis.reduce((all, each) => all + each, 0)
  // The nearest rank: as many as 99 % of all are not above it.
  const rank = Math.ceil(millis.length * 0.99)
  return { mean: sum / millis.length, p99: millis[rank - 1] as number, max: millis.at(-1) as number }
}
