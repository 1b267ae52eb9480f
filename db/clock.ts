/** Time as the pool sees it: monotonic, so that a wall clock set back or forth evicts nothing and keeps nothing. */
export interface Clock {
  /** Milliseconds since an arbitrary moment. */
  now(): number
  /** Runs `task` once after `delayMs`; returns what cancels it. */
  schedule(delayMs: number, task: () => void): () => void
}

/** The process's own clock. Its timers never keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule: (delayMs, task) => {
    const timer = setTimeout(task, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
