import type { Clock } from '../db/index.ts'

/** The process's own clock. Its timers keep the process alive, unlike the pool's: a stop must run to its end. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
}
