/**
 * What a membership remembers of each epoch that packets may still be sealed under: its tokens, which depend
 * on the branch's salt (sec:M11), who is at which leaf, and its exporter, to be zeroed
 * with the epoch's keys. Knows nothing of packets.
 */
import type { Crypto } from '../crypto/ports.ts'
import type { AdoptedEpoch } from '../group/effects.ts'
import { hex, type Mac, saltId, sameBytes } from '../ids.ts'
import { EpochExporter } from '../mls/exporter.ts'
import type { EpochSource } from '../seal/epoch.ts'
import type { RosterEntry } from '../seal/peers.ts'
import { TokenBook } from '../vlan/tokens.ts'

/** Members send to the old tokens for so long after a salt was changed (mesh:S5). */
const FORMER_MILLIS = 10_000
/** Who came in last within that time does so for as long again; the rest is for clocks that differ. */
const HEARD_MILLIS = 30_000

/** The tokens of one salt. */
export class BranchTokens {
  readonly book: TokenBook
  readonly salt: Uint8Array
  readonly saltId: Uint8Array

  constructor(crypto: Crypto, vlan: Uint8Array, privacy: 'spec' | 'private', salt: Uint8Array) {
    this.salt = salt.slice()
    this.saltId = saltId(crypto.hash, salt)
    this.book = new TokenBook(crypto, { vlan, privacy, salt: this.salt })
  }

  token(mac: Mac): Uint8Array {
    return this.book.token(mac)
  }
}

/** An epoch that was adopted and is not erased. */
interface Page {
  readonly tokens: BranchTokens
  /** Of the salt before, the same for all members of the epoch. */
  readonly previous: BranchTokens
  readonly roster: ReadonlyMap<number, RosterEntry>
  readonly ownLeaf: number
  /** By member key in hex. */
  readonly leafOf: ReadonlyMap<string, number>
  readonly exporter: EpochExporter
}

export class Books {
  readonly #crypto: Crypto
  readonly #vlan: Uint8Array
  readonly #privacy: 'spec' | 'private'
  readonly #pages = new Map<string, Page>()
  #current: Page | undefined

  constructor(crypto: Crypto, vlan: Uint8Array, privacy: 'spec' | 'private') {
    this.#crypto = crypto
    this.#vlan = vlan
    this.#privacy = privacy
  }

  /** Of the adopted epoch. */
  get tokens(): BranchTokens | undefined {
    return this.#current?.tokens
  }

  get previous(): BranchTokens | undefined {
    return this.#current?.previous
  }

  /** The tokens by which members of that epoch are reached; undefined if it is erased. */
  tokensOf(mlsId: Uint8Array): BranchTokens | undefined {
    return this.#pages.get(hex(mlsId))?.tokens
  }

  /** This member's own leaf in the adopted epoch. */
  get ownLeaf(): number | undefined {
    return this.#current?.ownLeaf
  }

  /** Member key at a leaf of the adopted epoch. */
  memberAt(leaf: number): Uint8Array | undefined {
    return this.#current?.roster.get(leaf)?.memberKey
  }

  /** Leaf of a member key in the adopted epoch. */
  leafOf(memberKey: Uint8Array): number | undefined {
    return this.#current?.leafOf.get(hex(memberKey))
  }

  /** Opens the page of an epoch; answers what sealing needs of it. */
  adopt(epoch: AdoptedEpoch): EpochSource {
    const { mlsId, suite, ownLeaf, leafSeed, exporterSecret: secret, origin } = epoch
    const roster = new Map<number, RosterEntry>()
    const leafOf = new Map<string, number>()
    for (const [leaf, { identity, leafKey }] of epoch.roster) {
      roster.set(leaf, { memberKey: identity.memberKey, leafKey })
      leafOf.set(hex(identity.memberKey), leaf)
    }
    const tokens = this.#tokensFor(epoch.salts.current)
    const previous = this.#tokensFor(epoch.salts.previous, tokens)
    const exporter = new EpochExporter(this.#crypto.kdf, suite, secret)
    const page = { tokens, previous, roster, leafOf, ownLeaf, exporter }
    this.#pages.set(hex(mlsId), page)
    this.#current = page
    return {
      mlsId,
      roster,
      self: ownLeaf,
      leafSeed,
      origin,
      exporter: (label, context, length) => exporter.export(label, context, length),
    }
  }

  /**
   * The tokens of the salt before the adopted epoch's: `former` if the others send to them, `heard` if only
   * some may. They all do if the salt is new by this machine's clock, or was followed into as it was made.
   * Who comes later, by a Welcome or back from another branch, reaches them by the new tokens alone: some of
   * them never listened to the old ones, having come that way themselves. It listens for those that came
   * shortly before it and take the salt for new. `before`: the tokens until now.
   */
  formers(
    before: BranchTokens | undefined,
    { origin, isLate, salts }: Pick<AdoptedEpoch, 'origin' | 'isLate' | 'salts'>,
    wallMillis: number,
  ): { readonly former?: TokenBook; readonly heard?: TokenBook } {
    const { tokens, previous } = this
    if (previous === undefined || previous === tokens) return {}
    const age = Math.abs(wallMillis - salts.since)
    const hasFollowed = before === previous && origin === 'child' && !isLate
    if (age < FORMER_MILLIS || hasFollowed) return { former: previous.book }
    return age < HEARD_MILLIS || before === previous ? { heard: previous.book } : {}
  }

  erase(mlsId: Uint8Array): void {
    const name = hex(mlsId)
    this.#pages.get(name)?.exporter.erase()
    this.#pages.delete(name)
  }

  eraseAll(): void {
    for (const { exporter } of this.#pages.values()) exporter.erase()
    this.#pages.clear()
    this.#current = undefined
  }

  /** Most epochs keep the salt of their parent: their tokens are reckoned once. */
  #tokensFor(salt: Uint8Array, other?: BranchTokens): BranchTokens {
    if (other !== undefined && sameBytes(other.salt, salt)) return other
    for (const { tokens, previous } of this.#pages.values()) {
      if (sameBytes(tokens.salt, salt)) return tokens
      if (sameBytes(previous.salt, salt)) return previous
    }
    return new BranchTokens(this.#crypto, this.#vlan, this.#privacy, salt)
  }
}
