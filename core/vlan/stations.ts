/**
 * Machines bridged behind a port (mesh:S4): learnt from the sources of its frames, forgotten when silent,
 * and watched for moving, since a machine that is here and there in turns betrays a loop of bridges.
 */
import { isGroupMac, type Mac } from '../ids.ts'
import { type Micros, NEVER, SECOND } from '../io.ts'

const STATIONS_MAX = 1_024
export const STATION_AGE: Micros = 300 * SECOND
const MOVES_MAX = 3
const MOVES_WITHIN: Micros = 10 * SECOND

interface Station {
  at: Micros
  /** False once its frames came from elsewhere. */
  here: boolean
  moves: number
  movesSince: Micros
}

/** What the source of a local frame is: `new` ones are to be listened for, the last three drop the frame. */
export type Source = 'known' | 'new' | 'invalid' | 'full' | 'loop'

export class Stations {
  // Most ports have none.
  #stations: Map<Mac, Station> | undefined

  // HOT PATH
  here(mac: Mac): boolean {
    return this.#stations?.get(mac)?.here === true
  }

  /** A frame of the port has that source. */
  learn(now: Micros, mac: Mac): Source {
    this.#stations ??= new Map()
    const known = this.#stations.get(mac)
    if (known !== undefined) {
      known.at = now
      if (known.here) return 'known'
      if (moved(now, known)) return 'loop'
      known.here = true
      return 'new'
    }
    if (isGroupMac(mac)) return 'invalid'
    if (this.#stations.size >= STATIONS_MAX) return 'full'
    this.#stations.set(mac, { at: now, here: true, moves: 0, movesSince: now })
    return 'new'
  }

  /** A frame from the VLAN has that source: `moved` if the machine was here, `loop` if it moves too often. */
  elsewhere(now: Micros, mac: Mac): 'stranger' | 'moved' | 'loop' {
    const station = this.#stations?.get(mac)
    if (station === undefined || !station.here) return 'stranger'
    station.here = false
    return moved(now, station) ? 'loop' : 'moved'
  }

  /** Forgets the silent and answers those of them that were here. */
  age(now: Micros): Mac[] {
    const gone: Mac[] = []
    for (const [mac, station] of this.#stations ?? []) {
      if (station.at + STATION_AGE > now) continue
      this.#stations?.delete(mac)
      if (station.here) gone.push(mac)
    }
    return gone
  }

  /** When there may be somebody to forget. */
  get ageAt(): Micros {
    let at = NEVER
    for (const station of this.#stations?.values() ?? []) at = Math.min(at, station.at + STATION_AGE)
    return at
  }
}

/** Counts a move; true if it is one too many. */
function moved(now: Micros, station: Station): boolean {
  if (now > station.movesSince + MOVES_WITHIN) {
    station.movesSince = now
    station.moves = 0
  }
  station.moves += 1
  if (station.moves <= MOVES_MAX) return false
  station.moves = 0
  return true
}
