import type { Kysely, Transaction } from 'kysely'
import type { ReplayDependencies } from './adapter.ts'
import { asDriverError } from './classify-error.ts'
import { CommitUnknownError, isDatabaseError, KeyInUseError, KeyReusedError, StatementLostError } from './errors.ts'
import { claimKey, type DoneWrite, type KeyedWrite, storeAnswer } from './queries/idempotency-keys.ts'
import { pauseBeforeReplay } from './replay-pause.ts'
import type { DB } from './schema.ts'
import { dependenciesOf, inTransaction, MAX_LOSSES } from './transaction.ts'

export interface OnceAnswer {
  /** What `work` resolved with, as JSON; empty for nothing. */
  readonly answer: string
  /** Whether an earlier call with the same key did it. */
  readonly isReplayed: boolean
}

/**
 * Runs `work` in a transaction that also holds the write's key and keeps its answer, so that it takes effect once, however
 * often it is asked for and whatever happens to connections. A COMMIT that was not answered is resolved: the key's lock
 * is released when that transaction has ended, and then the key is there with its answer, or free and the write done now.
 * `work` runs again as `inTransaction`'s callback does; what it throws leaves the key free.
 * @throws KeyInUseError when another transaction has the key and does not end within the session's lock wait
 * @throws KeyReusedError when the key was used for another write
 * @throws CommitUnknownError when the database stayed away until the caller's time was up: its `cause` is what came last
 * @throws what `inTransaction` throws, nothing having taken effect, and what `work` throws
 */
export async function writeOnce<Result>(
  db: Kysely<DB>,
  write: KeyedWrite,
  work: (trx: Transaction<DB>) => Promise<Result>,
): Promise<OnceAnswer> {
  const resolution = new Resolution(dependenciesOf(db))
  let done: DoneWrite | undefined
  const run = async (trx: Transaction<DB>): Promise<string> => {
    done = await resolution.claim(() => claimKey(trx, write))
    if (done) return done.answer
    const result = await work(trx).catch((error: unknown) => {
      throw explainRefusal(error)
    })
    const answer = result === undefined ? '' : JSON.stringify(result)
    await storeAnswer(trx, write, answer)
    return answer
  }
  for (;;) {
    try {
      const answer = await inTransaction(db, run, { replay: true })
      if (!done) return { answer, isReplayed: false }
    } catch (error) {
      // What was done stays, however a transaction ends that only found it.
      if (!done) await resolution.prepare(error)
    }
    if (!done) continue
    if (done.requestHash !== write.requestHash) throw new KeyReusedError()
    return { answer: done.answer, isReplayed: !resolution.hadUnknownCommit }
  }
}

/** What one write knows of its own transactions that were lost. */
class Resolution {
  readonly #deps: ReplayDependencies
  readonly #startedAtMs: number
  #claims = 0
  #unknownCommits = 0
  #failures = 0
  /** The COMMIT whose outcome is not known yet. */
  #open: CommitUnknownError | undefined

  constructor(deps: ReplayDependencies) {
    this.#deps = deps
    this.#startedAtMs = deps.clock.now()
  }

  /** Then a key that is taken was, in all likelihood, taken by this very write. */
  get hadUnknownCommit(): boolean {
    return this.#unknownCommits > 0
  }

  /** Claims the key; whatever the answer is, it settles what was open. */
  async claim<T>(claimKey: () => Promise<T>): Promise<T> {
    this.#claims += 1
    try {
      const result = await claimKey()
      this.#open = undefined
      return result
    } catch (error) {
      if (isLockWaitTimeout(error)) {
        if (this.#claims === 1) throw new KeyInUseError({ cause: error })
        // A transaction of our own may have it, whose server does not know of the loss: told again, and waited for on.
        this.#open?.endSession()
      } else if (isRolledBack(error)) this.#claims -= 1 // as the server says itself: as if it had not been
      throw explainRefusal(error)
    }
  }

  /** Returns when the write shall be tried again to learn what is true; throws what its caller shall see when it shall not. */
  async prepare(error: unknown): Promise<void> {
    if (error instanceof CommitUnknownError) {
      this.#unknownCommits += 1
      this.#open = error
      error.endSession()
      if (this.#unknownCommits < MAX_LOSSES && this.#hasTime()) return
      throw error
    }
    if (!this.#open) throw error
    const stillOpen = new CommitUnknownError({ cause: error })
    if (!isDatabaseError(error) || !this.#hasTime()) throw stillOpen
    this.#open.endSession() // the network may let it through by now
    this.#failures += 1
    const scope = this.#deps.currentScope()
    await pauseBeforeReplay(this.#deps, { attempt: this.#failures, scope, refusal: stillOpen })
  }

  #hasTime(): boolean {
    const { currentScope, clock, acquireTimeoutMs } = this.#deps
    const scope = currentScope()
    return scope ? scope.reason === undefined : clock.now() - this.#startedAtMs < acquireTimeoutMs
  }
}

/** What may go better the next time, though the lease takes it for the statement's own fault. */
function explainRefusal(cause: unknown): unknown {
  // A key's lock that does not come tells of a loss, not of a server that refuses.
  if (isLockWaitTimeout(cause)) return new StatementLostError('refused', { cause })
  // ER_OPTION_PREVENTS_STATEMENT: read-only when it refused, and no more when it was asked about that.
  return asDriverError(cause).errno === 1290 ? new StatementLostError('refused', { cause, isAnswer: true }) : cause
}

/** A deadlock, or a row that was newer than the snapshot. */
function isRolledBack(error: unknown): boolean {
  return error instanceof StatementLostError && error.outcome === 'rolledBack' && error.isAnswer
}

/** ER_LOCK_WAIT_TIMEOUT, whether it ended the transaction (innodb_rollback_on_timeout) or not. */
function isLockWaitTimeout(error: unknown): boolean {
  return asDriverError(error instanceof StatementLostError ? error.cause : error).errno === 1205
}
