import type { Scope } from '../scope.ts'
import type { Connection, Session } from './connection.ts'
import type { PoolCheck } from './pool-check.ts'
import type { PoolStats } from './stats.ts'

/** What the caller's statements left behind in the session. */
export interface ReleaseNote {
  readonly isTransactionOpen: boolean
  /** Any statement but SELECT, INSERT, UPDATE, DELETE ran: neither server tells what it changed in the session. */
  readonly isDirty: boolean
}

/** Where statements get their connections from: a pool, or a new connection each time. */
export interface ConnectionSource {
  readonly stats: PoolStats
  /** Whether only a restart can help. */
  readonly isWedged: boolean
  /** Finds out how the database and the idle connections are, without any caller's connection. Never throws. */
  check(): Promise<PoolCheck>
  acquire(scope?: Scope): Promise<Connection>
  release(connection: Connection, note: ReleaseNote): void
  /** The connection's server refuses writes. */
  moveAway(connection: Connection): void
  /** Has a session killed whose connection was lost, where that can be done: its locks would stay until the server knows. */
  endSession(session: Session): void
  close(options: { readonly deadlineMs: number }): Promise<void>
}
