/**
 * The conditions of a scenario as plain numbers: what a lane needs for each message, worked out once.
 *
 * Lanes look their conditions up at each message, so a change during a run is one assignment
 * (`shared.conditions = compileConditions(changed)`) and holds from the next message on.
 */
import type { Micros } from '../../core/io.ts'
import type { Conditions } from '../scenario.ts'

const MILLI = 1_000

export interface CompiledConditions {
  /** Mean and standard deviation of the jitter as a share of the lane's one-way delay. */
  readonly jitterShare: number
  /** Correlation of successive draws, 0 to below 1. */
  readonly jitterKept: number
  /** Whether a message can be lost at all; if not, no draw is made. */
  readonly lossy: boolean
  /** Whether the path has a good and a bad state; if not, `goodLoss` holds always. */
  readonly bursty: boolean
  readonly goodLoss: number
  readonly badLoss: number
  /** Share of time in the bad state. */
  readonly badShare: number
  /** Rate at which the memory of the state fades, per microsecond: the sum of both rates of leaving. */
  readonly turnover: number
  readonly reorder: number
  readonly duplicate: number
  readonly corrupt: number
  /** Microseconds for a byte on the access line; 0 is without limit. */
  readonly upPerByte: number
  readonly downPerByte: number
  /** What would wait longer than this before an access line is dropped at the tail. */
  readonly queue: Micros
  /** The data channel is a stream: reliable and in order, loss becomes delay. */
  readonly stream: boolean
}

export function compileConditions(conditions: Conditions): CompiledConditions {
  const { jitter, reorder, duplicate, corrupt } = conditions
  return {
    jitterShare: jitter.share,
    jitterKept: jitter.correlation,
    ...compileLoss(conditions.loss),
    reorder,
    duplicate,
    corrupt,
    upPerByte: microsPerByte(conditions.upMbits),
    downPerByte: microsPerByte(conditions.downMbits),
    queue: conditions.queueMillis * MILLI,
    stream: conditions.data === 'stream',
  }
}

/** Long-run share of messages that the path loses, 0 to 1: what a dial has to expect. */
export function meanLoss(conditions: CompiledConditions): number {
  const { badShare, goodLoss, badLoss } = conditions
  return goodLoss + badShare * (badLoss - goodLoss)
}

type Loss = Pick<CompiledConditions, 'lossy' | 'bursty' | 'goodLoss' | 'badLoss' | 'badShare' | 'turnover'>

function compileLoss(loss: Conditions['loss']): Loss {
  switch (loss.kind) {
    case 'none':
      return { lossy: false, bursty: false, goodLoss: 0, badLoss: 0, badShare: 0, turnover: 0 }
    case 'bernoulli': {
      const { probability } = loss
      return {
        lossy: probability > 0,
        bursty: false,
        goodLoss: probability,
        badLoss: probability,
        badShare: 0,
        turnover: 0,
      }
    }
    case 'gilbert-elliott': {
      const { goodMillis, badMillis, goodLoss, badLoss } = loss
      return {
        lossy: goodLoss > 0 || badLoss > 0,
        bursty: true,
        goodLoss,
        badLoss,
        badShare: badMillis / (goodMillis + badMillis),
        turnover: (1 / goodMillis + 1 / badMillis) / MILLI,
      }
    }
  }
}

/** A megabit a second is a bit a microsecond. */
function microsPerByte(mbits: number): number {
  return mbits === 0 ? 0 : 8 / mbits
}
