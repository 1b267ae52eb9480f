/** A number from 0 up to, but not including, 1. */
export type Random = () => number

/** Bounds of the pauses between attempts, in ms: jittered, so that replicas do not come back in step. */
const LEAST_MS = 25
const WANTED_MOST_MS = 400
const UNWANTED_MOST_MS = 5000

/**
 * The pause before the next attempt to connect, in ms, after `failures` in a row. Short while someone waits, and shorter
 * after the first few: an attempt that was cut off together with everything else says little about the next one.
 */
export function connectPauseMs(failures: number, isWanted: boolean, random: Random): number {
  const mostMs = isWanted
    ? Math.min(WANTED_MOST_MS, LEAST_MS * 2 ** failures)
    : Math.min(UNWANTED_MOST_MS, WANTED_MOST_MS * 2 ** failures)
  return LEAST_MS + random() * (mostMs - LEAST_MS)
}

/** From one refusal of the same credentials to the next attempt, in ms: accounts are locked after a few in a row. */
const REFUSAL_PAUSES_MS = [1000, 2000, 7000, 20_000, 30_000] as const
const LONGEST_REFUSAL_PAUSE_MS = 60_000

/** The pause after credentials were refused the `refusals`-th time in a row, from 1, in ms. */
export function refusalPauseMs(refusals: number): number {
  return REFUSAL_PAUSES_MS[refusals - 1] ?? LONGEST_REFUSAL_PAUSE_MS
}

/** The pause before a refused statement or transaction runs again, in ms: the `attempt`-th time, from 1. */
export function replayPauseMs(attempt: number, random: Random): number {
  return random() * Math.min(WANTED_MOST_MS, 10 * 2 ** attempt)
}

/** `value` give or take `share` of it, so that what was started together does not end together. */
export function jittered(value: number, share: number, random: Random): number {
  return value * (1 - share + 2 * share * random())
}
