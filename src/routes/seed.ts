import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import type { AppDeps } from '../app.ts'
import type { AppEnv } from '../app-env.ts'
import { deadlineHeader } from '../openapi.ts'
import { commonProblems, databaseProblems } from '../problem.ts'
import { soleParameter } from '../query-params.ts'

const ROUTES = `still-here: cities and countries of the sakila data.

/?city=London    the id of a city
/cities          /cities/{cityId}
/countries       /countries/{countryId}    /countries/{countryId}/cities
/docs            all routes and their parameters; /openapi.json for programs
/healthz         /readyz    /livez    /version`

const text = { 'text/plain': { schema: z.string() } } as const

const seedRoute = createRoute({
  method: 'get',
  path: '/',
  operationId: 'findCityId',
  summary: 'The id of the city of this name, as text',
  parameters: [deadlineHeader],
  // Any length: the database alone knows what equals what, trailing spaces for example.
  request: {
    query: z.strictObject({ city: z.string().optional().openapi({ description: 'A name.', example: 'London' }) }),
  },
  responses: {
    200: { description: '`City "London" is #312`; without `city` a list of the routes.', content: text },
    404: { description: '`City "Nowhere" not found`', content: text },
    ...commonProblems,
    ...databaseProblems,
  },
})

const PLAIN_TEXT = { 'Content-Type': 'text/plain; charset=utf-8' }

/** `GET /?city=London`: what the service was first asked to do. */
export function seedRoutes({ database: { cities } }: Pick<AppDeps, 'database'>) {
  async function answer(c: Context<AppEnv>, city: string) {
    const cityId = await cities.idByName(city)
    if (cityId === undefined) return c.text(`City "${city}" not found`, 404, PLAIN_TEXT)
    return c.text(`City "${city}" is #${cityId}`, 200, PLAIN_TEXT)
  }
  /** Before the validators, which cost as much as the rest: with `city` alone there is nothing to find fault with. */
  const shortcut: MiddlewareHandler<AppEnv> = (c, next) => {
    const city = soleParameter(c.req.url, 'city')
    return city === undefined ? next() : answer(c, city)
  }
  return new OpenAPIHono<AppEnv>().openapi({ ...seedRoute, middleware: shortcut }, async (c) => {
    const { city } = c.req.valid('query')
    return city === undefined ? c.text(ROUTES, 200, PLAIN_TEXT) : await answer(c, city)
  })
}
