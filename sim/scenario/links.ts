/**
 * The part of a scenario that says how trunks behave: delay, jitter, loss, rate. Descriptions are
 * published with the schema, so editors show them.
 */
import { z } from 'zod'

export const share = z.number().min(0).max(1)
export const positive = z.number().positive()
export const atLeastZero = z.number().min(0)

/** The regions of libp2p's network preset (libp2p/test-plans, gossipsub-interop). */
export const REGION_NAMES = [
  'europe',
  'na_east',
  'na_west',
  'east_asia',
  'australia',
  'west_asia',
  'south_africa',
  'south_america',
] as const
export type RegionName = (typeof REGION_NAMES)[number]

const distribution = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('constant'), value: atLeastZero }),
    z.strictObject({ kind: z.literal('uniform'), low: atLeastZero, high: positive }),
    z.strictObject({ kind: z.literal('exponential'), mean: positive }),
    z.strictObject({ kind: z.literal('weibull'), shape: positive, scale: positive }),
    z.strictObject({
      kind: z.literal('lognormal'),
      mu: z.number().describe('Mean of the natural logarithm.'),
      sigma: positive.describe('Standard deviation of the natural logarithm.'),
    }),
    z.strictObject({ kind: z.literal('pareto'), minimum: positive, alpha: positive }),
    z.strictObject({ kind: z.literal('gamma'), shape: positive, scale: positive }),
  ])
  .describe('A distribution; its unit is that of the place where it stands.')

export const latency = z
  .discriminatedUnion('kind', [
    z
      .strictObject({ kind: z.literal('constant'), oneWayMillis: positive })
      .describe('The same one-way delay everywhere.'),
    z
      .strictObject({ kind: z.literal('distribution'), roundTripMillis: distribution })
      .describe('Round trips drawn once for each pair of nodes.'),
    z
      .strictObject({ kind: z.literal('regions'), preset: z.literal('libp2p-8') })
      .describe("Eight regions with the weights and delays of libp2p's test plans."),
    z
      .strictObject({
        kind: z.literal('coordinates'),
        spanMillis: positive.describe('Round trip from one end of the plane to the other.'),
        accessMillis: distribution.describe('Delay of the access line of each node.'),
      })
      .describe('Points in a plane plus an access delay for each node.'),
    z
      .strictObject({
        kind: z.literal('matrix'),
        file: z
          .string()
          .min(1)
          .describe(
            'Rows i,j,rtt_ms under that head, each pair once, or a square of milliseconds whose two ' +
              'directions are averaged; relative to the data directory.',
          ),
      })
      .describe(
        'Measured round trips. Each node is placed at a row drawn by the seed, so that there may be more ' +
          'nodes than rows or fewer; two at one row are 1 ms apart.',
      ),
  ])
  .describe('How far nodes are from each other.')

const loss = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({ kind: z.literal('bernoulli'), probability: share }).describe('Independent losses.'),
    z
      .strictObject({
        kind: z.literal('gilbert-elliott'),
        goodMillis: positive.describe('Mean stay in the good state.'),
        badMillis: positive.describe('Mean stay in the bad state.'),
        goodLoss: share.describe('Probability of loss in the good state.'),
        badLoss: share.describe('Probability of loss in the bad state.'),
      })
      .describe('Bursts: two states (Gilbert 1960, Elliott 1963).'),
  ])
  .describe('Which packets of the data channel are lost.')

const jitter = z.strictObject({
  share: z.number().min(0).max(10).default(0.05).describe('Standard deviation over the one-way delay.'),
  correlation: z.number().min(0).max(0.999).default(0.8).describe('Of successive draws, AR(1).'),
})

/** Without defaults, so that a change during a run changes what it names and nothing else. */
const fields = {
  jitter: jitter.describe('Variation of the delay.'),
  loss,
  reorder: share.describe('Probability that a packet is held back and overtaken.'),
  duplicate: share.describe('Probability that a packet arrives twice.'),
  corrupt: share.describe('Probability that a packet arrives damaged.'),
  upMbits: atLeastZero.describe('Rate of a node towards the network; 0 means unlimited.'),
  downMbits: atLeastZero.describe('Rate of a node from the network; 0 means unlimited.'),
  queueMillis: positive.describe('What would wait longer than this for its turn is dropped.'),
  data: z.enum(['datagram', 'stream']).describe('The data channel; on a stream loss turns into delay.'),
  reportsLoss: z
    .boolean()
    .describe('A trunk tells when its other end is gone (a reset); otherwise only silence does.'),
}

/** All of it can be changed during a run by the fault `links`. */
export const conditions = z
  .strictObject({
    jitter: fields.jitter.prefault({}).describe('Variation of the delay.'),
    loss: fields.loss.default({ kind: 'none' }),
    reorder: fields.reorder.default(0),
    duplicate: fields.duplicate.default(0),
    corrupt: fields.corrupt.default(0),
    upMbits: fields.upMbits.default(0),
    downMbits: fields.downMbits.default(0),
    queueMillis: fields.queueMillis.default(200),
    data: fields.data.default('datagram'),
    reportsLoss: fields.reportsLoss.default(true),
  })
  .describe('How every trunk behaves.')

export const conditionsChange = z
  .strictObject(fields)
  .partial()
  .describe('What changes; all else stays as it is.')

export type Distribution = z.infer<typeof distribution>
export type LatencySpec = z.infer<typeof latency>
export type LossSpec = z.infer<typeof loss>
export type Conditions = z.infer<typeof conditions>
