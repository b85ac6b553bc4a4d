/** From a place to what a source opens: the scenario's text, and the recorded data that it names. */
import { baseOf, dataOf } from './files.ts'
import type { Place } from './model/address.ts'
import { KNOWN } from './scenarios.ts'
import type { Opening } from './source/source.ts'

export class Openings {
  /** Recorded data that came so far, by name without folders. */
  readonly #data = new Map<string, string>()

  keep(name: string, text: string): void {
    this.#data.set(baseOf(name), text)
  }

  /** Data that nobody has is left out, which the source says. Throws Error for an unknown scenario. */
  async of({
    scenario,
    edited,
    seed,
    dither,
  }: Pick<Place, 'scenario' | 'edited' | 'seed' | 'dither'>): Promise<Opening> {
    const text = edited ?? KNOWN.find(({ name }) => name === scenario)?.text
    if (text === undefined)
      throw new Error(`there is no scenario "${scenario}" in this version; choose another one and open it`)
    const data: Record<string, string> = {}
    for (const need of text.matchAll(/"file"\s*:\s*"([^"]+)"/g)) {
      const name = need[1] as string
      const found = this.#data.get(baseOf(name)) ?? (await dataOf(name).catch(() => undefined))
      if (found !== undefined) data[name] = found
    }
    const name = edited === undefined ? `${scenario}.json` : 'the scenario'
    return { text, name, seed, dither, data }
  }
}
