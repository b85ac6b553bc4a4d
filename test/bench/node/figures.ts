/** Figures of the benchmark of real nodes, how they are judged, and how they are printed. */
import { loadavg, release } from 'node:os'
import { type Figure, type Machine, median, printJson, printTable, thisMachine } from '../figures.ts'

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

  /**
   * With what else the machine did: runnable processes, averaged. `how`: what else decides the figures;
   * `more`: what else is said in JSON.
   */
  print(asJson: boolean, how: Machine = {}, more: object = {}): void {
    const [load, loadMax] = [median(this.#loads), Math.max(...this.#loads)]
    const machine = thisMachine({ kernel: release(), ...how })
    if (asJson) printJson({ ...machine, load, loadMax }, this.list, more)
    else printTable(`${Object.values(machine).join(', ')}; load ${load}, at most ${loadMax}`, this.list)
  }
}

/** For whoever waits; standard output is for the result. */
export function progress(text: string): void {
  console.error(`[load ${loadNow()}] ${text}`)
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
