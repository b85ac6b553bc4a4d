/**
 * Probability distributions as plain data, so that a scenario can name them and a schema can check
 * them. Numbers have no unit here: it is that of the place where the distribution stands.
 */
import { UsageError } from '../core/errors.ts'
import { exp, gamma, gammaShare, log, normalQuantile, normalShare, pow } from './math.ts'
import type { Random } from './random.ts'

export type Distribution =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'exponential'; readonly mean: number }
  | { readonly kind: 'weibull'; readonly shape: number; readonly scale: number }
  /** `mu` and `sigma`: mean and standard deviation of the natural logarithm. */
  | { readonly kind: 'lognormal'; readonly mu: number; readonly sigma: number }
  | { readonly kind: 'pareto'; readonly minimum: number; readonly alpha: number }
  | { readonly kind: 'gamma'; readonly shape: number; readonly scale: number }
  | { readonly kind: 'normal'; readonly mean: number; readonly deviation: number }
  /** Measured values, ascending; each as likely as any other. */
  | { readonly kind: 'empirical'; readonly values: readonly number[] }

/** Parameters that must be above zero; all others need only be finite. */
const POSITIVE: ReadonlySet<string> = new Set(['shape', 'scale', 'sigma', 'minimum', 'alpha', 'deviation'])

/** Throws a UsageError that names `place`, the value, the rule and the mend. */
export function checkDistribution(distribution: Distribution, place: string): void {
  if (distribution.kind === 'empirical') {
    checkEmpirical(distribution.values, place)
    return
  }
  for (const [name, value] of Object.entries(distribution)) {
    if (name === 'kind') continue
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new UsageError(`${place}.${name}: ${value} is not a finite number; give one`)
    }
    if (value <= 0 && (POSITIVE.has(name) || distribution.kind === 'exponential')) {
      throw new UsageError(
        `${place}.${name}: ${value} must be above 0 in a ${distribution.kind} distribution`,
      )
    }
  }
  if (distribution.kind === 'uniform' && distribution.high < distribution.low) {
    const { low, high } = distribution
    throw new UsageError(`${place}: high ${high} lies below low ${low}; swap them`)
  }
}

function checkEmpirical(values: readonly number[], place: string): void {
  if (values.length === 0) throw new UsageError(`${place}.values: is empty; give at least one value`)
  for (const [index, value] of values.entries()) {
    if (!Number.isFinite(value))
      throw new UsageError(`${place}.values[${index}]: ${value} is not a finite number`)
    if (index > 0 && value < (values[index - 1] as number)) {
      throw new UsageError(
        `${place}.values[${index}]: ${value} is below the value before it; sort them ascending`,
      )
    }
  }
}

/** One value. Draws from the stream once or twice; gamma as often as its rejection asks. */
export function sample(distribution: Distribution, random: Random): number {
  switch (distribution.kind) {
    case 'constant':
      return distribution.value
    case 'exponential':
      return -distribution.mean * log(1 - random.unit())
    case 'lognormal':
      return exp(distribution.mu + distribution.sigma * random.normal())
    case 'normal':
      return distribution.mean + distribution.deviation * random.normal()
    case 'gamma':
      return distribution.scale * sampleGamma(distribution.shape, random)
    case 'empirical':
      return distribution.values[random.below(distribution.values.length)] as number
    default:
      return quantileOf(distribution, random.unit())
  }
}

/** Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26(3), 2000. */
function sampleGamma(shape: number, random: Random): number {
  if (shape < 1) return sampleGamma(shape + 1, random) * pow(1 - random.unit(), 1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const z = random.normal()
    const root = 1 + c * z
    if (root <= 0) continue
    const v = root * root * root
    if (log(1 - random.unit()) < (z * z) / 2 + d - d * v + d * log(v)) return d * v
  }
}

/** The mean; Infinity for a Pareto distribution of alpha at most 1. */
export function meanOf(distribution: Distribution): number {
  switch (distribution.kind) {
    case 'constant':
      return distribution.value
    case 'uniform':
      return (distribution.low + distribution.high) / 2
    case 'weibull':
      return distribution.scale * gamma(1 + 1 / distribution.shape)
    case 'lognormal':
      return exp(distribution.mu + (distribution.sigma * distribution.sigma) / 2)
    case 'pareto': {
      const { minimum, alpha } = distribution
      return alpha > 1 ? (alpha * minimum) / (alpha - 1) : Number.POSITIVE_INFINITY
    }
    case 'gamma':
      return distribution.shape * distribution.scale
    case 'empirical':
      return distribution.values.reduce((sum, value) => sum + value, 0) / distribution.values.length
    default:
      return distribution.mean
  }
}

