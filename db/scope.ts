import type { Clock } from './clock.ts'
import { DeadlineExceededError } from './errors.ts'

/**
 * One caller's time: everything done for it, from the queue to the last retry, ends at one deadline, or earlier when the
 * caller leaves. Lighter than an AbortSignal, since every request has one.
 */
export class Scope {
  readonly deadlineAtMs: number
  #reason: Error | undefined
  /** Hardly ever more than one: a caller waits for one thing at a time. */
  #listener: ((reason: Error) => void) | undefined
  #others: Set<(reason: Error) => void> | undefined
  readonly #cancelTimer: () => void

  /** Starts the deadline's timer, which `end()` stops; `Infinity`: no deadline. */
  constructor(clock: Clock, timeoutMs: number) {
    this.deadlineAtMs = clock.now() + timeoutMs
    this.#cancelTimer =
      timeoutMs === Number.POSITIVE_INFINITY
        ? () => {}
        : clock.schedule(timeoutMs, () => this.abort(new DeadlineExceededError(timeoutMs)))
  }

  /** Why the work must stop; undefined while it may go on. */
  get reason(): Error | undefined {
    return this.#reason
  }

  /** Stops all work of this scope, once. */
  abort(reason: Error): void {
    if (this.#reason) return
    this.#reason = reason
    this.#cancelTimer()
    const listeners = [...(this.#listener ? [this.#listener] : []), ...(this.#others ?? [])]
    this.#listener = undefined
    this.#others = undefined
    for (const listener of listeners) listener(reason)
  }

  /** Calls `listener` once if the scope is aborted later on. */
  addListener(listener: (reason: Error) => void): void {
    if (!this.#listener) this.#listener = listener
    else {
      this.#others ??= new Set()
      this.#others.add(listener)
    }
  }

  removeListener(listener: (reason: Error) => void): void {
    if (this.#listener === listener) this.#listener = undefined
    else this.#others?.delete(listener)
  }

  /** Stops the timer: the work is done. */
  end(): void {
    this.#cancelTimer()
    this.#listener = undefined
    this.#others = undefined
  }
}
