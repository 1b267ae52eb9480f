import type { Outcome } from './classify-error.ts'
import type { PoolStats } from './pool/stats.ts'

/** The caller's time was up before the database answered. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError'
  readonly timeoutMs: number
  constructor(timeoutMs: number) {
    super(`no answer within ${Math.round(timeoutMs)} ms`)
    this.timeoutMs = timeoutMs
  }
}

/** No connection could be handed out in the caller's time. `cause` is the last failure to connect, if any. */
export class AcquireTimeoutError extends Error {
  override readonly name = 'AcquireTimeoutError'
  readonly stats: PoolStats
  constructor(waitedMs: number, stats: PoolStats, options?: ErrorOptions) {
    super(`no connection after ${Math.round(waitedMs)} ms (${describe(stats)})`, options)
    this.stats = stats
  }
}

/** Refused on arrival: so many wait already that this caller's time would be up before its turn. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
  readonly stats: PoolStats
  constructor(stats: PoolStats) {
    super(`too many callers wait for a connection (${describe(stats)})`)
    this.stats = stats
  }
}

/** The database does not let this service in, and waiting would not help; `cause` says why. */
export class ConnectRefusedError extends Error {
  override readonly name = 'ConnectRefusedError'
  constructor(options: ErrorOptions) {
    super('the database refuses connections', options)
  }
}

/** The pool is closing or closed. */
export class PoolClosedError extends Error {
  override readonly name = 'PoolClosedError'
  constructor() {
    super('the pool is closed')
  }
}

interface LossOptions extends ErrorOptions {
  /** Ends what the server may still have of a session whose connection was lost. Absent: no connection was. */
  readonly endSession?: (() => void) | undefined
  /** Whether the server said it itself, rather than fell silent. Default false. */
  readonly isAnswer?: boolean
}

/** A statement was lost, refused or rolled back with its connection or server; `outcome` says what is certain. */
export class StatementLostError extends Error {
  override readonly name = 'StatementLostError'
  readonly outcome: Exclude<Outcome, 'failed' | 'commitUnknown'>
  /** Whether the server said it itself, rather than fell silent. */
  readonly isAnswer: boolean
  readonly #endSession: (() => void) | undefined
  constructor(outcome: StatementLostError['outcome'], { endSession, isAnswer = false, ...options }: LossOptions) {
    super(`statement lost, outcome: ${outcome}`, options)
    this.outcome = outcome
    this.isAnswer = isAnswer
    this.#endSession = endSession
  }

  /** Has the lost session killed, which would hold its locks for as long as its server knows of no loss. Never throws. */
  endSession(): void {
    this.#endSession?.()
  }
}

/**
 * A statement waited for the rows of a stream on its own connection, and was not sent. Its transaction goes on. Read a
 * stream to its end, or leave it, before the next statement of the same transaction.
 */
export class UnreadStreamError extends Error {
  override readonly name = 'UnreadStreamError'
  readonly waitedMs: number
  constructor(waitedMs: number) {
    super(`not sent: a stream of the same connection had rows left to read for ${Math.round(waitedMs)} ms`)
    this.waitedMs = waitedMs
  }
}

/** COMMIT was sent and not answered: the transaction is either all there or not at all. */
export class CommitUnknownError extends Error {
  override readonly name = 'CommitUnknownError'
  readonly #endSession: (() => void) | undefined
  constructor({ endSession, ...options }: LossOptions) {
    super('the connection was lost on COMMIT; whether it took effect is unknown', options)
    this.#endSession = endSession
  }

  /** As `StatementLostError`'s. */
  endSession(): void {
    this.#endSession?.()
  }
}

/** The server takes no statement of this size. It was not sent, and the connection is as it was. */
export class StatementTooLargeError extends Error {
  override readonly name = 'StatementTooLargeError'
  readonly sizeBytes: number
  /** The server's `max_allowed_packet`. */
  readonly limitBytes: number
  constructor(sizeBytes: number, limitBytes: number) {
    super(`a statement of ${sizeBytes} bytes, and the server takes fewer than ${limitBytes} (max_allowed_packet)`)
    this.sizeBytes = sizeBytes
    this.limitBytes = limitBytes
  }
}

/**
 * A transaction was over before its COMMIT: a statement of it committed it (DDL does, and a procedure can), or this one ran
 * after its end. What it did before stays, as far as anybody knows; nothing of it runs any more.
 */
export class TransactionEndedError extends Error {
  override readonly name = 'TransactionEndedError'
  constructor() {
    super('the transaction had ended before its COMMIT, and what it did may stay')
  }
}

/** Another transaction holds this idempotency key, and has not ended in time: it may be the same write. */
export class KeyInUseError extends Error {
  override readonly name = 'KeyInUseError'
  constructor(options: ErrorOptions) {
    super('a write with this idempotency key is under way', options)
  }
}

/** The idempotency key belongs to another write. */
export class KeyReusedError extends Error {
  override readonly name = 'KeyReusedError'
  constructor() {
    super('the idempotency key was used for another write')
  }
}

/** There is no city of this id to change. */
export class CityNotFoundError extends Error {
  override readonly name = 'CityNotFoundError'
  constructor(cityId: number) {
    super(`there is no city ${cityId}`)
  }
}

/** The city is not, or no more, in a state that its caller allows it to be changed in. */
export class CityChangedError extends Error {
  override readonly name = 'CityChangedError'
  constructor(cityId: number) {
    super(`city ${cityId} is in another state`)
  }
}

/** A page's position holds a text that its column cannot be compared with: the column's character set was another one. */
export class PositionUnusableError extends Error {
  override readonly name = 'PositionUnusableError'
  constructor(options: ErrorOptions) {
    super('the position cannot be compared with the rows', options)
  }
}

/** No country has this id: the row that named it was not written. */
export class UnknownCountryError extends Error {
  override readonly name = 'UnknownCountryError'
  readonly countryId: number
  constructor(countryId: number, options: ErrorOptions) {
    super(`there is no country ${countryId}`, options)
    this.countryId = countryId
  }
}

/** The table's id column has no number left; only a migration helps. */
export class IdsExhaustedError extends Error {
  override readonly name = 'IdsExhaustedError'
  constructor(options: ErrorOptions) {
    super('no id is left for another row', options)
  }
}

/** Whether this came from the database side: a refused, lost or failed statement, or no connection at all. */
export function isDatabaseError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ownErrors.some((OwnError) => error instanceof OwnError) || 'errno' in error || 'fatal' in error
}

const ownErrors = [
  DeadlineExceededError,
  AcquireTimeoutError,
  QueueFullError,
  ConnectRefusedError,
  PoolClosedError,
  StatementLostError,
  CommitUnknownError,
  TransactionEndedError,
  StatementTooLargeError,
]

function describe({ total, idle, acquired, waiting, connecting }: PoolStats): string {
  return `total=${total}, idle=${idle}, acquired=${acquired}, connecting=${connecting}, waiting=${waiting}`
}
