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

/** The body of every error answer, RFC 9457. */
const problemSchema = z
  .strictObject({
    type: z.literal('about:blank'),
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
  readonly requestId: string
  readonly detail?: string | undefined
  readonly errors?: readonly FieldError[] | undefined
}

/** The problem as JSON text. */
export function problemBody({ status, requestId, detail, errors }: ProblemParts): string {
  const title = STATUS_CODES[status] ?? 'Client Closed Request'
  return JSON.stringify({ type: 'about:blank', title, status, detail, requestId, errors })
}

const content = { [PROBLEM_TYPE]: { schema: problemSchema } } as const

// Constants, and not `as const`: the typed client reads each status from the type, and loses the readonly ones.
/** Answers of any route: 400 and 500. */
export const commonProblems = {
  400: { description: 'Something in the request cannot be used; `errors` says what.', content },
  500: { description: 'A fault in the service.', content },
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
  422: { description: 'The body names something that does not exist; `errors` says what.', content },
}

const IF_UNKNOWN = 'Nothing was changed, unless `detail` says that this is unknown.'

/** Answers of any route that changes rows. */
export const writeProblems = {
  401: {
    description: 'No token that may write.',
    headers: { 'WWW-Authenticate': { required: true, schema: { type: 'string' as const } } },
    content,
  },
  403: { description: 'Nobody may write: no token is set up.', content },
  503: { description: `The database cannot be reached or refuses. ${IF_UNKNOWN}`, headers: retryAfter, content },
  504: { description: `The database did not answer in time. ${IF_UNKNOWN}`, content },
  507: { description: 'No id is left for another row.', content },
}

export const notFoundProblem = { 404: { description: 'There is none.', content } }
