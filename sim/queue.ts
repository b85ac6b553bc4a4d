/**
 * The event queue of the simulated world: pending events in the order (time, sequence of pushing).
 *
 * It knows nothing of what an event means: an event is a time, a small kind and two numbers. Whatever
 * needs an object keeps it in a table of its own and passes the row.
 *
 * Shape: a 4-ary heap holds only the nearest events; those further off lie unsorted in the buckets of a
 * ladder (Tang, Goh, Thng, "Ladder queue", ACM TOMACS 15(3), 2005) and are sorted when their bucket's
 * turn comes. A lone heap of a million events costs six cache misses a pop; here an event is moved two
 * or three times in all, each time within one 32-byte record. In the worst case (all events at one
 * instant) everything is in the heap, so no pattern of times costs more than a heap does.
 *
 * Nothing is allocated per event: records live in one growing typed array with a free list.
 */
import { InvariantError } from '../core/errors.ts'
import { type Micros, NEVER } from '../core/io.ts'

/** A record is four 64-bit words: time, sequence, b, and the 32-bit pair (a, kind). */
const WORDS = 4
const TIME = 0
const SEQUENCE = 1
const B = 2
/** Index of `a` and `kind` among the record's eight 32-bit words. */
const A = 6
const KIND = 7
const NONE = -1

/** A bucket of at most this many events goes to the heap, a larger one becomes a rung of its own. */
const HEAP_BATCH = 16
/** Mean events per bucket of a new rung. Measured best of 2 … 24, with the batch above. */
const PER_BUCKET = 2
/** Rungs nest this deep; what is still crowded below goes to the heap. Each divides the time by thousands. */
const RUNGS = 8
const FIRST_CAPACITY = 1_024

/** Buckets of equal width. Those below `current` are spent; an event's bucket rises with its time. */
interface Rung {
  start: Micros
  /** Buckets per microsecond. */
  scale: number
  used: number
  current: number
  /** Events in all buckets. */
  count: number
  /** First record of each bucket's list. */
  heads: Int32Array
}

/** Apart from `push`, so that no message is built for an event that is right. */
function refuse(time: Micros, kind: number, a: number): never {
  throw new InvariantError(
    `an event needs a finite time, and a kind and a first word of 32 bits, not ${time}, ${kind}, ${a}`,
  )
}

export class EventQueue {
  /** The event that `pop` took last. */
  time: Micros = 0
  kind = 0
  a = 0
  b = 0

  #size = 0
  #sequence = 0

  #records = new Float64Array(FIRST_CAPACITY * WORDS)
  #halves = new Int32Array(this.#records.buffer)
  /** The record behind each record, in whatever list it is: apart, so that a walk fetches many at once. */
  #next = new Int32Array(FIRST_CAPACITY)
  #capacity = 0
  #free = NONE

  #heapSize = 0
  #heapTimes = new Float64Array(FIRST_CAPACITY)
  #heapSequences = new Float64Array(FIRST_CAPACITY)
  #heapSlots = new Int32Array(FIRST_CAPACITY)

  readonly #rungs: Rung[] = []
  #depth = 0

  /** Events later than `#farEdge`, unsorted, until all rungs are spent. */
  #far = NONE
  #farEdge = Number.NEGATIVE_INFINITY
  #farCount = 0
  #farMin = Number.POSITIVE_INFINITY
  #farMax = Number.NEGATIVE_INFINITY

  constructor() {
    for (let depth = 0; depth < RUNGS; depth++) {
      this.#rungs.push({ start: 0, scale: 1, used: 0, current: 0, count: 0, heads: new Int32Array(0) })
    }
    this.#chainFree(FIRST_CAPACITY)
  }

  get size(): number {
    return this.#size
  }

