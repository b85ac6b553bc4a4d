/**
 * The links that membership works with: those that are neighbours (HyParView's active view) and those on
 * which that is being settled. Counts and picks; sends nothing and ends nothing.
 */

import type { NodeConfig } from '../config.ts'
import { below, type Dice } from '../dice.ts'
import { sameBytes } from '../ids.ts'
import {
  type Address,
  type LinkId,
  type Micros,
  NEVER,
  type PeerId,
  REACHABILITY,
  type Reachability,
} from '../io.ts'
import { isRelay, type Link } from '../links/link.ts'
import { readU32, writeU32 } from '../wire/cursor.ts'
import { LEAF_RELAYS, REPLACED_BURST, SAMPLES_BURST, SHUFFLES_BURST, UNBIASED } from './limits.ts'
import type { Descriptor } from './messages.ts'
import { COORDINATES_BYTES, UNKNOWN_COORDINATES } from './vivaldi.ts'

const NO_ADDRESS: Address = new Uint8Array(0)

/** What this end dialled for. */
export const PURPOSE = { join: 0, neighbour: 1, optimise: 2 } as const
export type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE]

/** A limit on how often: `burst` at once, then `rate` a second. */
export interface Bucket {
  tokens: number
  at: Micros
}

/** False if nothing is left. */
export function take(bucket: Bucket, now: Micros, rate: number, burst: number): boolean {
  bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * rate) / 1_000_000)
  bucket.at = now
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}

/** One open link as membership sees it. */
export interface Peering {
  readonly link: Link
  /** Undefined if the other end dialled. */
  readonly purpose: Purpose | undefined
  /** Our request went out. */
  asked: boolean
  /** Settled by then or hung up; NEVER for a neighbour. */
  due: Micros
  /** When it became a neighbour. */
  since: Micros
  /** Where the peer may be dialled, as it said or as we dialled it. */
  address: Address | undefined
  /** Answers to walks that this contact started for us and may still send. */
  answers: number
  readonly shuffles: Bucket
  /** Round trips that may yet move the own coordinates. */
  readonly samples: Bucket
  /**
   * Relay or leaf, as its first HELLO said. A node is one or the other for all of its life, and limits here,
   * in trees and in VLANs depend on it, so who says something else later is hung up. Reachability and whether
   * it carries any VLAN may change with its address and its policy: these are taken as they come.
   */
  readonly relay: boolean
  /** What it said of its reachability when it was last looked at. */
  isPublic: boolean
  /** What it may tell of joiners when the others have used up what all may. */
  readonly forwards: Bucket
  /** Entries of the passive view that may yet be replaced on its word. */
  readonly replaced: Bucket
}

/** What the neighbours amount to. */
export interface Census {
  readonly neighbours: number
  readonly relays: number
  readonly publics: number
  /** Relays that others could have as well: the rest, leaves and private ones, have less choice. */
  readonly crowd: number
  /** Dialled links on which the answer to a request for a further neighbour is awaited. */
  readonly asking: number
  /** Those of them that are to a contact, with a JOIN. */
  readonly joining: number
}

export function isPublic(link: Link): boolean {
  return link.reach === REACHABILITY.public
}

/** A relay that others can dial too. */
export function isCrowd(link: Link): boolean {
  return isRelay(link) && link.reach !== REACHABILITY.private
}

/** What others are told of a neighbour. */
export function describe({ link, address }: Peering): Descriptor {
  const coordinates = new Uint8Array(COORDINATES_BYTES)
  writeU32(coordinates, 0, link.coordinatesHigh)
  writeU32(coordinates, 4, link.coordinatesLow)
  return {
    key: link.key,
    reach: link.reach,
    relay: isRelay(link),
    coordinates,
    address: address ?? NO_ADDRESS,
  }
}

/** Neighbours that have to be relays: half of what a relay looks for, two for a leaf (mesh:M4). */
export function relaysWanted(config: NodeConfig): number {
  return config.relay ? Math.ceil(config.activeTarget / 2) : LEAF_RELAYS
}

export class Roster {
  readonly #peerings = new Map<LinkId, Peering>()

