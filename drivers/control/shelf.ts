/**
 * The VLANs that a node is to be in, in memory and in its book, which agree: a change that cannot be kept is
 * not made. What became of a member by itself is so all the same, and is kept as soon as there is room.
 */
import { UsageError } from '../../core/errors.ts'
import { sameBytes } from '../../core/ids.ts'
import { type Micros, type PortId, SECOND } from '../../core/io.ts'
import { HeldVlan } from './held.ts'
import type { ControlledNode, KeptRedemption, KeptVlan } from './node.ts'
import { REFUSAL, type Refused, refused } from './outcome.ts'
import { lastingRedemptions, redemptionOf, withoutRedemption, withRedemption } from './redeemed.ts'

/** How soon it is tried again to write the book. Guess: somebody has to make room. */
const SAVE_AGAIN: Micros = 10 * SECOND
/** How often it is looked which keys of invitations are over. */
const LOOK_OVER: Micros = 60 * SECOND

export class Shelf {
  readonly #node: ControlledNode
  #held: readonly HeldVlan[] = []
  #redeemed: readonly KeptRedemption[] = []
  #nextPort: number
  #savesAgain = false
  #looksOver = false

  constructor(node: ControlledNode) {
    this.#node = node
    this.#nextPort = node.book.load().nextPort
  }

  /** As the book has it. */
  load(): void {
    const { vlans, nextPort, redeemed = [] } = this.#node.book.load()
    this.#held = vlans.map((kept) => new HeldVlan(this.#node, kept))
    this.#redeemed = redeemed
    this.#nextPort = nextPort
    this.#lookOver()
  }

  get held(): readonly HeldVlan[] {
    return this.#held
  }

  /** The key that an invitation was redeemed with before. */
  redemption(serial: Uint8Array): KeptRedemption | undefined {
    return this.#redeemed.find((each) => sameBytes(each.serial, serial))
  }

  /** One more, or one in place of another, of which the key alone is kept if it still asked. */
  add(becoming: Omit<KeptVlan, 'port' | 'over'>, other?: HeldVlan): HeldVlan {
    this.#nextPort += 1
    const port = (this.#nextPort - 1) as PortId
    const held = new HeldVlan(this.#node, { ...becoming, port, over: undefined })
    const others = this.#held.filter((each) => each !== other)
    const redeemed = other === undefined ? this.#redeemed : this.#redeemedWith(other)
    this.#change([...others, held], withoutRedemption(redeemed, becoming.identity.serial))
    return held
  }

  /** `keepsKey`: to ask again with, since with another one its invitation may be spent. */
  strike(held: HeldVlan, keepsKey: boolean): void {
    const rest = this.#held.filter((each) => each !== held)
    this.#change(rest, keepsKey ? this.#redeemedWith(held) : this.#redeemed)
  }

  /** Throws if it cannot be kept now; then it is tried again. */
  save(): void {
    try {
      this.#write()
    } catch (error) {
      this.#saveAgain()
      throw error
    }
    this.#lookOver()
  }

  /** Why nothing can be kept now, as on a full disk; undefined if `save` could be done. */
  whyUnkept(save: () => void = () => this.save()): Refused | undefined {
    try {
      save()
      return undefined
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      return refused(REFUSAL.notNow, error.message)
    }
  }

  #redeemedWith(held: HeldVlan): readonly KeptRedemption[] {
    const redemption = redemptionOf(held)
    return redemption === undefined ? this.#redeemed : withRedemption(this.#redeemed, redemption)
  }

  #change(held: readonly HeldVlan[], redeemed: readonly KeptRedemption[]): void {
    const before = { held: this.#held, redeemed: this.#redeemed }
    this.#held = held
    this.#redeemed = redeemed
    try {
      this.save()
    } catch (error) {
      this.#held = before.held
      this.#redeemed = before.redeemed
      throw error
    }
  }

  #saveAgain(): void {
    if (this.#savesAgain) return
    this.#savesAgain = true
    this.#node.after(SAVE_AGAIN, () => {
      this.#savesAgain = false
      if (this.whyUnkept(() => this.#write()) !== undefined) this.#saveAgain()
    })
  }

  #write(): void {
    const vlans = this.#held.map(({ kept }) => kept)
    const redeemed = lastingRedemptions(this.#redeemed, this.#node.wallMillis())
    this.#node.book.save({ vlans, nextPort: this.#nextPort, redeemed })
    this.#redeemed = redeemed
  }

  /** Keys of invitations that are over are forgotten though nothing else is kept meanwhile. */
  #lookOver(): void {
    if (this.#looksOver || this.#redeemed.length === 0) return
    this.#looksOver = true
    this.#node.after(LOOK_OVER, () => {
      this.#looksOver = false
      const lasting = lastingRedemptions(this.#redeemed, this.#node.wallMillis())
      if (lasting.length < this.#redeemed.length) this.whyUnkept()
      this.#lookOver()
    })
  }
}
