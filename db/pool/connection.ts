import {
  asDriverError,
  classifyStatementError,
  type Flavour,
  NOT_SENT,
  UNKNOWN,
  UNSENDABLE,
  type Verdict,
} from '../classify-error.ts'
import type { Clock } from '../clock.ts'
import { StatementTooLargeError } from '../errors.ts'
import type { Preparable } from '../preparable.ts'
import type { Scope } from '../scope.ts'
import type { Link } from './link.ts'
import type { LoopTurn } from './loop-turn.ts'
import type { ColumnDefinition, MysqlConnection, MysqlRows } from './mysql-connection.ts'
import { sizeBeyond } from './packet-size.ts'
import {
  areBindable,
  areSameInBoth,
  bind,
  isUnpreparable,
  type Prepared,
  PreparedStatements,
} from './prepared-statements.ts'

/** Who a session is at its server, as read when it was set up. */
export interface Session {
  readonly id: number
  /** The session's own HOST in the server's process list: the client's address and port, never used twice at a time. */
  readonly host: string | undefined
  /** Which server: the same name can lead to several. */
  readonly server: string
  readonly flavour: Flavour
  readonly version: string
  /** The server closes the session after this long without a statement. */
  readonly waitTimeoutMs: number
  /** It takes only statements of fewer bytes. */
  readonly maxPacketBytes: number
  /** The statement that set it up, and does so again after a reset. */
  readonly setup: string
  /** Whether a reset and `setup` bring back what it was: not where the server's `init_connect` did something to it. */
  readonly canBeReset: boolean
  /** A proxy stands between: its session ids are not the server's, so nothing may be killed by them. */
  readonly isBehindProxy: boolean
}

/** A statement that did not succeed: the driver's error, and what it means. */
export class StatementFailure extends Error {
  override readonly name = 'StatementFailure'
  readonly verdict: Verdict
  constructor(verdict: Verdict, cause: unknown) {
    super('statement failed', { cause })
    this.verdict = verdict
  }
}

interface PendingStatement {
  readonly sql: string
  readonly parameters: readonly unknown[]
  /** How it may be prepared, if at all; undefined: it goes as text. */
  readonly toPreparable: (() => Preparable | undefined) | undefined
  readonly scope: Scope | undefined
  readonly resolve: (result: unknown) => void
  readonly reject: (reason: Error) => void
  readonly onAbort: (reason: Error) => void
  /** Of one whose rows are streamed. */
  readonly stream?: StreamedRows
  /** Before, nothing of it can have run. */
  isSent: boolean
}

interface StreamedRows {
  /** Sends the statement. */
  readonly open: (statement: PendingStatement) => void
  /** Resolves when its last row has arrived, or none will. */
  readonly ended: PromiseWithResolvers<void>
}

/** How a statement runs. */
export interface RunOptions {
  readonly scope?: Scope | undefined
  /** How it may be prepared, if at all; absent: it goes as text. */
  readonly toPreparable?: (() => Preparable | undefined) | undefined
}

export interface ConnectionDependencies {
  readonly clock: Clock
  readonly turn: LoopTurn
  readonly link: Link
  /** Whether statements are prepared when they come again. */
  readonly arePrepared: boolean
  /** Called once, when the connection can no longer be used. */
  readonly onDeath: (connection: Connection) => void
}

/**
 * One session over one socket. Settles every caller, whatever becomes of the socket: mysql2 leaves the callers of a
 * destroyed connection, of an unanswered ping and of a lost row stream waiting for ever.
 */
export class Connection {
  readonly session: Session
  readonly createdAtMs: number
  /** When it last proved to be alive. */
  lastAliveAtMs: number
  /** When a caller last released it. */
  lastUsedAtMs: number
  /** Whether its holder may rely on it: one that nobody has heard of for a while proves itself with its first statement. */
  isProven = true
  readonly #raw: MysqlConnection
  readonly #clock: Clock
  readonly #turn: LoopTurn
  readonly #link: Link
  readonly #arePrepared: boolean
  readonly #onDeath: (connection: Connection) => void
  #running: PendingStatement | undefined
  readonly #queued: PendingStatement[] = []
  readonly #prepared: PreparedStatements
  #startedAtMs = 0
  #lastAnswerTurn = -1
  #death: unknown
  #isSilent = false
  #onQuiet: (() => void) | undefined