  /** Bytes held by the queue's arrays. */
  get bytes(): number {
    let total = this.#records.byteLength + this.#next.byteLength + 20 * this.#heapTimes.length
    for (const rung of this.#rungs) total += rung.heads.byteLength
    return total
  }

  // HOT PATH
  /**
   * Adds an event: `time` finite, microseconds; `kind` and `a` 32-bit signed integers; `b` any number,
   * kept exactly. A time earlier than the last one popped is allowed and comes next.
   */
  push(time: Micros, kind: number, a: number, b: number): void {
    if (time - time !== 0 || (kind | 0) !== kind || (a | 0) !== a) refuse(time, kind, a)
    if (this.#free === NONE) this.#grow()
    const slot = this.#free
    const records = this.#records
    const halves = this.#halves
    const word = slot * WORDS
    const next = this.#next
    this.#free = next[slot] as number
    const sequence = this.#sequence++
    records[word + TIME] = time
    records[word + SEQUENCE] = sequence
    records[word + B] = b
    halves[word * 2 + A] = a
    halves[word * 2 + KIND] = kind
    this.#size++
    if (time > this.#farEdge) {
      next[slot] = this.#far
      this.#far = slot
      this.#farCount++
      if (time < this.#farMin) this.#farMin = time
      if (time > this.#farMax) this.#farMax = time
      return
    }
    for (let depth = 0; depth < this.#depth; depth++) {
      const rung = this.#rungs[depth] as Rung
      const position = (time - rung.start) * rung.scale
      if (position < rung.current || rung.current === rung.used) continue
      // Compared before it is cut, so that a 32-bit integer always suffices: other numbers are slow.
      const bucket = position < rung.used ? position | 0 : rung.used - 1
      next[slot] = rung.heads[bucket] as number
      rung.heads[bucket] = slot
      rung.count++
      return
    }
    this.#heapPush(time, sequence, slot)
  }

  // HOT PATH
  /** Takes the earliest event into `time`, `kind`, `a` and `b`; false if there is none. */
  pop(): boolean {
    if (this.#heapSize === 0) {
      if (this.#size === 0) return false
      this.#refill()
    }
    const slot = this.#heapSlots[0] as number
    const word = slot * WORDS
    this.time = this.#heapTimes[0] as number
    this.kind = this.#halves[word * 2 + KIND] as number
    this.a = this.#halves[word * 2 + A] as number
    this.b = this.#records[word + B] as number
    this.#next[slot] = this.#free
    this.#free = slot
    this.#size--
    this.#heapDropFirst()
    return true
  }

  /** Time of the earliest event; NEVER if there is none. */
  nextTime(): Micros {
    if (this.#size === 0) return NEVER
    if (this.#heapSize === 0) this.#refill()
    return this.#heapTimes[0] as number
  }

  /** Moves the earliest bucket into the empty heap. There is at least one event somewhere. */
  #refill(): void {
    while (this.#heapSize === 0) {
      if (this.#depth === 0) {
        this.#openFar()
        continue
      }
      const rung = this.#rungs[this.#depth - 1] as Rung
      if (rung.count === 0) {
        this.#depth--
        continue
      }
      const heads = rung.heads
      let bucket = rung.current
      while (heads[bucket] === NONE) bucket++
      const head = heads[bucket] as number
      heads[bucket] = NONE
      rung.current = bucket + 1
      rung.count -= this.#openBucket(head)
    }
  }

  #openFar(): void {
    const head = this.#far
    const count = this.#farCount
    const [earliest, latest] = [this.#farMin, this.#farMax]
    this.#far = NONE
    this.#farEdge = latest
    this.#farCount = 0
    this.#farMin = Number.POSITIVE_INFINITY
    this.#farMax = Number.NEGATIVE_INFINITY
    if (count <= HEAP_BATCH || earliest === latest) this.#toHeap(head)
    else this.#addRung(head, count, earliest, latest)
  }

  /** Returns how many events the bucket held. */
  #openBucket(head: number): number {
    const records = this.#records
    const next = this.#next
    let count = 0
    let earliest = Number.POSITIVE_INFINITY
    let latest = Number.NEGATIVE_INFINITY
    for (let slot = head; slot !== NONE; slot = next[slot] as number) {
      const time = records[slot * WORDS + TIME] as number
      if (time < earliest) earliest = time
      if (time > latest) latest = time
      count++
    }
    if (count <= HEAP_BATCH || earliest === latest || this.#depth === RUNGS) this.#toHeap(head)
    else this.#addRung(head, count, earliest, latest)
    return count
  }

  #toHeap(head: number): void {
    const records = this.#records
    const next = this.#next
    for (let slot = head; slot !== NONE; slot = next[slot] as number) {
      const word = slot * WORDS
      this.#heapPush(records[word + TIME] as number, records[word + SEQUENCE] as number, slot)
    }
  }

  /** Spreads a list of events over the buckets of a new innermost rung. */
  #addRung(head: number, count: number, earliest: Micros, latest: Micros): void {
    const rung = this.#rungs[this.#depth++] as Rung
    const used = Math.max(2, Math.ceil(count / PER_BUCKET))
    if (rung.heads.length < used) rung.heads = new Int32Array(used * 2).fill(NONE)
    rung.start = earliest
    rung.scale = (used - 1) / (latest - earliest)
    rung.used = used
    rung.current = 0
    rung.count = count
    const { heads, scale } = rung
    const records = this.#records
    const next = this.#next
    for (let slot = head; slot !== NONE; ) {
      const following = next[slot] as number
      const position = ((records[slot * WORDS + TIME] as number) - earliest) * scale
      const bucket = position < used ? position | 0 : used - 1
      next[slot] = heads[bucket] as number
      heads[bucket] = slot
      slot = following
    }
  }

  // HOT PATH
  #heapPush(time: Micros, sequence: number, slot: number): void {
    if (this.#heapSize === this.#heapTimes.length) this.#growHeap()
    const times = this.#heapTimes
    const sequences = this.#heapSequences
    const slots = this.#heapSlots
    let hole = this.#heapSize++
    while (hole > 0) {
      const parent = (hole - 1) >> 2
      const parentTime = times[parent] as number
      if (parentTime < time || (parentTime === time && (sequences[parent] as number) < sequence)) break
      times[hole] = parentTime
      sequences[hole] = sequences[parent] as number
      slots[hole] = slots[parent] as number
      hole = parent
    }
    times[hole] = time
    sequences[hole] = sequence
    slots[hole] = slot
  }

  // HOT PATH
  #heapDropFirst(): void {
    const times = this.#heapTimes
    const sequences = this.#heapSequences
    const slots = this.#heapSlots
    const size = --this.#heapSize
    const time = times[size] as number
    const sequence = sequences[size] as number
    let hole = 0
    for (;;) {
      let child = 4 * hole + 1
      if (child >= size) break
      const end = child + 4 < size ? child + 4 : size
      let least = times[child] as number
      for (let other = child + 1; other < end; other++) {
        const otherTime = times[other] as number
        if (otherTime > least) continue
        if (otherTime === least && (sequences[other] as number) > (sequences[child] as number)) continue
        child = other
        least = otherTime
      }
      if (time < least || (time === least && sequence < (sequences[child] as number))) break
      times[hole] = least
      sequences[hole] = sequences[child] as number
      slots[hole] = slots[child] as number
      hole = child
    }
    times[hole] = time
    sequences[hole] = sequence
    slots[hole] = slots[size] as number
  }

  #grow(): void {
    const records = new Float64Array(this.#records.length * 2)
    records.set(this.#records)
    this.#records = records
    this.#halves = new Int32Array(records.buffer)
    const next = new Int32Array(records.length / WORDS)
    next.set(this.#next)
    this.#next = next
    this.#chainFree(records.length / WORDS)
  }

  /** Puts the records from the old capacity up to the new one on the empty free list. */
  #chainFree(capacity: number): void {
    for (let slot = capacity - 1; slot >= this.#capacity; slot--) {
      this.#next[slot] = this.#free
      this.#free = slot
    }
    this.#capacity = capacity
  }

  #growHeap(): void {
    const capacity = this.#heapTimes.length * 2
    const times = new Float64Array(capacity)
    const sequences = new Float64Array(capacity)
    const slots = new Int32Array(capacity)
    times.set(this.#heapTimes)
    sequences.set(this.#heapSequences)
    slots.set(this.#heapSlots)
    this.#heapTimes = times
    this.#heapSequences = sequences
    this.#heapSlots = slots
  }
}
