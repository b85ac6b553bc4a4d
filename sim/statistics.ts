/**
 * What many figures come to: quantiles, means with their 95 % intervals, how far two samples are apart, and
 * a histogram of bounded memory for what is counted by the million.
 *
 * Everything is a function of the values and their order alone.
 */

export interface Summary {
  readonly count: number
  readonly mean: number
  /** Standard deviation of the sample (divisor count − 1); 0 below two values. */
  readonly deviation: number
  /** Half the width of the 95 % confidence interval of the mean; 0 below two values. */
  readonly half: number
  readonly min: number
  readonly p5: number
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** All zero if there are no values. The values may come in any order; NaN is a mistake of the caller. */
export function summarise(values: readonly number[] | Float64Array): Summary {
  const sorted = Float64Array.from(values).sort()
  const mean = meanOfValues(values)
  const deviation = deviationOf(values, mean)
  const at = (share: number): number => quantile(sorted, share)
  return {
    count: sorted.length,
    mean,
    deviation,
    half: halfWidth(deviation, sorted.length),
    min: at(0),
    p5: at(0.05),
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  }
}

/** Quantile of ascending values, interpolated between neighbours (Hyndman and Fan's type 7); 0 if empty. */
export function quantile(sorted: readonly number[] | Float64Array, share: number): number {
  if (sorted.length === 0) return 0
  const position = Math.min(1, Math.max(0, share)) * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below] as number
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return low + (high - low) * (position - below)
}

function meanOfValues(values: readonly number[] | Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return values.length === 0 ? 0 : sum / values.length
}

function deviationOf(values: readonly number[] | Float64Array, mean: number): number {
  if (values.length < 2) return 0
  let squares = 0
  for (const value of values) squares += (value - mean) * (value - mean)
  return Math.sqrt(squares / (values.length - 1))
}

function halfWidth(deviation: number, count: number): number {
  return count < 2 ? 0 : (studentT975(count - 1) * deviation) / Math.sqrt(count)
}

/** The 97.5 % point of Student's t for 1 … 30 degrees of freedom (any table of it). */
const T_975 = [
  12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
  2.200985, 2.178813, 2.160369, 2.144787, 2.13145, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963, 2.079614,
  2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407, 2.04523, 2.042272,
]
const Z_975 = 1.959963984540054

/** Beyond the table by the expansion in 1/ν (Abramowitz and Stegun 26.7.5), good to six digits there. */
export function studentT975(degrees: number): number {
  if (degrees <= T_975.length) return T_975[Math.max(1, degrees) - 1] as number
  const z = Z_975
  const z3 = z * z * z
  const z5 = z3 * z * z
  const first = (z3 + z) / (4 * degrees)
  const second = (5 * z5 + 16 * z3 + 3 * z) / (96 * degrees * degrees)
  const third = (3 * z5 * z * z + 19 * z5 + 17 * z3 - 15 * z) / (384 * degrees * degrees * degrees)
  return z + first + second + third
}

/** Largest gap between two samples' distribution functions (Kolmogorov and Smirnov), 0 … 1. */
export function ksDistance(first: readonly number[], second: readonly number[]): number {
  const a = Float64Array.from(first).sort()
  const b = Float64Array.from(second).sort()
  let largest = 0
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i] as number, b[j] as number)
    while (i < a.length && (a[i] as number) <= value) i++
    while (j < b.length && (b[j] as number) <= value) j++
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length))
  }
  return largest
}

/** Buckets per doubling, as bits: neighbours differ by at most 1/128. */
const BUCKET_BITS = 7
const BIAS = 1023
/** Highest bucket: values of 2^53. */
const BUCKETS = (54 << BUCKET_BITS) + 1

const scratch = new DataView(new ArrayBuffer(8))

/**
 * Counts of numbers ≥ 0, exact up to 256 if they are integers and within 0.4 % above; count, least
 * and greatest are exact. At most 55 kB, however many values come. The bucket is read off the bits of the
 * double (as in HdrHistogram: leading bits of the value), so it is the same in every engine.
 */
export class Histogram {
  count = 0
  min = 0
  max = 0
  #counts = new Float64Array(64)

  // HOT PATH
  /** Values below 1 count as 0, those above 2^53 as 2^53; NaN and negative ones as 0. */
  add(value: number): void {
    const bucket = bucketOf(value)
    if (bucket >= this.#counts.length) this.#grow(bucket)
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1
    const counted = value > 0 ? value : 0
    if (counted < this.min || this.count === 0) this.min = counted
    this.count++
    if (counted > this.max) this.max = counted
  }

  /** The value below which the share of counted values lies: 0 is the least, 1 the greatest; 0 if empty. */
  quantile(share: number): number {
    if (this.count === 0) return 0
    const rank = Math.ceil(Math.min(1, Math.max(0, share)) * this.count)
    if (rank <= 1) return this.min
    if (rank === this.count) return this.max
    let seen = 0
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket] as number
      if (seen >= rank) return Math.min(this.max, Math.max(this.min, middleOf(bucket)))
    }
    return this.max
  }

  #grow(bucket: number): void {
    const counts = new Float64Array(Math.min(BUCKETS, 2 * (bucket + 1)))
    counts.set(this.#counts)
    this.#counts = counts
  }
}

/** Exponent and the leading bits of the fraction; 0 for what is below 1. */
function bucketOf(value: number): number {
  if (!(value >= 1)) return 0
  scratch.setFloat64(0, value)
  return Math.min(BUCKETS - 1, (scratch.getUint32(0) >>> (20 - BUCKET_BITS)) - (BIAS << BUCKET_BITS) + 1)
}

/** The middle integer of a bucket. */
function middleOf(bucket: number): number {
  return bucket === 0 ? 0 : Math.floor((lowestOf(bucket) + lowestOf(bucket + 1)) / 2)
}

function lowestOf(bucket: number): number {
  scratch.setUint32(0, (bucket - 1 + (BIAS << BUCKET_BITS)) << (20 - BUCKET_BITS))
  scratch.setUint32(4, 0)
  return scratch.getFloat64(0)
}
