import { describe, expect, it } from 'vitest'
import * as math from '../../sim/math.ts'

type Name = keyof typeof math

const functions: Record<Name, unknown> = { ...math }

/**
 * Bits of results, big-endian. They are what Node 26 computes; any engine that keeps IEEE 754 must give
 * the same, since only + − × ÷ and square root are used. A deliberate change of an algorithm changes
 * them, and with them the digest of every run.
 */
const BITS: readonly [Name, number[], string][] = [
  ['log', [0.5], 'bfe62e42fefa39ef'],
  ['log', [2], '3fe62e42fefa39ef'],
  ['log', [10], '40026bb1bbb55516'],
  ['log', [0.999999], 'beb0c6f82d74d230'],
  ['log', [1e-300], 'c085963447f87fb5'],
  ['log', [5e-324], 'c0874385446d71c3'],
  ['log', [123456.789], '40277281cad8a844'],
  ['exp', [1], '4005bf0a8b145769'],
  ['exp', [-1], '3fd78b56362cef38'],
  ['exp', [0.1], '3ff1aec7b35a00d4'],
  ['exp', [-700], '00d14f2b0fb9307f'],
  ['exp', [709.7], '7fed75ae7a50ee14'],
  ['exp', [-740], '0000000000000055'],
  ['exp', [1e-10], '3ff000000006df38'],
  ['pow', [2, 0.5], '3ff6a09e667f3bcc'],
  ['pow', [10, -3], '3f50624dd2f1a9fc'],
  ['pow', [0.3, 1.5527950310559007], '3fc3bcbbd9a66b24'],
  ['pow', [1.0000001, 10000000], '4005bf0a790ce6f2'],
  ['pow', [0.00001, 0.01], '3fec8520affa0a4b'],
  ['pow', [123.456, 78.9], '623232619c0a25c6'],
  ['gamma', [0.5], '3ffc5bf891b4ef6b'],
  ['gamma', [4.030303], '4018ef3412ad8a5c'],
  ['gamma', [2.5625], '3ff63f010905fec9'],
  ['gamma', [100.25], '606b7d035f47bc4b'],
  ['gamma', [0.01], '4058dbaf797edf3f'],
  ['logGamma', [0.5], '3fe250d048e7a1e0'],
  ['logGamma', [50.5], '4062509dbdb0dd3c'],
  ['sin', [1], '3feaed548f090cee'],
  ['sin', [0.1], '3fb98eaecb8bcb2c'],
  ['sin', [3], '3fc210386db6d55b'],
  ['sin', [-100], '3fe03425b78c4db8'],
  ['sin', [123456.7], 'bfeffa4cf2bce7e5'],
  ['cos', [1], '3fe14a280fb5068c'],
  ['cos', [0.1], '3fefd712f9a817c0'],
  ['cos', [1.5], '3fb21bd54fc5f9a7'],
  ['cos', [-100], '3feb981dbf665fdf'],
  ['atan', [0.5], '3fddac670561bb4e'],
  ['atan', [1], '3fe921fb54442d19'],
  ['atan', [-20], 'bff8555a2787981f'],
  ['asin', [0.5], '3fe0c152382d7367'],
  ['asin', [0.999], '3ff86ac9ad18f803'],
  ['asin', [-0.1], 'bfb9a49276037885'],
  ['normalQuantile', [0.001], 'c008b8cbb7204470'],
  ['normalQuantile', [0.3], 'bfe0c7e39582c5fa'],
  ['normalQuantile', [0.975], '3fff5c0331eeff82'],
  ['normalQuantile', [1e-12], 'c01c234fba57a32a'],
  ['normalShare', [-3], '3f561de1f985b5bf'],
  ['normalShare', [0.5], '3fe62075e232ac70'],
  ['normalShare', [1.9], '3fef14c102579298'],
  ['gammaShare', [2.5, 1], '3fc34f37283a59a6'],
  ['gammaShare', [0.5, 4], '3fefd9ae142795e3'],
]

/** Argument lists spread evenly over a range, without chance. */
function spread(from: number, to: number, steps = 2_000): number[] {
  return Array.from({ length: steps }, (_, step) => from + ((to - from) * (step + 0.37)) / steps)
}

function worst(ours: (x: number) => number, theirs: (x: number) => number, at: readonly number[]): number {
  return at.reduce((most, x) => Math.max(most, Math.abs(ours(x) - theirs(x)) / Math.abs(theirs(x))), 0)
}

function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  return view.getBigUint64(0).toString(16).padStart(16, '0')
}

describe('bits', () => {
  it.each(BITS)('%s(%j)', (name, args, bits) => {
    expect(bitsOf((functions[name] as (...list: number[]) => number)(...args))).toBe(bits)
  })
})

