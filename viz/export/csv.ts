/** The curves as a table with commas (RFC 4180); what was not measured is empty. */
import type { Sample } from '../source/source.ts'

const COLUMNS = [
  ['seconds', 'at'],
  ['alive_nodes', 'alive'],
  ['attached_share', 'attached'],
  ['delivery', 'delivery'],
  ['control_bytes_per_node_second', 'control'],
  ['data_bytes_per_node_second', 'data'],
] as const satisfies readonly (readonly [string, keyof Sample])[]

export function csvOf(samples: readonly Sample[]): string {
  const head = COLUMNS.map(([name]) => name).join(',')
  const rows = samples.map((sample) => COLUMNS.map(([, key]) => sample[key] ?? '').join(','))
  return `${[head, ...rows].join('\r\n')}\r\n`
}
