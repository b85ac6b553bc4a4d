/**
 * Machines bridged behind a port (mesh:S4): learnt from the sources of its frames, forgotten when silent,
 * and watched for moving, since a machine that is here and there in turns betrays a loop of bridges. One
 * whose MAC is another member's is denied; now and then a frame of it goes out, by which that member sees
 * that the machine may have moved (sec:S7).
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
  /** Somebody else has the MAC: nothing is taken for it here, and little from it. */
  denied: boolean
  /** When the next frame of a denied one goes out. */
  passAt: Micros
}

/** Who knows whether a MAC is free. */
interface Allowance {
  mayServe(now: Micros, mac: Mac): boolean
}

/** Who sent nothing for so long leaves its MAC to whoever uses it elsewhere. Guess. */
const QUIET_AFTER: Micros = 10 * SECOND
/** A denied machine's frames that go out, one in so long. */
const PASS_EVERY: Micros = SECOND

/**
 * What the source of a local frame is: `new` ones are to be listened for; the frame of a `passing` one goes
 * out although it is denied; the last four drop the frame.
 */
export type Source = 'known' | 'new' | 'passing' | 'denied' | 'invalid' | 'full' | 'loop'

export class Stations {
  // Most ports have none.
  #stations: Map<Mac, Station> | undefined

  // HOT PATH
  here(mac: Mac): boolean {
    return this.#stations?.get(mac)?.here === true
  }

  /** A frame of the port has that source; `allowance` is asked where it matters. */
  learn(now: Micros, mac: Mac, allowance: Allowance): Source {
    this.#stations ??= new Map()
    const known = this.#stations.get(mac)
    if (known !== undefined) {
      known.at = now
      if (known.here) return 'known'
      if (!allowance.mayServe(now, mac)) return deny(now, known)
      // Whoever was kept waiting has not moved.
      if (!known.denied && moved(now, known)) return 'loop'
      known.denied = false
      known.here = true
      return 'new'
    }
    if (isGroupMac(mac)) return 'invalid'
    if (this.#stations.size >= STATIONS_MAX) return 'full'
    const station = { at: now, here: true, moves: 0, movesSince: now, denied: false, passAt: 0 }
    this.#stations.set(mac, station)
    return allowance.mayServe(now, mac) ? 'new' : deny(now, station)
  }

  /** Somebody else has the MAC of a machine that is here; true if there is such a machine. */
  yield(now: Micros, mac: Mac): boolean {
    const station = this.#stations?.get(mac)
    if (station === undefined || !station.here) return false
    deny(now, station)
    return true
  }

  /** Whether a machine with that MAC is here and has been heard lately. */
  keeps(now: Micros, mac: Mac): boolean {
    const station = this.#stations?.get(mac)
    return station?.here === true && now < station.at + QUIET_AFTER
  }

  /** Those that are here, in the order in which they came. */
  get macs(): Mac[] {
    const macs: Mac[] = []
    for (const [mac, { here }] of this.#stations ?? []) if (here) macs.push(mac)
    return macs
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

function deny(now: Micros, station: Station): 'passing' | 'denied' {
  station.here = false
  station.denied = true
  if (now < station.passAt) return 'denied'
  station.passAt = now + PASS_EVERY
  return 'passing'
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
