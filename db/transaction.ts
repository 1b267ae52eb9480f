import type { Kysely, QueryExecutorProvider, Transaction } from 'kysely'
import { type ReplayDependencies, ResilientMysqlAdapter } from './adapter.ts'
import { DeadlineExceededError, StatementLostError } from './errors.ts'
import { pauseBeforeReplay } from './replay-pause.ts'

/** A transaction that keeps losing its connection may be the reason: it is not run more often than this. */
export const MAX_LOSSES = 5

export interface TransactionOptions {
  /**
   * Whether `callback` runs again, from its start and in a new transaction, when it is certain that nothing of it took
   * effect. Then it must do nothing but run statements, and let their errors through.
   */
  readonly replay: boolean
}

/**
 * Runs `callback` in one transaction. With `replay` it runs again when a statement or an answered COMMIT was refused or
 * rolled back (a deadlock, a server that turned read-only), or the connection was lost before COMMIT was sent: jittered,
 * until the caller's deadline. Never after a COMMIT that was not answered, nor when a statement may have committed what came
 * before it: raw SQL that is not SELECT, INSERT, UPDATE, DELETE, REPLACE or WITH.
 * @throws CommitUnknownError when COMMIT was not answered; its `cause` is the scope's reason when that ended the wait.
 * @throws StatementLostError when nothing took effect and no more time or tries are left; outcome `unknown` when a statement
 * may have committed what came before it.
 * @throws TransactionEndedError when an answer told that it was over: DDL committed it, say. What it did before may stay.
 * @throws DeadlineExceededError, and what else ends the scope, before COMMIT was sent: nothing took effect.
 * @throws AcquireTimeoutError, QueueFullError, ConnectRefusedError, PoolClosedError, and what `callback` throws
 */
export async function inTransaction<Schema, Result>(
  db: Kysely<Schema>,
  callback: (trx: Transaction<Schema>) => Promise<Result>,
  { replay }: TransactionOptions,
): Promise<Result> {
  const replays = replay ? new Replays(dependenciesOf(db)) : undefined
  for (;;) {
    try {
      return await db.transaction().execute(callback)
    } catch (error) {
      if (!replays) throw error
      await replays.prepare(error)
    }
  }
}

/** What the dialect below `db` runs with. */
export function dependenciesOf(db: QueryExecutorProvider): ReplayDependencies {
  const { adapter } = db.getExecutor()
  if (adapter instanceof ResilientMysqlAdapter) return adapter.replay
  throw new TypeError('a transaction can be replayed only over resilientMysqlDialect()')
}

/** Decides about the next run of one transaction, and waits for it. */
class Replays {
  readonly #deps: ReplayDependencies
  readonly #startedAtMs: number
  #attempt = 0
  #losses = 0
  #refusal: StatementLostError | undefined

  constructor(deps: ReplayDependencies) {
    this.#deps = deps
    this.#startedAtMs = deps.clock.now()
  }

  /** Returns when the transaction shall run again; throws what its caller shall see when it shall not. */
  async prepare(error: unknown): Promise<void> {
    // The server answers, and refuses: that its last answer was still to come says less.
    if (error instanceof DeadlineExceededError && this.#refusal) throw this.#refusal
    if (!(error instanceof StatementLostError) || !this.#mayReplay(error)) throw error
    error.endSession() // the next run may need its locks
    this.#attempt += 1
    this.#deps.onEvent({ name: 'retried', outcome: error.outcome })
    const scope = this.#deps.currentScope()
    await pauseBeforeReplay(this.#deps, { attempt: this.#attempt, scope, refusal: error })
  }

  #mayReplay(error: StatementLostError): boolean {
    if (error.outcome === 'unknown') return false
    this.#refusal = error.isAnswer ? error : undefined
    if (!this.#refusal) {
      this.#losses += 1
      return this.#losses < MAX_LOSSES
    }
    const { currentScope, clock, acquireTimeoutMs } = this.#deps
    return currentScope() !== undefined || clock.now() - this.#startedAtMs < acquireTimeoutMs
  }
}
