/**
 * Transcendental functions from + − × ÷, square root and the bits of a double alone.
 *
 * `Math.log`, `Math.exp` and their kin may differ in the last digit between engines, and a last digit
 * decides the order of two events. IEEE 754 fixes the operations used here to the last bit, so these
 * give the same result in every engine; test/unit/sim-math.test.ts holds the bits. Accuracy: a few
 * units in the last place (relative error below 1e-14 for all, below 1e-15 for most).
 *
 * The series are Taylor's after a reduction of the argument, so that every coefficient explains itself.
 */

/** ln 2 in two parts; the first has 11 trailing zero bits, so its product with an exponent is exact. */
const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
const TWO_TO_54 = 18_014_398_509_481_984
/** 2^27 + 1: splits a double into two halves whose products are exact (Dekker 1971). */
const SPLITTER = 134_217_729

const scratch = new DataView(new ArrayBuffer(8))

/** What the last `logParts` left over: ln x is its result plus this, good to about 2^-60. */
let logTail = 0

/** The part of a·b that rounding to the product p = a·b lost (Dekker's product, exact). */
function productError(a: number, b: number, p: number): number {
  const spreadA = SPLITTER * a
  const spreadB = SPLITTER * b
  const highA = spreadA - (spreadA - a)
  const highB = spreadB - (spreadB - b)
  const lowA = a - highA
  const lowB = b - highB
  return highA * highB - p + highA * lowB + lowA * highB + lowA * lowB
}

/** y · 2^k with one rounding; y within [1/2, 2], k of any size. */
function scaled(y: number, k: number): number {
  if (k > 1023) return k > 1025 ? Number.POSITIVE_INFINITY : y * 2 * powerOfTwo(k - 1)
  if (k >= -1022) return y * powerOfTwo(k)
  // Twice, so that the only rounding is the one into the subnormal range.
  return k < -1076 ? 0 : (y * powerOfTwo(k + 54)) / TWO_TO_54
}

/** 2^k for k of −1022 … 1023, by its bits. */
function powerOfTwo(k: number): number {
  scratch.setUint32(0, (k + 1023) << 20)
  scratch.setUint32(4, 0)
  return scratch.getFloat64(0)
}

/** ln((1+s)/(1−s)) = 2s + s·(2/3·z + 2/5·z² + …), z = s² below 0.03; the bracket. Unrolled: half the time. */
function logSeries(z: number): number {
  const upper = 2 / 15 + z * (2 / 17 + z * (2 / 19 + z * (2 / 21 + z * (2 / 23))))
  return z * (2 / 3 + z * (2 / 5 + z * (2 / 7 + z * (2 / 9 + z * (2 / 11 + z * (2 / 13 + z * upper))))))
}

/** ln x for finite x > 0, rounded; the rest is left in `logTail`. */
function logParts(x: number): number {
  let k = 0
  let m = x
  if (x < 2.2250738585072014e-308) {
    m = x * TWO_TO_54
    k = -54
  }
  scratch.setFloat64(0, m)
  const high = scratch.getUint32(0)
  k += (high >>> 20) - 1023
  scratch.setUint32(0, (high & 0xfffff) | 0x3ff00000)
  m = scratch.getFloat64(0)
  if (m > Math.SQRT2) {
    m /= 2
    k++
  }
  // s = f / (2 + f) in two parts, since its error would be that of the whole result.
  const f = m - 1
  const divisor = 2 + f
  const divisorLow = f - (divisor - 2)
  const s = f / divisor
  const product = s * divisor
  const sLow = (f - product - productError(s, divisor, product) - s * divisorLow) / divisor
  const tail = 2 * sLow + s * logSeries(s * s) + k * LN2_LOW
  const exponentPart = k * LN2_HIGH
  const sum = exponentPart + 2 * s
  const low = exponentPart - sum + 2 * s + tail
  const result = sum + low
  logTail = sum - result + low
  return result
}

/** Natural logarithm. −Infinity at 0, NaN below. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN
  return x === Number.POSITIVE_INFINITY ? x : logParts(x)
}

/** (e^r − 1 − r) / r², |r| below 0.35. */
function expSeries(r: number): number {
  const last = 1 / 39_916_800 + r * (1 / 479_001_600 + r / 6_227_020_800)
  const upper = 1 / 40_320 + r * (1 / 362_880 + r * (1 / 3_628_800 + r * last))
  return 1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5_040 + r * upper)))))
}

/** e^(x + tail), where the tail is far smaller than x. */
function expParts(x: number, tail: number): number {
  if (x > 710) return Number.POSITIVE_INFINITY
  if (x < -746) return 0
  const k = Math.floor(x * Math.LOG2E + 0.5)
  const high = x - k * LN2_HIGH
  const low = k * LN2_LOW - tail
  const r = high - low
  const rest = high - r - low
  return scaled(1 + (r + (r * r * expSeries(r) + rest + rest * r)), k)
}

