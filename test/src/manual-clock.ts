import type { Clock } from '../../db/index.ts'

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  advance(ms: number): void
  /** How many tasks wait. */
  pending(): number
}

export function createManualClock(): ManualClock {
  let nowMs = 0
  let tasks: { readonly atMs: number; readonly run: () => void }[] = []
  return {
    now: () => nowMs,
    schedule(delayMs, run) {
      const task = { atMs: nowMs + delayMs, run }
      tasks.push(task)
      return () => {
        tasks = tasks.filter((other) => other !== task)
      }
    },
    advance(ms) {
      nowMs += ms
      const due = tasks.filter(({ atMs }) => atMs <= nowMs)
      tasks = tasks.filter(({ atMs }) => atMs > nowMs)
      for (const { run } of due) run()
    },
    pending: () => tasks.length,
  }
}
