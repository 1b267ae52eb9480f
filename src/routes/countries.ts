import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import { type CountrySort, countCountries, findCountry, listCountries } from '../../db/index.ts'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { createCursorCodec } from '../cursor.ts'
import { countryEtag, matchesEtag } from '../etag.ts'
import { listAnswer, listHeaders, listParams, listSchema, toListText } from '../list-page.ts'
import { conditionalHeader, deadlineHeader, etagHeader, notModified } from '../openapi.ts'
import { commonProblems, databaseProblems, notFoundProblem, ProblemError } from '../problem.ts'
import { choiceParam, cursorParam, idParam, keysOf, nameParam, noQuery, positionOf } from '../query-params.ts'

const countrySorts = {
  countryId: 'id',
  '-countryId': 'id',
  country: 'text',
  '-country': 'text',
} as const satisfies Record<CountrySort, string>
const codec = createCursorCodec<CountrySort>(countrySorts)

/** A country, as it stands alone and inside a city. */
export const countrySchema = z
  .strictObject({
    countryId: z.int().openapi({ example: 102 }),
    country: z.string().openapi({ example: 'United Kingdom' }),
    lastUpdate: z.iso.datetime(),
  })
  .openapi('Country')

const countriesQuery = z.strictObject({
  ...listParams,
  after: cursorParam(codec).optional(),
  sort: choiceParam(keysOf(countrySorts), 'The order; `-` is descending.').default('countryId'),
  name: nameParam('Countries of this name; the database decides what is equal.').optional(),
  namePrefix: nameParam('Countries whose name starts with this.').optional(),
})

const listRoute = createRoute({
  method: 'get',
  path: '/countries',
  operationId: 'listCountries',
  summary: 'Countries, page by page',
  parameters: [deadlineHeader],
  request: { query: countriesQuery },
  responses: {
    200: {
      description: 'A page of countries.',
      headers: listHeaders,
      content: { 'application/json': { schema: listSchema(countrySchema).openapi('CountryList') } },
    },
    ...commonProblems,
    ...databaseProblems,
  },
})

const countryRoute = createRoute({
  method: 'get',
  path: '/countries/{countryId}',
  operationId: 'getCountry',
  summary: 'One country',
  parameters: [deadlineHeader, conditionalHeader],
  request: { params: z.strictObject({ countryId: idParam() }), query: noQuery },
  responses: {
    200: {
      description: 'The country.',
      headers: etagHeader,
      content: { 'application/json': { schema: countrySchema } },
    },
    ...notModified,
    ...notFoundProblem,
    ...commonProblems,
    ...databaseProblems,
  },
})

/** Countries: lists and single ones; read-only. */
export function countryRoutes({ database }: Pick<AppDeps, 'database'>) {
  const { kysely } = database
  return new OpenAPIHono<AppEnv>()
    .openapi(listRoute, async (c) => {
      const { url } = c.req
      const query = c.req.valid('query')
      const list = await database.shareRead(url, async () => {
        const { limit, sort, name, namePrefix } = query
        const filter = { name, namePrefix }
        const [page, count] = await Promise.all([
          listCountries(kysely, { filter, page: { sort, limit, after: positionOf(query.after, sort) } }),
          query.count === 'exact' ? countCountries(kysely, filter) : undefined,
        ])
        return toListText(url, { page, sort, codec, count })
      })
      return listAnswer(list)
    })
    .openapi(countryRoute, async (c) => {
      const country = await findCountry(kysely, c.req.valid('param').countryId)
      if (!country) throw new ProblemError(404, 'There is no such country.')
      const etag = countryEtag(country)
      if (matchesEtag(c.req.header('If-None-Match'), etag)) return c.body(null, 304, { ETag: etag })
      return c.json(country, 200, { ETag: etag })
    })
}
