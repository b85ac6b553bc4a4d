/**
 * What a node tells those below it: is the VLAN, is a token, present beyond the link (B2)? The answers
 * decide how far tokens and packets climb, so they hold back `no` until it is sure: a premature one
 * would cut the lower's members off.
 */
import type { Micros } from '../io.ts'
import { BATCH, encodeOthers, encodeRefused, OTHERS, type Others } from './messages.ts'
import { type Lower, type RefusedToken, ROW, type Vlan } from './state.ts'
import type { Tables } from './tables.ts'

export class Downhill {
  readonly #tables: Tables

  constructor(tables: Tables) {
    this.#tables = tables
  }

  /** B2. OTHERS(v) to any lower: a member here, another lower, or yes from above. */
  verdict(vlan: Vlan): Others {
    if (vlan.members.length > 0 || vlan.lowers.length > 1) return OTHERS.yes
    if (vlan.upper !== undefined) return vlan.upper.others
    // Between two uppers nothing is known; without any this node is the top of the VLAN.
    return vlan.rechoose ? OTHERS.unknown : OTHERS.no
  }

  /** Something changed that the verdict depends on. */
  review(vlan: Vlan): void {
    const verdict = this.verdict(vlan)
    if (verdict === OTHERS.unknown) return
    for (const lower of vlan.lowers) if (lower.told !== verdict) this.#tables.schedule(lower)
  }

  /** One OTHERS, or the refusal that ends the registration; true while there is more. */
  speak(now: Micros, lower: Lower): boolean {
    const { vlan, peer } = lower
    const { links, tree } = this.#tables
    const about = { vlan: vlan.id, tree: tree.id, serial: lower.serial }
    if (lower.refusal !== undefined) {
      const refused = encodeRefused({ ...about, reason: lower.refusal, tokens: [] })
      links.control(now, peer.link, refused)
      return false
    }
    if (vlan.lowerOf(peer) !== lower) return false
    if (lower.refused.length > 0) {
      this.#sayRefused(now, lower)
      return true
    }
    const yes: Uint8Array[] = []
    const no: Uint8Array[] = []
    const more = this.#changes(lower, yes, no)
    const state = this.verdict(vlan)
    const news = state !== OTHERS.unknown && state !== lower.told
    if (!news && !lower.answer && !lower.resend && yes.length + no.length === 0) return more
    const packet = encodeOthers({ ...about, state, resend: lower.resend ? 1 : 0, yes, no })
    if (state !== OTHERS.unknown) lower.told = state
    lower.answer = false
    lower.resend = false
    links.control(now, peer.link, packet)
    return more
  }

  /** Tokens that were not taken, a batch with one reason. */
  #sayRefused(now: Micros, lower: Lower): void {
    const { vlan, peer, refused, serial } = lower
    const { links, tree } = this.#tables
    const { reason } = refused[0] as RefusedToken
    let end = 1
    while (end < BATCH && refused[end]?.reason === reason) end += 1
    const tokens = refused.splice(0, end).map(({ token }) => token)
    links.control(now, peer.link, encodeRefused({ vlan: vlan.id, tree: tree.id, serial, reason, tokens }))
  }

  /** Collects tokens whose flag for this lower changed, at most a batch; true if some were left. */
  #changes(lower: Lower, yes: Uint8Array[], no: Uint8Array[]): boolean {
    const { vlan, peer } = lower
    const queue = vlan.downQueue
    while (lower.cursor < queue.length && yes.length + no.length < BATCH) {
      const index = queue[lower.cursor++] as number
      if (!vlan.tokens.has(index) || !vlan.hasBit(index, ROW.setLow, peer)) continue
      const others = vlan.othersFor(index)
      if (others === vlan.hasBit(index, ROW.toldLow, peer)) continue
      if (others) vlan.setBit(index, ROW.toldLow, peer)
      else vlan.clearBit(index, ROW.toldLow, peer)
      ;(others ? yes : no).push(vlan.tokens.key(index))
    }
    const more = lower.cursor < queue.length
    if (!more) this.#rewind(vlan)
    return more
  }

  /**
   * The queue is empty once every lower is through. One that is not in line has nothing to hear of the
   * rest: each entry put those in line whom it concerned. All cursors at the end at one instant would be
   * too much to ask, since under churn nearly every entry concerns some and not others.
   */
  #rewind(vlan: Vlan): void {
    for (const lower of vlan.lowers) if (lower.queued && lower.cursor < vlan.downQueue.length) return
    vlan.downQueue = []
    for (const lower of vlan.lowers) lower.cursor = 0
  }
}
