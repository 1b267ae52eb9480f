/** A number from 0 up to, but not including, 1. */
export type Random = () => number

/** Pauses between attempts, in ms: full jitter, so that replicas do not come back in step. */
const WANTED = { minMs: 50, maxMs: 400 }
const UNWANTED_MAX_MS = 5000

/** The pause before the next attempt to connect, after `failures` in a row: short while someone waits. */
export function connectPauseMs(failures: number, isWanted: boolean, random: Random): number {
  if (isWanted) return WANTED.minMs + random() * (WANTED.maxMs - WANTED.minMs)
  const ceilingMs = Math.min(UNWANTED_MAX_MS, WANTED.maxMs * 2 ** failures)
  return WANTED.minMs + random() * (ceilingMs - WANTED.minMs)
}

/** The pause before a refused statement or transaction runs again, in ms: the `attempt`-th time, from 1. */
export function replayPauseMs(attempt: number, random: Random): number {
  return random() * Math.min(WANTED.maxMs, 10 * 2 ** attempt)
}

/** `value` give or take `share` of it, so that what was started together does not end together. */
export function jittered(value: number, share: number, random: Random): number {
  return value * (1 - share + 2 * share * random())
}
