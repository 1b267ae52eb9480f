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
  /**
   * Gives back an acquired connection that has yet to prove itself, in exchange for one that just has: it, or another.
   * Throws what `acquire` throws; then nothing is held.
   */
  prove(connection: Connection, scope: Scope | undefined): Promise<Connection>
  /**
   * Watches the read that an acquired connection, which has yet to prove itself, is about to run: when no answer may ever
   * come `onReplaced` is called with another connection, acquired for the same caller. Returns what ends the watch.
   */
  watch(connection: Connection, scope: Scope | undefined, onReplaced: (next: Connection) => void): () => void
  release(connection: Connection, note: ReleaseNote): void
  /** The connection's server refuses writes. */
  moveAway(connection: Connection): void
  /** Has a session killed whose connection was lost, where that can be done: its locks would stay until the server knows. */
  endSession(session: Session): void
  close(options: { readonly deadlineMs: number }): Promise<void>
}
