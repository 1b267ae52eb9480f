/** Time as the pool sees it: monotonic, so that a wall clock set back or forth evicts nothing and keeps nothing. */
export interface Clock {
  /** Milliseconds since an arbitrary moment. */
  now(): number
  /** Runs `task` once after `delayMs`; returns what cancels it. */
  schedule(delayMs: number, task: () => void, options?: ScheduleOptions): () => void
}

interface ScheduleOptions {
  /**
   * Whether nobody waits for the task: then its timer keeps no process alive. Default false, so that a program ends with
   * the answer it awaits or with an error, and not in between, where no socket is open.
   */
  readonly isUpkeep: boolean
}

/** The process's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule: (delayMs, task, options) => {
    const timer = setTimeout(task, delayMs)
    if (options?.isUpkeep) timer.unref()
    return () => clearTimeout(timer)
  },
}