  add(link: Link, purpose: Purpose | undefined, address: Address | undefined, due: Micros): Peering {
    const peering: Peering = {
      link,
      purpose,
      asked: false,
      due,
      since: NEVER,
      address,
      answers: 0,
      shuffles: { tokens: SHUFFLES_BURST, at: 0 },
      samples: { tokens: SAMPLES_BURST, at: 0 },
      relay: isRelay(link),
      isPublic: isPublic(link),
      forwards: { tokens: 0, at: link.openedAt },
      replaced: { tokens: purpose === undefined ? 0 : REPLACED_BURST, at: link.openedAt },
    }
    this.#peerings.set(link.id, peering)
    link.coordinatesHigh = readU32(UNKNOWN_COORDINATES, 0)
    link.coordinatesLow = readU32(UNKNOWN_COORDINATES, 4)
    link.inMesh = peering
    return peering
  }

  /** Undefined if the link is not membership's yet, or no more. HOT PATH */
  of(link: Link): Peering | undefined {
    return link.inMesh as Peering | undefined
  }

  get(id: LinkId): Peering | undefined {
    return this.#peerings.get(id)
  }

  delete(link: Link): void {
    this.#peerings.delete(link.id)
    link.inMesh = undefined
  }

  byPeer(peer: PeerId): Peering | undefined {
    for (const peering of this.#peerings.values()) if (peering.link.peer === peer) return peering
    return undefined
  }

  byKey(key: Uint8Array): Peering | undefined {
    for (const peering of this.#peerings.values()) if (sameBytes(peering.link.key, key)) return peering
    return undefined
  }

  /** A copy: links may end while it is walked over. */
  all(): Peering[] {
    return [...this.#peerings.values()]
  }

  /** A copy, oldest link first. */
  neighbours(): Peering[] {
    return this.all().filter((peering) => peering.link.neighbour)
  }

  census(): Census {
    const census = { neighbours: 0, relays: 0, publics: 0, crowd: 0, asking: 0, joining: 0 }
    for (const { link, purpose } of this.#peerings.values()) {
      if (link.neighbour) {
        census.neighbours += 1
        if (isRelay(link)) census.relays += 1
        if (isPublic(link) && isRelay(link)) census.publics += 1
        if (isCrowd(link)) census.crowd += 1
      } else if (purpose === PURPOSE.join || purpose === PURPOSE.neighbour) {
        census.asking += 1
        if (purpose === PURPOSE.join) census.joining += 1
      }
    }
    return census
  }

  /** Any relay neighbour but one: the next hop of a walk. */
  nextHop(dice: Dice, except: Link | undefined): Link | undefined {
    const links = this.neighbours().map((peering) => peering.link)
    const others = links.filter((link) => link !== except && isRelay(link))
    return others[below(dice, others.length)]
  }

  /** The earliest end of an unsettled link. */
  due(): Micros {
    let due = NEVER
    for (const peering of this.#peerings.values()) due = Math.min(due, peering.due)
    return due
  }

  /**
   * Neighbours that may be given up for others: no tree uses them, they have other choices, and a node
   * that is not public keeps its last public one (mesh:S11).
   */
  expendable(selfReach: Reachability): Peering[] {
    const lastPublic = selfReach !== REACHABILITY.public && this.census().publics <= 1
    return this.neighbours().filter(
      ({ link }) => !link.treeUse && isCrowd(link) && !(lastPublic && isPublic(link)),
    )
  }

  /** The expendable neighbour with the longest measured round trip, but for the unbiased ones. */
  farthest(selfReach: Reachability, selfKey: Uint8Array): Peering | undefined {
    const kept = this.unbiased(selfKey)
    let worst: Peering | undefined
    for (const peering of this.expendable(selfReach)) {
      const { rtt } = peering.link
      if (rtt > 0 && !kept.includes(peering) && rtt > (worst?.link.rtt ?? 0)) worst = peering
    }
    return worst
  }

  /**
   * The neighbours kept whatever their round trip: those whose key is nearest to ours by XOR, which has
   * nothing to do with distance (X-BOT, section III).
   */
  unbiased(selfKey: Uint8Array): Peering[] {
    const near = (peering: Peering): number => xorPrefix(selfKey, peering.link.key)
    const relays = this.neighbours().filter((peering) => isRelay(peering.link))
    return relays.sort((a, b) => near(a) - near(b) || a.link.id - b.link.id).slice(0, UNBIASED)
  }
}

function xorPrefix(a: Uint8Array, b: Uint8Array): number {
  let value = 0
  for (let byte = 0; byte < 4; byte++) value = value * 256 + ((a[byte] as number) ^ (b[byte] as number))
  return value
}
