import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import {
  AcquireTimeoutError,
  CityChangedError,
  CityNotFoundError,
  CommitUnknownError,
  ConnectRefusedError,
  DeadlineExceededError,
  type Fault,
  faultOf,
  IdsExhaustedError,
  isDatabaseError,
  KeyInUseError,
  KeyReusedError,
  PoolClosedError,
  PositionUnusableError,
  QueueFullError,
  StatementLostError,
  StatementTooLargeError,
  TransactionEndedError,
  UnknownCountryError,
} from '../db/index.ts'
import type { AppEnv } from './app-env.ts'
import { ClientLeftError } from './deadline.ts'
import { IDEMPOTENCY_KEY_HEADER } from './idempotency.ts'
import type { Log } from './log.ts'
import { badRequest, type FieldError, OUTCOME_UNKNOWN, PROBLEM_TYPE, ProblemError, problemBody } from './problem.ts'
import { NOT_A_CURSOR } from './query-params.ts'

/** What a client is told about an error. */
export interface Verdict {
  readonly status: number
  /** Absent: the status says it all. */
  readonly kind?: typeof OUTCOME_UNKNOWN
  readonly detail?: string
  readonly errors?: readonly FieldError[] | undefined
  readonly retryAfterSeconds?: number
  /** How loudly the log says it; absent: the access line is enough. */
  readonly logAs?: 'info' | 'warn' | 'error'
}

/** Nobody reads this answer; the status is nginx's, for the access log. */
const CLIENT_LEFT = 499

export interface ErrorContext {
  /** Whether nothing was to be changed: then no value of the request can be at fault. Default false. */
  readonly isRead?: boolean
}

/** The one table from error to answer. Nothing of the error's own text reaches the client, except a `ProblemError`'s. */
export function judgeError(error: unknown, { isRead = false }: ErrorContext = {}): Verdict {
  if (error instanceof ProblemError) return { status: error.status, detail: error.detail, errors: error.errors }
  // By status, never by message: hono's body-limit has none, and its validator's may quote the input.
  if (error instanceof HTTPException) return { status: error.status }
  if (error instanceof ClientLeftError) return { status: CLIENT_LEFT }
  if (error instanceof PositionUnusableError) {
    return judgeError(badRequest([{ parameter: 'after', detail: NOT_A_CURSOR }]))
  }
  if (error instanceof UnknownCountryError) {
    const errors = [{ pointer: '/countryId', detail: 'must be the id of a country' }]
    return { status: 422, detail: 'There is no such country.', errors }
  }
  if (error instanceof IdsExhaustedError) {
    return { status: 507, detail: 'No id is left for another row.', logAs: 'error' }
  }
  if (error instanceof CityNotFoundError) return { status: 404, detail: 'There is no such city.' }
  if (error instanceof CityChangedError) return { status: 412, detail: 'The city has another ETag.' }
  if (error instanceof KeyReusedError) {
    return { status: 422, detail: 'The Idempotency-Key belongs to another request.' }
  }
  if (error instanceof KeyInUseError) {
    return { status: 409, detail: 'A request with this Idempotency-Key is under way.', retryAfterSeconds: 1 }
  }
  if (error instanceof CommitUnknownError) return judgeUnknownCommit(error)
  if (error instanceof DeadlineExceededError) {
    const detail = `The database did not answer within ${Math.round(error.timeoutMs)} ms. Nothing was changed.`
    return { status: 504, detail, logAs: 'warn' }
  }
  if (error instanceof StatementLostError && error.outcome === 'unknown') {
    return unusable(`The connection to the database was lost. ${UNKNOWN}`)
  }
  if (error instanceof TransactionEndedError) {
    return { status: 500, detail: `The transaction had ended early. ${UNKNOWN}`, logAs: 'error' }
  }
  // The session went with it, and so the transaction was lost, but it would again.
  if (error instanceof StatementLostError && faultOf(error.cause) === 'operator') return faultAnswers.operator
  // Ours are small: its limit is below what this service needs.
  if (error instanceof StatementTooLargeError) return faultAnswers.operator
  if (harmlessErrors.some((HarmlessError) => error instanceof HarmlessError)) {
    return unusable('The database cannot be used now. Nothing was changed.')
  }
  const fault = faultOf(error)
  if (fault) return isRead && faultAnswers[fault].status < 500 ? faultAnswers.operator : faultAnswers[fault]
  if (isDatabaseError(error)) return unusable('The database cannot be used now.')
  return { status: 500, logAs: 'error' }
}

/**
 * What the server said of a statement. 500 and not 503 where an operator must act: waiting does not help, and proxies and
 * clients ask again for a 503. The log has every one of them, since the client is not told which rule of the schema it was.
 */
const faultAnswers: Readonly<Record<Fault, Verdict>> = {
  referenced: { status: 409, detail: 'Other rows refer to this one. Nothing was changed.', logAs: 'info' },
  taken: { status: 409, detail: 'Another row has this value already. Nothing was changed.', logAs: 'info' },
  unfit: { status: 422, detail: 'The database does not take such a value. Nothing was changed.', logAs: 'info' },
  incomparable: { status: 422, detail: 'The database does not take such a value. Nothing was changed.', logAs: 'info' },
  busy: unusable('The database cannot be used now. Nothing was changed.'),
  timeLimit: {
    status: 504,
    detail: 'The database stopped the statement at a time limit of its own. Nothing was changed.',
    logAs: 'warn',
  },
  operator: { status: 500, detail: 'The database needs its operator. Nothing was changed.', logAs: 'error' },
}

const UNKNOWN = 'Whether the change took effect is unknown.'

/** After these it is certain that nothing took effect: every write is one transaction. */
const harmlessErrors = [StatementLostError, AcquireTimeoutError, QueueFullError, ConnectRefusedError, PoolClosedError]

function unusable(detail: string): Verdict {
  return { status: 503, detail, retryAfterSeconds: 1, logAs: 'warn' }
}

function judgeUnknownCommit({ cause }: CommitUnknownError): Verdict {
  if (cause instanceof ClientLeftError) return { status: CLIENT_LEFT, logAs: 'warn' }
  if (cause instanceof DeadlineExceededError) {
    const detail = `The database did not confirm the change within ${Math.round(cause.timeoutMs)} ms. ${UNKNOWN}`
    return { status: 504, kind: OUTCOME_UNKNOWN, detail, logAs: 'warn' }
  }
  return { ...unusable(`The connection to the database was lost. ${UNKNOWN}`), kind: OUTCOME_UNKNOWN }
}

/** Answers an error with problem+json, and logs what the client is not told. */
export function answerError(error: unknown, c: Context<AppEnv>, log: Log): Response {
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
  const { status, kind, detail, errors, retryAfterSeconds, logAs } = judgeError(error, { isRead })
  const requestId = c.get('requestId')
  const key = kind && c.get('idempotencyKey')
  if (logAs) log[logAs]({ err: error, requestId, ...c.get('trace') }, `answered ${status}`)
  if (status === CLIENT_LEFT) return new Response(null, { status })
  return c.body(problemBody({ status, kind, requestId, detail, errors }), status as ContentfulStatusCode, {
    'Content-Type': PROBLEM_TYPE,
    'Cache-Control': 'no-store',
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
    ...(key && { [IDEMPOTENCY_KEY_HEADER]: key }),
  })
}
