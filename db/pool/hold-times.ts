const SAMPLES = 64
const REFRESH_EVERY = 8

/** The median of how long callers held connections lately, in ms: 0 before anyone did. */
export class HoldTimes {
  readonly #samples: number[] = []
  #next = 0
  #sinceRefresh = 0
  #medianMs = 0

  /** Worked out only when asked for, and after some more records: most are never looked at. */
  get medianMs(): number {
    const isStale = this.#sinceRefresh >= REFRESH_EVERY || (this.#sinceRefresh > 0 && this.#samples.length < SAMPLES)
    if (isStale) {
      this.#sinceRefresh = 0
      const sorted = this.#samples.toSorted((a, b) => a - b)
      this.#medianMs = sorted[sorted.length >> 1] ?? 0
    }
    return this.#medianMs
  }

  record(heldMs: number): void {
    this.#samples[this.#next] = heldMs
    this.#next = (this.#next + 1) % SAMPLES
    this.#sinceRefresh += 1
  }
}
