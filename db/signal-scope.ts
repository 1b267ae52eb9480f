import type { Clock } from './clock.ts'
import { Scope } from './scope.ts'

/** The time of a caller who has an AbortSignal and no deadline. The signal may outlive it: it is forgotten with `end()`. */
export class SignalScope extends Scope {
  readonly #signal: AbortSignal
  readonly #onAbort = () => this.abort(toError(this.#signal.reason))

  constructor(clock: Clock, signal: AbortSignal) {
    super(clock, Number.POSITIVE_INFINITY)
    this.#signal = signal
    if (signal.aborted) this.#onAbort()
    else signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  override end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    super.end()
  }
}

/** A signal can be aborted with anything; what is no error has no place in a rejection, and null would look like none. */
function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new DOMException(`aborted: ${String(reason)}`, 'AbortError')
}
