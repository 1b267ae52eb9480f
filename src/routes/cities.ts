import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type CitySort, countCities, findCountry, listCities } from '../../db/index.ts'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { createCursorCodec } from '../cursor.ts'
import { cityEtag, matchesEtag } from '../etag.ts'
import { listHeaders, listParams, listSchema, toListBody } from '../list-page.ts'
import { conditionalHeader, deadlineHeader, etagHeader, notModified } from '../openapi.ts'
import { commonProblems, databaseProblems, notFoundProblem, ProblemError } from '../problem.ts'
import { choiceParam, cursorParam, idParam, keysOf, nameParam, noQuery, positionOf } from '../query-params.ts'
import { countrySchema } from './countries.ts'

const citySorts = {
  cityId: 'id',
  '-cityId': 'id',
  city: 'text',
  '-city': 'text',
  lastUpdate: 'time',
  '-lastUpdate': 'time',
} as const satisfies Record<CitySort, string>
const codec = createCursorCodec<CitySort>(citySorts)

export const citySchema = z
  .strictObject({
    cityId: z.int().openapi({ example: 312 }),
    city: z.string().openapi({ example: 'London' }),
    countryId: z.int().openapi({ example: 102 }),
    lastUpdate: z.iso.datetime(),
    /** With `include=country`. */
    country: countrySchema.optional(),
  })
  .openapi('City')

const filterParams = {
  name: nameParam('Cities of this name; the database decides what is equal.').optional(),
  namePrefix: nameParam('Cities whose name starts with this.').optional(),
}
const cityListParams = {
  ...listParams,
  after: cursorParam(codec).optional(),
  sort: choiceParam(keysOf(citySorts), 'The order; `-` is descending.').default('cityId'),
  ...filterParams,
  include: choiceParam(['country'], 'Whether each city carries its country.').optional(),
}
const citiesQuery = z.strictObject({ ...cityListParams, countryId: idParam().optional() })
type CitiesQuery = z.output<typeof citiesQuery>

const page = {
  description: 'A page of cities.',
  headers: listHeaders,
  content: { 'application/json': { schema: listSchema(citySchema).openapi('CityList') } },
} as const

const listRoute = createRoute({
  method: 'get',
  path: '/cities',
  operationId: 'listCities',
  summary: 'Cities, page by page',
  parameters: [deadlineHeader],
  request: { query: citiesQuery },
  responses: { 200: page, ...commonProblems, ...databaseProblems },
})

const listOfCountryRoute = createRoute({
  method: 'get',
  path: '/countries/{countryId}/cities',
  operationId: 'listCitiesOfCountry',
  summary: 'The cities of one country: `/cities?countryId=`, and 404 where there is no such country',
  parameters: [deadlineHeader],
  request: { params: z.strictObject({ countryId: idParam() }), query: z.strictObject(cityListParams) },
  responses: { 200: page, ...notFoundProblem, ...commonProblems, ...databaseProblems },
})

const cityRoute = createRoute({
  method: 'get',
  path: '/cities/{cityId}',
  operationId: 'getCity',
  summary: 'One city',
  parameters: [deadlineHeader, conditionalHeader],
  request: { params: z.strictObject({ cityId: idParam() }), query: noQuery },
  responses: {
    200: { description: 'The city.', headers: etagHeader, content: { 'application/json': { schema: citySchema } } },
    ...notModified,
    ...notFoundProblem,
    ...commonProblems,
    ...databaseProblems,
  },
})

/** Cities: lists and single ones. */
export function cityRoutes({ database: { kysely, cities } }: Pick<AppDeps, 'database'>) {
  async function listBody(c: Context<AppEnv>, query: CitiesQuery) {
    const { limit, sort, name, namePrefix, countryId } = query
    const filter = { name, namePrefix, countryId }
    const request = {
      filter,
      page: { sort, limit, after: positionOf(query.after, sort) },
      includeCountry: query.include === 'country',
    }
    const [page, count] = await Promise.all([
      listCities(kysely, request),
      query.count === 'exact' ? countCities(kysely, filter) : undefined,
    ])
    return toListBody(c, { page, sort, codec, count })
  }

  return new OpenAPIHono<AppEnv>()
    .openapi(listRoute, async (c) => c.json(await listBody(c, c.req.valid('query')), 200))
    .openapi(listOfCountryRoute, async (c) => {
      const { countryId } = c.req.valid('param')
      const query = c.req.valid('query')
      const body = await listBody(c, { ...query, countryId })
      // Asked only when nothing was found: a city's country exists.
      if (body.items.length === 0 && !query.after) {
        const country = await findCountry(kysely, countryId)
        if (!country) throw new ProblemError(404, 'There is no such country.')
      }
      return c.json(body, 200)
    })
    .openapi(cityRoute, async (c) => {
      const city = await cities.byId(c.req.valid('param').cityId)
      if (!city) throw new ProblemError(404, 'There is no such city.')
      const etag = cityEtag(city)
      if (matchesEtag(c.req.header('If-None-Match'), etag)) return c.body(null, 304, { ETag: etag })
      return c.json(city, 200, { ETag: etag })
    })
}
