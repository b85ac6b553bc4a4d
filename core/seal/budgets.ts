/**
 * What one link may make this member compute (sec:S12): openings of channel packets, verifications, INITs.
 * By ingress link and never by claimed sender, which would punish whoever is impersonated.
 */
import type { LinkId, Micros } from '../io.ts'
import { Bucket } from '../vlan/storm.ts'
import { BUDGETS_MAX, INITS_RATE, OPENS_RATE, VERIFIES_RATE } from './limits.ts'

export class LinkBudget {
  readonly opens: Bucket
  readonly verifies: Bucket
  readonly inits: Bucket
  /** Signatures under group keys that failed. Those that fit are limited as frames, by the storm limits. */
  readonly #failures: Bucket

  constructor(now: Micros) {
    this.opens = new Bucket(now, OPENS_RATE)
    this.verifies = new Bucket(now, VERIFIES_RATE)
    this.inits = new Bucket(now, INITS_RATE)
    this.#failures = new Bucket(now, VERIFIES_RATE)
  }

  // HOT PATH
  mayFail(now: Micros): boolean {
    return this.#failures.readyAt(now, 1) <= now
  }

  failed(now: Micros): void {
    this.#failures.charge(now, 1)
  }
}

/** The budgets of all links; beyond the bound the one made first goes, as its link has long gone too. */
export class Budgets {
  readonly #budgets = new Map<LinkId, LinkBudget>()

  // HOT PATH
  of(now: Micros, link: LinkId): LinkBudget {
    return this.#budgets.get(link) ?? this.#make(now, link)
  }

  #make(now: Micros, link: LinkId): LinkBudget {
    if (this.#budgets.size >= BUDGETS_MAX) {
      for (const oldest of this.#budgets.keys()) {
        this.#budgets.delete(oldest)
        break
      }
    }
    const made = new LinkBudget(now)
    this.#budgets.set(link, made)
    return made
  }
}
