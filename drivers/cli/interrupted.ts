/**
 * What is still to be done when somebody ends the program before its time.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Calls `last` before one of the signals ends the process as it would have; answers how to stop that. */
export function beforeSignals(last: () => void): () => void {
  const stops = SIGNALS.map((signal) => {
    const listener = (): void => {
      stop()
      try {
        last()
      } finally {
        process.kill(process.pid, signal)
      }
    }
    process.on(signal, listener)
    return () => process.off(signal, listener)
  })
  const stop = (): void => {
    for (const one of stops) one()
  }
  return stop
}
