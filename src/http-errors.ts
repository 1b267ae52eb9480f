import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { DeadlineExceededError, isDatabaseError } from '../db/index.ts'
import type { AppEnv } from './app-env.ts'
import { ClientLeftError } from './deadline.ts'
import type { Log } from './log.ts'
import { type FieldError, PROBLEM_TYPE, ProblemError, problemBody } from './problem.ts'

/** What a client is told about an error. */
export interface Verdict {
  readonly status: number
  readonly detail?: string
  readonly errors?: readonly FieldError[] | undefined
  readonly retryAfterSeconds?: number
  /** How loudly the log says it; absent: the access line is enough. */
  readonly logAs?: 'warn' | 'error'
}

/** The one table from error to answer. Nothing of the error's own text reaches the client, except a `ProblemError`'s. */
export function judgeError(error: unknown): Verdict {
  if (error instanceof ProblemError) return { status: error.status, detail: error.detail, errors: error.errors }
  // By status, never by message: hono's body-limit has none, and its validator's may quote the input.
  if (error instanceof HTTPException) return { status: error.status }
  // Nobody reads this answer; the status is nginx's, for the access log.
  if (error instanceof ClientLeftError) return { status: 499 }
  if (error instanceof DeadlineExceededError) {
    return { status: 504, detail: `The database did not answer within ${error.timeoutMs} ms.`, logAs: 'warn' }
  }
  if (isDatabaseError(error)) {
    return { status: 503, detail: 'The database cannot be used now.', retryAfterSeconds: 1, logAs: 'warn' }
  }
  return { status: 500, logAs: 'error' }
}

/** Answers an error with problem+json, and logs what the client is not told. */
export function answerError(error: unknown, c: Context<AppEnv>, log: Log): Response {
  const { status, detail, errors, retryAfterSeconds, logAs } = judgeError(error)
  const requestId = c.get('requestId')
  if (logAs) log[logAs]({ err: error, requestId }, `answered ${status}`)
  return c.body(problemBody({ status, requestId, detail, errors }), status as ContentfulStatusCode, {
    'Content-Type': PROBLEM_TYPE,
    'Cache-Control': 'no-store',
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
  })
}