/** e^x. */
export function exp(x: number): number {
  return Number.isNaN(x) ? x : expParts(x, 0)
}

/** x^y for finite x ≥ 0 and finite y; NaN for anything else. 0^0 is 1. */
export function pow(x: number, y: number): number {
  if (!(x >= 0) || x === Number.POSITIVE_INFINITY || y - y !== 0) return Number.NaN
  if (y === 0 || x === 1) return 1
  if (x === 0) return y > 0 ? 0 : Number.POSITIVE_INFINITY
  const ln = logParts(x)
  const tail = logTail
  const product = y * ln
  // Beyond e^±800 the result is 0 or infinite, and the exact product could overflow on the way.
  if (product > 800) return Number.POSITIVE_INFINITY
  if (product < -800) return 0
  return expParts(product, productError(y, ln, product) + y * tail)
}

/** From B(2n) / (2n·(2n−1)), n = 8 … 1: Stirling's series for ln Γ in odd powers of 1/x. */
const STIRLING = [
  -3617 / 122_400,
  1 / 156,
  -691 / 360_360,
  1 / 1_188,
  -1 / 1_680,
  1 / 1_260,
  -1 / 360,
  1 / 12,
]
/** From here on eight terms of Stirling's series are exact to the last bit. */
const STIRLING_FROM = 12

function stirlingTail(x: number): number {
  const z = 1 / (x * x)
  let series = 0
  for (const coefficient of STIRLING) series = series * z + coefficient
  return series / x
}

/** Γ(x) for x > 0 (NaN otherwise): the mean of a Weibull distribution is scale · Γ(1 + 1/shape). */
export function gamma(x: number): number {
  if (!(x > 0)) return Number.NaN
  if (x > 172) return Number.POSITIVE_INFINITY
  let divisor = 1
  let y = x
  for (; y < STIRLING_FROM; y++) divisor *= y
  // In two halves, because y^y overflows before Γ(y) does.
  const half = pow(y, y / 2 - 0.25)
  return (half * (exp(-y) * 2.5066282746310007) * exp(stirlingTail(y)) * half) / divisor
}

/** ln Γ(x) for x > 0 (NaN otherwise), absolute error about 1e-14. */
export function logGamma(x: number): number {
  if (!(x > 0)) return Number.NaN
  let divisor = 1
  let y = x
  for (; y < STIRLING_FROM; y++) divisor *= y
  return (y - 0.5) * log(y) - y + 0.9189385332046728 + stirlingTail(y) - log(divisor)
}

/** π/2 in three parts; the products of the first two with an integer below 2^20 are exact. */
const HALF_PI_1 = 1.5707963267341256
const HALF_PI_2 = 6.077100506303966e-11
const HALF_PI_3 = 2.0222662487959506e-21
const TRIGONOMETRIC_LIMIT = 1_000_000

const SIN_SERIES = [
  1 / 355_687_428_096_000,
  -1 / 1_307_674_368_000,
  1 / 6_227_020_800,
  -1 / 39_916_800,
  1 / 362_880,
  -1 / 5_040,
  1 / 120,
  -1 / 6,
]
const COS_SERIES = [
  -1 / 6_402_373_705_728_000,
  1 / 20_922_789_888_000,
  -1 / 87_178_291_200,
  1 / 479_001_600,
  -1 / 3_628_800,
  1 / 40_320,
  -1 / 720,
  1 / 24,
]

/** sin(x + quarters·π/2) for |x| up to a million (NaN beyond: nothing here needs it). */
function sine(x: number, quarters: number): number {
  if (!(x <= TRIGONOMETRIC_LIMIT && x >= -TRIGONOMETRIC_LIMIT)) return Number.NaN
  const turns = Math.floor(x / HALF_PI_1 + 0.5)
  const r = x - turns * HALF_PI_1 - turns * HALF_PI_2 - turns * HALF_PI_3
  const quadrant = (turns + quarters) & 3
  const z = r * r
  let series = 0
  let value: number
  if ((quadrant & 1) === 0) {
    for (const coefficient of SIN_SERIES) series = (series + coefficient) * z
    value = r + r * series
  } else {
    for (const coefficient of COS_SERIES) series = (series + coefficient) * z
    value = 1 - z / 2 + z * series
  }
  return quadrant >= 2 ? -value : value
}

/** Sine of radians; absolute error about 1e-16. */
export function sin(x: number): number {
  return sine(x, 0)
}

/** Cosine of radians; absolute error about 1e-16. */
export function cos(x: number): number {
  return sine(x, 1)
}

/** 1/(2n+1) with its sign for n = 12 … 1: the series of arctan, for arguments below 0.2. */
const ATAN_SERIES = [
  1 / 25,
  -1 / 23,
  1 / 21,
  -1 / 19,
  1 / 17,
  -1 / 15,
  1 / 13,
  -1 / 11,
  1 / 9,
  -1 / 7,
  1 / 5,
  -1 / 3,
]

