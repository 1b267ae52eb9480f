import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { type City, type CitySort, countCities, findCountry, listCities } from '../../db/index.ts'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { createCursorCodec } from '../cursor.ts'
import { cityEtag, matchesEtag } from '../etag.ts'
import { jsonAnswer } from '../json-answer.ts'
import { type ListText, listAnswer, listHeaders, listParams, listSchema, toListText } from '../list-page.ts'
import { conditionalHeader, deadlineHeader, etagHeader, notModified } from '../openapi.ts'
import { commonProblems, databaseProblems, notFoundProblem, ProblemError } from '../problem.ts'
import { choiceParam, cursorParam, idParam, isId, keysOf, nameParam, noQuery, positionOf } from '../query-params.ts'
import { requestHeader } from '../request-header.ts'
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
export function cityRoutes({ database }: Pick<AppDeps, 'database'>) {
  const { kysely, cities } = database

  /** The page that a URL stands for. */
  function findList({ req: { url } }: Context<AppEnv>, query: CitiesQuery): Promise<ListText<City>> {
    return database.shareRead(url, async () => {
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
      return toListText(url, { page, sort, codec, count })
    })
  }

  async function answerCity(c: Context<AppEnv>, cityId: number) {
    const city = await cities.byId(cityId)
    if (!city) throw new ProblemError(404, 'There is no such city.')
    const etag = cityEtag(city)
    if (matchesEtag(requestHeader(c, 'if-none-match'), etag)) return c.body(null, 304, { ETag: etag })
    return jsonAnswer<City, 200>(JSON.stringify(city), 200, { ETag: etag })
  }
  /** Before the validators, which cost as much as the rest: in digits alone there is nothing to find fault with. */
  const shortcut: MiddlewareHandler<AppEnv> = (c, next) => {
    const cityId = c.req.param('cityId')
    return cityId && isId(cityId) && !c.req.url.includes('?') ? answerCity(c, Number(cityId)) : next()
  }

  return new OpenAPIHono<AppEnv>()
    .openapi(listRoute, async (c) => listAnswer(await findList(c, c.req.valid('query'))))
    .openapi(listOfCountryRoute, async (c) => {
      const { countryId } = c.req.valid('param')
      const query = c.req.valid('query')
      const list = await findList(c, { ...query, countryId })
      // Asked only when nothing was found: a city's country exists.
      if (list.isEmpty && !query.after) {
        const country = await findCountry(kysely, countryId)
        if (!country) throw new ProblemError(404, 'There is no such country.')
      }
      return listAnswer(list)
    })
    .openapi({ ...cityRoute, middleware: shortcut }, (c) => answerCity(c, c.req.valid('param').cityId))
}
