const SAMPLES = 5
/** Older ones tell nothing of the link as it is now, in ms. */
const SAMPLE_AGE_MS = 60_000
/** What took longer is more likely a server or a process that stood still than a link, in ms. */
const MAX_ROUND_TRIP_MS = 1000
/** An answer may take this many round trips, for what a link and a busy server add to its usual one. */
const PATIENCE = 3
/** How long nothing at all may be heard before silence means death, in ms: a link that has become slow needs a while to say so. */
const UNHEARD_MS = 1000

/** How long the pool's own questions have taken lately: every bound of its own is that of the link, if that is longer. */
export class Link {
  readonly #samples: { readonly ms: number; readonly atMs: number }[] = []

  /** Takes note of one round trip that has just ended. */
  record(ms: number, nowMs: number): void {
    this.#samples.push({ ms: Math.min(ms, MAX_ROUND_TRIP_MS), atMs: nowMs })
    if (this.#samples.length > SAMPLES) this.#samples.shift()
  }

  /**
   * A round trip now, in ms: the median of the last few, or the last one if that took longer, so that one slow answer
   * is enough to become patient, and one quick answer not enough to lose patience. 0 before any.
   */
  roundTripMs(nowMs: number): number {
    const last = this.#samples.at(-1)
    if (!last) return 0
    const recent = this.#samples.filter(({ atMs }) => nowMs - atMs <= SAMPLE_AGE_MS).map(({ ms }) => ms)
    return Math.max(last.ms, recent.sort((a, b) => a - b)[recent.length >> 1] ?? 0)
  }

  /** The larger of `fixedMs` and a few round trips. */
  boundMs(fixedMs: number, nowMs: number): number {
    return Math.max(fixedMs, PATIENCE * this.roundTripMs(nowMs))
  }

  /**
   * How much longer, in ms, something sent at `sentAtMs` may stay unanswered; 0: it is lost. Nobody else having been
   * heard since, it may be the link that has become slow, and not one connection that is dead.
   */
  patienceMs(fixedMs: number, sentAtMs: number, nowMs: number): number {
    const isHeard = (this.#samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) > sentAtMs
    const boundMs = this.boundMs(isHeard ? fixedMs : Math.max(fixedMs, UNHEARD_MS), nowMs)
    return Math.max(0, sentAtMs + boundMs - nowMs)
  }
}
