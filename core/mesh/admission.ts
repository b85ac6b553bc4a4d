/**
 * Who may become a neighbour, and who has to go: the limits of the active view. Decides and, to make
 * room, parts with a neighbour; answers no message itself.
 *
 * Beyond 1.5 targets only relays that have other choices are refused or sent away. Private peers and
 * leaves can reach few, so they are taken as long as there are links; but leaves leave room for the relays
 * that this node wants itself, for one that is full of them could look for no more.
 */
import type { Context } from '../context.ts'
import { COUNT } from '../counters.ts'
import { below, type Dice } from '../dice.ts'
import { CLOSE, type Micros } from '../io.ts'
import { isRelay, type LinkPort } from '../links/link.ts'
import { KIND } from '../wire/kinds.ts'
import { encodeControl } from '../wire/schema.ts'
import { Arrivals } from './arrivals.ts'
import { CROWD_FACTOR, SWAP_GAIN, TRIM_AGE } from './limits.ts'
import { disconnect, PARTING, type Parting, PRIORITY, type Priority } from './messages.ts'
import { isCrowd, type Peering, type Roster, relaysWanted } from './roster.ts'
import type { Self } from './self.ts'

export class Admission {
  readonly #context: Context
  readonly #dice: Dice
  readonly #links: LinkPort
  readonly #roster: Roster
  readonly #self: Self
  readonly #arrivals = new Arrivals()

  constructor(context: Context, dice: Dice, links: LinkPort, roster: Roster, self: Self) {
    this.#context = context
    this.#dice = dice
    this.#links = links
    this.#roster = roster
    this.#self = self
  }

  /** Whether one more JOIN or NEIGHBOUR is within what this node handles. */
  hasTimeFor(now: Micros, from: Peering): boolean {
    return this.#counted(this.#arrivals.came(now, from.link.peer))
  }

  /** The same for a FORWARD_JOIN that the neighbour sent. */
  hasTimeForJoiner(now: Micros, by: Peering): boolean {
    return this.#counted(this.#arrivals.toldOf(now, by))
  }

  /** Whether the asking peer may become a neighbour; makes room for it where it must. */
  accepts(now: Micros, from: Peering, priority: Priority): boolean {
    const { link } = from
    const { relay, linkLimit } = this.#context.config
    // Two leaves carry nothing for each other.
    if (!relay && !isRelay(link)) return false
    const census = this.#roster.census()
    const crowdLimit = this.#crowdLimit()
    // High priority is always accepted, even if another has to go; for a leaf no relay that is wanted.
    if (priority === PRIORITY.high) {
      const wanted = isRelay(link) ? 0 : relaysWanted(this.#context.config)
      if (census.neighbours + Math.max(0, wanted - census.relays) < linkLimit) return true
      return this.#evict(now, census.relays > wanted ? () => true : (peering) => !isRelay(peering.link))
    }
    // Others only if there is a free place.
    if (census.neighbours >= linkLimit) return false
    // Who has little choice is always let in, but for the places that a crowd of relays needs.
    if (!isCrowd(link)) return census.neighbours + crowdLimit < linkLimit || census.neighbours < crowdLimit
    return census.crowd < crowdLimit
  }

  /**
   * X-BOT, the candidate's side: a full one accepts if it gains by it too. Answers the neighbour that would
   * go for the asking peer, if HELLOs promise that it is nearer.
   */
  rivalOf({ link }: Peering): Peering | undefined {
    const worst = this.#roster.farthest(this.#self.reach, this.#context.selfKey)
    const isNearer = worst !== undefined && link.rtt > 0 && link.rtt <= SWAP_GAIN * worst.link.rtt
    return isNearer && isCrowd(link) ? worst : undefined
  }

  /** More relays than the crowd limit. */
  get crowded(): boolean {
    return this.#roster.census().crowd > this.#crowdLimit()
  }

  /** Sends one of a crowd away, if one may be and somebody did not go meanwhile. */
  trim(now: Micros): void {
    if (!this.crowded) return
    const settled = this.#roster
      .expendable(this.#self.reach)
      .filter((peering) => peering.since + TRIM_AGE <= now)
    const victim = settled[below(this.#dice, settled.length)]
    if (victim !== undefined) this.part(now, victim, PARTING.replaced)
  }

  /** Hangs up a peer whose HELLOs made a leaf of a relay, or the other way round; true if it was one. */
  endsTurncoat(now: Micros, { link, relay }: Peering): boolean {
    if (isRelay(link) === relay) return false
    this.#context.counters.add(COUNT.dropUnexpected)
    this.#links.hangUp(now, link, CLOSE.misbehaved)
    return true
  }

  /** Says why and hangs up: the node hears of it as of any other end of a link, within this call. */
  part(now: Micros, peering: Peering, reason: Parting): void {
    const { link } = peering
    this.#links.control(now, link, encodeControl(KIND.disconnect, disconnect, { reason }))
    this.#links.hangUp(now, link, reason === PARTING.leaving ? CLOSE.leaving : CLOSE.replaced)
  }

  /** Of a full active view a random neighbour goes: here one that no tree uses, if there is one. */
  #evict(now: Micros, may: (peering: Peering) => boolean): boolean {
    const preferred = this.#roster.expendable(this.#self.reach).filter(may)
    const others = this.#roster.neighbours().filter((peering) => !peering.link.treeUse && may(peering))
    const choice = preferred.length > 0 ? preferred : others
    const victim = choice[below(this.#dice, choice.length)]
    if (victim === undefined) return false
    this.#context.counters.add(COUNT.boundLinks)
    this.part(now, victim, PARTING.replaced)
    return true
  }

  #counted(inTime: boolean): boolean {
    if (!inTime) this.#context.counters.add(COUNT.boundControlRate)
    return inTime
  }

  #crowdLimit(): number {
    const { activeTarget, relay } = this.#context.config
    return relay ? Math.ceil(CROWD_FACTOR * activeTarget) : activeTarget
  }
}
