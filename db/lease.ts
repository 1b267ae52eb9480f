import type { CompiledQuery, DatabaseConnection, QueryResult, TransactionSettings } from 'kysely'
import { isCommitRolledBack, type Outcome, UNSENDABLE } from './classify-error.ts'
import type { Clock } from './clock.ts'
import { CommitUnknownError, StatementLostError, TransactionEndedError } from './errors.ts'
import type { KnownReads } from './known-reads.ts'
import type { Random } from './pool/backoff.ts'
import { type Connection, StatementFailure } from './pool/connection.ts'
import type { ConnectionSource } from './pool/connection-source.ts'
import type { PoolEvent } from './pool/stats.ts'
import type { UseObserver } from './pool/use-observer.ts'
import { type Preparable, toPreparable } from './preparable.ts'
import { isReadOnlyValue } from './read-only.ts'
import { pauseBeforeReplay } from './replay-pause.ts'
import type { Scope } from './scope.ts'
import type { StatementKind } from './statement-kind.ts'
import { untilRead } from './stream-wait.ts'
import { cannotCommit, isInTransaction } from './transaction-status.ts'

/** A read that keeps losing its connection may be the reason: it is not asked more often than this. */
const MAX_RUNS = 5
/** Longest wait for the answer to ROLLBACK, or to a question about the transaction, in ms. */
const ROLLBACK_TIMEOUT_MS = 1000

export interface LeaseDependencies {
  readonly source: ConnectionSource
  readonly clock: Clock
  readonly random: Random
  readonly reads: KnownReads
  /** For callers without a scope: how long a refused statement is tried again. */
  readonly acquireTimeoutMs: number
  readonly onEvent: (event: PoolEvent) => void
  readonly observer: UseObserver
}

type TransactionState =
  | { readonly name: 'none' }
  | OpenTransaction
  /** Its server has ended it, or will when the connection goes. */
  | { readonly name: 'lost'; readonly outcome: 'rolledBack' | 'unknown'; readonly cause: unknown }
  /** An answer that says OK told that it was over: what it did may stay. */
  | { readonly name: 'ended' }

interface OpenTransaction {
  readonly name: 'open'
  readonly isReadOnly: boolean
  /** Whether answers tell that it is open, as BEGIN's did: not every proxy lets them. */
  readonly isShown: boolean
  /** Whether a statement of it may have committed what came before: then no loss is certain to have undone it. */
  readonly mayHaveCommitted: boolean
}

interface Statement {
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly kind: StatementKind
  /** How it may be prepared; absent: not at all. */
  readonly toPreparable?: (() => Preparable | undefined) | undefined
  /** Of its lease. Later ones may depend on what it did to the session, LAST_INSERT_ID() for one. */
  readonly isFirst: boolean
}

/**
 * What Kysely holds between acquire and release: one connection, or, as long as nothing depends on the session, its
 * successors. Runs a statement again only when it is certain that this changes nothing twice.
 */
export class Lease implements DatabaseConnection {
  readonly #deps: LeaseDependencies
  readonly #scope: Scope | undefined
  #connection: Connection | undefined
  #transaction: TransactionState = { name: 'none' }
  #isDirty = false
  /** When a statement was first refused. */
  #refusedAtMs: number | undefined
  #isPinned = false
  /** Given back by its holder, who may have left a statement under way: nothing more is acquired for it. */
  #isReleased = false

  static acquire(deps: LeaseDependencies, scope: Scope | undefined): Promise<Lease> {
    return deps.source.acquire(scope).then((connection) => new Lease(deps, scope, connection))
  }

  private constructor(deps: LeaseDependencies, scope: Scope | undefined, connection: Connection) {
    this.#deps = deps
    this.#scope = scope
    this.#connection = connection
  }