  constructor(raw: MysqlConnection, session: Session, deps: ConnectionDependencies) {
    const { clock, turn, link, onDeath, arePrepared } = deps
    this.#raw = raw
    this.#prepared = new PreparedStatements(raw, session.flavour)
    this.session = session
    this.#clock = clock
    this.#turn = turn
    this.#link = link
    this.#arePrepared = arePrepared
    this.#onDeath = onDeath
    this.createdAtMs = this.lastAliveAtMs = this.lastUsedAtMs = clock.now()
    // mysql2's pool listens once; without a listener of our own a second 'error' would end the process.
    raw.on('error', (error) => this.#die(error))
    raw.on('end', () => this.#die(new Error('the server closed the connection')))
  }

  get isDead(): boolean {
    return this.#death !== undefined
  }

  /** Whether bytes arrived in this turn of the loop: then it needs no liveness check. */
  get isFresh(): boolean {
    return this.#turn.current === this.#lastAnswerTurn
  }

  /** Learns of its end, if the kernel knows of it, without asking the server. */
  pollOnce(): Promise<void> {
    return this.#turn.pollOnce()
  }

  /** Whether a statement is running or queued, its caller still there or not. */
  get isBusy(): boolean {
    return this.#running !== undefined
  }

  /** How long the running statement has run, in ms; 0 when none is running. */
  runningMs(nowMs: number): number {
    return this.#running ? nowMs - this.#startedAtMs : 0
  }

  /** Identifies the running statement, to see later whether it is still the same. */
  get runningMark(): unknown {
    return this.#running
  }

  /** Grows while an answer arrives, which can take long after the server has sent it. */
  get receivedBytes(): number {
    return this.#raw.stream.bytesRead
  }

  /**
   * Runs one statement; several queue. Rejects with a `StatementFailure`, or with the scope's reason as soon as the scope
   * is aborted: the statement may run on then, and the connection stays busy.
   */
  run(sql: string, parameters: readonly unknown[], { scope, toPreparable }: RunOptions = {}): Promise<unknown> {
    const mayPrepare = toPreparable && this.#arePrepared && areBindable(parameters)
    return new Promise((resolve, reject) => {
      this.#enqueue({
        sql,
        parameters,
        toPreparable: mayPrepare ? toPreparable : undefined,
        scope,
        resolve,
        reject,
        onAbort: reject,
        isSent: false,
      })
    })
  }

  /**
   * The rows of one statement as they come, after the statements before it. The connection is busy until the last has
   * arrived: the rest of them, too, that a caller does not want who leaves earlier.
   */
  async *stream(sql: string, parameters: readonly unknown[], scope?: Scope): AsyncGenerator<unknown> {
    const { rows, mark } = await this.#openStream(sql, parameters, scope)
    try {
      for await (const row of rows) {
        this.#startedAtMs = Number.POSITIVE_INFINITY // the caller is at work, not the server
        yield row
        this.#startedAtMs = this.#clock.now()
      }
    } finally {
      this.#startedAtMs = this.#clock.now()
      scope?.removeListener(mark.onAbort)
    }
  }

  /** Resolves when the rows of a stream have all arrived that a next statement would wait for; undefined without one. */
  get unread(): Promise<void> | undefined {
    if (!this.#running) return undefined // as on nearly each call
    return (this.#queued.findLast(({ stream }) => stream) ?? this.#running).stream?.ended.promise
  }

  /**
   * Whether the server answers a ping within `timeoutMs`, or as long as the link takes; a connection that does not is
   * dead. Measures the link.
   */
  async ping(timeoutMs: number): Promise<boolean> {
    const sentAtMs = this.#clock.now()
    let dueAtMs = sentAtMs + timeoutMs
    const moreMs = () => {
      const nowMs = this.#clock.now()
      // In steps: meanwhile others may be heard.
      const delayMs = Math.min(timeoutMs, this.#link.patienceMs(timeoutMs, sentAtMs, nowMs))
      dueAtMs = nowMs + delayMs
      return delayMs
    }
    const isAlive = await this.#command((callback) => this.#raw.ping(callback), timeoutMs, moreMs)
    const nowMs = this.#clock.now()
    // Of one whose time was up long ago, only an event loop that stood still did not hear.
    if (isAlive && nowMs - dueAtMs < STALL_MS) this.#link.record(nowMs - sentAtMs, nowMs)
    return isAlive
  }

  /** Whether it is dead because it said nothing: its server may know of no end, and keep the session. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  /**
   * Runs a statement of the pool's own; undefined, and dead, when it is not answered within `leastMs`, or as long as the
   * link takes.
   */
  async ask(sql: string, leastMs: number): Promise<unknown> {
    // Not knowing is an answer that every caller of this method handles.
    return await this.#askWithin(sql, leastMs).catch(() => undefined)
  }

  /** As `ask`, for the number of the error that the server answers: 0 where it answers none. */
  async askForErrno(sql: string, leastMs: number): Promise<number | undefined> {
    try {
      await this.#askWithin(sql, leastMs)
      return 0
    } catch (error) {
      return this.isDead ? undefined : asDriverError((error as StatementFailure).cause).errno
    }
  }

  async #askWithin(sql: string, leastMs: number): Promise<unknown> {
    const timeoutMs = this.#link.boundMs(leastMs, this.#clock.now())
    let isOver = false
    const cancel = this.#scheduleAfterPoll(timeoutMs, () => {
      if (!isOver) this.destroy(new Error(`no answer within ${timeoutMs} ms`))
    })
    try {
      return await this.run(sql, [])
    } finally {
      isOver = true
      cancel()
    }
  }

