import { type SessionOptions, strictSession } from './session-variables.ts'

/** How long the service's sessions wait; what is left out is as in `strictSession`. */
export interface SessionWaits {
  /** For a row's lock, in whole seconds. Default 1. */
  readonly rowLockSeconds?: number | undefined
  /** For a table that DDL has, in whole seconds. Default 5. */
  readonly tableLockSeconds?: number | undefined
  /** Until the server stops a statement, on MySQL a SELECT only, in ms. Default 0: never, deadlines do. */
  readonly statementMs?: number | undefined
}

/** `strictSession` with these waits. */
export function toServiceSession(waits: SessionWaits = {}): SessionOptions {
  const { rowLockSeconds = 1, tableLockSeconds = 5, statementMs = 0 } = waits
  return {
    ...strictSession,
    innodb_lock_wait_timeout: rowLockSeconds,
    lock_wait_timeout: tableLockSeconds,
    max_execution_time: statementMs,
    max_statement_time: statementMs / 1000,
  }
}
