import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type City, deleteCity, insertCity, updateCity, writeOnce } from '../../db/index.ts'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { cityChangeSchema, newCitySchema } from '../city-body.ts'
import { cityEtag, statesOfIfMatch } from '../etag.ts'
import { keyedWriteOf, REPLAYED_HEADER, readIdempotencyKey } from '../idempotency.ts'
import { jsonAnswer } from '../json-answer.ts'
import { readJsonBody } from '../json-body.ts'
import {
  deadlineHeader,
  etagHeader,
  idempotencyKeyHeader,
  ifMatchHeader,
  replayedHeader,
  writeTokenScheme,
} from '../openapi.ts'
import {
  additionProblems,
  bodyProblems,
  commonProblems,
  conditionProblems,
  notFoundProblem,
  writeProblems,
} from '../problem.ts'
import { idParam, noQuery } from '../query-params.ts'
import { requireWriteToken } from '../write-access.ts'
import { citySchema } from './cities.ts'

const locationHeader = {
  Location: { description: 'Where the city is.', required: true, schema: { type: 'string' as const } },
}

const createCityRoute = createRoute({
  method: 'post',
  path: '/cities',
  operationId: 'createCity',
  summary: 'Adds a city',
  security: [writeTokenScheme],
  parameters: [deadlineHeader, idempotencyKeyHeader],
  request: {
    query: noQuery,
    // Without `required` zod-openapi would give a request without a body to the handler.
    body: { required: true, content: { 'application/json': { schema: newCitySchema } } },
  },
  responses: {
    201: {
      description: 'The city as the database has it.',
      headers: { ...locationHeader, ...etagHeader, ...replayedHeader },
      content: { 'application/json': { schema: citySchema } },
    },
    ...bodyProblems,
    ...writeProblems,
    ...additionProblems,
    ...commonProblems,
  },
})

const cityParams = z.strictObject({ cityId: idParam() })

const changeCityRoute = createRoute({
  method: 'patch',
  path: '/cities/{cityId}',
  operationId: 'changeCity',
  summary: 'Changes the fields that are given',
  security: [writeTokenScheme],
  parameters: [deadlineHeader, idempotencyKeyHeader, ifMatchHeader],
  request: {
    params: cityParams,
    query: noQuery,
    body: { required: true, content: { 'application/json': { schema: cityChangeSchema } } },
  },
  responses: {
    200: {
      description: 'The city as the database has it now.',
      headers: { ...etagHeader, ...replayedHeader },
      content: { 'application/json': { schema: citySchema } },
    },
    ...notFoundProblem,
    ...conditionProblems,
    ...bodyProblems,
    ...writeProblems,
    ...commonProblems,
  },
})

const deleteCityRoute = createRoute({
  method: 'delete',
  path: '/cities/{cityId}',
  operationId: 'deleteCity',
  summary: 'Removes a city',
  security: [writeTokenScheme],
  parameters: [deadlineHeader, idempotencyKeyHeader, ifMatchHeader],
  request: { params: cityParams, query: noQuery },
  responses: {
    204: { description: 'It is gone.', headers: replayedHeader },
    ...notFoundProblem,
    ...conditionProblems,
    ...writeProblems,
    ...commonProblems,
  },
})

/** A city as it is kept with its idempotency key. */
type StoredCity = Omit<City, 'lastUpdate' | 'country'> & { readonly lastUpdate: string }

/** Cities: what changes them. */
export function cityWriteRoutes({
  database: { kysely },
  readWriteTokens,
  log,
}: Pick<AppDeps, 'database' | 'readWriteTokens' | 'log'>) {
  const requireToken = requireWriteToken({ readTokens: readWriteTokens, log })
  const middleware = [requireToken, readIdempotencyKey, readJsonBody]

  /** Does the write of this request once, and answers the city with its headers. */
  async function writeCity(c: Context<AppEnv>, body: object, work: Parameters<typeof writeOnce<City>>[2]) {
    const { answer, isReplayed } = await writeOnce(kysely, keyedWriteOf(c, body), work)
    const city = JSON.parse(answer) as StoredCity // as `work` made it, now or then
    const etag = cityEtag({ ...city, lastUpdate: new Date(city.lastUpdate) })
    return { text: answer, city, headers: { ETag: etag, ...replayed(isReplayed) } }
  }

  return new OpenAPIHono<AppEnv>()
    .openapi({ ...createCityRoute, middleware }, async (c) => {
      const body = c.req.valid('json')
      const { text, city, headers } = await writeCity(c, body, (trx) => insertCity(trx, body))
      return jsonAnswer<StoredCity, 201>(text, 201, { ...headers, Location: `/cities/${city.cityId}` })
    })
    .openapi({ ...changeCityRoute, middleware }, async (c) => {
      const body = c.req.valid('json')
      const target = targetOf(c, c.req.valid('param'))
      const { text, headers } = await writeCity(c, body, (trx) => updateCity(trx, target, body))
      return jsonAnswer<StoredCity, 200>(text, 200, headers)
    })
    .openapi({ ...deleteCityRoute, middleware: [requireToken, readIdempotencyKey] }, async (c) => {
      const target = targetOf(c, c.req.valid('param'))
      const { isReplayed } = await writeOnce(kysely, keyedWriteOf(c), (trx) => deleteCity(trx, target))
      return c.body(null, 204, replayed(isReplayed))
    })
}

function targetOf(c: Context<AppEnv>, { cityId }: { readonly cityId: number }) {
  return { cityId, stateHashes: statesOfIfMatch(c.req.header('If-Match')) }
}

function replayed(isReplayed: boolean): Record<string, string> {
  return isReplayed ? { [REPLAYED_HEADER]: 'true' } : {}
}
