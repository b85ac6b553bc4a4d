/** The figures of benchmarks: what each says, of which machine, and how they are printed. */
import { cpus, totalmem } from 'node:os'

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What was aimed at, and whether it was met; null where nothing was. */
  readonly target: number | null
  readonly ok: boolean | null
}

/** What was measured on, and with what. */
export type Machine = Readonly<Record<string, string | number>>

/** This machine; `more`: what else decides the figures. */
export function thisMachine(more: Machine = {}): Machine {
  const [cpu] = cpus()
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    node: process.version,
    ...more,
  }
}

/** On standard output, for programs; `more` comes behind. */
export function printJson(machine: Machine, figures: readonly Figure[], more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ machine, figures, ...more }, undefined, 2)}\n`)
}

/** For people, under a line that says what the figures are of. */
export function printTable(head: string, figures: readonly Figure[]): void {
  console.log(head)
  const [names, units] = (['name', 'unit'] as const).map((key) =>
    Math.max(0, ...figures.map((figure) => figure[key].length)),
  ) as [number, number]
  for (const { name, value, unit, target, ok } of figures) {
    const verdict = ok === null ? '' : `target ${target}: ${ok ? 'met' : 'MISSED'}`
    console.log(
      `${name.padEnd(names)}  ${String(value).padStart(7)} ${unit.padEnd(units)}  ${verdict}`.trimEnd(),
    )
  }
}

export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] as number
}
