import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { AppEnv } from './app-env.ts'
import { REQUEST_TIMEOUT_HEADER } from './deadline.ts'
import { IDEMPOTENCY_KEY_HEADER, REPLAYED_HEADER } from './idempotency.ts'
import { commonProblems } from './problem.ts'
import { noQuery } from './query-params.ts'

// Written into the document by hand: as `request.headers` zod-openapi would copy and check every header of a request.
export const deadlineHeader = {
  name: REQUEST_TIMEOUT_HEADER,
  in: 'header' as const,
  description: 'Seconds the client waits, such as 0.5, where that is less than the service would take.',
  schema: { type: 'number' as const, minimum: 0.001, maximum: 9_999_999 },
}

export const conditionalHeader = {
  name: 'If-None-Match',
  in: 'header' as const,
  description: 'Entity tags that the client has; 304 when one is still right.',
  schema: { type: 'string' as const },
}

export const ifMatchHeader = {
  name: 'If-Match',
  in: 'header' as const,
  description: 'Entity tags that the row may have; 412 when it has another one by then.',
  schema: { type: 'string' as const },
}

export const idempotencyKeyHeader = {
  name: IDEMPOTENCY_KEY_HEADER,
  in: 'header' as const,
  description:
    'Chosen by the client, and new for each thing it wants done: a request repeated with the same key within 24 h ' +
    'takes effect once, and is answered as it was the first time.',
  schema: { type: 'string' as const, minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
}

export const replayedHeader = {
  [REPLAYED_HEADER]: {
    description: '`true` where an earlier request with this Idempotency-Key did it.',
    schema: { type: 'string' as const, enum: ['true'] },
  },
}

export const etagHeader = {
  ETag: { description: 'A strong validator of the row.', required: true, schema: { type: 'string' as const } },
}

export const notModified = { 304: { description: 'The client has it already.', headers: etagHeader } }

const WRITE_TOKEN = 'writeToken'

/** What an operation that writes needs; its `security`. */
export const writeTokenScheme = { [WRITE_TOKEN]: [] }

const documentRoute = createRoute({
  method: 'get',
  path: '/openapi.json',
  operationId: 'getDocument',
  summary: 'This document',
  request: { query: noQuery },
  responses: {
    200: {
      description: 'OpenAPI 3.1.',
      content: { 'application/json': { schema: z.looseObject({ openapi: z.string(), paths: z.looseObject({}) }) } },
    },
    ...commonProblems,
  },
})

/** The route that serves the document of all routes of `app`, this one and those added later included. */
export function documentRoutes(app: OpenAPIHono<AppEnv>, version: string) {
  let document: ReturnType<typeof buildDocument> | undefined
  return new OpenAPIHono<AppEnv>().openapi(documentRoute, (c) => {
    document ??= buildDocument(app, version)
    return c.json(document as { openapi: string; paths: object }, 200)
  })
}

function buildDocument(app: OpenAPIHono<AppEnv>, version: string) {
  app.openAPIRegistry.registerComponent('securitySchemes', WRITE_TOKEN, {
    type: 'http',
    scheme: 'bearer',
    description: 'One of the tokens of the setting `WRITE_TOKENS`.',
  })
  const document = app.getOpenAPI31Document({
    openapi: '3.1.1',
    info: {
      title: 'still-here',
      version,
      description:
        'Cities and countries of the sakila data. Every error is application/problem+json (RFC 9457). ' +
        'A path with another method is 405 with `Allow`.',
    },
  })
  for (const item of Object.values(document.paths ?? {})) {
    if (item.get && !item.head) item.head = toHeadOperation(item.get)
  }
  return document
}

type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>
type Operation = NonNullable<NonNullable<Document['paths']>[string]['get']>

/** Hono answers HEAD wherever it answers GET: the same, without bodies. */
function toHeadOperation({ operationId, responses, ...get }: Operation): Operation {
  return {
    ...get,
    ...(operationId && { operationId: `${operationId}Head` }),
    responses: Object.fromEntries(
      Object.entries(responses ?? {}).map(([status, { content: _, ...response }]) => [status, response]),
    ),
  }
}
