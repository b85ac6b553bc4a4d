/** What is still to be done when somebody ends the program before its time, and waiting for that. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** For what goes on until somebody ends it, and then closes well. */
export async function untilSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of SIGNALS) process.once(signal, resolve)
  })
}

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
