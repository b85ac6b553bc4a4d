/** Figures of the benchmark of real nodes, how they are judged, and how they are printed. */
import { cpus, loadavg, release, totalmem } from 'node:os'

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly target: number | null
  readonly ok: boolean | null
}

/** The system averages it over a minute. */
const LOAD_MILLIS = 5_000

export class Figures {
  readonly list: Figure[] = []
  /** From time to time: a machine that has much else to do is seen here. */
  readonly #loads: number[] = [loadNow()]

  /** Looks at the load until the process ends. */
  watch(): void {
    setInterval(() => this.#loads.push(loadNow()), LOAD_MILLIS).unref()
  }

  atMost(name: string, value: number, unit: string, target: number | null = null): void {
    this.#add(name, value, unit, target, target === null ? null : value <= target)
  }

  atLeast(name: string, value: number, unit: string, target: number | null = null): void {
    this.#add(name, value, unit, target, target === null ? null : value >= target)
  }

  #add(name: string, value: number, unit: string, target: number | null, ok: boolean | null): void {
    // Whole numbers from a hundred on, three digits below.
    const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
    this.list.push({ name, value: rounded, unit, target, ok })
    progress(`${name}: ${rounded} ${unit}`)
  }

  /** What it was measured on; `load` is what else the machine did: runnable processes, averaged. */
  machine(): Readonly<Record<string, string | number>> {
    const [cpu] = cpus()
    return {
      cpu: cpu?.model ?? 'unknown',
      cores: cpus().length,
      memoryGB: Math.round(totalmem() / 1e9),
      node: process.version,
      kernel: release(),
      load: median(this.#loads),
      loadMax: Math.max(...this.#loads),
    }
  }

  print(asJson: boolean): void {
    const machine = this.machine()
    if (asJson) {
      process.stdout.write(`${JSON.stringify({ machine, figures: this.list }, undefined, 2)}\n`)
      return
    }
    const { load, loadMax, ...still } = machine
    console.log(`${Object.values(still).join(', ')}; load ${load}, at most ${loadMax}`)
    const width = Math.max(...this.list.map(({ name }) => name.length)) + 2
    for (const { name, value, unit, target, ok } of this.list) {
      const verdict = ok === null ? '' : `  target ${target}: ${ok ? 'met' : 'MISSED'}`
      console.log(`${name.padEnd(width)}${String(value).padStart(9)} ${unit.padEnd(7)}${verdict}`)
    }
  }
}

/** For whoever waits; standard output is for the result. */
export function progress(text: string): void {
  console.error(`[load ${loadNow()}] ${text}`)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[sorted.length >> 1] as number
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

export function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis))
}

function loadNow(): number {
  return Number((loadavg()[0] as number).toFixed(2))
}
