import { STATUS_CODES } from 'node:http'
import { z } from '@hono/zod-openapi'

/** One thing that is wrong with a request, and where. */
export type FieldError = { readonly detail: string } & (
  | { readonly parameter: string }
  | { readonly header: string }
  | { readonly pointer: string }
)

/** Thrown where a request cannot be answered as asked; becomes a problem with this status. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly status: number
  readonly detail: string
  readonly errors: readonly FieldError[] | undefined
  constructor(status: number, detail: string, errors?: readonly FieldError[]) {
    super(detail)
    this.status = status
    this.detail = detail
    this.errors = errors
  }
}

/** A 400 that names each bad field. */
export function badRequest(errors: readonly FieldError[]): ProblemError {
  return new ProblemError(400, 'The request has parameters that cannot be used; see "errors".', errors)
}

/** A write of which nobody can say yet whether it took effect. */
export const OUTCOME_UNKNOWN = {
  type: 'urn:still-here:outcome-unknown',
  title: 'Outcome unknown: repeat with this Idempotency-Key',
} as const

/** The body of every error answer, RFC 9457. */
const problemSchema = z
  .strictObject({
    type: z.enum(['about:blank', OUTCOME_UNKNOWN.type]),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().optional(),
    requestId: z.string(),
    errors: z
      .array(
        z.strictObject({
          parameter: z.string().optional().openapi({ description: 'A path or query parameter.' }),
          header: z.string().optional(),
          pointer: z.string().optional().openapi({ description: 'A JSON Pointer into the body.' }),
          detail: z.string(),
        }),
      )
      .optional(),
  })
  .openapi('Problem')

export const PROBLEM_TYPE = 'application/problem+json'

export interface ProblemParts {
  readonly status: number
  /** Absent: the status says it all. */
  readonly kind?: typeof OUTCOME_UNKNOWN | undefined
  readonly requestId: string
  readonly detail?: string | undefined
  readonly errors?: readonly FieldError[] | undefined
}

/** The problem as JSON text. */
export function problemBody({ status, kind, requestId, detail, errors }: ProblemParts): string {
  const { type, title } = kind ?? { type: 'about:blank', title: STATUS_CODES[status] ?? 'Client Closed Request' }
  return JSON.stringify({ type, title, status, detail, requestId, errors })
}

const content = { [PROBLEM_TYPE]: { schema: problemSchema } } as const

// Constants, and not `as const`: the typed client reads each status from the type, and loses the readonly ones.
/** Answers of any route: 400 and 500. */
export const commonProblems = {
  400: { description: 'Something in the request cannot be used; `errors` says what.', content },
  500: { description: 'A fault in the service, or one of the database that its operator must mend.', content },
}

const retryAfter = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' as const } } }

/** Answers of any route that asks the database. */
export const databaseProblems = {
  503: { description: 'The database cannot be reached or refuses.', headers: retryAfter, content },
  504: { description: 'The database did not answer in time.', content },
}

/** Answers of any route that takes a body. */
export const bodyProblems = {
  408: { description: 'The body did not come in time.', content },
  413: { description: 'The body is too large.', content },
  415: { description: 'The body is not application/json.', content },
}

const IF_UNKNOWN =
  'Nothing was changed, unless `type` says that this is unknown: repeated with the Idempotency-Key of this answer, the ' +
  'request takes effect once, and is told so.'

const keyHeader = {
  'Idempotency-Key': { description: 'Where the outcome is unknown.', schema: { type: 'string' as const } },
}

/** Answers of any route that changes rows. */
export const writeProblems = {
  401: {
    description: 'No token that may write.',
    headers: { 'WWW-Authenticate': { required: true, schema: { type: 'string' as const } } },
    content,
  },
  403: { description: 'Nobody may write: no token is set up.', content },
  409: {
    description:
      'A request with this Idempotency-Key is under way, and did not end within 1 s (with `Retry-After`); or other rows ' +
      'do not allow it: they refer to this one, or have a value that must be unique.',
    headers: retryAfter,
    content,
  },
  422: {
    description:
      'The Idempotency-Key belongs to another request; a field names what does not exist: see `errors`; or the database ' +
      'does not take such a value.',
    content,
  },
  503: {
    description: `The database cannot be reached or refuses. ${IF_UNKNOWN}`,
    headers: { ...retryAfter, ...keyHeader },
    content,
  },
  504: { description: `The database did not answer in time. ${IF_UNKNOWN}`, headers: keyHeader, content },
}

/** Answers of any route that adds rows. */
export const additionProblems = { 507: { description: 'No id is left for another row.', content } }

/** Answers of any route that changes a row as it was seen. */
export const conditionProblems = { 412: { description: 'The row has another ETag than `If-Match` names.', content } }

export const notFoundProblem = { 404: { description: 'There is none.', content } }
