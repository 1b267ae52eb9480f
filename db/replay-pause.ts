import type { Clock } from './clock.ts'
import { DeadlineExceededError } from './errors.ts'
import { type Random, replayPauseMs } from './pool/backoff.ts'
import type { Scope } from './scope.ts'

export interface Replay {
  /** Which one, from 1: later ones wait longer. */
  readonly attempt: number
  readonly scope: Scope | undefined
  /** Why it is needed. */
  readonly refusal: Error
}

/**
 * Waits, jittered, before what was refused or rolled back runs again. At the scope's deadline it rejects with the refusal,
 * which says more than that the time is up: nothing runs meanwhile.
 */
export function pauseBeforeReplay(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  { attempt, scope, refusal }: Replay,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: Error) => reject(reason instanceof DeadlineExceededError ? refusal : reason)
    if (scope?.reason) return fail(scope.reason)
    const onAbort = (reason: Error) => {
      cancel()
      fail(reason)
    }
    const cancel = clock.schedule(replayPauseMs(attempt, random), () => {
      scope?.removeListener(onAbort)
      resolve()
    })
    scope?.addListener(onAbort)
  })
}