  /** Its caller's time. */
  get scope(): Scope | undefined {
    return this.#scope
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { clock, observer, reads } = this.#deps
    const { flavour } = this.#held().session
    const { kind } = query.query
    const startedAtMs = clock.now()
    return this.#run(query.sql, query.parameters, reads.kindOf(query), () => toPreparable(query.query)).then(
      (result) => {
        observer.ran({ flavour, kind, ms: clock.now() - startedAtMs })
        return toQueryResult<R>(result)
      },
      (error) => {
        observer.ran({ flavour, kind, ms: clock.now() - startedAtMs, error })
        throw error
      },
    )
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    this.#note(this.#deps.reads.kindOf(query), query.sql)
    while (!this.#held().isProven) await this.#prove()
    await this.#untilRead()
    // A reader that waits for another statement of this lease never comes back: Kysely lets that in only after it.
    const giveBack = () => this.release()
    try {
      for await (const row of this.#held().stream(query.sql, query.parameters, this.#scope)) {
        this.#scope?.addListener(giveBack)
        yield { rows: [row as R] }
        this.#scope?.removeListener(giveBack)
      }
    } catch (error) {
      throw error instanceof StatementFailure ? await this.#explain(error) : error
    } finally {
      this.#scope?.removeListener(giveBack)
    }
  }

  /** @throws StatementLostError or the server's error; the connection then goes back without an open transaction. */
  async begin({ isolationLevel, accessMode }: TransactionSettings): Promise<void> {
    const settings = [
      ...(isolationLevel ? [`isolation level ${isolationLevel}`] : []),
      ...(accessMode ? [accessMode] : []),
    ]
    const wasDirty = this.#isDirty
    let isShown = false
    try {
      if (settings.length > 0) {
        // It is for the next transaction of this session, so that one must be ours: until then the session is dirty.
        await this.#run(`set transaction ${settings.join(', ')}`, [], 'other')
      }
      // Its caller may leave before the answer, and the session be given back with a transaction that nobody knows of.
      this.#isDirty = true
      isShown = isInTransaction(await this.#run('begin', [], 'read')) === true // as harmless as a read
    } catch (error) {
      const isUnknown = error instanceof StatementLostError && error.outcome === 'unknown'
      throw isUnknown ? new StatementLostError('rolledBack', { cause: error.cause }) : error // nothing has begun
    }
    this.#isDirty = wasDirty
    const isReadOnly = accessMode === 'read only'
    this.#transaction = { name: 'open', isReadOnly, isShown, mayHaveCommitted: false }
  }

  /**
   * @throws CommitUnknownError, StatementLostError when the transaction is certain to have been rolled back, or
   * TransactionEndedError; the scope's reason when that had ended before
   */
  async commit(): Promise<void> {
    await this.#untilRead()
    const connection = this.#held()
    // Losses that the kernel knows of already are losses before COMMIT: certain, and replayed.
    await connection.pollOnce()
    if (this.#scope?.reason) throw this.#scope.reason // nothing was sent, so nothing is unknown
    try {
      await connection.run('commit', [], { scope: this.#scope })
      this.#transaction = { name: 'none' }
    } catch (error) {
      throw await this.#explainCommit(connection, error)
    }
  }

  /** Never throws: the caller has an error already. What cannot be rolled back is cut off at release. */
  async rollback(): Promise<void> {
    const connection = this.#connection
    if (this.#transaction.name === 'none' || !connection || connection.isDead || connection.isBusy) return
    if (this.#scope?.reason) {
      // Its caller is to be answered now: the reset that follows the release rolls back as well.
      this.#isDirty = true
      this.#transaction = { name: 'none' }
    } else await this.#untilAbort(this.#askToRollback(connection))
  }

  async #askToRollback(connection: Connection): Promise<void> {
    if ((await connection.ask('rollback', ROLLBACK_TIMEOUT_MS)) !== undefined) this.#transaction = { name: 'none' }
  }

  /** Waits no longer than the caller does: what is not answered by then, the release ends. */
  #untilAbort(task: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const stop = () => resolve()
      if (this.#scope?.reason) return resolve()
      this.#scope?.addListener(stop)
      void task.then(() => {
        this.#scope?.removeListener(stop)
        resolve()
      })
    })
  }

  /** A savepoint statement of the open transaction. */
  async control({ sql, parameters }: CompiledQuery): Promise<void> {
    await this.#run(sql, parameters, 'write')
  }

  release(): void {
    this.#isReleased = true
    this.#giveBack()
  }

  #giveBack(): void {
    const connection = this.#connection
    this.#connection = undefined
    if (!connection) return
    const isTransactionOpen = this.#transaction.name !== 'none'
    this.#deps.source.release(connection, { isTransactionOpen, isDirty: this.#isDirty })
  }

  #run(
    sql: string,
    parameters: readonly unknown[],
    kind: StatementKind,
    toPreparable?: () => Preparable | undefined,
  ): Promise<unknown> {
    const isFirst = !this.#isPinned
    const open = this.#transaction
    const mayCommit = this.#note(kind, sql)
    // What was set in the session (SQL modes, collations) would be of no effect on a statement prepared before.
    const statement: Statement = {
      sql,
      parameters,
      kind,
      isFirst,
      toPreparable: this.#isDirty ? undefined : toPreparable,
    }
    if (open.name !== 'open') return this.#attempt(statement).catch((error) => this.#recover(error, statement))
    return this.#attempt(statement).then(
      (result) => (open.isShown ? this.#confirm(result, mayCommit) : result),
      (error) => this.#recover(error, statement),
    )
  }

