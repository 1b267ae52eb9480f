import { connectPauseMs, type Random } from './backoff.ts'

/** Most attempts to connect in any second, whatever the demand: a struggling server is not helped by more. */
const MAX_ATTEMPTS_PER_SECOND = 10
/** The rest is kept for who could not be served otherwise: a loss of everything may follow the last one by less than that. */
const MAX_UNHURRIED_PER_SECOND = 7
/** A little over a second: what starts evenly here may arrive unevenly there. */
const WINDOW_MS = 1020
/** Most attempts under way at once: more only slow each other down, and the first to succeed serves everybody. */
const MAX_UNDER_WAY = 4
/** How many start a burst: under a storm of KILLs every attempt that was not needed is missed a second later. */
const FIRST_UNDER_WAY = 2
/** A burst is over when nothing was under way for so long. */
const BURST_PAUSE_MS = 100

/** How much depends on another connection: nobody waits; who waits is served soon; who waits is not served without it. */
export type Urgency = 'low' | 'normal' | 'high'

/**
 * Decides when an attempt to connect may start. While the last one failed, one at a time with a jittered pause; after a
 * success two at once, then four. No clock of its own: it is told the time.
 */
export class ConnectGate {
  readonly #random: Random
  readonly #startedAtMs: number[] = []
  #underWay = 0
  #allowance = FIRST_UNDER_WAY
  #failures = 0
  #lastStartAtMs = Number.NEGATIVE_INFINITY
  #jitter = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** How long until an attempt may start, in ms: 0 is now; undefined, not before one that is under way has ended. */
  delayMs(nowMs: number, urgency: Urgency): number | undefined {
    if (this.#underWay >= this.#allowance) return undefined
    const pauseMs =
      this.#failures === 0
        ? 0
        : // From its start: an attempt that failed by taking too long was pause enough.
          this.#lastStartAtMs + connectPauseMs(this.#failures, urgency !== 'low', () => this.#jitter) - nowMs
    return Math.max(0, pauseMs, this.#windowDelayMs(nowMs, urgency))
  }

  started(nowMs: number): void {
    const isNewBurst = this.#underWay === 0 && nowMs - this.#lastStartAtMs >= BURST_PAUSE_MS
    if (isNewBurst) this.#allowance = Math.min(this.#allowance, FIRST_UNDER_WAY)
    this.#underWay += 1
    this.#lastStartAtMs = nowMs
    this.#startedAtMs.push(nowMs)
    if (this.#startedAtMs.length > MAX_ATTEMPTS_PER_SECOND) this.#startedAtMs.shift()
  }

  succeeded(): void {
    this.#underWay -= 1
    this.#failures = 0
    this.#allowance = Math.min(MAX_UNDER_WAY, this.#allowance * 2)
  }

  failed(): void {
    this.#underWay -= 1
    this.#failures += 1
    this.#allowance = 1
    this.#jitter = this.#random()
  }

  #windowDelayMs(nowMs: number, urgency: Urgency): number {
    const most = urgency === 'high' ? MAX_ATTEMPTS_PER_SECOND : MAX_UNHURRIED_PER_SECOND
    const startedAtMs = this.#startedAtMs.at(-most)
    return startedAtMs === undefined ? 0 : startedAtMs + WINDOW_MS - nowMs
  }
}
