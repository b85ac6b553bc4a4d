/** Turns of a worker's event loop, between which it hears what it is told. */

/**
 * Calls `work` again and again: after so many milliseconds as it answers, or when what this returns is
 * called. `work` answers undefined when it has nothing to do until then.
 */
export function takeTurns(work: () => number | undefined): () => void {
  /** Without the four milliseconds that nested timers have to wait. */
  const turn = new MessageChannel()
  let timer: ReturnType<typeof setTimeout> | undefined
  let isTurning = false
  const wake = (): void => {
    if (isTurning) return
    isTurning = true
    turn.port2.postMessage(undefined)
  }
  const once = (): void => {
    isTurning = false
    clearTimeout(timer)
    const wait = work()
    if (wait === undefined) return
    if (wait > 0) timer = setTimeout(once, wait)
    else wake()
  }
  turn.port1.onmessage = once
  return wake
}
