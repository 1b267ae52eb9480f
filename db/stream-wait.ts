import type { Clock } from './clock.ts'
import { DeadlineExceededError, UnreadStreamError } from './errors.ts'
import type { Scope } from './scope.ts'

export interface StreamWait {
  readonly clock: Clock
  readonly scope: Scope | undefined
  /** Longest wait, in ms. */
  readonly timeoutMs: number
}

/**
 * Waits until a stream's rows have all arrived, which a statement on the same connection has to. The reader of the rows
 * may be the one who waits here: at the timeout, or the scope's deadline, it is told so.
 * @throws UnreadStreamError, or the scope's reason when that is no deadline
 */
export function untilRead(unread: Promise<void>, { clock, scope, timeoutMs }: StreamWait): Promise<void> {
  const sinceMs = clock.now()
  return new Promise((resolve, reject) => {
    const leave = () => {
      cancel()
      scope?.removeListener(fail)
    }
    const fail = (reason: Error) => {
      leave()
      reject(reason instanceof DeadlineExceededError ? new UnreadStreamError(clock.now() - sinceMs) : reason)
    }
    const cancel = clock.schedule(timeoutMs, () => fail(new DeadlineExceededError(timeoutMs)))
    if (scope?.reason) return fail(scope.reason)
    scope?.addListener(fail)
    void unread.then(() => {
      leave()
      resolve()
    })
  })
}
