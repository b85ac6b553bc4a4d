/**
 * A configuration with mistakes of form, without its wrong parts: so that the rest can be judged too, and
 * whoever mends the file learns of all mistakes at once.
 */
import type { z } from 'zod'

export type Path = readonly PropertyKey[]

/** What of a configuration can be judged. */
export interface Judged {
  /** Where a part stands in the file: elements before it may have been taken out of its list. */
  placeOf(path: Path): Path
  /** Whether a place in the file is wrong in form, lies in what is, or has something in it that is. */
  isWrong(place: Path): boolean
}

/** Of one without a mistake of form. */
export const WHOLE: Judged = { placeOf: (path) => path, isWrong: () => false }

/** What stands for a wrong part that has no default. */
export type StandIn = (place: Path) => unknown

/** The value without what the schema has against it. */
export class SoundParts implements Judged {
  readonly value: unknown
  /** Keys of the places that are wrong, and of all that these lie in. */
  readonly #wrong = new Set<string>()
  readonly #around = new Set<string>()
  /** What is put instead of some of them, by the place of the object that it is put into. */
  readonly #instead = new Map<string, [key: string, value: unknown][]>()
  /** Of each list that is left, by its place: where its elements stood. */
  readonly #origins = new Map<string, readonly number[]>()

  constructor(value: unknown, problems: readonly z.core.$ZodIssue[], standIn: StandIn) {
    for (const problem of problems) {
      if (problem.code === 'unrecognized_keys')
        for (const key of problem.keys) this.#mark([...problem.path, key], undefined)
      else this.#mark(problem.path, standIn(problem.path))
    }
    this.value = this.#without(value, [])
  }

  placeOf(path: Path): Path {
    const place: PropertyKey[] = []
    for (const step of path) {
      const origin = typeof step === 'number' ? this.#origins.get(keyOf(place))?.[step] : undefined
      place.push(origin ?? step)
    }
    return place
  }

  isWrong(place: Path): boolean {
    return this.#around.has(keyOf(place)) || upTo(place).some((part) => this.#wrong.has(keyOf(part)))
  }

  #mark(place: Path, instead: unknown): void {
    this.#wrong.add(keyOf(place))
    for (const part of upTo(place)) this.#around.add(keyOf(part))
    if (instead === undefined) return
    const into = keyOf(place.slice(0, -1))
    this.#instead.set(into, [...(this.#instead.get(into) ?? []), [String(place.at(-1)), instead]])
  }

  #without(value: unknown, place: Path): unknown {
    const isLeft = (step: PropertyKey): boolean => !this.#wrong.has(keyOf([...place, step]))
    if (Array.isArray(value)) {
      const left = [...value.keys()].filter(isLeft)
      this.#origins.set(keyOf(place), left)
      return left.map((index) => this.#without(value[index], [...place, index]))
    }
    if (typeof value !== 'object' || value === null) return value
    const left = Object.entries(value)
      .filter(([key]) => isLeft(key))
      .map(([key, part]) => [key, this.#without(part, [...place, key])] as const)
    return Object.fromEntries([...left, ...(this.#instead.get(keyOf(place)) ?? [])])
  }
}

/** The place and all that it lies in. */
function upTo(place: Path): Path[] {
  return [...place.keys(), place.length].map((length) => place.slice(0, length))
}

function keyOf(place: Path): string {
  return JSON.stringify(place)
}