/** The value below which the share p lies, 0 < p < 1; p = 0 too where the distribution has a least value. */
export function quantileOf(distribution: Distribution, p: number): number {
  switch (distribution.kind) {
    case 'constant':
      return distribution.value
    case 'uniform':
      return distribution.low + (distribution.high - distribution.low) * p
    case 'exponential':
      return -distribution.mean * log(1 - p)
    case 'weibull':
      return distribution.scale * pow(-log(1 - p), 1 / distribution.shape)
    case 'lognormal':
      return exp(distribution.mu + distribution.sigma * normalQuantile(p))
    case 'pareto':
      return distribution.minimum * pow(1 - p, -1 / distribution.alpha)
    case 'gamma':
      return distribution.scale * gammaQuantile(distribution.shape, p)
    case 'normal':
      return distribution.mean + distribution.deviation * normalQuantile(p)
    case 'empirical': {
      const { values } = distribution
      return values[Math.min(values.length - 1, Math.floor(p * values.length))] as number
    }
  }
}

/** By halving: slow (tens of microseconds), but it needs no good first guess. */
function gammaQuantile(shape: number, p: number): number {
  let high = shape + 1
  while (gammaShare(shape, high) < p) high *= 2
  let low = 0
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if (gammaShare(shape, middle) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** The share of the distribution that lies below x. */
export function shareBelow(distribution: Distribution, x: number): number {
  switch (distribution.kind) {
    case 'constant':
      return x > distribution.value ? 1 : 0
    case 'uniform': {
      const { low, high } = distribution
      return Math.min(1, Math.max(0, high > low ? (x - low) / (high - low) : Number(x > low)))
    }
    case 'exponential':
      return x > 0 ? 1 - exp(-x / distribution.mean) : 0
    case 'weibull':
      return x > 0 ? 1 - exp(-pow(x / distribution.scale, distribution.shape)) : 0
    case 'lognormal':
      return x > 0 ? normalShare((log(x) - distribution.mu) / distribution.sigma) : 0
    case 'pareto':
      return x > distribution.minimum ? 1 - pow(distribution.minimum / x, distribution.alpha) : 0
    case 'gamma':
      return gammaShare(distribution.shape, x / distribution.scale)
    case 'normal':
      return normalShare((x - distribution.mean) / distribution.deviation)
    case 'empirical':
      return distribution.values.filter((value) => value < x).length / distribution.values.length
  }
}

/**
 * A value drawn in proportion to its size: what a random instant falls into if the values are the
 * lengths of intervals that follow one another. Values must not be negative; the mean must be finite.
 */
export function sampleByLength(distribution: Distribution, random: Random): number {
  switch (distribution.kind) {
    case 'constant':
      return distribution.value
    case 'uniform': {
      const { low, high } = distribution
      return Math.sqrt(low * low + (high * high - low * low) * random.unit())
    }
    case 'exponential':
      return distribution.mean * sampleGamma(2, random)
    case 'weibull': {
      const { shape, scale } = distribution
      return scale * pow(sampleGamma(1 + 1 / shape, random), 1 / shape)
    }
    case 'lognormal': {
      const { mu, sigma } = distribution
      return exp(mu + sigma * sigma + sigma * random.normal())
    }
    case 'pareto': {
      const { minimum, alpha } = distribution
      if (alpha <= 1) break
      return sample({ kind: 'pareto', minimum, alpha: alpha - 1 }, random)
    }
    case 'gamma':
      return distribution.scale * sampleGamma(distribution.shape + 1, random)
    case 'empirical': {
      let left = random.unit() * meanOf(distribution) * distribution.values.length
      for (const value of distribution.values) {
        left -= value
        if (left < 0) return value
      }
      return distribution.values.at(-1) as number
    }
    default:
      break
  }
  throw new UsageError(
    `a ${distribution.kind} distribution cannot describe lengths of intervals: ` +
      'they need a finite mean and no negative values; take another distribution',
  )
}