  /** Undoes all that callers changed in the session, and sets it up again; false when that fails, or cannot be. */
  async reset(timeoutMs: number): Promise<boolean> {
    if (!this.session.canBeReset) return false
    const isReset = await this.#command((callback) => this.#raw.reset(callback), timeoutMs)
    this.#prepared.clear()
    return isReset && (await this.#command((callback) => this.#raw.query(this.session.setup, [], callback), timeoutMs))
  }

  /** Resolves when nothing runs any more, or after `timeoutMs`; says which. */
  waitUntilQuiet(timeoutMs: number): Promise<boolean> {
    if (!this.isBusy) return Promise.resolve(true)
    return new Promise((resolve) => {
      const cancel = this.#clock.schedule(timeoutMs, () => {
        this.#onQuiet = undefined
        resolve(false)
      })
      this.#onQuiet = () => {
        cancel()
        this.#onQuiet = undefined
        resolve(!this.isDead)
      }
    })
  }

  /** Closes the socket itself and settles every caller with `reason`. */
  destroy(reason: Error): void {
    this.#die(reason)
    this.#raw.destroy()
    this.#raw.stream.destroy()
  }

  /** Says goodbye first, so that the server does not count an aborted client. */
  quit(): void {
    this.#die(new Error('closed by the pool'))
    this.#raw.end()
    this.#clock.schedule(QUIT_TIMEOUT_MS, () => this.#raw.stream.destroy(), { isUpkeep: true })
  }

  #enqueue(statement: PendingStatement): void {
    const { scope, onAbort } = statement
    scope?.addListener(onAbort) // its time can be up before its turn comes
    if (!this.#running || scope?.reason) this.#start(statement)
    else this.#queued.push(statement)
  }

  #start(statement: PendingStatement): void {
    const reason = this.#death === undefined ? statement.scope?.reason : new StatementFailure(NOT_SENT, this.#death)
    if (reason) {
      this.#leave(statement)
      statement.reject(reason)
      return
    }
    this.#running = statement
    this.#startedAtMs = this.#clock.now()
    try {
      const { flavour, maxPacketBytes } = this.session
      const sizeBytes = sizeBeyond(statement, flavour, maxPacketBytes)
      if (sizeBytes !== undefined) throw new StatementTooLargeError(sizeBytes, maxPacketBytes)
      this.#handOver(statement)
    } catch (error) {
      // Too large, or a parameter's own conversion to SQL threw, before anything was written.
      this.#failed(statement, error, UNSENDABLE)
    }
  }

  #handOver(statement: PendingStatement): void {
    const { sql, parameters, toPreparable } = statement
    const prepared = toPreparable && this.#prepared.find(sql, parameters, toPreparable)
    if (statement.stream) statement.stream.open(statement)
    else if (prepared === 'new') this.#prepare(statement)
    else this.#send(statement, prepared)
  }

  /** Nobody waits for this statement any more. */
  #leave({ scope, onAbort, stream }: PendingStatement): void {
    scope?.removeListener(onAbort)
    stream?.ended.resolve()
  }

  #openStream(sql: string, parameters: readonly unknown[], scope: Scope | undefined) {
    return new Promise<{ readonly rows: MysqlRows; readonly mark: PendingStatement }>((resolve, reject) => {
      let stop: (reason: Error) => void = reject
      const onAbort = (reason: Error) => stop(reason)
      const open = (mark: PendingStatement) => {
        const query = this.#raw.query(sql, parameters)
        mark.isSent = true
        // Before mysql2's own listeners, so that the caller gets the verdict and not the bare error.
        query.on('error', (error) => this.#failed(mark, error, this.#classify(error)))
        query.on('end', () => this.#quiet(mark))
        const rows = query.stream()
        stop = (reason) => rows.destroy(reason)
        resolve({ rows, mark })
      }
      const stream = { open, ended: Promise.withResolvers<void>() }
      this.#enqueue({
        sql,
        parameters,
        toPreparable: undefined,
        scope,
        resolve: () => {},
        reject: onAbort,
        onAbort,
        stream,
        isSent: false,
      })
    })
  }

  #prepare(statement: PendingStatement): void {
    this.#raw.prepare(statement.sql, (error, prepared) => {
      if (this.#running !== statement) return
      if (error && !isUnpreparable(error)) this.#failed(statement, error, this.#classifyPrepare(error))
      else if (statement.scope?.reason)
        this.#quiet(statement) // its caller has been told
      else {
        // As text it runs, or gets the error that is its own.
        this.#send(statement, this.#prepared.add(statement.sql, statement.parameters, prepared))
      }
    })
  }

  #send(statement: PendingStatement, prepared: Prepared | undefined): void {
    const onAnswer = (error: unknown, result?: unknown, columns?: readonly ColumnDefinition[]) => {
      if (!error && prepared && columns && !areSameInBoth(columns)) {
        this.#prepared.refuse(statement.sql)
        this.#sendAgain(statement) // a SELECT: what can be prepared and brings rows is no other
      } else if (!error) this.#answered(statement, result)
      // Called before query() has returned: mysql2 refused it, nothing was written.
      else if (!statement.isSent) this.#failed(statement, error, NOT_SENT)
      else if (prepared && this.#prepared.forgetIfLost(statement.sql, error)) this.#sendAgain(statement)
      else this.#failed(statement, error, this.#classify(error))
    }
    if (prepared) prepared.statement.execute(bind(statement.parameters, prepared), onAnswer)
    else this.#raw.query(statement.sql, statement.parameters, onAnswer)
    statement.isSent = true
  }

  /** As text, unless its caller has left, and so been told. */
  #sendAgain(statement: PendingStatement): void {
    if (statement.scope?.reason) this.#quiet(statement)
    else this.#send(statement, undefined)
  }

  /** Nothing of it has run, whatever became of the session. */
  #classifyPrepare(error: unknown): Verdict {
    const verdict = this.#classify(error)
    return verdict.outcome === 'unknown' ? NOT_SENT : verdict
  }

  #classify(error: unknown): Verdict {
    return classifyStatementError(error, this.session.flavour)
  }

  #answered(statement: PendingStatement, result: unknown): void {
    this.#quiet(statement)
    statement.resolve(result)
  }

  #failed(statement: PendingStatement, error: unknown, verdict: Verdict): void {
    if (this.#running !== statement) return // settled already; mysql2 can report one error twice
    statement.reject(new StatementFailure(verdict, error))
    if (verdict.isSessionUsable) this.#quiet(statement)
    else this.#die(error)
  }

  /** `statement` has ended, and its answer came in this turn of the loop. */
  #quiet(statement: PendingStatement): void {
    if (this.#running !== statement) return
    this.#running = undefined
    this.#leave(statement)
    if (statement.isSent) this.#lastAnswerTurn = this.#turn.current
    // One whose caller's time is up does not start.
    for (let next = this.#queued.shift(); next; next = this.#queued.shift()) {
      this.#start(next)
      if (this.#running) return
    }
    this.#onQuiet?.()
  }

  #die(error: unknown): void {
    if (this.#death !== undefined) return
    this.#death = error ?? new Error('connection lost')
    const running = this.#running
    this.#running = undefined
    if (running) {
      this.#leave(running)
      running.reject(new StatementFailure(running.isSent ? UNKNOWN : NOT_SENT, error))
    }
    for (const statement of this.#queued.splice(0)) {
      this.#leave(statement)
      statement.reject(new StatementFailure(NOT_SENT, error))
    }
    this.#onQuiet?.()
    this.#onDeath(this)
  }

  /** After a stall of the event loop a timer fires before the answer that the kernel holds is read: it has to wait. */
  #scheduleAfterPoll(delayMs: number, task: () => void): () => void {
    return this.#clock.schedule(delayMs, () => void this.#turn.pollOnce().then(task))
  }

  /** Runs a command that mysql2 gives no deadline; `moreMs` says at its end how much longer it may take. */
  #command(start: StartCommand, timeoutMs: number, moreMs = () => 0): Promise<boolean> {
    if (this.isDead) return Promise.resolve(false)
    return new Promise((resolve) => {
      let isSettled = false
      const settle = (error: unknown) => {
        if (isSettled) return
        isSettled = true
        cancel()
        if (error) this.#die(error)
        else {
          this.#lastAnswerTurn = this.#turn.current
          this.lastAliveAtMs = this.#clock.now()
        }
        resolve(!error)
      }
      const expire = () => {
        if (isSettled) return
        const delayMs = this.isDead ? 0 : moreMs()
        if (delayMs > 0) {
          cancel = this.#scheduleAfterPoll(delayMs, expire)
          return
        }
        this.#isSilent = !this.isDead
        const silence = new Error(`no answer within ${timeoutMs} ms`)
        settle(silence)
        this.destroy(silence) // the control connection has nobody else who would
      }
      let cancel = this.#scheduleAfterPoll(timeoutMs, expire)
      start(settle)
    })
  }
}

type StartCommand = (callback: (error: unknown) => void) => void

/** A timer that fires so much too late tells of an event loop that stood still, in ms. */
const STALL_MS = 50

/** How long a goodbye may take before the socket is closed without. */
const QUIT_TIMEOUT_MS = 250
