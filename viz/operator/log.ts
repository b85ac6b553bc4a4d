/** The log of a node as it is written: the last lines, and each that comes, for as long as it is open. */
import { element, make } from '../parts/elements.ts'
import type { NodeApi } from '../source/node-api.ts'

/** Lines that are kept on the page. */
const LINES_MAX = 1_000
/** How soon it is tried again when the node ended it. */
const AGAIN_MILLIS = 3_000

interface Entry {
  readonly time?: number | string
  readonly level?: string | number
  readonly module?: string
  readonly msg?: string
}

export class Log {
  readonly #place = element('log', HTMLDetailsElement)
  readonly #list = this.#place.querySelector('ol') as HTMLOListElement
  #api: NodeApi | undefined
  #following: AbortController | undefined

  constructor() {
    this.#place.addEventListener('toggle', () => this.#follow())
  }

  of(api: NodeApi): void {
    this.#api = api
    this.#follow()
  }

  #follow(): void {
    this.#following?.abort()
    const api = this.#api
    if (!this.#place.open || api === undefined) return
    this.#list.replaceChildren()
    const following = new AbortController()
    this.#following = following
    const again = (): void => {
      if (following.signal.aborted) return
      setTimeout(() => {
        if (!following.signal.aborted) this.#follow()
      }, AGAIN_MILLIS)
    }
    void api.lines('/v1/logs?follow=1', following.signal, (line) => this.#add(line)).then(again, again)
  }

  #add(line: string): void {
    const list = this.#list
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4
    list.append(make('li', {}, textOf(line)))
    if (list.childElementCount > LINES_MAX) list.firstElementChild?.remove()
    if (isAtEnd) list.scrollTop = list.scrollHeight
  }
}

/** `12:00:03 info vlan portUp {…}`; a line of another form as it is. */
function textOf(line: string): string {
  try {
    const { time, level, module, msg, ...rest } = JSON.parse(line) as Entry
    const at = time === undefined ? '' : new Date(time).toISOString().slice(11, 19)
    const more = Object.keys(rest).length === 0 ? '' : JSON.stringify(rest)
    return [at, level, module, msg, more].filter((part) => part !== undefined && part !== '').join(' ')
  } catch {
    return line
  }
}
