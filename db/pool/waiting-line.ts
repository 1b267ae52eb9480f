import type { Clock } from '../clock.ts'
import { AcquireTimeoutError, DeadlineExceededError, QueueFullError } from '../errors.ts'
import type { Scope } from '../scope.ts'
import type { Connection } from './connection.ts'
import { HoldTimes } from './hold-times.ts'
import type { PoolOptions } from './options.ts'
import { canBeServed } from './policy.ts'
import type { PoolEvent, PoolStats } from './stats.ts'
import { WaitQueue } from './wait-queue.ts'

/** A caller in the line. */
export interface Waiter {
  readonly sinceMs: number
  readonly deadlineAtMs: number
  /** Of its scope: when it must have given back what it gets. */
  readonly holdUntilMs: number
  readonly resolve: (connection: Connection) => void
  readonly reject: (reason: Error) => void
}

export interface WaitingLineDependencies {
  readonly clock: Clock
  readonly onEvent: (event: PoolEvent) => void
  readonly stats: () => PoolStats
  /** Why the last attempt to connect failed. */
  readonly lastFailure: () => unknown
}

/** Who waits for a connection: first come, first served, unless the time would be up before the work is done. */
export class WaitingLine {
  readonly #options: PoolOptions
  readonly #deps: WaitingLineDependencies
  readonly #queue = new WaitQueue<Waiter>()
  readonly #holds = new HoldTimes()

  constructor(options: PoolOptions, deps: WaitingLineDependencies) {
    this.#options = options
    this.#deps = deps
  }

  get length(): number {
    return this.#queue.length
  }

  /** How long the first has waited, in ms; 0 when nobody waits. */
  waitedMs(nowMs: number): number {
    return nowMs - (this.#queue.first?.sinceMs ?? nowMs)
  }

  /** Somebody held a connection for so long: that tells how long others will wait. */
  recordHold(heldMs: number): void {
    this.#holds.record(heldMs)
  }

  /**
   * Waits for a connection until the scope ends, or for `acquireTimeoutMs`.
   * @throws QueueFullError, at once, when the turn would come too late; AcquireTimeoutError; the scope's reason
   */
  join(scope: Scope | undefined): Promise<Connection> {
    const { clock } = this.#deps
    const nowMs = clock.now()
    const timeoutMs = Math.min(this.#options.acquireTimeoutMs, scope ? scope.deadlineAtMs - nowMs : Infinity)
    if (!this.#admits(timeoutMs)) return Promise.reject(this.#refusal())
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#queue.remove(ticket)
        cancelTimer()
        scope?.removeListener(fail)
      }
      const fail = (reason: Error) => {
        leave()
        reject(reason instanceof DeadlineExceededError ? this.#timedOut(clock.now() - nowMs) : reason)
      }
      const ticket = this.#queue.push({
        sinceMs: nowMs,
        deadlineAtMs: nowMs + timeoutMs,
        holdUntilMs: scope?.deadlineAtMs ?? Infinity,
        resolve: (connection) => {
          leave()
          resolve(connection)
        },
        reject: fail,
      })
      const cancelTimer = clock.schedule(timeoutMs, () => fail(new DeadlineExceededError(timeoutMs)))
      scope?.addListener(fail)
    })
  }

  /**
   * Whoever waits longest and has time left for its work. Who has not would be cut off in the middle of it, and cost a
   * connection: it was let in when nobody knew yet how long the others hold theirs.
   */
  next(nowMs: number): Waiter | undefined {
    for (let waiter = this.#queue.shift(); waiter; waiter = this.#queue.shift()) {
      if (this.#queue.length < this.#options.size || nowMs + this.#holds.medianMs <= waiter.deadlineAtMs) return waiter
      waiter.reject(this.#refusal())
    }
    return undefined
  }

  /** Sends everybody away. */
  rejectAll(reason: () => Error): void {
    for (let waiter = this.#queue.shift(); waiter; waiter = this.#queue.shift()) waiter.reject(reason())
  }

  #admits(remainingMs: number): boolean {
    const queue = { waiting: this.#queue.length, size: this.#options.size, medianHoldMs: this.#holds.medianMs }
    return queue.waiting < this.#options.maxWaiting && canBeServed(queue, remainingMs)
  }

  #refusal(): QueueFullError {
    this.#deps.onEvent({ name: 'refused' })
    return new QueueFullError(this.#deps.stats())
  }

  #timedOut(waitedMs: number): AcquireTimeoutError {
    this.#deps.onEvent({ name: 'acquireTimeout' })
    return new AcquireTimeoutError(waitedMs, this.#deps.stats(), { cause: this.#deps.lastFailure() })
  }
}