  /** Notes what a statement may leave behind; returns whether it may commit the transaction. */
  #note(kind: StatementKind, sql: string): boolean {
    this.#isPinned = true
    if (kind !== 'other') return false
    this.#isDirty = true
    const open = this.#transaction
    if (open.name !== 'open' || cannotCommit(sql)) return false
    this.#transaction = { ...open, mayHaveCommitted: true }
    return true
  }

  /** @throws TransactionEndedError when the answer tells that the transaction is over */
  #confirm(result: unknown, mayCommit: boolean): unknown {
    const isOpen = isInTransaction(result)
    if (isOpen || (isOpen === undefined && !mayCommit)) return result
    if (isOpen !== undefined) return this.#end()
    return this.#isStillOpen().then((isThere) => {
      if (isThere) return result
      if (this.#scope?.reason) throw this.#scope.reason // that ended the question
      return this.#end()
    })
  }

  #end(): never {
    this.#transaction = { name: 'ended' }
    throw new TransactionEndedError()
  }

  /** Asks the server; false also when that is not answered, or nothing may be concluded from it. */
  async #isStillOpen(): Promise<boolean> {
    const { name, isShown } = this.#transaction as Partial<OpenTransaction>
    if (name !== 'open' || !isShown || !this.#connection) return false
    let isOpen = false
    const asked = this.#connection.ask('do 0', ROLLBACK_TIMEOUT_MS).then((answer) => {
      isOpen = isInTransaction(answer) === true
    })
    await this.#untilAbort(asked)
    return isOpen
  }

  #attempt(statement: Statement): Promise<unknown> {
    const connection = this.#held()
    if (connection.unread) return this.#untilRead().then(() => this.#attempt(statement))
    if (connection.isProven) return this.#send(connection, statement)
    if (statement.kind !== 'read') return this.#prove().then(() => this.#attempt(statement))
    connection.isProven = true // or replaced
    return this.#sendWatched(connection, statement)
  }

  #send(connection: Connection, { sql, parameters, toPreparable }: Statement): Promise<unknown> {
    return connection.run(sql, parameters, { scope: this.#scope, toPreparable })
  }

  /** Nothing has run yet on the connection that is held: another will do as well. */
  async #prove(): Promise<void> {
    const connection = this.#held()
    this.#connection = undefined
    this.#take(await this.#deps.source.prove(connection, this.#scope))
  }

  /** Spares a read after a pause the round trip of a ping: when no answer may ever come it moves to another connection. */
  #sendWatched(connection: Connection, statement: Statement): Promise<unknown> {
    const { source, onEvent } = this.#deps
    return new Promise((resolve, reject) => {
      let isMoved = false
      const stop = source.watch(connection, this.#scope, (next) => {
        // Its caller may have left and given the first one back.
        if (this.#connection !== connection) return source.release(next, { isTransactionOpen: false, isDirty: false })
        isMoved = true
        onEvent({ name: 'retried', outcome: 'unknown' })
        this.#giveBack()
        this.#connection = next
        this.#attempt(statement).then(resolve, reject)
      })
      this.#send(connection, statement).then(
        (result) => {
          stop()
          if (!isMoved) resolve(result)
        },
        (error) => {
          stop()
          // What was never sent has proved nothing.
          if (error instanceof StatementFailure && error.verdict === UNSENDABLE) connection.isProven = false
          if (!isMoved) reject(error)
        },
      )
    })
  }

  /** Waits for the rows of an earlier stream, as long as the caller has time, and at most `acquireTimeoutMs`. */
  async #untilRead(): Promise<void> {
    const { unread } = this.#held()
    const { clock, acquireTimeoutMs } = this.#deps
    if (unread) await untilRead(unread, { clock, scope: this.#scope, timeoutMs: acquireTimeoutMs })
  }

  /** Runs the statement again as long as that is certain to be harmless; else throws what its caller shall see. */
  async #recover(first: unknown, statement: Statement): Promise<unknown> {
    let error = first
    for (let attempt = 1; ; attempt += 1) {
      if (!(error instanceof StatementFailure)) throw error
      const explained = inDoubt(await this.#explain(error), error, statement)
      if (this.#isReleased || !this.#mayRunAgain(explained, statement, attempt)) throw this.#reported(explained)
      this.#deps.onEvent({ name: 'retried', outcome: explained.outcome })
      await this.#moveOn(explained, attempt)
      try {
        return await this.#attempt(statement)
      } catch (next) {
        error = next
      }
    }
  }

  /** The connection, as long as the lease has one: it has none after a retry that found no other. */
  #held(): Connection {
    const transaction = this.#transaction
    // A deadlock's victim has a session that works on, outside the transaction.
    if (transaction.name === 'lost') throw new StatementLostError(transaction.outcome, { cause: transaction.cause })
    if (transaction.name === 'ended') throw new TransactionEndedError()
    if (!this.#connection) throw new StatementLostError('notSent', { cause: new Error('no connection is held') })
    return this.#connection
  }

  #mayRunAgain(error: unknown, statement: Statement, attempt: number): error is StatementLostError {
    const { kind, isFirst } = statement
    if (!isFirst || !(error instanceof StatementLostError)) return false
    if (error.outcome === 'refused' || error.outcome === 'rolledBack') {
      const nowMs = this.#deps.clock.now()
      this.#refusedAtMs ??= nowMs
      return this.#scope !== undefined || nowMs - this.#refusedAtMs < this.#deps.acquireTimeoutMs
    }
    return attempt < MAX_RUNS && (error.outcome === 'notSent' || kind === 'read')
  }

  async #moveOn(refusal: StatementLostError, attempt: number): Promise<void> {
    this.#giveBack()
    // A lost connection needs no pause, since connecting has its own; a refusal would be repeated at once.
    if (refusal.outcome === 'refused' || refusal.outcome === 'rolledBack') {
      await pauseBeforeReplay(this.#deps, { attempt, scope: this.#scope, refusal })
    }
    this.#take(await this.#deps.source.acquire(this.#scope))
  }

  /** Holds this connection from now on, unless its holder has gone meanwhile. */
  #take(connection: Connection): void {
    this.#connection = connection
    if (!this.#isReleased) return
    this.#giveBack()
    throw new StatementLostError('notSent', { cause: new Error('the connection was released meanwhile') })
  }

  /** The error that callers see: the server's own word about the statement, or what is certain about its loss. */
  async #explain(failure: StatementFailure): Promise<unknown> {
    const { cause, verdict } = failure
    const outcome = await this.#outcomeOf(failure)
    const isAnswer = outcome !== 'notSent' && outcome !== 'unknown'
    // Made where it is used: the questions in between may end the session, too.
    const lost = (what: StatementLostError['outcome']) =>
      new StatementLostError(what, { cause, endSession: this.#sessionEnder(), isAnswer })
    if (this.#transaction.name !== 'open') {
      return outcome === 'failed' || outcome === 'commitUnknown' ? cause : lost(outcome)
    }
    if (outcome === 'failed') {
      // A refusal that was doubted is no certain word about the transaction.
      const isKept = verdict.transaction === 'kept' && verdict.outcome === 'failed'
      if (isKept || (verdict.isSessionUsable && (await this.#isStillOpen()))) return cause
    }
    if (outcome === 'refused' && verdict.isSessionUsable && !this.#transaction.mayHaveCommitted) {
      return lost('refused')
    }
    // Lost, or a deadlock's victim: whatever the transaction did before is undone, or must be.
    return lost(this.#lose(cause))
  }

  /** Nothing of the transaction runs any more; says whether it is certain that nothing of it stays. */
  #lose(cause: unknown): 'rolledBack' | 'unknown' {
    const outcome = this.#transaction.name === 'open' && this.#transaction.mayHaveCommitted ? 'unknown' : 'rolledBack'
    this.#transaction = { name: 'lost', outcome, cause }
    return outcome
  }

  /** Undefined while the connection lives: its session may soon be somebody else's. */
  #sessionEnder(): (() => void) | undefined {
    const connection = this.#connection
    return connection?.isDead ? () => this.#deps.source.endSession(connection.session) : undefined
  }

  async #explainCommit(connection: Connection, error: unknown): Promise<unknown> {
    // Also the scope's own end: COMMIT is under way and goes on without us.
    if (!(error instanceof StatementFailure)) {
      this.#lose(error)
      return this.#reported(new CommitUnknownError({ cause: error }))
    }
    const { cause, verdict } = error
    if (verdict.isWrongServer) this.#deps.source.moveAway(connection)
    const said = isCommitRolledBack(cause) ? 'rolledBack' : verdict.outcome
    // An error that says nothing about the transaction: one that is still there was not committed.
    const isStillOpen = said === 'failed' && (await this.#isStillOpen())
    const outcome = this.#lose(cause)
    if (isStillOpen) return cause
    const options = { cause, endSession: this.#sessionEnder() }
    if (said === 'failed' || said === 'unknown') return this.#reported(new CommitUnknownError(options))
    return this.#reported(new StatementLostError(outcome, { ...options, isAnswer: said !== 'notSent' }))
  }

  async #outcomeOf({ verdict, cause }: StatementFailure): Promise<Outcome> {
    const connection = this.#connection
    if (!verdict.isWrongServer || !connection) return verdict.outcome
    const isOurs = this.#transaction.name === 'open' && this.#transaction.isReadOnly
    if (isOurs) return 'failed'
    let isReadOnly = false
    const asked = isReadOnlyServer(connection, cause).then((answer) => {
      isReadOnly = answer
    })
    await this.#untilAbort(asked)
    if (!isReadOnly) return 'failed'
    this.#deps.source.moveAway(connection)
    return verdict.outcome
  }

  #reported<E>(error: E): E {
    const isUnknown =
      error instanceof CommitUnknownError || (error instanceof StatementLostError && error.outcome === 'unknown')
    if (isUnknown) this.#deps.onEvent({ name: 'unknownOutcome' })
    return error
  }
}

/**
 * An answer that refuses or undoes is the word about all of a statement, but for one that may commit on its way: a procedure
 * keeps what it had committed before its deadlock. A session that ends (4031) had not begun.
 */
function inDoubt(explained: unknown, { verdict }: StatementFailure, { kind, sql }: Statement): unknown {
  const isAnswer = explained instanceof StatementLostError && explained.isAnswer
  if (!isAnswer || !verdict.isSessionUsable || kind !== 'other' || cannotCommit(sql)) return explained
  return new StatementLostError('unknown', { cause: explained.cause, isAnswer: true })
}

/** 1290 is the answer to other options' refusals too (secure_file_priv, skip_grant_tables): the server is asked. */
async function isReadOnlyServer(connection: Connection, cause: unknown): Promise<boolean> {
  if ((cause as { errno?: unknown }).errno !== 1290) return true // a driver's error, or it had no such verdict
  const rows = await connection.ask('select @@global.read_only as isReadOnly', ROLLBACK_TIMEOUT_MS)
  return Array.isArray(rows) && isReadOnlyValue(rows[0]?.isReadOnly)
}

function toQueryResult<R>(result: unknown): QueryResult<R> {
  if (Array.isArray(result)) return { rows: result }
  const { insertId, affectedRows, changedRows } = result as Record<'insertId' | 'affectedRows' | 'changedRows', number>
  return {
    ...(insertId ? { insertId: BigInt(insertId) } : {}),
    numAffectedRows: BigInt(affectedRows),
    numChangedRows: BigInt(changedRows),
    rows: [],
  }
}
