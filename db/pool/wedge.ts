/** What is seen of the pool at one moment. */
export interface PoolMoment {
  readonly nowMs: number
  readonly waiting: number
  /** How often a connection was acquired or given back so far. */
  readonly handovers: number
  /** Whether each connection that is held is held past its holder's own deadline. */
  readonly isEveryHolderLate: boolean
}

/** Callers who are turned away come again: so long a pause between two who wait is none, in ms. */
const GAP_MS = 1000
/** Between two attempts at a connection outside the pool, in ms. */
const ASK_EVERY_MS = 1000
/** How long such attempts must have succeeded, in ms: after an outage they may do so a moment before the pool's own. */
const MOST_CONFIRM_MS = 3000

/**
 * Tells a pool that only a restart can mend: somebody always waits, nothing changes hands, every holder is past its own
 * deadline, and yet the database lets others in. Has no clock: it is told what is seen and when.
 */
export class WedgeWatch {
  readonly #wedgedAfterMs: number
  #stuckSinceMs: number | undefined
  #waitedAtMs = Number.NEGATIVE_INFINITY
  #handovers = -1
  #askedAtMs = Number.NEGATIVE_INFINITY
  #answeredSinceMs: number | undefined
  #isWedged = false

  constructor(wedgedAfterMs: number) {
    this.#wedgedAfterMs = wedgedAfterMs
  }

  get isWedged(): boolean {
    return this.#isWedged
  }

  /** Takes notice of a moment; says whether to try a connection outside the pool now. */
  observe({ nowMs, waiting, handovers, isEveryHolderLate }: PoolMoment): boolean {
    if (waiting > 0) this.#waitedAtMs = nowMs
    const isStuck = handovers === this.#handovers && isEveryHolderLate && nowMs - this.#waitedAtMs <= GAP_MS
    this.#handovers = handovers
    if (!isStuck) {
      this.#stuckSinceMs = undefined
      this.#forgetAnswers()
      return false
    }
    this.#stuckSinceMs ??= nowMs
    if (nowMs - this.#stuckSinceMs < this.#wedgedAfterMs || nowMs - this.#askedAtMs < ASK_EVERY_MS) return false
    this.#askedAtMs = nowMs
    return true
  }

  /** What came of a connection outside the pool. */
  tried(nowMs: number, isAnswered: boolean): void {
    if (!isAnswered || this.#stuckSinceMs === undefined) {
      this.#forgetAnswers()
      return
    }
    this.#answeredSinceMs ??= nowMs
    this.#isWedged = nowMs - this.#answeredSinceMs >= Math.min(MOST_CONFIRM_MS, this.#wedgedAfterMs)
  }

  #forgetAnswers(): void {
    this.#answeredSinceMs = undefined
    this.#isWedged = false
  }
}