describe('accuracy', () => {
  const everywhere = spread(-700, 700).map((exponent) => Math.exp(exponent))

  it('of log: two units in the last place over the whole range', () => {
    expect(worst(math.log, Math.log, everywhere)).toBeLessThan(4.5e-16)
    expect(worst(math.log, Math.log, spread(0.5, 2))).toBeLessThan(4.5e-16)
    expect(worst(math.log, Math.log, [5e-324, 1e-310, 2.2e-308, Number.MAX_VALUE])).toBeLessThan(4.5e-16)
  })

  it('of exp', () => {
    expect(worst(math.exp, Math.exp, spread(-708, 709.7))).toBeLessThan(4.5e-16)
    expect(worst(math.exp, Math.exp, spread(-1, 1))).toBeLessThan(4.5e-16)
  })

  it.each([0.1, 0.5, 1 / 0.33, 1.7, -2.3, 60])('of pow to the %d', (power) => {
    const bases = spread(-10, 10).map((exponent) => Math.exp(exponent))
    expect(
      worst(
        (x) => math.pow(x, power),
        (x) => Math.pow(x, power),
        bases,
      ),
    ).toBeLessThan(1e-15)
  })

  it('of sin, cos, atan and asin', () => {
    expect(worst(math.sin, Math.sin, spread(-3, 3))).toBeLessThan(1e-14)
    expect(worst(math.cos, Math.cos, spread(-1.5, 1.5))).toBeLessThan(1e-14)
    expect(worst(math.sin, Math.sin, spread(1_000, 1_003))).toBeLessThan(1e-12)
    expect(worst(math.atan, Math.atan, [...spread(-30, 30), 1e-9, 1e9])).toBeLessThan(1e-14)
    expect(worst(math.asin, Math.asin, spread(-1, 1))).toBeLessThan(1e-14)
  })

  it('of gamma and logGamma', () => {
    let factorial = 1
    for (let n = 1; n <= 170; n++) {
      factorial *= n
      expect(math.gamma(n + 1) / factorial).toBeCloseTo(1, 13)
      expect(math.logGamma(n + 1)).toBeCloseTo(Math.log(factorial), 10)
    }
    expect(math.gamma(0.5)).toBeCloseTo(Math.sqrt(Math.PI), 14)
    expect(math.gamma(0.1)).toBeCloseTo(9.513507698668732, 13)
    expect(math.gamma(1 + 1 / 0.33)).toBeCloseTo(6.233597318974554, 12)
  })

  it('of the normal distribution: quantiles and shares undo each other', () => {
    for (const z of spread(-7, 5, 500)) expect(math.normalQuantile(math.normalShare(z))).toBeCloseTo(z, 9)
    expect(math.normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 14)
    expect(math.normalShare(-10) / 7.619853024160525e-24).toBeCloseTo(1, 12)
    expect(math.normalShare(0)).toBe(0.5)
  })

  it('of the gamma distribution', () => {
    for (const x of spread(0, 20, 200)) expect(math.gammaShare(1, x)).toBeCloseTo(1 - Math.exp(-x), 13)
    expect(math.gammaShare(100, 95)).toBeCloseTo(0.3173568111698, 12)
  })
})

describe('edges', () => {
  it('of log', () => {
    expect(math.log(1)).toBe(0)
    expect(math.log(0)).toBe(Number.NEGATIVE_INFINITY)
    expect(math.log(-1)).toBeNaN()
    expect(math.log(Number.NaN)).toBeNaN()
    expect(math.log(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY)
  })

  it('of exp', () => {
    expect(math.exp(0)).toBe(1)
    expect(math.exp(709.782712893384)).toBeGreaterThan(1.7e308)
    expect(math.exp(709.79)).toBe(Number.POSITIVE_INFINITY)
    expect(math.exp(-745)).toBe(5e-324)
    expect(math.exp(-746)).toBe(0)
    expect(math.exp(Number.NEGATIVE_INFINITY)).toBe(0)
    expect(math.exp(Number.NaN)).toBeNaN()
  })

  it('of pow', () => {
    expect(math.pow(2, 1_023)).toBe(2 ** 1_023)
    expect(math.pow(2, -1_074)).toBe(5e-324)
    expect(math.pow(2, 1_024)).toBe(Number.POSITIVE_INFINITY)
    expect(math.pow(1e300, 1e300)).toBe(Number.POSITIVE_INFINITY)
    expect(math.pow(1e300, -1e300)).toBe(0)
    expect(math.pow(0, 2)).toBe(0)
    expect(math.pow(0, -1)).toBe(Number.POSITIVE_INFINITY)
    expect(math.pow(0, 0)).toBe(1)
    expect(math.pow(-2, 2)).toBeNaN()
    expect(math.pow(2, Number.POSITIVE_INFINITY)).toBeNaN()
  })

  it('of the others', () => {
    expect(math.asin(1)).toBe(Math.PI / 2)
    expect(math.asin(1.1)).toBeNaN()
    expect(math.sin(2e6)).toBeNaN()
    expect(math.gamma(0)).toBeNaN()
    expect(math.gamma(200)).toBe(Number.POSITIVE_INFINITY)
    expect(math.atan(Number.POSITIVE_INFINITY)).toBe(Math.PI / 2)
  })
})
