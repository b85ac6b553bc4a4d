/** Picks the source for what somebody opens. Whoever adds a kind of source adds it here. */
import { Live, type Watched } from './live.ts'
import { Recorded } from './recorded.ts'
import { Simulator } from './simulator.ts'
import type { News, Opening, Source } from './source.ts'

export type Opened =
  | { readonly kind: 'simulation'; readonly opening: Opening }
  | { readonly kind: 'live'; readonly watched: Watched }
  /** `from`: a file, or the address of one that the page's server has. */
  | { readonly kind: 'recording'; readonly name: string; readonly from: Blob | string }

/** `old`: the source so far, which goes on to be used if it can show this too, and is closed if not. */
export function openSource(opened: Opened, old: Source | undefined, tell: (news: News) => void): Source {
  switch (opened.kind) {
    case 'simulation': {
      const source = old instanceof Simulator ? old : new Simulator(tell)
      if (source !== old) old?.close()
      source.order({ kind: 'open', opening: opened.opening })
      return source
    }
    case 'live':
      old?.close()
      return new Live(opened.watched, tell)
    case 'recording':
      old?.close()
      return new Recorded(opened.name, opened.from, tell)
  }
}
