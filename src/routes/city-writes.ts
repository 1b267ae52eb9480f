import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { createCity } from '../../db/index.ts'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { cityEtag } from '../etag.ts'
import { readJsonBody } from '../json-body.ts'
import { deadlineHeader, etagHeader, writeTokenScheme } from '../openapi.ts'
import { bodyProblems, commonProblems, writeProblems } from '../problem.ts'
import { noQuery } from '../query-params.ts'
import { requireWriteToken } from '../write-access.ts'
import { citySchema } from './cities.ts'

/** Counted as the database counts them, an emoji being one, and after the normalisation that it does not do. */
function isName(text: string): boolean {
  const length = [...text].length
  return length >= 1 && length <= 50 && text.isWellFormed() && !/\p{Cc}/u.test(text)
}

const NOT_AN_ID = 'must be an integer from 1 to 65535'

const newCitySchema = z
  .strictObject(
    {
      city: z
        .string('must be a text')
        .normalize('NFC')
        .refine(isName, 'must have 1 to 50 characters, and no control characters')
        .openapi({
          description: '1 to 50 characters once it is in Unicode normalisation form C, in which it is stored.',
          minLength: 1,
          maxLength: 50,
          pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
          example: 'Atlantis',
        }),
      countryId: z
        .number(NOT_AN_ID)
        .refine((id) => Number.isInteger(id) && id >= 1 && id <= 65_535, NOT_AN_ID)
        .openapi({ type: 'integer', minimum: 1, maximum: 65_535, description: 'The id of a country.', example: 102 }),
    },
    'must be an object',
  )
  .openapi('NewCity')

const locationHeader = {
  Location: { description: 'Where the city is.', required: true, schema: { type: 'string' as const } },
}

const createCityRoute = createRoute({
  method: 'post',
  path: '/cities',
  operationId: 'createCity',
  summary: 'Adds a city',
  security: [writeTokenScheme],
  parameters: [deadlineHeader],
  request: {
    query: noQuery,
    // Without `required` zod-openapi would give a request without a body to the handler.
    body: { required: true, content: { 'application/json': { schema: newCitySchema } } },
  },
  responses: {
    201: {
      description: 'The city as the database has it.',
      headers: { ...locationHeader, ...etagHeader },
      content: { 'application/json': { schema: citySchema } },
    },
    ...bodyProblems,
    ...writeProblems,
    ...commonProblems,
  },
})

/** Cities: what changes them. */
export function cityWriteRoutes({
  database: { kysely },
  readWriteTokens,
  log,
}: Pick<AppDeps, 'database' | 'readWriteTokens' | 'log'>) {
  const middleware = [requireWriteToken({ readTokens: readWriteTokens, log }), readJsonBody]
  return new OpenAPIHono<AppEnv>().openapi({ ...createCityRoute, middleware }, async (c) => {
    const city = await createCity(kysely, c.req.valid('json'))
    return c.json(city, 201, { Location: `/cities/${city.cityId}`, ETag: cityEtag(city) })
  })
}