/** Arc tangent in radians. */
export function atan(x: number): number {
  if (x < 0) return -atan(-x)
  if (x > 1) return Math.PI / 2 - atan(1 / x)
  // The half angle, twice: tan(a/2) = tan a / (1 + sqrt(1 + tan² a)) brings 1 down to tan(π/16).
  const half = x / (1 + Math.sqrt(1 + x * x))
  const quarter = half / (1 + Math.sqrt(1 + half * half))
  const z = quarter * quarter
  let series = 0
  for (const coefficient of ATAN_SERIES) series = (series + coefficient) * z
  return 4 * (quarter + quarter * series)
}

/** Arc sine in radians; NaN outside −1 … 1. */
export function asin(x: number): number {
  if (x === 1 || x === -1) return (x * Math.PI) / 2
  return atan(x / Math.sqrt((1 - x) * (1 + x)))
}

/** Stops a series or fraction whose next term no longer counts; far more than any argument here needs. */
const MOST_TERMS = 10_000

/** P(a, x): the share of the gamma distribution of shape a > 0 that lies below x ≥ 0 (DLMF 8.11.4). */
function gammaShareBySeries(a: number, x: number): number {
  let term = 1 / a
  let sum = term
  for (let n = 1; n < MOST_TERMS && term > sum * 1e-17; n++) {
    term *= x / (a + n)
    sum += term
  }
  return sum * exp(a * log(x) - x - logGamma(a))
}

/** 1 − P(a, x) by Lentz's evaluation of the continued fraction (DLMF 8.9.2), for x > a + 1. */
function gammaRestByFraction(a: number, x: number): number {
  let b = x + 1 - a
  let c = 1e300
  let d = 1 / b
  let fraction = d
  for (let n = 1; n < MOST_TERMS; n++) {
    const numerator = n * (a - n)
    b += 2
    d = 1 / (b + numerator * d)
    c = b + numerator / c
    const factor = c * d
    fraction *= factor
    if (factor > 1 - 2e-16 && factor < 1 + 2e-16) break
  }
  return fraction * exp(a * log(x) - x - logGamma(a))
}

/** Share of the gamma distribution of shape a > 0 and scale 1 that lies below x. */
export function gammaShare(a: number, x: number): number {
  if (!(x > 0)) return 0
  return x < a + 1 ? gammaShareBySeries(a, x) : 1 - gammaRestByFraction(a, x)
}

/** Share of the standard normal distribution below z; relative error below 1e-13 in the lower tail. */
export function normalShare(z: number): number {
  const half = (z * z) / 2
  if (half < 1.5) {
    const inside = half === 0 ? 0 : gammaShareBySeries(0.5, half) / 2
    return z < 0 ? 0.5 - inside : 0.5 + inside
  }
  const outside = gammaRestByFraction(0.5, half) / 2
  return z < 0 ? outside : 1 - outside
}

const CENTRE_ABOVE = [
  2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946,
  1971.5909503065513, 133.14166789178438, 3.3871328727963665,
]
const CENTRE_BELOW = [
  5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751,
  687.1870074920579, 42.31333070160091, 1,
]
const MIDDLE_ABOVE = [
  0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
  5.769497221460691, 4.630337846156546, 1.4234371107496835,
]
const MIDDLE_BELOW = [
  1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
  1.6763848301838038, 2.053191626637759, 1,
]
const TAIL_ABOVE = [
  2.0103343992922881e-7, 0.000027115555687434876, 0.0012426609473880784, 0.026532189526576124,
  0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103,
]
const TAIL_BELOW = [
  2.0442631033899397e-15, 1.421511758316446e-7, 0.000018463183175100548, 0.0007868691311456133,
  0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1,
]

/** A quotient of two polynomials, highest power first. */
function ratio(r: number, above: readonly number[], below: readonly number[]): number {
  let numerator = 0
  let denominator = 0
  for (let index = 0; index < above.length; index++) {
    numerator = numerator * r + (above[index] as number)
    denominator = denominator * r + (below[index] as number)
  }
  return numerator / denominator
}

/**
 * The z below which the share p of the standard normal distribution lies, 0 < p < 1. Relative error
 * about 1e-16: M. J. Wichura, algorithm AS 241 (PPND16), Applied Statistics 37(3), 1988.
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5
  if (q <= 0.425 && q >= -0.425) {
    const r = 0.180625 - q * q
    return q * ratio(r, CENTRE_ABOVE, CENTRE_BELOW)
  }
  const r = Math.sqrt(-log(q < 0 ? p : 1 - p))
  const z = r <= 5 ? ratio(r - 1.6, MIDDLE_ABOVE, MIDDLE_BELOW) : ratio(r - 5, TAIL_ABOVE, TAIL_BELOW)
  return q < 0 ? -z : z
}
